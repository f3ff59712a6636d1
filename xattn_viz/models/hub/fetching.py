"""A model's files from the Hugging Face hub: fetched, or found in its cache, and a sentence for whatever goes wrong.

Of a checkpoint its configuration, its tokenizer and one form of its weights matter.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

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

from xattn_viz.models.base import ModelError, NeedsConsent, OnProgress
from xattn_viz.models.folder import PARTS, Folder

# Hugging Face's own conversions to safetensors are pull requests of this account.
_CONVERTER = "SFconvertbot"
# What may belong to a model.
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


def fetch(
    name: str,
    revision: str | None,
    forms: Sequence[Form],
    *,
    allow_pickle: bool = False,
    on_progress: OnProgress | None = None,
    check: Callable[[Path], object] | None = None,
) -> Fetched:
    """Download what is not there yet and return where it is; without network what was downloaded before serves.

    `forms` are those of the weights that the caller can read, the one it likes best first. `check` is called with the
    file that says what the model is, before its weights are fetched; it may raise.

    Raises ModelError: for an unknown name or revision, a gated model, no network, a connection that was cut, too
    little disk, and weights in `.bin` files only without `allow_pickle`.
    """
    api = HfApi(endpoint=_endpoint())
    with in_sentences(name, revision):
        try:
            info = api.model_info(name, revision=revision, files_metadata=True, timeout=20)
        except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
            raise
        except Exception as error:
            usable = [form for form in forms if allow_pickle or form != "pickle"]
            before = downloaded_before(name, revision, usable) if is_of_network(error) else None
            if before is None:
                raise
            return before
        sizes, notes = _sizes(info), tuple[str, ...]()
        commit, branch = str(info.sha), revision
        form, chosen = choose(sizes, forms)
        if form == "pickle" and not allow_pickle:
            conversion = _conversion(api, name)
            if conversion is None:
                raise NeedsConsent(
                    f"{name} has its weights only in PyTorch's older format (.bin): allow it with allow_pickle=True if "
                    "you trust its authors. It is then read as data, and no code in it is run."
                )
            commit, sizes, number = conversion
            branch, (_, chosen) = f"refs/pr/{number}", choose(sizes, forms)
            notes = (f"The weights are Hugging Face's conversion to safetensors (pull request {number}).",)
        total = sum(chosen.values())
        check_disk(name, total)
        if index := next((file for file in INDICES if file in chosen), None):
            # By its branch, so that the cache notes which commit that is: without network it is looked up there.
            path = hf_hub_download(name, index, revision=branch, endpoint=_endpoint(), cache_dir=constants.HF_HUB_CACHE)
            if check is not None:
                check(Path(path))
        folder = _download(name, commit, chosen, total, on_progress)
    return Fetched(folder, commit, notes)


def _sizes(info: Any) -> dict[str, int]:
    return {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or ()}


def _conversion(api: HfApi, name: str) -> tuple[str, dict[str, int], int] | None:
    """The commit, files and number of an open conversion to safetensors by Hugging Face's own account."""
    for discussion in api.get_repo_discussions(name, author=_CONVERTER, discussion_type="pull_request"):
        if discussion.author == _CONVERTER and "safetensors" in discussion.title:
            info = api.model_info(name, revision=f"refs/pr/{discussion.num}", files_metadata=True)
            sizes = _sizes(info)
            if choose(sizes, ("safetensors",))[0]:
                return str(info.sha), sizes, discussion.num
    return None


def _download(name: str, commit: str, chosen: Mapping[str, int], total: int, on_progress: OnProgress | None) -> Path:
    progress = _progress(total, on_progress)
    folder = None
    for path in sorted(chosen, key=lambda path: chosen[path]):  # the small ones first: they fail soonest
        found = hf_hub_download(
            name, path, revision=commit, endpoint=_endpoint(), cache_dir=constants.HF_HUB_CACHE, tqdm_class=progress
        )
        folder = Path(found).parents[path.count("/")]
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


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


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


@contextmanager
def in_sentences(name: str, revision: str | None) -> Iterator[None]:
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
        if not is_of_network(error):
            raise
        raise ModelError(f"{name} could not be fetched: {_reason(error)}.") from error


