"""Where a model that draws comes from: a folder of diffusers, our own layout, the hub; and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from scripts.train import diffusion as training
from tests.models.families import diffusion_folders
from tests.models.hub_server import COMMIT, Hub, serve
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.families import diffusion

NAME = "some/stable-diffusion"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return diffusion_folders.write(tmp_path_factory.mktemp("pipeline"), "1")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own layout with random weights, as the training writes it."""
    made = tmp_path_factory.mktemp("shapes")
    words = training.tokenizer()
    training.store(*training.build(words), words, made)
    return made


@pytest.fixture
def hub(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve() as running:
        running.models[NAME] = (folder, "good")
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield running


def test_what_the_training_writes_can_be_drawn_with(shapes: Path) -> None:
    assert diffusion.FAMILY.recognises(shapes)
    model = diffusion.FAMILY.load(str(shapes))
    assert next(option.default for option in model.card.options if option.name == "guidance") == "1"
    trace = model.trace("A red circle left of a blue square", steps=2)
    assert trace.cross.keys.labels == ("<s>", "A", "red", "circle", "left", "of", "a", "blue", "square", "</s>")
    assert trace.cross.weights.dtype == "float32"
    assert str(model.model.unet.dtype) == "torch.float32"
    assert trace.provenance["decoding"]["timestep_spacing"] == "trailing"
    assert trace.picture is not None
    assert trace.picture.shape == (training.PIXELS, training.PIXELS, 3)
    said = r"does not know: “hexagon” \(nearest: “[a-z]+”\), “pad” \(nearest: “red”\). It knows a, above, an, below, "
    with pytest.raises(InputError, match=said):
        model.trace("a red hexagon <pad>")
    with pytest.raises(
        InputError, match="has 500 tokens, 501 with the articles that it lacks; this model reads at most 8"
    ):
        model.trace("red " * 500)


def test_a_missing_library_or_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("xattn_viz.models.families.diffusion.loading.OWN_FOLDER", Path("nowhere"))
        with pytest.raises(ModelError, match="draw-shapes is not in this installation"):
            diffusion.FAMILY.load("draw-shapes")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install"):
        diffusion.FAMILY.load("draw-shapes")


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        (
            "model_index.json",
            lambda text: text.replace("StableDiffusion", "Wan"),
            "WanPipeline: only Stable Diffusion 1",
        ),
        ("model_index.json", lambda text: "{", "its model_index.json is damaged"),
        ("unet/diffusion_pytorch_model.safetensors", None, "no weights in safetensors"),
        ("unet/diffusion_pytorch_model.safetensors", lambda text: "", "its unet is damaged"),
        ("text_encoder/config.json", lambda text: '{"hidden_size": "wide"}', "its text_encoder is damaged"),
        ("scheduler/scheduler_config.json", None, "its scheduler is damaged"),
        ("tokenizer/vocab.json", lambda text: "{", "tokenizer is damaged"),
        (
            "unet/config.json",
            lambda text: text.replace('"sample_size": 16', '"sample_size": [16, 8]'),
            "no square size",
        ),
    ],
)
def test_what_cannot_be_loaded_is_said(
    folder: Path, tmp_path: Path, path: str, change: Callable[[str], str] | None, words: str
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    if change is None:
        (copy / path).unlink()
    else:
        (copy / path).write_text(change("" if path.endswith("safetensors") else (copy / path).read_text()))
    with pytest.raises(ModelError, match=words):
        registry.load(copy)


def test_parameters_that_are_missing_are_named(folder: Path, tmp_path: Path) -> None:
    for part in ("unet", "text_encoder", "vae"):
        copy = shutil.copytree(folder, tmp_path / part)
        path = next((copy / part).glob("*.safetensors"))
        weights = load_file(path)
        del weights[min(weights)]
        save_file(weights, path, {"format": "pt"})
        with pytest.raises(ModelError, match=f"its {part} is damaged or does not fit .it lacks 1 of its parameters"):
            registry.load(copy)


def test_an_autoencoder_with_the_older_names_is_read(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "vae" / "diffusion_pytorch_model.safetensors"
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = load_file(path)
    for new, old in older.items():
        weights = {name.replace(f".{new}.", f".{old}."): tensor for name, tensor in weights.items()}
    assert any(".query." in name for name in weights)
    save_file(weights, path, {"format": "pt"})
    drawn = [diffusion.FAMILY.load(str(each)).plain("The cat", steps=1) for each in (copy, folder)]
    assert drawn[0].tobytes() == drawn[1].tobytes()


def test_a_pipeline_needs_its_autoencoder(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.rmtree(copy / "vae")
    with pytest.raises(ModelError, match="no autoencoder"):
        registry.load(copy)


def test_the_family_knows_its_own(folder: Path, tmp_path: Path) -> None:
    assert diffusion.FAMILY.recognises(folder)
    assert not diffusion.FAMILY.recognises(tmp_path)
    for name in ("stabilityai/sd-turbo", "a/stable-diffusion-v1-5", "b/StableDiffusion"):
        assert diffusion.FAMILY.downloads(name)
    for name in ("google-t5/t5-small", "stable-diffusion", "a/absd-2"):
        assert not diffusion.FAMILY.downloads(name)


def test_a_pipeline_comes_from_the_hub(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker" / "model.safetensors").write_text("unwanted")
    seen: list[tuple[int, int]] = []
    ours = diffusion.FAMILY.load(NAME, on_progress=lambda done, total: seen.append((done, total))).trace(
        "The cat", steps=2
    )
    expected = diffusion.FAMILY.load(str(folder)).trace("The cat", steps=2)
    assert ours.maps == expected.maps
    assert ours.picture is not None
    assert expected.picture is not None
    assert ours.picture.tobytes() == expected.picture.tobytes()
    assert ours.provenance["revision"] == COMMIT
    assert ours.provenance["weights_sha256"] == expected.provenance["weights_sha256"]
    assert seen[-1][0] == seen[-1][1] > 0
    assert not any("safety_checker" in request for request in hub.requests)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    again = diffusion.FAMILY.load(NAME).trace("The cat", steps=2)
    assert again.maps == ours.maps
    assert "could not be reached" in again.remarks[0]


def test_another_pipeline_is_refused_before_its_weights_are_fetched(hub: Hub, folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    (other / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionControlNetPipeline"}))
    hub.models[f"{NAME}-xl"] = (other, "good")
    with pytest.raises(ModelError, match=r"only Stable Diffusion 1\.x, 2\.x, XL"):
        diffusion.FAMILY.load(f"{NAME}-xl")
    assert not any("safetensors" in request for request in hub.requests)
