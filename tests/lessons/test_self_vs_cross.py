"""The lesson on the model that needs no download: its sums are held against the trace's own arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xattn_viz.core.trace import Trace
from xattn_viz.lessons import self_vs_cross
from xattn_viz.models import registry

RIVER, MONEY = list(self_vs_cross.EXAMPLES)[:2]
# The maps are float32.
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def traces() -> dict[str, Trace]:
    model = registry.load("firefox-en-pt")
    return {text: model.trace(text, kinds=("cross", "encoder")) for text in self_vs_cross.EXAMPLES}


def test_a_word_reads_its_own_sentence_by_the_encoders_row_of_it(traces: dict[str, Trace]) -> None:
    trace = traces[RIVER]
    place = (trace.encoder.keys.labels or ()).index("bank")  # every word of this sentence is one token
    for layer in range(6):
        weights = trace.encoder.weights[layer]
        mean, one = self_vs_cross.compare(trace, "bank", layer), self_vs_cross.compare(trace, "bank", layer, head=3)
        np.testing.assert_allclose(mean.self_attention[mean.word], weights[:, place].mean(0), atol=TOLERANCE)
        np.testing.assert_allclose(one.self_attention[one.word], weights[3, place], atol=TOLERANCE)
        np.testing.assert_allclose(mean.cross_attention.sum(-1), 1, atol=TOLERANCE * 10)


def test_in_the_second_layer_bank_reads_river_or_money_and_the_rest_is_the_end_mark(traces: dict[str, Trace]) -> None:
    for text, clue, share in ((RIVER, "river", 0.15), (MONEY, "money", 0.1)):
        found = self_vs_cross.compare(traces[text], "bank", 1)
        weights = dict(zip(found.source, found.self_attention[found.word], strict=True))
        content = ["He", "sat", "took", clue]
        assert max(content, key=lambda word: weights.get(word, 0)) == clue
        assert weights[clue] > share
        assert max(weights.values()) < 0.4  # no word has it all


@pytest.mark.parametrize(("text", "word", "reader"), [(RIVER, "bank", "margem"), (MONEY, "bank", "banco")])
def test_the_translation_of_a_word_reads_it(traces: dict[str, Trace], text: str, word: str, reader: str) -> None:
    found = self_vs_cross.compare(traces[text], word, 0)
    assert found.target[found.reader] == reader
    (most, weight), *others = found.strongest_in_cross()
    assert most == word
    assert weight > 0.7 > others[0][1]
    assert weight == found.cross_attention[:, found.word].max()


def test_a_word_that_comes_again_is_told_apart_and_the_examples_word_comes_first(traces: dict[str, Trace]) -> None:
    assert self_vs_cross.source_words(traces[RIVER])[3:] == ("the", "bank", "of", "the (2)", "river", ".", "</s>")
    for text, word in self_vs_cross.EXAMPLES.items():
        assert self_vs_cross.first_choice(traces[text]) == word
    with pytest.raises(ValueError, match="no word 'money'; it has He, sat"):
        self_vs_cross.compare(traces[RIVER], "money", 0)


@pytest.mark.parametrize(("text", "word", "layer", "head"), [(RIVER, "bank", 1, None), (MONEY, "the (2)", 4, 6)])
def test_the_snippet_prints_what_the_section_says(
    traces: dict[str, Trace], text: str, word: str, layer: int, head: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    code = self_vs_cross.snippet(text, word, layer, head)
    assert len(code.splitlines()) <= 15
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - our own script
    lines = capsys.readouterr().out.splitlines()
    found = self_vs_cross.compare(traces[text], word, layer, head)
    assert lines[0] == traces[text].output
    printed = {kind: [float(line.split()[-1]) for line in lines if line.startswith(kind)] for kind in ("self", "cross")}
    assert printed["self"] == pytest.approx(found.self_attention[found.word].tolist(), abs=TOLERANCE)
    assert printed["cross"] == pytest.approx(found.cross_attention[found.reader].tolist(), abs=TOLERANCE)
