"""Pictures from outside as pixels that a model can read: decoded, turned upright, in eight bits of red, green and blue.

Pillow decodes, and only the formats in `FORMATS`: others may start programs (EPS) or read further files. What a file
says of its size is checked before anything is decoded, and of all that is decoded at the same time the sum is bounded.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from xattn_viz.core.records import read_only, summary
from xattn_viz.inputs import InputError, as_array, is_file, of_mapping, opened, pages
from xattn_viz.shapes import Scene, draw

#: The most pixels that a picture may have, those of a large camera, and that are decoded at the same time, whoever
#: asks: further pictures wait. Decoding takes up to 6 bytes for each.
MAX_PIXELS = 64_000_000
#: The most pixels that are kept of a picture, 3 bytes each: one with more is made smaller.
MOST_KEPT = 16_000_000
#: Pillow's names of the formats that are read.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_READABLE = "PNG, JPEG, WebP, GIF, BMP and TIFF can be read, and the first page of a PDF"
_PAPER = (255, 255, 255)  # what shows through a transparent pixel
_LARGE = 2048  # pixels: a picture is read at a whole fraction of its size while both its sides stay at least so long
_STRIP = 1_000_000  # pixels of a large picture that are made smaller at a time
_HIGH_BYTE = 8  # bits: a sample of 16 bits is read by its upper 8, as Pillow does where there are three
_SEVERAL = ("The file holds several pictures, an animation or pages, and the first of them was read.",)
_CHANNELS = (1, 3, 4)  # grey, colours, colours and how opaque they are
_SLACK = 1e-3  # by which floats may leave 0 to 1: who resizes a picture rounds
_ONE_OF = "; give one of its pictures, as in model.trace(array[0])"
_TRANSPARENT = "What is transparent in the picture is shown on white."


@dataclass(frozen=True, eq=False)
class Picture:
    """`pixels` `[row, column, 3]` of red, green and blue from 0 to 255, and notes for people on how they came in.

    `is_resized` marks pixels that a model was given, which are not brought to its size again. They become read-only.
    Raises InputError for others.
    """

    pixels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()
    is_resized: bool = False

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise InputError(
                f"A Picture has pixels [row, column, 3] of uint8: got {pixels.dtype} of {pixels.shape}, of which "
                "images.read makes one."
            )
        object.__setattr__(self, "pixels", read_only(pixels))

    __repr__ = summary


def read(source: Any, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture of whatever people have: a file (its path, its bytes or open), an image of PIL, an array or a scene.

    Arrays, of numpy, torch or any other library, are `[row, column]` (grey), `[row, column, channel]` or
    `[channel, row, column]` with 1, 3 or 4 channels, of uint8 from 0 to 255 or of floats from 0 to 1:

    >>> import io, numpy as np
    >>> from PIL import Image
    >>> red = np.zeros((20, 30, 3), np.uint8)
    >>> red[..., 0] = 255
    >>> file = io.BytesIO()
    >>> Image.fromarray(red).save(file, "PNG")
    >>> every = [red, red.transpose(2, 0, 1), red / 255, Image.fromarray(red), file, file.getvalue()]
    >>> every += [{"bytes": file.getvalue(), "path": None}]  # as datasets of Hugging Face hold it
    >>> all((read(given).pixels == red).all() for given in every)
    True
    >>> read(np.zeros((20, 30, 4))).notes  # red, green, blue and how opaque it is
    ('What is transparent in the picture is shown on white.',)
    >>> from xattn_viz.shapes import Scene, Thing
    >>> read(Scene((Thing("red", "circle", 0.3, 0.5, 0.2),))).pixels.shape
    (96, 96, 3)

    Of a PDF the first page is drawn (`inputs.pages`). A photograph is turned as its EXIF says, transparent pixels show
    white, of an animation the first frame is read, and a very large picture at a whole fraction of its size: while both
    its sides stay at least 2,048 pixels long, or it has more than `MOST_KEPT`. `Picture.notes` says what people should
    know. Colour profiles are not applied.

    Raises InputError, in one sentence, for what is no picture, is damaged or cut off, or has more than `max_pixels`;
    and for numbers that could be read in two ways.
    """
    if isinstance(source, Mapping):
        source = of_mapping(source, "a picture")
    if isinstance(source, Picture):
        return source
    if isinstance(source, Scene):
        return Picture(draw(source))
    if isinstance(source, Image.Image):
        with _readable(max_pixels):
            _check_size(source, max_pixels)
            return _let_in(source)
    if is_file(source):
        with opened(source) as file:
            return _of_file(file, max_pixels)
    array = as_array(source)
    if array is None:
        raise InputError(
            "A picture is a file (its path, its bytes or open), an image of PIL, an array of pixels or a Scene: got "
            f"{type(source).__name__}."
        )
    return _of_array(array, max_pixels)


