from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

from xattn_viz.shapes import COLOURS, SHAPES, judge
from xattn_viz.shapes.charts import MARKS, Chart, Drawing, draw_chart, random_chart
from xattn_viz.shapes.judge import Found
from xattn_viz.shapes.questions import (
    CHART_QUESTIONS,
    NOTHING,
    SCENE_KINDS,
    WORDS,
    Question,
    ask,
    draw_things,
    random_things,
)


def _names(text: str, found: tuple[Found, ...]) -> list[Found]:
    """The things that words name: an answer is read back from the picture by the judge, not from the scene."""
    words = text.split()
    colour = next((word for word in words if word in COLOURS), None)
    shape = next((word for word in words if word in SHAPES or word.removesuffix("es") in SHAPES), None)
    shape = shape or next((word[:-1] for word in words if word[:-1] in SHAPES), None)
    shape = shape if shape is None or shape in SHAPES else shape.removesuffix("es")
    return [one for one in found if colour in (None, one.colour) and shape in (None, one.shape)]


def _lies(one: Found, relation: str, other: Found) -> bool:
    across, down = one.x - other.x, one.y - other.y
    way = {"left of": -across, "right of": across, "above": -down, "below": down}
    return way[relation] == max(way.values())


def _scene_answer(question: Question, found: tuple[Found, ...]) -> str:
    text = question.text.removesuffix(" ?")
    if question.kind in ("colour", "shape"):
        (one,) = _names(text, found)
        return one.colour if question.kind == "colour" else one.shape
    if question.kind in ("count", "count alike"):
        return str(len(_names(text, found)))
    if question.kind == "exists":
        return "yes" if _names(text, found) else "no"
    relation = next(name for name in ("left of", "right of", "above", "below") if name in text)
    before, after = text.split(relation)
    (other,) = _names(after, found)
    if question.kind == "relation":
        (one,) = _names(before, found)
        return "yes" if _lies(one, relation, other) else "no"
    there = [one for one in found if one is not other and _lies(one, relation, other)]
    assert len(there) <= 1
    return f"{there[0].colour} {there[0].shape}" if there else NOTHING


def test_answers_about_scenes_are_what_the_judge_reads_in_the_picture() -> None:
    chance, kinds, nothing = np.random.default_rng(5), Counter[str](), 0
    for _ in range(120):
        scene = random_things(chance)
        drawing = draw_things(scene)
        found = judge(drawing.picture)
        if sorted((one.colour, one.shape) for one in found) != sorted((one.colour, one.shape) for one in scene.things):
            continue  # the judge takes a small shape for another in one or two of a hundred
        for question in ask(scene, drawing, 12, chance):
            assert question.answer == _scene_answer(question, found), question
            if len(question.about) == 1 and question.answer not in ("yes", "no"):
                thing, box = scene.things[question.about[0]], np.argwhere(drawing.mask(question.about))
                assert np.abs(box.mean(0) / 128 - (thing.y, thing.x)).max() < 0.02
            kinds[question.kind] += 1
            nothing += question.answer == NOTHING
    assert set(kinds) == set(SCENE_KINDS)
    assert sum(kinds.values()) > 1200
    assert min(kinds.values()) > 0.04 * sum(kinds.values())
    assert nothing < 0.45 * kinds["beside"]


def _sizes(chart: Chart, drawing: Drawing) -> dict[str, float]:
    """How large each mark is in the picture: a bar's height, how high a point lies, a slice's area."""
    found = {}
    for number, mark in enumerate(chart.marks):
        rows, _ = np.nonzero(drawing.mask(drawing.numbers((MARKS[chart.kind],), number)))
        size = {"bar": len(set(rows)), "line": 128 - rows.mean(), "pie": len(rows)}[chart.kind]
        found[mark.label.lower()] = float(size)
    return found


def test_answers_about_charts_are_what_is_measured_in_the_picture() -> None:
    chance, answers = np.random.default_rng(6), defaultdict[str, Counter[str]](Counter)
    for _ in range(240):
        chart = random_chart(chance)
        drawing = draw_chart(chart)
        sizes = _sizes(chart, drawing)
        by_label = {mark.label.lower(): number for number, mark in enumerate(chart.marks)}
        inks = {
            label: tuple(np.median(drawing.picture[drawing.mask(drawing.numbers((MARKS[chart.kind],), number))], 0))
            for label, number in by_label.items()
        }
        for question in ask(chart, drawing, 10, chance):
            words, answer = question.text.split(), question.answer
            answers[question.kind][answer] += 1
            assert set(words) | set(answer.split()) <= set(WORDS)
            assert question.about
            named = next((word for word in words if word in by_label), None)
            if question.kind in ("highest", "lowest"):
                assert answer == (max if question.kind == "highest" else min)(sizes, key=sizes.__getitem__)
            elif question.kind == "value" and named:
                bottom, height = chart.layout.bottom, chart.layout.bottom - chart.layout.top
                level = {"bar": sizes[named], "line": sizes[named] - 128 + bottom, "pie": 0}[chart.kind]
                share = sizes[named] / sum(sizes.values()) if chart.kind == "pie" else level / height
                assert abs(int(answer.removesuffix(" %")) / chart.top - share) < 0.04  # a value is a tenth
            elif question.kind == "colour":
                assert inks[named or next(iter(inks))] == COLOURS[answer]
            elif question.kind == "label":
                assert inks[answer] == COLOURS[words[-2]]
            elif question.kind == "count":
                assert int(answer) == len(sizes)
            elif question.kind == "title":
                assert answer == " ".join(chart.title)
            elif question.kind == "trend":
                steps = np.diff(list(sizes.values())) * (1 if "rising" in words else -1)
                assert answer == ("yes" if (steps > 0.5).all() else "no")
    assert set(answers) == set(CHART_QUESTIONS)
    yes, no = answers["trend"]["yes"], answers["trend"]["no"]
    assert 0.25 < yes / (yes + no) < 0.75
    commonest = max(answers["colour"].values()) / sum(answers["colour"].values())
    assert commonest < 0.25  # of eight colours: none can be guessed
