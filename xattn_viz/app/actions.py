"""What a visitor can do on a page: the callbacks, which run before the page does. Each makes a new state of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from xattn_viz.app import page_state, runner
from xattn_viz.app.page_state import PageState, Seen, while_here
from xattn_viz.app.runner import Measurement, Output, Query, Source
from xattn_viz.core.maps import MapKind
from xattn_viz.core.view import View

_MOST_BEAMS = 100  # an address names no later one either


def ask(query: Query, view: View | None = None, *, compared: Query | None = None) -> None:
    """Ask this, of its first segment; `view` is what to look at, else what is looked at now, as far as it holds.

    `compared` is what it is compared with, if anything.
    """
    state = page_state.current()
    _end(state)
    query = page_state.kind().completed(query, state.query)
    looked = view or state.view.afresh()
    _put(replace(state.begin(query, looked), outcomes=(), compared=compared))


def complete() -> None:
    """Ask what is asked with what its model, now that it is known, needs besides."""
    state = page_state.current()
    query = page_state.kind().completed(state.query, state.query)
    if query != state.query:
        ask(query, state.view, compared=state.compared)


def go_to(said: Mapping[str, str]) -> None:
    """The visitor went back or forth in the browser's history."""
    state = page_state.current()
    _end(state)
    page_state.put(page_state.said_by(said, state))
    page_state.fill_in()


def look(told: Any) -> None:
    """The explorer's script tells what it shows; what comes from a browser may be anything."""
    state = page_state.current()
    if isinstance(told, Mapping):
        page_state.put(replace(_hear(state, told), view=View.parse(told)))


@while_here
def submit_text() -> None:
    """The text in the field is asked for, of the same model with the same options."""
    state = page_state.current()
    query = replace(anew(state.query), input=st.session_state.text, output=Output())
    ask(query, state.view if query == state.query else None, compared=_following(query))


def run_again() -> None:
    """The same is to be traced again, after a stop or a failure."""
    state = page_state.current()
    ask(state.query.best, state.view, compared=state.compared)


@while_here
def take_example() -> None:
    """An example was chosen."""
    chosen = st.session_state.example
    if chosen is not None:
        example = [one for one in page_state.kind().examples if one.model == page_state.current().query.model][chosen]
        ask(page_state.query_of(example), page_state.view_of(example))
        page_state.fill_in()


@while_here
def take_shelved(slug: str) -> None:
    """An example was chosen from the shelf, by its name; that of another model brings its model."""
    for example in page_state.kind().examples:
        if example.slug == slug:
            ask(page_state.query_of(example), page_state.view_of(example))
            page_state.fill_in()
            return


def take_input(source: Source, name: str) -> None:
    """An input was chosen or given that has a name. One that is an example brings what is worth seeing in it."""
    query = anew(page_state.current().query).reading(source, name)
    example = page_state.example_of(query)
    ask(query, page_state.view_of(example) if example else None, compared=_following(query))


@while_here
def take_whole() -> None:
    """The text is to be traced as one segment, or sentence by sentence again."""
    ask(replace(anew(page_state.current().query.best), whole=st.session_state.whole))


@while_here
def take_option(name: str) -> None:
    """An option of the model was changed; query and address name it where it is not the default."""
    query = with_option(anew(page_state.current().query), name, st.session_state[option_key(name)])
    query = query.best  # the other outputs may not come again
    ask(query, compared=_following(query))


def with_option(query: Query, name: str, value: str | bool | int) -> Query:
    """The same with an option of this value; what is the model's own is left out."""
    defaults = {option.name: option.default for option in page_state.options_of(query.model)}
    chosen = {**dict(query.options), name: value if isinstance(value, bool | str) else str(value)}
    return replace(
        query, options=tuple(sorted((key, value) for key, value in chosen.items() if value != defaults.get(key)))
    )


@while_here
def leave_out(names: Collection[str]) -> None:
    """The same is asked without these options."""
    query = anew(page_state.current().query).best
    query = replace(query, options=tuple(one for one in query.options if one[0] not in names))
    ask(query, compared=_following(query))


