"""Where the scene in a picture is known: is the answer right, attention inside the box of each object, and a script."""

from __future__ import annotations

import streamlit as st

from xattn_viz.analysis.localization import share
from xattn_viz.app import page_state, pictures
from xattn_viz.app.page_state import Shown
from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.shapes import Scene, prompts, sentence
from xattn_viz.shapes.judge import count_right, drawing_verdict, judge, mark_caption
from xattn_viz.shapes.prompts import GREY, HINT, with_articles
from xattn_viz.shapes.scene import snippet
from xattn_viz.shapes.sentence import Coloured, named, ordered


def mark(shown: Shown) -> str:
    """Whether the model wrote the scene's own caption, or how many places are right.

    Of a picture of another kind than the model knows, only that it is one. Empty where nobody can know.
    """
    best = shown.best
    if note := best.note("unfamiliar"):
        return note
    if page_state.asks(best.model):
        from xattn_viz.app import asking  # which knows this module's neighbours

        return asking.mark(shown)
    if not page_state.knows_shapes(best.model):
        return ""
    scene, settings = pictures.scene_of(shown.query), best.settings
    if scene is None:
        return ""
    if best.answers:
        return _answered(best, scene)
    if HINT not in settings:
        return mark_caption(best.output, scene)
    hint = prompts.parse_hint(settings[HINT])
    return mark_caption(best.output, scene, prompts.hinted_caption(scene, hint, grey=settings[GREY]))


def mark_drawing(shown: Shown) -> str:
    """Whether the model drew what was asked for; empty where nobody can know."""
    best = shown.best
    is_known = best.pictures and page_state.knows_shapes(best.model)
    return drawing_verdict(_prompt(best), best.pictures[-1]) if is_known else ""


def _answered(best: Trace, scene: Scene) -> str:
    found = count_right([answer.text for answer in best.answers], scene)
    inside = f"{found.inside} of the {found.of_inside} where something lies"
    return f"{found.places} of {found.of_places} places are right, {inside}."


def _things(shown: Shown) -> tuple[Coloured, ...]:
    """The things that a picture is known to show: those of its scene, or those that code finds in a drawing."""
    trace = shown.trace
    if trace.pictures and page_state.knows_shapes(trace.model):
        return judge(trace.pictures[-1])
    scene = pictures.scene_of(shown.query)
    return tuple(ordered(scene)) if scene and trace.steps else ()  # a Perceiver writes no words


def _words(trace: Trace) -> Axis:
    return trace.cross.keys if trace.cross.queries.kind == "image" else trace.cross.queries


def _prompt(trace: Trace) -> str:
    """The prompt as the model learned to read it, without signs that weigh its words."""
    keys = trace.cross.keys
    typed = " ".join(keys.name(i) for i in range(len(keys)) if not keys.is_special[i])
    return " ".join(word.text for word in with_articles(sentence.words(typed)))


def panel(shown: Shown, view: View) -> None:
    """How much of their weight the words put into the things that they name, by the chosen map of cross-attention."""
    trace, things = shown.trace, _things(shown)
    if page_state.asks(trace.model):
        return  # words of a question are rows of their own kind (`asking.panel`)
    if not things or view.kind != "cross":
        return
    axis = _words(trace)
    words = named([axis.name(i) for i in range(len(axis))], things)
    is_maximum = view.head == "max"
    opened = st.expander("Attention inside the object’s box", key="finding", on_change="rerun")
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


def in_a_notebook(shown: Shown) -> None:
    """The scene and its caption as a script, to be copied."""
    query = shown.query
    if (scene := pictures.scene_of(query)) is None:
        return
    opened = st.expander("In a notebook", key="notebook-scene", on_change="rerun")
    if opened.open:
        card = page_state.card_of(query.model)
        declared = {option.name for option in card.options} if card else set[str]()
        options = {name: value for name, value in query.options if name in declared}
        opened.code(snippet(scene, query.model, options), language="python")
