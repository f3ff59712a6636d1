"""From the arrays of a Marian file to the network: dimensions, and every parameter put in its place exactly once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.models.families.firefox.network import Dimensions, Student
from xattn_viz.models.formats import FormatError
from xattn_viz.models.formats.marian import MarianModel

# What this network is; a model whose configuration says otherwise would load and translate nonsense.
_ARCHITECTURE = {
    "type": "transformer",
    "transformer-decoder-autoreg": "rnn",
    "dec-cell": "ssru",
    "transformer-preprocess": "",
    "transformer-postprocess": "dan",
    "transformer-postprocess-top": "",
    "transformer-ffn-activation": "relu",
    "transformer-ffn-depth": 2,
    "transformer-no-projection": False,
    "transformer-tied-layers": [],
    "transformer-train-position-embeddings": False,
}
_ATTENTION = {"q_proj": ("Wq", "bq"), "k_proj": ("Wk", "bk"), "v_proj": ("Wv", "bv"), "out_proj": ("Wo", "bo")}
_FFN = {"inner": ("W1", "b1"), "outer": ("W2", "b2")}


def build(model: MarianModel) -> Student:
    """The network with the model's parameters, ready to run.

    Raises FormatError when the configuration describes another architecture, or a parameter is missing, left over or
    of another shape than the configuration says.
    """
    size = _dimensions(model.configuration)
    with torch.device("meta"):  # no memory and no random numbers: every parameter is replaced
        network = Student(size)
    places = list(_places(size, model.configuration))
    state: dict[str, Tensor] = {}
    for place, name, transpose in places:
        if name not in model.parameters:
            raise FormatError(f"The model lacks the parameter {name!r}.")
        wanted = tuple(network.get_parameter(place).shape)
        state[place] = _tensor(model.parameters[name], wanted, name, transpose)
    unused = model.parameters.keys() - {name for _, name, _ in places}
    if unused:
        raise FormatError(f"The model has {len(unused)} parameters too many, such as {min(unused)!r}.")
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(False).eval()


def _dimensions(configuration: Mapping[str, Any]) -> Dimensions:
    for key, value in _ARCHITECTURE.items():
        if configuration.get(key, value) != value:
            found = configuration[key]
            raise FormatError(f"The model's {key} is {found!r}, and only {value!r} can be shown.")
    try:
        source, target = (int(n) for n in configuration["dim-vocabs"])
        ffn = int(configuration["transformer-dim-ffn"])
        size = Dimensions(
            source_vocabulary=source,
            target_vocabulary=target,
            d_model=int(configuration["dim-emb"]),
            n_heads=int(configuration["transformer-heads"]),
            d_encoder_ffn=ffn,
            d_decoder_ffn=int(configuration.get("transformer-decoder-dim-ffn", 0)) or ffn,
            encoder_layers=int(configuration["enc-depth"]),
            decoder_layers=int(configuration["dec-depth"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"The model's configuration lacks a dimension or has a wrong one: {error}.") from error
    if min(vars(size).values()) < 1 or size.d_model % (2 * size.n_heads) or size.d_model < 4:
        raise FormatError(f"The model's configuration has impossible dimensions: {size}.")
    return size


def _places(size: Dimensions, configuration: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """For each parameter of the network: its place, its name in the file, and whether it is stored transposed."""
    shared = bool(configuration.get("tied-embeddings-all"))
    source = "Wemb" if shared or configuration.get("tied-embeddings-src") else "encoder_Wemb"
    target = "Wemb" if source == "Wemb" else "decoder_Wemb"
    tied = shared or bool(configuration.get("tied-embeddings"))
    yield "embed_source", source, False
    yield "embed_target", target, False
    yield "output.weight", target if tied else "decoder_ff_logit_out_W", not tied
    yield "output.bias", "decoder_ff_logit_out_b", False
    for i in range(size.encoder_layers):
        yield from _attention(f"encoder.{i}.attention", f"encoder_l{i + 1}_self")
        yield from _feed_forward(f"encoder.{i}.ffn", f"encoder_l{i + 1}_ffn")
    for i in range(size.decoder_layers):
        rnn = f"decoder_l{i + 1}_rnn"
        yield f"decoder.{i}.ssru.candidate.weight", f"{rnn}_W", True
        yield f"decoder.{i}.ssru.forget.weight", f"{rnn}_Wf", True
        yield f"decoder.{i}.ssru.forget.bias", f"{rnn}_bf", False
        yield from _norm(f"decoder.{i}.ssru.norm", f"{rnn}_ffn_ln")
        yield from _attention(f"decoder.{i}.context", f"decoder_l{i + 1}_context")
        yield from _feed_forward(f"decoder.{i}.ffn", f"decoder_l{i + 1}_ffn")


def _attention(place: str, name: str) -> Iterator[tuple[str, str, bool]]:
    yield from _linears(place, name, _ATTENTION)
    yield from _norm(f"{place}_norm", f"{name}_Wo_ln")


def _feed_forward(place: str, name: str) -> Iterator[tuple[str, str, bool]]:
    yield from _linears(place, name, _FFN)
    yield from _norm(f"{place}.norm", f"{name}_ffn_ln")


def _linears(place: str, name: str, linears: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, str, bool]]:
    for linear, (weight, bias) in linears.items():
        yield f"{place}.{linear}.weight", f"{name}_{weight}", True
        yield f"{place}.{linear}.bias", f"{name}_{bias}", False


def _norm(place: str, name: str) -> Iterator[tuple[str, str, bool]]:
    yield f"{place}.weight", f"{name}_scale", False
    yield f"{place}.bias", f"{name}_bias", False


def _tensor(array: NDArray[np.float32], wanted: tuple[int, ...], name: str, transpose: bool) -> Tensor:
    if transpose:
        array = array.T
    if len(wanted) == 1 and array.shape == (1, *wanted):  # Marian's vectors are rows
        array = array[0]
    if array.shape != wanted:
        raise FormatError(f"The parameter {name!r} has shape {array.shape}, the configuration asks for {wanted}.")
    return torch.from_numpy(np.ascontiguousarray(array))
