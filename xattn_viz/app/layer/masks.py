"""Masks on and off: padding that leaks, and a token that changes what stands before it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz import plots
from xattn_viz.app.layer import parts
from xattn_viz.core.view import head_title
from xattn_viz.lessons import masking
from xattn_viz.lessons.masking import Changed, Padded, changed, padded

SENTENCE = "The cat sat on the mat."
_MOST_PADDING = 6
_KINDS = {"padding": "Padding", "causal": "Causal"}
_ATTEMPTS = {
    "padding": "move the padding from 0 to 6 and watch the weight leak, then switch the mask on.",
    "causal": "change a token near the front, with the mask and without it: which outputs move?",
}
_CLAIMS = {
    "padding": "Padding takes weight that belongs to the words, unless a mask gives it exactly 0.",
    "causal": "A causal mask hides what comes later: a change moves no output before it.",
}


@st.fragment
def show() -> None:
    """One of the two kinds of mask, each with its switch."""
    place = st.container()
    columns = st.columns([2, 3, 2, 3, 2], vertical_alignment="bottom")
    kind = columns[0].segmented_control(
        "Mask",
        list(_KINDS),
        format_func=_KINDS.__getitem__,
        key="mask",
        default="padding",
        required=True,
        bind="query-params",
    )
    with place:
        parts.claim(_CLAIMS[kind], _ATTEMPTS[kind])
    text = parts.sentence_input(columns[1], SENTENCE, "masked-text")
    if kind == "padding":
        _show_padding(text, columns)
    else:
        _show_causal(text, columns)


def _show_padding(text: str, columns: Sequence[DeltaGenerator]) -> None:
    """The map with padding behind the sentence, and how much leaks there. The controls stand in `columns` 2 to 4."""
    layer, head = parts.head_input(columns[2], "1.7", "padding-head")
    padding: int = columns[3].slider("Padding positions", 0, _MOST_PADDING, 4, key="padding", bind="query-params")
    masked: bool = columns[4].toggle("Mask", key="padding-mask", bind="query-params")
    shown = parts.run_lesson(padded, text, padding, masked, layer)
    if shown is None:
        return
    left, right = st.columns([3, 2])
    with left:
        _draw_padded(shown, padding, head)
    with right:
        _draw_leaks(text, padding, layer, head)
    moved = f"{shown.moved:.0%}" if shown.moved >= 0.005 else f"{shown.moved:.0e}"  # of rounding alone some 1e-7
    parts.seen(
        "padding",
        {"padding positions": str(padding), "mask": parts.switched(masked), "of": head_title(layer, head)},
        {"weight on padding": f"{shown.leaked[head]:.0%}", "the layer’s output moved by": f"{moved} of its norm"},
    )
    parts.finding(_padding_sentence(shown, padding, masked, layer, head))
    parts.in_a_notebook(masking.padding_snippet(text, padding, masked, layer, head), "padding")


def _draw_padded(shown: Padded, padding: int, head: int) -> None:
    figure = plots.matrix(
        shown.weights[head],
        rows=shown.queries,
        columns=shown.keys,
        row_title="predicted",
        column_title="source",
        dark=parts.is_dark(),
    )
    if padding:
        plots.name_parts(figure, {"words": len(shown.keys) - padding, "padding": padding}, dark=parts.is_dark())
    parts.figure(figure, "padding-map")


def _draw_leaks(text: str, padding: int, layer: int, head: int) -> None:
    counts = list(range(_MOST_PADDING + 1))
    curves = {
        name: (counts, [float(padded(text, count, masked, layer).leaked[head]) for count in counts])
        for name, masked in (("with the mask", True), ("without", False))
    }
    figure = plots.lines(
        curves,
        x="padding positions",
        y="weight on padding, mean of rows",
        mark=padding,
        dark=parts.is_dark(),
        height=420,
    )
    figure.update_yaxes(rangemode="tozero")
    parts.figure(figure, "padding-leak")


def _padding_sentence(shown: Padded, padding: int, masked: bool, layer: int, head: int) -> str:
    place = f"{head_title(layer, head).capitalize()}, of the offline translation model’s decoder"
    on = f"on {padding} padding position{'' if padding == 1 else 's'}"
    if not padding:
        return f"{place}, on the sentence alone: nothing to mask."
    if masked:
        return (
            f"{place} puts exactly {shown.leaked[head]:g} {on}. The output of the layer is that of the sentence alone, "
            f"up to the rounding of float32: it moves by {shown.moved:.0e} of its norm."
        )
    return (
        f"{place} puts {shown.leaked[head]:.0%} of its weight {on}, all heads of the layer {shown.leaked.mean():.0%}. "
        f"The output of the layer moves by {shown.moved:.0%} of its norm."
    )


def _show_causal(text: str, columns: Sequence[DeltaGenerator]) -> None:
    """The map, and how far each output moves when one token changes. The controls stand in `columns` 2 to 4."""
    tokens = parts.run_lesson(masking.tokens, text)
    if tokens is None:
        return
    head: int = columns[2].selectbox("Head", range(1, parts.HEADS + 1), 3, key="causal-head", bind="query-params") - 1
    words = [place for place, token in enumerate(tokens) if token.isalpha()]
    position = words[-1] if words else len(tokens) - 1
    if len(tokens) > 1:
        position = (
            columns[3].slider(
                f"Token that becomes “{masking.REPLACEMENT}”",
                1,
                len(tokens),
                position + 1,
                key="changed-token",
                bind="query-params",
            )
            - 1
        )
    causal: bool = columns[4].toggle("Mask", value=True, key="causal-mask", bind="query-params")
    shown = changed(text, position, causal)
    left, right = st.columns(2)
    with left:
        figure = plots.matrix(
            shown.weights[head],
            rows=shown.before,
            columns=shown.before,
            row_title="query",
            column_title="key",
            dark=parts.is_dark(),
        )
        parts.figure(figure, "causal-map")
    with right:
        figure = plots.bars(
            shown.moved.tolist(),
            labels=shown.after,
            y="output moved, of its norm",
            lit=[position],
            top=None,
            dark=parts.is_dark(),
            height=360,
        )
        parts.figure(figure, "causal-moved")
    parts.seen(
        "causal",
        {"token changed": f"{position + 1} (“{shown.before[position]}”)", "mask": parts.switched(causal)},
        {
            "outputs that moved": f"{int((shown.moved > 0).sum())} of {len(shown.moved)}",
            "of them before the token": str(int((shown.moved[:position] > 0).sum())),
        },
    )
    parts.finding(_change_sentence(shown, position, causal))
    parts.in_a_notebook(masking.causal_snippet(text, position, causal), "causal")


def _change_sentence(shown: Changed, position: int, causal: bool) -> str:
    moved = int((shown.moved > 0).sum())
    before = int((shown.moved[:position] > 0).sum())
    masked = "With the mask" if causal else "Without the mask"
    return (
        f"Token {position + 1}, “{shown.before[position]}”, becomes “{shown.after[position]}”. {masked} {moved} of "
        f"{len(shown.moved)} outputs move, {before} of them before that token. The layer is the first self-attention "
        "of the offline model’s encoder, which was trained without such a mask: the model’s decoder is recurrent and "
        "has no self-attention of its own."
    )
