"""The cross-attention layers of a U-Net: which there are, in which order they run, and on which grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diffusers.models.attention_processor import Attention


@dataclass(frozen=True)
class Site:
    """A cross-attention layer: its block's name in the U-Net, its number of heads, and the rows of its square grid."""

    name: str
    heads: int
    grid: int


def find_sites(unet: Any) -> dict[Attention, Site]:
    """The cross-attention modules of a U-Net in the order in which they run: down, middle, up.

    A block that goes down halves the grid for the next, rounding up, and one that goes up doubles it again.
    """
    grids = [int(unet.config.sample_size)]
    for _ in unet.down_blocks[1:]:
        grids.append(-(-grids[-1] // 2))
    stages = [
        *((f"down_blocks.{i}", block, grids[i]) for i, block in enumerate(unet.down_blocks)),
        ("mid_block", unet.mid_block, grids[-1]),
        *((f"up_blocks.{i}", block, grids[-1 - i]) for i, block in enumerate(unet.up_blocks)),
    ]
    return {
        module: Site(f"{stage}.{name.partition('.transformer_blocks')[0]}", int(module.heads), grid)
        for stage, block, grid in stages
        for name, module in block.named_modules()
        if isinstance(module, Attention) and module.is_cross_attention
    }
