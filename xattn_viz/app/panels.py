"""What stands around and below the explorer: numbers about the chosen head, downloads, and what weights do not show."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import streamlit as st

from xattn_viz import export
from xattn_viz.analysis import heads
from xattn_viz.app import models, page_state
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import NAMES, Shown
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import Rows, View
from xattn_viz.models import registry

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
    from xattn_viz.plots.heatmap import heatmap  # Plotly is slow to load, here and in the browser: only when opened

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
    playback = kind.playback(shown)

    def html() -> str:
        sound = playback[1]() if playback else None
        return export.html(trace, view, beside=shown.beside, name=NAMES[0], beside_name=NAMES[1], playback=sound)

    made: dict[str, tuple[str, Callable[[], str | bytes]]] = {
        "HTML": ("text/html", html),
        "JSON": ("application/json", lambda: export.json(trace, view)),
        "CSV": ("text/csv", lambda: export.csv(trace, view)),
        "NPZ": ("application/octet-stream", lambda: export.npz(trace)),
        "JSON of all maps": ("application/json", lambda: export.json(trace)),
        "CSV of all heads": ("text/csv", lambda: export.csv(trace, kind=view.kind)),
    }
    if view.maps(trace).weights[0, 0].size > MOST_WRITTEN:
        del made["JSON"], made["CSV"]
    if trace.cross.weights.size > MOST_WRITTEN:
        del made["JSON of all maps"], made["CSV of all heads"]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"Download this {kind.segment}\u2019s maps:", width="content")
        for name, (mime, make) in made.items():
            ending, _, of_all = name.partition(" of ")
            whole = of_all or ending == "NPZ"
            file_name = export.file_name(trace, None if whole else view) + f".{ending.lower()}"
            st.download_button(name, make, file_name, mime, on_click="ignore", key=name)


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
    card = models.card_of(trace.model)
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
