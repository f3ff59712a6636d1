"""Pictures from outside as pixels that a model can read: decoded, turned upright, in eight bits of red, green and blue.

Pillow decodes, and only the formats in `FORMATS`: others may start programs (EPS) or read further files. What a file
says of its size is checked before anything is decoded.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from xattn_viz.frozen import read_only

#: The most pixels that a picture may have: those of a large camera. Decoding takes up to 12 bytes for each.
MAX_PIXELS = 64_000_000
#: Pillow's names of the formats that are read.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_KNOWN = "PNG, JPEG, WebP, GIF, BMP and TIFF can be read"
_PAPER = (255, 255, 255)  # what shows through a transparent pixel
_DRAFT = 2048  # pixels: a JPEG is decoded at 1/2, 1/4 or 1/8 of its size where both its sides stay at least so long
_HIGH_BYTE = 8  # bits: a sample of 16 bits is read by its upper 8, as Pillow does where there are three


class ImageError(ValueError):
    """A picture cannot be read; the message is one sentence for people."""


def read(source: str | Path | bytes | NDArray[Any], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The pixels of a picture, `[row, column, 3]` of red, green and blue from 0 to 255, read-only.

    `source` is the path of a file, its bytes, or an array of uint8, `[row, column, 3]` or grey `[row, column]`. A
    photograph is turned as its EXIF says, transparent pixels show white, of an animation the first frame is read, and a
    very large JPEG at a fraction of its size. Colour profiles are not applied.

    Raises ImageError where it is no picture, is damaged or cut off, has more than `max_pixels` or samples that are no
    whole numbers of 1 to 16 bits; OSError where the path cannot be read.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels)
    if isinstance(source, bytes):
        return _decode(io.BytesIO(source), max_pixels)
    if not isinstance(source, str | Path):
        raise ImageError(f"A picture is the path of a file, its bytes or an array: got {type(source).__name__}.")
    with Path(source).open("rb") as file:
        return _decode(file, max_pixels)


def _from_array(array: NDArray[Any], max_pixels: int) -> NDArray[np.uint8]:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ImageError(
            f"An array of a picture is [row, column, 3] or [row, column] of uint8: got {array.dtype} of {array.shape}."
        )
    _check_size(array.shape[1], array.shape[0], max_pixels)
    return read_only(array if array.ndim == 3 else np.repeat(array[:, :, None], 3, axis=2))


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if not width * height:
        raise ImageError(f"The picture is empty: it has {width:,} × {height:,} pixels.")
    if width * height > max_pixels:
        raise ImageError(
            f"The picture has {width:,} × {height:,} pixels, and at most {max_pixels / 1e6:g} million can be read: "
            "make it smaller."
        )


def _decode(file: BinaryIO, max_pixels: int) -> NDArray[np.uint8]:
    if not file.read(1):
        raise ImageError(f"The file is empty, so it holds no picture: {_KNOWN}.")
    file.seek(0)
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", module="PIL"
        )  # of metadata that no pixel depends on; the size is checked here
        try:
            with Image.open(file, formats=FORMATS) as image:
                _check_size(image.width, image.height, max_pixels)
                image.draft(None, (_DRAFT, _DRAFT))
                ImageOps.exif_transpose(image, in_place=True)
                plain = _plain(image)
            return read_only(np.asarray(plain))
        except ImageError:
            raise
        except UnidentifiedImageError as error:
            raise ImageError(f"This is no picture, or of a kind that is not known: {_KNOWN}.") from error
        except Image.DecompressionBombError as error:
            raise ImageError(
                f"The picture has far more than the {max_pixels / 1e6:g} million pixels that can be read."
            ) from error
        except Exception as error:  # a damaged file makes the decoders raise whatever they trip over
            raise ImageError("The picture is damaged or cut off, so it cannot be read.") from error


def _plain(image: Image.Image) -> Image.Image:
    """The picture in eight bits of red, green and blue, on white where it is transparent."""
    if image.mode in ("I", "F"):
        raise ImageError("The picture's samples are numbers of 32 bits: save it with 8 or 16 bits a sample.")
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> _HIGH_BYTE).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    image.close()  # large pictures must not lie there three times
    paper = Image.new("RGB", layer.size, _PAPER)
    paper.paste(layer, mask=layer)
    return paper
