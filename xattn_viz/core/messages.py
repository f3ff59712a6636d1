"""What people gave, as a message may repeat it."""

from __future__ import annotations

import os

_SHOWN = 100  # characters of what was given that a message repeats


def quoted(value: object) -> str:
    """A value as a message shows it: without control characters, and a long one without its middle."""
    try:
        text = " ".join(repr(os.fspath(value) if isinstance(value, os.PathLike) else value).split())
    except Exception:  # a number of too many digits, or an object that cannot say what it is
        text = f"what is of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 30]}…{text[-29:]}"
