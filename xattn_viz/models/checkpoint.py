"""Checkpoints of transformers, on the hub or in a folder: opened, with one sentence for whatever goes wrong.

Weights are read from safetensors. A `.bin` of PyTorch is a pickle: it is taken only with the caller's consent, and then
as data only (`weights_only`). Code that lies in a checkpoint is never run.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer

from xattn_viz.models.base import ModelError, OnProgress
from xattn_viz.models.hub.fetching import fetch
from xattn_viz.models.hub.files import Form, expected, weights
from xattn_viz.models.memory import check_free


@dataclass(frozen=True)
class Checkpoint:
    """A folder with the files of a model: what people call it, the form and files of its weights, in order.

    `commit` is that of the hub, None for a folder of one's own; `notes` are for people.
    """

    name: str
    folder: Path
    form: Form
    files: tuple[Path, ...]
    commit: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def find(
        cls,
        name_or_folder: str,
        forms: Sequence[Form],
        *,
        allow_pickle: bool = False,
        revision: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Checkpoint:
        """The files of a folder, or of a model on the hub, downloaded where they are not there yet.

        `forms` are those of the weights that the caller can read, the one it likes best first. Raises ModelError where
        they cannot be had, there are no weights, only a `.bin` without consent, or more than the memory holds.
        """
        folder, commit, notes = Path(name_or_folder), None, tuple[str, ...]()
        if not folder.is_dir():
            fetched = fetch(name_or_folder, revision, forms, allow_pickle=allow_pickle, on_progress=on_progress)
            folder, commit, notes = fetched.folder, fetched.commit, fetched.notes
        form, files = _weights(folder, name_or_folder, forms, allow_pickle)
        size = sum(path.stat().st_size for path in files)
        check_free(size, f"Loading {name_or_folder}", "close other programs, or choose a smaller model", ModelError)
        return cls(name_or_folder, folder, form, tuple(files), commit, notes)

    def config(self) -> Any:
        """The configuration, as transformers reads it."""
        try:
            return AutoConfig.from_pretrained(self.folder, trust_remote_code=False)
        except Exception as error:  # beside the usual ones, the hub's client has errors of its own for wrong types
            raise ModelError(
                f"{self.name} cannot be loaded: its config.json is damaged or of an unknown kind."
            ) from error

    def model(
        self,
        auto: Any,
        config: Any,
        attention: str | dict[str, str],
        *,
        dtype: torch.dtype | str = "auto",
    ) -> Any:
        """The model with its weights, on the best device there is, by one of the library's classes.

        `attention` is one implementation or one for each part; `dtype` what to compute in, as stored unless said.
        """
        try:
            model, report = auto.from_pretrained(
                self.folder,
                config=config,
                dtype=dtype,
                attn_implementation=attention,
                use_safetensors=self.form == "safetensors",
                weights_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
        except Exception as error:  # safetensors, pickle and torch each raise their own
            if isinstance(error, MemoryError | torch.OutOfMemoryError) or _is_of_memory(str(error).lower()):
                raise ModelError(f"{self.name} does not fit into this machine's memory.") from error
            raise ModelError(
                f"{self.name} cannot be loaded: its weights are damaged or do not fit ({line(error)})."
            ) from error
        if missing := sorted(report["missing_keys"]):
            raise ModelError(f"{self.name} lacks {len(missing)} of its parameters, such as {missing[0]!r}.")
        return model.eval().requires_grad_(False).to(device())

    def tokenizer(self) -> Any:
        """Its tokenizer, as transformers reads it."""
        try:
            with warnings.catch_warnings():
                # Marian's tokenizer recommends a package whose result it never uses.
                warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
                return AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False)
        except Exception as error:  # tokenizers raise bare Exceptions on damaged files
            raise self.no_tokenizer(error) from error

    def no_tokenizer(self, error: Exception) -> ModelError:
        """The error to raise where its tokenizer could not be made."""
        return ModelError(f"{self.name} cannot be loaded: its tokenizer is missing or damaged ({line(error)}).")

    def digest(self) -> str:
        """The sha256 over those of the files of the weights."""
        return _digest(self.files)


def device() -> torch.device:
    """The best device there is: CUDA, Apple's MPS, or the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def line(error: Exception) -> str:
    """The first line of what an error of a library says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def _weights(folder: Path, name: str, forms: Sequence[Form], allow_pickle: bool) -> tuple[Form, list[Path]]:
    found = weights((path.name for path in folder.iterdir()), forms)
    if found is None:
        raise ModelError(f"{name} has no weights that can be read: neither {expected(forms)}.")
    form, files = found
    if form == "pickle" and not allow_pickle:
        raise ModelError(
            f"{name} has its weights only in PyTorch's older format ({files[0]}): allow it with allow_pickle=True if "
            "you trust where it comes from. It is then read as data, and no code in it is run."
        )
    return form, [folder / file for file in files]


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _is_of_memory(said: str) -> bool:
    return "memory" in said and "alloc" in said
