"""What lies at each place of a picture, as numbers: what an encoder is asked while it learns to read.

The truth comes from the code that drew the picture (`xattn_viz.shapes.charts`, `xattn_viz.shapes.questions`).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from xattn_viz.shapes import COLOURS, SHAPES, Scene
from xattn_viz.shapes.charts import LABELS, PIXELS, TENTHS, TITLE_ENDS, TITLE_STARTS, TOPS, Chart, Drawing
from xattn_viz.shapes.questions import MOST_THINGS, NUMBERS, Question, lies, trend
from xattn_viz.shapes.scene import RELATIONS, Thing

PLACE = 8  # pixels along a side of a place
SIDE = PIXELS // PLACE
#: A part lies at a place if it covers this share of it, and more than any other part does.
COVERED = 0.25
NONE = -100  # where a question has no answer: cross_entropy leaves it out
PARTS = ("nothing", "bar", "line", "point", "slice", "label", "title", "tick", "shape")
READ = (*(label.lower() for label in LABELS), *TITLE_STARTS, *TITLE_ENDS, *map(str, NUMBERS))
#: What is asked of a place, and how many answers there are.
ASKED = {
    "part": len(PARTS),
    "word": len(READ),
    "colour": len(COLOURS),
    "shape": len(SHAPES),
    "tenths": TENTHS,
    "number": len(NUMBERS),
    "extreme": 3,
    "count": 6,
    "alike in shape": MOST_THINGS + 1,
    "alike in colour": MOST_THINGS + 1,
    "trend": 3,
    "top": len(TOPS),
}
#: What a thing lies beside, and how: a relation and a colour or a shape.
BESIDE = len(RELATIONS) * (len(COLOURS) + len(SHAPES))
#: What is asked of a word that names a thing: the row and the column of the thing's middle, and how the thing that the
#: question named before lies to it.
FOLLOWED = {"row": SIDE, "column": SIDE, "relation": len(RELATIONS)}
_COLOURS, _WORDS, _NAMES = list(COLOURS), {word: i for i, word in enumerate(READ)}, list(ASKED)


def owners(drawing: Drawing) -> NDArray[np.int64]:
    """The number of the part at each place, `[place]`; -1 for nothing, -2 where a part covers too little of it."""
    count = len(drawing.parts) + 1
    cells = drawing.owner.reshape(SIDE, PLACE, SIDE, PLACE).swapaxes(1, 2).reshape(SIDE * SIDE, -1).astype(np.int64) + 1
    each = np.bincount((cells + np.arange(len(cells))[:, None] * count).ravel(), minlength=len(cells) * count)
    covered = each.reshape(len(cells), count)[:, 1:]
    if not covered.shape[1]:
        return np.full(len(cells), -1)
    most = covered.max(1)
    return np.where(most == 0, -1, np.where(most < COVERED * PLACE * PLACE, -2, covered.argmax(1)))


def truth(made: Scene | Chart, drawing: Drawing) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Answers to `ASKED`, `[place, asked]`, and whether a thing lies so, `[place, relation × name]`, -1 for unasked."""
    answers = np.full((len(drawing.parts) + 2, len(ASKED)), NONE)
    beside = np.full((len(drawing.parts) + 2, BESIDE), -1, np.int8)
    answers[-1, 0] = 0  # the row of nothing; the last but one is of what covers too little
    for number, part in enumerate(drawing.parts):
        said = {"part": PARTS.index(part.kind), **_of_part(made, drawing, number)}
        for name, answer in said.items():
            answers[number, _NAMES.index(name)] = answer
        if isinstance(made, Scene):
            beside[number] = _beside(made, number)
    at = owners(drawing)
    return answers[at], beside[at]


def _of_part(made: Scene | Chart, drawing: Drawing, number: int) -> dict[str, int]:
    part = drawing.parts[number]
    if isinstance(made, Scene):
        thing = made.things[number]
        return {
            "colour": _COLOURS.index(thing.colour),
            "shape": SHAPES.index(thing.shape),
            "count": len(made.things),
            "alike in shape": sum(other.shape == thing.shape for other in made.things),
            "alike in colour": sum(other.colour == thing.colour for other in made.things),
        }
    said: dict[str, int] = {}
    if part.kind in ("title", "tick"):
        said["word"] = _WORDS[part.text]
    if part.kind != "tick":
        said["count"] = len(made.marks)
        if made.kind == "line":
            said["trend"] = trend(made.marks) + 1
            said["colour"] = _COLOURS.index(made.marks[0].colour)
    if made.kind != "pie" and part.kind != "title":
        said["top"] = TOPS.index(made.top)
    if part.mark is not None:
        mark, order = made.marks[part.mark], sorted(other.tenths for other in made.marks)
        said |= {
            "word": _WORDS[mark.label.lower()],
            "colour": _COLOURS.index(mark.colour),
            "tenths": mark.tenths - 1,
            "number": NUMBERS.index(made.value(mark)),
            "extreme": 1 if mark.tenths == order[-1] else 2 if mark.tenths == order[0] else 0,
        }
    return said


def _beside(scene: Scene, number: int) -> NDArray[np.int8]:
    """1 where a thing lies so to one of this name, 0 where to none, -1 where that is not plain to see."""
    found = np.zeros((len(RELATIONS), len(COLOURS) + len(SHAPES)), np.int8)
    thing = scene.things[number]
    for i, other in enumerate(scene.things):
        if i == number:
            continue
        names, how = [_COLOURS.index(other.colour), len(COLOURS) + SHAPES.index(other.shape)], lies(thing, other)
        if how is None:
            found[:, names] = np.where(found[:, names] == 1, 1, -1)
        else:
            found[RELATIONS.index(how), names] = 1
    return found.ravel()


def followed(scene: Scene, question: Question) -> NDArray[np.int64]:
    """Answers to `FOLLOWED` at each word of a question, `[word, asked]`: known where a shape names one thing."""
    words = question.text.split()
    answers = np.full((len(words), len(FOLLOWED)), NONE)
    before: Thing | None = None
    for at, (last, word) in enumerate(pairwise(["", *words])):
        alike = [
            thing for thing in scene.things if thing.shape == word and (last not in COLOURS or last == thing.colour)
        ]
        if len(alike) != 1:
            continue
        thing = alike[0]
        answers[at, :2] = int(thing.y * SIDE), int(thing.x * SIDE)
        if before and (how := lies(before, thing)):
            answers[at, 2] = RELATIONS.index(how)
        before = thing
    return answers
