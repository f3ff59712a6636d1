"""How much each word reads from each source, where a model reads several: a table below the map."""

from __future__ import annotations

import streamlit as st

from xattn_viz.analysis.heads import has_one_part_per_layer, part_names, weight_by_part
from xattn_viz.app.page import literal
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError

_FALLS = (
    "*Falls without*: by how much the log-probability of the word falls when that source is taken away, the picture "
    "for plain paper or the hint for none, while the words before it stay."
)
_SHARES = "*Weight on*: the share of a word’s weight there, mean over all layers and heads."
_APART = (
    "Picture and hint have a softmax each here: a word gives each of them all of its weight, and shares say nothing."
)


def panel(trace: Trace) -> None:
    """The table, for a trace of several sources."""
    if not trace.cross.keys.parts:
        return
    shown = st.expander("What each word reads", key="sources", expanded=True, on_change="rerun")
    if not shown.open:
        return
    from xattn_viz.models.families.captioner.hinted.adapter import HintedAdapter  # PyTorch is slow to load

    with shown:
        try:
            model = registry.load(trace.model)
        except ModelError as error:
            st.error(literal(str(error)))
            return
        if not isinstance(model, HintedAdapter):
            return
        falls, cross, names = model.drops(trace), trace.cross, part_names(trace.cross)
        shares = None if has_one_part_per_layer(cross) else weight_by_part(cross).mean((0, 1))  # [query, part]
        rows = [
            {"word": visible(cross.queries.name(row))}
            | ({} if shares is None else {f"weight on the {name}": shares[row, i] for i, name in enumerate(names)})
            | {f"falls without the {name}": round(falls[name][row], 2) + 0.0 for name in names}  # no -0.00
            for row in range(len(cross.queries))
        ]
        largest = max((float(fall.max()) for fall in falls.values()), default=0.0)
        st.dataframe(
            rows,
            hide_index=True,
            column_config={
                column: st.column_config.ProgressColumn(
                    column,
                    format="%.2f",
                    min_value=0.0,
                    max_value=1.0 if column.startswith("weight") else max(largest, 1.0),
                )
                for column in rows[0]
                if column != "word"
            },
        )
        st.caption(f"{_APART if shares is None else _SHARES} {_FALLS}")
