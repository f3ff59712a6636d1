"""The shape of every tensor of one pass, drawn to scale: what is long as the queries and what as the context."""

from __future__ import annotations

import streamlit as st

from xattn_viz import plots
from xattn_viz.app.layer import parts
from xattn_viz.app.page import literal
from xattn_viz.lessons import tensor_shapes

_LONGEST = 12
# On a phone the figure scrolls in its place: this is what a keyboard comes to there.
_HANDLE = '<span tabindex="0" role="group" aria-label="The boxes: arrow keys move them sideways"></span>'


@st.fragment
def show() -> None:
    """Sliders for heads, lengths and widths, and the tensors of that pass."""
    parts.claim(
        "The output is as long and as wide as the queries, whatever the context is.",
        "move the keys: which boxes grow, and does the output? Then the width of the context: what has other numbers?",
    )
    setting = _setting()
    try:
        done = tensor_shapes.forward(setting)
    except ValueError as error:
        st.info(literal(f"{error} It can be split into {_listed(tensor_shapes.heads_of(setting.d_model))}."))
        return
    parts.finding(_sentence(setting, done))
    output, weights = done.tensors["output"], done.tensors["weights"]
    parts.seen(
        "shapes",
        {
            "heads": str(setting.n_heads),
            "queries": str(setting.queries),
            "keys": str(setting.keys),
            "width of the queries": str(setting.d_model),
            "width of the context": str(setting.d_context),
        },
        {
            "output": f"{output['query']} × {output['d_model']}",
            "weights": f"{weights['head']} × {weights['query']} × {weights['key']}",
            "parameters": f"{done.parameters[setting.n_heads]:,}",
        },
    )
    with st.container(key="shapes-place"):
        st.html(_HANDLE)
        parts.figure(plots.boxes(done.rows, dark=parts.is_dark()), "shapes")
    parts.in_a_notebook(tensor_shapes.snippet(setting), "shapes")


def _setting() -> tensor_shapes.Setting:
    default = tensor_shapes.Setting()
    columns = st.columns(5)
    with columns[0]:
        n_heads = st.slider("Heads", 1, 8, default.n_heads, key="shapes_heads", bind="query-params")
    with columns[1]:
        queries = st.slider("Queries", 1, _LONGEST, default.queries, key="shapes_queries", bind="query-params")
    with columns[2]:
        keys = st.slider("Keys (context)", 1, _LONGEST, default.keys, key="shapes_keys", bind="query-params")
    with columns[3]:
        d_model = st.slider("Width of the queries", 8, 64, default.d_model, 8, key="shapes_width", bind="query-params")
    with columns[4]:
        d_context = st.slider(
            "Width of the context", 8, 64, default.d_context, 8, key="shapes_context", bind="query-params"
        )
    return tensor_shapes.Setting(n_heads, queries, keys, d_model, d_context)


def _sentence(setting: tensor_shapes.Setting, done: tensor_shapes.Pass) -> str:
    output = done.tensors["output"]
    counts = {f"{count:,}" for count in done.parameters.values()}
    return (
        f"The output is {output['query']} × {output['d_model']}: {setting.queries} queries of width {setting.d_model}; "
        f"the context is {setting.keys} × {setting.d_context}. The heads split the width, "
        f"{setting.n_heads} × {done.tensors['q']['d_k']} = {setting.d_model}. "
        f"The layer has {' or '.join(counts)} parameters with {_listed(list(done.parameters))}."
    )


def _listed(heads: list[int]) -> str:
    if heads == [1]:
        return "1 head"
    return f"{', '.join(map(str, heads[:-1]))} or {heads[-1]} heads"
