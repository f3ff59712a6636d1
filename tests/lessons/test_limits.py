from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from xattn_viz.lessons.limits import Kind, limited, snippet
from xattn_viz.models import registry

TEXT = "The old man sold his little red boat to my grandfather."
KINDS = pytest.mark.parametrize("kind", ["window", "top k"])
TOLERANCE = 1e-6  # float32


@KINDS
@pytest.mark.parametrize("amount", [1, 2, 5])
def test_what_is_left_is_the_softmax_over_the_keys_kept(kind: Kind, amount: int) -> None:
    seen = limited(TEXT, kind, amount, 1, 0)
    kept = seen.limited > 0
    left = np.where(kept, seen.full, 0)
    assert np.allclose(seen.limited, left / left.sum(-1, keepdims=True), atol=TOLERANCE)
    assert seen.lost == pytest.approx(1 - left.sum(-1).mean(), abs=TOLERANCE)
    assert seen.kept == kept.sum()
    assert seen.pairs == seen.full.size
    assert np.allclose(seen.full, registry.load("firefox-en-pt").trace(TEXT).cross.weights[1, 0], atol=TOLERANCE)
    if kind == "window":
        centres = np.round(np.linspace(0, len(seen.keys) - 1, len(seen.queries)) + 1e-9)  # half goes to the later key
        distances = np.abs(np.arange(len(seen.keys)) - centres[:, None])
        assert np.array_equal(kept, distances <= amount)
    else:
        assert (kept.sum(-1) == amount).all()
        assert (np.where(kept, seen.full, 1).min(-1) >= np.where(kept, 0, seen.full).max(-1)).all()


@KINDS
def test_a_wider_limit_loses_less_until_nothing_is_lost(kind: Kind) -> None:
    everything = len(limited(TEXT, kind, 1).keys)
    seen = [limited(TEXT, kind, amount) for amount in range(1, everything + 1)]
    assert all(a.lost >= b.lost and a.multiplications <= b.multiplications for a, b in pairwise(seen))
    assert seen[0].lost > 0.05
    assert seen[0].moved > 0.01
    last = seen[-1]
    assert (last.lost, last.moved, last.kept) == (0, 0, last.pairs)
    assert last.multiplications == last.full_multiplications


@pytest.mark.parametrize("amount", [1, 3])
def test_the_cost_is_counted_and_top_k_has_to_score_all_pairs(amount: int) -> None:
    band, top = limited(TEXT, "window", amount), limited(TEXT, "top k", amount)
    d_k = 32  # 256 / 8 heads, and as wide for values
    assert band.full_multiplications == top.full_multiplications == len(band.queries) * len(band.keys) * 2 * d_k
    assert band.scored == band.kept
    assert band.multiplications == band.kept * 2 * d_k
    assert top.scored == top.pairs
    assert top.multiplications == top.pairs * d_k + amount * len(top.queries) * d_k
    # As many pairs chosen by their weight lose no more than those chosen by their place.
    assert top.kept <= band.kept or top.lost <= band.lost


@pytest.mark.parametrize(("kind", "amount", "layer", "head"), [("window", 1, 1, 0), ("top k", 3, 0, 5)])
def test_the_snippet_prints_what_the_section_shows(kind: Kind, amount: int, layer: int, head: int, capsys: Any) -> None:
    code = snippet(TEXT, kind, amount, layer, head)
    assert len(code.splitlines()) <= 15
    exec(compile(code, "snippet", "exec"), {})  # noqa: S102 - our own code
    lost, moved = map(float, capsys.readouterr().out.split())
    seen = limited(TEXT, kind, amount, layer, head)
    assert lost == pytest.approx(seen.lost, abs=TOLERANCE)
    assert moved == pytest.approx(seen.moved, abs=TOLERANCE)
