"""Marian's binary lexical shortlists: which output tokens a source token makes likely.

A decoder that only scores these ids is several times faster. Source: marian-dev `src/data/shortlist.cpp`; all numbers
are little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
