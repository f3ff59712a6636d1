"""Questions about a picture: what can be asked about, which questions are offered, the truth, where words looked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from xattn_viz.analysis.localization import over_picture
from xattn_viz.app import actions, controls, page_state, pictures
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Shown
from xattn_viz.app.runner import Query
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.models.families.captioner import QUESTION
from xattn_viz.shapes import asked as asked_about
from xattn_viz.shapes.asked import Subject

#: So many pictures of each kind are listed, and one that goes on to the next.
LISTED = 3
_NEXT = "next-"
#: What is asked first about a picture of which nothing is known.
_FIRST = "what is in the picture ?"
_RULE = (
    "A word of the question in the row that read it, a word of the answer in the row that chose it. Weights and areas "
    "are shares of the picture; the rest of a row lies on the position that stands for all of it."
)


def subject_of(query: Query) -> Subject | None:
    """What is known of the picture of a query; None where nothing is, or there is too much in it to be asked about."""
    if query.source == "picture" and asked_about.is_name(query.input):
        return asked_about.named(query.input)
    scene = pictures.scene_of(query)
    return asked_about.of_scene(scene) if scene is not None and asked_about.is_askable(scene) else None


def completed(query: Query, before: Query) -> Query:
    """A query with a question where its model needs one: another picture gets one that can be asked about it."""
    if not page_state.asks(query.model):
        return query
    subject, options = subject_of(query), dict(query.options)
    typed = str(options.get(QUESTION, ""))
    is_other = (query.source, query.input) != (before.source, before.input)
    if typed.strip() and not (is_other and subject is not None and typed not in subject.questions):
        return query
    first = _FIRST if subject is None else subject.offered[0].text
    return replace(query, options=tuple(sorted((options | {QUESTION: first}).items())))


def choice(asked: Query) -> None:
    """The list of pictures that can be asked about: a few of each kind, and the next one."""
    names = [f"{kind}-{number}" for kind in asked_about.KINDS for number in range(1, LISTED + 1)]
    others = [f"{_NEXT}{kind}" for kind in asked_about.KINDS]
    controls.choose_from("Pictures", [*names, *others], _title, "picture", _take_picture, width=115)


def _title(name: str) -> str:
    if name.startswith(_NEXT):
        return f"{asked_about.CALLED[name.removeprefix(_NEXT)]}: another one"
    return asked_about.named(name).title


def questions(asked: Query) -> None:
    """The questions that can be asked about a picture of which the truth is known, to choose one from."""
    if (subject := subject_of(asked)) is not None:
        offered = [question.text for question in subject.offered]
        controls.choose_from("Questions", offered, str, "asked", _take_question, width=115)


def said(trace: Trace) -> str:
    """The question of a trace as its model read it; of a model that reads any words, as it was typed."""
    words = (step.token for step in trace.steps[: _given(trace)])
    return " ".join(words) or str(trace.settings.get(QUESTION, ""))


def mark(shown: Shown) -> str:
    """Whether the answer is right; empty where nobody can know."""
    trace, subject = shown.best, subject_of(shown.query)
    question = None if subject is None else subject.questions.get(said(trace))
    if question is None or not trace.answers:
        return ""
    answer = trace.answers[0].text
    is_right = answer.split() == question.answer.split()
    return "The answer is right." if is_right else f"The answer is wrong: it is {question.answer}."


def show_answer(trace: Trace) -> None:
    """The answer with how likely it is."""
    one = trace.answers[0]
    st.markdown(f"**{literal(one.text) or '(nothing)'}** · {one.probability:.0%}", width="content")


def panel(shown: Shown, view: View) -> None:
    """Which part each word of the question and the answer looked at most, by the chosen map of cross-attention."""
    trace, subject = shown.trace, subject_of(shown.query)
    if subject is None or view.kind != "cross" or not trace.answers or not _given(trace):
        return
    opened = st.expander("What each word looked at", key="finding", on_change="rerun")
    if not opened.open:
        return
    if view.head == "max":
        opened.write("Choose a head or a mean: a maximum has no shares.")
        return
    with opened:
        st.dataframe(rows(trace, subject, view), hide_index=True)
        st.caption(_RULE)


def rows(trace: Trace, subject: Subject, view: View) -> list[dict[str, Any]]:
    """The rows of that table, by the layer and the head of a view."""
    maps, owner, count = view.maps(trace), subject.drawing.owner, len(subject.drawing.parts)
    head = None if isinstance(view.head, str) else view.head
    question = subject.questions.get(said(trace))
    found = []
    for word, row, how in _words(trace):
        axis, weights = over_picture(maps, view.layer, head, row)
        shares = asked_about.share_by_part(weights[axis.patches].reshape(axis.grid or (1, 1)), owner, count)
        part = int(shares[:count].argmax())
        about = () if question is None else question.about
        found.append(
            {
                "word": visible(word),
                "row": row + 1,
                "which": how,
                "most of all parts on": visible(subject.name_of(part)),
                "weight": round(float(shares[part]), 2),
                "its area": round(float((owner == part).mean()), 2),
                "on what is asked about": round(float(shares[list(about)].sum()), 2),
                "between the parts": round(float(shares[count]), 2),
            }
        )
    return found


def _words(trace: Trace) -> list[tuple[str, int, str]]:
    """Each word, the row that is its own, and what that row did with it."""
    given, axis = _given(trace), trace.cross.queries
    asked = [(axis.name(place), place + 1, "read it") for place in range(given)]
    written = [(axis.name(row), row, "chose it") for row in range(given, len(axis)) if not axis.is_special[row]]
    return [*asked, *written]


def _given(trace: Trace) -> int:
    """How many tokens of the output are the question, of a model whose every word is a token; 0 for any other."""
    if not page_state.knows_shapes(trace.model):
        return 0
    marks = [place for place, step in enumerate(trace.steps) if step.token == "?"]  # noqa: S105 - no password
    return marks[0] + 1 if marks else 0


@page_state.while_here
def _take_picture() -> None:
    """A picture was chosen from the list, or the next one of a kind."""
    if (chosen := st.session_state.picture) is None:
        return
    if chosen.startswith(_NEXT):
        kind, shown = chosen.removeprefix(_NEXT), page_state.current().query.input
        is_of_kind = asked_about.is_name(shown) and shown.startswith(f"{kind}-")
        chosen = asked_about.next_to(shown if is_of_kind else f"{kind}-{LISTED}")
    actions.take_input("picture", chosen)


@page_state.while_here
def _take_question() -> None:
    """A question was chosen from the list."""
    if st.session_state.asked is not None:
        actions.choose_option(QUESTION, st.session_state.asked)
