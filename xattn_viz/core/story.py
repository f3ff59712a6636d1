"""A talk as data: views in order, each with what it is of and a caption, as one small JSON file and as a link.

    {"format": "xattn_viz story", "version": 1, "title": "Who reads whom", "slides": [
      {"query": {"model": "firefox-en-pt", "text": "The cat sat on the mat."},
       "view": {"head": "2.1", "row": "1"},
       "caption": "Writing {row}, this head puts {weight} on {most}."}]}

A query and a view are said as an address says them, layers and heads from 1. A caption is text and never markup; what
stands in braces is computed from the map on screen (`export.story.NUMBERS`), so that no number in it is typed.

A story comes from anywhere, so reading takes nothing on trust: what is too large, misspelt or of another kind is
refused in a sentence that says where.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from xattn_viz.core.records import quoted
from xattn_viz.core.view import View, is_said

_FORMAT, _VERSION = "xattn_viz story", 1
#: The most slides, and the most characters of a caption, of a title, of what a query says in one place, and of a link.
MOST_SLIDES, LONGEST_CAPTION, LONGEST_TITLE, LONGEST_TEXT, LONGEST_LINK = 60, 600, 120, 5_000, 8_000
#: The most bytes of a file, and of what a link unpacks to.
MOST_BYTES = 400_000
#: What can be measured of the heads before a slide is shown: what each of them costs (`analysis.head_costs`), how well
#: each agrees with the links between words that a model of the opposite direction makes.
Measured = Literal["", "cost", "alignment", "alignment, cost"]
#: What a query can read.
Source = Literal["text", "sound", "picture", "scene"]
_SOURCES: tuple[Source, ...] = get_args(Source)
_QUERY = re.compile(
    r"model|text|sound|picture|scene|whole|hypothesis|target|prefix|sentence|window|compare|compare-model"
    r"|compare-(?:sound|picture|scene|target|hypothesis|prefix|without)|(?:compare-)?option\.[\w.-]{1,60}",
    re.ASCII,
)
_LINK = re.compile(r"[A-Za-z0-9_-]+={0,2}")


@dataclass(frozen=True)
class Slide:
    """One view: what was asked, as the parameters of an address in their order, what of it is looked at, the caption.

    `measure` is what is measured of the heads before. Raises ValueError, in a sentence, for what cannot be shown.
    """

    query: tuple[tuple[str, str], ...]
    view: View = field(default_factory=View)
    caption: str = ""
    measure: Measured = ""

    def __post_init__(self) -> None:
        for name, value in self.query:
            if not _QUERY.fullmatch(name):
                raise ValueError(f"a query says model, what it reads and options, and not {quoted(name)}.")
            if len(value) > LONGEST_TEXT:
                raise ValueError(f"{name} has {len(value):,} characters, and {LONGEST_TEXT:,} is the most.")
        said = [name for name, _ in self.query]
        if len(said) != len(set(said)):
            raise ValueError("a query says each thing once.")
        if "model" not in said or sum(name in _SOURCES for name in said) != 1:
            raise ValueError(f"a query names its model and one of {', '.join(_SOURCES)}.")
        if len(self.caption) > LONGEST_CAPTION:
            raise ValueError(f"its caption has {len(self.caption):,} characters, and {LONGEST_CAPTION} is the most.")
        if self.measure not in get_args(Measured):
            raise ValueError(
                f'what can be measured is "cost", "alignment" or "alignment, cost", and not {quoted(self.measure)}.'
            )

    @property
    def source(self) -> Source:
        """What kind of thing the query reads."""
        return next(source for source in _SOURCES if source in self.asked)

    @property
    def asked(self) -> dict[str, str]:
        """The query by the names of its parameters."""
        return dict(self.query)


@dataclass(frozen=True)
class Story:
    """Slides in order, under a title. Raises ValueError, in a sentence, for too many of them or too long a title."""

    title: str
    slides: tuple[Slide, ...] = ()

    def __post_init__(self) -> None:
        if len(self.title) > LONGEST_TITLE:
            raise ValueError(f"The title of a story has at most {LONGEST_TITLE} characters: got {len(self.title):,}.")
        if len(self.slides) > MOST_SLIDES:
            raise ValueError(f"A story has at most {MOST_SLIDES} slides: got {len(self.slides):,}.")

    def format(self, indent: int | None = 1) -> str:
        """The story as JSON in ASCII, for people with an `indent`."""
        slides = []
        for slide in self.slides:
            said: dict[str, Any] = {"query": slide.asked, "view": slide.view.format()}
            said |= {name: value for name in ("caption", "measure") if (value := getattr(slide, name))}
            slides.append(said)
        value = {"format": _FORMAT, "version": _VERSION, "title": self.title, "slides": slides}
        return json.dumps(value, indent=indent, separators=(",", ": " if indent else ":"))

    @classmethod
    def parse(cls, text: str | bytes) -> Story:
        """The story that a file holds. Raises ValueError that says in a sentence what is wrong, and on which slide."""
        if len(text) > MOST_BYTES:
            raise ValueError(f"A story takes at most {MOST_BYTES:,} bytes: this file has {len(text):,}.")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("This is no story: the file is not JSON.") from None
        if not isinstance(value, dict) or value.get("format") != _FORMAT:
            raise ValueError(f'This is no story: a story is a JSON object with "format": "{_FORMAT}".')
        if value.get("version") != _VERSION:
            raise ValueError(f"Stories of version {_VERSION} are read here: got {quoted(value.get('version'))}.")
        _check_names(value, {"format", "version", "title", "slides"}, "The story")
        title, slides = value.get("title", ""), value.get("slides", [])
        if not isinstance(title, str) or not isinstance(slides, list):
            raise ValueError("A story has a title, which is text, and a list of slides.")
        if len(slides) > MOST_SLIDES:
            raise ValueError(f"A story has at most {MOST_SLIDES} slides: got {len(slides):,}.")
        return cls(title, tuple(_slide(one, number) for number, one in enumerate(slides, 1)))

    def to_link(self) -> str:
        """The story as characters that an address takes. Raises ValueError where it is too long for one."""
        packed = base64.urlsafe_b64encode(zlib.compress(self.format(None).encode(), 9)).decode().rstrip("=")
        if len(packed) > LONGEST_LINK:
            raise ValueError(
                f"This story takes {len(packed):,} characters, and a link at most {LONGEST_LINK:,}: pass on its file."
            )
        return packed

    @classmethod
    def from_link(cls, link: str) -> Story:
        """The story that an address holds. Raises ValueError, in a sentence, where it holds none."""
        if len(link) > LONGEST_LINK or not _LINK.fullmatch(link):
            raise ValueError("This link holds no story: it is too long, or was cut or changed on its way.")
        try:
            unpacking = zlib.decompressobj()
            data = unpacking.decompress(base64.urlsafe_b64decode(link + "=" * (-len(link) % 4)), MOST_BYTES + 1)
        except (zlib.error, binascii.Error, ValueError):
            raise ValueError("This link holds no story: it was cut or changed on its way.") from None
        if len(data) > MOST_BYTES:
            raise ValueError(f"This link unpacks to more than {MOST_BYTES:,} bytes, which no story takes.")
        if not unpacking.eof:
            raise ValueError("This link holds no story: it was cut or changed on its way.")
        return cls.parse(data)


def _slide(value: Any, number: int) -> Slide:
    """Raises ValueError that names the slide by its number, from 1."""
    where = f"Slide {number}"
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no object with a query and a view.")
    _check_names(value, {"query", "view", "caption", "measure"}, where)
    query, view = (_said(value.get(name, {}), f"The {name} of slide {number}") for name in ("query", "view"))
    if not all(isinstance(value.get(name, ""), str) for name in ("caption", "measure")):
        raise ValueError(f"{where} has a caption, which is text, and may name what is measured.")
    if wrong := [name for name, said in view.items() if not is_said(name, said)]:
        raise ValueError(f"The view of slide {number} says {wrong[0]} = {quoted(view[wrong[0]])}, which is no view.")
    try:
        return Slide(tuple(query.items()), View.parse(view), value.get("caption", ""), value.get("measure", ""))
    except ValueError as error:
        raise ValueError(f"{where} cannot be shown: {error}") from None


def _said(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise ValueError(f"{where} is an object of texts, as an address says it.")
    return value


def _check_names(value: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(value) - known):
        raise ValueError(f"{where} says {quoted(unknown[0])}, which nobody here knows.")
