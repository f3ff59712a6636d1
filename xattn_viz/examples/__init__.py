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
        "boat",
        "firefox-en-pt",
        "The little red boat belongs to my grandfather.",
        layer=1,
        head=0,
        notice="The lines cross: “barco vermelho” reads “boat” and “red”, in the order of Portuguese.",
    ),
    Example(
        "ships",
        "firefox-en-pt",
        "Three tall ships left the harbour at dawn.",
        layer=0,
        head=5,
        notice="One word late: “navios” reads “Three”. Name the rows for the token read, and this head aligns too.",
    ),
    Example(
        "horses",
        "firefox-en-pt",
        "The white horses ran across the wet sand.",
        layer=1,
        head=2,
        notice="The articles read ahead: “Os” looks at “horse” and “a” at “sand”, the nouns that are still to come.",
    ),
    Example(
        "gato",
        "firefox-pt-en",
        "O gato dorme na cadeira.",
        layer=1,
        head=0,
        notice="This head aligns: “na” is two words in English, and both “in” and “the” read it.",
    ),
    Example(
        "barco",
        "firefox-pt-en",
        "O barco vermelho do meu avô está no porto.",
        layer=1,
        head=0,
        notice="The phrase is turned round: “grandfather's” comes first in English, and its apostrophe reads “do”.",
    ),
    Example(
        "irma",
        "firefox-pt-en",
        "A minha irmã mais velha escreveu uma carta longa.",
        layer=0,
        head=6,
        notice="One word late: “wrote” reads “irmã”. Name the rows for the token read, and this head aligns too.",
    ),
    Example(
        "peixe",
        "firefox-pt-en",
        "Comemos peixe e depois vimos o pôr do sol.",
        layer=1,
        head=0,
        notice="Portuguese leaves the pronoun out: “We” reads the ending of the verb, “emos” in “Comemos”.",
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
