"""The head of a real model that was chosen on another page, step by step."""

from __future__ import annotations

import streamlit as st

from xattn_viz.app import failing, stepper
from xattn_viz.app.layer import parts
from xattn_viz.lessons.real_head import RealHead
from xattn_viz.web.stepper import pack_head

#: Where the other pages leave what they want to be shown: a `real_head.RealHead`.
KEY = "given_head"
#: What is wrong with the model that the head is of, where something is.
FAULT = "given_head_fault"
_KINDS = {"cross": "cross-attention", "encoder": "encoder self-attention", "decoder": "decoder self-attention"}


def is_there() -> bool:
    """Whether another page asked for a head."""
    return isinstance(st.session_state.get(KEY), RealHead)


def show() -> None:
    """The head, how far the weight computed here is from the captured one, and the way back."""
    head: RealHead = st.session_state[KEY]
    where = f"head {head.head + 1} of layer {head.layer + 1}, {_KINDS[head.kind]}"
    with st.container(horizontal=True, vertical_alignment="center"):
        parts.claim(f"{head.queries[head.row]} → {head.keys[head.column]}: {where}")
        st.button("Back to a layer of your own", on_click=_leave)
    failing.doubt(st.session_state.get(FAULT))
    stepper.show(pack_head(head))
    ours, recorded = head.weight(), float(head.captured[head.row, head.column])
    parts.finding(
        f"Recomputed from q and k, the weight is {ours:.4f}; captured while the model ran, it was {recorded:.4f}: "
        f"{abs(ours - recorded):.1e} apart."
    )


def _leave() -> None:
    st.session_state.pop(KEY, None)
