from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps
from xattn_viz.selection import choose, thinned


def planted() -> AttentionMaps:
    weights = np.full((2, 3, 2, 4), 0.25, dtype=np.float32)
    weights[0, 1, 0] = (0.9, 0.1, 0, 0)
    weights[1, 2, 1] = (0, 0, 0.6, 0.4)
    return AttentionMaps(
        weights,
        queries=Axis("text", labels=("o", "gato")),
        keys=Axis("text", labels=("the", "cat", ".", "</s>")),
        kind="cross",
        layers=(3, 5),
        read=Axis("text", labels=("<s>", "o")),
    )


def test_a_head_is_chosen_by_the_models_own_layer_number_and_named_from_1() -> None:
    chosen = choose(planted(), layer=5, head=2)
    assert np.array_equal(chosen.weights, planted().weights[1, 2])
    assert chosen.title == "Cross-attention, layer 6, head 3 (counted from 1)"
    assert chosen.top == pytest.approx(0.6)
    assert choose(planted(), layer=-1, head=-1).title == chosen.title


def test_no_head_is_the_mean_of_the_layer() -> None:
    chosen = choose(planted(), layer=3, head=None)
    np.testing.assert_allclose(chosen.weights, planted().weights[0].mean(0), rtol=1e-6)
    assert chosen.title == "Cross-attention, layer 4, mean of 3 heads (counted from 1)"
    assert chosen.sentence("gato", "cat", "0.25").startswith("Predicting gato, the heads of this layer on average put")


def test_the_common_scale_ends_at_the_maximum_of_all_heads() -> None:
    assert choose(planted(), 5, 2, scale="common").top == pytest.approx(0.9)
    assert "all heads" in choose(planted(), 5, 2, scale="common").scale_name


def test_rows_can_be_named_for_the_input_token() -> None:
    chosen = choose(planted(), rows="input")
    assert chosen.queries.labels == ("<s>", "o")
    assert chosen.rows_title == "input token"
    assert chosen.sentence("o", "cat", "0.10") == "Reading o, this head put 0.10 on cat"
    assert choose(planted()).sentence("gato", "cat", "0.83") == "Predicting gato, this head put 0.83 on cat"


def test_self_attention_never_speaks_of_predicting() -> None:
    chosen = choose(replace(planted(), kind="encoder", read=None))
    assert (chosen.doing, chosen.rows_title) == ("Reading", "input token")
    assert chosen.title.startswith("Encoder self-attention")


def test_a_map_of_zeros_still_has_a_scale() -> None:
    zeros = replace(planted(), weights=np.zeros((2, 3, 2, 4), np.float32), altered=("masked",))
    assert choose(zeros).top == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"layer": 4}, "no layer 4: these maps hold layers 3, 5"),
        ({"head": 3}, "no head 3"),
        ({"scale": "log"}, "'head' or 'common': got 'log'"),
        ({"rows": "both"}, "'predicted' or the 'input' token: got 'both'"),
    ],
)
def test_bad_choices_are_named(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        choose(planted(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "most"), [(0, 5), (1, 5), (5, 5), (6, 5), (1500, 60)])
def test_thinned_positions_fit_and_begin_at_the_first(count: int, most: int) -> None:
    positions = thinned(count, most)
    assert len(positions) <= most
    assert positions[:1] == list(range(count))[:1]
    assert len(set(np.diff(positions).tolist())) <= 1
