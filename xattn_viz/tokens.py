"""Tokens as people read them: pieces to labels, characters to words, labels that are safe to draw.

A tokenizer's piece can be `<unk>` or half a word, so labels come from character spans of the text itself. Text from a
user or a tokenizer is data: what is drawn goes through `visible` (a canvas, the DOM) or `plotly_label` (Plotly, which
reads tags in its ticks).
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

import regex

Span = tuple[int, int]

_SHOWN = {"": "∅", "\n": "⏎", "\r": "⏎", "\t": "⇥", " ": "␣"}
# Unicode's own word boundaries (UAX 29): "don't" and "3.5" are one word, each mark of punctuation is another.
_WORD = regex.compile(r"(?w).+?\b", regex.DOTALL)
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_HELD_IN_EMOJI = "\u200d"  # the joiner of 👩‍👧: invisible, and part of what people see


def word_spans(text: str) -> list[Span]:
    """The words and punctuation marks of a text as (start, end) in characters, white space left out."""
    return [match.span() for match in _WORD.finditer(text) if not match.group().isspace()]


def word_indices(text: str, spans: Sequence[Span], special: Sequence[bool]) -> tuple[int, ...]:
    """The word that each token belongs to, numbered 0, 1, 2, … without gaps, in order.

    `spans` are the tokens' (start, end) in characters of `text`. A token that touches several words belongs to the
    first; one that touches none (the mark of a space, say) to the word of the token behind it. A `special` one is a
    word of its own, and so is a blank with no word behind it.
    """
    words = word_spans(text)
    found: list[object] = []
    w = 0
    for position, (start, end) in enumerate(spans):
        while w < len(words) and words[w][1] <= start:
            w += 1
        inside = w < len(words) and words[w][0] < end
        found.append(("word", w) if inside and not special[position] else None)
    behind: object = None  # the word of the token behind
    for position in reversed(range(len(spans))):
        behind = None if special[position] else found[position] or behind
        found[position] = behind or ("alone", position)
    changes = (one != other for one, other in pairwise(found))
    return tuple(accumulate(changes, initial=0)) if spans else ()


def span_labels(text: str, spans: Iterable[Span], fallback: Iterable[str]) -> tuple[str, ...]:
    """What each token covers in the text, without white space around it; `fallback` names tokens that cover nothing."""
    return tuple(text[start:end].strip() or name for (start, end), name in zip(spans, fallback, strict=True))


def visible(label: str) -> str:
    """A label with everything that cannot be seen made visible: blanks by sign, control characters by number.

    Characters that steer the direction of text become escapes, so that a token cannot disorder its neighbours.
    """
    if not label:
        return _SHOWN[""]
    shown = "".join(_visible_character(c) for c in label)
    if shown.isspace() or shown == _HELD_IN_EMOJI:  # nothing would be left to see
        return "".join("␣" if c.isspace() else _escape(c) for c in shown)
    return shown


def plotly_label(label: str, limit: int = 24) -> str:
    """A label for Plotly's ticks and hovers: as `short_label`, with no live tag, entity or formula in it."""
    # Plotly hands $…$ to MathJax where a page has it, but not an entity that stands for the sign.
    return html.escape(short_label(label, limit), quote=False).replace("$", "&#36;")


def short_label(label: str, limit: int = 24) -> str:
    """A label for one place in a picture: visible, cut to `limit` characters, apart from the text direction around."""
    shown = visible(label)
    if len(shown) > limit:
        shown = shown[: limit - 1] + "…"
    return _FIRST_STRONG_ISOLATE + shown + _POP_ISOLATE


def _visible_character(character: str) -> str:
    if character in _SHOWN and character != " ":
        return _SHOWN[character]
    code = ord(character)
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    # Unicode's 66 noncharacters stand for nothing, and two of them (U+FFFE, U+FFFF) would break an XML file.
    noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if noncharacter or (hidden and character != _HELD_IN_EMOJI):
        return _escape(character)
    return character


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
