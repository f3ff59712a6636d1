"""Pictures on their way into a model: brought to its size, and from there to the numbers that its encoder takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import AutoImageProcessor

from xattn_viz.inputs import InputError
from xattn_viz.inputs.images import Picture
from xattn_viz.models.base import ModelError
from xattn_viz.models.checkpoint import Checkpoint, line

# What a processor may do to a picture before it turns its pixels into numbers.
_FITTING = ("do_resize", "do_center_crop", "do_pad", "do_thumbnail", "do_align_long_axis")
#: How much longer than high, or higher than long, a picture may be for a model that keeps its proportions.
MOST_OBLONG = 20
_TRIED = ((32, 32), (24, 40), (40, 24))  # rows and columns of pictures that must all come out in one size


def processor(found: Checkpoint) -> Any:
    """The image processor of a checkpoint, as transformers reads it. Raises ModelError where there is none."""
    try:
        with found.copied() as folder:
            # By Pillow, also where torchvision is installed: the same picture gives the same numbers everywhere.
            return AutoImageProcessor.from_pretrained(folder, backend="pil", trust_remote_code=False)
    except ModelError:
        raise
    except Exception as error:  # of many kinds, as with tokenizers
        raise ModelError(
            f"{found.name} cannot be loaded: its preprocessor_config.json is missing or damaged ({line(error)})."
        ) from error


@contextmanager
def fitting(name: str) -> Iterator[None]:
    """A block in which a model and its image processor are put together; ModelError where they differ."""
    try:
        yield
    except (ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(f"{name} cannot be shown: {line(error)}.") from error


class Preprocessor:
    """How one model looks at a picture, by its own image processor of transformers. Threads share it."""

    def __init__(self, processor: Any) -> None:
        """Raises ValueError where the processor leaves pictures in sizes of their own."""
        self._processor = processor
        self._as_it_is = {name: False for name in _FITTING if hasattr(processor, name)}
        self._keeps_proportions = bool(getattr(processor, "do_thumbnail", False)) or "shortest_edge" in dict(
            processor.size or {}
        )
        sizes = {self._fitted(np.zeros((*size, 3), np.uint8)).shape[:2] for size in _TRIED}
        if len(sizes) > 1:
            raise ValueError("its pictures come out in sizes of their own")
        #: Rows and columns of every picture that the model sees.
        self.size: tuple[int, int] = next(iter(sizes))

    def fit(self, picture: Picture) -> NDArray[np.uint8]:
        """The picture as the model sees it, `[row, column, 3]` in its `size`; one that has been fitted stays as it is.

        Raises InputError for one that is far longer than high, or higher than long, where that would be kept.
        """
        pixels = picture.pixels
        rows, columns = pixels.shape[:2]
        if picture.is_resized and (rows, columns) == self.size:
            return pixels
        if self._keeps_proportions and max(rows, columns) > MOST_OBLONG * min(rows, columns):
            raise InputError(
                f"The picture has {columns:,} × {rows:,} pixels, and this model reads none that is more than "
                f"{MOST_OBLONG} times as long as wide: cut it into parts."
            )
        return self._fitted(pixels)

    def plain(self, paper: tuple[int, int, int]) -> NDArray[np.uint8]:
        """A picture of one colour (red, green and blue, 0 to 255), `[row, column, 3]` in the size of this model."""
        return np.full((*self.size, 3), paper, np.uint8)

    def values(self, picture: NDArray[np.uint8], model: Any = None) -> Tensor:
        """What the encoder takes of a picture that `fit` gave, `[1, 3, row, column]`, as a `model` takes it.

        Of float32 on the processor without a model.
        """
        made = self._processor(Image.fromarray(picture), **self._as_it_is, return_tensors="pt")
        values: Tensor = made["pixel_values"].to(torch.float32)
        return values if model is None else values.to(device=model.device, dtype=model.dtype)

    def _fitted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture after all that the processor does to it but scaling its numbers."""
        made = self._processor(Image.fromarray(pixels), do_rescale=False, do_normalize=False, return_tensors="np")
        return np.ascontiguousarray(made["pixel_values"][0].transpose(1, 2, 0), dtype=np.uint8)
