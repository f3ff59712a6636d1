from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from xattn_viz.lessons import scale
from xattn_viz.lessons.scale import KEYS, WIDTHS, row, saturation

UNIFORM = math.log2(KEYS)


def test_without_the_scale_the_softmax_saturates_as_d_k_grows() -> None:
    seen = [saturation(d_k, scaled=False) for d_k in WIDTHS]
    assert all(a.largest < b.largest for a, b in pairwise(seen))
    assert all(a.entropy > b.entropy for a, b in pairwise(seen))
    assert seen[0].largest < 0.4
    assert seen[-1].largest > 0.9
    assert seen[0].entropy > 3
    assert seen[-1].entropy < 0.3
    # Half of the rows have all but lost their gradient; the mean is carried by the few that are still undecided.
    assert seen[-1].median_gradient < seen[0].median_gradient / 100
    assert seen[-1].gradient < seen[0].gradient / 4


def test_with_the_scale_the_softmax_stays_as_it_is() -> None:
    seen = [saturation(d_k, scaled=True) for d_k in WIDTHS]
    # 400 rows leave a mean uncertain by about 0.01; at d_k = 2 the scores are not yet normal.
    assert max(s.largest for s in seen) - min(s.largest for s in seen) < 0.04
    assert all(3.3 < s.entropy < 3.5 for s in seen)
    assert all(0.9 < s.median_gradient / seen[0].median_gradient < 1.1 for s in seen)


@pytest.mark.parametrize("scaled", [True, False])
def test_the_gradient_is_the_softmaxs_own(scaled: bool) -> None:
    # By hand: of f = Σ_j w_j u_j with u_j = v_j · direction, df/ds_j = w_j (u_j - Σ_i w_i u_i).
    _, _, v, direction = scale._drawn()
    u = (v @ direction).numpy()
    w = np.array([row(32, scaled, number=i) for i in range(scale.ROWS)])
    norms = np.linalg.norm(w * (u - (w * u).sum(-1, keepdims=True)), axis=-1)
    found = saturation(32, scaled)
    assert math.isclose(found.gradient, norms.mean(), rel_tol=1e-12)
    # torch takes the lower of the two rows in the middle
    assert math.isclose(found.median_gradient, np.sort(norms)[(scale.ROWS - 1) // 2], rel_tol=1e-12)
    assert math.isclose(found.largest, w.max(-1).mean(), rel_tol=1e-12)
    assert math.isclose(found.entropy, -(w * np.log2(w)).sum(-1).mean(), rel_tol=1e-12)


def test_a_low_temperature_gives_one_key_all_and_a_high_one_the_mean() -> None:
    cold, hot = row(64, True, temperature=1e-4), row(64, True, temperature=1e6)
    assert sorted(cold)[-1] == pytest.approx(1, abs=1e-12)
    # Scores are below 10, so at a temperature of 1e6 weights differ from 1/16 by less than 1e-5 of it.
    assert np.allclose(hot, 1 / KEYS, rtol=1e-5)
    assert saturation(64, True, 1e6).entropy == pytest.approx(UNIFORM, abs=1e-9)


@pytest.mark.parametrize("d_k", [2, 64, 512])
def test_the_scale_is_a_temperature(d_k: int) -> None:
    assert np.allclose(row(d_k, False, temperature=math.sqrt(d_k)), row(d_k, True), rtol=1e-12)


@pytest.mark.parametrize(("d_k", "temperature"), [(64, 1.0), (512, 0.2)])
def test_the_snippet_prints_what_the_section_shows(d_k: int, temperature: float, capsys: Any) -> None:
    code = scale.snippet(d_k, temperature)
    assert len(code.splitlines()) <= 15
    exec(compile(code, "snippet", "exec"), {})  # noqa: S102 - our own code
    printed = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    shown = [saturation(d_k, False), saturation(d_k, True), saturation(d_k, True, temperature)]
    assert np.allclose(printed, [s.largest for s in shown], rtol=1e-12)


def test_what_is_drawn_has_unit_variance() -> None:
    q, k, *_ = scale._drawn()
    for drawn in (q, k):
        assert abs(float(torch.var(drawn)) - 1) < 0.01
