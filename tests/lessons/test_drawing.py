from __future__ import annotations

import torch
from torch import nn

from xattn_viz.lessons.drawing import drawn


def test_weights_come_from_their_own_seed_and_keep_the_variance() -> None:
    state = torch.get_rng_state()
    one, same, other = (drawn(lambda: nn.Linear(400, 300, bias=False), seed, torch.float64) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.weight, same.weight)
    assert not torch.equal(one.weight, other.weight)
    assert one.weight.dtype == torch.float64
    # 120,000 draws: their deviation lies within a percent of 1/√400.
    assert abs(float(one.weight.detach().std()) * 20 - 1) < 0.01
