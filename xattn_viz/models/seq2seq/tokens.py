"""A text and its tokens, as values: what each token covers of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xattn_viz.axis import Axis
from xattn_viz.models.seq2seq.offsets import bare
from xattn_viz.tokens import Span, span_labels, word_indices


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
        return Axis(
            "text",
            labels=span_labels(self.text, self.spans, (bare(piece) or " " for piece in self.pieces)),
            spans=self.spans,
            words=word_indices(self.text, self.spans, self.special),
            special=self.special,
        )

    def behind(self, prompt: int) -> Tokens:
        """The same with text and spans counted from behind a prompt of so many characters, whose tokens are special."""
        if not prompt:
            return self
        spans = tuple((max(a - prompt, 0), max(b - prompt, 0)) for a, b in self.spans)
        special = tuple(own or b <= prompt for own, (_, b) in zip(self.special, self.spans, strict=True))
        return Tokens(self.text[prompt:], self.ids, spans, self.pieces, special)


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
