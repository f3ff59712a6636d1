"""A scene: up to three coloured shapes on square paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from xattn_viz.core.messages import quoted

Size = Literal["small", "large"]

#: The colours that have a name, as red, green and blue from 0 to 255.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "orange": (247, 140, 20),
    "yellow": (245, 211, 40),
    "green": (46, 160, 67),
    "blue": (37, 99, 235),
    "purple": (128, 60, 180),
    "pink": (244, 130, 190),
    "brown": (125, 82, 58),
}
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
PAPER = (240, 238, 232)
#: A radius from here on is called large.
LARGE = 0.13


@dataclass(frozen=True)
class Thing:
    """One coloured shape: the middle `x`, `y` and the radius of the circle around it, as shares of the paper's width.

    `x` runs from left to right, `y` from top to bottom. Raises ValueError for a colour or shape without a name here,
    or a shape that lies off the paper.
    """

    colour: str
    shape: str
    x: float
    y: float
    radius: float

    def __post_init__(self) -> None:
        if self.colour not in COLOURS:
            raise ValueError(f"There is no colour {quoted(self.colour)} in a scene; there are {', '.join(COLOURS)}.")
        if self.shape not in SHAPES:
            raise ValueError(f"There is no shape {quoted(self.shape)} in a scene; there are {', '.join(SHAPES)}.")
        if not (0 < self.radius <= 0.5 and 0 <= self.x <= 1 and 0 <= self.y <= 1):
            raise ValueError(f"A {self.shape} at ({self.x}, {self.y}) of radius {self.radius} lies off the paper.")

    @property
    def size(self) -> Size:
        """What its size is called."""
        return "large" if self.radius >= LARGE else "small"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the square around it, cut at the edges of the paper."""
        return (
            max(0.0, self.x - self.radius),
            max(0.0, self.y - self.radius),
            min(1.0, self.x + self.radius),
            min(1.0, self.y + self.radius),
        )


@dataclass(frozen=True)
class Scene:
    """The things on the paper, and the paper's colour."""

    things: tuple[Thing, ...]
    paper: tuple[int, int, int] = PAPER
