"""Whatever people have in hand, a text, a sound or a picture, to what a model reads, in one place for all models.

Here is what sounds and pictures share: a file to read from, whatever it is given as, and numbers as an array.
"""

from __future__ import annotations

import array
import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.records import quoted

#: The most bytes that are taken of a file without a place to go back to, such as a pipe.
MAX_STREAM_BYTES = 1 << 30
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/|data:", re.IGNORECASE)


class InputError(ValueError):
    """The input cannot be read or traced; the message is one sentence for people that says what to give instead."""


def is_file(source: object) -> bool:
    """Whether this is a file: a path, its bytes, or one that is open."""
    return isinstance(source, str | os.PathLike | bytes | bytearray | memoryview) or callable(
        getattr(source, "read", None)
    )


def of_mapping(source: Mapping[Any, Any], what: str, also: str = "") -> Any:
    """The bytes, or else the path, of a file as datasets of Hugging Face hold it. Raises InputError for neither."""
    for name in ("bytes", "path"):
        if source.get(name) is not None:
            return source[name]
    raise InputError(f'A mapping that is {what} holds {also}"bytes" or "path": got one of {quoted(list(source))}.')


@contextmanager
def opened(source: Any) -> Iterator[BinaryIO]:
    """A file to read from its beginning: of a path, of bytes, or one that is open already, which is left open.

    Raises InputError where it cannot be read. No address is fetched.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        yield io.BytesIO(source if isinstance(source, bytes) else bytes(source))
    elif isinstance(source, str | os.PathLike):
        with _of_path(source) as file:
            yield _seekable(file)
    else:
        yield _seekable(source)


def _of_path(path: str | os.PathLike[Any]) -> BinaryIO:
    name = os.fsdecode(path)
    if not name:
        raise InputError("The path is empty: give that of a file.")
    try:
        return Path(name).open("rb")
    except (OSError, ValueError) as error:  # a NUL or half a character in it is a ValueError
        if _ADDRESS.match(name):
            raise InputError(
                f"{quoted(name)} is an address, and nothing is fetched from the network: download it, and give the "
                "path of the file."
            ) from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "this is no name of a file"
        raise InputError(f"{quoted(name)[1:-1]} cannot be read: {reason}.") from error


def _seekable(file: Any) -> BinaryIO:
    """The file at its beginning; what cannot go back there is read into memory."""
    try:
        if not isinstance(file.read(0), bytes):
            raise InputError('The file is open as text: open it as bytes, as in open(path, "rb").')
        if file.seekable():
            file.seek(0)
            seekable: BinaryIO = file
            return seekable
        data = file.read(MAX_STREAM_BYTES + 1)
    except InputError:
        raise
    except Exception as error:  # closed, open for writing only, or a reader of somebody's own
        raise InputError(f"The open file cannot be read ({quoted(str(error))}): give its path or its bytes.") from error
    if len(data) > MAX_STREAM_BYTES:
        raise InputError(f"The stream has more than {MAX_STREAM_BYTES >> 20:,} MB: give the path of a file.")
    return io.BytesIO(data)


def as_array(source: Any) -> NDArray[Any] | None:
    """Numbers as an array: those of an array or a tensor of any library, or of lists; None for anything else.

    Raises InputError where they make no array.
    """
    if isinstance(source, np.ndarray):
        return np.asarray(source)
    is_tensor = callable(getattr(source, "detach", None))
    if not is_tensor and not isinstance(source, list | tuple | array.array) and not hasattr(source, "__array__"):
        return None
    try:
        made = _of_tensor(source.detach().cpu()) if is_tensor else np.asarray(source)
    except Exception as error:  # rows of several lengths, tensors without values, whatever a library raises
        raise InputError(
            f"This {type(source).__name__} makes no array of numbers: give one of numpy, all of whose rows are equally "
            "long."
        ) from error
    if made.dtype.kind in "US":
        raise InputError(
            f"This {type(source).__name__} holds texts and no numbers: give one file at a time, as in "
            'model.trace("one.wav"), or all of them to xv.trace_many.'
        )
    return made


def _of_tensor(tensor: Any) -> NDArray[Any]:
    try:
        return np.asarray(tensor.numpy())
    except TypeError:  # bfloat16, which numpy does not have
        return np.asarray(tensor.float().numpy())
