from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.trace import HeadGrid, Note, Step, Trace


def maps(kind: MapKind = "cross") -> AttentionMaps:
    axis = Axis("text", labels=("a", "b"))
    return AttentionMaps(np.full((1, 1, 2, 2), 0.5, np.float32), axis, axis, kind, (0,))


def test_the_only_map_of_a_kind_is_found() -> None:
    trace = Trace((maps("cross"), maps("encoder")), "a b", "a b")
    assert trace.cross.kind == "cross"
    assert trace.encoder.kind == "encoder"
    with pytest.raises(ValueError, match="holds no decoder maps; the kinds it holds: cross, encoder"):
        _ = trace.decoder


def test_several_maps_of_a_kind_are_not_guessed_among() -> None:
    with pytest.raises(ValueError, match="holds 2 cross maps"):
        _ = Trace((maps(), maps()), "a b", "a b").cross
    with pytest.raises(ValueError, match="the kinds it holds: none"):
        _ = Trace((), "", "").cross


def test_of_denoising_steps_the_map_is_that_of_all_together() -> None:
    together, first = maps(), replace(maps(), step=0)
    assert Trace((together, first), "a", "").cross is together
    assert Trace((first,), "a", "").cross is first


def test_the_picture_is_the_one_drawn_else_the_one_read() -> None:
    black, white = np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)
    read = Trace((), black, "a").picture
    assert read is not None
    assert read.max() == 0
    drawn = Trace((), "a", "", pictures=(black, white))
    assert drawn.picture is drawn.pictures[1]
    assert not drawn.pictures[0].flags.writeable
    assert Trace((), "a", "").picture is None
    assert Trace((), np.zeros((80, 100), np.float32), "a").picture is None  # log-mel
    with pytest.raises(ValueError, match=r"got float64 of \(2, 3, 3\)"):
        Trace((), "a", "", pictures=(np.zeros((2, 3, 3)),))  # type: ignore[arg-type]


def test_steps_must_fit_the_rows() -> None:
    with pytest.raises(ValueError, match="1 steps do not fit a cross map of 2 rows"):
        Trace((maps(),), "a b", "a b", steps=(Step("a", 0, -1.0),))
    assert len(Trace((maps("encoder"),), "a b", "a", steps=(Step("a", 0, -1.0),)).steps) == 1


def test_a_trace_is_frozen_down_to_its_input() -> None:
    samples = np.zeros(4)
    trace = Trace((maps(),), samples, "a b")
    samples[0] = 1
    assert isinstance(trace.input, np.ndarray)
    assert trace.input.tolist() == [0, 0, 0, 0]
    with pytest.raises(FrozenInstanceError):
        trace.output = "b"  # type: ignore[misc]


def test_equality_is_by_content() -> None:
    assert Trace((maps(),), np.zeros(4), "a") == Trace((maps(),), np.zeros(4), "a")
    assert Trace((maps(),), np.zeros(4), "a") != Trace((maps(),), np.ones(4), "a")
    assert Trace((maps(),), "a", "a") != "a"


def test_equal_traces_share_a_hash_and_stand_for_each_other_in_a_dictionary() -> None:
    first, second = (Trace((), "in", "out") for _ in range(2))
    assert first == second
    assert {first: "kept"}[second] == "kept"


def test_a_trace_says_in_a_few_lines_what_it_holds() -> None:
    trace = Trace(
        (maps("cross"), maps("encoder")),
        "a b",
        "a b",
        steps=(Step("a", 1, -0.5), Step("b", 2, 0.0, forced=True)),
        provenance={"model": "tiny"},
        notes=(Note("It was cut."),),
    )
    assert repr(trace).splitlines() == [
        "Trace of 'tiny'",
        "  input: 'a b'",
        "  output: 'a b' in 2 steps",
        "  cross: float32 [layer 1, head 1, query 2, key 2]",
        "  encoder: float32 [layer 1, head 1, query 2, key 2]",
        "  1 notes, the first: 'It was cut.'",
    ]
    assert repr(trace.cross).splitlines() == [
        "AttentionMaps cross: float32 [layer 1, head 1, query 2, key 2]",
        "  queries: Axis(text, 2: a · b)",
        "  keys: Axis(text, 2: a · b)",
    ]
    assert repr(trace.steps) == "(Step('a', 60.7%), Step('b', 100.0%, forced))"


def test_maps_of_one_size_and_an_axis_of_many_positions_are_counted() -> None:
    drawn = Trace((maps(), *(replace(maps(), step=i) for i in range(20))), np.zeros((80, 3000), np.float32), "")
    assert repr(drawn).splitlines()[1:] == [
        "  input: float32[80, 3000]",
        "  output: ''",
        "  cross: float32 [layer 1, head 1, query 2, key 2], 21 times",
    ]
    assert repr(Axis("text", labels=tuple("abcdefghijkl"))) == "Axis(text, 12: a · b · c · d · e · f · g · … · k · l)"
    assert repr(Axis("audio", times=((0, 0.02), (0.02, 0.04)))) == "Axis(audio, 2: 0.00–0.02 s · 0.02–0.04 s)"
    assert repr(Axis.picture(8, 8, ("[CLS]",))) == "Axis(image, 65: 8 × 8 patches, 1 special)"


def grid(values: Any = ((0.1, 0.5), (0.5, np.nan)), layers: tuple[int, ...] = (0, 3), **others: Any) -> HeadGrid:
    said = {"name": "cost", "title": "What each head costs", "unit": "nats a token", "kind": "cross"}
    return HeadGrid(layers=layers, values=np.array(values, np.float64), method="Planted.", **{**said, **others})


def test_a_grid_is_frozen_float32_and_equal_to_its_like() -> None:
    first = grid()
    assert first.values.dtype == np.float32
    assert not first.values.flags.writeable
    assert first == grid()
    assert first != grid(((0.1, 0.5), (0.5, 0.0)))
    assert first != grid(unit="bits a token")
    assert hash(first) == hash(grid())


def test_heads_are_found_by_the_models_own_layer() -> None:
    assert grid().at(3, 0) == 0.5
    assert grid().ranked() == [(0, 1), (3, 0), (0, 0)]  # the NaN is no number
    for layer, head in ((1, 0), (0, 2), (0, -1)):
        with pytest.raises(ValueError, match="holds no head"):
            grid().at(layer, head)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": (1.0, 2.0)}, r"\[layer, head\] of 2 layers: got shape \(2,\)"),
        ({"layers": (0,)}, "of 1 layers"),
        ({"values": ((np.inf, 0), (0, 0))}, "holds infinity"),
        ({"per_query": np.zeros((2, 2))}, r"per_query must be \[layer, head, query\]"),
        ({"per_query": np.zeros((2, 1, 4))}, r"beside values of shape \(2, 2\): got shape \(2, 1, 4\)"),
        ({"low": np.zeros((2, 2))}, "low and high, or neither"),
        ({"low": np.zeros((2, 2)), "high": np.zeros(2)}, "high must be"),
    ],
)
def test_what_does_not_fit_is_refused(changes: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        grid(**changes)


def test_a_trace_keeps_one_grid_of_a_name_and_kind() -> None:
    first, second, encoder = grid(), grid(((0, 0), (0, 1))), grid(kind="encoder")
    trace = Trace((), "a", "b").with_evidence(first, encoder).with_evidence(second)
    assert trace.evidence == (encoder, second)
    assert trace.grid("cost") is second
    assert trace.grid("cost", "encoder") is encoder
    assert trace.grid("aligns") is None
