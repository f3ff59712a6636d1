"""A file of a map says what is on screen: the same weights, labels, title, caption and name."""

from __future__ import annotations

import csv
import datetime
import io
import json
from dataclasses import replace
from typing import Literal
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.web.explorer.packed import texts
from xattn_viz import export
from xattn_viz.core import view
from xattn_viz.core.axis import Axis
from xattn_viz.core.evidence import Alignment, AlignmentHead, AlignmentLink, Word
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import Rows, View, select
from xattn_viz.export.shown import shown
from xattn_viz.plots.svg import LINKED

DAY = datetime.date(2026, 11, 29)


def made() -> Trace:
    """Two layers of three heads over two words of three pieces, as a model of the package would trace them."""
    source = Axis(
        "text",
        labels=("The", "cat", "s", "</s>"),
        spans=((0, 3), (4, 7), (7, 8), (8, 8)),
        words=(0, 1, 1, 2),
        special=(False, False, False, True),
    )
    target = Axis("text", labels=("Os", "gatos", "</s>"), spans=((0, 2), (3, 8), (8, 8)), words=(0, 1, 2))
    read = Axis("text", labels=("<s>", "Os", "gatos"), spans=((0, 0), (0, 2), (3, 8)), words=(0, 1, 2))
    weights = np.random.default_rng(3).dirichlet(np.ones(4), (2, 3, 3)).astype(np.float32)
    maps = AttentionMaps(weights, target, source, "cross", (0, 1), read=read)
    return Trace((maps,), "The cats", "Os gatos", provenance={"model": "firefox-en-pt"})


def test_a_head_is_the_one_that_was_chosen_with_all_that_is_said_of_it() -> None:
    trace = made()
    found = shown(trace, View(layer=1, head=0, query=1, key=2), date=DAY)
    assert np.array_equal(found.selected.weights, trace.cross.weights[1, 0])
    assert found.lines == (
        "Cross-attention, layer 2, head 1",
        "The cats → Os gatos",
        "Rows: word being written. Columns: source word being read. Row t is named for the token predicted at step t.",
        f"Selected: gatos → s, {trace.cross.weights[1, 0, 1, 2]:.2f}.",
        "firefox-en-pt, 2026-11-29",
    )


def linked() -> Trace:
    """The same with its words linked one by one."""
    words = tuple(Word(text, span) for text, span in (("The", (0, 3)), ("cats", (4, 8))))
    others = tuple(Word(text, span) for text, span in (("Os", (0, 2)), ("gatos", (3, 8))))
    links = (AlignmentLink(0, 0, 0.75), AlignmentLink(1, 1, 0.5))
    weights = np.array([[0.75, 0.125], [0.25, 0.5]])
    heads = (AlignmentHead(1, 0), AlignmentHead(0, 2, 1))
    trace = made()
    assert trace.cross.read is not None
    read = replace(trace.cross.read, special=(True, False, False))
    trace = replace(trace, maps=(replace(trace.cross, read=read),))
    return trace.with_evidence(Alignment(words, others, links, weights, heads, (), "given", "threshold", 0.37))


def test_linked_words_are_framed_where_the_view_shows_them() -> None:
    trace = linked()
    found = shown(trace, View(layer=1, head=0), date=DAY)
    assert found.linked == ((0, 0), (1, 1), (1, 2))
    assert found.caption.endswith("In a frame: words that are linked, by heads 2.1 and 1.3.")
    assert shown(trace, View(layer=1, head=0, rows="input"), date=DAY).linked == ((1, 0), (2, 1), (2, 2))
    assert shown(trace, View(layer=1, head=0, units="words"), date=DAY).linked == ((0, 0), (1, 1))
    for without in (View(layer=1, head=0, links=False), View(layer=1, head=0, units="sentences")):
        hidden = shown(trace, without, date=DAY)
        assert (hidden.linked, "linked" in hidden.caption) == ((), False)
    frames = [xml.count(LINKED) for xml in (export.svg(trace, View(layer=1, head=0)), export.svg(made(), View()))]
    assert frames == [3, 0]
    assert json.loads(export.json(trace, View(layer=1, head=0)))["linked"] == [[0, 0], [1, 1], [1, 2]]
    assert json.loads(export.json(trace))["alignment"]["links"] == [[0, 0, 0.75], [1, 1, 0.5]]


def test_rows_read_are_named_for_the_token_before() -> None:
    found = shown(made(), View(layer=0, head=1, rows="input"), date=DAY)
    assert found.selected.queries.labels == ("<s>", "Os", "gatos")
    assert "Rows: word just written." in found.caption
    assert "Row t is named for the token read at step t, the start token first." in found.caption


def test_between_words_weights_are_summed_and_special_tokens_left_out() -> None:
    trace = made()
    found = shown(trace, View(layer=0, head="mean", units="words", special=False))
    mean = trace.cross.weights[0].mean(axis=0)
    np.testing.assert_allclose(found.selected.weights, np.stack([mean[:, 0], mean[:, 1:3].sum(1)], 1), atol=1e-6)
    assert found.selected.keys.labels == ("The", "cats")
    assert found.caption.endswith("Special tokens are left out: rows may sum to less than 1.")


def test_sums_of_a_maximum_over_heads_are_those_on_screen_though_they_are_above_1() -> None:
    trace = made()
    found = shown(trace, View(layer=None, head="max", units="words"))
    peak = trace.cross.weights.max(axis=(0, 1))
    np.testing.assert_allclose(found.selected.weights[:, 1], peak[:, 1:3].sum(1), atol=1e-6)


