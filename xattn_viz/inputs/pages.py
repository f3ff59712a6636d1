"""The first page of a PDF as a picture, drawn by PDFium, the library in Chromium, which pypdfium2 brings."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.inputs import InputError

#: What a PDF begins with, somewhere in its first bytes.
MARK, WITHIN = b"%PDF-", 1024
#: Dots an inch, unless a page is so large that its longer side would have more than `MOST_SIDE` pixels.
DOTS, MOST_SIDE = 200, 4096
_POINTS = 72  # of a PDF, an inch
_MISSING = "A PDF needs the library pypdfium2: pip install 'xattn-viz[documents]'. Or give a picture of the page."
_LOCKED = "The PDF is locked by a password, so it cannot be read: give one that opens without."
_DAMAGED = "The PDF holds no page that can be read: it is empty, damaged or cut off."
# Which the library says of an empty one too, where the one before was locked.
_ENCRYPTED = b"/Encrypt"
_PDFIUM = threading.Lock()  # one call at a time is what the library allows


def is_pdf(beginning: bytes) -> bool:
    """Whether a file that begins so is a PDF."""
    return MARK in beginning[:WITHIN]


def first_page(data: bytes) -> tuple[NDArray[np.uint8], int]:
    """The first page of a PDF `[row, column, 3]` on white, at `DOTS` an inch, and how many pages there are.

    Nothing that a page asks for is run or fetched. Raises InputError, in one sentence, for a PDF that is locked,
    damaged or without pages, and where the library is not installed.
    """
    try:
        import pypdfium2
    except ImportError:
        raise InputError(_MISSING) from None
    with _PDFIUM:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise InputError(_LOCKED if "password" in str(error) and _ENCRYPTED in data else _DAMAGED) from error
        try:
            return _drawn(document), len(document)
        except InputError:
            raise
        except Exception as error:  # the library's own errors, and those of what it hands over
            raise InputError(_DAMAGED) from error
        finally:
            document.close()


def _drawn(document: Any) -> NDArray[np.uint8]:
    if not len(document):
        raise InputError(_DAMAGED)
    page = document[0]
    width, height = page.get_size()
    if not (width > 0 and height > 0):
        raise InputError(_DAMAGED)
    scale = min(DOTS / _POINTS, MOST_SIDE / max(width, height))
    bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False)
    try:
        return np.array(bitmap.to_pil().convert("RGB"))  # a copy: the bitmap's memory is the library's
    finally:
        bitmap.close()
        page.close()
