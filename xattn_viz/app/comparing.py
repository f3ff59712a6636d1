"""What stands beside what is shown: the popover *Compare*, in which the second is typed, given, chosen and changed.

Whatever is not changed is as in the first. Only where something is compared is this module asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from xattn_viz.app import actions, controls, page_state, runner
from xattn_viz.app.page_state import PageState, Seen, Shown, while_here
from xattn_viz.app.runner import Output, Query
from xattn_viz.core import files
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import visible_text
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import head_key
from xattn_viz.inputs import InputError
from xattn_viz.models.base import READS
from xattn_viz.shapes.sentence import MOST_CHARACTERS

_AWAY = "The model of B runs without them: what it then reads and writes stands beside A."


def compare_with(query: Query | None) -> None:
    """Show what comes of this beside what is shown, and their difference; None ends that."""
    state = page_state.current()
    if query is not None and query.source != "file":
        query = page_state.kind().completed(query, state.query)
    if (running := state.running) is not None and state.compared in (running.task.query, running.task.query.best):
        running.run.stop()
    page_state.visit().fault = None, ""  # of a file that was given before
    goes_on = state.compared is not None and query is not None
    view = replace(state.view, other="", shows=state.view.shows if goes_on else "both")
    if not _is_as_long(state.compared, query):  # rows of two maps have other numbers than those of one, or of others
        view = view.afresh()
    both = replace(state, compared=query, view=view, first=view, first_choices=state.choices)
    page_state.put(both)
    page_state.write_address(both.address())


def _is_as_long(one: Query | None, other: Query | None) -> bool:
    """Whether two seconds stand beside the first row by row alike: two drawings of one prompt do."""
    if one is None or other is None or page_state.kind().makes != "image":
        return False
    return (one.source, one.input, one.model) == (other.source, other.input, other.model)


def compare_seen(one: Seen) -> None:
    """Something seen before on this page is to stand beside what is shown, without a run."""
    page_state.give_back(one)
    state = page_state.current()
    for outcome in one.state.outcomes:
        state = state.with_outcome(outcome)
    page_state.put(state)
    compare_with(one.state.query)


def second() -> Query:
    """What is compared; where nothing is yet, what is shown, or for a file that is asked of its model."""
    state = page_state.current()
    return actions.anew(state.compared or state.query.best)


def take(source: Any, name: str) -> None:
    """The input of this name is to be the second; one that cannot be read is told, and changes nothing."""
    query = replace(second(), source=source, input=name)
    try:
        page_state.kind().named(query)
    except InputError as error:
        refuse(str(error))
    else:
        compare_with(query)


def refuse(said: str) -> None:
    """Say why something cannot be compared; what is shown stays."""
    page_state.visit().fault = page_state.current().asked, said


@while_here
def _take_text(key: str) -> None:
    state, text = page_state.current(), str(st.session_state.get(key) or "").strip()
    compare_with(replace(second(), source="text", input=text or actions.anew(state.query).input))


@while_here
def _take_named(key: str) -> None:
    if (chosen := st.session_state.get(key)) is not None:
        take(*chosen)


@while_here
def _take_model(key: str) -> None:
    asked = actions.anew(page_state.current().query.best)
    if not (model := page_state.cleaned(str(st.session_state[key] or ""))):
        return
    page_state.agree(model)
    compare_with(replace(second(), model=model, options=asked.options if model == asked.model else (), without=()))


@while_here
def _take_option(name: str, key: str) -> None:
    compare_with(actions.with_option(second(), name, st.session_state[key]))


@while_here
def _take_target(key: str) -> None:
    compare_with(replace(second(), output=Output(target=str(st.session_state[key] or "").strip())))


@while_here
def _take_away(key: str) -> None:
    heads = (one.split(".") for one in st.session_state[key])
    without = tuple(sorted((int(layer) - 1, int(head) - 1) for layer, head in heads))
    compare_with(replace(second(), without=without))


@while_here
def _take_away_shown() -> None:
    """The head in view, or all heads of the layer in view, is to be taken away."""
    state = page_state.current()
    shown, view = state.shown, state.view
    if shown is None or view.layer is None or view.kind != "cross":
        refuse("Choose a head of cross-attention first, or a layer: that one is taken away.")
        return
    view = view.on(shown.trace)
    heads = [int(view.head)] if view.is_head else range(shown.trace.cross.n_heads)
    compare_with(replace(second(), without=tuple((view.layer or 0, head) for head in heads)))


@while_here
def _take_seen(key: str) -> None:
    for one in page_state.seen():
        if one.number == st.session_state.get(key):
            compare_seen(one)


@while_here
def _take_file(key: str) -> None:
    """A saved trace was given, or a saved visit: the first of its traces that this page shows is the second."""
    if (file := st.session_state.get(key)) is None:
        return
    from xattn_viz.app import opened  # few give one

    try:
        found = [one for one in opened.read(file.getvalue(), file.name) if one.page == page_state.kind().name]
    except InputError as error:
        refuse(str(error))
        return
    if not found:
        kind = page_state.kind()
        what = "drawings" if kind.makes == "image" else READS[kind.reads]
        refuse(f"{quoted(file.name)} holds no trace of {what}: it is compared on the page of its own kind.")
        return
    compare_seen(found[0])


def show(best: Trace) -> None:
    """What the popover holds: the second, each part of it to be changed, and other ways to give one."""
    state, kind = page_state.current(), page_state.kind()
    other = second()
    is_file = state.compared is not None and state.compared.source == "file"

    def key_of(name: str) -> str:
        return page_state.output_key(f"compare-{name}")

    with st.container(key="compare-items"):
        st.caption("Beside what is shown, **A**, stands **B**: change what is to be different.")
        if kind.reads == "text":
            _text(state, other, key_of("text"))
        else:
            _named(state, other, key_of("input"))
            kind.give_second(other)
        _given(state, key_of)
        if not is_file:
            _of_the_model(state, other, best, key_of)
        with st.container(horizontal=True, gap="small", key="compare-ends"):
            if state.compared is None:
                st.button(
                    "Two heads of this",
                    key="compare-heads",
                    help="Choose the second\u2019s head in the list that then stands beside the maps",
                    on_click=compare_with,
                    args=(state.query,),
                )
                if (card := page_state.card_of(other.model)) is not None and "ablate" in card.can:
                    st.button("Without the head in view", key="compare-without", help=_AWAY, on_click=_take_away_shown)
            else:
                st.button("Stop comparing", key="compare-stop", on_click=compare_with, args=(None,))


def _text(state: PageState, other: Query, key: str) -> None:
    """The field of the second text, and beside a prompt how many tokens it has."""
    kind = page_state.kind()
    is_text = state.compared is not None and state.compared.source == "text"
    st.session_state[key] = other.input if is_text else ""
    name = kind.text_field[0]
    st.text_input(
        name,
        key=key,
        placeholder=f"Another {name.lower()}; Enter compares",
        max_chars=MOST_CHARACTERS if kind.makes == "image" else None,
        on_change=_take_text,
        args=(key,),
    )
    if kind.makes == "image":
        controls.of_prompt(key, other.model, other.input)


def _named(state: PageState, other: Query, key: str) -> None:
    """The inputs that ship, by what people call them."""
    kind = page_state.kind()
    offered, chosen = kind.seconds(), (other.source, other.input)
    st.session_state[key] = chosen if state.compared is not None and chosen in offered else None
    st.selectbox(
        "Clip" if kind.reads == "audio" else "Scene",
        list(offered),
        index=None,
        format_func=lambda one: offered.get(one, ""),
        placeholder="One that ships",
        key=key,
        on_change=_take_named,
        args=(key,),
    )


def _of_the_model(state: PageState, other: Query, best: Trace, key_of: Callable[[str], str]) -> None:
    """Which model reads the second, with which options, what it is to write, and which of its heads are taken away."""
    kind, model_key = page_state.kind(), key_of("model")
    models = [name for name in page_state.choices(state.query.model) if name != page_state.OTHER]
    st.session_state[model_key] = other.model
    st.selectbox(
        "Model",
        dict.fromkeys([*models, other.model]),
        format_func=page_state.title,
        key=model_key,
        help="One of the list, or type the Hub name or the folder of another",
        accept_new_options=True,
        on_change=_take_model,
        args=(model_key,),
    )
    card = page_state.card_of(other.model)
    if kind.own and card is not None and "write" in card.can:
        target = key_of("target")
        st.session_state[target] = other.output.target
        placeholder = "The model\u2019s own; or one of yours"
        st.text_input("Output", key=target, placeholder=placeholder, on_change=_take_target, args=(target,))
    options = page_state.options_of(other.model)
    for option in options:
        key = key_of(f"option-{option.name}")
        if option.name == controls.SEED:
            controls.choose_seed(option, other, key, _take_option, width="stretch")
        elif controls.is_text(option):
            controls.text_option(option, other, key, _take_option, width="stretch")
        elif option.choices:
            controls.choose_option(option, other, key, _take_option)
    if card is not None and "ablate" in card.can:
        _heads(state, other, best, key_of("without"))
    for option in options:
        if isinstance(option.default, bool):
            controls.choose_option(option, other, key_of(f"option-{option.name}"), _take_option)


def _heads(state: PageState, other: Query, best: Trace, key: str) -> None:
    """Which heads the second is made without, of those that its model has as far as it is known."""
    shown = state.shown
    whose = best if other.model == state.query.model else shown.beside if shown is not None else None
    if whose is None or whose.cross.is_whole_model:
        return
    heads = [head_key(layer, head) for layer in whose.cross.layers for head in range(whose.cross.n_heads)]
    said = [head_key(layer, head) for layer, head in other.without]
    st.session_state[key] = said
    st.multiselect(
        "Heads taken away, as layer.head",
        list(dict.fromkeys([*heads, *said])),
        key=key,
        placeholder="None",
        help=_AWAY,
        on_change=_take_away,
        args=(key,),
    )


def _given(state: PageState, key_of: Callable[[str], str]) -> None:
    """What was seen before on this page, and a file."""
    seen, file = key_of("seen"), key_of(f"file-{hash(state.compared)}")
    from xattn_viz.app import history  # which knows this module

    here = page_state.kind().name
    past = {one.number: one for one in page_state.seen() if one.page == here and one.state.query != state.query}
    if past:
        compared = [number for number, one in past.items() if one.state.query == state.compared]
        st.session_state[seen] = compared[0] if compared else None
        st.selectbox(
            "From the history",
            list(past),
            index=None,
            format_func=lambda number: history.named(past[number]) if number in past else "",
            placeholder="Seen before on this page",
            key=seen,
            on_change=_take_seen,
            args=(seen,),
        )
    st.file_uploader(
        "From a file",
        type=("npz", "zip", *files.OF_OTHERS),
        key=file,
        help="A saved trace or visit, or a file of another program",
        on_change=_take_file,
        args=(file,),
    )


def remark(shown: Shown) -> str:
    """In what the second differs from the first, for the line above their maps."""
    state, said = page_state.current(), list[str]()
    asked, other = state.query, state.compared
    if other is None or shown.beside is None:
        return ""
    names = [page_state.title(trace.model).partition(" · ")[0] for trace in (shown.trace, shown.beside)]
    if names[0] != names[1]:
        said.append(f"A: {names[0]}, B: {names[1]}.")
    if other.source == "file":
        from xattn_viz.app import opened

        said.append(f"B: {opened.title_of(other)}.")
    elif other.model == asked.model:
        ours, theirs = (dict(one.options) for one in (asked, other))
        for option in page_state.options_of(other.model):
            values = [one.get(option.name, option.default) for one in (ours, theirs)]
            if values[0] != values[1]:
                one, two = (runner.written(value) or "none" for value in values)
                said.append(f"{option.title}: A {one}, B {two}.")
    if other.without:
        heads = ", ".join(head_key(*head) for head in other.without)
        said.append(f"B: without {'head' if len(other.without) == 1 else 'heads'} {heads}.")
    if shown.trace.output != shown.beside.output and shown.trace.steps:
        said.append("Words that differ are marked.")
    return visible_text(" ".join(said)) or "Words that differ between A and B are marked."


def mark_both(shown: Shown, marked: str) -> str:
    """What is known to be right of the first, `marked`, and of the second."""
    compared, beside = page_state.current().compared, shown.beside
    if compared is None or beside is None:
        return marked
    other = page_state.kind().mark(Shown(compared.best, (beside,), beside, beside))
    return " ".join(f"{name}: {said}" for name, said in zip(page_state.COMPARED, (marked, other), strict=True) if said)
