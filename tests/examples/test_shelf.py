"""What each sentence of the shelf claims is what the model does: its output, its looks, its faults, its quotations."""

from __future__ import annotations

import re
from dataclasses import fields

import numpy as np
import pytest

import xattn_viz as xv
from xattn_viz.examples import ALL, EXAMPLES, Example, SpeechExample
from xattn_viz.examples.shelf import SHELF

QUOTED = re.compile("“([^”]*)”")


@pytest.mark.parametrize("example", SHELF, ids=lambda example: example.slug)
def test_what_is_claimed_is_what_the_model_does(example: Example) -> None:
    model = xv.load(example.model)
    trace = model.trace(example.text)
    assert trace.output == example.output
    queries, keys = ([axis.name(i) for i in range(len(axis))] for axis in (trace.cross.queries, trace.cross.keys))
    weights = trace.cross.head(example.layer, example.head)
    assert example.row is not None
    if example.mended is None:
        assert queries[example.row] in {row for row, _ in example.looks}
    for row, column in example.looks:
        assert queries.count(row) == 1
        looked = weights[queries.index(row)]
        assert keys[int(looked.argmax())] == column
        # Far from a tie, so that another machine's sums do not change what is looked at most.
        assert looked.max() - np.partition(looked, -2)[-2] > 0.05
    if "unsure" in example.notice:
        assert sum(np.exp(step.log_prob) < 0.5 for step in trace.steps[: example.row]) >= 2
    assert (example.wrong is None) == (not example.fault)
    if example.wrong is not None:
        written, right = example.wrong
        assert written in trace.output
        assert not re.search(rf"\b{re.escape(right)}\b", trace.output)
        assert right in QUOTED.findall(example.fault)
        assert example.fault.startswith("Wrong")
    if example.mended is not None:
        token, mended = example.mended
        (other,) = (one for one in trace.steps[example.row].alternatives if one.token == token)
        before = [step.id for step in trace.steps[: example.row]]
        again = model.trace(example.text, prefix=[*before, other.id])
        assert [step.id for step in again.steps[: len(before) + 1]] == [*before, other.id]
        assert again.output == mended
        assert example.wrong is not None
        assert example.wrong[1] in mended
    known = " ".join([example.text, trace.output, *queries, *keys, *(example.wrong or ()), *(example.mended or ())])
    for word in QUOTED.findall(example.said):
        assert word in known or word == "comer"  # the verb that “como” is a form of
    assert all(part.endswith(".") for part in (example.notice, example.fault) if part)


def test_the_shelf_has_each_phenomenon_in_both_directions_with_faults() -> None:
    wanted = {"Agreement and gender", "Pronouns", "Negation", "Word order", "Idioms", "Names", "Numbers", "Compounds"}
    wanted |= {"One word in two contexts"}
    for model in ("firefox-en-pt", "firefox-pt-en"):
        mine = [one for one in (*EXAMPLES, *SHELF) if one.model == model]
        assert wanted - {one.phenomenon for one in mine} <= {"Agreement and gender"}  # English has hardly any
        assert sum(bool(one.fault) for one in mine) >= 6
    assert wanted <= {one.phenomenon for one in SHELF}
    names = [one.slug for one in (*ALL, *SHELF) if not isinstance(one, SpeechExample)]
    assert len(set(names)) == len(names)
    texts = [(one.model, one.text) for one in (*EXAMPLES, *SHELF)]
    assert len(set(texts)) == len(texts)
    assert {field.name for field in fields(Example)} >= {"phenomenon", "fault", "looks"}


def test_pairs_of_one_word_differ_where_the_context_does() -> None:
    by_slug = {one.slug: one for one in SHELF}
    for one, other, word in (
        ("bank-river", "bank-money", "bank"),
        ("bench", "lent", "banco"),
        ("sleeve", "mango", "manga"),
    ):
        assert all(word in by_slug[slug].text for slug in (one, other))
    assert "margem" in by_slug["bank-river"].output
    assert "banco" in by_slug["bank-money"].output
