"""Sentences worth seeing, each with the head that makes it so; their traces ship precomputed and open at once.

`python -m xattn_viz.examples` remakes the traces. A missing one costs only the time to trace its sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from xattn_viz.store import load_trace
from xattn_viz.trace import Trace


@dataclass(frozen=True)
class Example:
    """A sentence, the model to trace it with, the head to look at (both numbers from 0) and what to notice there."""

    slug: str
    model: str
    text: str
    layer: int
    head: int
    notice: str


EXAMPLES: tuple[Example, ...] = (
    Example(
        "cat",
        "firefox-en-pt",
        "The cat sat on the mat.",
        layer=1,
        head=0,
        notice="This head aligns: each Portuguese word reads the English word that it translates.",
    ),
    Example(
        "gato",
        "firefox-pt-en",
        "O gato dorme na cadeira.",
        layer=1,
        head=0,
        notice="This head aligns: “na” is two words in English, and both “in” and “the” read it.",
    ),
)


def find(slug: str) -> Example:
    """The example of that name. Raises ValueError, naming the examples there are, for one that is not."""
    for example in EXAMPLES:
        if example.slug == slug:
            return example
    raise ValueError(f"There is no example {slug!r}: choose {', '.join(example.slug for example in EXAMPLES)}.")


def load(slug: str) -> Trace | None:
    """The precomputed trace of an example, or None where its file is missing.

    Raises ValueError for an example that is not there, or a damaged file.
    """
    file = files(__name__) / f"{find(slug).slug}.npz"
    return load_trace(file.read_bytes()) if file.is_file() else None
