"""Which characters of a text each token covers, for every kind of tokenizer.

Fast tokenizers and SentencePiece report it themselves. For the others (byte-level, WordPiece or BPE in Python) it is
found by following the text along.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Any

from xattn_viz.core.tokens import Span, bare

#: Stands for bytes that make no whole character yet.
BROKEN = "\ufffd"
_DECODED_ANEW = 64  # tokens
_MOST_HELD = 4  # tokens that are found together only; a character has at most four bytes in UTF-8
_MOST_SKIPPED = 40
_SOLID = re.compile(r"\S")
# A character as Moses writes it.
_ESCAPES = re.compile(r"@-@|&(?:amp|apos|quot|lt|gt|#\d+);|.", re.DOTALL)
# What tokenizers write for the punctuation of print.
_TYPED = str.maketrans({**dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‘’‚", "'"), **dict.fromkeys("–—", "-")})


def sentencepiece_spans(tokenizer: Any, processor: Any, text: str) -> list[tuple[str, Span]]:
    """The pieces of a text and what each covers, for a slow tokenizer around one SentencePiece model."""
    found: list[tuple[str, Span]] = []
    for start, part, special in _parts(tokenizer, text):
        if special:
            found.append((part, (start, start + len(part))))
            continue
        if hasattr(tokenizer, "remove_language_code"):  # Marian's >>fra<<
            codes, part = tokenizer.remove_language_code(part)
            for code in codes:
                found.append((code, (start, start + len(code))))
                start += len(code)
        result = processor.encode(part, return_type="offset_mapping")
        spans = [(start + a, start + b) for a, b in result["offsets"]]
        found.extend(zip(result["pieces"], spans, strict=True))
    return found


def moses_spans(tokenizer: Any, text: str) -> list[tuple[str, Span]]:
    """The pieces of a text and what each covers, for a tokenizer that lets Moses cut the words (FSMT).

    Moses writes some characters as several, such as `&apos;` for an apostrophe: each piece of these covers it.
    """
    found: list[tuple[str, Span]] = []
    language = tokenizer.src_lang
    for start, part, special in _parts(tokenizer, text):
        if special:
            found.append((part, (start, start + len(part))))
            continue
        cut = tokenizer.moses_tokenize(tokenizer.moses_pipeline(part, lang=language), lang=language)
        words = [word for word in cut if word]
        bounds = followed_spans(part, words, lambda held: "".join(_plain(word) for word in held))
        for word, (first, end) in zip(words, bounds, strict=True):
            pieces = tokenizer.bpe(word).split(" ")
            units = [len(unit) for unit in _ESCAPES.findall(word)]  # how many characters stand for each one
            places = [i for i, count in enumerate(units) for _ in range(count)]
            at = 0
            for piece in pieces:
                length = len(piece.removesuffix("</w>"))
                inside = places[at : at + length]
                exact = inside and len(units) == end - first
                span = (first + inside[0], first + inside[-1] + 1) if exact else (first, end)
                found.append((piece, (start + span[0], start + span[1])))
                at += length
    return found


def _plain(word: str) -> str:
    """A word of Moses as it stood in the text."""
    return "-" if word == "@-@" else html.unescape(word)


def _parts(tokenizer: Any, text: str) -> Iterator[tuple[int, str, bool]]:
    """Where each part of a text begins, the part, and whether it is a special token, as slow tokenizers cut it."""
    special = {*tokenizer.all_special_tokens, *tokenizer.added_tokens_encoder}
    start = 0
    for part in tokenizer.tokens_trie.split(text):
        start = text.index(part, start)
        yield start, part, part in special
        start += len(part)


def followed_spans(text: str, pieces: Sequence[str], as_text: Callable[[list[str]], str]) -> list[Span]:
    """What each piece covers, found by looking for it where the one before ended.

    `as_text` gives pieces as characters; bytes that make one character together each cover it. What differs only in
    case, accents or compatible forms counts as found. A piece that is not found (`<unk>`) covers what lies between its
    neighbours.
    """
    spans: list[Span | None] = []
    cursor, solid, held = 0, 0, list[str]()
    for piece in pieces:
        if solid <= cursor:
            solid = _past_blanks(text, cursor)
        held.append(piece)
        words = bare(as_text(held))
        incomplete = not words and not bare(piece).isascii()
        span = None if incomplete or BROKEN in words else _find(text, words, cursor, solid)
        if span is None and len(held) < _MOST_HELD:
            continue  # bytes of one character, or pieces of a character that stands for several, such as ﬁ
        spans.extend([span] * len(held))
        cursor, held = span[1] if span else cursor, []
    spans.extend([None] * len(held))
    return _fill_gaps(text, spans)


def _past_blanks(text: str, cursor: int) -> int:
    found = _SOLID.search(text, cursor)
    return found.start() if found else len(text)


def _find(text: str, wanted: str, cursor: int, solid: int) -> Span | None:
    """Where a piece stands: behind the blanks at the cursor, which end at `solid`, or a little behind the unknown."""
    if not wanted:
        return (cursor, cursor)
    if text.startswith(wanted, solid):
        return (solid, solid + len(wanted))
    found = _find_folded(text, _folded(wanted), solid)
    again = text.find(wanted, cursor, cursor + _MOST_SKIPPED)
    return found or ((again, again + len(wanted)) if again >= 0 else None)


def _find_folded(text: str, wanted: str, start: int) -> Span | None:
    """The shortest stretch from `start` that equals `wanted` but for case, accents and compatible forms."""
    for end in range(start + 1, min(len(text), start + 2 * len(wanted) + 2) + 1):
        if _folded(text[start:end]) == wanted:
            return (start, end)
    return None


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).translate(_TYPED).casefold()
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _fill_gaps(text: str, spans: Sequence[Span | None]) -> list[Span]:
    following = [len(text)]  # where the next span that was found begins, from the last one back
    for span in reversed(spans[1:]):
        following.append(span[0] if span else following[-1])
    filled: list[Span] = []
    for span, after in zip(spans, reversed(following), strict=False):
        start = filled[-1][1] if filled else 0
        filled.append(span or (start, max(start, after)))
    return filled


def in_order(spans: Sequence[Span], added: Sequence[bool], length: int) -> list[Span]:
    """Spans that never go back: tokens that were added cover nothing, where the one before them ends."""
    ordered: list[Span] = []
    last = max((i for i, own in enumerate(added) if not own), default=-1)
    for i, ((start, end), own) in enumerate(zip(spans, added, strict=True)):
        before = ordered[-1] if ordered else (0, 0)
        if own:
            place = length if i > last else before[1]
            ordered.append((place, place))
        else:
            start = max(start, before[0])
            ordered.append((start, max(start, end)))
    return ordered


def decoded_spans(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> tuple[str, list[Span]]:
    """The text of ids and what each covers, by decoding ever longer beginnings.

    Tokens that make one character only together (bytes) each cover that character. Of a long output not all is decoded
    anew for each token, but what stands behind a token whose place is known.
    """
    text = decode(ids) if ids else ""
    spans: list[Span] = []
    broken: list[bool] = []
    first, place = 0, 0  # the token that is decoded from, and where it stands in the text
    for i in range(len(ids)):
        beginning = decode(ids[first : i + 1])
        start = spans[-1][1] if spans else 0
        spans.append((start, max(start, _common(beginning, text, place))))
        broken.append(beginning.endswith(BROKEN))
        if i - first >= _DECODED_ANEW:
            later = i - _DECODED_ANEW // 2
            part, begin = decode(ids[later : i + 1]), spans[later][0]
            # A decoder may leave out the blank before the first token.
            found = [at for at in (begin, begin + 1) if text.startswith(part, at) and at + len(part) == spans[i][1]]
            first, place = (later, found[0]) if part and found else (first, place)
    for i in reversed(range(len(ids) - 1)):
        if spans[i][0] == spans[i][1] < spans[i + 1][1] and broken[i]:
            spans[i] = spans[i + 1]
    return text, spans


def _common(beginning: str, text: str, place: int) -> int:
    """Where a text stops to be the same as one that begins at a place of it; half a character does not count."""
    if text.startswith(beginning, place):
        return place + len(beginning)
    beginning = beginning.rstrip(BROKEN)
    pairs = zip(beginning, text[place : place + len(beginning)], strict=False)
    return place + sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
