"""What the examples of questions say is so."""

from __future__ import annotations

import pytest

from xattn_viz.analysis.localization import over_picture
from xattn_viz.examples import QUESTIONS, QuestionExample
from xattn_viz.models import registry
from xattn_viz.shapes import asked
from xattn_viz.shapes.asked import share_by_part


@pytest.mark.parametrize("example", QUESTIONS, ids=lambda example: example.slug)
def test_the_answers_row_looks_at_what_is_asked_about(example: QuestionExample) -> None:
    subject = asked.named(example.slug)
    question = subject.questions[example.question]
    trace = registry.load(example.model).trace(subject.drawing.picture, question=example.question)
    assert trace.answers[0].text == question.answer
    assert trace.steps[example.word].token == question.answer.split()[0]
    axis, weights = over_picture(trace.cross, example.layer, example.head, example.word)
    shares = share_by_part(
        weights[axis.patches].reshape(axis.grid or ()), subject.drawing.owner, len(subject.drawing.parts)
    )
    assert shares[list(question.about)].sum() > 0.75
