"""What of a model lies in the hub's cache on this disk, and whether the rest would fit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from xattn_viz.models.base import ModelError
from xattn_viz.models.folder import Folder
from xattn_viz.models.hub.files import Form, weights

_PATTERNS = ("*.json", "*.model", "*.spm", "*.txt", "*.safetensors", "*.bin")
#: The file that says what a model is, on whatever branch.
INDICES = ("config.json", "model_index.json")
_PULL_REQUESTS = "refs/pr"  # where the hub keeps the branches of conversions


@dataclass(frozen=True)
class Fetched:
    """The folder that holds the files, the commit they are of, and notes for people."""

    folder: Path
    commit: str | None
    notes: tuple[str, ...] = ()


def downloaded_before(name: str, revision: str | None, forms: Sequence[Form]) -> Fetched | None:
    """What an earlier visit left of a model, None where that is nothing to load from.

    Where the main branch has no weights of a form that may be read, a conversion of it serves, if one was fetched.
    """
    found = list(_snapshots(name, revision))
    folder = next((folder for folder in found if weights(Folder(folder).names(), forms)), None)
    folder = folder or next(iter(found), None)
    if folder is None:
        return None
    return Fetched(folder, folder.name, ("The hub could not be reached: this is what was downloaded before.",))


def _snapshots(name: str, revision: str | None) -> Iterator[Path]:
    conversions = sorted((_folder(name) / "refs" / _PULL_REQUESTS).glob("*")) if revision is None else []
    for asked in (revision, *(f"{_PULL_REQUESTS}/{path.name}" for path in conversions)):
        try:
            folder = snapshot_download(
                name,
                revision=asked,
                local_files_only=True,
                allow_patterns=list(_PATTERNS),
                cache_dir=constants.HF_HUB_CACHE,
            )
        except (LocalEntryNotFoundError, ValueError):
            continue
        if any((Path(folder) / index).exists() for index in INDICES):
            yield Path(folder)


def is_there(name: str) -> bool:
    """Whether an earlier visit left a model in the cache."""
    return next(_snapshots(name, None), None) is not None


def check_disk(name: str, needed: int) -> None:
    """Raise ModelError where a model of `needed` bytes does not fit on the disk, what is there already included."""
    folder = Path(constants.HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    cached = _folder(name) / "blobs"
    there = sum(path.stat().st_size for path in cached.glob("*")) if cached.is_dir() else 0
    if needed - there > free:
        raise ModelError(
            f"{name} needs {needed / 1e9:.2f} GB on disk, and {folder} has {free / 1e9:.2f} GB left: make room first."
        )


def _folder(name: str) -> Path:
    """Where the cache keeps a model."""
    return Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
