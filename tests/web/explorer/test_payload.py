"""What the explorer's script reads is what the trace holds, within the rounding to uint8."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import xattn_viz as xv
from tests.browser.explorer.pictured import GRID, PROMPT, STEPS, captioned, drawn
from tests.web.explorer.packed import OUTPUT, ROUNDING, planted, sheet_of, texts, unpacked, weights_of
from xattn_viz.analysis.head_measures import map_grids, surprises
from xattn_viz.analysis.heads import weight_on_special
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import HeadGrid, Hypothesis, Layer, Step, Trace
from xattn_viz.core.view import head_key
from xattn_viz.examples import load
from xattn_viz.models.families.firefox.adapter import START, UNKNOWN, FirefoxAdapter
from xattn_viz.web import explorer
from xattn_viz.web.explorer import identity, pack
from xattn_viz.web.explorer.sheets import TILE_SIDE, max_pool


def test_every_head_is_there_within_the_rounding() -> None:
    trace = planted()
    header, data = unpacked(pack(trace))
    maps = trace.cross
    heads = [view for view in header["views"] if view["head"] is not None]
    assert [(view["layer"], view["head"]) for view in heads] == [(i, j) for i in range(2) for j in range(3)]
    for view in heads:
        exact = maps.weights[view["layer"], view["head"]]
        assert np.abs(weights_of(view, data, (4, 5)) - exact).max() <= ROUNDING * view["scale"] + 1e-7


def test_means_and_the_maximum_are_those_of_the_maps() -> None:
    trace = planted()
    header, data = unpacked(pack(trace))
    weights = trace.cross.weights
    named = {(view["layer"], view["reduce"]): view for view in header["views"] if view["reduce"]}
    wanted = {
        (0, "mean"): weights[0].mean(0),
        (1, "mean"): weights[1].mean(0),
        (None, "mean"): weights.mean((0, 1)),
        (None, "max"): weights.max((0, 1)),
    }
    assert named.keys() == wanted.keys()
    for name, exact in wanted.items():
        assert np.abs(weights_of(named[name], data, (4, 5)) - exact).max() <= ROUNDING + 1e-7


def test_exact_arrays_come_back_bit_for_bit() -> None:
    trace = planted()
    header, data = unpacked(pack(trace))
    exact, projections = header["exact"], trace.cross.projections
    assert projections is not None
    for name, array in {
        "weights": trace.cross.weights,
        "queries": projections.queries,
        "keys": projections.keys,
    }.items():
        assert np.array_equal(np.frombuffer(data, "<f4", array.size, exact[name]).reshape(array.shape), array)
    assert exact["d_k"] == 8
    assert exact["scale"] == pytest.approx(8**-0.5)


def test_exact_arrays_stay_behind_where_they_would_be_large() -> None:
    header, _ = unpacked(pack(planted(), exact_limit=100))
    assert header["exact"] is None


def test_a_large_trace_sends_pooled_tiles_and_one_layer() -> None:
    trace = planted(layers=3, heads=2, queries=100, keys=70)
    header, data = unpacked(pack(trace, layer=1, full_limit=10_000))
    assert header["tiles"] == [TILE_SIDE, TILE_SIDE]
    assert {view["layer"] for view in header["views"] if "at" in view} == {1, None}
    view = header["views"][0]
    tile = np.frombuffer(data, np.uint8, TILE_SIDE**2, view["tile"]).reshape(TILE_SIDE, TILE_SIDE)
    pooled = max_pool(trace.cross.weights[0, 0], TILE_SIDE)
    assert np.abs(tile * (view["scale"] / 255) - pooled).max() <= ROUNDING
    with pytest.raises(ValueError, match="no layer 7"):
        pack(trace, layer=7)


def test_pooling_keeps_every_peak() -> None:
    weights = np.random.default_rng(1).random((130, 65)).astype(np.float32)
    pooled = max_pool(weights, 64)
    assert pooled.shape == (64, 64)
    for row in range(64):
        block = weights[row * 130 // 64 : (row + 1) * 130 // 64]
        assert pooled[row].max() == block.max()
    small = weights[:5, :7]
    assert np.array_equal(max_pool(small, 64), small)


def test_labels_are_visible_and_text_between_tokens_is_kept() -> None:
    axis = Axis("text", labels=("a", "\u202eb", "</s>"), spans=((1, 2), (2, 5), (5, 5)), special=(False, False, True))
    maps = AttentionMaps(np.full((1, 1, 1, 3), 1 / 3, np.float32), Axis("text", labels=("x",)), axis, "cross", (0,))
    header, _ = unpacked(pack(Trace((maps,), "  a \u202eb\u200b"[1:], "x")))
    keys = header["keys"]
    assert keys["labels"] == ["a", "\\u202eb", "</s>"]
    assert keys["gaps"] == [" ", " ", ""]
    assert keys["rest"] == "\\u200b"
    assert keys["special"] == [False, False, True]


def test_steps_carry_probabilities_not_logarithms() -> None:
    header, _ = unpacked(pack(planted()))
    assert header["steps"][2]["p"] == pytest.approx(np.exp(-0.2))
    assert header["steps"][0]["alternatives"] == [["<b>", pytest.approx(np.exp(-2.0)), 9]]


def test_identity_tells_traces_apart() -> None:
    assert identity(planted()) == identity(planted())
    assert identity(planted()) != identity(planted(seed=1))


def test_every_kind_of_attention_is_a_sheet_with_its_own_axes() -> None:
    trace = texts()
    header, data = unpacked(pack(trace))
    assert [sheet["kind"] for sheet in header["sheets"]] == ["cross", "encoder", "decoder"]
    for maps in trace.maps:
        sheet = sheet_of(header, maps.kind)
        shape = (len(maps.queries), len(maps.keys))
        for view in (view for view in sheet["views"] if view["head"] is not None):
            exact = maps.weights[view["layer"], view["head"]]
            assert np.abs(weights_of(view, data, shape) - exact).max() <= ROUNDING * view["scale"] + 1e-7
        assert sheet["keys"]["labels"] == ["␣" if label == " " else label for label in maps.keys.labels or ()]
    assert header["axes"] == [sheet_of(header, "cross")[field] for field in ("queries", "keys", "read")]


def test_a_layer_is_sent_of_the_kind_that_was_asked_for() -> None:
    trace = texts()
    header, _ = unpacked(pack(trace, layer=1, kind="encoder", full_limit=10))
    sent = {sheet["kind"]: {view["layer"] for view in sheet["views"] if "at" in view} for sheet in header["sheets"]}
    assert sent == {"cross": set(), "encoder": {1, None}, "decoder": set()}
    assert all("tile" in view for sheet in header["sheets"] for view in sheet["views"])
    with pytest.raises(ValueError, match="no layer 2"):
        pack(trace, layer=2)
    pack(trace, layer=2, kind="encoder")


def test_one_sentence_and_one_kind_cost_nothing_more() -> None:
    header, _ = unpacked(pack(planted()))
    assert not {"growing", "beside"} & set(header)
    assert not any("sentences" in each for each in (*header["axes"], *header["views"]))
    assert unpacked(pack(planted(), growing=True))[0]["growing"] is True


def test_what_a_newcomer_is_told_comes_along() -> None:
    trace = replace(texts(), steps=tuple(Step("<i>", i, -float(i)) for i in range(len(texts().cross.queries))))
    header, _ = unpacked(pack(trace, languages=("English", "\u202e<b>")))
    assert header["languages"] == ["English", "\\u202e<b>"]
    assert {sheet["kind"]: sheet["titles"] for sheet in header["sheets"]} == {
        "cross": ["word being written", "word just written", "source word being read"],
        "encoder": ["source word being represented"] * 2 + ["source word being read"],
        "decoder": ["word being written", "word just written", "earlier word being read"],
    }
    said = surprises(trace)
    assert [(one["title"], one["says"]) for one in header["surprises"]] == [(one.title, one.says) for one in said]
    assert header["surprises"][0]["head"] == head_key(said[0].layer, said[0].head)
    assert (header["surprises"][2]["head"], header["surprises"][2]["row"]) == (None, said[2].query)
    assert "surprises" not in unpacked(pack(trace, growing=True))[0]


def test_two_outputs_stand_beside_each_other() -> None:
    trace, other = texts(), texts(output="Um gato velho sentou.", seed=1)
    header, data = unpacked(pack(trace, beside=other, name="Model", beside_name="<b>Mine\n"))
    beside = header["beside"]
    assert beside["names"] == ["Model", "<b>Mine⏎"]
    assert beside["id"] == identity(other) != header["id"]
    maps = other.cross
    view = beside["sheets"][0]["views"][0]
    exact = weights_of(view, data, (len(maps.queries), len(maps.keys)))
    assert np.abs(exact - maps.weights[0, 0]).max() <= ROUNDING * view["scale"] + 1e-7
    # O gato sentou. Era velho. </s>  |  Um gato velho sentou. </s>
    assert beside["sheets"][0]["pairs"]["predicted"]["words"] == [
        [0, 0],
        [1, 1],
        [None, 2],
        [2, 3],
        [3, None],
        [4, None],
        [5, 4],
    ]
    assert beside["sheets"][0]["pairs"]["predicted"]["sentences"] == [[0, 0], [1, None], [2, 1]]
    assert beside["sheets"][0]["pairs"]["input"]["pieces"][0] == [0, 0]
    assert beside["sheets"][0]["keys"] == header["keys"]


def test_of_two_sources_columns_are_paired_too_and_what_has_nothing_in_common_is_refused() -> None:
    trace = texts()
    other = replace(trace.cross, keys=replace(trace.cross.keys, labels=tuple("abcdefghijkl")))
    header, _ = unpacked(pack(trace, beside=Trace((other,), "abcdefghijkl", OUTPUT)))
    assert header["beside"]["sheets"][0]["columns"]["pieces"] == [[i, i] for i in range(12)]
    assert "units" not in header["beside"]
    header, _ = unpacked(pack(trace, beside=replace(planted(), provenance={"model": "another"})))
    assert header["beside"]["units"] == ["words", "sentences"]
    with pytest.raises(xv.InputError, match="the columns of the first are text, those of the second patches"):
        pack(trace, beside=captioned())
    one = captioned()
    assert "picture" not in unpacked(pack(one, beside=captioned()))[0]["beside"]
    two, data = unpacked(pack(one, beside=replace(one, input=255 - np.asarray(one.input))))
    at, count = two["beside"]["picture"]["at"], np.asarray(one.input).size
    np.testing.assert_array_equal(
        np.frombuffer(data, np.uint8, count, at), 255 - np.frombuffer(data, np.uint8, count, two["picture"]["at"])
    )
    assert [sheet["kind"] for sheet in two["beside"]["sheets"]] == ["cross", "encoder"]


def test_a_captioners_picture_comes_back_with_the_grid_of_its_patches() -> None:
    trace = captioned()
    header, data = unpacked(pack(trace))
    sent = header["picture"]
    pixels = np.frombuffer(data, np.uint8, 3 * sent["width"] * sent["height"], sent["at"])
    assert np.array_equal(pixels.reshape(sent["height"], sent["width"], 3), np.asarray(trace.picture))
    keys = header["keys"]
    assert (tuple(keys["grid"]), keys["special"].index(True), sum(keys["special"])) == (GRID, 0, 1)
    assert (keys["labels"][0], keys["labels"][1], keys["labels"][-1]) == ("[CLS]", "row 1, column 1", "row 8, column 8")
    assert "grid" not in header["queries"]
    for view in header["sheets"][0]["views"]:
        if view["head"] is not None:
            exact = trace.cross.weights[view["layer"], view["head"]]
            assert view["inside"] == pytest.approx(exact[:, 1:].max())
            assert np.abs(weights_of(view, data, exact.shape) - exact).max() <= ROUNDING * view["scale"] + 1e-7
            rests = np.frombuffer(data, np.uint8, exact.size, view["fine"]).reshape(exact.shape) / 255 - 0.5
            whole = weights_of(view, data, exact.shape) + rests * view["scale"] / 255
            assert np.abs(whole - exact).max() <= ROUNDING * view["scale"] / 255 + 1e-7
    assert [sheet["kind"] for sheet in header["sheets"]] == ["cross", "encoder"]


def test_every_step_of_a_drawing_comes_with_its_picture_and_its_heads() -> None:
    trace = drawn()
    header, data = unpacked(pack(trace))
    assert [sheet["kind"] for sheet in header["sheets"]] == ["cross"]
    assert (tuple(header["queries"]["grid"]), header["keys"]["labels"]) == (GRID, list(PROMPT))
    assert [sheet["step"] for sheet in header["noise"]] == list(range(STEPS))
    for sheet, maps, picture, drawing in zip(
        header["noise"], trace.maps[1:], header["drawn"], trace.pictures, strict=True
    ):
        heads = [view for view in sheet["views"] if "head" in view]
        assert len(heads) == 4
        assert ["at" in view for view in sheet["views"]] == ["head" in view for view in sheet["views"]]
        for view in heads:
            exact = maps.weights[view["layer"], view["head"]]
            assert np.abs(weights_of(view, data, exact.shape) - exact).max() <= ROUNDING * view["scale"] + 1e-7
        pixels = np.frombuffer(data, np.uint8, drawing.size, picture["at"])
        assert np.array_equal(pixels.reshape(drawing.shape), drawing)


def test_what_would_be_large_is_sent_smaller_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = drawn()
    monkeypatch.setattr(explorer, "STEPS_BYTES", STEPS * 3 * 24 * 24)
    monkeypatch.setattr(explorer, "SIDE", 24)
    steps = sum(maps.weights.size for maps in trace.maps[1:])
    header, data = unpacked(pack(trace, full_limit=steps - 1))
    assert "noise" not in header
    halved = np.asarray(trace.pictures[0]).reshape(24, 2, 24, 2, 3).mean((1, 3))
    sent = header["drawn"][0]
    assert (sent["width"], sent["height"]) == (24, 24)
    pixels = np.frombuffer(data, np.uint8, halved.size, sent["at"]).reshape(halved.shape)
    assert np.abs(pixels - halved).max() <= 0.5 + 1e-6  # the mean of four, rounded
    assert len(unpacked(pack(trace, full_limit=steps))[0]["noise"]) == STEPS


def test_layers_say_their_own_grid_where_the_trace_knows() -> None:
    header, _ = unpacked(pack(replace(drawn(), layers=(Layer("down.<b>", (4, 4)), Layer("up", (8, 8))))))
    assert header["modules"] == [["down.<b>", 4, 4], ["up", 8, 8]]
    assert "modules" not in unpacked(pack(drawn()))[0]


def grid(values: Any, *, title: str = "Cost", layers: tuple[int, ...] = (0, 1), **others: Any) -> HeadGrid:
    return HeadGrid("cost", title, "nats a token", "cross", layers, np.array(values), "Planted.", **others)


COSTS = ((0.123456, np.nan, 0.0), (1.5, -0.25, 3.0))


def test_a_sheet_has_what_its_map_says_of_each_head_and_the_evidence_of_the_trace() -> None:
    trace = texts().with_evidence(
        HeadGrid(
            "cost",
            "Cost",
            "nats",
            "cross",
            (0, 1),
            np.ones((2, 2), np.float32),
            "Planted.",
            low=np.zeros((2, 2), np.float32),
            high=np.full((2, 2), 2, np.float32),
        )
    )
    header, _ = unpacked(pack(trace))
    cross, encoder = sheet_of(header, "cross"), sheet_of(header, "encoder")
    assert [one["name"] for one in cross["grids"]] == [
        "cost",
        *(grid.name for grid in map_grids(trace.cross)),
    ]
    cost, special = cross["grids"][:2]
    assert (cost["values"], cost["low"], cost["high"]) == ([[1, 1]] * 2, [[0, 0]] * 2, [[2, 2]] * 2)
    assert special["title"] == "Weight on </s>"
    assert "low" not in special
    wanted = weight_on_special(trace.cross)[:, :, ~trace.cross.queries.is_special].mean(-1)
    assert np.array(special["values"]) == pytest.approx(wanted, rel=1e-3)  # four digits are sent
    assert "previous" in [one["name"] for one in encoder["grids"]]
    assert "cost" not in [one["name"] for one in encoder["grids"]]


def test_numbers_that_are_none_and_tags_in_titles_are_sent_as_what_they_are() -> None:
    header, _ = unpacked(pack(planted().with_evidence(grid(COSTS, title="\u202e<b>Cost</b>"))))
    cost = header["sheets"][0]["grids"][0]
    assert cost["values"] == [[0.1235, None, 0], [1.5, -0.25, 3]]
    assert cost["title"] == "\\u202e<b>Cost</b>"


def test_evidence_of_another_model_is_not_sent_and_takes_the_place_of_what_the_map_says() -> None:
    evidence = [grid(np.ones((1, 3)), layers=(0,)), replace(grid(np.ones((2, 3))), name="entropy", unit="bits")]
    header, _ = unpacked(pack(planted().with_evidence(*evidence)))
    grids = header["sheets"][0]["grids"]
    assert [one["name"] for one in grids] == ["entropy", "entropy-share", "diagonality"]
    assert grids[0]["values"] == [[1, 1, 1]] * 2


def test_names_say_whether_evidence_carries_them() -> None:
    measured = HeadGrid("alignment", "Alignment", "F1", "cross", (0, 1), np.array([[0.9, 0, 0], [0, 0, 0]]), "Planted.")
    spread = replace(grid(np.array([[0, 1, 0], [0, 0, 0]])), name="special", title="Weight on <i>", unit="share")
    header, _ = unpacked(pack(planted().with_evidence(measured, spread)))
    names = header["sheets"][0]["names"]
    assert names["1.1"] == ["aligns, F1 .90", True]
    assert names["1.2"] == ["rests on <i>, 100\u202f%", True]
    entropy = map_grids(planted().cross)[1]
    own = {f"{layer + 1}.{head + 1}" for layer, head in np.argwhere(entropy.values >= 0.9).tolist()}
    assert {name for name, (_, is_measured) in names.items() if not is_measured} == own - {"1.1", "1.2"}


def test_what_is_large_or_grows_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = planted().with_evidence(grid(COSTS))
    header, _ = unpacked(pack(trace, growing=True))
    assert [one["name"] for one in header["sheets"][0]["grids"]] == ["cost"]
    monkeypatch.setattr("xattn_viz.web.explorer.MEASURED_LIMIT", 10)
    header, _ = unpacked(pack(trace))
    assert [one["name"] for one in header["sheets"][0]["grids"]] == ["cost"]


def test_what_is_known_of_heads_takes_little_of_a_payload() -> None:
    trace = load("ships")
    assert trace is not None
    header, _ = unpacked(pack(trace))
    sheet = header["sheets"][0]
    assert len(json.dumps([sheet["grids"], sheet["names"]])) < 0.05 * len(pack(trace))


def test_probabilities_of_the_tokens_offered_are_the_softmax_of_the_models_logits() -> None:
    model = xv.load("firefox-en-pt")
    assert isinstance(model, FirefoxAdapter)
    text = "The little red boat belongs to my grandfather."
    trace = model.trace(text, shortlist=False)
    ids = [step.id for step in trace.steps]
    student = model.network.model
    with torch.inference_mode():  # one pass over the whole output, not the search that wrote it
        memory = student.memory(student.encode(torch.tensor([model.source.encode(text).ids])))
        hidden, _ = student.decode(torch.tensor([[START, *ids[:-1]]]), memory)
        logits = student.output(hidden[0]).double()
        logits[:, UNKNOWN] = -torch.inf  # <unk> is never written
    expected = logits.softmax(-1).numpy()
    header, _ = unpacked(pack(trace))
    for row, step in zip(expected, header["steps"], strict=True):
        offered = {step["id"]: step["p"]} | {one: p for _, p, one in step["alternatives"]}
        assert sum(offered.values()) <= 1 + 1e-6
        # Sums of float32 in another order: measured differences stay below 1e-6.
        np.testing.assert_allclose([*offered.values()], row[[*offered]], atol=1e-5)


def test_outputs_of_a_search_are_told_apart_by_tokens_else_by_words() -> None:
    trace = planted()
    without = replace(trace, output="a b", hypotheses=(Hypothesis("a <c>", -2.0), Hypothesis("", float("-inf"))))
    found = unpacked(pack(without))[0]["beams"]
    assert [one["tokens"] for one in found["outputs"]] == [["a", "b"], ["a", "<c>"], []]
    assert [one["log_prob"] for one in found["outputs"]] == pytest.approx([-0.6, -2.0, -1e9])
    assert found["shown"] == 0
    beam = Hypothesis("", -1.0, tuple(f"t{i}" for i in range(3)), (0, 1, 9))
    # What the model always begins with is no choice of the search.
    begun = replace(trace, steps=(replace(trace.steps[0], forced=True), *trace.steps[1:]), hypotheses=(beam,))
    maps = replace(begun.cross, queries=replace(begun.cross.queries, special=(True, False, False, False)))
    found = unpacked(pack(replace(begun, maps=(maps,))))[0]["beams"]
    assert [one["ids"] for one in found["outputs"]] == [[1, 2, 3], [1, 9]]
    assert "beams" not in unpacked(pack(trace))[0]
