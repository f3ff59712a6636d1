"""The tokens of this family: SentencePiece pieces with the characters that each covers, and which outputs are likely.

Characters such as "@" or "€" are `<unk>` to these models, so what a token stands for is read from its place in the
text, never from its piece alone.

A lexical shortlist names the output tokens that each source token makes likely: a decoder that scores only these is
several times faster. Source: marian-dev `src/data/shortlist.cpp`; all numbers are little-endian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from xattn_viz.core.tokens import Span
from xattn_viz.models.engine.results import Tokens
from xattn_viz.models.formats import ByteReader, FormatError

_SHORTLIST_MAGIC = 0xF11A48D5013417F5


@dataclass(frozen=True)
class Shortlist:
    """Which output ids a source token makes likely: `ids[offsets[s]:offsets[s + 1]]` for the source id `s`.

    `first` is how many of the most frequent output ids are always allowed.
    """

    first: int
    offsets: NDArray[np.uint64]
    ids: NDArray[np.uint32]

    def allowed(self, source: list[int], n_target: int) -> NDArray[np.int64]:
        """The sorted output ids allowed for a source sentence, of `n_target` there are.

        As marian-dev does: the most frequent ids, those of each source token, then more from `first` upward until
        their number divides by 8.
        """
        chosen = set(range(min(self.first, n_target)))
        for token in set(source):
            chosen.update(self.ids[int(self.offsets[token]) : int(self.offsets[token + 1])].tolist())
        spare = (i for i in range(self.first, n_target) if i not in chosen)
        chosen.update([next(spare) for _ in range(min(-len(chosen) % 8, n_target - len(chosen)))])
        return np.array(sorted(chosen))


def read_shortlist(data: bytes, n_source: int, n_target: int) -> Shortlist:
    """Read a binary lexical shortlist between vocabularies of the given sizes.

    Raises FormatError where the bytes are not such a file, are damaged, or belong to other vocabularies.
    """
    reader = ByteReader(data)
    magic, _checksum, first, _best, n_offsets, n_ids = (reader.u64("the header") for _ in range(6))
    if magic != _SHORTLIST_MAGIC:
        raise FormatError("This is no Marian shortlist: its first eight bytes are not the right ones.")
    if n_offsets != n_source + 1:
        raise FormatError(f"The shortlist is for {n_offsets - 1} source tokens, the vocabulary has {n_source}.")
    offsets = reader.array("<u8", n_offsets, "the offsets").astype(np.uint64)
    ids = reader.array("<u4", n_ids, "the ids").astype(np.uint32)
    reader.end()
    if offsets[0] != 0 or offsets[-1] != len(ids) or (offsets[1:] < offsets[:-1]).any():
        raise FormatError("The shortlist's offsets do not fit its ids, so it is damaged.")
    if len(ids) and ids.max() >= n_target:
        raise FormatError(f"The shortlist names the output token {ids.max()}, the vocabulary has {n_target}.")
    return Shortlist(int(first), offsets, ids)


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
