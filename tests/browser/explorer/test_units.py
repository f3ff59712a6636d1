"""Sentences as rows and columns: sums that Python made, and that the page only shows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import PRINTED, Explorer, assert_painted, weights_of
from tests.browser.explorer.harness import show
from tests.web.explorer.packed import texts
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.web.explorer import pack

# Where the sentences of `texts` begin, and where the last one ends: 3 and `</s>`; 2 and `</s>`; `<s>` and 2.
SOURCE = [0, 4, 9, 11, 12]
OUTPUT = [0, 3, 5, 6]
READ = [0, 1, 4, 6]
NAMES = ["1. The cat sat", "2. It was  old", "3. Nobody knew why!", "</s>"]


@pytest.fixture
def sentences(harness: Page) -> Explorer:
    trace = texts()
    show(harness, pack(trace, select={"units": "sentences"}))
    return Explorer(harness, trace, "harness")


def between(maps: AttentionMaps, view: str, rows: list[int], columns: list[int]) -> np.ndarray:
    weights = weights_of(maps, view).astype(float)
    return np.array([[weights[a:b, c:d].sum(1).mean() for c, d in pairwise(columns)] for a, b in pairwise(rows)])


@pytest.mark.parametrize("view", ["1.1", "2.mean", "mean", "max"])
def test_sentences_of_every_kind(sentences: Explorer, view: str) -> None:
    trace = sentences.trace
    for face, maps, rows, columns in (
        ("Cross", trace.cross, OUTPUT, SOURCE),
        ("Encoder", trace.encoder, SOURCE, SOURCE),
        ("Decoder", trace.decoder, OUTPUT, READ),
    ):
        sentences.press(face)
        sentences.choose(view)
        wanted = between(maps, view, rows, columns)
        named, _, table = sentences.table()
        assert len(named) == len(rows) - 1
        np.testing.assert_allclose(table, wanted, atol=PRINTED * max(1, float(wanted.max())))
        assert_painted(sentences.pixels(), wanted, float(wanted.max()))


def test_rows_named_for_what_was_read(sentences: Explorer) -> None:
    sentences.press("Read")
    rows, columns, table = sentences.table()
    assert (rows, columns) == (["<s>", "1. O gato sentou", "2. Era velho"], NAMES)
    np.testing.assert_allclose(table, between(sentences.trace.cross, "1.1", READ, SOURCE), atol=PRINTED)
    sentences.page.get_by_label("Special tokens").uncheck()
    rows, columns, table = sentences.table()
    assert (rows, columns) == (["1. O gato sentou", "2. Era velho"], NAMES[:3])
    np.testing.assert_allclose(table, between(sentences.trace.cross, "1.1", READ, SOURCE)[1:, :3], atol=PRINTED)


def test_a_sentence_is_read_out_and_marked_as_a_whole(sentences: Explorer) -> None:
    sentences.choose("2.1")
    sentences.token("output", 4).hover()
    wanted = between(sentences.trace.cross, "2.1", OUTPUT, SOURCE)[1]
    expect(sentences.root).to_have_attribute("data-row", "1")
    assert sentences.said().startswith("Predicting 2. Era velho, this head put on average ")
    said = float(sentences.page.locator(".xv-readout strong").inner_text())
    assert said == pytest.approx(wanted.max(), abs=PRINTED)
    name = NAMES[int(wanted.argmax())].replace("  ", " ")  # as a page shows two blanks
    assert f" on {name}" in sentences.said()
    assert sentences.marked("output", "focus") == [False] * 3 + [True] * 2 + [False]
    tints = sentences.tints("source")
    for c, (start, end) in enumerate(pairwise(SOURCE)):
        top = between(sentences.trace.cross, "2.1", OUTPUT, SOURCE).max()
        np.testing.assert_allclose(tints[start:end], wanted[c] / top, atol=0.005)
    assert sentences.page.locator(".xv-lines path").count() == 0
    expect(sentences.page.get_by_label("All lines above")).to_be_hidden()
    sentences.press("Pieces")
    assert sentences.page.locator(".xv-lines path").count() > 0


def test_a_long_sentence_is_named_by_its_first_words(harness: Page) -> None:
    output = "Era uma vez um gato muito velho que dormia sempre. Fim."
    show(harness, pack(texts(output=output), select={"units": "sentences"}))
    label = harness.locator('[aria-label="Chosen map"] .xv-row-labels .xv-label').first
    expect(label).to_have_text("1. Era uma vez um gato muito velho …")
    assert label.get_attribute("title") == "Era uma vez um gato muito velho que dormia sempre."


def test_a_trace_of_single_sentences_has_no_such_unit(explorer: Explorer) -> None:
    expect(explorer.page.locator('[data-value="words"]')).to_be_visible()
    expect(explorer.page.locator('[data-value="sentences"]')).to_have_count(0)


def test_the_common_scale_ends_at_the_largest_of_all_sentences(sentences: Explorer) -> None:
    sentences.press("Common")
    maps = sentences.trace.cross
    named = [f"{layer + 1}.{head + 1}" for layer in maps.layers for head in range(maps.n_heads)]
    largest = max(
        float(between(maps, view, OUTPUT, SOURCE).max()) for view in [*named, "1.mean", "2.mean", "mean", "max"]
    )
    top = float(sentences.stage().get_attribute("data-top") or 0)
    assert top == pytest.approx(largest, abs=1e-6)
