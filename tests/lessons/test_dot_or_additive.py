from __future__ import annotations

import math
from statistics import mean
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from xattn_viz.lessons import dot_or_additive as lesson
from xattn_viz.lessons.dot_or_additive import Count, count, drawn

SEEDS = range(5)


@pytest.mark.parametrize("kind", lesson.KINDS)
def test_both_learn_the_planted_alignment(kind: str) -> None:
    found = lesson.learned(kind, 16)
    assert found.on_path > 0.95
    assert found.before < 0.4  # even would be 1/6
    assert [lesson.SOURCE[i] for i in found.weights.argmax(-1)] == ["the", "cat", "black", "sleeps", "here", "now"]
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-6)  # float32


def test_training_leaves_the_random_numbers_of_others_alone_and_repeats_itself() -> None:
    before = torch.random.get_rng_state()
    first, again = (lesson.learned.__wrapped__("additive", 4, 3) for _ in range(2))
    assert np.array_equal(first.weights, again.weights)
    assert torch.equal(before, torch.random.get_rng_state())


def test_dot_products_spread_with_the_root_of_d_k_and_additive_scores_do_not() -> None:
    narrow, wide = ([lesson.spread(d_k, seed) for seed in SEEDS] for d_k in (8, 512))
    grown = {
        name: mean(getattr(s, name) for s in wide) / mean(getattr(s, name) for s in narrow) for name in vars(wide[0])
    }
    # √(512/8) = 8. Five draws of 8 columns each leave their own spread of about a fifth in the narrow ones.
    assert grown["dot"] == pytest.approx(8, rel=0.25)
    assert grown["dot_scaled"] == pytest.approx(1, rel=0.25)
    assert 0.6 < grown["additive"] < 1.5
    assert grown["additive_scaled"] < 0.25  # divided all the same, additive scores shrink: nothing is told apart


@pytest.mark.parametrize("d_k", [2, 16, 128])
def test_the_scale_is_the_only_difference_and_the_bound_holds(d_k: int) -> None:
    for seed in SEEDS:
        found = lesson.spread(d_k, seed)
        assert found.dot_scaled == pytest.approx(found.dot / math.sqrt(d_k), rel=1e-5)  # float32
        assert found.additive_scaled == pytest.approx(found.additive / math.sqrt(d_k), rel=1e-5)
        assert found.largest <= found.bound * (1 + 1e-5)


@pytest.mark.parametrize(("d_k", "queries", "keys"), [(2, 3, 5), (64, 7, 4)])
def test_what_each_needs_is_what_its_shapes_say(d_k: int, queries: int, keys: int) -> None:
    d_v = d_model = lesson.D_MODEL
    dot, additive = (lesson.needs(kind, d_k, queries, keys) for kind in lesson.KINDS)
    assert additive.parameters - dot.parameters == d_k  # the vector v
    assert dot.parameters == 2 * d_model * d_k
    products = (queries + keys) * d_model * d_k + queries * keys * d_k + queries * keys * d_v
    assert dot.multiplications == additive.multiplications == products
    assert (dot.tanhs, additive.tanhs) == (0, queries * keys * d_k)
    assert additive.largest == max(queries * keys * d_k, queries * d_v)


@pytest.mark.parametrize("d_k", [16, 4])
def test_the_snippet_prints_what_the_section_says(d_k: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = lesson.snippet(d_k)
    assert len(code.splitlines()) <= 15
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - our own script
    printed = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    spread = lesson.spread(d_k)
    expected = [spread.dot, spread.dot_scaled, lesson.learned("dot product", d_k).on_path]
    expected += [spread.additive, spread.additive_scaled, lesson.learned("additive", d_k).on_path]
    assert printed == pytest.approx(expected, rel=1e-6)


def test_a_small_network_by_hand() -> None:
    network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2, bias=False))
    # 4 rows: 4·3·5 products, 4·5 tanh, 4·5·2 products; the largest tensor is the hidden one, 4 × 5.
    assert count(network, torch.zeros(4, 3)) == Count(3 * 5 + 5 + 5 * 2, 4 * 3 * 5 + 4 * 5 * 2, 4 * 5, 4 * 5)


def test_weights_come_from_their_own_seed_and_keep_the_variance() -> None:
    state = torch.get_rng_state()
    one, same, other = (drawn(lambda: nn.Linear(400, 300, bias=False), seed, torch.float64) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.weight, same.weight)
    assert not torch.equal(one.weight, other.weight)
    assert one.weight.dtype == torch.float64
    # 120,000 draws: their deviation lies within a percent of 1/√400.
    assert abs(float(one.weight.detach().std()) * 20 - 1) < 0.01
