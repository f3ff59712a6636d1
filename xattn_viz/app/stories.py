"""The page of stories: views in order with captions, shown as a talk, edited, saved as a file, a link and a page.

A story of one's own grows on the other pages (`add`). What a slide shows comes from what ships or from its model, which
runs when the slide is turned to; until then, and where there is no such model, the slide says so.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz import web
from xattn_viz.app import page_state, runner, slides
from xattn_viz.app.page import literal, shortened
from xattn_viz.app.page_state import PageState, visit
from xattn_viz.app.runner import Job
from xattn_viz.core.records import quoted
from xattn_viz.core.story import LONGEST_CAPTION, LONGEST_TITLE, MOST_BYTES, MOST_SLIDES, Slide, Story
from xattn_viz.core.tokens import visible_text
from xattn_viz.core.view import View
from xattn_viz.examples import stories as shipped
from xattn_viz.export import story as export
from xattn_viz.export.story import Found
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelError

#: The parameters of the address: a story that ships, by its name, or a whole one (`core.story`).
NAME, LINK = "name", "story"
OWN = "own"
_KEY = "stage"
_LOOK_SECONDS = 0.3
_FAULT = "This slide could not be made: the program has a fault. The server\u2019s log says more."
_LOG = logging.getLogger(__name__)
_NOTHING_YET = (
    "A story of your own begins on the other pages: look at something worth showing there and press *Add this view*."
)


@dataclass
class Stage:
    """The stories of a visit: one's `own`, and the `given` one that a file or a link held; `shown` names one of all.

    `found` holds what slides show, `job` is the run that goes on for the slide of this key. `turned` is the slide that
    was waited for last, from 0: what those behind it show is made too. `fault` is what was wrong with what was opened;
    `address` and `file` say what was opened last.
    """

    own: Story = field(default_factory=lambda: Story("My talk"))
    given: Story | None = None
    shown: str = shipped.NAMES[0]
    found: dict[slides.Key, Found] = field(default_factory=dict)
    job: tuple[slides.Key, Job[Found]] | None = None
    turned: int | None = None
    fault: str = ""
    address: str = ""
    file: str = ""

    @property
    def story(self) -> Story:
        """The one that is shown."""
        if self.shown == OWN:
            return self.own
        return shipped.find(self.shown) if self.shown in shipped.NAMES or self.given is None else self.given


def stage() -> Stage:
    """The stories of this visit."""
    found: Stage = visit().chosen.setdefault("stage", Stage())
    return found


def add(state: PageState, view: View) -> str:
    """Put what a page shows behind the last slide of the visit's own story; what to tell the visitor of it."""
    here = stage()
    if state.shown is None:
        return "There is nothing to add yet."
    if page_state.given(filter(None, (state.query, state.compared))):
        return "Only this visit has what you gave it, so no story can hold it."
    query = state.shown.query
    said = query.address()
    if query.source == "text":
        said["text"] = query.input
    if state.segment:
        said["sentence" if query.source == "text" else "window"] = str(state.segment + 1)
    maps, compared = view.maps(state.shown.trace), state.compared if state.shown.beside is not None else None
    if compared is not None:
        said |= runner.compared_address(query, compared)
        said |= {"compare": compared.input} if compared.source == "text" and compared.input != query.input else {}
    is_row = view.query is not None and view.is_head and maps.queries.kind == maps.keys.kind == "text"
    is_row = is_row and state.shown.beside is None  # of two, rows have other numbers
    caption = "In the row of “{row}”, {head} puts {weight} on “{most}”." if is_row else ""
    try:
        slide = Slide(tuple(said.items()), view, caption)
        here.own = replace(here.own, slides=(*here.own.slides, slide))
    except ValueError as error:
        return f"This view cannot be added: {error}"
    return f"Added as slide {len(here.own.slides)}: on the page Stories you say what it shows."


