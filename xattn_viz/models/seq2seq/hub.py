"""A model's files from the Hugging Face hub: which of them, whether they fit, and what to say when they do not come."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tqdm import tqdm  # type: ignore[import-untyped]

from xattn_viz.models.base import ModelError, OnProgress

# What a checkpoint's tokenizer may consist of, besides its .json files.
_TOKENIZER_ENDINGS = (".json", ".model", ".spm", "merges.txt", "vocab.txt")
# Hugging Face's own conversions to safetensors are pull requests of this account.
_CONVERTER = "SFconvertbot"
_PATTERNS = ("*.json", "*.model", "*.spm", "*.txt", "model*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class Fetched:
    """The folder that holds the files, the commit they are of, and notes for people."""

    folder: Path
    commit: str | None
    notes: tuple[str, ...] = ()


def fetch(name: str, revision: str | None, allow_pickle: bool, on_progress: OnProgress | None) -> Fetched:
    """Download what is not there yet and return where it is; without network what was downloaded before serves.

    Raises ModelError: for an unknown name or revision, a gated model, no network, a connection that was cut, too
    little disk, and weights in `.bin` files only without `allow_pickle`.
    """
    api = HfApi(endpoint=_endpoint())
    with _sentences(name, revision):
        try:
            info = api.model_info(name, revision=revision, files_metadata=True, timeout=20)
        except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
            raise
        except Exception as error:
            if not _is_of_network(error):
                raise
            return _downloaded_before(name, revision, error)
        sizes, notes = _sizes(info), tuple[str, ...]()
        commit = str(info.sha)
        chosen = choose(sizes)
        if not allow_pickle and any(path.endswith(".bin") for path in chosen):
            conversion = _conversion(api, name)
            if conversion is None:
                raise ModelError(
                    f"{name} has its weights only in PyTorch's older format (.bin): allow it with allow_pickle=True if "
                    "you trust its authors. It is then read as data, and no code in it is run."
                )
            commit, sizes, number = conversion
            chosen = choose(sizes)
            notes = (f"The weights are Hugging Face's conversion to safetensors (pull request {number}).",)
        total = sum(chosen.values())
        _check_disk(name, total)
        if not notes and "config.json" in chosen:
            # By its branch, so that the cache notes which commit that is: without network it is looked up there.
            hf_hub_download(
                name, "config.json", revision=revision, endpoint=_endpoint(), cache_dir=constants.HF_HUB_CACHE
            )
        folder = _download(name, commit, chosen, total, on_progress)
    return Fetched(folder, commit, notes)


def choose(sizes: Mapping[str, int]) -> dict[str, int]:
    """The files to fetch, with their sizes: configuration, tokenizer, and one form of the weights."""
    top = {path: size for path, size in sizes.items() if "/" not in path}
    chosen = {path: size for path, size in top.items() if path.endswith(_TOKENIZER_ENDINGS)}
    safe = {path: size for path, size in top.items() if path.startswith("model") and path.endswith(".safetensors")}
    pickles = {path: n for path, n in top.items() if path.startswith("pytorch_model") and path.endswith(".bin")}
    return chosen | (safe or pickles)


def _sizes(info: Any) -> dict[str, int]:
    return {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}


def _conversion(api: HfApi, name: str) -> tuple[str, dict[str, int], int] | None:
    """The commit, files and number of an open conversion to safetensors by Hugging Face's own account."""
    for discussion in api.get_repo_discussions(name, author=_CONVERTER, discussion_type="pull_request"):
        if discussion.author == _CONVERTER and "safetensors" in discussion.title:
            info = api.model_info(name, revision=f"refs/pr/{discussion.num}", files_metadata=True)
            sizes = _sizes(info)
            if any(path.endswith(".safetensors") for path in choose(sizes)):
                return str(info.sha), sizes, discussion.num
    return None


def _download(name: str, commit: str, chosen: Mapping[str, int], total: int, on_progress: OnProgress | None) -> Path:
    progress = _progress(total, on_progress)
    folder = None
    for path in sorted(chosen, key=lambda path: chosen[path]):  # the small ones first: they fail soonest
        found = hf_hub_download(
            name, path, revision=commit, endpoint=_endpoint(), cache_dir=constants.HF_HUB_CACHE, tqdm_class=progress
        )
        folder = Path(found).parent
    if folder is None:
        raise ModelError(f"{name} holds no files of a model.")
    if on_progress is not None:
        on_progress(total, total)
    return folder


def _progress(total: int, on_progress: OnProgress | None) -> Any:
    """A progress bar that draws nothing and tells `on_progress` of the bytes of all files together."""
    done = 0

    class Progress(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)  # huggingface_hub's own addition
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            nonlocal done
            done += int(n or 0)
            if on_progress is not None:
                on_progress(min(done, total), total)
            return None

    return Progress


def _downloaded_before(name: str, revision: str | None, error: Exception) -> Fetched:
    try:
        folder = Path(
            snapshot_download(
                name,
                revision=revision,
                local_files_only=True,
                allow_patterns=list(_PATTERNS),
                cache_dir=constants.HF_HUB_CACHE,
            )
        )
    except (LocalEntryNotFoundError, ValueError):
        raise error from None
    if not (folder / "config.json").exists():
        raise error
    return Fetched(folder, folder.name, ("The hub could not be reached: this is what was downloaded before.",))


def _check_disk(name: str, needed: int) -> None:
    folder = Path(constants.HF_HUB_CACHE)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    cached = folder / f"models--{name.replace('/', '--')}" / "blobs"
    there = sum(path.stat().st_size for path in cached.glob("*")) if cached.is_dir() else 0
    if needed - there > free:
        raise ModelError(
            f"{name} needs {needed / 1e9:.2f} GB on disk, and {folder} has {free / 1e9:.2f} GB left: make room first."
        )


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


@contextmanager
def _sentences(name: str, revision: str | None) -> Iterator[None]:
    """Turn what the hub's client raises into one sentence each. The order matters: the first are kinds of the last."""
    try:
        yield
    except GatedRepoError as error:
        raise ModelError(
            f"{name} is gated: accept its terms on its page of the Hugging Face hub, then log in with `hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"There is no public model {name!r} on the hub: check its spelling.") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"{name} has no revision {revision!r} on the hub.") from error
    except HFValidationError as error:
        raise ModelError(f"{name!r} is no name that a model on the hub can have.") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise ModelError(f"The disk is full: {name} could not be stored in {constants.HF_HUB_CACHE}.") from error
        raise ModelError(f"{name} could not be fetched: {_reason(error)}.") from error
    except EntryNotFoundError as error:
        raise ModelError(f"{name} lost a file while it was being fetched: try again.") from error
    except Exception as error:
        if not _is_of_network(error):
            raise
        raise ModelError(f"{name} could not be fetched: {_reason(error)}.") from error


def _is_of_network(error: Exception) -> bool:
    """Whether an error means that the hub was not reached or failed: httpx's own are no OSError."""
    return isinstance(error, OSError) or type(error).__module__.startswith(("httpx", "httpcore"))


def _reason(error: Exception) -> str:
    text = str(error)
    if "Consistency check failed" in text or "peer closed" in text or "incomplete" in text:
        return "the connection was cut; what came in is kept, so trying again goes on from there"
    return "the hub cannot be reached from here; check the network"
