"""SentencePiece as this family uses it: text to ids with the characters that each token covers, and back.

Characters such as "@" or "€" are `<unk>` to these models, so what a token stands for is read from its place in the
text, never from its piece alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import sentencepiece

from xattn_viz.core.tokens import Span
from xattn_viz.models.engine.tokens import Tokens
from xattn_viz.models.formats import FormatError

END, UNKNOWN = 0, 1  # the ids of </s> and <unk> in every model of this family
START = -1  # stands for the zero vector that the decoder reads first, which has no piece of its own
_NOTHING = Tokens("", (), (), (), ())


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
        """The tokens of a text, with `</s>` behind them."""
        found = self._processor.encode(text, return_type="offset_mapping")
        return _tokens(text, (*found["ids"], END), found["offsets"], found["pieces"])

    def output(self, ids: Sequence[int], begin: Tokens = _NOTHING) -> Tokens:
        """The text of ids. They begin with tokens that were given, whose text stays as it was typed."""
        own = ids[:-1] if ids and ids[-1] == END else ids
        found = self._processor.decode([*own], return_type="offset_mapping")
        text, spans, pieces = found["text"], found["offsets"], found["pieces"]
        count = len(begin.ids)
        start = spans[count - 1][1] if count else 0
        shift = len(begin.text) - start
        moved = [(a + shift, b + shift) for a, b in spans[count:]]
        return _tokens(begin.text + text[start:], ids, (*begin.spans, *moved), (*begin.pieces, *pieces[count:]))

    def plain(self, ids: Sequence[int]) -> str:
        """Only the text of ids."""
        return str(self._processor.decode([i for i in ids if i != END]))

    def piece(self, token: int) -> str:
        """The piece of an id."""
        return "<s>" if token == START else str(self._processor.id_to_piece(token))

    def readable(self, token: int) -> str:
        """The piece of an id as people read it: without its sign for a space; a space where there is nothing else."""
        return self.piece(token).replace("▁", " ").strip() or " "


def _tokens(text: str, ids: Sequence[int], spans: Sequence[Span], pieces: Sequence[str]) -> Tokens:
    """The tokens of a text, of which an end has neither span nor piece yet."""
    if len(ids) > len(spans):
        spans, pieces = (*spans, (len(text), len(text))), (*pieces, "</s>")
    return Tokens(text, tuple(ids), tuple(spans), tuple(pieces), tuple(token == END for token in ids))
