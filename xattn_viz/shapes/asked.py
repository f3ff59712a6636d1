"""Pictures to ask about by their names, such as "bar-3": a scene or a chart drawn from a number, and all its questions.

Names stand in addresses, so what is drawn for one stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from xattn_viz.shapes.charts import CHART_KINDS, Chart, ChartKind, Drawing, draw_chart, random_chart
from xattn_viz.shapes.questions import (
    CHART_QUESTIONS,
    MOST_THINGS,
    SCENE_KINDS,
    Question,
    ask_chart,
    ask_scene,
    draw_things,
    random_things,
)
from xattn_viz.shapes.scene import Scene

#: The kinds of pictures by the first part of a name, and what people call them.
KINDS: dict[str, ChartKind | None] = {"scene": None, **{kind: kind for kind in CHART_KINDS}}
CALLED = {"scene": "Shapes", "bar": "Bar chart", "line": "Line chart", "pie": "Pie chart"}
#: The highest number in a name.
MOST = 999
_NAME = re.compile(rf"({'|'.join(KINDS)})-(\d{{1,3}})", re.ASCII)
_SEED, _TRIES, _OFFERED = 31, 120, 2  # tries at each kind of question; so many of a kind are offered


@dataclass(frozen=True, eq=False)
class Subject:
    """A picture whose truth is known: what it holds, and its drawing."""

    truth: Scene | Chart
    drawing: Drawing

    @property
    def title(self) -> str:
        """What people call it."""
        if isinstance(self.truth, Scene):
            count = len(self.truth.things)
            return f"{CALLED['scene']}: {count} on paper" if count > 1 else f"{CALLED['scene']}: one on paper"
        labels = ", ".join(mark.label for mark in self.truth.marks)
        return f"{CALLED[self.truth.kind]}: {' '.join(self.truth.title)} ({labels})"

    @cached_property
    def questions(self) -> dict[str, Question]:
        """Every question that `_TRIES` chances at each kind find, by its words; always the same."""
        chance = np.random.default_rng(_SEED)
        return {question.text: question for question in self._by_chance(chance)}

    @property
    def offered(self) -> list[Question]:
        """A few of each kind, for people to choose from."""
        found = list[Question]()
        for question in self.questions.values():
            if sum(other.kind == question.kind for other in found) < _OFFERED:
                found.append(question)
        return found

    def name_of(self, part: int) -> str:
        """What a part of the drawing is called, by its number; what belongs to none is paper."""
        if part < 0:
            return "paper"
        one = self.drawing.parts[part]
        if isinstance(self.truth, Scene):
            thing = self.truth.things[one.mark or 0]
            return f"the {thing.colour} {thing.shape}"
        if one.kind in ("label", "title", "tick"):
            return f"the {one.kind} “{one.text}”"
        return f"the {one.kind}" if one.mark is None else f"the {one.kind} of {self.truth.marks[one.mark].label}"

    def _by_chance(self, chance: np.random.Generator) -> Iterator[Question]:
        for kind in SCENE_KINDS if isinstance(self.truth, Scene) else CHART_QUESTIONS:
            for _ in range(_TRIES):
                if isinstance(self.truth, Scene):
                    found = ask_scene(self.truth, kind, chance)
                else:
                    found = ask_chart(self.truth, self.drawing, kind, chance)
                if found is not None:
                    yield found


def is_name(name: str) -> bool:
    """Whether a picture has this name."""
    return _NAME.fullmatch(name) is not None


@lru_cache(maxsize=64)
def named(name: str) -> Subject:
    """The picture of a name. Raises ValueError where there is none."""
    if (found := _NAME.fullmatch(name)) is None:
        raise ValueError(f"There is no picture {name!r}: names are {', '.join(KINDS)}, a hyphen and a number.")
    kind, number = KINDS[found[1]], int(found[2])
    chance = np.random.default_rng((_SEED, number, list(KINDS).index(found[1])))
    if kind is None:
        return of_scene(random_things(chance))
    chart = random_chart(chance, kind)
    return Subject(chart, draw_chart(chart))


@lru_cache(maxsize=16)
def of_scene(scene: Scene) -> Subject:
    """A scene as a picture to ask about."""
    return Subject(scene, draw_things(scene))


def next_to(name: str) -> str:
    """The name of the next picture of the same kind; behind the last one comes the first."""
    kind, _, number = name.partition("-")
    return f"{kind}-{int(number) % MOST + 1}"


def is_askable(scene: Scene) -> bool:
    """Whether a scene has few enough things for questions about it."""
    return 1 <= len(scene.things) <= MOST_THINGS


def share_by_part(weights: NDArray[np.floating], owner: NDArray[np.int16], parts: int) -> NDArray[np.float64]:
    """How much of the weight on a grid of patches `[row, column]` lies on each part, and last on none: `[part + 1]`.

    `owner` `[row, column]` are the numbers of the parts of pixels, -1 for none; a patch's weight is spread evenly over
    its pixels. They sum to 1, or are all 0 where no weight lies on patches.
    """
    rows, columns = weights.shape
    tall, wide = owner.shape
    spread = weights[np.arange(tall) * rows // tall][:, np.arange(wide) * columns // wide]
    sums = np.bincount(np.where(owner < 0, parts, owner).ravel(), spread.ravel().astype(np.float64), parts + 1)
    shares: NDArray[np.float64] = sums / max(float(sums.sum()), np.finfo(np.float64).tiny)
    return shares
