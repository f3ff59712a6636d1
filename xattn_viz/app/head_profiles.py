"""What each head does over many sentences, and how layers differ: a part of the tab *Evidence*."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
from cachetools import LRUCache

from xattn_viz.analysis.head_measures import written
from xattn_viz.analysis.profiles import HeadProfiles, head_profiles, shipped_sentences
from xattn_viz.app.measurement import About, ask, draw_heads, heading
from xattn_viz.app.page import literal
from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import HeadGrid
from xattn_viz.core.view import file_stem, head_key, head_title
from xattn_viz.examples import clips
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, OnStep
from xattn_viz.plots import charts

#: The most sentences that a page reads; `xattn-viz evidence profile` takes files of any length.
MOST = 500
_TYPED = "evidence-typed"
_TALL, _MOST_LINES = 280, 12  # pixels that a list of names takes, where it has more lines
_PROFILED: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
#: Profiles of a model, so that they are there at once for its next trace.
_kept: LRUCache[tuple[str, ...], HeadProfiles] = LRUCache(8)


def panel(about: About, opposite: str | None) -> None:
    """What each head of the kind in view does, by name and number, and what layers say of depth.

    `opposite` is a model of the opposite direction, which makes the links better that heads are held against.
    """
    kind = about.view.kind if about.view.kind in _PROFILED else "cross"
    heading(
        "What does each head do?",
        "Over many sentences, not this one: where the weights of a head lie, how wide it looks, whether it aligns, "
        "what it costs. A name stands only where a number carries it. It says what a head does on such sentences, and "
        "neither why nor that the model needs it.",
    )
    texts = _texts(about)
    if not texts:
        return
    reverse = opposite if kind == "cross" and about.card.input_kind == "text" else None
    said = hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    key = (registry.content(about.card.name), about.card.name, kind, said)

    def work(model: Adapter, on_step: OnStep) -> tuple[HeadProfiles, tuple[HeadGrid, ...]]:
        found = _kept.get(key)
        if found is None:
            inputs: Sequence[Any] = texts
            if model.card.input_kind == "audio":
                inputs = [clips.sound(slug) for slug in texts]
            back = None if reverse is None else registry.load(reverse)
            costs = kind == "cross"
            found = head_profiles(model, inputs, reverse=back, kind=kind, costs=costs, on_step=on_step)
            if found.is_whole:
                _kept[key] = found
        return found, found.grids

    heads = sum(about.trace.of_kind(kind).weights.shape[:2]) if kind == "cross" else 1
    unit = "recordings" if about.card.input_kind == "audio" else "sentences"
    found: HeadProfiles | None = ask(
        about, f"Read {len(texts)} {unit}", ("profiles", kind, said), len(texts) * (heads + 2), work
    )
    if found is not None:
        _show(about, found)


def _texts(about: About) -> tuple[str, ...]:
    """The sentences to read: those typed, or those that come with the package for a model; of a sound, its clips."""
    card = about.card
    if card.input_kind == "audio":
        return tuple(clip.slug for clip in clips.CLIPS if clip.text)
    if card.input_kind != "text":
        st.caption("Profiles are made over texts or recordings; `xattn-viz evidence profile` takes pictures too.")
        return ()
    shipped = shipped_sentences(card)
    with st.expander("Sentences of your own", expanded=not shipped, key="evidence-sentences"):
        typed = st.text_area(
            "One a line",
            value=st.session_state.get(_TYPED, ""),
            key="evidence-profiled",
            placeholder=f"{len(shipped)} sentences come with the package." if shipped else "One sentence a line",
            max_chars=100_000,
        )
    st.session_state[_TYPED] = typed  # what a field holds is gone once the other tab is shown
    lines = [line.strip() for line in typed.splitlines() if line.strip()]
    if len(lines) > MOST:
        st.caption(f"The first {MOST} of {len(lines):,} lines are read; the command line takes files of any length.")
    return tuple(lines[:MOST]) or shipped


def _show(about: About, found: HeadProfiles) -> None:
    """What was found: names, a grid of any measure, and depth."""
    over = f"over {found.n_sentences} {'sentences' if about.card.input_kind == 'text' else 'recordings'}"
    left, right = st.columns([3, 2], gap="large")
    with left:
        count = found.grids[0].values.size
        named = f"{len(found.names)} of {count} heads have a name"
        st.markdown(f"**{literal(named)}**, {literal(over)}. It stands below their maps too.")
        if not found.is_whole:
            st.caption("Stopped: these numbers are of the sentences read until then.")
        if found.problems:
            number, sentence = found.problems[0]
            st.caption(literal(f"{len(found.problems)} were left out. Number {number + 1}: {sentence}"))
        lines = [_named(found, at) for at in sorted(found.names)]
        if lines:
            with st.container(height=_TALL if len(lines) > _MOST_LINES else "content", border=False):
                st.markdown("  \n".join(lines))
        titles = {grid.name: grid.title for grid in found.grids}
        chosen = st.selectbox(
            "Numbers of all heads", list(titles), format_func=lambda name: literal(titles[name]), key="evidence-measure"
        )
        draw_heads(about, found[chosen], f"evidence-profile-{found.kind}")
        st.caption(literal(found[chosen].method))
    with right:
        st.markdown("**Depth**")
        st.markdown(literal(found.depth))
        figure = charts.layer_means(found.layer_means, dark=st.context.theme.type != "light")
        figure.update_layout(paper_bgcolor="rgba(0, 0, 0, 0)", plot_bgcolor="rgba(0, 0, 0, 0)")
        st.plotly_chart(figure, key="evidence-depth", theme=None, config={"displayModeBar": False})
        st.caption("Means over the heads of a layer; bars are 95 % intervals over the texts.")
    _downloads(about, found)


def _named(found: HeadProfiles, at: tuple[int, int]) -> str:
    """A head with its name and the interval of the number that carries it, as Markdown."""
    name = found.names[at]
    low, high = (written(end, found[name.measure].unit).removeprefix("F1 ") for end in name.number[1:])
    ends = "" if np.isnan(name.number.low) else f" ({low} to {high})"
    return f"**{literal(head_title(*at).capitalize())}** {literal(f'{name}{ends}')}"


def _downloads(about: About, found: HeadProfiles) -> None:
    stem = f"{file_stem(about.trace)}_profiles"
    files = {
        "JSON": ("json", lambda: json.dumps(found.to_json(), ensure_ascii=False)),
        "CSV": ("csv", lambda: _csv(found)),
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("Download the numbers:", width="content")
        for name, (ending, make) in files.items():
            st.download_button(name, make, f"{stem}.{ending}", on_click="ignore", key=f"profiles-{name}")


def _csv(found: HeadProfiles) -> str:
    """A row a head, layers and heads from 1."""
    table = found.to_frame()
    names = [head_key(layer, head) for layer, head in zip(table["layer"], table["head"], strict=True)]
    text: str = table.drop(columns=["layer", "head"]).assign(head=names).set_index("head").to_csv()
    return text
