"""Modules whose weights are drawn from a seed of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


def drawn(build: Callable[[], _Module], seed: int, dtype: torch.dtype = torch.float32) -> _Module:
    """What `build` makes, each weight `[out, in]` drawn anew so that it keeps the variance of what it reads."""
    with torch.device("meta"):  # without numbers: those that follow are drawn here, not from the generator of all
        module = build()
    module.to_empty(device="cpu").to(dtype)
    generator = torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        nn.init.normal_(weight, std=weight.shape[1] ** -0.5, generator=generator)
    return module
