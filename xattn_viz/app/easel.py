"""A picture of the visitor's own, beside the explorer: the easel, a sentence, a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz import web
from xattn_viz.app import giving, kind, pictures
from xattn_viz.app.address import Request
from xattn_viz.app.page import literal
from xattn_viz.web import easel

_KEY = "easel"
#: What the page takes; `images.read` looks at what is in a file, whatever it is called.
FILES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff")


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_easel", html='<div class="xv"></div>', css=web.css("easel"), js=web.script("easel")
    )


def control() -> None:
    """The switch that opens the panel."""
    state = st.session_state
    state.setdefault("own", state.get("own_open", False))  # widgets forget what they held while another page is shown
    st.toggle("Draw or upload", key="own", on_change=_keep)


@contextmanager
def beside(request: Request) -> Iterator[None]:
    """On the page that reads pictures, the panel at the left of what is drawn inside."""
    if kind.current() != kind.IMAGE:
        yield
        return
    is_open = st.session_state.get("own", False)
    with st.container(horizontal=True, gap="medium" if is_open else None, key="studio"):
        with st.container(key="panel-own", width=248 if is_open else "content"):
            if is_open:
                _panel(request)
        with st.container(key="studio-explorer"):
            yield


def _panel(request: Request) -> None:
    scene, (link, turn) = pictures.scene_of(request), st.session_state.get("easel_turn", ("", 0))
    data = easel.pack(scene, turn if link and link == request.scene else None)
    _component()(data=data, key=_KEY, on_drawn_change=_drawn)
    st.text_input(
        "or say it",
        key="sentence",
        placeholder="a red circle left of a blue star",
        on_change=giving.take_sentence,
    )
    if misread := st.session_state.get("misread"):
        st.error(literal(misread))
    st.file_uploader(
        "Picture file",
        type=FILES,
        key="upload",
        on_change=giving.take_file,
        args=("upload",),
        label_visibility="collapsed",
    )


@kind.while_here
def _drawn() -> None:
    giving.take_easel((st.session_state.get(_KEY) or {}).get("drawn"))


def _keep() -> None:
    st.session_state.own_open = st.session_state.own
