"""CTranslate2 model files: read what CTranslate2's own writer wrote, refuse what is damaged."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ctranslate2.specs import common_spec, model_spec
from numpy.typing import NDArray

from xattn_viz.models.formats import FormatError
from xattn_viz.models.formats.ctranslate2 import read_model

# How far a number may be from what was written: half a step of each type's grid, for values up to 4 in a row.
TOLERANCES = {"float32": 0.0, "float16": 2**-9, "bfloat16": 2**-6, "int16": 4 / 2**10, "int8": 4 / 127}


class Spec(model_spec.ModelSpec):  # type: ignore[misc]
    """A model of a few layers, described as CTranslate2's converters do."""

    def __init__(self, arrays: dict[str, NDArray[np.float32]]) -> None:
        super().__init__()
        self.linear, self.conv, self.again = (
            common_spec.LinearSpec(),
            common_spec.Conv1DSpec(),
            common_spec.LinearSpec(),
        )
        self.linear.weight, self.linear.bias = arrays["linear/weight"].copy(), arrays["linear/bias"].copy()
        self.conv.weight, self.conv.bias = arrays["conv/weight"].copy(), arrays["linear/bias"][:5].copy()
        self.again.weight, self.again.bias = arrays["linear/weight"].copy(), arrays["linear/bias"].copy()
        self.num_heads = np.dtype("int16").type(6)

    @property
    def name(self) -> str:
        return "Spec"

    @property
    def revision(self) -> int:
        return 7


@pytest.fixture(scope="module")
def arrays() -> dict[str, NDArray[np.float32]]:
    generator = np.random.default_rng(3)
    shapes = {"linear/weight": (6, 4), "linear/bias": (6,), "conv/weight": (5, 4, 3)}
    return {name: generator.uniform(-4, 4, shape).astype(np.float32) for name, shape in shapes.items()}


def written(arrays: dict[str, NDArray[np.float32]], folder: Path, quantization: str) -> bytes:
    spec = Spec(arrays)
    spec.validate()
    spec.optimize(quantization)
    spec._serialize(str(folder / "model.bin"))
    return (folder / "model.bin").read_bytes()


@pytest.mark.parametrize("quantization", TOLERANCES)
def test_what_ctranslate2_writes_is_read(arrays: Any, tmp_path: Path, quantization: str) -> None:
    model = read_model(written(arrays, tmp_path, quantization))
    assert (model.layout, model.revision) == ("Spec", 7)
    assert set(model.variables) == {f"{a}/{b}" for a in ("linear", "conv", "again") for b in ("weight", "bias")} | {
        "num_heads"
    }
    assert int(model.variables["num_heads"]) == 6
    for name, array in arrays.items():
        found = model.variables[name]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, array, atol=TOLERANCES[quantization], rtol=0)
    # Equal layers are stored once: the second is an alias.
    np.testing.assert_array_equal(model.variables["again/weight"], model.variables["linear/weight"])


def test_every_truncation_is_refused(arrays: Any, tmp_path: Path) -> None:
    data = written(arrays, tmp_path, "int8")
    for length in range(len(data)):
        with pytest.raises(FormatError):
            read_model(data[:length])
    with pytest.raises(FormatError, match="1 bytes after its end"):
        read_model(data + b"x")


@pytest.mark.parametrize("quantization", ["int8", "bfloat16"])
def test_no_damaged_byte_crashes(arrays: Any, tmp_path: Path, quantization: str) -> None:
    data = written(arrays, tmp_path, quantization)
    for at in range(len(data)):
        for flip in (0xFF, 0x80, 0x01):
            damaged = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            with contextlib.suppress(FormatError):  # any other error fails the test
                for array in read_model(damaged).variables.values():
                    assert np.isfinite(array).all()


def file(*variables: tuple[str, tuple[int, ...], int, bytes], version: int = 6, length: int | None = None) -> bytes:
    def text(name: str) -> bytes:
        return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"

    out = struct.pack("<I", version) + text("Spec") + struct.pack("<II", 1, len(variables))
    for name, shape, kind, blob in variables:
        out += text(name) + struct.pack(f"<B{len(shape)}IB", len(shape), *shape, kind)
        out += struct.pack("<I", len(blob) if length is None else length) + blob
    return out + struct.pack("<I", 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (file(version=3), "version 5 or 6: it begins with 3"),
        (file(("w", (1,) * 9, 0, b"")), "'w' claims 9 axes"),
        (file(("w", (2,), 9, bytes(8))), "'w' is of the type 9"),
        (file(("w", (2,), 0, bytes(4))), r"'w' has shape \(2,\) but 4 bytes"),
        (file(("w", (2**31, 2), 0, b""), length=0), "ends within w"),  # a length that wraps round to nothing
        (file(("w", (1,), 0, bytes(4)), ("w", (1,), 0, bytes(4))), "names 'w' twice"),
        (file(("w", (1,), 0, struct.pack("<f", float("nan")))), "'w' holds NaN or infinity"),
        (file(("w", (2, 1), 1, b"ab"), ("w_scale", (3,), 0, bytes(12))), r"has scales of shape \(3,\)"),
        (file(("w", (1, 1), 1, b"a"), ("w_scale", (1,), 0, bytes(4))), "a scale that is no positive number"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_model(data)
