"""What one pass of a module needs, counted while it runs rather than by formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Count:
    """What was counted.

    `multiplications` are those in matrix products, `largest` the numbers in the largest tensor that was made.
    """

    parameters: int
    multiplications: int
    tanhs: int
    largest: int


@torch.inference_mode()
def count(module: nn.Module, *inputs: Tensor) -> Count:
    """Run a module once and count."""
    # PyTorch counts a multiplication and an addition for each term of a matrix product.
    with FlopCounterMode(display=False) as operations, _Sizes() as sizes:
        module(*inputs)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Count(parameters, operations.get_total_flops() // 2, sizes.tanhs, sizes.largest)


class _Sizes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tanhs = self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, Tensor) and not func.is_view:
            self.largest = max(self.largest, out.numel())
            self.tanhs += out.numel() if func is torch.ops.aten.tanh.default else 0
        return out
