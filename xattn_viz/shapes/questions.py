"""Questions about pictures whose truth is known: scenes of up to four things, and charts, with answers and why.

Each question has the words, the answer, its kind, and the parts of the drawing that the answer is about. A question is
asked only where it has one answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import hypot

import numpy as np

from xattn_viz.shapes.charts import (
    LABELS,
    MARKS,
    PIXELS,
    TENTHS,
    TITLE_ENDS,
    TITLE_STARTS,
    TOPS,
    Chart,
    Drawing,
    Mark,
    Part,
    PartKind,
)
from xattn_viz.shapes.scene import CLEAR, COLOURS, PAPER, RELATIONS, SHAPES, Scene, Thing, draw

#: The most things in a scene that is asked about.
MOST_THINGS = 4
#: What a chart's marks are called in a question, and those with the highest and the lowest value.
NOUNS = {
    "bar": ("bar", "highest", "lowest"),
    "line": ("point", "highest", "lowest"),
    "pie": ("slice", "largest", "smallest"),
}
NOTHING = "nothing"
_TRIES = 8  # at a question of a kind, before another kind is asked
#: The kinds of questions.
SCENE_KINDS = ("colour", "shape", "beside", "count", "count alike", "relation", "exists")
CHART_QUESTIONS = ("highest", "lowest", "value", "colour", "label", "count", "title", "trend")
NUMBERS = tuple(sorted({tenths * top // TENTHS for top in TOPS for tenths in range(TENTHS + 1)}))
_ASKED = (
    "what which how is are there the a an of shape shapes colour has many have value share title line bar bars point "
    "points slice slices highest lowest largest smallest falling rising left right above below % ?"
)
#: Every word and sign of questions and answers.
WORDS = tuple(
    dict.fromkeys(
        chain(
            _ASKED.split(),
            ("yes", "no", NOTHING),
            COLOURS,
            SHAPES,
            (f"{shape}{'es' if shape.endswith('s') else 's'}" for shape in SHAPES),
            map(str, NUMBERS),
            map(str.lower, LABELS),
            TITLE_STARTS,
            TITLE_ENDS,
        )
    )
)


@dataclass(frozen=True)
class Question:
    """A question in small letters, its answer, of which kind it is, and the numbers of the parts that it is about."""

    text: str
    answer: str
    kind: str
    about: tuple[int, ...] = ()


def plural(shape: str) -> str:
    """Several of a shape."""
    return f"{shape}es" if shape.endswith("s") else f"{shape}s"


def article(word: str) -> str:
    """What stands before a colour."""
    return "an" if word[0] in "aeiou" else "a"


def random_things(chance: np.random.Generator, most: int = MOST_THINGS) -> Scene:
    """A scene of one to `most` things at random places, none over another; half of them repeat a colour or a shape."""
    while True:
        count = int(chance.integers(1, most + 1))
        things: list[Thing] = []
        for _ in range(60):
            if len(things) == count:
                shade = int(chance.integers(-10, 11))
                return Scene(tuple(things), (PAPER[0] + shade, PAPER[1] + shade, PAPER[2] + shade))
            radius = float(chance.uniform(0.08, 0.17))
            x, y = (float(value) for value in chance.uniform(radius + 0.01, 0.99 - radius, 2))
            colour, shape = list(COLOURS)[chance.integers(len(COLOURS))], SHAPES[chance.integers(len(SHAPES))]
            if things and (again := chance.random()) < 0.5:
                other = things[chance.integers(len(things))]
                colour, shape = (colour, other.shape) if again < 0.3 else (other.colour, shape)
            if all(hypot(x - other.x, y - other.y) >= radius + other.radius + 0.02 for other in things):
                things.append(Thing(colour, shape, x, y, radius))


def draw_things(scene: Scene) -> Drawing:
    """A scene as a drawing of as many pixels as a chart, whose parts are its things, each with the box around it."""
    owner = np.full((PIXELS, PIXELS), -1, np.int16)
    for number, thing in enumerate(scene.things):
        left, top, right, bottom = (round(edge * PIXELS) for edge in thing.box)
        owner[top:bottom, left:right] = number
    parts = tuple(Part("shape", number) for number in range(len(scene.things)))
    return Drawing(draw(scene, PIXELS), parts, owner)


def lies(one: Thing, other: Thing) -> str | None:
    """How a thing lies to another, of `RELATIONS`; None near a diagonal, where two could be said."""
    across, down = one.x - other.x, one.y - other.y
    if abs(abs(across) - abs(down)) < CLEAR:
        return None
    if abs(across) > abs(down):
        return "left of" if across < 0 else "right of"
    return "above" if down < 0 else "below"


def _named(scene: Scene, thing: Thing, chance: np.random.Generator) -> str | None:
    """What is said of a thing so that no other is meant: its shape, or colour and shape; None where neither does."""
    by_shape = sum(other.shape == thing.shape for other in scene.things) == 1
    by_both = sum((other.shape, other.colour) == (thing.shape, thing.colour) for other in scene.things) == 1
    if by_shape and chance.random() < 0.7:
        return thing.shape
    return f"{thing.colour} {thing.shape}" if by_both else None


def ask_scene(scene: Scene, kind: str, chance: np.random.Generator) -> Question | None:
    """A question of a kind about a scene; None where chance found none that has one answer."""
    return _ABOUT_SCENES[kind](scene, chance)


def _one(scene: Scene, chance: np.random.Generator) -> tuple[int, Thing]:
    number = int(chance.integers(len(scene.things)))
    return number, scene.things[number]


def _colour_of_shape(scene: Scene, chance: np.random.Generator) -> Question | None:
    number, thing = _one(scene, chance)
    if sum(other.shape == thing.shape for other in scene.things) > 1:
        return None
    return Question(f"what colour is the {thing.shape} ?", thing.colour, "colour", (number,))


def _shape_of_colour(scene: Scene, chance: np.random.Generator) -> Question | None:
    number, thing = _one(scene, chance)
    if sum(other.colour == thing.colour for other in scene.things) > 1:
        return None
    return Question(f"which shape is {thing.colour} ?", thing.shape, "shape", (number,))


def _beside(scene: Scene, chance: np.random.Generator) -> Question | None:
    number, thing = _one(scene, chance)
    relation = RELATIONS[chance.integers(len(RELATIONS))]
    others = [(i, lies(other, thing)) for i, other in enumerate(scene.things) if i != number]
    there = [i for i, how in others if how == relation]
    name = _named(scene, thing, chance)
    if (
        name is None
        or len(there) > 1
        or any(how is None for _, how in others)
        or (not there and chance.random() < 0.95)
    ):
        return None
    found = scene.things[there[0]] if there else None
    answer = f"{found.colour} {found.shape}" if found else NOTHING
    return Question(f"what is {relation} the {name} ?", answer, "beside", (there[0],) if there else ())


def _count(scene: Scene, chance: np.random.Generator) -> Question:
    return Question("how many shapes ?", str(len(scene.things)), "count", tuple(range(len(scene.things))))


def _count_alike(scene: Scene, chance: np.random.Generator) -> Question:
    _, thing = _one(scene, chance)
    is_there = chance.random() < 0.8
    if chance.random() < 0.6:
        shape = thing.shape if is_there else SHAPES[chance.integers(len(SHAPES))]
        about = tuple(i for i, other in enumerate(scene.things) if other.shape == shape)
        return Question(f"how many {plural(shape)} ?", str(len(about)), "count alike", about)
    colour = thing.colour if is_there else list(COLOURS)[chance.integers(len(COLOURS))]
    about = tuple(i for i, other in enumerate(scene.things) if other.colour == colour)
    return Question(f"how many {colour} shapes ?", str(len(about)), "count alike", about)


def _relation(scene: Scene, chance: np.random.Generator) -> Question | None:
    if len(scene.things) < 2:
        return None
    one, other = (int(number) for number in chance.choice(len(scene.things), 2, replace=False))
    how = lies(scene.things[one], scene.things[other])
    names = [_named(scene, scene.things[number], chance) for number in (one, other)]
    if how is None or None in names:
        return None
    is_so = chance.random() < 0.5
    said = how if is_so else [wrong for wrong in RELATIONS if wrong != how][chance.integers(3)]
    return Question(f"is the {names[0]} {said} the {names[1]} ?", "yes" if is_so else "no", "relation", (one, other))


def _exists(scene: Scene, chance: np.random.Generator) -> Question | None:
    _, thing = _one(scene, chance)
    colour, shape = thing.colour, thing.shape
    if chance.random() < 0.5:  # half of the wrong ones have a colour or a shape that is there
        changed = chance.random()
        colour = list(COLOURS)[chance.integers(len(COLOURS))] if changed < 0.6 else colour
        shape = SHAPES[chance.integers(len(SHAPES))] if changed > 0.4 else shape
        if any((other.colour, other.shape) == (colour, shape) for other in scene.things):
            return None
    about = tuple(i for i, other in enumerate(scene.things) if (other.colour, other.shape) == (colour, shape))
    return Question(f"is there {article(colour)} {colour} {shape} ?", "yes" if about else "no", "exists", about)


_ABOUT_SCENES: dict[str, Callable[[Scene, np.random.Generator], Question | None]] = dict(
    zip(
        SCENE_KINDS,
        (_colour_of_shape, _shape_of_colour, _beside, _count, _count_alike, _relation, _exists),
        strict=True,
    )
)


def ask_chart(chart: Chart, drawing: Drawing, kind: str, chance: np.random.Generator) -> Question | None:
    """A question of a kind about a chart; None where the kind does not fit it."""
    noun, most, least = NOUNS[chart.kind]
    own: PartKind = MARKS[chart.kind]
    number = int(chance.integers(len(chart.marks)))
    mark = chart.marks[number]

    def about(number: int) -> tuple[int, ...]:
        return drawing.numbers((own, "label"), number)

    if kind in ("highest", "lowest"):
        order = sorted(range(len(chart.marks)), key=lambda i: chart.marks[i].tenths)
        found = order[-1] if kind == "highest" else order[0]
        words = f"which {noun} is {most if kind == 'highest' else least} ?"
        return Question(words, chart.marks[found].label.lower(), kind, about(found))
    if kind == "value":
        share = chart.kind == "pie"
        words = f"what share has {mark.label.lower()} ?" if share else f"what is the value of {mark.label.lower()} ?"
        return Question(words, f"{chart.value(mark)}{' %' if share else ''}", kind, about(number))
    if kind == "colour":
        return _ask_colour(chart, drawing, number, chance)
    if kind == "label":
        if sum(other.colour == mark.colour for other in chart.marks) > 1:
            return None
        return Question(f"which {noun} is {mark.colour} ?", mark.label.lower(), kind, about(number))
    if kind == "count":
        return Question(f"how many {noun}s ?", str(len(chart.marks)), kind, drawing.numbers((own,)))
    if kind == "title":
        return Question("what is the title ?", " ".join(chart.title), kind, drawing.numbers(("title",)))
    return _ask_trend(chart, drawing, chance)


def _ask_colour(chart: Chart, drawing: Drawing, number: int, chance: np.random.Generator) -> Question | None:
    if chart.kind == "line":
        where = drawing.numbers(("line", "point"))
        return Question("what colour is the line ?", chart.marks[0].colour, "colour", where)
    if len({mark.colour for mark in chart.marks}) == 1 and chance.random() < 0.7:
        return None  # any bar would do
    mark, own = chart.marks[number], MARKS[chart.kind]
    return Question(f"what colour is {mark.label.lower()} ?", mark.colour, "colour", drawing.numbers((own,), number))


def trend(marks: Sequence[Mark]) -> int:
    """1 where each value is higher than the one before it, -1 where each is lower, else 0."""
    steps = np.diff([mark.tenths for mark in marks])
    return int((steps > 0).all()) - int((steps < 0).all())


def _ask_trend(chart: Chart, drawing: Drawing, chance: np.random.Generator) -> Question | None:
    if chart.kind != "line":
        return None
    way = 1 if chance.random() < 0.5 else -1
    is_so = trend(chart.marks) == way
    if not is_so and chance.random() < 0.5:  # as many answers are yes as no
        return None
    words = f"is {chart.title[-1]} {'rising' if way > 0 else 'falling'} ?"
    return Question(words, "yes" if is_so else "no", "trend", drawing.numbers(("line", "point")))


def ask(
    truth: Scene | Chart, drawing: Drawing, count: int, chance: np.random.Generator, kinds: Sequence[str] = ()
) -> list[Question]:
    """So many questions about a picture, each kind of `kinds` (all that there are, unless said) about as likely."""
    every = list(kinds or (SCENE_KINDS if isinstance(truth, Scene) else CHART_QUESTIONS))
    found: list[Question] = []
    while len(found) < count:
        kind = every[chance.integers(len(every))]
        for _ in range(_TRIES):
            one = (
                ask_scene(truth, kind, chance) if isinstance(truth, Scene) else ask_chart(truth, drawing, kind, chance)
            )
            if one is not None:
                found.append(one)
                break
    return found
