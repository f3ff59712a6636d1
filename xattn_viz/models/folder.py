"""A folder that holds a model, and the one door through which a name leads to it.

No other module asks the file system about a name, or opens a file of a model's folder by a path of its own making: what
is checked, hashed and read is one and the same file, and it lies inside.
"""

# ruff: noqa: PTH100, PTH111, PTH112, PTH113, PTH114, PTH208
# os.path answers for any name; Path raises for links in a circle, long names and closed folders.

from __future__ import annotations

import hashlib
import json
import os
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

from xattn_viz.models.base import ModelError

#: Set by who serves the app to others: only folders inside this one are then loaded.
ROOT_VARIABLE = "XATTN_VIZ_ROOT"
#: The folders that a pipeline consists of; of no other folder in a model's folder anything is read.
PARTS = (
    *(f"{part}{number}" for part in ("text_encoder", "tokenizer") for number in ("", "_2", "_3")),
    *("unet", "transformer", "vae", "scheduler"),
)
#: No file of a model but its weights is larger, in bytes; the largest tokenizers take a tenth of it.
MOST_BYTES = 512_000_000

_TEXTS = (".json", ".jinja", ".model", ".spm", ".txt", ".tokenizer", ".codes", ".tiktoken", ".bpe")
_ENDINGS = (*_TEXTS, ".safetensors", ".bin", "known.npz")  # the last is what a model counts as pictures of its kind
_LONGEST_NAME, _LONGEST_PART = 4096, 255  # what file systems allow; a longer name is none


class Folder:
    """The files of a model, asked for by their names in its folder, such as `config.json` or `unet/config.json`.

    A file may be a link to another one in the folder, inside the root of who serves the app, or in the store that the
    hub's cache keeps beside it. A link to anywhere else is refused, whether or not something is there. `opened` are the
    names of the files that were asked for.
    """

    def __init__(self, path: Path, *, links_anywhere: bool = False) -> None:
        """`links_anywhere` is for what was installed, which some installers link to a store of their own."""
        self.path = Path(os.path.realpath(path))
        self.opened: set[str] = set()
        self._links_anywhere = links_anywhere

    def __str__(self) -> str:
        return str(self.path)

    def names(self) -> tuple[str, ...]:
        """The names of the files in the folder and in the `PARTS` of a pipeline, in order. No file is looked into."""
        found = [name for name in self._entries("") if not os.path.isdir(self.path / name)]
        return tuple(sorted([*found, *(f"{part}/{name}" for part in self.parts() for name in self._entries(part))]))

    def parts(self) -> list[str]:
        """Which of the `PARTS` of a pipeline it has."""
        return [part for part in PARTS if self._is_inside(self.path / part) and os.path.isdir(self.path / part)]

    def has(self, name: str) -> bool:
        """Whether there is a file of that name, or a link that claims to be one."""
        path = self.path / name
        return self._is_inside(path.parent) and (os.path.islink(path) or os.path.isfile(path))

    def file(self, name: str) -> Path:
        """Where a file really lies, all links followed: what is to be opened.

        Raises FileNotFoundError where there is none, and ModelError for a link that leads out and for what is no
        regular file, such as a pipe.
        """
        path = self.path / name
        if not self._is_inside(path):
            raise ModelError(
                f"{name} of {self} is a link that leads out of the folder, and nothing outside is read: put the file "
                "itself there."
            )
        real = Path(os.path.realpath(path))
        if not stat.S_ISREG(real.stat().st_mode):
            raise ModelError(f"{name} of {self} cannot be read: it is no file.")
        self.opened.add(name)
        return real

    def read(self, name: str, most: int | None = MOST_BYTES) -> bytes:
        """What a file holds. Raises as `file` does, and ModelError where it has more than `most` bytes."""
        path = self.file(name)
        if most is not None and (size := path.stat().st_size) > most:
            raise ModelError(
                f"{name} of {self} cannot be read: it has {size / 1e9:.1f} GB, and no model's has so much."
            )
        return path.read_bytes()

    def json(self, name: str) -> Any:
        """The value that a file of JSON holds. Raises as `read` does, and ValueError where it is damaged."""
        try:
            return json.loads(self.read(name))
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error

    def sha256(self, name: str) -> bytes:
        """The digest of a file. What was digested before and has not been touched since is not read again."""
        path = self.file(name)
        return _sha256(path, _stamp(path))

    def content(self) -> str:
        """What was read of the folder, as one sha256: of the files asked for so far, and of which others there are.

        Another file of the kinds that models are made of may be read the next time, so its name counts, too.
        """
        digest = hashlib.sha256()
        for name in self._relevant():
            digest.update(name.encode(errors="surrogateescape") + b"\0")
            digest.update(self.sha256(name) if name in self.opened else b"")
        return digest.hexdigest()

    def stamps(self) -> dict[str, tuple[int, ...]]:
        """The device, number, size and times of each file that may be read: they tell at once that one was touched."""
        stamps = {}
        for name in self._relevant():
            path = self.path / name
            if self._is_inside(path) and os.path.isfile(path):
                stamps[name] = _stamp(path)
        return stamps

    def _relevant(self) -> list[str]:
        return [name for name in self.names() if name.endswith(_ENDINGS)]

    def _entries(self, part: str) -> list[str]:
        try:
            return os.listdir(self.path / part)
        except OSError as error:
            raise ModelError(f"The folder {self} cannot be read: {error.strerror}.") from error

    def _is_inside(self, path: Path) -> bool:
        real = os.path.realpath(path)
        return self._links_anywhere or any(_is_in(real, bound) for bound in self._bounds())

    def _bounds(self) -> list[str]:
        bounds = [str(self.path)]
        if root := _root():
            bounds.append(os.path.realpath(root))
        if self.path.parent.name == "snapshots":  # of the hub's cache, whose files are links to blobs/<digest>
            bounds.append(str(self.path.parents[1] / "blobs"))
        return bounds


