"""SentencePiece as this family uses it: text to ids with the characters that each token covers, and back.

Characters such as "@" or "€" are `<unk>` to these models, so what a token stands for is read from its place in the
text, never from its piece alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sentencepiece

from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import Span, span_labels, whole_graphemes, word_indices
from xattn_viz.models.formats import FormatError

END, UNKNOWN = 0, 1  # the ids of </s> and <unk> in every model of this family
_SPACE = "▁"


@dataclass(frozen=True)
class Tokens:
    """A text with its token ids and, for each, its piece and what it covers: (start, end) in characters of the text."""

    text: str
    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    pieces: tuple[str, ...]

    def ended(self) -> Tokens:
        """The same with `</s>` at the end."""
        end = len(self.text)
        return Tokens(self.text, (*self.ids, END), (*self.spans, (end, end)), (*self.pieces, "</s>"))

    def axis(self) -> Axis:
        """The tokens as an axis, labelled with what they cover in the text; `</s>` is special."""
        special, spans = tuple(token == END for token in self.ids), whole_graphemes(self.text, self.spans)
        return Axis(
            "text",
            labels=span_labels(self.text, spans, map(readable, self.pieces)),
            spans=spans,
            words=word_indices(self.text, spans, special),
            special=special,
        )


class Vocabulary:
    """The vocabulary of one side. Raises FormatError when the bytes are no SentencePiece model for this family."""

    def __init__(self, data: bytes) -> None:
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=data)
        except (RuntimeError, ValueError) as error:
            raise FormatError("This is no SentencePiece vocabulary, or it is damaged.") from error
        ends = (self._processor.eos_id(), self._processor.unk_id())
        if ends != (END, UNKNOWN):
            raise FormatError(f"This vocabulary numbers </s> and <unk> as {ends}, not {(END, UNKNOWN)}.")

    def __len__(self) -> int:
        return int(self._processor.vocab_size())

    def encode(self, text: str) -> Tokens:
        """The tokens of a text, without `</s>`."""
        found = self._processor.encode(text, return_type="offset_mapping")
        return Tokens(text, tuple(found["ids"]), tuple(found["offsets"]), tuple(found["pieces"]))

    def decode(self, ids: Sequence[int], after: Tokens | None = None) -> Tokens:
        """The text of ids (without `</s>`). `after` are tokens that they continue, whose text stays as it was typed."""
        before = len(after.ids) if after else 0
        found = self._processor.decode([*(after.ids if after else ()), *ids], return_type="offset_mapping")
        text, spans, pieces = found["text"], tuple(found["offsets"]), tuple(found["pieces"])
        if after is None:
            return Tokens(text, tuple(ids), spans, pieces)
        start = spans[before - 1][1] if before else 0
        shift = len(after.text) - start
        moved = tuple((a + shift, b + shift) for a, b in spans[before:])
        return Tokens(
            after.text + text[start:], (*after.ids, *ids), after.spans + moved, after.pieces + pieces[before:]
        )

    def readable(self, token: int) -> str:
        """The piece of an id as people read it."""
        return readable(self._processor.id_to_piece(token))


def readable(piece: str) -> str:
    """A piece without its sign for a space; a space where there is nothing else."""
    return piece.replace(_SPACE, " ").strip() or " "
