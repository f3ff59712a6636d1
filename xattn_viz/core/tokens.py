"""Tokens as people read them: pieces to labels, characters to words, labels that are safe to draw.

A tokenizer's piece can be `<unk>` or half a word, so labels come from character spans of the text itself. Text from a
user or a tokenizer is data: what is drawn goes through `visible` (a canvas, the DOM) or `plotly_label` (Plotly, which
reads tags in its ticks).
"""

from __future__ import annotations

import html
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate, pairwise

import regex

Span = tuple[int, int]

_SHOWN = {"": "∅", "\n": "⏎", "\r": "⏎", "\t": "⇥", " ": "␣"}

# Unicode's word boundaries (UAX 29, rules WB4 to WB13) as a pattern that reads forward only: `regex` has them as
# `(?w)\b`, which looks back over a whole run of flags or marks at each of its places.
_MARKS = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"
_JOINED = rf"(?:(?<=\u200d)\p{{Extended_Pictographic}}{_MARKS})*+"  # by the joiner of 👩‍👧
# A quote after a Hebrew letter is part of its word; what would join words behind the quote does not.
_NO_QUOTE = r"(?<!'[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*)"
_LETTER = rf"""(?:\p{{WB=Hebrew_Letter}}{_MARKS}
  (?:'{_MARKS}|"{_MARKS}(?=\p{{WB=Hebrew_Letter}}))?
  |\p{{WB=ALetter}}{_MARKS})"""
_DIGIT = rf"\p{{WB=Numeric}}{_MARKS}"
_LETTERS = rf"""{_LETTER}++
  (?:{_NO_QUOTE}[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}']{_MARKS}(?=[\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}]){_LETTER}++)*+"""


def _unicode_word(inside_numbers: str = "") -> str:
    """The pattern of a word by UAX 29; `inside_numbers` are more characters that may stand between two digits."""
    between = rf"[\p{{WB=MidNum}}\p{{WB=MidNumLet}}'{inside_numbers}]{_MARKS}(?=\p{{WB=Numeric}})"
    digits = rf"(?:{_DIGIT})++(?:{between}(?:{_DIGIT})++)*+"
    run = rf"(?:(?:{_LETTERS}|{digits})(?:{_LETTERS}|{_NO_QUOTE}{digits})*+|(?:\p{{WB=Katakana}}{_MARKS})++)"
    joint = rf"(?:\p{{WB=ExtendNumLet}}{_MARKS})++"
    return rf"(?:{run}(?:{_NO_QUOTE}{joint}{run}?)*+|{joint}(?:{run}{_NO_QUOTE}{joint})*+{run}?)"


# Two flags of a nation's letters, an emoji with its joiners, a line end, or any other character with its marks.
_OTHER = rf"""\r\n | \p{{WB=Regional_Indicator}}{_MARKS}\p{{WB=Regional_Indicator}}{_MARKS}{_JOINED}
  | [\n\v\f\r\x85\u2028\u2029]
  | .{_MARKS}{_JOINED}"""


@cache
def unicode_words() -> regex.Pattern[str]:
    """A pattern that finds the words of UAX 29 and nothing else.

    This one and those below are compiled when they are first needed: it takes as long as a quarter of all imports.
    """
    return regex.compile(rf"{_unicode_word()}{_JOINED} | {_OTHER}", regex.DOTALL | regex.VERBOSE)


# What readers take for one word and UAX 29 for several. Every repetition is bounded or cannot be given back, so that a
# text is read in time that grows as it does.
_WHOLE = _unicode_word("\u202f\u00a0:/")  # 10 000, 10:30, 1/2
_HYPHENATED = rf"{_WHOLE}(?:[-\u2010\u2011&]{_WHOLE})*+"
_LINK = r"(?i:https?://|ftp://|www\.)\S*[^\s\p{P}]/?"
_PLACE = r"(?:[\w-]{1,63}+\.){1,8}[a-z]{2,24}(?::\d{1,5})?/(?:\S*[^\s\p{P}]/?)?"
_MAIL = r"[\w.+-]{1,64}@(?:[\w-]{1,63}+\.){1,8}[\p{L}\d]{2,24}"
_NUMBER = rf"""(?:(?<![\w)\]%])[-+\u2212\u00b1](?=[\p{{Sc}}\p{{Nd}}.]))?(?:\p{{Lu}}{{0,3}}\p{{Sc}})?(?:(?<![\w.])\.)?
  (?=\p{{Nd}}){_HYPHENATED}(?:[%\u2030\u2031\u00b0\u2032\u2033]|\p{{Sc}})?"""
_HANDLE = rf"(?<!\w)[@\#](?=[\p{{L}}_]){_WHOLE}"
_ABBREVIATION = r"(?<!\w)(?:\p{L}\.){2,16}(?!\w)"
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_HELD_IN_EMOJI = "\u200d"  # the joiner of 👩‍👧: invisible, and part of what people see


