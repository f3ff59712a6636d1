"""Two sources at once: as one sequence of keys behind one softmax, or as two layers with a softmax each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.attention.layer import CrossAttention
from xattn_viz.lessons.dot_or_additive import drawn

#: The width of every vector here, and of the one head.
D_MODEL = 16
QUERIES = ("what", "is", "on", "it")
WORDS = ("a", "black", "cat", "sleeps", "on", "the", "mat")
MOST_PATCHES = 9
_DRAWN = 64  # keys of each source that curves can reach


@dataclass(frozen=True)
class Setting:
    """How many image patches and words there are as keys, and the factor on the patches' vectors."""

    patches: int = 6
    words: int = 5
    loudness: float = 1.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Shared:
    """The weights `[query, key]`, patches before words.

    `together` are those of one sequence, each row 1 in all; `apart` those of two layers, each row 1 over the patches
    and 1 over the words.
    """

    together: NDArray[np.float64]
    apart: NDArray[np.float64]
    patches: int

    @property
    def share(self) -> tuple[float, float]:
        """What patches and words get of one sequence's weight, the mean over the queries; 1 in all."""
        return _parts(self.together, self.patches)

    @property
    def shares_apart(self) -> tuple[float, float]:
        """What patches and words get from a layer of their own."""
        return _parts(self.apart, self.patches)


def layer(seed: int = 0) -> CrossAttention:
    """One head over vectors of unit variance, the same for every source, drawn from `seed`."""
    return drawn(partial(CrossAttention, D_MODEL, 1, bias=False), seed, torch.float64)


def vectors(setting: Setting) -> tuple[Tensor, Tensor, Tensor]:
    """Queries `[1, query, d_model]`, patches and words `[1, key, d_model]`: more of one leaves the others unmoved."""
    generator = torch.Generator().manual_seed(setting.seed)
    rows = torch.randn(3, 1, _DRAWN, D_MODEL, generator=generator, dtype=torch.float64)
    x, patches, words = rows[0, :, : len(QUERIES)], rows[1, :, : setting.patches], rows[2, :, : setting.words]
    return x, patches * setting.loudness, words


@lru_cache(maxsize=1024)
@torch.inference_mode()
def shared(setting: Setting) -> Shared:
    """Attend to both sources in both ways, with the same projections.

    Raises ValueError on a source of no keys, or of more than 64.
    """
    if not (1 <= setting.patches <= _DRAWN and 1 <= setting.words <= _DRAWN):
        raise ValueError(f"Each source has 1 to {_DRAWN} keys: got {setting.patches} and {setting.words}.")
    attend = layer(setting.seed)
    x, patches, words = vectors(setting)
    together = attend(x, torch.cat([patches, words], dim=1)).weights
    apart = torch.cat([attend(x, patches).weights, attend(x, words).weights], dim=-1)
    return Shared(together[0, 0].numpy(), apart[0, 0].numpy(), setting.patches)


def by_length(setting: Setting, lengths: tuple[int, ...]) -> list[Shared]:
    """The same with other numbers of patches."""
    return [shared(replace(setting, patches=length)) for length in lengths]


def by_loudness(setting: Setting, loudness: tuple[float, ...]) -> list[Shared]:
    """The same with other factors on the patches."""
    return [shared(replace(setting, loudness=factor)) for factor in loudness]


def snippet(setting: Setting) -> str:
    """A script that prints the share of each source in one sequence, and in a layer of its own."""
    return f"""import torch
from xattn_viz.lessons import two_sources

setting = two_sources.Setting({setting.patches}, {setting.words}, {setting.loudness}, {setting.seed})
attend = two_sources.layer({setting.seed})  # a CrossAttention
x, patches, words = two_sources.vectors(setting)  # [batch, query or key, d_model]
together = attend(x, torch.cat([patches, words], dim=1)).weights.mean((0, 1, 2))
print("patches", together[: setting.patches].sum().item())
print("words", together[setting.patches :].sum().item())
print("patches alone", attend(x, patches).weights.mean((0, 1, 2)).sum().item())
print("words alone", attend(x, words).weights.mean((0, 1, 2)).sum().item())
"""


def _parts(weights: NDArray[np.float64], patches: int) -> tuple[float, float]:
    mean = weights.mean(0)
    return float(mean[:patches].sum()), float(mean[patches:].sum())
