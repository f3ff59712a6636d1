"""A model's files from the Hugging Face hub: which of them, whether they fit, and what to say when they do not come."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
from tqdm import tqdm  # type: ignore[import-untyped]

from xattn_viz.models.base import ModelError, NeedsConsent, OnProgress
from xattn_viz.models.hub.cached import INDICES, Fetched, check_disk, downloaded_before
from xattn_viz.models.hub.files import Form, choose
from xattn_viz.models.hub.refusals import in_sentences, is_of_network

# Hugging Face's own conversions to safetensors are pull requests of this account.
_CONVERTER = "SFconvertbot"


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