def test_sentences_are_summed_and_named_by_number() -> None:
    trace = texts()
    found = shown(trace, View(layer=0, head=0, units="sentences"))
    labels = found.selected.keys.labels or ()
    assert [label[:3] for label in labels[:-1]] == [f"{number}. " for number in range(1, len(labels))]
    assert labels[0] == "1. The cat sat."
    np.testing.assert_allclose(found.selected.weights.sum(axis=1), 1, atol=1e-5)


def test_a_common_scale_ends_at_the_maximum_of_all_maps() -> None:
    trace = made()
    assert shown(trace, View(head=0, scale="common")).selected.top == pytest.approx(trace.cross.weights.max())
    assert shown(trace, View(head=0)).selected.top == pytest.approx(trace.cross.weights[0, 0].max())


@pytest.mark.parametrize("units", ["pieces", "words"])
@pytest.mark.parametrize("rows", ["predicted", "input"])
@pytest.mark.parametrize("special", [True, False])
def test_the_panel_in_numbers_has_the_map_of_the_files(
    units: Literal["pieces", "words"], rows: Rows, special: bool
) -> None:
    trace = joined()
    view = View(layer=1, head=2, units=units, rows=rows, special=special)
    found = shown(trace, view).selected
    panel = select(view.shown(trace), 1, 2, rows=rows)
    np.testing.assert_allclose(panel.weights, found.weights, atol=1e-6)
    for ours, theirs in ((panel.queries, found.queries), (panel.keys, found.keys)):
        assert [ours.name(i) for i in range(len(ours))] == [theirs.name(i) for i in range(len(theirs))]


def joined() -> Trace:
    """An output whose words have several pieces: those predicted and those read begin at other steps."""
    trace = made()
    labels, words = ("O", "ga", "to", "</s>"), (0, 1, 1, 2)
    target = Axis("text", labels=labels, words=words, special=(False, False, False, True))
    read = Axis("text", labels=("<s>", *labels[:3]), words=(0, 1, 2, 2), special=(True, False, False, False))
    weights = np.random.default_rng(5).dirichlet(np.ones(4), (2, 3, 4)).astype(np.float32)
    return replace(trace, maps=(replace(trace.cross, weights=weights, queries=target, read=read),))


def test_every_format_gives_the_map_on_screen() -> None:
    trace = made()
    view = View(layer=1, head=2, rows="input", units="words", special=False, query=0, key=1)
    found = shown(trace, view)
    said = json.loads(export.json(trace, view))
    np.testing.assert_allclose(said["weights"], found.selected.weights, atol=1e-7)
    assert (said["title"], said["caption"], said["selected"]) == (found.title, found.caption, found.choice)
    assert (said["input"], said["output"], said["origin"]) == ("The cats", "Os gatos", found.origin)
    assert View.parse(said["view"]) == view
    assert (said["queries"]["labels"], said["keys"]["labels"]) == (["<s>", "Os", "gatos"], ["The", "cats"])

    rows = list(csv.DictReader(io.StringIO(export.csv(trace, view))))
    assert [(row["query_label"], row["key_label"]) for row in rows[:3]] == [
        ("<s>", "The"),
        ("<s>", "cats"),
        ("Os", "The"),
    ]
    np.testing.assert_allclose([float(row["weight"]) for row in rows], found.selected.weights.ravel(), atol=1e-6)
    assert rows[0]["about"] == " · ".join(found.lines)
    assert {row["about"] for row in rows[1:]} == {""}

    picture = ET.fromstring(export.svg(trace, view))  # noqa: S314 - our own text
    written = " ".join(text.text or "" for text in picture.iter("{http://www.w3.org/2000/svg}text"))
    for line in found.lines:
        assert line in written
    widest = float(picture.get("width") or 0)
    assert widest >= 480

    page = export.html(trace, view)
    assert "Shown first: Cross-attention, layer 2, head 3. Rows: word just written." in page
    assert f"Saved from {found.origin}." in page


@pytest.mark.parametrize(
    ("model", "text", "wanted"),
    [
        ("firefox-en-pt", "The cat sat on the mat.", "en-pt_cat-sat"),
        ("Helsinki-NLP/opus-mt-en-fr", "Hello!", "opus-mt-en-fr_hello"),
        ("whisper-tiny-en", "And so, my fellow Americans", "whisper-tiny-en_and-so"),
        ("", "", "attention"),
        ("../../x", "a/b\\c", "x_b-c"),
        ("m", "Привет, мир", "m_привет-мир"),
        ("C:\\Users\\me\\my model", "cat", "my-model_cat"),
        ("m", "w" * 300, "m_" + "w" * 24),
    ],
)
def test_a_file_is_named_for_its_model_and_its_text(model: str, text: str, wanted: str) -> None:
    maps = made().maps
    trace = Trace(maps, text, "", provenance={"model": model} if model else {})
    assert view.file_stem(trace) == wanted
    assert export.file_name(trace, View(layer=1, head=0)) == f"{wanted}_L2H1"


def test_what_else_is_looked_at_stands_in_the_name_too() -> None:
    trace = made()
    assert export.file_name(trace, View(layer=None, head="max")).endswith("_max")
    wanted = "_L2mean-words-read"
    assert export.file_name(trace, View(layer=1, head="mean", units="words", rows="input")).endswith(wanted)
    assert export.file_name(texts(), View("encoder", 0, 1)).endswith("_encoder-L1H2")
