"""What comes of a run: the weights of all denoising steps, in memory that is bounded beforehand, and the pictures.

A small model keeps every head of every step. One whose maps would take more than `WHOLE_BYTES` keeps the mean over
the heads of each layer, on a grid of at most `MOST_GRID` rows, of at most `MOST_KEPT` steps spread evenly, and the
mean over all steps. For Stable Diffusion 1.5 (16 layers, grid 32, at most 77 keys) that is 10 x 2.5 MB in float16 and,
in float32, the sum and the mean of 5 MB each: at most 36 MB, where all its weights of 25 steps would be 830 MB. One
layer's own weights come on top while they are looked at: [head, query, key] of 8 x 4096 x 77 in float32 is 10 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, Literal, Protocol

import numpy as np
import torch
from diffusers.models.attention_processor import Attention
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, pixel_shuffle

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import Alteration, AttentionMaps, MapKind
from xattn_viz.models.families.diffusion.concepts import CONCEPTS, axis_of
from xattn_viz.models.families.diffusion.prompt import Joined, Prompt

WHOLE_BYTES = 32_000_000
MOST_GRID, MOST_KEPT = 32, 10
#: What the maps of a large model take at most: fewer steps are kept then, and if need be on a coarser grid.
MOST_BYTES = 256_000_000
PREVIEWS = "The earlier pictures are previews: each latent place in its nearest colour, fitted to the finished picture."

Picture = NDArray[np.uint8]
#: Called with an attention module and its weights by the kind of map, float32 `[head, query, key]`, all positions of
#: the prompt among them. It may raise to end the run.
See = Callable[[nn.Module, Mapping[MapKind, Tensor]], object]


@dataclass(frozen=True)
class Site:
    """A layer in which the picture reads the prompt: its block's name, number of heads, and rows of its square grid.

    Where it is `joint`, text and image are one sequence, in which the text comes first or last.
    """

    name: str
    heads: int
    grid: int
    joint: Literal["", "first", "last"] = ""


#: The kinds of map of a model with joint attention: each modality reads the other.
BOTH: tuple[MapKind, ...] = ("cross", "text-to-image")


def find_sites(unet: Any, side: int | None = None) -> dict[Attention, Site]:
    """The cross-attention modules of a U-Net in the order in which they run: down, middle, up.

    A block that goes down halves the grid for the next, rounding up, and one that goes up doubles it again. The first
    has `side` rows, or those that the U-Net was made for.
    """
    grids = [int(side or unet.config.sample_size)]
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
        directions = 2 if sites[0].joint else 1
        needed = 2 * sum(site.heads for site in sites) * finest**2 * keys * steps * directions
        if len(heads) == 1 and needed <= WHOLE_BYTES:
            return cls(finest, heads.pop(), tuple(range(steps)), True)
        fitting = [site.grid for site in sites if site.grid <= MOST_GRID]
        grid, kept = max(fitting, default=_coarser(finest, MOST_GRID)), min(steps, MOST_KEPT)
        while grid > 1 and cls(grid, 1, tuple(range(kept)), False).size(sites, keys) > MOST_BYTES:
            grid, kept = (grid, kept // 2) if kept > 1 else (_coarser(grid, grid // 2), 1)
        chosen = np.linspace(0, steps - 1, kept).round().astype(int)
        return cls(grid, 1, tuple(chosen.tolist()), False)

    def size(self, sites: Sequence[Site], keys: int) -> int:
        """How many bytes the maps take at most: sum and mean over all steps in float32, each step kept in float16."""
        directions = 2 if sites[0].joint else 1
        return directions * len(sites) * self.heads * self.grid**2 * keys * (4 + 4 + 2 * len(self.steps))

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

    def __init__(
        self,
        sites: Mapping[Any, Site],
        plan: Plan,
        prompt: Prompt | Joined,
        concepts: tuple[str, ...] = (),
        *,
        ablated: bool,
    ) -> None:
        self._layers = {module: (number, site) for number, (module, site) in enumerate(sites.items())}
        self._plan, self._prompt = plan, prompt
        picture, words = Axis.picture(plan.grid, plan.grid), prompt.axis()
        joint = next(iter(sites.values())).joint
        self._axes: dict[MapKind, tuple[Axis, Axis]] = {"cross": (picture, words)}
        if joint:
            self._axes["text-to-image"] = (words, picture)
        if concepts:
            self._axes[CONCEPTS] = (picture, axis_of(concepts))
        self._sum = {kind: self._blank(kind, np.float32) for kind in self._axes}
        self._step = {kind: self._blank(kind) for kind in self._axes}
        self._altered: tuple[Alteration, ...] = (
            *(("joint",) if joint else ()),
            *(() if plan.is_whole else ("aggregated",)),
            *(("ablated",) if ablated else ()),
        )
        self._done, self._maps = 0, list[AttentionMaps]()

    def see(self, module: Any, weights: Mapping[MapKind, Tensor]) -> None:
        """Take a layer's weights of the step that runs, `[head, query, key]` on the layer's own grid."""
        number, site = self._layers[module]
        for kind, each in weights.items():
            own = each if self._plan.is_whole else each.mean(0, keepdim=True)
            own = self._folded(kind, own, site.grid).cpu()
            self._sum[kind][number] += own.numpy()
            self._step[kind][number] = own.half().numpy()

    def end(self) -> None:
        """End a step: its maps are kept, if they are to be."""
        if self._done in self._plan.steps:
            self._maps += [self._made(kind, step, self._done, self._altered) for kind, step in self._step.items()]
            self._step = {kind: self._blank(kind) for kind in self._axes}
        self._done += 1

    def notes(self) -> tuple[str, ...]:
        """What a joint softmax leaves for the other modality, on average over all heads and steps that are done."""
        if "joint" not in self._altered or not self._done:
            return ()
        of_picture, of_text = (self._sum[kind].sum(-1, dtype=np.float64) / self._done for kind in BOTH)
        layers = of_picture.mean((1, 2))
        return (
            "Text and image share one softmax, so rows of these maps do not sum to 1. On average a place of the picture"
            f" puts {of_picture.mean():.1%} of its weight on the prompt ({layers.min():.1%} to {layers.max():.1%} by "
            f"layer), padding included, and the rest on the picture; a token puts {of_text.mean():.1%} on the picture.",
        )

    def maps(self) -> tuple[AttentionMaps, ...]:
        """The mean over the steps that are done, in float32, then the steps that are kept, in float16."""
        altered = self._altered if "aggregated" in self._altered else ("aggregated", *self._altered)
        whole = {kind: summed / np.float32(max(self._done, 1)) for kind, summed in self._sum.items()}
        return (*(self._made(kind, mean, None, altered) for kind, mean in whole.items()), *self._maps)

    def _made(
        self, kind: MapKind, weights: NDArray[Any], step: int | None, altered: tuple[Alteration, ...]
    ) -> AttentionMaps:
        weights.flags.writeable = False  # it is this map's from here on, and need not be copied
        queries, keys = self._axes[kind]
        altered = ("beside", *altered) if kind == CONCEPTS else altered
        return AttentionMaps(weights, queries, keys, kind, tuple(range(len(self._layers))), step=step, altered=altered)

    def _blank(self, kind: MapKind, dtype: Any = np.float16) -> NDArray[Any]:
        queries, keys = self._axes[kind]
        return np.zeros((len(self._layers), self._plan.heads, len(queries), len(keys)), dtype)

    def _folded(self, kind: MapKind, weights: Tensor, grid: int) -> Tensor:
        """On the plan's grid, with padding as one position: what it gets is summed, what it gives is averaged.

        Of a picture that is read, places that become one are summed, so that rows keep their sums.
        """
        if kind == CONCEPTS:
            return onto(weights, grid, self._plan.grid)
        if kind == "cross":
            return onto(self._prompt.fold(weights, torch.sum), grid, self._plan.grid)
        turned = onto(self._prompt.fold(weights.transpose(1, 2), torch.mean), grid, self._plan.grid)
        return turned.transpose(1, 2) * (grid / self._plan.grid) ** 2


def _coarser(grid: int, most: int) -> int:
    """The rows of the finest grid of at most `most` rows into whose places those of a grid go evenly."""
    return max((rows for rows in range(1, max(most, 1) + 1) if grid % rows == 0), default=1)


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


class Decoder(Protocol):
    """What turns latents `[1, channel, row, column]` into a picture."""

    #: Whether decoding costs next to nothing, so that every step's prediction is decoded.
    is_cheap: bool

    def decode(self, latents: Tensor) -> Picture:
        """The picture, `[row, column, 3]`."""


class Blocks:
    """A fixed code: the pixels of a square block are one place's channels (`pixel_unshuffle`)."""

    is_cheap = True

    def decode(self, latents: Tensor) -> Picture:
        """The picture, `[row, column, 3]`."""
        return _pixels(pixel_shuffle(latents, isqrt(latents.shape[1] // 3)))


@dataclass(frozen=True)
class Learnt:
    """The decoder of a variational autoencoder of diffusers, as Stable Diffusion has it."""

    autoencoder: Any
    is_cheap = False

    def decode(self, latents: Tensor) -> Picture:
        """The picture, `[row, column, 3]`."""
        config = self.autoencoder.config
        shift = getattr(config, "shift_factor", None) or 0.0
        return _pixels(self.autoencoder.decode(latents / config.scaling_factor + shift).sample)


class StepPictures:
    """The pictures of one run as they form: what the model predicts, at each step that is kept, the noise to hide.

    Where decoding costs, as for Stable Diffusion, it is done for the finished picture and at most once before (when
    someone wants to see what there is so far). Predictions are then shown by a linear map from a place's channels to
    its colour, fitted to what was decoded: latents of Stable Diffusion are nearly linear in colour.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._latents, self._pictures = list[Tensor](), list[Picture]()
        self._colours: Tensor | None = None
        self._factor = 1

    def add(self, prediction: Tensor) -> None:
        """Take a step's prediction of the clean latents, `[1, channel, row, column]`."""
        if self._decoder.is_cheap:
            self._pictures.append(self._decoder.decode(prediction))
        else:
            self._latents.append(prediction)

    def so_far(self) -> tuple[Picture, ...]:
        """The pictures up to the last step."""
        if self._latents and self._colours is None:
            self._fit(self._latents[-1], self._decoder.decode(self._latents[-1]))
        return (*self._pictures, *map(self._preview, self._latents))

    def finished(self, latents: Tensor, picture: Picture | None = None) -> tuple[Picture, ...]:
        """All pictures, the finished one last, in the place of the last prediction; decoded, where it is not given."""
        picture = self._decoder.decode(latents) if picture is None else picture
        if self._latents:
            self._fit(latents, picture)
        return (*self.so_far()[:-1], picture)

    def _fit(self, latents: Tensor, picture: Picture) -> None:
        self._factor = picture.shape[0] // latents.shape[2]
        pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1).float()
        wanted = adaptive_avg_pool2d(pixels, (latents.shape[2], latents.shape[3])).flatten(1).T  # [place, 3]
        self._colours = torch.linalg.lstsq(_places(latents), wanted).solution

    def _preview(self, latents: Tensor) -> Picture:
        assert self._colours is not None  # noqa: S101 - `so_far` fits before it asks
        colours = (_places(latents) @ self._colours).round().clamp(0, 255).byte()
        rows: Picture = colours.reshape(latents.shape[2], latents.shape[3], 3).numpy()
        return rows.repeat(self._factor, 0).repeat(self._factor, 1)


def _places(latents: Tensor) -> Tensor:
    """The channels of each place and a constant, `[place, channel + 1]`."""
    places = latents[0].flatten(1).T.float().cpu()
    return torch.cat([places, torch.ones(len(places), 1)], 1)


def _pixels(picture: Tensor) -> Picture:
    """Values from -1 to 1, `[1, 3, row, column]`, as pixels `[row, column, 3]`."""
    shown: Picture = ((picture[0].float() + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
    return shown