def show() -> None:
    """The choice of stories, the slides of the chosen one, and what can be done with it."""
    here = stage()
    _read_address(here)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        _choose(here)
        with st.popover("Open a file", help="A story that was saved as a file"):
            file = st.file_uploader("A story (.json)", type="json", key="story-file")
        if file is not None:
            _take_file(here, file.file_id, file.getvalue())
        _find_shipped(here)
        _save(here)
    if here.fault:
        st.error(literal(here.fault))
    story = here.story
    if not story.slides:
        st.info(_NOTHING_YET)
    else:
        _show(story)
    if here.shown == OWN:
        _edit(here)
    elif st.button("Change this story", help="As a story of your own; the one that you have is replaced"):
        here.own, here.shown = story, OWN
        _name(here)
        st.rerun()
    runner.settle()


def _read_address(here: Stage) -> None:
    """Open what the address names, once."""
    said = page_state.read_address()
    asked = said.get(LINK, "") or said.get(NAME, "")
    if not asked or asked == here.address:
        return
    here.address, here.fault = asked, ""
    try:
        if LINK in said:
            here.given, here.shown = Story.from_link(said[LINK]), "given"
        else:
            shipped.find(asked)
            here.shown = asked
    except ValueError as error:
        here.fault = str(error)


def _name(here: Stage) -> None:
    """Make the address say which story that ships is shown; another one has a link of its own."""
    here.fault, here.turned = "", None
    here.address = here.shown if here.shown in shipped.NAMES else ""
    page_state.write_address({NAME: here.address} if here.address else {})


def _choose(here: Stage) -> None:
    titles = {name: shipped.find(name).title for name in shipped.NAMES}
    if here.given is not None:
        titles["given"] = f"Opened: {here.given.title or 'a story without a title'}"
    titles[OWN] = f"Your own: {here.own.title} ({len(here.own.slides)})"

    def take() -> None:
        here.shown = st.session_state["story-shown"]
        _name(here)

    st.session_state["story-shown"] = here.shown
    st.selectbox(
        "Story",
        list(titles),
        format_func=lambda name: visible_text(titles.get(name, "")),
        key="story-shown",
        on_change=take,
        label_visibility="collapsed",
        width=360,
    )


def _take_file(here: Stage, identity: str, data: bytes) -> None:
    if identity == here.file:
        return
    here.file, here.fault = identity, ""
    try:
        if len(data) > MOST_BYTES:
            raise ValueError(f"A story takes at most {MOST_BYTES:,} bytes: this file has {len(data):,}.")
        here.given, here.shown = Story.parse(data), "given"
        _name(here)
    except ValueError as error:
        here.fault = str(error)
    st.rerun()


def _save(here: Stage) -> None:
    story = here.story
    if not story.slides:
        return
    st.download_button("Save", story.format, "talk.json", "application/json", on_click="ignore", key="story-json")
    with st.popover("Link", help="A link that holds the whole story"):
        try:
            link = story.to_link()
        except ValueError as error:
            st.caption(literal(str(error)))
        else:
            place = (st.context.url or "").partition("?")[0]
            said = f"{NAME}={here.shown}" if here.shown in shipped.NAMES else f"{LINK}={link}"
            st.code(f"{place}?{said}", language=None, wrap_lines=True)
    missing = [number for number, slide in enumerate(story.slides, 1) if slides.key_of(slide) not in here.found]
    if missing or any(isinstance(here.found[slides.key_of(slide)], str) for slide in story.slides):
        st.button("Page", disabled=True, help="Turn to every slide once: the page holds what they show.")
        return
    make = partial(export.html, story, [here.found[slides.key_of(slide)] for slide in story.slides])
    st.download_button("Page", make, "talk.html", "text/html", on_click="ignore", key="story-html")


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("xattn_viz_story", html='<div class="xv"></div>', css=web.css(), js=web.script())


@st.fragment
def _show(story: Story) -> None:
    """The slides; what ships is there at once, and the script asks for what a model has to make."""
    here = stage()
    asked = (st.session_state.get(_KEY) or {}).get("slide")
    number = asked.get("number") if isinstance(asked, Mapping) else None
    if type(number) is int and 0 < number <= len(story.slides):
        here.turned = number - 1
    if here.turned is not None:
        waiting = (slide for slide in story.slides[here.turned :] if slides.key_of(slide) not in here.found)
        if (slide := next(waiting, None)) is not None:
            _run(here, slide)
    found = [here.found.get(slides.key_of(slide)) for slide in story.slides]
    _component()(data=export.packed(story, found), key=_KEY, on_slide_change=lambda: None)
    if here.job is not None:
        _watch()
    for name in {slide.asked["model"] for slide in story.slides}:
        if not _is_allowed(name):
            st.button(f"Load {literal(name)}", key=f"load-{name}", on_click=_allow, args=(name,))