def _following(query: Query) -> Query | None:
    """What is compared with what was asked so far, where this is asked in its place."""
    state = page_state.current()
    return None if state.compared is None else runner.following(state.compared, anew(state.query.best), query.best)


@while_here
def choose_option(name: str, value: str) -> None:
    """An option of the model was chosen elsewhere than in the list of options."""
    st.session_state[option_key(name)] = value
    take_option(name)


def option_key(name: str) -> str:
    """Under which key the control of an option lives."""
    return f"option_{name}"


@while_here
def choose_model() -> None:
    """Another model was chosen: go on with what was last asked of it, or with the input that is there."""
    name, present = st.session_state.direction, page_state.current().query.model
    # A control of the page before may still speak: its model is none of this page.
    if name in page_state.choices(present) and name not in (present, page_state.OTHER):
        _turn_to(name)


@while_here
def begin_with(example: page_state.AnyExample) -> None:
    """What an example's model was asked last is shown again; where it was asked nothing yet, the example."""
    wanted = page_state.current().history.get(example.model) or page_state.query_of(example)
    known = page_state.example_of(wanted)
    ask(wanted, page_state.view_of(known) if known else page_state.usual_view(example.model))
    page_state.fill_in()


@while_here
def choose_reader(name: str) -> None:
    """Another model is to read the text that is there."""
    query = anew(page_state.current().query)
    ask(Query(name, query.input, whole=query.whole), page_state.usual_view(name))
    page_state.fill_in()


@while_here
def swap_languages(back: str) -> None:
    """What was written of the text is to be translated back, by this model; of a text not yet read, the text itself."""
    state = page_state.current()
    shown, query = state.shown, state.query
    written = ""
    if shown is not None and shown.query.best == query.best:
        alone = len(shown.traces) == 1
        written = shown.trace.output if alone else " ".join(trace.output for trace in shown.traces)
    ask(Query(back, written.strip() or query.input, whole=query.whole), page_state.usual_view(back))
    page_state.fill_in()


@while_here
def name_model() -> None:
    """The name of a model, or its folder, was typed."""
    if name := page_state.cleaned(st.session_state.other):
        page_state.agree(name)
        _turn_to(name)


def agree(model: str) -> None:
    """The visitor wants this model, which the address names."""
    state = page_state.current()
    page_state.agree(model)
    page_state.put(replace(state, outcomes=()))


def allow_weights(model: str) -> None:
    """The visitor allows `.bin` weights of this model, read as data only."""
    state = page_state.current()
    page_state.allow_weights(model)
    page_state.put(replace(state, outcomes=()))


def stop() -> None:
    """The visitor wants a run to end. What it made so far stays in view."""
    state = page_state.current()
    if state.running is not None:
        page_state.put(state.with_outcome(runner.stopped(state.running)))


@while_here
def take_tab() -> None:
    """The map is to be shown, or what was measured of its heads; either begins with the view of the other."""
    state, tab = page_state.current(), st.session_state.tab
    _put(replace(state, tab=tab, first=state.view, first_choices=state.choices))


@while_here
def choose_head(layer: int, head: int, kind: MapKind = "cross") -> None:
    """A head was chosen among numbers of all heads; both from 0."""
    state = page_state.current()
    _put(replace(state, view=replace(state.view, kind=kind, layer=layer, head=head)))


def measure(measurement: Measurement) -> None:
    """This was asked about the heads of the trace in view, and is being found."""
    state = page_state.current()
    if state.measurement is not None:
        state.measurement.stop()
    page_state.put(replace(state, measurement=measurement))


def stop_measuring() -> None:
    """The visitor wants a measurement to end."""
    measurement = page_state.current().measurement
    if measurement is not None:
        measurement.stop()


@while_here
def turn_segment(step: int) -> None:
    """Another segment of the whole."""
    state = page_state.current()
    _choose(state.query.best, state.segment + step, state.view.afresh())


@while_here
def look_at_row(segment: int, row: int) -> None:
    """A row of the map of a segment was chosen elsewhere than in it; both from 0."""
    state = page_state.current()
    query = state.query if segment == state.segment else state.query.best
    _choose(query, segment, replace(state.view.afresh(), kind="cross", units="pieces", query=row, key=None))


