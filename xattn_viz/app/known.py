"""Where the scene in a picture is known: is the answer right, do its words find their things, and a script."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from xattn_viz.analysis.localization import share
from xattn_viz.app import kind, models, pictures
from xattn_viz.app.address import Request
from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.examples import SCENES
from xattn_viz.models.families import diffusion
from xattn_viz.models.families.captioner.hinted import GREY, HINT
from xattn_viz.shapes import Scene, prompts, sentence
from xattn_viz.shapes.caption import Coloured, named, ordered
from xattn_viz.shapes.judge import count_right, drawing_verdict, judge, mark_caption
from xattn_viz.shapes.prompts import with_articles
from xattn_viz.shapes.scene import snippet

#: Without a hint only this model writes the captions that scenes have.
_MODEL = SCENES[0].model


def scene_of(request: Request) -> Scene | None:
    """The scene that the page shows, where it is known."""
    return pictures.scene_of(request) if kind.current() == kind.IMAGE else None


def remark(request: Request, best: Trace) -> str:
    """Whether the model wrote the scene's own caption or drew what was asked for, or how many places are right.

    Of a picture of another kind than the model knows, only that it is one.

    Empty where nobody can know.
    """
    if note := best.note("unfamiliar"):
        return note
    if best.picture is not None and best.model == diffusion.OWN:
        return drawing_verdict(_prompt(best), best.picture)
    scene, settings = scene_of(request), best.settings
    if scene is None:
        return ""
    if HINT in settings:
        told = prompts.parse_hint(settings[HINT])
        return mark_caption(best.output, scene, prompts.hinted_caption(scene, told, grey=settings[GREY]))
    if best.model == _MODEL:
        return mark_caption(best.output, scene)
    return _answered(best, scene) if best.answers else ""


def _answered(best: Trace, scene: Scene) -> str:
    found = count_right([answer.text for answer in best.answers], scene)
    inside = f"{found.inside} of the {found.of_inside} where something lies"
    return f"{found.places} of {found.of_places} places are right, {inside}."


def things(request: Request, trace: Trace) -> tuple[Coloured, ...]:
    """The things that a picture is known to show: those of its scene, or those that code finds in a drawing."""
    if trace.picture is not None and trace.model == diffusion.OWN:
        return judge(trace.picture)
    scene = scene_of(request)
    return tuple(ordered(scene)) if scene and trace.steps else ()  # a Perceiver writes no words


def _words(trace: Trace) -> Axis:
    return trace.cross.keys if trace.cross.queries.kind == "image" else trace.cross.queries


def _prompt(trace: Trace) -> str:
    """The prompt as the model learned to read it, without signs that weigh its words."""
    keys = trace.cross.keys
    typed = " ".join(keys.name(i) for i in range(len(keys)) if not keys.is_special[i])
    return " ".join(word.text for word in with_articles(sentence.words(typed)))


def panel(trace: Trace, shown: Sequence[Coloured], view: View) -> None:
    """How much of their weight the words put into the things that they name, by the chosen map."""
    axis = _words(trace)
    words = named([axis.name(i) for i in range(len(axis))], shown)
    is_maximum = view.head == "max"
    opened = st.expander("Do words find their things?", key="finding", on_change="rerun")
    if not opened.open:
        return
    if not words or is_maximum:
        opened.write(
            "No word names a thing here." if not is_maximum else "Choose a head or a mean: a maximum has no shares."
        )
        return
    layer, head = view.layer, None if isinstance(view.head, str) else view.head
    maps = view.maps(trace)
    found = [(row, share(maps, layer, head, row, thing.box)) for row, thing in words]
    weight, area = (sum(getattr(one, name) for _, one in found) / len(found) for name in ("weight", "area"))
    opened.markdown(
        f"Words for colours and shapes put **{weight:.2f}** of their weight on the box of their own thing, which holds "
        f"{area:.2f} of the picture."
    )
    opened.dataframe(
        [
            {
                "word": visible(axis.name(row)),
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
