"""Talks that ship: a few slides each, whose captions say nothing about a number that is not computed from the slide."""

from __future__ import annotations

from importlib.resources import files

from xattn_viz.core.records import quoted
from xattn_viz.core.story import Story

#: Their names, which are those of their files, in the order of a course.
NAMES = ("cross-attention", "alignment", "a-head-that-matters", "a-word-in-time", "a-prompt-paints")


def find(name: str) -> Story:
    """The story of that name. Raises ValueError, naming the stories there are, for one that is not."""
    if name not in NAMES:
        raise ValueError(f"There is no story {quoted(name)}: choose {', '.join(NAMES)}.")
    return Story.parse((files(__name__) / f"{name}.json").read_bytes())
