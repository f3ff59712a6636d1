"""Which segment and which output of what was asked for is shown: the callbacks of the line below the controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from xattn_viz.app import address, asking, kind
from xattn_viz.app.address import Output


def page(step: int) -> None:
    """Another segment of the whole."""
    st.session_state.segment += step
    _choose(Output())


def output_key(name: str) -> str:
    """Under which key a control of the output lives: another one for each output.

    The browser keeps the values of controls in a closed popover, and would send the last one anew.
    """
    state = st.session_state
    return f"{name}-{hash((state.request, state.segment, state.output))}"


@kind.while_here
def take_output(key: str) -> None:
    """Another output of the segment was chosen from the list, which lives under this key."""
    chosen = st.session_state[key]
    # A browser that still holds the list of another sentence sends a name that is on this one no more.
    if isinstance(chosen, Output):
        _choose(replace(chosen, beside=st.session_state.output.beside))


@kind.while_here
def take_target(key: str) -> None:
    """An output was typed in the field of this key, to see how the model reads the source for it."""
    state = st.session_state
    _choose(Output(target=state[key].strip(), beside=state.output.beside))


@kind.while_here
def take_beside() -> None:
    """The output is to stand beside the model's best, or alone."""
    state = st.session_state
    state.output = replace(state.output, beside=state.beside)
    address.write(state.request, state.segment, state.output)


def proceed(prefix: Sequence[int]) -> None:
    """Another token was chosen: the model goes on behind these token ids."""
    _choose(Output(prefix=tuple(prefix)))


def _choose(output: Output) -> None:
    state = st.session_state
    state.output = output
    asking.end_run()
    # What was stopped or failed as a whole stays so while its segments are looked at, until it is asked for again.
    if (stopped := state.get("stopped")) is not None and stopped.segment is not None:
        state.stopped = None
    if (failed := state.get("failed")) is not None and failed.asked.segment is not None:
        state.failed = None
    address.write(state.request, state.segment, output)
