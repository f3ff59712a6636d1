"""What the visitor asks for, and how each of the controls changes it: the callbacks, which run before the page does.

`st.session_state` holds it under names of its own: `request` is what is asked for, `segment` which segment of it is
shown and `output` which of its outputs, `typed` the last request of each model, `run` a run that goes on in a thread of
its own, `shown` the traces in view and `shown_for` the request that they are of, `stopped` and `failed` why there is
nothing to show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from xattn_viz.app import address, kind, models, pictures, sounds
from xattn_viz.app.address import Output, Request
from xattn_viz.examples import (
    ALL,
    EXAMPLES,
    HINTS,
    PROMPTS,
    SCENES,
    SPEECH,
    Example,
    PromptExample,
    SceneExample,
    SpeechExample,
)

_BEST = Output()
AnyExample = Example | SpeechExample | SceneExample
# On a page whose input has names: by the part of the address that says one, which there are.
_NAMES: Mapping[str, Mapping[str, Callable[[str], bool]]] = {
    "audio": {"sound": sounds.is_here},
    "image": {"scene": pictures.is_scene, "picture": pictures.is_here},
}
# What each page begins with.
_EXAMPLES: Mapping[str, Sequence[AnyExample]] = {
    "text": EXAMPLES,
    "audio": SPEECH,
    "image": (*SCENES, *HINTS),
    "prompt": PROMPTS,
}


def current() -> Request:
    """What is asked for: what the address says at first, then whatever the controls made of it."""
    state = st.session_state
    entered = state.pop("entered", False)
    if "request" not in state:
        state.typed = {}
        show_address()
    elif entered:
        # Back from another page: what the address says or, where that is nothing, what was here before.
        if address.says_something():
            show_address()
        else:
            fill_in(state.request)
            address.write(state.request, state.segment, state.output)
    request: Request = state.request
    # Widgets forget what they held while another page is shown.
    for name, value in _held(request).items():
        state.setdefault(name, value)
    return request


def examples_of(model: str) -> list[Example]:
    """The examples of a model, in order."""
    of_page = _EXAMPLES[kind.current().name]
    return [example for example in of_page if isinstance(example, Example) and example.model == model]


def example_request(example: AnyExample) -> Request:
    """An example as a request, with the head to look at as the address counts it: from 1."""
    select = {"head": f"{example.layer + 1}.{example.head + 1}"}
    if isinstance(example, SpeechExample):
        return Request(example.model, sound=example.slug, select=select)
    if isinstance(example, SceneExample):
        select |= {"row": str(example.word)}
        return Request(example.model, options=example.options, picture=example.slug, select=select)
    if isinstance(example, PromptExample):
        select["column"] = str(example.token)
    return Request(example.model, example.text, select=select)


def example_of(request: Request) -> AnyExample | None:
    """The example that a request is of by its model and what it reads, whatever its options where it has none."""
    plain = replace(request, whole=False, options=(), text="" if request.named else request.text)
    every: tuple[AnyExample, ...] = (*ALL, *SCENES, *HINTS, *PROMPTS)
    for example in every:
        wanted = example_request(example)
        if wanted in (plain, replace(plain, options=request.options)):
            return example
    return None


def show_address() -> None:
    """Show what the address says: at first, and after a step back in the browser's history."""
    state = st.session_state
    request = address.read(
        defaults(),
        lambda name: name in models.listed() or models.may_be_named(name),
        _NAMES.get(kind.current().name),
    )
    example = example_of(request)
    state.request = replace(request, select=example_request(example).select) if example else request
    state.segment, state.output = address.read_segment(), address.read_output()
    if kind.current() == kind.PROMPT:  # a drawing has no beams and no tokens; another prompt is all that can be asked
        state.output = Output(target=state.output.target)
    _forget_runs()
    fill_in(state.request)


@kind.while_here
def take_option(name: str) -> None:
    """An option of the model was changed; the address and the request name it where it is not the default."""
    state = st.session_state
    request: Request = state.request
    defaults = {option.name: option.default for option in models.options_of(request.model)}
    value = state[option_key(name)]
    chosen = {**dict(request.options), name: value if isinstance(value, bool | str) else str(value)}
    others = tuple(sorted((key, value) for key, value in chosen.items() if value != defaults.get(key)))
    # Another seed for two prompts is a seed for both; of a text the other outputs may not come again.
    ask(replace(request, options=others), output=state.output if kind.current() == kind.PROMPT else _BEST)


@kind.while_here
def choose_option(name: str, value: str) -> None:
    """An option of the model was chosen elsewhere than in the list of options."""
    st.session_state[option_key(name)] = value
    take_option(name)


def option_key(name: str) -> str:
    """Under which key the control of an option lives."""
    return f"option_{name}"


@kind.while_here
def take_example() -> None:
    """An example was chosen."""
    state = st.session_state
    if state.example is not None:
        wanted = example_request(examples_of(state.request.model)[state.example])
        state.text = wanted.text
        ask(wanted, same_head=False)


def translate() -> None:
    """The text in the field is to be traced, by the same model with the same options."""
    state = st.session_state
    ask(replace(state.request, text=state.text, select={}))


@kind.while_here
def take_whole() -> None:
    """The text is to be traced as one segment, or sentence by sentence again."""
    state = st.session_state
    ask(replace(state.request, whole=state.whole))


def end_run() -> None:
    """A run that goes on by itself is no longer wanted."""
    state = st.session_state
    if (run := state.get("run")) is not None:
        run.stop()
    state.run = None


def ask(request: Request, *, same_head: bool = True, output: Output = _BEST) -> None:
    """Another request, from its first segment; `same_head` keeps the head that is looked at."""
    state = st.session_state
    state.request, state.segment, state.output = request, 1, output
    _forget_runs()
    address.write(request, 1, output, same_head=same_head)


def _forget_runs() -> None:
    """What went on, was stopped or failed is over: something else was asked for, or the same once more."""
    end_run()
    st.session_state.stopped = st.session_state.failed = None


def fill_in(request: Request) -> None:
    """Make the widgets hold what is asked for."""
    state = st.session_state
    for name, value in (_held(request) | {"example": None, "clip": None, "picture": None}).items():
        # Setting a field draws it anew, even to the same value, over what the visitor may be typing meanwhile.
        if state.get(name) != value:
            state[name] = value


def _held(request: Request) -> dict[str, object]:
    held: dict[str, object] = {"direction": request.model}
    return held if request.named else held | {"text": request.text}


def defaults() -> dict[str, Request]:
    """The first example of each model: what is shown before anything is typed, or any sound or picture given."""
    found = _EXAMPLES[kind.current().name]
    defaults: dict[str, Request] = {}
    for example in found:
        defaults.setdefault(example.model, example_request(example))
    if named := example_request(found[0]).named:  # every model hears the first clip, or sees the first scene
        plain = {name: Request(name).reading(**named) for name in models.listed() if name not in defaults}
        defaults |= plain
    return defaults
