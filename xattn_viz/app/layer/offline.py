"""What the sections that run on the offline translation model share: a sentence, a head, and clear errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.app import failing
from xattn_viz.app.page import literal
from xattn_viz.models import registry
from xattn_viz.models.base import InputError, ModelError
from xattn_viz.models.resources import share_cores

_P = ParamSpec("_P")
_T = TypeVar("_T")

LAYERS, HEADS = 2, 8  # of the model's decoder


def asked(lesson: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
    """What a lesson gives for what the visitor typed, or None with a sentence on the page that says why not."""
    from xattn_viz.lessons.masking import MODEL  # imports torch

    share_cores()
    try:
        with st.spinner("Loading the model …"):
            given = lesson(*args, **kwargs)
        failing.doubt(registry.load(MODEL).fault)
    except (InputError, ModelError) as error:
        st.error(literal(str(error)))
        return None
    return given


def sentence(place: DeltaGenerator, default: str, key: str) -> str:
    """The sentence that the model reads."""
    typed: str = place.text_input("English sentence", default, key=key, bind="query-params")
    return typed


def cross_head(place: DeltaGenerator, default: str, key: str) -> tuple[int, int]:
    """A decoder layer and a head of its cross-attention, both from 0. `default` names them as the page does: "1.7"."""
    options = [f"{layer}.{head}" for layer in range(1, LAYERS + 1) for head in range(1, HEADS + 1)]
    chosen = place.selectbox("Layer and head", options, options.index(default), _in_words, key=key, bind="query-params")
    layer, head = chosen.split(".")
    return int(layer) - 1, int(head) - 1


def _in_words(option: str) -> str:
    return "layer {}, head {}".format(*option.split("."))
