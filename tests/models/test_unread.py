"""What of a long text a model did not read, told in the notes of its trace."""

from __future__ import annotations

from typing import Any

import pytest

from xattn_viz.models import registry
from xattn_viz.models.unread import unread_sentences


@pytest.mark.parametrize("name", ["firefox-en-pt", "firefox-pt-en"])
def test_sentences_that_nothing_attends_to_are_named(name: str, writers: Any) -> None:
    language = name.split("-")[1]
    lines = [line for line in writers.sentences(language) if 15 < len(line) < 120 and line.endswith(".")]
    model = registry.load(name)
    long = model.trace(" ".join(lines[:20]), kinds=("cross",))
    total, unread = unread_sentences(long, language)
    assert unread[-1] == total >= 20  # the end of it at least
    assert len(unread) > 5
    assert any(f"–{total} of {total}: they are probably left out" in note for note in long.provenance["notes"])
    for first in range(0, 12, 3):
        short = model.trace(" ".join(lines[first : first + 3]), kinds=("cross",))
        assert unread_sentences(short, language)[1] == []
        assert not any("attention" in note for note in short.provenance.get("notes", []))


def test_words_under_one_token_are_told() -> None:
    trace = registry.load("firefox-en-pt").trace("The cat sat.", kinds=("cross",))
    assert not any("stand as one word" in note for note in trace.provenance.get("notes", []))