def is_of_network(error: Exception) -> bool:
    """Whether an error means that the hub was not reached or failed: httpx's own are no OSError."""
    return isinstance(error, OSError) or type(error).__module__.startswith(("httpx", "httpcore"))


def _reason(error: Exception) -> str:
    text = str(error)
    if "Consistency check failed" in text or "peer closed" in text or "incomplete" in text:
        return "the connection was cut; what came in is kept, so trying again goes on from there"
    return "the hub cannot be reached from here; check the network"


#: The forms that weights come in: two of transformers, of which `pickle` needs consent, one of CTranslate2, and a
#: pipeline of diffusers, whose parts lie in folders.
Form = Literal["safetensors", "pickle", "ctranslate2", "pipeline"]
# Whole, or in parts. Other copies that lie beside them, such as model.fp32-00001-of-00002.safetensors, are never read.
_WHOLE: Mapping[Form, str] = {
    "safetensors": "model.safetensors",
    "pickle": "pytorch_model.bin",
    "ctranslate2": "model.bin",
    "pipeline": "unet/diffusion_pytorch_model.safetensors",
}
_PARTS: Mapping[Form, re.Pattern[str]] = {
    "safetensors": re.compile(r"model-\d+-of-\d+\.safetensors"),
    "pickle": re.compile(r"pytorch_model-\d+-of-\d+\.bin"),
}
# The weights of a pipeline that draws, by folder: whole or in parts. Filters of what it draws are left out.
_PIPELINE = {
    part: ("model" if part.startswith("text_encoder") else "diffusion_pytorch_model")
    for part in PARTS
    if part.startswith(("text_encoder", "unet", "transformer", "vae"))
}
# What a checkpoint's tokenizer may consist of, besides its .json files.
_TOKENIZER_ENDINGS = (".json", ".model", ".spm", ".tokenizer", ".codes", "merges.txt", "vocab.txt", "dict.txt")
#: How the names of a checkpoint's files end that are not its weights; some tokenizers have endings of their own.
SMALL_ENDINGS = (*_TOKENIZER_ENDINGS, ".txt", ".tiktoken", ".bpe", ".jinja")
#: How the name of a list ends that says which part holds which weights.
INDEX_ENDING = ".index.json"


def weights(names: Iterable[str], forms: Sequence[Form]) -> tuple[Form, list[str]] | None:
    """The first of the forms in which weights are there, with the names of its files in order; None without any."""
    there = sorted(names)
    for form in forms:
        if form == "pipeline":
            found = {part: _of_part(part, there) for part in _PIPELINE}
            if found["text_encoder"] and (found["unet"] or found["transformer"]):
                return form, [name for names in found.values() for name in names]
        elif _WHOLE[form] in there:
            return form, [_WHOLE[form]]
        if form in _PARTS and (parts := [name for name in there if _PARTS[form].fullmatch(name)]):
            return form, parts
    return None


def _of_part(part: str, names: Sequence[str]) -> list[str]:
    """The weights in a folder of a pipeline: one file, or else parts of it."""
    whole = f"{part}/{_PIPELINE[part]}.safetensors"
    if whole in names:
        return [whole]
    pieces = re.compile(rf"{part}/{_PIPELINE[part]}-\d+-of-\d+\.safetensors")
    return [name for name in names if pieces.fullmatch(name)]


def choose(sizes: Mapping[str, int], forms: Sequence[Form]) -> tuple[Form | None, dict[str, int]]:
    """The files to fetch, with their sizes, and the form of the weights among them."""
    folders = PARTS if "pipeline" in forms else ()
    near = [path for path in sizes if "/" not in path or path.rpartition("/")[0] in folders]
    form, found = weights(near, forms) or (None, [])
    return form, {path: sizes[path] for path in near if path.endswith(_TOKENIZER_ENDINGS) or path in found}


def expected(forms: Sequence[Form]) -> str:
    """The names of the files that the forms have when they are whole, for people."""
    return " nor ".join(_WHOLE[form] for form in forms)
