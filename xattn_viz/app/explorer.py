"""The explorer on a page, with the panels that follow the view: only this runs again when something else is looked at.

Around and below it stand numbers about the chosen head, downloads, and what weights do not show.
"""

from __future__ import annotations

import importlib.util
import json
import threading
import weakref
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, cast

import streamlit as st
from cachetools import LRUCache
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz import export, web
from xattn_viz.analysis import heads
from xattn_viz.app import actions, page_state
from xattn_viz.app.page import PAGES, literal
from xattn_viz.app.page_state import NAMES, Shown
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import Rows, View
from xattn_viz.models import registry
from xattn_viz.web import explorer
from xattn_viz.web.explorer.sound import Playback

#: Traces are packed for all visitors, as packing a large one takes longer than sending it. They take so many bytes.
PACKED_BYTES = 128_000_000
#: What is heard with a trace: a name for it, and what makes it.
Sound = tuple[str, Callable[[], Playback]]
_KEY = "explorer"
_guard = threading.Lock()


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_explorer", html='<div class="xv"></div>', css=web.css(), js=web.script()
    )


def show(shown: Shown) -> None:
    """Show what is on screen, and the panels that follow the view of it."""
    _show(shown, page_state.current().asked)


@st.fragment
def _show(shown: Shown, asked: tuple[object, ...]) -> None:
    # What the explorer tells and an act on the page may come in one message, and then only this runs for both.
    if page_state.current().asked != asked:
        st.rerun()
    kind = page_state.kind()
    first, playback = page_state.current().first, (kind.playback(shown), kind.other_playback(shown))
    said, identity = draw(shown.trace, first, beside=shown.beside, names=shown.names, playback=playback)
    view = _looked_at(shown.trace)
    for panel in kind.panels:
        panel(shown, view)
    if isinstance(said.opened, Mapping) and said.opened.get("trace") == identity:
        from xattn_viz.app import open_in_layer  # which knows every page, and they know this module

        open_in_layer.show(shown.trace, said.opened)


def _looked_at(trace: Trace) -> View:
    """The view of a trace. Where no row or column of a map between texts is chosen, its first row is."""
    view = page_state.current().view.on(trace)
    maps = view.maps(trace)
    is_text = maps.queries.kind == maps.keys.kind == "text"
    return replace(view, query=0) if is_text and view.query is None and view.key is None else view


def _begun(first: View, trace: Trace) -> View:
    """The first view of a trace; of the answer to a question the row that chose its first word."""
    written = next((row for row, step in enumerate(trace.steps) if not step.forced), None)
    return replace(first, query=written) if trace.answers and first.query is first.key is None else first


def draw(
    trace: Trace,
    first: View,
    *,
    beside: Trace | None = None,
    names: tuple[str, str] = NAMES,
    growing: bool = False,
    playback: tuple[Sound | None, Sound | None] = (None, None),
) -> tuple[Any, str]:
    """Only the explorer: what its script says, and the identity of what it shows, which `first` is the first view of.

    `beside`, by the second of the `names`, and `growing` as in `explorer.pack`.
    """
    # The script asks for a layer by kind and number where the trace is too large to be sent whole.
    asked = (st.session_state.get(_KEY) or {}).get("layer") or {}
    maps = View.parse({"map": asked.get("kind")}).maps(trace)
    layer = asked.get("layer") if asked.get("layer") in maps.layers else None
    state = page_state.current()
    counts = {name: count for name, count in (("turn", state.turn), ("choices", state.first_choices)) if count}
    options = {"select": _begun(first, trace).format() | counts, "layer": layer, "kind": maps.kind, "growing": growing}
    options |= {"unlinked": state.unlinked, "languages": page_state.languages_of(trace)}
    if page_state.unasked(state.query):
        options["is_final"] = True
    packed, identity = pack(trace, beside, {**options, "name": names[0], "beside_name": names[1]}, playback)
    said = _component()(
        data=packed,
        key=_KEY,
        on_selected_change=lambda: _looked(identity),
        on_layer_change=_nothing,
        on_continued_change=lambda: actions.continue_with((st.session_state.get(_KEY) or {}).get("continued")),
        on_opened_change=_nothing,
    )
    return said, identity


def show_small(
    trace: Trace,
    key: str,
    view: View,
    *,
    parts: Sequence[str] = (),
    state: Mapping[str, Any] | None = None,
    beside: tuple[Trace, str, str] | None = None,
) -> None:
    """One of several small explorers on a page, which nothing follows; `parts` and `state` as in `explorer.pack`.

    `beside` is another output, the name of the first and its own.
    """
    small = {"parts": list(parts), "state": dict(state or {})}
    options: dict[str, Any] = {"select": view.format(), "small": small, "languages": page_state.languages_of(trace)}
    other, *names = beside or (None,)
    options |= dict(zip(("name", "beside_name"), names, strict=False))
    _component()(data=pack(trace, other, options)[0], key=key)


