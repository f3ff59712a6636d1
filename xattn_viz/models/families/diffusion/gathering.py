"""The weights of all denoising steps, gathered while they are made, in memory that is bounded beforehand.

A small model keeps every head of every step. One whose maps would take more than `WHOLE_BYTES` keeps the mean over
the heads of each layer, on a grid of at most `MOST_GRID` rows, of at most `MOST_KEPT` steps spread evenly, and the
mean over all steps. For Stable Diffusion 1.5 (16 layers, grid 32, at most 77 keys) that is 10 x 2.5 MB in float16 and,
in float32, the sum and the mean of 5 MB each: at most 36 MB, where all its weights of 25 steps would be 830 MB. One
layer's own weights come on top while they are looked at: [head, query, key] of 8 x 4096 x 77 in float32 is 10 MB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import Attention
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import Alteration, AttentionMaps
from xattn_viz.models.families.diffusion.prompt import Prompt
from xattn_viz.models.families.diffusion.sites import Site

WHOLE_BYTES = 32_000_000
MOST_GRID, MOST_KEPT = 32, 10


@dataclass(frozen=True)
class Plan:
    """What is kept: on a square grid of so many rows, so many heads a layer, and which of the denoising steps."""

    grid: int
    heads: int
    steps: tuple[int, ...]
    is_whole: bool

    @classmethod
    def of(cls, sites: Sequence[Site], keys: int, steps: int) -> Plan:
        """The plan for a run of so many steps; all is kept where that fits and layers have equally many heads."""
        heads, finest = {site.heads for site in sites}, max(site.grid for site in sites)
        needed = 2 * sum(site.heads for site in sites) * finest**2 * keys * steps
        if len(heads) == 1 and needed <= WHOLE_BYTES:
            return cls(finest, heads.pop(), tuple(range(steps)), True)
        fitting = [site.grid for site in sites if site.grid <= MOST_GRID]
        kept = np.linspace(0, steps - 1, min(steps, MOST_KEPT)).round().astype(int)
        return cls(max(fitting, default=MOST_GRID), 1, tuple(kept.tolist()), False)

    def notes(self, sites: Sequence[Site], steps: int) -> tuple[str, ...]:
        """What people should know of it."""
        if self.is_whole:
            return ()
        grid = f"{self.grid} × {self.grid}"
        finer = " Finer layers are averaged onto that grid." if max(site.grid for site in sites) > self.grid else ""
        which = f"{len(self.steps)} of the {steps} steps" if len(self.steps) < steps else "each step"
        return (f"The maps are the mean over each layer's heads, on {grid} places, kept for {which}.{finer}",)


class Gathering:
    """The maps of one run: `see` takes a layer's weights, `end` ends a denoising step."""

    def __init__(self, sites: Mapping[Attention, Site], plan: Plan, prompt: Prompt, *, ablated: bool) -> None:
        self._layers = {module: (number, site) for number, (module, site) in enumerate(sites.items())}
        self._plan, self._prompt = plan, prompt
        self._queries, self._keys = Axis.picture(plan.grid, plan.grid), prompt.axis()
        self._shape = (len(sites), plan.heads, len(self._queries), len(self._keys))
        self._sum, self._step = np.zeros(self._shape, np.float32), self._blank()
        self._altered: tuple[Alteration, ...] = (
            *(() if plan.is_whole else ("aggregated",)),
            *(("ablated",) if ablated else ()),
        )
        self._done, self._maps = 0, list[AttentionMaps]()

    def see(self, module: Attention, weights: Tensor) -> None:
        """Take a layer's weights of the step that runs, `[head, query, key]` on the layer's own grid."""
        number, site = self._layers[module]
        if not self._plan.is_whole:
            weights = weights.mean(0, keepdim=True)
        weights = onto(self._of_keys(weights), site.grid, self._plan.grid).cpu()
        self._sum[number] += weights.numpy()
        self._step[number] = weights.half().numpy()

    def end(self) -> None:
        """End a step: its maps are kept, if they are to be."""
        if self._done in self._plan.steps:
            self._maps.append(self._made(self._step, self._done, self._altered))
            self._step = self._blank()
        self._done += 1

    def maps(self) -> tuple[AttentionMaps, ...]:
        """The mean over the steps that are done, in float32, then the steps that are kept, in float16."""
        altered = self._altered if "aggregated" in self._altered else ("aggregated", *self._altered)
        return (self._made(self._sum / np.float32(max(self._done, 1)), None, altered), *self._maps)

    def _made(self, weights: NDArray[Any], step: int | None, altered: tuple[Alteration, ...]) -> AttentionMaps:
        weights.flags.writeable = False  # it is this map's from here on, and need not be copied
        layers = tuple(range(len(self._layers)))
        return AttentionMaps(weights, self._queries, self._keys, "cross", layers, step=step, altered=altered)

    def _blank(self) -> NDArray[np.float16]:
        return np.zeros(self._shape, np.float16)

    def _of_keys(self, weights: Tensor) -> Tensor:
        """Padding behind the prompt is left out where it is masked, and else becomes one key that takes its sum."""
        count = self._prompt.count
        own = weights[..., :count]
        return torch.cat([own, weights[..., count:].sum(-1, keepdim=True)], -1) if self._prompt.is_padded else own


def onto(weights: Tensor, own: int, grid: int) -> Tensor:
    """Weights `[head, own², key]` on a square grid of `grid` rows, `[head, grid², key]`; rows keep their sums.

    A place on a finer grid takes the row of the coarser place that it lies in; on a coarser one the mean of the rows
    of the finer places in it.
    """
    if own == grid:
        return weights
    if own < grid:
        nearest = torch.arange(grid, device=weights.device) * own // grid
        return weights[:, (nearest[:, None] * own + nearest).flatten()]
    places = weights.transpose(1, 2).reshape(len(weights), -1, own, own)  # [head, key, row, column]
    return adaptive_avg_pool2d(places, grid).flatten(2).transpose(1, 2)
