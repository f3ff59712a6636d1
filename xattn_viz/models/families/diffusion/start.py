"""A picture that a drawing begins as, and the mask that says what of it is drawn anew."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.inputs import InputError, images
from xattn_viz.models.base import ModelError, check_number

_URL = "data:image/png;base64,"
#: How much of the start is drawn over unless said otherwise: the first 40 % of the steps are left out.
STRENGTH = 0.6


@dataclass(frozen=True)
class Start:
    """What a drawing begins as, in the form that files of a trace keep: pictures as URLs that hold them as PNG.

    `picture` has the size of what is drawn. Where `mask` is light, it is drawn anew, elsewhere it stays; None is
    everywhere. `strength`, above 0 to 1, says how much noise is put on it: which share of the steps is taken.
    """

    picture: str
    strength: float
    mask: str | None = None

    @classmethod
    def of(cls, start: Any, mask: Any, strength: Any, size: int) -> Start | None:
        """What was asked for, for a drawing of so many rows and columns; None for one that begins as noise.

        `start` and `mask` are whatever `inputs.images.read` takes. Raises InputError for what is no picture, and
        ModelError for a mask or strength without one, and for a mask that leaves nothing to draw.
        """
        if start is None:
            if mask is not None or strength is not None:
                raise ModelError(
                    "A mask and a strength are of a picture to begin with: give start, or leave them away."
                )
            return None
        drawn = None if mask is None else _pixels(mask, size, "mask")
        if drawn is not None and not is_anew(drawn).any():
            raise ModelError("The mask is dark everywhere, so that nothing is drawn: make it light where it should be.")
        share = check_number(STRENGTH if strength is None else strength, "strength", 0.0, 1.0)
        return cls(_written(_pixels(start, size, "start")), share, None if drawn is None else _written(drawn))

    def images(self) -> tuple[Image.Image, Image.Image | None]:
        """The picture and the mask, as the library takes them."""
        mask = None if self.mask is None else Image.fromarray(is_anew(read(self.mask)).astype(np.uint8) * 255)
        return Image.fromarray(read(self.picture)), mask

    def note(self) -> str:
        """What people should know of it."""
        share = 1.0 if self.mask is None else float(is_anew(read(self.mask)).mean())
        what = "it" if self.mask is None else f"the {share:.0%} of it that the mask marks"
        return f"The drawing began as a picture: {what} was drawn anew, with strength {self.strength:g}."


def data_of(url: str) -> bytes:
    """The bytes that a URL holds. Raises InputError where it is damaged."""
    try:
        return base64.b64decode(url.removeprefix(_URL), validate=True)
    except ValueError as error:
        raise InputError("The picture that the drawing began as is damaged.") from error


def read(url: str) -> NDArray[np.uint8]:
    """The pixels `[row, column, 3]` that a URL holds. Raises InputError for what is none."""
    return images.read(io.BytesIO(data_of(url))).pixels


def is_anew(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a mask `[row, column, 3]` is light, `[row, column]`."""
    light: NDArray[np.bool_] = mask.mean(-1) >= 128
    return light


def _pixels(source: Any, size: int, name: str) -> NDArray[np.uint8]:
    if isinstance(source, str) and source.startswith(_URL):
        pixels = read(source)
    else:
        grey = np.asarray(source) if isinstance(source, np.ndarray) else None
        pixels = images.read(source if grey is None or grey.dtype != bool else grey.astype(np.float32)).pixels
    how = Image.Resampling.NEAREST if name == "mask" else Image.Resampling.LANCZOS
    resized = Image.fromarray(pixels).resize((size, size), how) if pixels.shape[:2] != (size, size) else pixels
    return np.asarray(resized)


def _written(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return _URL + base64.b64encode(file.getvalue()).decode()
