"""What people have in hand, given to models of every kind: one place reads it for all of them."""

from __future__ import annotations

import io
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.models.families import captioner_folders, whisper_folders
from xattn_viz.inputs import InputError
from xattn_viz.inputs.audio import RATE, wav
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter
from xattn_viz.models.registry import rerun
from xattn_viz.shapes import Scene, Thing, draw

FAMILIES = tuple(registry.families())
SCENE = Scene((Thing("red", "circle", 0.3, 0.5, 0.2),))


@cache
def model(name: str) -> Adapter:
    return registry.families()[name].example()


def reading(kind: str) -> list[str]:
    return [name for name in FAMILIES if model(name).card.input_kind == kind]


def same(adapter: Adapter, *inputs: tuple[Any, dict[str, Any]]) -> None:
    """Each input gives the same maps and the same input in the trace."""
    first, *others = (adapter.trace(given, **settings) for given, settings in inputs)
    for other in others:
        assert other.cross == first.cross
        np.testing.assert_array_equal(other.input, first.input)


def test_every_family_reads_one_of_the_three_kinds() -> None:
    assert {name for kind in ("text", "audio", "image") for name in reading(kind)} == {*FAMILIES}


@pytest.mark.parametrize("name", reading("audio"))
def test_a_sound_in_every_form(name: str, tmp_path: Path) -> None:
    samples = whisper_folders.sound(1, 1.0)
    whole = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    file = wav(samples)
    (tmp_path / "a.wav").write_bytes(file)
    decoded = (whole / np.float32(32768)).astype(np.float32)
    rate = {"sampling_rate": RATE}
    same(
        model(name),
        *((tmp_path / "a.wav", {}), (str(tmp_path / "a.wav"), {}), (file, {}), (io.BytesIO(file), {})),
        *((whole, rate), (decoded, rate), (torch.from_numpy(decoded), rate), (decoded.tolist(), rate)),
        *((np.stack([decoded, decoded]), rate), ((RATE, whole), {}), ({"array": whole, "sampling_rate": RATE}, {})),
        ({"bytes": file, "path": None}, {}),
    )
    settings: dict[str, Any] = {"max_new_tokens": 3}
    (window,) = model(name).traces(whole, sampling_rate=RATE, **settings)
    assert window.cross == model(name).trace(file, **settings).cross
    assert model(name).trace(window, **settings).cross == window.cross


@pytest.mark.parametrize("name", reading("image"))
def test_a_picture_in_every_form(name: str, tmp_path: Path) -> None:
    pixels = captioner_folders.picture(2, 40, 56)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    (tmp_path / "a.png").write_bytes(file.getvalue())
    same(
        model(name),
        *((given, {}) for given in (tmp_path / "a.png", str(tmp_path / "a.png"), file.getvalue(), file, pixels)),
        *((given, {}) for given in (Image.fromarray(pixels), pixels.transpose(2, 0, 1), pixels / 255)),
        *((given, {}) for given in (torch.from_numpy(pixels), {"bytes": file.getvalue(), "path": None})),
    )
    same(model(name), (SCENE, {}), (draw(SCENE), {}))
    layer = np.dstack([pixels, np.zeros(pixels.shape[:2], np.uint8)])
    for trace in (model(name).trace(layer), *model(name).traces(layer)):
        assert trace.remarks.count("What is transparent in the picture is shown on white.") == 1
        assert (np.asarray(trace.input) == 255).all()
        again = model(name).trace(trace)
        np.testing.assert_array_equal(again.input, trace.input)
        assert again.cross == trace.cross


def test_what_a_model_saw_is_not_brought_to_its_size_again() -> None:
    """A processor that enlarges and crops would do both once more to its own result."""
    with pytest.MonkeyPatch.context() as patch:
        adapter: Any = model("captioner")
        trace = adapter.trace(captioner_folders.picture(2, 40, 56))
        patch.setattr(adapter.preprocessor, "_fitted", lambda pixels: np.zeros_like(pixels))
        np.testing.assert_array_equal(adapter.trace(trace).input, trace.input)


@pytest.mark.parametrize("name", reading("text"))
def test_each_text_of_a_list_is_one_segment(name: str) -> None:
    texts = ["red circle", "blue star"] if name == "diffusion" else ["A cat. A dog.", "A bird."]
    settings: dict[str, Any] = {"steps": 2} if name == "diffusion" else {}
    found = list(model(name).traces(texts, **settings))
    assert [trace.input for trace in found] == texts
    assert [trace.cross for trace in found] == [model(name).trace(text, **settings).cross for text in texts]
    with pytest.raises(InputError, match=r"model\.traces takes a list"):
        model(name).trace(texts)
    with pytest.raises(InputError, match="list of texts is empty"):
        list(model(name).traces([]))
    with pytest.raises(InputError, match="place 1 of the list must be a string"):
        list(model(name).traces([texts[0], 3], **settings))


@pytest.mark.parametrize(
    ("name", "given", "settings", "words"),
    [
        *((name, np.zeros(RATE, np.float32), {}, r"sampling_rate=16000") for name in reading("audio")),
        *((name, np.zeros((2, RATE)), {}, r"sampling_rate=16000") for name in reading("audio")),
        *((name, np.zeros((2, 2)), {"sampling_rate": RATE}, "could be") for name in reading("audio")),
        *((name, b"The cat.", {}, r"decode\(\)") for name in reading("text")),
        *((name, "The cat.", {"sampling_rate": RATE}, "Only sounds have a sampling_rate") for name in reading("text")),
        *((name, draw(SCENE), {"sampling_rate": RATE}, "Only sounds have a") for name in reading("image")),
        *((name, [], {}, "There are no samples") for name in reading("audio")),
        *((name, [], {}, r"shape of \(0,\)") for name in reading("image")),
        *((name, "https://example.org/a", {}, "is an address") for name in reading("audio") + reading("image")),
        *((name, "\0", {}, "no name of a file") for name in reading("audio") + reading("image")),
    ],
)
def test_what_could_be_two_things_is_refused_with_the_call_that_works(
    name: str, given: Any, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        model(name).trace(given, **settings)
    with pytest.raises(InputError, match=words):
        list(model(name).traces(given, **settings))


def test_a_trace_of_another_kind_of_model_is_refused() -> None:
    trace = model("firefox").trace("A cat.")
    for name in reading("audio") + reading("image"):
        with pytest.raises(InputError, match="This trace is not of"):
            model(name).trace(trace)
    assert model("firefox").trace(trace).cross == trace.cross


def test_moonshine_runs_its_own_samples_again(tmp_path: Path) -> None:
    adapter = registry.load(whisper_folders.write(tmp_path, "moonshine"))
    trace = adapter.trace(whisper_folders.sound(1, 1.0), sampling_rate=RATE, max_new_tokens=3)
    assert rerun(trace) == trace


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *((name, "input") for name in reading("text")),
        *((name, given) for name in reading("text") if name != "diffusion" for given in ("target", "prefix")),
    ],  # a drawing has no text for an output
)
def test_a_text_that_is_too_long_is_refused_before_anything_reads_it(name: str, given: str) -> None:
    text = "🇦" * 100_001
    typed: dict[str, Any] = {"input": "Hello."} | {given: text}
    began = time.perf_counter()
    with pytest.raises(InputError, match=r"has 100,001 characters"):
        model(name).trace(typed.pop("input"), **typed)
    assert time.perf_counter() - began < 1
