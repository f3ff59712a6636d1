"""A visitor gives the model something to hear or to see: the callbacks of clips, scenes, files, easel and sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from xattn_viz.app import asking, kind, pictures, sounds
from xattn_viz.app.address import Request
from xattn_viz.shapes import Scene, Thing, sentence
from xattn_viz.shapes.scene import MOST_THINGS, to_link


@kind.while_here
def take_clip() -> None:
    """A clip was chosen."""
    if st.session_state.clip is not None:
        _ask_for_example(_current().reading(sound=st.session_state.clip))


@kind.while_here
def take_picture() -> None:
    """A scene was chosen from the list."""
    if st.session_state.picture is not None:
        _ask_for_example(_current().reading(picture=st.session_state.picture))


@kind.while_here
def take_file(key: str) -> None:
    """A file was uploaded or recorded in the widget of this key."""
    file = st.session_state[key]
    if file is None:
        return
    if kind.current() == kind.AUDIO:
        asking.ask(_current().reading(sound=sounds.give(file.getvalue(), file.name)))
    else:
        asking.ask(_current().reading(picture=pictures.give(file.getvalue(), file.name)))


@kind.while_here
def take_sentence() -> None:
    """A sentence was typed that describes a scene; what is wrong with it is said beside the field."""
    state = st.session_state
    state.misread = ""
    try:
        scene = sentence.parse(state.sentence)
    except ValueError as error:
        state.misread = str(error) if state.sentence.strip() else ""
        return
    asking.ask(_current().reading(scene=to_link(scene)))


def take_easel(drawn: Any) -> None:
    """A scene was drawn by hand: `things`, as the easel's script tells them, and which `turn` of its changes it is.

    What comes from a browser may be anything; what is no scene of the page changes nothing.
    """
    try:
        things = tuple(_thing(said) for said in drawn["things"])
        turn = int(drawn["turn"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return
    if 0 < len(things) <= MOST_THINGS:
        link = to_link(Scene(things))
        st.session_state.easel_turn = (link, turn)
        asking.ask(_current().reading(scene=link))


def again() -> None:
    """The same is to be traced again, after a stop or a failure."""
    asking.ask(_current())


def _thing(said: Mapping[str, Any]) -> Thing:
    x, y, radius = (round(float(said[name]), 2) for name in ("x", "y", "radius"))
    return Thing(str(said["colour"]), str(said["shape"]), x, y, radius)


def _ask_for_example(wanted: Request) -> None:
    example = asking.example_of(wanted)
    select = asking.example_request(example).select if example else {}
    asking.ask(replace(wanted, select=select), same_head=example is None)


def _current() -> Request:
    request: Request = st.session_state.request
    return request
