"""The first page of a PDF: the pixels that went in come out, and what cannot be read is told in a sentence."""

from __future__ import annotations

import io
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader, PdfWriter

from xattn_viz.inputs import InputError, images, pages

COLOURS = ((200, 30, 40), (20, 160, 60))


def pdf(count: int = 1, size: tuple[int, int] = (144, 72)) -> bytes:
    """Pages of so many points, the left half of one colour and the right half of another."""
    file, made = io.BytesIO(), []
    for number in range(count):
        page = Image.new("RGB", size, COLOURS[number % 2])
        page.paste(COLOURS[1 - number % 2], (size[0] // 2, 0, *size))
        made.append(page)
    made[0].save(file, "PDF", save_all=True, append_images=made[1:])
    return file.getvalue()


def test_the_first_page_is_drawn_at_so_many_dots_an_inch() -> None:
    picture = images.read(pdf(3))
    assert picture.pixels.shape == (200, 400, 3)  # an inch by two
    assert picture.notes == ("The PDF has 3 pages, and the first of them was read.",)
    for place, colour in ((50, COLOURS[0]), (350, COLOURS[1])):
        assert np.abs(picture.pixels[20:180, place].astype(int) - colour).max() <= 8  # a JPEG lies in it
    assert images.read(pdf()).notes == ()
    assert max(images.read(pdf(size=(7200, 200))).pixels.shape) == pages.MOST_SIDE
    with ThreadPoolExecutor(4) as pool:  # the library allows one call at a time
        assert {one.pixels.tobytes() for one in pool.map(images.read, [pdf(3)] * 8)} == {picture.pixels.tobytes()}


def _written(writer: PdfWriter) -> bytes:
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def test_a_pdf_that_cannot_be_read_is_told_why(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf())))
    locked.encrypt("secret")
    for data, said in (
        (_written(locked), "locked by a password"),
        (_written(PdfWriter()), "it is empty, damaged"),
        (b"%PDF-1.7 and nothing else", "it is empty, damaged"),
        (pdf()[:200], "it is empty, damaged"),
        (b"words that are no picture", "PNG, JPEG, WebP, GIF, BMP and TIFF can be read, and the first page of a PDF"),
    ):
        with pytest.raises(InputError, match=said):
            images.read(data)
    with pytest.raises(InputError, match=r"at most 0\.01 million"):
        images.read(pdf(), max_pixels=10_000)
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(InputError, match=r"pip install 'xattn-viz\[documents\]'"):
        images.read(pdf())
