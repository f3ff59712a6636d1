from __future__ import annotations

import json

import numpy as np

import xattn_viz as xv
from tests.core.test_evidence import alignment, deletion
from xattn_viz.analysis.head_costs import AblatedOutput, HeadCosts, changed_words
from xattn_viz.core.evidence import ranking_name
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.web import evidence

NAN = float("nan")


def test_a_grid_of_heads_says_every_number_from_1_and_colours_it() -> None:
    values = np.array([[0.5, -0.25, 0.001], [NAN, 1.0, -0.001]], np.float32)
    grid = HeadGrid("cost", "What each head costs", "nats a token", "cross", (2, 5), values, "As it was.")
    sent = json.loads(json.dumps(evidence.head_grid(grid, (5, 1), marks=[(0, 0)]), allow_nan=False))
    assert (sent["rows"], sent["columns"]) == (["Layer 3", "Layer 6"], ["1", "2", "3"])
    assert sent["texts"] == [["0.50", "\u22120.25", "0.00"], ["", "1.00", "0.00"]]
    assert sent["shades"] == [[0.5, -0.25, 0], [None, 1.0, 0]]  # what is written as nothing is coloured as nothing
    assert sent["names"][1][1] == "Layer 6, head 2, nats a token: 1.000"
    assert (sent["selected"], sent["marks"], sent["chooses"]) == ([1, 1], [[0, 0]], True)
    for view in ((5, "mean"), (None, "mean"), (7, 0), (5, 3)):
        assert evidence.head_grid(grid, view)["selected"] is None
    assert evidence.head_grid(grid, top=4.0)["shades"][1][1] == 0.25


def test_between_words_only_weights_that_count_are_written() -> None:
    sent = evidence.word_grid(np.array([[0.04, 0.9]]), ["a\u202eb"], ["", "<b>"], "Weight", [(0, 1)])
    assert sent["texts"] == [["", "0.90"]]
    assert (sent["rows"], sent["columns"]) == (["a\\u202eb"], ["∅", "<b>"])
    assert sent["words"] is True
    assert sent["marks"] == [[0, 1]]


def test_tokens_say_what_they_cost_and_what_would_come() -> None:
    model = xv.load("firefox-en-pt")
    trace = model.trace("The cat sat.")
    costs: HeadCosts = xv.head_costs(model, trace)
    (line,) = evidence.tokens_without(costs, trace, 0, 5)["lines"]
    parts = line["parts"]
    assert len(parts) == len(trace.steps)
    forced = model.force(trace, [[], [xv.Intervention("cross", 0, 5)]])
    for row, part in enumerate(parts):
        is_other = forced.best[0, row] != forced.best[1, row]
        assert part.get("marked", False) == is_other
        assert part.get("below") == (forced.texts(1)[row].strip() if is_other else None) or not is_other
    assert max(part["shade"] for part in parts) <= 1


def test_curves_hold_every_ranking_and_the_mean_of_chance() -> None:
    sent = json.loads(json.dumps(evidence.curves(deletion()), allow_nan=False))
    assert [(one["name"], one["dashed"]) for one in sent["curves"]] == [
        ("occlusion", False),
        ("random orders, mean of 1", True),
    ]
    assert sent["curves"][0]["xs"] == [0, 0.5, 1]
    assert sent["curves"][0]["ys"] == [-0.25, -4, -5]
    assert deletion().sentence in sent["label"]
    assert [ranking_name(name) for name in ("attention", "alti", "value-norms", "2.1")] == [
        "mean attention",
        "ALTI",
        "value-weighted norms",
        "head 2.1",
    ]


def test_a_page_shows_what_its_trace_keeps() -> None:
    trace = Trace((), "red cat", "gato vermelho")
    assert evidence.kept(trace) == []
    links, curves = evidence.kept(trace.with_evidence(alignment(), deletion()))
    assert links["said"] == "Words that say the same are linked, by heads 2.1 and 1.6."
    assert links["figure"]["links"] == [[0, 1, 0.75], [1, 0, 0.5]]
    assert curves["figure"]["kind"] == "curves"


def test_two_outputs_mark_the_words_that_differ() -> None:
    model = xv.load("firefox-en-pt")
    before = model.trace("The cat sat.")
    after = model.trace("The dog sat.")
    changes = changed_words(before.output, after.output)
    sent = evidence.two_outputs(AblatedOutput((), before, after, changes), ("Before", "After"))
    for line, text in zip(sent["lines"], (before.output, after.output), strict=True):
        assert " ".join(part["text"] for part in line["parts"]).split() == text.split()
        assert [part["text"] for part in line["parts"] if part.get("marked")] == [
            text[slice(*(one.before if text == before.output else one.after))] for one in changes
        ]