@cache
def _words() -> regex.Pattern[str]:
    found = "|".join((_LINK, _MAIL, _PLACE, _NUMBER, _HANDLE, _ABBREVIATION, _HYPHENATED, _OTHER))
    return regex.compile(found, regex.DOTALL | regex.VERBOSE)


@cache
def _graphemes() -> regex.Pattern[str]:
    return regex.compile(rf"\p{{Regional_Indicator}}{{2}}{_MARKS}|\X", regex.DOTALL)


def word_spans(text: str) -> list[Span]:
    """The words and punctuation marks of a text as (start, end) in characters, white space left out.

    Words as Unicode cuts them (UAX 29), but numbers with their signs and units, links, addresses, and words with
    hyphens or `&` inside stay whole. Scripts without spaces are cut as UAX 29 cuts them, into characters where it
    knows no more.
    """
    return [match.span() for match in _words().finditer(text) if not match.group().isspace()]


def word_indices(text: str, spans: Sequence[Span], special: Sequence[bool]) -> tuple[int, ...]:
    """The word that each token belongs to, numbered 0, 1, 2, … without gaps, in order.

    `spans` are the tokens' (start, end) in characters of `text`. Words that one token touches are one word here, as
    `joined_words` says; a token that touches none (the mark of a space, say) belongs to the word of the token behind
    it. A `special` one is a word of its own, and so is a blank with no word behind it.
    """
    words = word_spans(text)
    touched = _touched(words, spans, special)
    group = list(accumulate((not joined for joined in _joins(touched, len(words))), initial=0))
    found: list[object] = [None if one is None else ("word", group[one[0]]) for one in touched]
    behind: object = None  # the word of the token behind
    for position in reversed(range(len(spans))):
        behind = None if special[position] else found[position] or behind
        found[position] = behind or ("alone", position)
    changes = (one != other for one, other in pairwise(found))
    return tuple(accumulate(changes, initial=0)) if spans else ()


def joined_words(text: str, spans: Sequence[Span], special: Sequence[bool]) -> list[str]:
    """What stands as one word because one token covers something of several, which are more than punctuation."""
    words = word_spans(text)
    joins = _joins(_touched(words, spans, special), len(words))
    found, first = [], 0
    for last, goes_on in enumerate([*joins, False] if words else []):
        if goes_on:
            continue
        if last > first and sum(any(map(str.isalnum, text[a:b])) for a, b in words[first : last + 1]) > 1:
            found.append(text[words[first][0] : words[last][1]])
        first = last + 1
    return found


def _touched(words: Sequence[Span], spans: Sequence[Span], special: Sequence[bool]) -> list[Span | None]:
    """The first and the last word that each token covers something of; an empty token inside a word touches that."""
    starts, ends = [start for start, _ in words], [end for _, end in words]
    found: list[Span | None] = []
    for (start, end), own in zip(spans, special, strict=True):
        first, last = bisect_right(ends, start), bisect_left(starts, end) - 1
        found.append((first, last) if not own and first <= last else None)
    return found


def _joins(touched: Iterable[Span | None], count: int) -> list[bool]:
    """Whether each word but the last of `count` is one with the word behind it."""
    changes = [0] * (count + 1)
    for first, last in filter(None, touched):
        changes[first] += 1
        changes[last] -= 1
    return [depth > 0 for depth in accumulate(changes[: max(count - 1, 0)])]


def whole_graphemes(text: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans that begin and end where what people see as one character does (UAX 29): each grows to the nearest.

    Tokens that share such a character each cover it; an empty span stays empty, before what it lay in.
    """
    edges = [0, *(match.end() for match in _graphemes().finditer(text))]
    if len(edges) > len(text):  # each is one character
        return tuple(spans)
    return tuple(
        (start := edges[bisect_right(edges, a) - 1], edges[bisect_left(edges, b)] if b > a else start) for a, b in spans
    )


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


def visible_text(text: str) -> str:
    """A text of any length with blanks and line ends as they are, and all else that cannot be seen made visible."""
    return "".join(c if c in "\t\n\r" else _visible_character(c) for c in text)


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


# The start, the inside or the end of a word, as SentencePiece, byte-level BPE, WordPiece, BPE and fairseq mark it.
_MARKS_BEFORE, _MARKS_AFTER = ("▁", "Ġ", "##"), ("</w>", "@@")


def bare(piece: str) -> str:
    """A piece without its tokenizer's marks and without white space around it."""
    for mark in _MARKS_BEFORE:
        piece = piece.removeprefix(mark)
    for mark in _MARKS_AFTER:
        piece = piece.removesuffix(mark)
    return piece.replace("▁", " ").strip()