def pack(
    trace: Trace,
    beside: Trace | None,
    options: Mapping[str, Any],
    playback: tuple[Sound | None, Sound | None] = (None, None),
) -> tuple[bytes, str]:
    """The payload of a trace and its identity; `options` are the other arguments of `explorer.pack`, as JSON values.

    The very same bytes come back for the very same traces, so that they are not sent again.
    """
    whose = tuple(map(weakref.ref, (trace,) if beside is None else (trace, beside)))
    key = (whose, json.dumps(options, sort_keys=True), *(one and one[0] for one in playback))
    with _guard:
        if (kept := _packed.get(key)) is not None:
            return kept
    sound, other = (one[1]() if one else None for one in playback)
    packed = explorer.pack(trace, beside=beside, playback=sound, beside_playback=other, **options)
    made = packed, explorer.identity(trace)
    with _guard:
        _packed[key] = made
    return made


def _size(packed: tuple[bytes, str]) -> int:
    return min(len(packed[0]), PACKED_BYTES)  # one that is larger than all is kept alone


_packed: LRUCache[Any, tuple[bytes, str]] = LRUCache(PACKED_BYTES, _size)


def _looked(identity: str) -> None:
    """Something else is looked at; what the script said of a trace that is shown no more does not count."""
    told = (st.session_state.get(_KEY) or {}).get("selected")
    if isinstance(told, Mapping) and told.get("trace") == identity:
        actions.look(told)


def _nothing() -> None:
    """The fragment runs again by itself; there is nothing else to do."""


#: What every map needs said, where there is room for a line.
CAUTION = "Attention weights show where a head read from. They do not show why the model chose a word."
_CAVEAT = (
    "Attention weights show where a head read from. They do not show why the model chose a word: what was read there, "
    "the other heads and the layers around them count as much."
)
#: Of more weights no text is offered: it would have over 50 MB and take seconds to write.
MOST_WRITTEN = 1_000_000


def chosen_head(shown: Shown, view: View) -> None:
    """The panel about the chosen map, filled when it is opened; the sound of a trace of sound is drawn above it."""
    panel = st.expander("This head in numbers", key="panel", on_change="rerun")
    if not panel.open:
        return
    with panel:
        if view.is_head:
            _head(shown.trace, view)
        else:
            st.write("A mean or maximum over heads is chosen. Choose one head to see its entropy and strongest links.")


def _head(trace: Trace, view: View) -> None:
    from xattn_viz.plots import heatmap  # Plotly is slow to load, here and in the browser: only when opened

    maps, layer, head = view.shown(trace), view.layer or 0, int(view.head)
    numbers, picture = st.columns([2, 3], gap="large")
    entropy = heads.entropy(maps)[maps.layer_index(layer), head]
    numbers.markdown(f"**{view.title.capitalize()}**")
    numbers.metric(
        f"Mean entropy of a row, of at most {heads.max_entropy(maps):.2f} bits", f"{entropy.mean():.2f} bits"
    )
    numbers.dataframe(link_rows(maps, layer, head, view.rows), hide_index=True)
    is_heard = not isinstance(trace.input, str) and maps.keys.kind == "audio" and maps.kind == "cross"
    figure = heatmap(
        maps,
        layer,
        head,
        rows=view.rows,
        scale="common" if view.scale == "common" else "head",
        colour_map=view.colours,
        dark=st.context.theme.type != "light",
        sound=trace.input if is_heard else None,
    )
    picture.plotly_chart(figure, key="heatmap")


def link_rows(maps: AttentionMaps, layer: int, head: int, rows: Rows = "predicted") -> list[dict[str, Any]]:
    """The strongest links of a head as rows of a table, their positions from 1: two tokens can say the same."""
    is_read = rows == "input" and maps.read is not None
    asks = {"latent": "latent", "image": "patch"}.get(maps.queries.kind, "having read" if is_read else "predicting")
    return [
        {
            "row": link.query + 1,
            asks: visible(link.query_label),
            "column": link.key + 1,
            "looked at": visible(link.key_label),
            "weight": round(link.weight, 4),
        }
        for link in heads.strongest_links(maps.by_input_token() if is_read else maps, layer, head, n=8)
    ]