def configuration(folder: Folder | Path, name: str = "config.json") -> dict[str, Any]:
    """What the settings in a folder say; nothing where there are none, or they are damaged. Raises as `Folder.file`."""
    try:
        said = (folder if isinstance(folder, Folder) else Folder(folder)).json(name)
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def find_folder(asked: object) -> Folder | None:
    """The folder that a name or path means, where there is one that may be read; None otherwise.

    `~` is the home. Where a root is set, a name is first taken to pieces as text: of what lies outside not even the
    existence is looked at. Links are followed then, and have to stay inside too.
    """
    if isinstance(asked, Folder):
        return asked
    if not isinstance(asked, str | os.PathLike):
        return None
    name = os.fspath(asked)
    if not isinstance(name, str) or not _could_be_path(name):
        return None
    path = os.path.abspath(os.path.expanduser(name))
    if root := _root():
        if not any(_is_in(path, bound) for bound in (os.path.abspath(root), os.path.realpath(root))):
            return None
        if not _is_in(os.path.realpath(path), os.path.realpath(root)):
            return None
    return Folder(Path(path)) if os.path.isdir(path) else None


def _root() -> str | None:
    return os.environ.get(ROOT_VARIABLE) or None


def _could_be_path(name: str) -> bool:
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        return False
    parts = encoded.replace(b"\\", b"/").split(b"/")
    return (
        bool(name.strip())
        and b"\0" not in encoded
        and len(encoded) <= _LONGEST_NAME
        and max(map(len, parts)) <= _LONGEST_PART
    )


def _is_in(path: str, bound: str) -> bool:
    path, bound = os.path.normcase(path), os.path.normcase(bound)
    return path == bound or path.startswith(bound.rstrip(os.sep) + os.sep)


def _stamp(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@lru_cache(maxsize=4096)  # by its stamp too: a file that was touched is digested again
def _sha256(path: Path, stamp: tuple[int, ...]) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