def _find_shipped(here: Stage) -> None:
    """What no model has to run for is there at once."""
    for slide in here.story.slides:
        key = slides.key_of(slide)
        if key not in here.found and not slides.needs_model(slide):
            here.found[key] = _find(slide)


def _find(slide: Slide) -> Found:
    """What a slide shows, or a sentence: a fault of the program is told in the log."""
    try:
        return slides.find(slide, _load)
    except Exception:  # the slides before and behind it are shown all the same
        _LOG.exception("A slide could not be made.")
        return _FAULT


def _run(here: Stage, slide: Slide) -> None:
    """Begin the run that a slide waits for, unless one goes on: the script asks again."""
    key = slides.key_of(slide)
    if key in here.found or here.job is not None:
        return
    here.job = key, Job(lambda job: _find(slide))


@st.fragment(run_every=_LOOK_SECONDS)
def _watch() -> None:
    here = stage()
    if here.job is None:
        return
    key, job = here.job
    if not job.look():
        st.caption(literal(export.AWAITED))
        return
    outcome, here.job = job.outcome, None
    here.found[key] = _FAULT if isinstance(outcome, Exception) or outcome is None else outcome
    st.rerun()


def _is_allowed(name: str) -> bool:
    return name in visit().agreed or any(card.name == name for card in registry.cards())


def _allow(name: str) -> None:
    page_state.agree(name)
    here = stage()
    here.found = {key: found for key, found in here.found.items() if not isinstance(found, str)}


def _load(name: str) -> Adapter:
    if not _is_allowed(name):
        raise ModelError(f"This slide needs the model {quoted(name)}, which is not on the list: load it below.")
    return registry.load(name)


def _edit(here: Stage) -> None:
    """The visit's own slides, to be renamed, put in another order and taken away."""
    with st.expander("Slides", expanded=True):
        title = st.text_input("Title", here.own.title, max_chars=LONGEST_TITLE, key="story-title")
        if title != here.own.title:
            here.own = replace(here.own, title=title)
            st.rerun()
        for at, slide in enumerate(here.own.slides):
            read = shortened(slide.asked[slide.source])
            st.caption(literal(f"{at + 1}. {slide.view.title.capitalize()}: {read}"))
            with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"slide-{at}"):
                caption = st.text_input(
                    f"Caption of slide {at + 1:d}",
                    slide.caption,
                    max_chars=LONGEST_CAPTION,
                    key=f"caption-{at}-{hash(slide)}",
                    label_visibility="collapsed",
                    placeholder="What this slide shows",
                )
                if caption != slide.caption:
                    _change(here, at, replace(slide, caption=caption))
                    st.rerun()
                last = at == len(here.own.slides) - 1
                for name, by in (("Up", -1), ("Down", 1)):
                    off = at == 0 if by < 0 else last
                    st.button(name, key=f"{name}-{at}", disabled=off, on_click=_move, args=(at, by))
                st.button("Delete", key=f"delete-{at}", on_click=_delete, args=(at,))
        names = ", ".join(f"{{{name}}}" for name in export.NUMBERS)
        st.caption(literal(f"In a caption these are computed from the map on its slide: {names}."))
        st.caption(f"A story has at most {MOST_SLIDES} slides.")


def _change(here: Stage, at: int, slide: Slide) -> None:
    found = list(here.own.slides)
    found[at] = slide
    here.own = replace(here.own, slides=tuple(found))


def _move(at: int, by: int) -> None:
    here = stage()
    found = list(here.own.slides)
    found[at], found[at + by] = found[at + by], found[at]
    here.own = replace(here.own, slides=tuple(found))


def _delete(at: int) -> None:
    here = stage()
    here.own = replace(here.own, slides=tuple(one for place, one in enumerate(here.own.slides) if place != at))
