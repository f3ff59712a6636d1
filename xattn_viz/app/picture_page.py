"""The page of captions: a scene, a picture of the visitor's own, and what each word of the caption reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz import web
from xattn_viz.analysis.heads import has_one_part_per_layer, part_names, weight_by_part
from xattn_viz.app import actions, asking, controls, explorer, ground_truth, page_state, pictures
from xattn_viz.app.page import PAGES, literal
from xattn_viz.app.page_state import Kind, Shown
from xattn_viz.app.runner import QUESTION, Query
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.examples import HINTS, QUESTIONS, SCENES
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.shapes import Scene, Thing, sentence
from xattn_viz.shapes.prompts import HINT
from xattn_viz.shapes.scene import MOST_THINGS, to_link
from xattn_viz.shapes.sentence import caption
from xattn_viz.web import easel

_KEY = "easel"
#: What the page takes; `images.read` looks at what is in a file, whatever it is called.
FILES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "pdf")
_CAPTIONS = {example.slug: caption(example.scene).capitalize() for example in SCENES}
_FALLS = (
    "*Falls without*: by how much the log-probability of the word falls when that source is taken away, the picture "
    "for plain paper or the hint for none, while the words before it stay."
)
_SHARES = "*Weight on*: the share of a word’s weight there, mean over all layers and heads."
_APART = (
    "Picture and hint have a softmax each here: a word gives each of them all of its weight, and shares say nothing."
)


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_easel", html='<div class="xv"></div>', css=web.css("easel"), js=web.script("easel")
    )


def two_ways() -> None:
    """The two pages about pictures, which share a place in the header, and the model that answers questions."""
    images, is_here = PAGES / "images.py", page_state.kind() is KIND
    captions, questions = SCENES[0], QUESTIONS[0]
    with st.container(horizontal=True, gap=None, width="content", key="two-ways"):
        if is_here and page_state.asks(page_state.current().query.model):
            st.button("Read a picture", key="read", type="tertiary", on_click=actions.begin_with, args=(captions,))
            st.page_link(images, label="Ask about one")
        else:
            st.page_link(images, label="Read a picture")
            if is_here:
                st.button(
                    "Ask about one", key="asked-of", type="tertiary", on_click=actions.begin_with, args=(questions,)
                )
            else:
                st.page_link(images, label="Ask about one", query_params={"model": questions.model})
        st.page_link(PAGES / "draw.py", label="Draw from a prompt")


def _choice(asked: Query) -> None:
    if page_state.asks(asked.model):
        asking.choice(asked)
        return
    slugs = [example.slug for example in SCENES]
    controls.choose_from("Scenes", slugs, lambda slug: _CAPTIONS.get(slug, ""), "picture", _take_picture, width=115)


def _inputs(asked: Query) -> None:
    for option in filter(controls.is_text, page_state.options_of(asked.model)):
        controls.text_option(option, asked)
        if option.name == HINT:
            controls.of_hint(actions.option_key(option.name), st.session_state[actions.option_key(option.name)])
    if page_state.asks(asked.model):
        asking.questions(asked)
    is_open = page_state.visit().chosen.get("easel", False)
    st.session_state.setdefault("own", is_open)  # widgets forget what they held while another page is shown
    st.toggle("Draw or upload", key="own", on_change=_keep)
    st.button(
        "Ask" if page_state.asks(asked.model) else KIND.action,
        type="primary",
        key="ask",
        on_click=actions.run_again,
    )


@contextmanager
def _beside_easel(asked: Query) -> Iterator[None]:
    """The panel for a picture of one's own at the left of what is drawn inside."""
    is_open = st.session_state.get("own", False)
    with st.container(horizontal=True, gap="medium" if is_open else None, key="studio"):
        with st.container(key="panel-own", width=248 if is_open else "content"):
            if is_open:
                _easel(asked)
        with st.container(key="studio-explorer"):
            yield


def _easel(asked: Query) -> None:
    chosen = page_state.visit().chosen
    scene, (link, turn) = pictures.scene_of(asked), chosen.get("easel_turn", ("", 0))
    is_drawn = link and (asked.source, asked.input) == ("scene", link)
    _component()(data=easel.pack(scene, turn if is_drawn else None), key=_KEY, on_drawn_change=_drawn)
    st.text_input(
        "or say it",
        key="sentence",
        placeholder="a red circle left of a blue star",
        on_change=_take_sentence,
    )
    if misread := chosen.get("misread"):
        st.error(literal(misread))
    st.file_uploader(
        "Picture file",
        type=FILES,
        key="upload",
        on_change=_take_file,
        args=("upload",),
        label_visibility="collapsed",
    )


@page_state.while_here
def _take_picture() -> None:
    """A scene was chosen from the list."""
    if st.session_state.picture is not None:
        actions.take_input("picture", st.session_state.picture)


@page_state.while_here
def _take_file(key: str) -> None:
    """A file was uploaded in the widget of this key."""
    if (file := st.session_state[key]) is not None:
        actions.take_input("picture", pictures.give(file.getvalue(), file.name))


