from __future__ import annotations

import torch
from torch import nn

from xattn_viz.lessons.counting import Count, count


def test_a_small_network_by_hand() -> None:
    network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2, bias=False))
    # 4 rows: 4·3·5 products, 4·5 tanh, 4·5·2 products; the largest tensor is the hidden one, 4 × 5.
    assert count(network, torch.zeros(4, 3)) == Count(3 * 5 + 5 + 5 * 2, 4 * 3 * 5 + 4 * 5 * 2, 4 * 5, 4 * 5)
