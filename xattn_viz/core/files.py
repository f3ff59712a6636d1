"""Files that are whole or not there: how everything here is written to the disk."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from xattn_viz.core.records import quoted

#: What ends the name of a file that is not complete yet.
PART = ".part"
#: What ends the names of files of other programs that open as traces (`foreign.attention_files`).
OF_OTHERS = ("safetensors", "json", "gz", "html", "htm", "tsv", "xml")
_MOST_NAMED = 40  # characters of the name that a part has too: a name may have 255 bytes, and a part adds some


def write(path: str | Path, content: bytes | str) -> None:
    """Write a file, text as UTF-8: beside it first, on to the disk, then under its name, all at once.

    Whatever stops it, a kill or a full disk, under that name stands what stood there before or all that is new. What
    was begun is removed again, unless the process itself is killed: then `.NAME.….part` stays behind. A link is
    followed, a file that is there keeps its permissions, and what is no file (a pipe, say) is simply written to.

    Raises OSError with this path where it cannot be written, and ValueError for a path that no file can have.
    """
    check(path)
    data = content if isinstance(content, bytes) else content.encode()
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            _replace(target, data)
    except OSError as error:  # it may name no file at all, or the one beside
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def check(path: str | Path) -> None:
    """Raise ValueError where no file can have this path: it holds NUL, or half a character (a lone surrogate)."""
    try:
        held = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        held = True
    if held:
        raise ValueError(f"{quoted(path)} is no name of a file: it holds a character that no name can have.")


def _replace(target: Path, data: bytes) -> None:
    part = target.with_name(f".{target.name[:_MOST_NAMED]}.{secrets.token_hex(8)}{PART}")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the new name last through a power cut, where the system lets a folder be opened for that."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
