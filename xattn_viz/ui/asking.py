"""What the visitor asks for, and how each of the controls changes it: the callbacks, which run before the page does.

`st.session_state` holds it under names of its own: `request` is what is asked for, `segment` which segment of it is
shown and `output` which of its outputs, `typed` the last request of each model, `run` a run that goes on in a thread of
its own, `shown` the traces in view and `shown_for` the request that they are of, `stopped` and `failed` why there is
nothing to show.
"""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from xattn_viz.examples import ALL, EXAMPLES, SPEECH, Example, SpeechExample
from xattn_viz.ui import address, kind, models, sounds
from xattn_viz.ui.address import Output, Request


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
            _fill_in(state.request)
            address.write(state.request, state.segment, state.output)
    request: Request = state.request
    # Widgets forget what they held while another page is shown.
    for name, value in _held(request).items():
        state.setdefault(name, value)
    return request


def examples_of(model: str) -> list[Example]:
    """The examples of a model, in order."""
    return [example for example in EXAMPLES if example.model == model]


def example_request(example: Example | SpeechExample) -> Request:
    """An example as a request, with the head to look at as the address counts it: from 1."""
    select = {"head": f"{example.layer + 1}.{example.head + 1}"}
    if isinstance(example, SpeechExample):
        return Request(example.model, sound=example.slug, select=select)
    return Request(example.model, example.text, select=select)


def example_of(request: Request) -> Example | SpeechExample | None:
    """The example that a request is of by its model and its text or sound, whatever its options are."""
    plain = replace(request, whole=False, options=(), text="" if request.sound else request.text)
    return next((example for example in ALL if example_request(example) == plain), None)


def show_address() -> None:
    """Show what the address says: at first, and after a step back in the browser's history."""
    state = st.session_state
    is_sound = sounds.is_here if kind.current() == kind.AUDIO else None
    state.request = address.read(
        _defaults(), lambda name: name in models.listed() or models.may_be_named(name), is_sound
    )
    state.segment, state.output = address.read_segment(), address.read_output()
    _forget_runs()
    _fill_in(state.request)


@kind.while_here
def turn() -> None:
    """Another model was chosen: go on with what was last asked of it, or with the text that is there."""
    name, current_model = st.session_state.direction, st.session_state.request.model
    # A control of the page before may still speak: its model is none of this page.
    if name in models.choices(current_model) and name not in (current_model, models.OTHER):
        _turn_to(name)


@kind.while_here
def take_other() -> None:
    """The name of a model, or its folder, was typed."""
    if name := models.cleaned(st.session_state.other):
        models.agree(name)
        _turn_to(name)


def agree() -> None:
    """The visitor wants the model that the address names."""
    models.agree(st.session_state.request.model)


def allow_weights() -> None:
    """The visitor allows `.bin` weights, read as data only."""
    state = st.session_state
    models.allow_weights(state.request.model)
    state.failed = None


@kind.while_here
def take_option(name: str) -> None:
    """An option of the model was changed; the address and the request name it where it is not the default."""
    state = st.session_state
    request: Request = state.request
    defaults = {option.name: option.default for option in models.options_of(request.model)}
    chosen = {**dict(request.options), name: state[option_key(name)]}
    others = tuple(sorted((key, value) for key, value in chosen.items() if value != defaults.get(key)))
    _ask(replace(request, options=others))


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
        _ask(wanted, same_head=False)


def translate() -> None:
    """The text in the field is to be traced, by the same model with the same options."""
    state = st.session_state
    _ask(replace(state.request, text=state.text, select={}))


@kind.while_here
def take_whole() -> None:
    """The text is to be traced as one segment, or sentence by sentence again."""
    state = st.session_state
    _ask(replace(state.request, whole=state.whole))


@kind.while_here
def take_clip() -> None:
    """A clip was chosen."""
    state = st.session_state
    if state.clip is not None:
        wanted = replace(state.request, sound=state.clip, select={})
        example = example_of(wanted)
        if example is not None:
            wanted = replace(wanted, select=example_request(example).select)
        _ask(wanted, same_head=example is None)


@kind.while_here
def take_file(key: str) -> None:
    """A sound was uploaded or recorded in the widget of this key."""
    file = st.session_state[key]
    if file is not None:
        _take_sound(sounds.give(file.getvalue(), file.name))


def transcribe() -> None:
    """The same sound is to be traced again, after a stop or a failure."""
    _ask(st.session_state.request)


def end_run() -> None:
    """A run that goes on by itself is no longer wanted."""
    state = st.session_state
    if (run := state.get("run")) is not None:
        run.stop()
    state.run = None


def _turn_to(name: str) -> None:
    state = st.session_state
    last: Request = state.request
    state.typed[last.model] = last
    wanted = state.typed.get(name) or _defaults().get(name)
    if last.sound:
        # One hears the other model hear the same.
        select = wanted.select if wanted else {}
        wanted = Request(name, options=wanted.options if wanted else (), select=select, sound=last.sound)
    elif wanted is None:
        wanted = Request(name, state.get("text", "") or last.text, last.whole)
    _fill_in(wanted)
    _ask(wanted, same_head=False)


def _take_sound(name: str) -> None:
    _ask(replace(st.session_state.request, sound=name))


def _ask(request: Request, *, same_head: bool = True) -> None:
    state = st.session_state
    state.request, state.segment, state.output = request, 1, Output()
    _forget_runs()
    address.write(request, same_head=same_head)


def _forget_runs() -> None:
    """What went on, was stopped or failed is over: something else was asked for, or the same once more."""
    end_run()
    st.session_state.stopped = st.session_state.failed = None


def _fill_in(request: Request) -> None:
    state = st.session_state
    for name, value in (_held(request) | {"example": None, "clip": None}).items():
        # Setting a field draws it anew, even to the same value, over what the visitor may be typing meanwhile.
        if state.get(name) != value:
            state[name] = value


def _held(request: Request) -> dict[str, object]:
    held: dict[str, object] = {"direction": request.model}
    return held if request.sound else held | {"text": request.text}


def _defaults() -> dict[str, Request]:
    """The first example of each model: what is shown before anything is typed, or any sound given."""
    of_sound = kind.current() == kind.AUDIO
    defaults: dict[str, Request] = {}
    for example in SPEECH if of_sound else EXAMPLES:
        defaults.setdefault(example.model, example_request(example))
    if of_sound:  # every model hears the first clip
        defaults |= {name: Request(name, sound=SPEECH[0].slug) for name in models.listed() if name not in defaults}
    return defaults
