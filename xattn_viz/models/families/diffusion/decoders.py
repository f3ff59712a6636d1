"""From what the U-Net makes to pixels, and the pictures as they form."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, pixel_shuffle

Picture = NDArray[np.uint8]

PREVIEWS = "The earlier pictures are previews: each latent place in its nearest colour, fitted to the finished picture."


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
        return _pixels(self.autoencoder.decode(latents / self.autoencoder.config.scaling_factor).sample)


class Film:
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

    def finished(self, latents: Tensor) -> tuple[Picture, ...]:
        """All pictures, the finished one last, in the place of the last prediction."""
        picture = self._decoder.decode(latents)
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
