"""What stands around and below the explorer: numbers about the chosen head, downloads, and what weights do not show."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from typing import Any

import streamlit as st
from numpy.typing import NDArray

from xattn_viz import export
from xattn_viz.analysis import heads
from xattn_viz.app import kind, models, timing
from xattn_viz.app.page import literal
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.models import registry

_CAVEAT = (
    "Attention weights show where a head read from. They do not show why the model chose a word: what was read there, "
    "the other heads and the layers around them count as much."
)
#: Of more weights no text is offered: it would have over 50 MB and take seconds to write.
MOST_WRITTEN = 1_000_000
_ONE_HEAD = re.compile(r"(\d+)\.(\d+)")


def chosen_head(maps: AttentionMaps, name: str, heard: NDArray[Any] | None = None) -> None:
    """The panel about the chosen map, filled when it is opened. "2.1" is layer 2, head 1, as in the address.

    `heard` is the input of a trace of sound, to be drawn above its map.
    """
    panel = st.expander("This head in numbers", key="panel", on_change="rerun")
    if not panel.open:
        return
    with panel:
        if match := _ONE_HEAD.fullmatch(name):
            layer, head = (int(part) - 1 for part in match.groups())
            _head(maps, layer, head, heard)
        else:
            st.write("A mean or maximum over heads is chosen. Choose one head to see its entropy and strongest links.")


def _head(maps: AttentionMaps, layer: int, head: int, heard: NDArray[Any] | None) -> None:
    from xattn_viz import plots  # Plotly is slow to load, here and in the browser: only for who opens the panel

    numbers, picture = st.columns([2, 3], gap="large")
    entropy = heads.entropy(maps)[maps.layer_index(layer), head]
    numbers.metric(
        f"Mean entropy of a row, of at most {heads.max_entropy(maps):.2f} bits", f"{entropy.mean():.2f} bits"
    )
    numbers.dataframe(link_rows(maps, layer, head), hide_index=True)
    figure = plots.heatmap(maps, layer, head, dark=st.context.theme.type != "light", sound=heard)
    picture.plotly_chart(figure, key="heatmap")


def link_rows(maps: AttentionMaps, layer: int, head: int) -> list[dict[str, Any]]:
    """The strongest links of a head as rows of a table, their positions from 1: two tokens can say the same."""
    asks = {"latent": "latent", "image": "patch"}.get(maps.queries.kind, "predicting")
    return [
        {
            "row": link.query + 1,
            asks: visible(link.query_label),
            "column": link.key + 1,
            "looked at": visible(link.key_label),
            "weight": round(link.weight, 4),
        }
        for link in heads.strongest_links(maps, layer, head, n=8)
    ]


def below(trace: Trace, sound: str = "", *, told: Container[str | None] = ()) -> None:
    """Downloads, notes about this run, the caveat, and whose model this is.

    `sound` is the name of what was heard, `told` holds notes that are said above the map already.
    """
    for note in trace.provenance.get("notes", ()):
        if note not in told:
            st.caption(literal(note))
    hearing = timing.hearing(trace, sound) if sound else None
    downloads: dict[str, tuple[str, Callable[[], str | bytes]]] = {
        "HTML": ("text/html", lambda: export.html(trace, hearing=hearing() if hearing else None)),
        "NPZ": ("application/octet-stream", lambda: export.npz(trace)),
        "JSON": ("application/json", lambda: export.json(trace)),
        "CSV": ("text/csv", lambda: export.csv(trace)),
    }
    if trace.cross.weights.size > MOST_WRITTEN:
        del downloads["JSON"], downloads["CSV"]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"Download this {kind.current().segment}\u2019s maps:", width="content")
        for name, (mime, make) in downloads.items():
            st.download_button(name, make, f"attention.{name.lower()}", mime, on_click="ignore", key=name)
    st.caption(_CAVEAT)
    _whose(trace)


def _whose(trace: Trace) -> None:
    """Whose model this is, where it ran, and how much memory the loaded models take."""
    said = trace.provenance
    card = models.card_of(str(said.get("model")))
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