@while_here
def take_output(key: str) -> None:
    """Another output of the segment was chosen from the list, which lives under this key."""
    state, chosen = page_state.current(), st.session_state[key]
    # A browser that still holds the list of another sentence sends a name that is on this one no more.
    if isinstance(chosen, Output):
        _choose(replace(state.query, output=chosen), state.segment, state.view)


@while_here
def take_target(key: str) -> None:
    """An output was typed in the field of this key, to see how the model reads the source for it."""
    state = page_state.current()
    _choose(replace(state.query, output=Output(target=st.session_state[key].strip())), state.segment, state.view)


@while_here
def take_beside() -> None:
    """The output is to stand beside the model's best, or alone."""
    _put(replace(page_state.current(), is_beside=st.session_state.beside))


def continue_with(told: Any) -> None:
    """Another output was chosen in the explorer, and what is selected stays so.

    Behind the ids of a `prefix` the model goes on; a `hypothesis` is one of those that its search kept, by its number
    from 0. What comes from a browser may be anything.
    """
    if not isinstance(told, Mapping):
        return
    state, prefix, number = page_state.current(), told.get("prefix"), told.get("hypothesis")
    output = None
    if isinstance(prefix, list) and prefix and all(type(token) is int for token in prefix):
        output = Output(prefix=tuple(prefix))
    elif type(number) is int and 0 <= number < _MOST_BEAMS:
        output = Output(number, prefix=state.query.output.prefix)
    if output is not None:
        page_state.put(_hear(state, told))
        _choose(replace(state.query, output=output), state.segment, View.parse(told))


def _hear(state: PageState, told: Mapping[Any, Any]) -> PageState:
    """The state that knows of as many choices in the explorer as its script counts."""
    count = told.get("choices")
    return replace(state, choices=count) if type(count) is int and 0 <= count < 2**31 else state


def _choose(query: Query, segment: int, view: View) -> None:
    """Another segment of what was asked, or another output of it."""
    state = page_state.current()
    if state.running is not None and state.running.task.segment is not None:
        _end(state)
    stop_measuring()
    _put(state.begin(query, view, segment, is_beside=state.is_beside and not query.output.is_best))


def _turn_to(name: str) -> None:
    state = page_state.current()
    last, usual = state.history.get(name), page_state.default_queries().get(name)
    wanted = last or usual
    query = anew(state.query.best)
    if query.source != "text":
        # One hears the other model hear the same, and sees it look at the same. Of an example, options are its own.
        mine = wanted is not None and (last is not None or wanted.input == query.input)
        options = wanted.options if wanted is not None and mine else ()
        wanted = replace(query, model=name, options=options)
    elif wanted is None:
        wanted = Query(name, st.session_state.get("text", "") or query.input, whole=query.whole)
    example = page_state.example_of(wanted)
    ask(wanted, page_state.view_of(example) if example else page_state.usual_view(name))
    page_state.fill_in()


def return_to(one: Seen) -> None:
    """Something seen before, on this page or another, is shown again as it was looked at last."""
    page_state.give_back(one)
    here = page_state.visit()
    if one.page != page_state.kind().name:
        here.turn_to = one.page
        before: PageState | None = st.session_state.get(f"{one.page}-page")
        st.session_state[f"{one.page}-page"] = one.state if before is None else before.returned(one.state)
        return
    state = page_state.current()
    _end(state)
    _put(state.returned(one.state))
    page_state.fill_in()


def open_file(key: str) -> None:
    """A file was dropped on the page, or chosen in the widget of this key."""
    file = st.session_state.get(key)
    if file is not None:
        from xattn_viz.app import opened  # which knows this module

        opened.take(file.getvalue(), file.name)


def anew(query: Query) -> Query:
    """A query; instead of one for an opened file, which is never run, that of its model itself."""
    if query.source != "file":
        return query
    from xattn_viz.app import opened

    return opened.asked_anew(query)


def _put(state: PageState) -> None:
    page_state.put(state)
    page_state.write_address(state.address())


def _end(state: PageState) -> None:
    """What goes on is no longer wanted."""
    if state.measurement is not None:
        state.measurement.stop()
    if state.running is not None:
        state.running.run.stop()