@page_state.while_here
def _take_sentence() -> None:
    """A sentence was typed that describes a scene; what is wrong with it is said beside the field."""
    typed, chosen = st.session_state.sentence, page_state.visit().chosen
    chosen["misread"] = ""
    try:
        scene = sentence.parse(typed)
    except ValueError as error:
        chosen["misread"] = str(error) if typed.strip() else ""
        return
    actions.take_input("scene", to_link(scene))


@page_state.while_here
def _drawn() -> None:
    take_easel((st.session_state.get(_KEY) or {}).get("drawn"))


def take_easel(drawn: Any) -> None:
    """A scene was drawn by hand: `things`, as the easel's script tells them, and which `turn` of its changes it is.

    What comes from a browser may be anything; what is no scene of the page changes nothing.
    """
    if (found := _scene(drawn)) is not None:
        page_state.visit().chosen["easel_turn"] = found
        actions.take_input("scene", found[0])


def _scene(drawn: Any) -> tuple[str, int] | None:
    """The scene that the easel's script tells, as a link has it, and its turn; None for what is none of the page."""
    try:
        things = tuple(_thing(said) for said in drawn["things"])
        turn = int(drawn["turn"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return (to_link(Scene(things)), turn) if 0 < len(things) <= MOST_THINGS else None


def _thing(said: Mapping[str, Any]) -> Thing:
    x, y, radius = (round(float(said[name]), 2) for name in ("x", "y", "radius"))
    return Thing(str(said["colour"]), str(said["shape"]), x, y, radius)


def _give_second(asked: Query) -> None:
    """An easel, a sentence and a place for a file, for a picture to be compared with."""
    key = page_state.output_key("compare-easel")
    scene = pictures.scene_of(asked)
    turns = page_state.visit().chosen.setdefault("second_turn", ("", 0))
    is_drawn = asked.source == "scene" and turns[0] == asked.input
    packed = easel.pack(scene, turns[1] if is_drawn else None)
    with st.container(key="second-easel"):
        _component()(data=packed, key=key, on_drawn_change=lambda: _draw_second(key))
    said, upload = (page_state.output_key(f"compare-{name}-{hash(asked)}") for name in ("scene", "upload"))
    placeholder = "a red circle left of a blue star"
    st.text_input("or say it", key=said, placeholder=placeholder, on_change=_say_second, args=(said,))
    st.file_uploader("Picture file", type=FILES, key=upload, on_change=_take_second, args=(upload,))


@page_state.while_here
def _take_second(key: str) -> None:
    if (file := st.session_state[key]) is not None:
        from xattn_viz.app import comparing  # few compare

        comparing.take("picture", pictures.give(file.getvalue(), file.name))


@page_state.while_here
def _say_second(key: str) -> None:
    from xattn_viz.app import comparing

    try:
        scene = sentence.parse(st.session_state[key])
    except ValueError as error:
        comparing.refuse(str(error))
        return
    comparing.take("scene", to_link(scene))


@page_state.while_here
def _draw_second(key: str) -> None:
    from xattn_viz.app import comparing

    if (drawn := _scene((st.session_state.get(key) or {}).get("drawn"))) is not None:
        link, turn = drawn
        page_state.visit().chosen["second_turn"] = (link, turn)
        comparing.take("scene", link)


def _keep() -> None:
    page_state.visit().chosen["easel"] = st.session_state.own


def what_words_read(shown: Shown) -> None:
    """How much each word reads from each source, where a model reads several: a table."""
    trace = shown.trace
    if not trace.cross.keys.parts or shown.query.source == "file":  # the model behind a file may be any
        return
    opened = st.expander("What each word reads", key="sources", expanded=True, on_change="rerun")
    if not opened.open:
        return
    with opened:
        try:
            model = registry.load(trace.model)
        except ModelError as error:
            st.error(literal(str(error)))
            return
        if "compare" not in model.card.can:
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


def _title(asked: Query) -> str:
    if page_state.asks(asked.model):
        subject = asking.subject_of(asked)
        title = pictures.title(asked.input) if subject is None else subject.title
        return f"{dict(asked.options).get(QUESTION, '')} · {title}"
    scene = pictures.scene_of(asked)
    return caption(scene) if scene else pictures.title(asked.input)


def _answer(asked: Query, best: Trace) -> None:
    if best.steps and best.answers:
        asking.show_answer(best)


def _remark(shown: Shown) -> str:
    name = pictures.title(shown.query.input)
    return f"{name}. {explorer.CAUTION}" if name else ""


KIND = Kind(
    "image",
    reads="image",
    makes="text",
    segment="picture",
    action="Read",
    own="A caption of your own",
    refusal="does not read pictures: this page is for models that do.",
    examples=(*SCENES, *QUESTIONS, *HINTS),
    view=View(layer=None, head="mean"),
    before=two_ways,
    choice=_choice,
    inputs=_inputs,
    input_title=_title,
    mark=ground_truth.mark,
    completed=asking.completed,
    control=_answer,
    remark=_remark,
    seconds=lambda: {("picture", slug): said for slug, said in _CAPTIONS.items()},
    give_second=_give_second,
    names={"scene": pictures.is_scene, "picture": pictures.is_here},
    named=pictures.picture,
    panels=(explorer.chosen_head, ground_truth.panel, asking.panel, explorer.downloads),
    below=(what_words_read, ground_truth.in_a_notebook),
    frame=_beside_easel,
)
