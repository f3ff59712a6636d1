"""Tokens with the text that they are of, as values; and what each covers of a text that came out of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import Span, span_labels, whole_graphemes, word_indices

# The start, the inside or the end of a word, as SentencePiece, byte-level BPE, WordPiece, BPE and fairseq mark it.
_MARKS_BEFORE, _MARKS_AFTER = ("▁", "Ġ", "##"), ("</w>", "@@")
#: Stands for bytes that make no whole character yet.
BROKEN = "\ufffd"
_DECODED_ANEW = 64  # tokens


@dataclass(frozen=True)
class Tokens:
    """A text with its token ids and, for each, what it covers (start, end), its piece, and whether it is special."""

    text: str
    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    pieces: tuple[str, ...]
    special: tuple[bool, ...]

    def axis(self) -> Axis:
        """The tokens as an axis, labelled with what they cover in the text."""
        spans = whole_graphemes(self.text, self.spans)
        return Axis(
            "text",
            labels=span_labels(self.text, spans, (bare(piece) or " " for piece in self.pieces)),
            spans=spans,
            words=word_indices(self.text, spans, self.special),
            special=self.special,
        )

    def read(self, start: int, piece: str) -> Tokens:
        """The tokens read at each step: the start, whose piece is given, then each of these but the last."""
        return Tokens(
            self.text,
            (start, *self.ids[:-1]),
            ((0, 0), *self.spans[:-1]),
            (piece, *self.pieces[:-1]),
            (True, *self.special[:-1]),
        )

    def behind(self, prompt: int) -> Tokens:
        """The same with text and spans counted from behind a prompt of so many characters, whose tokens are special."""
        if not prompt:
            return self
        spans = tuple((max(a - prompt, 0), max(b - prompt, 0)) for a, b in self.spans)
        special = tuple(own or b <= prompt for own, (_, b) in zip(self.special, self.spans, strict=True))
        return Tokens(self.text[prompt:], self.ids, spans, self.pieces, special)


def bare(piece: str) -> str:
    """A piece without its tokenizer's marks and without white space around it."""
    for mark in _MARKS_BEFORE:
        piece = piece.removeprefix(mark)
    for mark in _MARKS_AFTER:
        piece = piece.removesuffix(mark)
    return piece.replace("▁", " ").strip()


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
