"""CTranslate2's variables of a Whisper as a model of transformers.

Nothing is transposed; only names differ, and q, k and v lie in one matrix. The layout is that of CTranslate2
`specs/whisper_spec.py`, the names that of transformers `modeling_whisper.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

from xattn_viz.attention.capture import NAME
from xattn_viz.models.formats import FormatError
from xattn_viz.models.formats.ctranslate2 import CTranslate2Model

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
