"""What was seen in a visit, as a strip of small maps: each leads back, all are saved as one file or forgotten.

It is drawn once somebody opens it. `page_state` remembers what is on screen, in the server's bounded memory; `opened`
writes and reads the file.
"""

from __future__ import annotations

import io
from weakref import WeakKeyDictionary

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.app import (
    actions,
    comparing,
    drawing_page,
    opened,
    page_state,
    picture_page,
    runner,
    sound_page,
    text_page,
)
from xattn_viz.app.page import PAST, literal, shortened
from xattn_viz.app.page_state import Kind, Seen
from xattn_viz.core import files
from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import visible_text
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.export.shown import ShownMap, shown
from xattn_viz.plots.colours import overlay, table

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (text_page.KIND, sound_page.KIND, picture_page.KIND, drawing_page.KIND)
}
#: The key of the place for a file in the strip.
_FILE = "file"
#: A small map has at most so many rows and columns, each the largest weight of those that it stands for, and its longer
#: side takes about so many pixels.
_MOST_CELLS, _SIDE = 64, 160
_PICTURES: WeakKeyDictionary[Trace, dict[tuple[View, bool], bytes]] = WeakKeyDictionary()


def show() -> None:
    """The strip, the last first, and what can be done with all of it."""
    entries = page_state.seen()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="past-row"):
        if entries:
            oldest_first = entries[::-1]
            st.download_button(
                "Save all",
                lambda: opened.pack(oldest_first),
                "visit.zip",
                "application/zip",
                on_click="ignore",
                key="save-past",
            )
            st.button("Clear", key="clear-past", on_click=_clear)
        st.file_uploader(
            "Open a saved trace or visit",
            type=("npz", "zip", *files.OF_OTHERS),
            key=_FILE,
            on_change=_open,
            label_visibility="collapsed",
        )
    if not entries:
        st.caption("Nothing was traced yet.")
        return
    state, page = page_state.current(), page_state.kind().name
    with st.container(key="strip"):
        for one in entries:
            _card(one, is_on_screen=(one.page, one.state.query) == (page, state.query))


def _card(one: Seen, *, is_on_screen: bool) -> None:
    """One trace: its map, its text, what came out, and by which model; below, it is compared with what is on screen."""
    trace, view = one.shown.trace, one.state.view
    dark = st.context.theme.type != "light"
    kind = KINDS[one.page]
    text, model = visible_text(title(one)), page_state.title(one.state.query.model).partition(" · ")[0]
    head = f"{model}, {view.on(trace).title}"
    with st.container(key=f"seen-{one.number}{'-on-screen' if is_on_screen else ''}"):
        if (picture := small_map(trace, view, dark=dark)) is not None:
            st.image(picture, alt=visible_text(f"Map of {head}: {shortened(text)}"))
        st.button(
            literal(shortened(text) or kind.segment.capitalize()),
            key=f"return-{one.number}",
            type="tertiary",
            on_click=_return,
            args=(one.number,),
        )
        if trace.output and trace.output.casefold() != text.casefold().rstrip(" …"):
            st.markdown(literal(shortened(trace.output)))
        st.caption(literal(f"On screen · {head}" if is_on_screen else head))
        if not is_on_screen and one.page == page_state.kind().name:
            st.button(
                "Compare",
                key=f"compare-{one.number}",
                help="Both beside each other, and their difference",
                on_click=_compare,
                args=(one.number,),
            )


def title(one: Seen) -> str:
    """What people call what was read: a text, a file's name, what a clip says."""
    for store, name, what in one.given:
        if store in ("sounds", "pictures") and name == one.state.query.input:
            return str(what.title)
    if one.state.query.source == "file":
        page_state.give_back(one)
    with page_state.standing_in(KINDS[one.page]):
        return page_state.input_title(one.state.query)


def named(one: Seen) -> str:
    """What was seen, in a line: what was read, and by which model."""
    model = page_state.title(one.state.query.model).partition(" · ")[0]
    return f"{shortened(visible_text(title(one)))} · {model}"


def _return(number: int) -> None:
    st.session_state[PAST] = False
    for one in page_state.seen():
        if one.number == number:
            actions.return_to(one)


def _compare(number: int) -> None:
    st.session_state[PAST] = False
    for one in page_state.seen():
        if one.number == number:
            comparing.compare_seen(one)


def _open() -> None:
    st.session_state[PAST] = False
    actions.open_file(_FILE)


def _clear() -> None:
    page_state.forget()


def go_on_as(name: str) -> None:
    """After a reload: what was seen before it is there again, and on screen what the address names of it."""
    if not page_state.go_on_as(name):
        return
    said, state = page_state.read_address(), page_state.current()
    for one in page_state.seen():
        asked, compared = one.state.query, one.state.compared
        second = {} if compared is None else runner.compared_address(asked, compared)
        if one.page != page_state.kind().name or not (asked.address() | second).items() <= said.items():
            continue
        if asked == state.query:
            if compared in (None, state.compared):
                continue
        elif asked.source not in ("file", "sound", "picture") and "text" in said:
            return
        page_state.give_back(one)
        page_state.put(state.returned(one.state))
        page_state.fill_in()
        return


def small_map(trace: Trace, view: View, *, dark: bool) -> bytes | None:
    """The map of a view as a small PNG in the colours of the page, one pixel or a square a weight.

    Over a picture it shows the picture with the weights of the chosen word on it, or of all words. None where there is
    no such map.
    """
    kept = _PICTURES.setdefault(trace, {})
    if (view, dark) not in kept:
        try:
            kept[view, dark] = _png(_pixels(trace, shown(trace, view.on(trace)), dark))
        except ValueError:
            return None
    return kept[view, dark]


def _pixels(trace: Trace, one: ShownMap, dark: bool) -> NDArray[np.uint8]:
    weights, picture = one.selected.weights, trace.picture
    for axis, row, lines in (
        (one.selected.keys, one.row, weights),
        (one.selected.queries, one.column, weights.T),
    ):
        if picture is not None and axis.grid is not None:
            chosen = lines[row] if row is not None else lines.mean(0)
            return _over(picture, axis, chosen)
    pooled = _pooled(_pooled(weights, 0), 1)
    levels = np.rint(255 * np.clip(pooled / one.selected.top, 0, 1)).astype(int)
    coloured = table(one.view.colours, dark=dark)[levels]
    times = max(1, round(_SIDE / max(coloured.shape[:2])))
    enlarged: NDArray[np.uint8] = coloured.repeat(times, 0).repeat(times, 1)
    return enlarged


def _over(picture: NDArray[np.uint8], axis: Axis, weights: NDArray[np.floating]) -> NDArray[np.uint8]:
    grid = weights[axis.patches].reshape(axis.grid)
    return overlay(picture, grid, float(grid.max(initial=0)), side=_SIDE)


def _pooled(weights: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    count = weights.shape[axis]
    if count <= _MOST_CELLS:
        return weights
    return np.maximum.reduceat(weights, np.arange(_MOST_CELLS) * count // _MOST_CELLS, axis=axis)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