def covered(pixels: NDArray[np.uint8], grid: tuple[int, int], patches: Iterable[int]) -> NDArray[np.uint8]:
    """A picture `[row, column, 3]` with some of its patches, by number row by row, in its own median colour.

    `grid` are the rows and columns of patches; the rest stays as it is.

    >>> import numpy as np
    >>> covered(np.array([[[9, 9, 9], [8, 1, 0], [8, 1, 0]]], np.uint8), (1, 3), [0])[0].tolist()
    [[8, 1, 0], [8, 1, 0], [8, 1, 0]]
    """
    found = pixels.copy()
    tall, wide = pixels.shape[:2]
    gone = np.zeros(grid[0] * grid[1], bool)
    gone[list(patches)] = True
    rows, columns = (np.arange(size) * count // size for size, count in zip((tall, wide), grid, strict=True))
    found[gone.reshape(grid)[rows][:, columns]] = np.rint(np.median(pixels, (0, 1)))
    return found


class _Gate:
    """Lets so many pixels be decoded at the same time, in all threads; what is more waits, first come first served."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._line, self._freed = threading.Lock(), threading.Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        with self._line, self._freed:  # one waits for room, and the others behind it
            self._freed.wait_for(lambda: not self._taken or self._taken + pixels <= self._most)
            self._taken += pixels
        try:
            yield
        finally:
            with self._freed:
                self._taken -= pixels
                self._freed.notify_all()


def _start_worker() -> None:
    _WORKERS[:] = [ThreadPoolExecutor(1, "large-pictures")]


_GATE = _Gate(MAX_PIXELS)
# One thread reads the large pictures: memory that is freed stays with its thread, and of many that would add up.
_WORKERS: list[ThreadPoolExecutor] = []
_start_worker()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_worker)  # threads stay behind in the parent


@contextmanager
def _readable(max_pixels: int) -> Iterator[None]:
    """Whatever goes wrong with a picture as one sentence."""
    with warnings.catch_warnings():
        # Those are of metadata that no pixel depends on; the size is checked here.
        warnings.filterwarnings("ignore", module="PIL")
        try:
            yield
        except InputError:
            raise
        except UnidentifiedImageError as error:
            raise InputError(f"This is no picture, or of a kind that is not known: {_READABLE}.") from error
        except Image.DecompressionBombError as error:
            raise InputError(
                f"The picture has far more than the {max_pixels / 1e6:g} million pixels that can be read."
            ) from error
        except Exception as error:  # a damaged file makes the decoders raise whatever they trip over
            raise InputError("The picture is damaged or cut off, so it cannot be read.") from error


def _of_file(file: BinaryIO, max_pixels: int) -> Picture:
    beginning = file.read(pages.WITHIN)
    if not beginning:
        raise InputError(f"The file is empty, so it holds no picture: {_READABLE}.")
    file.seek(0)
    if pages.is_pdf(beginning):
        return _of_pdf(file.read(), max_pixels)
    with _readable(max_pixels), Image.open(file, formats=FORMATS) as image:
        _check_size(image, max_pixels)
        image.draft(None, (_LARGE, _LARGE))  # a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size
        picture = _let_in(image)
        notes = _SEVERAL if _has_several(image) else ()
    return Picture(picture.pixels, (*picture.notes, *notes))


def _of_pdf(data: bytes, max_pixels: int) -> Picture:
    pixels, count = pages.first_page(data)
    _check_pixels(pixels.shape[1], pixels.shape[0], max_pixels)
    return Picture(pixels, (f"The PDF has {count:,} pages, and the first of them was read.",) if count > 1 else ())


def _has_several(image: Image.Image) -> bool:
    """Whether a file holds an animation or pages. A camera's preview behind its photograph counts for nothing."""
    try:
        return image.format in ("GIF", "PNG", "WEBP", "TIFF") and bool(getattr(image, "is_animated", False))
    except Exception:  # what is behind the first picture is damaged
        return True


def _let_in(image: Image.Image) -> Picture:
    pixels = image.width * image.height
    with _GATE.taken(pixels):
        if pixels <= _LARGE**2:
            return _of_image(image)
        return _WORKERS[0].submit(_of_image, image).result()


def _of_image(image: Image.Image) -> Picture:
    notes: dict[str, None] = {}
    image.load()  # which turns a TIFF upright by itself
    scale, upright = _scale(image, notes), image.getexif().get(ExifTags.Base.Orientation)
    small = _smaller(image, scale, notes)
    if upright is not None:
        small.getexif()[ExifTags.Base.Orientation] = upright
        ImageOps.exif_transpose(small, in_place=True)
    return Picture(np.asarray(small), tuple(notes))


def _smaller(image: Image.Image, scale: float, notes: dict[str, None]) -> Image.Image:
    """The picture in red, green and blue; a large one strip by strip to save memory, and at a fraction of its size."""
    width, height = image.size
    if width * height <= _LARGE**2:
        return _plain(image, scale, notes)
    factor = max(min(image.size) // _LARGE, ceil(sqrt(width * height / MOST_KEPT)))
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = factor * max(_STRIP // (width * factor), 1)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(top + rows, height)))
        small.paste(_plain(strip, scale, notes).reduce(factor), (0, top // factor))
    return small


def _scale(image: Image.Image, notes: dict[str, None]) -> float:
    """What a sample of more than eight bits has to be multiplied with; 1 where the mode says it all.

    Numbers of 32 bits do not say what white is: it is the smallest of 1 (for floats), 255 and 65,535 that all fit in.
    """
    if image.mode not in ("I", "F"):
        return 1.0
    samples = np.asarray(image)
    least, most = float(samples.min()), float(samples.max())
    whites = (1, 255) if image.mode == "F" else (255, 65_535)
    white = next((white for white in whites if least >= 0 and most <= white), None)
    if white is None:
        raise InputError(
            f"The picture\u2019s samples are numbers of 32 bits from {least:,.6g} to {most:,.6g}, so it is not known "
            "which is white: save it with 8 or 16 bits a sample."
        )
    notes[f"The picture\u2019s samples are numbers of 32 bits: {white:,} was taken for white."] = None
    return 255 / white if white <= 255 else 1 / (1 << _HIGH_BYTE)


def _plain(image: Image.Image, scale: float, notes: dict[str, None]) -> Image.Image:
    """The picture in eight bits of red, green and blue, on white where it is transparent."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> _HIGH_BYTE).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        samples = np.asarray(image) * scale
        return Image.fromarray((np.rint(samples) if image.mode == "F" else samples).astype(np.uint8)).convert("RGB")
    if image.mode == "LAB":
        lab, screen = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, screen, outputMode="RGB")
        return converted if converted is not None else image
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    opaque, _ = layer.getchannel("A").getextrema()
    if isinstance(opaque, int) and opaque < 255:
        notes[_TRANSPARENT] = None
    paper = Image.new("RGB", layer.size, _PAPER)
    paper.paste(layer, mask=layer)
    return paper


def _of_array(array: NDArray[Any], max_pixels: int) -> Picture:
    pixels = _laid_out(array)
    _check_pixels(pixels.shape[1], pixels.shape[0], max_pixels)
    pixels = np.ascontiguousarray(_eight_bits(pixels))
    with _readable(max_pixels):
        return _let_in(Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _laid_out(array: NDArray[Any]) -> NDArray[Any]:
    """The pixels as `[row, column, channel]`."""
    if array.ndim == 2:
        return array[:, :, None]
    if array.ndim != 3 or not {array.shape[0], array.shape[2]} & {*_CHANNELS}:
        raise InputError(
            "An array of a picture is [row, column], [row, column, channel] or [channel, row, column] with 1, 3 or 4 "
            f"channels: got a shape of {array.shape}{_ONE_OF if array.ndim == 4 else ''}."
        )
    if array.shape[2] not in _CHANNELS:
        return array.transpose(1, 2, 0)
    if array.shape[0] in _CHANNELS[1:]:
        raise InputError(
            f"An array of {array.shape} could be [row, column, channel] or [channel, row, column]: give an image, as "
            "in model.trace(PIL.Image.fromarray(array)), which takes the channels last."
        )
    return array


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind != "f":
        raise InputError(
            f"An array of a picture is of uint8 or of floats from 0 to 1: got {pixels.dtype}; say it where its numbers "
            "are from 0 to 255, as in model.trace(array.astype(np.uint8))."
        )
    least, most = float(pixels.min()), float(pixels.max())
    if not np.isfinite([least, most]).all():
        raise InputError("The picture holds numbers that are none (NaN or infinity): give floats from 0 to 1.")
    if least < -_SLACK or most > 1 + _SLACK:
        raise InputError(
            f"The picture\u2019s floats go from {least:,.6g} to {most:,.6g}, and 0 to 1 is what can be read: undo what "
            "brought them there, or give 0 to 255 as in model.trace(array.astype(np.uint8))."
        )
    return np.rint(np.clip(pixels.astype(np.float32), 0, 1) * 255).astype(np.uint8)


def _check_size(image: Image.Image, max_pixels: int) -> None:
    _check_pixels(image.width, image.height, max_pixels)


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if not width * height:
        raise InputError(f"The picture is empty: it has {width:,} × {height:,} pixels.")
    if width * height > max_pixels:
        raise InputError(
            f"The picture has {width:,} × {height:,} pixels, and at most {max_pixels / 1e6:g} million can be read: "
            "make it smaller."
        )
