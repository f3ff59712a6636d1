"""What the header of a sound file (WAV, RF64, Wave64, CAF, Ogg, MP4) says of its length, against how long it is."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

_MOST_CHUNKS = 100_000
_UNKNOWN = 0x7FFFF000  # what writes into a pipe knows no length, and says one of those above
_LITTLE = 16_384  # bytes behind the sound that are tags of some kind


@dataclass(frozen=True)
class StatedLength:
    """What a header says against what is there.

    `read_share` is how much of the sound that it promises is there, from 0 to 1, None where it promises nothing;
    `is_short` where much lies behind the end that it names, and is no further chunk; `is_cut` where the file ends in
    the middle of something.
    """

    read_share: float | None = None
    is_short: bool = False
    is_cut: bool = False


@dataclass(frozen=True)
class _Kind:
    """A format: where its chunks begin, the bytes of a name, its number for a length, and what that length counts."""

    begin: int
    name: int
    length: str
    counts_itself: bool = False
    align: int = 1

    @property
    def head(self) -> int:
        return self.name + struct.calcsize(self.length)


_RIFF = _Kind(12, 4, "<I", align=2)
_KINDS = {
    b"RIFF": _RIFF,
    b"RF64": _RIFF,
    b"BW64": _RIFF,
    b"riff": _Kind(40, 16, "<Q", True, 8),
    b"caff": _Kind(8, 4, ">q"),
}


def stated_length(file: BinaryIO) -> StatedLength:
    """What the file's header says of its length. Nothing where it is of no kind that is known here."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    magic, behind = file.read(4), file.read(4)
    if magic == b"OggS":
        return StatedLength(is_cut=_ends_in_a_page(file, end))
    if behind == b"ftyp":
        return StatedLength(is_cut=_ends_in_a_box(file, end))
    kind = _KINDS.get(magic)
    if kind is None:
        return StatedLength()
    found = _data(file, kind, end)
    if found is None:
        return StatedLength()
    start, length = found
    if not 0 < length < _UNKNOWN and not (magic != b"RIFF" and 0 < length < 1 << 62):
        return StatedLength()
    if start + length > end:
        return StatedLength(read_share=(end - start) / length, is_cut=True)
    rest = end - start - length
    is_short = magic == b"RIFF" and rest > max(_LITTLE, length // 50) and not _are_chunks(file, start + length, end)
    return StatedLength(read_share=None if is_short else 1.0, is_short=is_short)


def _data(file: BinaryIO, kind: _Kind, end: int) -> tuple[int, int] | None:
    """Where the sound begins and how many bytes it has, as the file says."""
    at, long = kind.begin, None
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(kind.head)
        if len(head) < kind.head:
            return None
        (length,) = struct.unpack(kind.length, head[kind.name :])
        if kind.counts_itself:
            length -= kind.head
        at += kind.head
        if head[:4] == b"ds64" and len(sizes := file.read(16)) == 16:
            (long,) = struct.unpack("<Q", sizes[8:])  # the length of the sound, where 32 bits cannot hold it
        if head[:4] == b"data":
            return at, length if long is None or length != 0xFFFFFFFF else long
        at += length + -length % kind.align
        if length < 0 or at > end:
            return None
    return None


def _are_chunks(file: BinaryIO, at: int, end: int) -> bool:
    """Whether further chunks of a WAV file follow, up to its end."""
    at += at % 2
    for _ in range(_MOST_CHUNKS):
        if at + _RIFF.head > end:
            return True
        file.seek(at)
        head = file.read(_RIFF.head)
        (length,) = struct.unpack("<I", head[4:])
        if not all(32 <= byte < 127 for byte in head[:4]) or at + _RIFF.head + length > end + 1:
            return False
        at += _RIFF.head + length + length % 2
    return False


def _ends_in_a_page(file: BinaryIO, end: int) -> bool:
    """Whether an Ogg file stops in the middle of a page."""
    most = 27 + 255 + 255 * 255  # bytes of a page
    file.seek(max(0, end - most))
    tail = file.read(most)
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _ends_in_a_box(file: BinaryIO, end: int) -> bool:
    """Whether an MP4 file stops in the middle of a box."""
    at = 0
    for _ in range(_MOST_CHUNKS):
        if at >= end:
            return at > end
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:  # it stands behind the name, in 64 bits
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0 says: up to the end
            return len(head) < 8
        at += length
    return False
