"""Two sources as one sequence of keys or as two layers: who gets how much of the weight."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from xattn_viz import plots
from xattn_viz.app.layer import parts
from xattn_viz.lessons import two_sources as lesson

_LENGTHS = (1, 2, 3, 4, 6, 9, 12, 16, 24, 32, 48, 64)
_LOUDNESS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
_BY = {"length": "More patches", "loudness": "Louder patches"}


@st.fragment
def show() -> None:
    """Sliders for the lengths and the loudness, both maps, and the shares as curves."""
    parts.claim(
        "In one sequence two sources share one unit of weight; two layers give each a whole one.",
        "add patches until the words get next to nothing in one sequence, or make the patches louder: what changes in "
        "two layers?",
    )
    setting, by = _setting()
    found = lesson.shared(setting)
    parts.seen(
        "two_sources",
        {"patches": str(setting.patches), "words": str(setting.words), "loudness": f"{setting.loudness:g}"},
        {
            "in one sequence patches get": f"{found.share[0]:.2f}",
            "and words": f"{found.share[1]:.2f}",
            "in two layers each": " and ".join(f"{share:.2f}" for share in found.shares_apart),
        },
    )
    parts.finding(_sentence(setting, found))
    left, right = st.columns([3, 2])
    with left:
        for key, title, weights in (
            ("together", "One sequence", found.together),
            ("apart", "Two layers", found.apart),
        ):
            parts.figure(_map(setting, title, weights), f"two_sources-{key}")
    with right:
        parts.figure(_curves(setting, by), "two_sources-curves")
    parts.in_a_notebook(lesson.snippet(setting), "two_sources")


def _setting() -> tuple[lesson.Setting, str]:
    default = lesson.Setting()
    columns = st.columns([1, 1, 1, 1.2], vertical_alignment="bottom")
    with columns[0]:
        patches = st.slider(
            "Image patches",
            1,
            lesson.MOST_PATCHES,
            default.patches,
            key="two_sources_patches",
            bind="query-params",
        )
    with columns[1]:
        words = st.slider("Words", 1, len(lesson.WORDS), default.words, key="two_sources_words", bind="query-params")
    with columns[2]:
        loudness = st.select_slider(
            "Loudness of the patches (a factor)", _LOUDNESS, 1.0, key="two_sources_loudness", bind="query-params"
        )
    with columns[3]:
        by = st.segmented_control(
            "Curve over",
            list(_BY),
            format_func=_BY.__getitem__,
            default="length",
            required=True,
            key="two_sources_by",
            bind="query-params",
            label_visibility="collapsed",
        )
    return lesson.Setting(patches, words, loudness), by


def _sentence(setting: lesson.Setting, found: lesson.Shared) -> str:
    return (
        f"In one sequence {_counted(setting.patches, 'patch')} get {found.share[0]:.2f} of the weight and "
        f"{_counted(setting.words, 'word')} {found.share[1]:.2f}; in two layers they get "
        f"{found.shares_apart[0]:.2f} and {found.shares_apart[1]:.2f}. (The vectors are drawn at random, the "
        "projections are the same in both.)"
    )


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 'es' if name.endswith('ch') else 's'}"


def _map(setting: lesson.Setting, title: str, weights: NDArray[Any]) -> go.Figure:
    drawn = plots.matrix(
        weights,
        rows=lesson.QUERIES,
        columns=[*(str(i + 1) for i in range(setting.patches)), *lesson.WORDS[: setting.words]],
        row_title="query",
        column_title=title,
        dark=parts.is_dark(),
        height=245,
    )
    return plots.name_parts(drawn, {"image patches": setting.patches, "words": setting.words}, dark=parts.is_dark())


def _curves(setting: lesson.Setting, by: str) -> go.Figure:
    xs: tuple[float, ...]
    if by == "length":
        xs, found, title = _LENGTHS, lesson.by_length(setting, _LENGTHS), "image patches"
    else:
        xs, found, title = _LOUDNESS, lesson.by_loudness(setting, _LOUDNESS), "loudness of the patches"
    curves = {
        "patches, one sequence": (xs, [one.share[0] for one in found]),
        "words, one sequence": (xs, [one.share[1] for one in found]),
        "each, two layers": (xs, [one.shares_apart[0] for one in found]),
    }
    drawn = plots.lines(
        curves,
        x=title,
        y="share of the weight",
        log_x=True,
        dashed=["each, two layers"],
        dark=parts.is_dark(),
        height=490,
    )
    drawn.update_xaxes(tickvals=[x for x in xs if x in (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)])
    drawn.update_yaxes(range=[0, 1.05])
    now = setting.patches if by == "length" else setting.loudness
    return plots.ring(drawn, now, lesson.shared(setting).share, dark=parts.is_dark())
