"""The 1/√d_k scale on and off: saturation, entropy and gradient as d_k grows, and temperature."""

from __future__ import annotations

import math
from collections.abc import Callable

import streamlit as st

from xattn_viz import plots
from xattn_viz.app.layer import parts
from xattn_viz.lessons import scale
from xattn_viz.lessons.scale import KEYS, WIDTHS, Saturation, row, saturation

_TEMPERATURES = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0)
_WITH, _WITHOUT = "÷ √d_k", "without"
_BARS = 190
_CURVES = 255


@st.fragment
def show() -> None:
    """Three curves over d_k, and below them one row of weights without the scale, with it, and at a temperature."""
    parts.claim(
        "Without 1/√d_k the softmax saturates as d_k grows: one key takes all, and the gradient is gone.",
        f"move d_k from {WIDTHS[0]} to {WIDTHS[-1]} and look at the bars below; then find a τ "
        "that makes the third as sharp as the first.",
    )
    left, right = st.columns(2, gap="large")
    d_k: int = left.select_slider("d_k", WIDTHS, value=64, key="d_k", bind="query-params")
    temperature: float = right.select_slider(
        "Temperature τ of the third row: softmax(q·k ÷ √d_k ÷ τ)",
        _TEMPERATURES,
        value=1.0,
        key="temperature",
        bind="query-params",
    )
    _curves(d_k)
    _rows(d_k, temperature)
    bare, scaled, tempered = saturation(d_k, False), saturation(d_k, True), saturation(d_k, True, temperature)
    parts.seen(
        "scale",
        {"d_k": str(d_k), "τ": f"{temperature:g}"},
        {
            "largest weight without the scale": f"{bare.largest:.2f}",
            "with it": f"{scaled.largest:.2f}",
            "with it and τ": f"{tempered.largest:.2f}",
            "gradient of the median row without it": f"{bare.median_gradient:.2g}",
        },
    )
    parts.finding(_said(d_k, temperature))
    parts.in_a_notebook(scale.snippet(d_k, temperature), "scale")


def _curves(d_k: int) -> None:
    shown: tuple[tuple[str, str, Callable[[Saturation], float]], ...] = (
        ("largest", "largest weight, mean", lambda rows: rows.largest),
        ("entropy", f"entropy in bits, of {math.log2(KEYS):g}", lambda rows: rows.entropy),
        ("gradient", "gradient’s norm, median", lambda rows: rows.median_gradient),
    )
    for column, (key, name, of) in zip(st.columns(3), shown, strict=True):
        log = key == "gradient"
        curves = {
            title: (WIDTHS, [of(saturation(width, scaled)) for width in WIDTHS])
            for title, scaled in ((_WITH, True), (_WITHOUT, False))
        }
        figure = plots.lines(
            curves, x="d_k", y=name, log_x=True, log_y=log, mark=d_k, dark=parts.is_dark(), height=_CURVES
        )
        figure.update_xaxes(tickvals=WIDTHS[::2], ticktext=[str(width) for width in WIDTHS[::2]])
        if log:
            figure.update_yaxes(dtick=1, exponentformat="power")
        else:
            figure.update_yaxes(rangemode="tozero")
        with column:
            parts.figure(figure, f"scale-{key}")


def _rows(d_k: int, temperature: float) -> None:
    rows = {
        "bare": ("softmax(q·k)", row(d_k, False)),
        "scaled": (f"softmax(q·k ÷ √{d_k})", row(d_k, True)),
        "tempered": (f"softmax(q·k ÷ √{d_k} ÷ τ), τ = {temperature:g}", row(d_k, True, temperature)),
    }
    labels = [str(key + 1) for key in range(KEYS)]
    for column, (name, (title, weights)) in zip(st.columns(3), rows.items(), strict=True):
        most = [weights.index(max(weights))]
        figure = plots.bars(weights, labels=labels, title=title, lit=most, dark=parts.is_dark(), height=_BARS)
        figure.update_xaxes(tickvals=[0, 5, 10, 15], ticktext=["key 1", "6", "11", "16"])
        with column:
            parts.figure(figure, f"scale-row-{name}")


def _said(d_k: int, temperature: float) -> str:
    bare, scaled, tempered = saturation(d_k, False), saturation(d_k, True), saturation(d_k, True, temperature)
    return (
        f"At d_k = {d_k} the largest of {KEYS} weights is {bare.largest:.2f} on average without the scale, "
        f"{scaled.largest:.2f} with it; the gradient at the scores is {bare.median_gradient:.2g} and "
        f"{scaled.median_gradient:.2g} in the median row, {bare.gradient:.2g} and {scaled.gradient:.2g} on average. "
        f"1/√d_k is a temperature of √{d_k} = {math.sqrt(d_k):.3g}; with τ = {temperature:g} on top the largest weight "
        f"is {tempered.largest:.2f}. Queries and keys are random, of variance 1: {scale.ROWS} rows."
    )
