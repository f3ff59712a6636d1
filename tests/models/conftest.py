"""Writers of the foreign formats, independent of our readers, and small models made with them."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentencepiece
import yaml
from numpy.typing import NDArray

FLOAT32, INT8, INTGEMM8 = 0x404, 0x101, 0x4101
HERE = Path(__file__).parent

Arrays = Mapping[str, NDArray[Any]]


def sentences(language: str) -> list[str]:
    return (HERE / f"sentences.{language}.txt").read_text(encoding="utf-8").splitlines()


def marian_file(
    parameters: Arrays, configuration: Mapping[str, Any], eight_bit: bool = False, padding: int = 24
) -> bytes:
    """A Marian `.bin`; with `eight_bit`, matrices are quantised as intgemm does and stored transposed."""
    items: list[tuple[str, int, tuple[int, ...], bytes]] = []
    for name, array in parameters.items():
        quantise = eight_bit and array.ndim == 2 and array.shape[0] > 1 and not name.endswith("_ln_scale")
        if quantise:
            multiplier = np.float32(127 / np.abs(array).max())
            stored = array if name.endswith("Wemb") else array.T
            codes = np.rint(stored * multiplier).astype(np.int8).tobytes()
            blob = codes + struct.pack("<f", multiplier)
            items.append((name, INTGEMM8, array.shape, blob + bytes(-len(blob) % 256)))
            items.append((f"{name}_QuantMultA", FLOAT32, (1, 1), struct.pack("<f", 8.0)))
        else:
            items.append((name, FLOAT32, array.shape, array.astype("<f4").tobytes()))
    text = yaml.safe_dump(dict(configuration)).encode() + b"\0"
    items.append(("special:model.yml", INT8, (len(text),), text))
    out = struct.pack("<QQ", 1, len(items))
    for name, kind, shape, blob in items:
        out += struct.pack("<QQQQ", len(name.encode()) + 1, kind, len(shape), len(blob))
    for name, *_ in items:
        out += name.encode() + b"\0"
    for _, _, shape, _ in items:
        out += struct.pack(f"<{len(shape)}i", *shape)
    return out + struct.pack("<Q", padding) + bytes(padding) + b"".join(blob for *_, blob in items)


def shortlist_file(lists: list[list[int]], first: int = 3, magic: int = 0xF11A48D5013417F5) -> bytes:
    offsets = np.cumsum([0, *map(len, lists)])
    ids = [i for chosen in lists for i in chosen]
    head = struct.pack("<6Q", magic, 0, first, 5, len(offsets), len(ids))
    return head + offsets.astype("<u8").tobytes() + np.array(ids, dtype="<u4").tobytes()


def vocabulary_file(text: list[str], size: int) -> bytes:
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text),
        model_writer=written,
        vocab_size=size,
        bos_id=-1,
        eos_id=0,
        unk_id=1,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return written.getvalue()


def random_model(
    source: int, target: int, *, d_model: int = 16, heads: int = 2, encoder: int = 3, decoder: int = 1, seed: int = 0
) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
    """Random parameters with Marian's names and shapes, separate vocabularies, and their configuration."""
    ffn, decoder_ffn = 24, 40
    shapes: dict[str, tuple[int, ...]] = {
        "encoder_Wemb": (source, d_model),
        "decoder_Wemb": (target, d_model),
        "decoder_ff_logit_out_b": (1, target),
    }

    def norm(name: str) -> None:
        shapes[f"{name}_scale"] = shapes[f"{name}_bias"] = (1, d_model)

    def attention(name: str) -> None:
        for letter in "qkvo":
            shapes[f"{name}_W{letter}"], shapes[f"{name}_b{letter}"] = (d_model, d_model), (1, d_model)
        norm(f"{name}_Wo_ln")

    def feed_forward(name: str, width: int) -> None:
        shapes[f"{name}_W1"], shapes[f"{name}_b1"] = (d_model, width), (1, width)
        shapes[f"{name}_W2"], shapes[f"{name}_b2"] = (width, d_model), (1, d_model)
        norm(f"{name}_ffn_ln")

    for i in range(1, encoder + 1):
        attention(f"encoder_l{i}_self")
        feed_forward(f"encoder_l{i}_ffn", ffn)
    for i in range(1, decoder + 1):
        shapes[f"decoder_l{i}_rnn_W"] = shapes[f"decoder_l{i}_rnn_Wf"] = (d_model, d_model)
        shapes[f"decoder_l{i}_rnn_bf"] = (1, d_model)
        norm(f"decoder_l{i}_rnn_ffn_ln")
        attention(f"decoder_l{i}_context")
        feed_forward(f"decoder_l{i}_ffn", decoder_ffn)
    generator = np.random.default_rng(seed)
    parameters = {
        name: (generator.normal(size=shape) / (shape[-1] ** 0.5)).astype(np.float32) for name, shape in shapes.items()
    }
    configuration = {
        "type": "transformer",
        "dim-vocabs": [source, target],
        "dim-emb": d_model,
        "transformer-heads": heads,
        "transformer-dim-ffn": ffn,
        "transformer-decoder-dim-ffn": decoder_ffn,
        "enc-depth": encoder,
        "dec-depth": decoder,
        "dec-cell": "ssru",
        "transformer-decoder-autoreg": "rnn",
        "transformer-postprocess": "dan",
        "transformer-preprocess": "",
        "tied-embeddings": True,
        "tied-embeddings-all": False,
        "tied-embeddings-src": False,
    }
    return parameters, configuration


class Writers:
    """The functions above, for tests to reach through a fixture."""

    sentences = staticmethod(sentences)
    marian = staticmethod(marian_file)
    shortlist = staticmethod(shortlist_file)
    vocabulary = staticmethod(vocabulary_file)
    random_model = staticmethod(random_model)


@pytest.fixture(scope="session")
def writers() -> type[Writers]:
    return Writers


@pytest.fixture(scope="session")
def vocabularies() -> tuple[bytes, bytes]:
    """An English vocabulary of 120 pieces and a Portuguese one of 140."""
    return vocabulary_file(sentences("en"), 120), vocabulary_file(sentences("pt"), 140)


@pytest.fixture
def make_folder(tmp_path: Path, vocabularies: tuple[bytes, bytes]) -> Callable[..., Path]:
    """Writes the folder of a small model with separate vocabularies, with or without 8-bit weights and a shortlist."""

    def make(name: str = "model", *, eight_bit: bool = False, shortlist: bool = True, **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        source, target = 120, 140
        parameters, configuration = random_model(source, target)
        configuration.update(changes)
        (folder / "model.enpt.intgemm.alphas.bin").write_bytes(marian_file(parameters, configuration, eight_bit))
        (folder / "srcvocab.enpt.spm").write_bytes(vocabularies[0])
        (folder / "trgvocab.enpt.spm").write_bytes(vocabularies[1])
        if shortlist:
            lists = [[(7 * i + j) % target for j in range(4)] for i in range(source)]
            (folder / "lex.50.50.enpt.s2t.bin").write_bytes(shortlist_file(lists))
        return folder

    return make
