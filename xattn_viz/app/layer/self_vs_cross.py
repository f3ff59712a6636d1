"""Self-attention beside cross-attention on the same words, in the translation model that needs no download."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from xattn_viz import plots
from xattn_viz.app.layer import parts
from xattn_viz.app.page import literal
from xattn_viz.core.tokens import word_spans
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import head_title
from xattn_viz.lessons import self_vs_cross as lesson
from xattn_viz.models import registry
from xattn_viz.models.provenance import Head

_MODEL = "firefox-en-pt"
_MEAN = "mean"
# More words than these would be too narrow to be read.
_MOST_WORDS = 24


@st.fragment
def show() -> None:
    """A sentence and a word of it, what the word reads, and what reads it."""
    parts.claim(
        "Self-attention attends within the sentence; cross-attention attends to it from the translation.",
        "choose the word with two meanings and see what tells them apart; then another layer, and one head of it.",
    )
    columns = st.columns([5, 2, 2], vertical_alignment="bottom")
    with columns[0]:
        text = st.selectbox(
            "Sentence (type your own)",
            list(lesson.EXAMPLES),
            accept_new_options=True,
            key="self_vs_cross_text",
            bind="query-params",
        )
    trace = _traced(text)
    if trace is None:
        return
    n_layers, n_heads = trace.encoder.weights.shape[:2]
    with columns[1]:
        layer = st.slider("Encoder layer", 1, n_layers, 2, key="self_vs_cross_layer", bind="query-params") - 1
    with columns[2]:
        named = st.selectbox(
            "Head", [_MEAN, *(str(i + 1) for i in range(n_heads))], key="self_vs_cross_head", bind="query-params"
        )
    head = None if named == _MEAN else int(named) - 1
    found = lesson.compare(trace, _word(trace), layer, head)
    _say(trace, found, layer, head)
    _say_seen(found, layer, head)
    left, right = st.columns(2)
    for place, key, title, rows, weights, lit in (
        (left, "own", f"Self: encoder, layer {layer + 1}", found.source, found.self_attention, found.word),
        (right, "cross", "Cross: decoder, last layer", found.target, found.cross_attention, found.reader),
    ):
        with place:
            parts.figure(_map(weights, rows, found.source, title, lit), f"self_vs_cross-{key}")
    parts.in_a_notebook(lesson.snippet(text, found.source[found.word], layer, head), "self_vs_cross")


def _say_seen(found: lesson.Comparison, layer: int, head: int | None) -> None:
    own, most = found.strongest_in_self(1)[0]
    parts.seen(
        "self_vs_cross",
        {"sentence": " ".join(found.source), "word": f"“{found.source[found.word]}”", "by": head_title(layer, head)},
        {
            "in its own sentence it attends most to": f"“{own}” ({most:.2f})",
            "the word that attends to it most is": f"“{found.target[found.reader]}”",
            "with a weight of": f"{found.cross_attention[found.reader, found.word]:.2f}",
        },
    )


def _word(trace: Trace) -> str:
    words = lesson.source_words(trace)
    if st.session_state.get("self_vs_cross_word") not in words:
        st.session_state.pop("self_vs_cross_word", None)  # a word of the sentence before
    chosen: str = st.segmented_control(
        "Word",
        words,
        default=lesson.first_choice(trace),
        format_func=literal,
        required=True,
        key="self_vs_cross_word",
        bind="query-params",
        label_visibility="collapsed",
    )
    return chosen


def _say(trace: Trace, found: lesson.Comparison, layer: int, head: int | None) -> None:
    word, reader = found.source[found.word], found.target[found.reader]
    said = (
        f"In “{trace.output}” the word that attends to “{word}” most is “{reader}”: its weights are "
        f"{_listed(found.strongest_in_cross())}. In its own sentence “{word}” attends to "
        f"{_listed(found.strongest_in_self())} ({head_title(layer, head)})."
    )
    off_heads = range(trace.encoder.n_heads) if head is None else [head]
    ablate: tuple[Head, ...] = tuple(("encoder", layer, one) for one in off_heads)
    off = _trace(str(trace.input), ablate).output
    what = f"layer {layer + 1}" if head is None else head_title(layer, head)
    same = "the translation stays the same" if off == trace.output else f"the translation becomes “{off}”"
    parts.finding(f"{said} What was attended to need not decide: with self-attention of {what} switched off, {same}.")


def _listed(weights: list[lesson.Weight]) -> str:
    named = [f"“{word}” {weight:.2f}" for word, weight in weights]
    return f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0]


def _map(weights: NDArray[Any], rows: tuple[str, ...], columns: tuple[str, ...], title: str, lit: int) -> go.Figure:
    height = min(640, 32 * len(rows) + 80)
    drawn = plots.matrix(weights, rows=rows, columns=columns, title=title, dark=parts.is_dark(), height=height)
    drawn.update_layout(margin={"t": 34, "b": 0})
    return plots.light_row(drawn, lit, dark=parts.is_dark())


def _traced(text: str) -> Trace | None:
    """The trace of a text, or a sentence on the page about why there is none."""
    if (count := len(word_spans(text or ""))) > _MOST_WORDS:
        st.error(f"This section shows at most {_MOST_WORDS} words and marks; this sentence has {count}.")
        return None
    return parts.run_lesson(_trace, text or "")


@lru_cache(maxsize=64)
def _trace(text: str, ablate: tuple[Head, ...] = ()) -> Trace:
    return registry.load(_MODEL).trace(text, kinds=("cross", "encoder"), ablate=ablate)
