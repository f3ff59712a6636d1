"""Picture files of every kind: the pixels that went in come out, what is no picture is named, memory is bounded."""

from __future__ import annotations

import io
import logging
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.inputs import InputError, images

RED, GREEN, BLUE, WHITE = (200, 30, 40), (20, 160, 60), (30, 60, 220), (255, 255, 255)


def read(source: Any, **bounds: int) -> NDArray[np.uint8]:
    return images.read(source, **bounds).pixels


def quarters(rows: int = 32, columns: int = 48) -> NDArray[np.uint8]:
    """Four coloured quarters, none like another, so that turning and mirroring show: `[row, column, 3]`."""
    picture = np.empty((rows, columns, 3), np.uint8)
    top, left = rows // 2, columns // 2
    picture[:top, :left], picture[:top, left:], picture[top:, :left], picture[top:, left:] = RED, GREEN, BLUE, WHITE
    return picture


def saved(image: Image.Image | NDArray[Any], kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    made = image if isinstance(image, Image.Image) else Image.fromarray(image)
    made.save(file, kind, **settings)
    return file.getvalue()


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *, squeezed: bool = False) -> bytes:
    """A PNG written by hand: `rows` are filter bytes and samples, as the format says (RFC 2083)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", rows if squeezed else zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("PNG", {}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})],
)
def test_what_was_saved_comes_out(kind: str, settings: dict[str, Any]) -> None:
    found = read(saved(quarters(), kind, **settings))
    np.testing.assert_array_equal(found, quarters())
    assert (found.dtype, found.flags.writeable) == (np.dtype(np.uint8), False)


def test_a_path_reads_as_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a picture.txt"  # its name says nothing
    file.write_bytes(saved(quarters(), "PNG"))
    np.testing.assert_array_equal(read(file), quarters())
    np.testing.assert_array_equal(read(str(file)), quarters())
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(tmp_path / "missing.png")


def test_every_way_to_hold_colours() -> None:
    picture = quarters()
    image = Image.fromarray(picture)
    np.testing.assert_array_equal(read(saved(image.quantize(4), "PNG")), picture)  # palette
    grey = np.asarray(image.convert("L"))
    np.testing.assert_array_equal(read(saved(grey, "PNG")), np.repeat(grey[:, :, None], 3, 2))
    np.testing.assert_array_equal(read(saved(image.convert("1"), "PNG"))[-1, -1], WHITE)
    # Lossy, and ink is not light: colours may be off by a few of 255.
    for mode, data in (("RGB", saved(image, "JPEG", quality=95)), ("CMYK", saved(image.convert("CMYK"), "JPEG"))):
        found = read(data)
        assert Image.open(io.BytesIO(data)).mode == mode
        for row, column, colour in ((8, 12, RED), (8, 36, GREEN), (24, 12, BLUE), (24, 36, WHITE)):
            np.testing.assert_allclose(found[row, column], colour, atol=6)


def test_sixteen_bits_are_read_by_their_upper_eight() -> None:
    samples = np.array([[0, 255, 256, 40_000, 65_535]], ">u2")
    upper = [0, 0, 1, 156, 255]
    grey = png(5, 1, 16, 0, b"\0" + samples.tobytes())
    np.testing.assert_array_equal(read(grey), np.repeat(np.array([upper], np.uint8)[:, :, None], 3, 2))
    colours = np.stack([samples, samples[:, ::-1], np.zeros_like(samples)], axis=2).astype(">u2")
    found = read(png(5, 1, 16, 2, b"\0" + colours.tobytes()))
    np.testing.assert_array_equal(found[0], np.stack([upper, upper[::-1], [0] * 5], axis=1))
    tiff = saved(Image.fromarray(samples.astype(np.uint16)), "TIFF")
    np.testing.assert_array_equal(read(tiff)[0, :, 0], upper)
    with pytest.raises(InputError, match="32 bits from 0 to 100,000, so it is not known which is white"):
        read(saved(Image.fromarray(np.array([[0, 1e5]], np.float32)), "TIFF"))


def test_what_is_transparent_shows_white() -> None:
    picture = np.dstack([quarters(), np.full((32, 48), 255, np.uint8)])
    picture[:16, :24, 3], picture[:16, 24:, 3] = 0, 51  # a fifth of the green
    expected = quarters()
    expected[:16, :24] = WHITE
    expected[:16, 24:] = [round(0.2 * own + 0.8 * 255) for own in GREEN]
    for kind in ("PNG", "TIFF"):
        np.testing.assert_allclose(read(saved(picture, kind)), expected, atol=1)
    marked = Image.fromarray(quarters()).quantize(4)
    found = read(saved(marked, "PNG", transparency=marked.getpixel((0, 0))))
    np.testing.assert_array_equal(found[0, 0], WHITE)
    np.testing.assert_array_equal(found[0, -1], GREEN)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (16, 12), colour) for colour in (RED, GREEN, BLUE)]
    settings = {"lossless": True} if kind == "WEBP" else {}
    found = read(saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **settings))
    np.testing.assert_array_equal(found, np.full((12, 16, 3), RED, np.uint8))
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **settings)
    (note,) = images.read(data).notes
    assert "the first of them was read" in note
    assert images.read(saved(frames[0], kind, **settings)).notes == ()


def test_of_a_file_of_pages_the_first_where_others_are_damaged() -> None:
    whole = saved(Image.fromarray(quarters()), "TIFF", save_all=True, append_images=[Image.new("RGB", (40, 40))])
    picture = images.read(whole[:-2000])
    np.testing.assert_array_equal(picture.pixels, quarters())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(orientation: int) -> None:
    """The tag says where the first row and column of what is stored belong (EXIF 2.32, tag 0x0112)."""
    upright = quarters()
    # What a camera stores, so that each orientation shows the same picture.
    swapped = upright.transpose(1, 0, 2)
    stored = [
        *(upright, upright[:, ::-1], upright[::-1, ::-1], upright[::-1]),
        *(swapped, swapped[::-1], swapped[::-1, ::-1], swapped[:, ::-1]),
    ][orientation - 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(read(saved(np.ascontiguousarray(stored), "PNG", exif=exif)), upright)


@pytest.mark.parametrize("size", [(1, 1), (10, 20_000), (20_000, 10)])
def test_any_proportions(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    np.testing.assert_array_equal(read(saved(picture, "PNG")), picture)
    np.testing.assert_array_equal(read(picture), picture)


def test_a_large_photograph_is_read_at_a_fraction_of_its_size() -> None:
    found = read(saved(quarters(4096, 6144), "JPEG"))
    assert found.shape == (2048, 3072, 3)
    np.testing.assert_allclose(found[100, 100], RED, atol=4)
    np.testing.assert_allclose(found[-100, 100], BLUE, atol=4)


def test_arrays() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(read(grey), np.repeat(grey[:, :, None], 3, 2))
    mine = quarters()
    found = read(mine)
    mine[:] = 0
    np.testing.assert_array_equal(found, quarters())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "The file is empty"),
        (b"\0" * 100, "no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture"),
        (b"<!doctype html><img src=x onerror=alert(1)>", "no picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
        (saved(quarters(), "PPM"), "no picture"),
        (saved(quarters(), "PNG")[:60], "damaged or cut off"),
        (saved(quarters(), "JPEG")[:-200], "damaged or cut off"),
        (saved(quarters(), "WEBP")[:40], "damaged or cut off|no picture"),
        (saved(quarters(), "GIF")[:-20], "damaged or cut off"),
        (saved(quarters(), "TIFF")[:90], "damaged or cut off|no picture"),
        (png(0, 4, 8, 2, b""), "damaged or cut off|empty|no picture"),
        (png(9000, 9000, 1, 0, b""), "9,000 × 9,000 pixels, and at most 64 million"),
        (png(11_000, 11_000, 1, 0, b""), "11,000 × 11,000 pixels, and at most 64 million"),
        (png(2_000_000, 2_000_000, 1, 0, b""), "far more than the 64 million"),
        (np.zeros((4, 5, 4), np.uint8), r"\(4, 5, 4\) could be .*PIL\.Image\.fromarray"),
        (np.zeros((5, 5, 2), np.uint8), r"\(5, 5, 2\)"),
        (np.zeros((5, 5, 3), np.int64), "got int64.*astype"),
        (np.full((5, 5, 3), 200.0), "from 200 to 200.*astype"),
        (np.full((5, 5, 3), -0.5), "from .*0.5 to"),
        (np.full((5, 5, 3), np.nan), "NaN or infinity"),
        ([[1, 2], [3]], "equally long"),
        ([], "a shape of"),
        ("https://example.org/cat.png", "is an address"),
        (np.zeros(4, np.uint8), r"\(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), "empty"),
        (np.broadcast_to(np.uint8(0), (9000, 9000, 3)), "at most 64 million"),
        (12, "got int"),
        (None, "got NoneType"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(source: Any, words: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(InputError, match=words) as caught:
        read(source)
    assert str(caught.value).count(". ") == 0
    assert caplog.records == []


def test_the_bound_is_the_callers() -> None:
    assert read(saved(quarters(), "PNG"), max_pixels=48 * 32).shape == (32, 48, 3)
    with pytest.raises(InputError, match="48 × 32 pixels"):
        read(saved(quarters(), "PNG"), max_pixels=48 * 32 - 1)


def test_the_largest_picture_takes_bounded_memory() -> None:
    """150 kB that unpack to 64 million transparent pixels, in a process of its own, which knows its peak."""
    script = (
        "import resource, zlib\n"
        "from tests.inputs.test_images import png, read\n"
        "squeezer = zlib.compressobj(9)\n"
        "row = bytes(1 + 8000 * 2)\n"  # grey and alpha
        "rows = b''.join(squeezer.compress(row) for _ in range(8000)) + squeezer.flush()\n"
        "file = png(8000, 8000, 8, 4, rows, squeezed=True)\n"
        "assert len(file) < 200_000\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert (read(file) == 255).all()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    root = Path(__file__).parents[2]
    # Started by a shell: a process inherits the peak of the one that starts it, and that of the tests is high.
    command = ["sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, script]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    kilobytes = int(done.stdout)
    assert 3 * 64e6 < kilobytes * 1024 < 12 * 64e6  # what `MAX_PIXELS` says
