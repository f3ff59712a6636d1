from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from xattn_viz.lessons import two_sources
from xattn_viz.lessons.two_sources import Setting

SETTINGS = [
    Setting(p, w, loud, seed) for p in (1, 6, 40) for w in (1, 7) for loud in (0.25, 1.0, 4.0) for seed in (0, 1)
]
# Sums of at most 64 exponentials in float64.
TOLERANCE = 1e-12


def test_one_sequence_shares_one_unit_and_two_layers_give_one_to_each() -> None:
    for setting in SETTINGS:
        found = two_sources.shared(setting)
        assert sum(found.share) == pytest.approx(1, abs=TOLERANCE)
        assert found.shares_apart == pytest.approx((1, 1), abs=TOLERANCE)


def test_part_of_one_softmax_is_the_softmax_of_that_part_once_it_sums_to_one() -> None:
    for setting in SETTINGS:
        found = two_sources.shared(setting)
        for part in (slice(None, setting.patches), slice(setting.patches, None)):
            within = found.together[:, part]
            np.testing.assert_allclose(
                within / within.sum(-1, keepdims=True), found.apart[:, part], rtol=TOLERANCE, atol=TOLERANCE
            )


def test_more_keys_of_one_source_take_weight_from_the_other_only_in_one_sequence() -> None:
    for setting in SETTINGS:
        fewer, more = two_sources.by_length(setting, (setting.patches, setting.patches + 3))
        words = fewer.together[:, setting.patches :], more.together[:, setting.patches + 3 :]
        assert (words[1] < words[0]).all()  # each word, for each query
        assert more.share[1] < fewer.share[1]
        assert np.array_equal(more.apart[:, setting.patches + 3 :], fewer.apart[:, setting.patches :])


def test_a_much_louder_source_takes_weight_from_the_other_only_in_one_sequence() -> None:
    # Random scores: the share of a louder source rises in the mean, not for every query and draw.
    drawn = [two_sources.by_loudness(Setting(6, 5, 1.0, seed), (0.25, 1.0, 4.0)) for seed in range(20)]
    quiet, even, loud = (np.mean([one[i].share[1] for one in drawn]) for i in range(3))
    assert quiet > even + 0.05
    assert even > loud + 0.05
    for one in drawn:
        assert np.array_equal(one[0].apart[:, 6:], one[2].apart[:, 6:])


def test_a_source_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 64 keys: got 0 and 5"):
        two_sources.shared(Setting(patches=0))


@pytest.mark.parametrize("setting", [Setting(), Setting(9, 2, 3.0, 4)])
def test_the_snippet_prints_the_shares_that_are_shown(setting: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    code = two_sources.snippet(setting)
    assert len(code.splitlines()) <= 15
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - our own script
    printed = [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]
    found = two_sources.shared(setting)
    assert printed == pytest.approx([*found.share, *found.shares_apart], abs=TOLERANCE)


def test_the_same_setting_gives_the_same_vectors_whoever_else_draws() -> None:
    first = two_sources.vectors(Setting())
    torch.rand(3)
    assert all(torch.equal(a, b) for a, b in zip(first, two_sources.vectors(Setting()), strict=True))
    longer = two_sources.vectors(replace(Setting(), patches=9))
    assert torch.equal(longer[1][:, :6], first[1])
