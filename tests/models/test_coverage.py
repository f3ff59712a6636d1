"""What of a long text a model did not read, told in the notes of its trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from xattn_viz.core.trace import Note, Trace
from xattn_viz.models import coverage, registry
from xattn_viz.models.coverage import notes_of_text, short, uncovered_sentences
from xattn_viz.models.families import firefox, seq2seq

NAMES = ["firefox-en-pt", "firefox-pt-en"]
_traces: dict[str, Trace] = {}


def lines_of(name: str, writers: Any) -> list[str]:
    lines = writers.sentences(name.split("-")[1])
    return [line for line in lines if 15 < len(line) < 120 and line.endswith(".")]


def long_trace(name: str, writers: Any) -> Trace:
    """Of twenty sentences at once."""
    if name not in _traces:
        _traces[name] = registry.load(name).trace(" ".join(lines_of(name, writers)[:20]), kinds=("cross",))
    return _traces[name]


def omission(notes: Iterable[Note]) -> str:
    return next((note.text for note in notes if note.about == "omission"), "")


def of_weights(trace: Trace, weights: Any) -> Trace:
    return replace(trace, maps=(replace(trace.cross, weights=weights),))


@pytest.mark.parametrize("name", NAMES)
def test_sentences_that_nothing_attends_to_are_named_and_a_short_output_is_told(name: str, writers: Any) -> None:
    language = name.split("-")[1]
    long = long_trace(name, writers)
    total, missing = uncovered_sentences(long, language)
    assert missing[-1] == total >= 20  # the end of it at least
    assert len(missing) > 5
    made, read = (int((~axis.is_special).sum()) for axis in (long.cross.queries, long.cross.keys))
    said = omission(long.notes)
    assert said in long.remarks
    assert said.startswith(f"The output came out short: {made} tokens for a source of {read}. To sentences ")
    assert f"–{total} of {total} the output attends less than half as much as to others: they are probably" in said


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_of_texts_that_are_translated_whole(name: str, writers: Any) -> None:
    lines, model = lines_of(name, writers), registry.load(name)
    for text in [*lines[:12], *(" ".join(lines[first : first + 3]) for first in range(0, 12, 3))]:
        trace = model.trace(text, kinds=("cross",))
        assert uncovered_sentences(trace, name.split("-")[1])[1] == []
        assert short(trace) is None
        assert omission(trace.notes) == ""


def test_a_model_whose_attention_is_diffuse_names_no_sentence(writers: Any) -> None:
    lines = lines_of("firefox-en-pt", writers)
    for model in (firefox.FAMILY.example(), seq2seq.FAMILY.example()):
        for count in (2, 3):
            trace = model.trace(" ".join(lines[:count]), kinds=("cross",))
            assert uncovered_sentences(trace, "en") == (count, [])
            assert omission(trace.notes) == ""


@pytest.mark.parametrize(("evenly", "is_told"), [(0.25, True), (0.5, True), (0.9, False), (1.0, False)])
def test_heads_without_a_task_hide_no_sentence_and_name_none(evenly: float, is_told: bool, writers: Any) -> None:
    long = long_trace("firefox-en-pt", writers)
    weights = (1 - evenly) * np.asarray(long.cross.weights) + evenly / len(long.cross.keys)
    found = uncovered_sentences(of_weights(long, weights.astype(np.float32)), "en")
    assert found == uncovered_sentences(long, "en") if is_told else found[1] == []


def test_weight_on_the_end_of_the_source_counts_for_no_sentence(writers: Any) -> None:
    long = long_trace("firefox-en-pt", writers)
    weights = 0.2 * np.asarray(long.cross.weights)
    weights[..., long.cross.keys.is_special] += 0.8
    assert uncovered_sentences(of_weights(long, weights), "en") == uncovered_sentences(long, "en")


@pytest.mark.parametrize(
    ("source", "target", "is_short"),
    [("en", "pt", True), ("en", None, False), (None, "pt", False), ("en", "en", False), ("en", "zh", False)],
)
def test_only_translations_come_out_short(source: str | None, target: str | None, is_short: bool, writers: Any) -> None:
    said = omission(notes_of_text(long_trace("firefox-en-pt", writers), source, target))
    assert said.startswith("The output came out short" if is_short else "To sentences")


def test_what_is_short_and_tells_no_sentence_is_short(monkeypatch: pytest.MonkeyPatch, writers: Any) -> None:
    monkeypatch.setattr(coverage, "_FOCUSED", 2)
    said = omission(notes_of_text(long_trace("firefox-en-pt", writers), "en", "pt"))
    assert "Something is probably left out. Trace the text sentence by sentence." in said
    assert said.startswith("The output came out short: ")


def test_of_one_long_sentence_nobody_asks_for_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "_SHORT", 2)
    text = "The cat sat on the mat and the dog lay by the door" + " and the bird sang in the tree" * 5 + "."
    said = omission(registry.load("firefox-en-pt").trace(text, kinds=("cross",)).notes)
    assert said.endswith("Something is probably left out.")


def test_an_output_that_was_given_leaves_nothing_out(writers: Any) -> None:
    text = " ".join(lines_of("firefox-en-pt", writers)[:8])
    assert omission(registry.load("firefox-en-pt").trace(text, target="O gato.", kinds=("cross",)).notes) == ""


def test_words_under_one_token_are_told() -> None:
    trace = registry.load("firefox-en-pt").trace("The cat sat.", kinds=("cross",))
    assert not any("stand as one word" in note for note in trace.remarks)
