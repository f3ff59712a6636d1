"""Weights that other programs saved, against the same arrays given in memory."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import xattn_viz as xv

SAID = {"source": ["the", "black", "cat"], "target": ["gato", "preto"], "model": "mine"}


def weights() -> list[torch.Tensor]:
    """What two layers of PyTorch's own attention return: [batch, head, query, key]."""
    torch.manual_seed(0)
    layers = [nn.MultiheadAttention(8, 4, batch_first=True).eval() for _ in range(2)]
    queries, keys = torch.randn(1, 2, 8), torch.randn(1, 3, 8)
    with torch.inference_mode():
        return [layer(queries, keys, keys, average_attn_weights=False)[1] for layer in layers]


def test_arrays_and_tokens_of_files_are_those_given_in_memory(tmp_path: Path) -> None:
    layers = weights()
    wanted = xv.from_attention(layers, **SAID)  # type: ignore[arg-type]
    numbered = {f"cross_attentions.{number}": layer for number, layer in enumerate(layers)}
    np.savez_compressed(tmp_path / "whole.npz", cross_attentions=np.stack([layer.numpy() for layer in layers]))
    np.savez(tmp_path / "layers.npz", **{name: layer.numpy() for name, layer in numbered.items()}, other=np.eye(2))  # type: ignore[arg-type]
    save_file(numbered, tmp_path / "layers.safetensors")
    for name in ("whole.npz", "layers.npz", "layers.safetensors"):
        assert xv.load_attention(tmp_path / name, SAID) == wanted
    # bfloat16 has 8 bits: a weight is off by at most 1/512 of itself.
    save_file({name: layer.bfloat16() for name, layer in numbered.items()}, tmp_path / "half.safetensors")
    half = xv.load_attention(tmp_path / "half.safetensors", SAID)
    assert np.allclose(half.cross.weights, wanted.cross.weights, rtol=1 / 256, atol=0)
    # The tokens beside, by the same name; without any, positions have numbers.
    assert xv.load_attention(tmp_path / "layers.npz").cross.keys.labels == ("1", "2", "3")
    (tmp_path / "layers.json").write_text(json.dumps(SAID), encoding="utf-8")
    assert xv.load_attention(tmp_path / "layers.npz") == wanted


@pytest.mark.parametrize(
    ("data", "tokens", "said"),
    [
        (pickle.dumps({"cross_attentions": [1]}), {}, "is a pickle"),
        (b"nothing", {}, "no NPZ and no safetensors"),
        (b"PK\x03\x04 cut off", {}, "cannot be read as arrays"),
        ({"weights": np.eye(2)}, {}, "holds no array cross_attentions"),
        ({"cross_attentions.1": np.eye(2)}, {}, "without a gap"),
        ({"cross_attentions": np.array([None])}, {}, "cannot be read as arrays"),
        ({"cross_attentions": np.eye(2)}, {"source": ["a"]}, "needs 2 target tokens"),
        ({"cross_attentions": np.eye(2)}, {"source": "a b"}, "a list of texts"),
        ({"cross_attentions": np.eye(2)}, {"source": [1, 2]}, "a list of texts"),
        ({"cross_attentions": np.eye(2)}, {"columns": ["a", "b"]}, "got 'columns'"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, data: Any, tokens: Any, said: str) -> None:
    path = tmp_path / "given.npz"
    if isinstance(data, bytes):
        path.write_bytes(data)
    else:
        np.savez(path, **data)
    with pytest.raises(xv.InputError) as told:
        xv.load_attention(path, tokens)
    assert said in str(told.value)
    assert str(told.value).endswith(".")
    (tmp_path / "given.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(xv.InputError, match="given"):
        xv.load_attention(path)