def downloads(shown: Shown, view: View) -> None:
    """What is on screen as files: the explorer with it, the map as JSON and CSV; and the whole trace too."""
    trace, kind = shown.trace, page_state.kind()
    playback, other_playback = kind.playback(shown), kind.other_playback(shown)

    def html() -> str:
        sound, other = (one[1]() if one else None for one in (playback, other_playback))
        name, beside_name = shown.names
        said: dict[str, Any] = {"name": name, "beside_name": beside_name, "languages": page_state.languages_of(trace)}
        return export.html(trace, view, beside=shown.beside, playback=sound, beside_playback=other, **said)

    # Rows of two traces beside each other have other numbers than those of one.
    alone = view if shown.beside is None else view.afresh()
    made: dict[str, tuple[str, Callable[[], str | bytes]]] = {
        "HTML": ("text/html", html),
        "JSON": ("application/json", lambda: export.json(trace, alone)),
        "CSV": ("text/csv", lambda: export.csv(trace, alone)),
        "NPZ": ("application/octet-stream", lambda: export.npz(trace)),
        "JSON of all maps": ("application/json", lambda: export.json(trace)),
        "CSV of all heads": ("text/csv", lambda: export.csv(trace, kind=view.kind)),
    }
    if shown.beside is not None:
        made |= _compared(trace, shown.beside, shown.names, view)
    if view.maps(trace).weights[0, 0].size > MOST_WRITTEN:
        del made["JSON"], made["CSV"]
    if trace.cross.weights.size > MOST_WRITTEN:
        del made["JSON of all maps"], made["CSV of all heads"]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"Download this {kind.segment}\u2019s maps:", width="content")
        for name, (mime, make) in made.items():
            ending, _, of_all = name.partition(" of ")
            whole = of_all or ending == "NPZ"
            stem = export.file_name(trace, None if whole else view) + ("_difference" if of_all == "both" else "")
            file_name = f"{stem}.{ending.lower()}"
            st.download_button(name, make, file_name, mime, on_click="ignore", key=name)
        _figure(trace, view)
        _moving(trace, view)
        st.button("Add this view", on_click=_add, args=(view,), help="To your story, which the page Stories shows")
        st.page_link(PAGES / "stories.py", label="Stories")
        if told := st.session_state.pop("story-told", ""):
            st.markdown(literal(told), width="content")


def _compared(
    trace: Trace, beside: Trace, names: tuple[str, str], view: View
) -> dict[str, tuple[str, Callable[[], str | bytes]]]:
    """The files of two traces that stand beside each other: their difference, and the numbers of both."""

    def found() -> Any:
        from xattn_viz.analysis.compare import compare  # nobody who compares nothing waits for it

        other = View.parse({"head": view.other}, view) if view.other else view
        kind = view.maps(trace).kind
        units: Any = "words" if view.units == "sentences" else view.units
        plain = View(kind=kind, units=units, rows=view.rows, special=view.special)
        views = [
            replace(plain, layer=one.layer, head=one.head).on(whose) for one, whose in ((view, trace), (other, beside))
        ]
        return compare(trace, beside, (views[0], views[1]), names=names)

    return {
        "SVG of both": ("image/svg+xml", lambda: export.svg(found())),
        "JSON of both": ("application/json", lambda: export.json(found())),
        "CSV of both": ("text/csv", lambda: export.csv(found())),
    }


def _add(view: View) -> None:
    from xattn_viz.app import stories  # nobody who only looks waits for it

    st.session_state["story-told"] = stories.add(page_state.current(), view)


#: Of a figure: what it may show, how wide it may be, and what it may be written as.
_DRAWN = {
    "map": "Map",
    "heads": "Heads of a layer",
    "grid": "All heads",
    "alignment": "Linked words",
    "alignment-matrix": "Links as a matrix",
    "sound": "Sound",
    "picture": "Picture",
    "evidence": "Numbers of heads",
}
_WIDTHS = {"8.5 cm": "column", "17.5 cm": "page"}
_PAPERS = {"PDF": "application/pdf", "PNG": "image/png", "SVG": "image/svg+xml", "TikZ": "application/x-tex"}


