"""From a weight that was clicked on a map to the same head on the page about the layer, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from xattn_viz.app.layer import steps
from xattn_viz.app.page import PAGES, literal
from xattn_viz.core.trace import Trace
from xattn_viz.lessons.real_head import RealHead, real_head
from xattn_viz.models import provenance
from xattn_viz.models.base import ModelError


def show(trace: Trace, cell: Any) -> None:
    """Turn to that page with the head of a cell, or say why that cannot be had.

    The trace is run again where its queries and keys were not kept.
    """
    try:
        with st.spinner("Computing this head\u2019s queries and keys \u2026"):
            found, fault = of(trace, cell)
    except ModelError as error:
        st.error(literal(str(error)))
        return
    st.session_state[steps.REAL_HEAD], st.session_state[steps.REAL_HEAD_FAULT] = found, fault
    st.switch_page(PAGES / "layer.py", query_params={"section": "steps"})


def of(trace: Trace, cell: Any) -> tuple[RealHead, str | None]:
    """The head of a cell as the explorer's script names it, and what is wrong with its model, where something is.

    `cell` holds `kind`, `layer` (the model's own number), `head`, and the positions, `rows` and `columns`, that are one
    row and one column there; the strongest pair of them is meant. Raises ModelError where there is no such weight, or
    its queries and keys cannot be had.
    """
    try:  # what comes from a browser may be anything
        maps = trace.of_kind(cell["kind"])
        weights = maps.head(int(cell["layer"]), int(cell["head"]))
        rows, columns = np.array(cell["rows"], np.intp), np.array(cell["columns"], np.intp)
        among = weights[np.ix_(rows, columns)]
        row, column = np.unravel_index(among.argmax(), among.shape)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError("There is no such weight in this trace.") from error
    again = provenance.with_projections(trace)
    known = again.of_kind(maps.kind)
    if known.queries.labels != maps.queries.labels:
        raise ModelError("The model was run again for its queries and keys, and wrote something else this time.")
    return real_head(known, cell["layer"], cell["head"], int(rows[row]), int(columns[column])), again.fault
