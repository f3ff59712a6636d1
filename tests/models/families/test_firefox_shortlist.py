"""Shortlists: the ids a sentence allows, and what is refused."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from xattn_viz.models.families.firefox.adapter import read_shortlist
from xattn_viz.models.formats import FormatError

LISTS = [[9, 4], [], [30], [31, 9]]


def test_allowed_ids(writers: Any) -> None:
    shortlist = read_shortlist(writers.shortlist(LISTS, first=3), 4, 40)
    # 0, 1, 2 always; 9 and 4 of token 0; 30 of token 2; 3 and 5 make them eight
    assert shortlist.allowed([0, 2, 0], 40).tolist() == [0, 1, 2, 3, 4, 5, 9, 30]
    assert shortlist.allowed([1], 40).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_vocabulary_too_small_to_fill_up(writers: Any) -> None:
    shortlist = read_shortlist(writers.shortlist([[3]], first=2), 1, 5)
    assert shortlist.allowed([0], 5).tolist() == [0, 1, 2, 3, 4]


def test_refused(writers: Any) -> None:
    data = writers.shortlist(LISTS)
    for length in range(len(data)):
        with pytest.raises(FormatError):
            read_shortlist(data[:length], 4, 40)
    with pytest.raises(FormatError, match="first eight bytes"):
        read_shortlist(writers.shortlist(LISTS, magic=7), 4, 40)
    with pytest.raises(FormatError, match="for 4 source tokens, the vocabulary has 5"):
        read_shortlist(data, 5, 40)
    with pytest.raises(FormatError, match="output token 31, the vocabulary has 20"):
        read_shortlist(data, 4, 20)
    with pytest.raises(FormatError, match="after its end"):
        read_shortlist(data + b"\0", 4, 40)
    turned = bytearray(data)
    struct.pack_into("<Q", turned, 48 + 8, 4)  # the second offset beyond the third
    with pytest.raises(FormatError, match="offsets do not fit"):
        read_shortlist(bytes(turned), 4, 40)