def _figure(trace: Trace, view: View) -> None:
    """What is on screen as a figure for a paper, with its caption; drawn once somebody opens it."""
    with (opened := st.popover("Figure", key="figure", on_change="rerun")):
        maps = view.maps(trace)
        is_there = {
            "map": maps.weights[0, 0].size <= MOST_WRITTEN,
            "heads": not maps.is_whole_model,
            "grid": not maps.is_whole_model and maps.weights.size <= MOST_WRITTEN,
            "alignment": trace.alignment is not None,
            "alignment-matrix": trace.alignment is not None,
            "sound": maps.keys.is_timed and not isinstance(trace.input, str),
            "picture": trace.picture is not None and any(axis.grid for axis in (maps.keys, maps.queries)),
            "evidence": any(grid.kind == view.kind for grid in trace.evidence),
        }
        offered = [name for name in _DRAWN if is_there[name]]
        if not offered:
            st.caption("This map is too large for a figure.")
            return
        what = st.selectbox("What", offered, format_func=_DRAWN.__getitem__, key="figure-what")
        width = st.segmented_control("Width", list(_WIDTHS), required=True, default="8.5 cm", key="figure-width")
        has_paper = importlib.util.find_spec("typst") is not None
        there = [one for one in _PAPERS if has_paper or one in ("SVG", "TikZ")]
        if what in ("sound", "picture"):
            there.remove("TikZ")  # which keeps pictures in files of their own
        file = st.segmented_control("File", there, required=True, default=there[0], key="figure-file")
        if not has_paper:
            st.caption(literal('PDF and PNG need a library: pip install "xattn-viz[paper]".'))
        if not opened.open:
            return
        from xattn_viz.export import figures  # seldom asked for

        try:
            made = figures.draw(trace, view, cast(figures.What, what), width=_WIDTHS[width])
        except ValueError as error:
            st.error(literal(str(error)))
            return
        write: dict[str, Callable[[], str | bytes]] = {
            "PDF": made.pdf,
            "PNG": lambda: made.png(600),
            "SVG": made.svg,
            "TikZ": lambda: made.tikz()[0],
        }
        name = export.file_name(trace, view if what in ("map", "sound", "picture") else None)
        ending = "tex" if file == "TikZ" else file.lower()
        st.download_button(
            "Download", write[file], f"{name}_{what}.{ending}", _PAPERS[file], on_click="ignore", key="figure-download"
        )
        st.code(made.caption, language=None, wrap_lines=True)


#: Of a moving picture: what may move, how large it may be, and what it may be written as.
_MOVES = {"steps": "Step by step", "heads": "Head by head", "denoising": "As it forms"}
_SIZES = {"800 × 450": (800, 450), "1280 × 720": (1280, 720), "1920 × 1080": (1920, 1080)}
_FILMS = {"GIF": "image/gif", "WebM": "video/webm", "MP4": "video/mp4", "SVG": "image/svg+xml"}
_MOST_STEPS = 200  # of more a film would take minutes to write
_NEEDS = {"GIF": ("resvg_py",), "WebM": ("resvg_py", "av"), "MP4": ("resvg_py", "av"), "SVG": ()}


def _moving(trace: Trace, view: View) -> None:
    """What is on screen as a moving picture, for a slide or a page."""
    maps = view.maps(trace)
    is_there = {
        "steps": maps.queries.kind != "image" and len(maps.queries) <= _MOST_STEPS,
        "heads": not maps.is_whole_model,
        "denoising": len(trace.pictures) > 1,
    }
    offered = [name for name in _MOVES if is_there[name]]
    if not offered:
        return
    with st.popover("Moving picture", key="moving"):
        first = offered[-1] if offered[-1] == "denoising" else offered[0]
        what = st.segmented_control(
            "What moves", offered, format_func=_MOVES.__getitem__, required=True, default=first, key="moving-what"
        )
        size = st.segmented_control("Pixels", list(_SIZES), required=True, default="1280 × 720", key="moving-size")
        there = [one for one, needed in _NEEDS.items() if all(map(importlib.util.find_spec, needed))]
        film = st.segmented_control("File", there, required=True, default=there[0], key="moving-file")
        if len(there) < len(_NEEDS):
            st.caption(literal('Other files need libraries: pip install "xattn-viz[moving,speech]".'))
        seconds = st.slider("Seconds a frame", 0.2, 3.0, 1.0, 0.1, key="moving-seconds")
        dark = st.context.theme.type != "light"

        def make() -> bytes:
            from xattn_viz.export import moving  # seldom asked for

            made = moving.animate(trace, view, cast(moving.What, what), size=_SIZES[size], seconds=seconds, dark=dark)
            return made.to_bytes(f".{film.lower()}")

        name = f"{export.file_name(trace, None if what == 'heads' else view)}_{what}.{film.lower()}"
        st.download_button("Download", make, name, _FILMS[film], on_click="ignore", key="moving-download")


def below(shown: Shown, *, told: Container[str | None] = ()) -> None:
    """Notes about this run, the caveat, and whose model this is; `told` are notes that are said already."""
    for note in shown.trace.remarks:
        if note not in told:
            st.caption(literal(note))
    st.caption(_CAVEAT)
    _whose(shown.trace)


def _whose(trace: Trace) -> None:
    """Whose model this is, where it ran, and how much memory the loaded models take."""
    said = trace.provenance
    card = page_state.card_of(trace.model)
    parts = [f"Model: {card.credit} ({card.licence})."] if card else []
    if "device" in said:
        parts.append(f"Ran on {said['device']} in {said['dtype']}.")
    loaded = registry.loaded()
    used, limit = sum(size for _, size in loaded) / 1e9, registry.memory_limit() / 1e9
    if used:
        count = "1 model" if len(loaded) == 1 else f"{len(loaded)} models"
        parts.append(f"In memory: {count}, {used:.2f} of at most {limit:.1f} GB.")
    if parts:
        st.caption(literal(" ".join(parts)))
