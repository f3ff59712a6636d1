"""Where the scene in a picture is known: whether the caption is right, and the same in a notebook."""

from __future__ import annotations

import streamlit as st

from xattn_viz.examples import SCENES
from xattn_viz.scenes.marking import mark
from xattn_viz.scenes.script import snippet
from xattn_viz.trace import Trace
from xattn_viz.ui import kind, pictures
from xattn_viz.ui.address import Request

#: Only this model writes the captions that scenes have.
_MODEL = SCENES[0].model


def remark(request: Request, best: Trace) -> str:
    """Whether what the model wrote is the scene's own caption; empty where nobody can know."""
    scene = pictures.scene_of(request) if kind.current() == kind.IMAGE else None
    return mark(best.output, scene) if scene and best.provenance.get("model") == _MODEL else ""


def in_a_notebook(request: Request) -> None:
    """The scene and its caption as a script, to be copied."""
    scene = pictures.scene_of(request) if kind.current() == kind.IMAGE else None
    if scene is None:
        return
    shown = st.expander("In a notebook", key="notebook-scene", on_change="rerun")
    if shown.open:
        shown.code(snippet(scene, request.model), language="python")
