"""Where the scene in a picture is known: is the caption right, do its words find their things, and a script."""

from __future__ import annotations

import re

import streamlit as st

from xattn_viz.analysis.localization import share
from xattn_viz.examples import SCENES
from xattn_viz.models.captioner.hinted import GREY, HINT
from xattn_viz.scenes import Scene, hints
from xattn_viz.scenes.marking import mark
from xattn_viz.scenes.naming import named
from xattn_viz.scenes.script import snippet
from xattn_viz.trace import Trace
from xattn_viz.ui import kind, models, pictures
from xattn_viz.ui.address import Request

#: Without a hint only this model writes the captions that scenes have.
_MODEL = SCENES[0].model
_VIEW = re.compile(r"(?:(\d+)\.)?(\d+|mean)")


def scene_of(request: Request) -> Scene | None:
    """The scene that the page shows, where it is known."""
    return pictures.scene_of(request) if kind.current() == kind.IMAGE else None


def remark(request: Request, best: Trace) -> str:
    """Whether what the model wrote is the scene's own caption; empty where nobody can know."""
    scene, settings = scene_of(request), best.provenance.get("settings", {})
    if scene is None:
        return ""
    if HINT in settings:
        told = hints.said(settings[HINT])
        return mark(best.output, scene, hints.hinted_caption(scene, told, grey=settings[GREY]))
    return mark(best.output, scene) if best.provenance.get("model") == _MODEL else ""


def panel(trace: Trace, scene: Scene, view: str) -> None:
    """How much of their weight the words put into the things that they name, by the chosen map.

    `view` names it as the address does: "2.1" is layer 2, head 1, "2.mean" the mean of a layer, "mean" that of all.
    """
    words = named([trace.cross.queries.name(i) for i in range(len(trace.cross.queries))], scene)
    chosen = _VIEW.fullmatch(view)
    shown = st.expander("Do words find their things?", key="finding", on_change="rerun")
    if not shown.open:
        return
    if not words or not chosen:
        shown.write("No word names a thing here." if chosen else "Choose a head or a mean: a maximum has no shares.")
        return
    layer, head = (int(part) - 1 if part and part.isdigit() else None for part in chosen.groups())
    found = [(row, share(trace.cross, layer, head, row, thing.box)) for row, thing in words]
    weight, area = (sum(getattr(one, name) for _, one in found) / len(found) for name in ("weight", "area"))
    shown.markdown(
        f"Words for colours and shapes put **{weight:.2f}** of their weight on the box of their own thing, which holds "
        f"{area:.2f} of the picture."
    )
    shown.dataframe(
        [
            {
                "word": trace.cross.queries.name(row),
                "of its weight in the box": round(one.weight, 3),
                "of the picture in the box": round(one.area, 3),
                "times as much as by chance": round(one.gain, 1),
                "brightest patch in the box": one.hit,
            }
            for row, one in found
        ],
        hide_index=True,
    )


def in_a_notebook(request: Request) -> None:
    """The scene and its caption as a script, to be copied."""
    scene = scene_of(request)
    if scene is None:
        return
    shown = st.expander("In a notebook", key="notebook-scene", on_change="rerun")
    if shown.open:
        card = models.card_of(request.model)
        declared = {option.name for option in card.options} if card else set[str]()
        options = {name: value for name, value in request.options if name in declared}
        shown.code(snippet(scene, request.model, options), language="python")
