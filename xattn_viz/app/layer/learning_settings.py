"""What is trained on the page: the controls of the section, and the settings that they come to."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import streamlit as st

from xattn_viz.lessons.model import Order
from xattn_viz.lessons.tasks import TASKS
from xattn_viz.lessons.training import Setting

_VIEWS = {"one": "One model", "context": "Beside one fixed vector", "orders": "Both orders"}
#: The lengths on which both models of the view "context" are trained.
LENGTHS = (4, 8, 12, 16, 20)
_STEPS_OF_LENGTHS = 1000
#: How the page names both of them.
CROSS, FIXED = "cross-attention", "one fixed vector"


def controls() -> tuple[str, dict[str, Setting]]:
    """What is trained, by the name under which the page shows it."""
    with st.container(horizontal=True, vertical_alignment="top"):
        view = st.segmented_control(
            "Show",
            list(_VIEWS),
            format_func=_VIEWS.__getitem__,
            key="learning-view",
            default="one",
            required=True,
            bind="query-params",
        )
        names = [name for name, task in TASKS.items() if task.grows or view != "context"]
        task = st.segmented_control(
            "Task",
            names,
            format_func=lambda name: TASKS[name].title,
            key="learning-task" if view != "context" else "learning-growing",
            default="reverse",
            required=True,
            bind="query-params",
        )
        order: Order = "usual"
        if view == "one":
            order = st.segmented_control(
                "Cross-attention",
                get_args(Order),
                format_func={"usual": "after self-attention", "swapped": "before it"}.__getitem__,
                key="learning-order",
                default="usual",
                required=True,
                bind="query-params",
            )
        layers = st.segmented_control(
            "Layers", [1, 2], key="learning-layers", default=1, required=True, bind="query-params"
        )
        seed = st.number_input(
            "Seed",
            0,
            9999,
            0,
            key="learning-seed",
            width=130,
            bind="query-params",
        )
    return view, _settings(view, Setting(task, layers=int(layers), order=order, seed=int(seed)))


def _settings(view: str, chosen: Setting) -> dict[str, Setting]:
    """What a view trains, by the name under which the page shows it."""
    if view == "context":
        cross = replace(chosen, lengths=LENGTHS, steps=_STEPS_OF_LENGTHS)
        return {CROSS: cross, FIXED: replace(cross, model="fixed context", layers=1)}
    if view == "orders":
        return {"usual order": chosen, "swapped order": replace(chosen, order="swapped")}
    return {CROSS: chosen}
