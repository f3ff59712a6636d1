"""Models of each family that downloads, from a small hub on loopback: files, progress, a sentence for each failure."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import transformers
from huggingface_hub import constants

from tests.models.families import seq2seq_folders, whisper_folders
from tests.models.hub_server import COMMIT, CONVERTED, Hub, serve
from xattn_viz.inputs.audio import Sound
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelError, NeedsConsent
from xattn_viz.models.families import seq2seq, whisper
from xattn_viz.models.hub import fetching, name_in


@dataclass
class Kind:
    """A family that downloads: the name of its model on the hub, the writer of its folders, and what it is asked."""

    name: str
    write: Callable[..., Path]
    input: Any
    folder: Path = Path()

    def load(self, name: str | None = None, **options: Any) -> Adapter:
        """Past the registry, which would keep it."""
        family: Any = (whisper if "whisper" in self.name else seq2seq).FAMILY
        loaded: Adapter = family.load(name or self.name, **options)
        return loaded


TEXT = Kind("some/model", lambda folder, **kw: seq2seq_folders.write(folder, "bart", **kw), "The cat sat.")
SPEECH = Kind(
    "some/whisper", lambda folder, **kw: whisper_folders.write(folder, "english", **kw), Sound(whisper_folders.sound(1))
)


@pytest.fixture(scope="module", params=[TEXT, SPEECH], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kind:
    found: Kind = request.param
    found.folder = found.write(tmp_path_factory.mktemp("good"))
    return found


@pytest.fixture
def hub(tmp_path: Path, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve() as running:
        running.models[kind.name] = (kind.folder, "good")
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(registry, "_loaded", registry.empty_cache())
        monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
        yield running


def unplug(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there


def test_a_model_comes_from_the_hub(hub: Hub, kind: Kind) -> None:
    seen: list[tuple[int, int]] = []
    adapter = registry.load(kind.name, on_progress=lambda done, total: seen.append((done, total)))
    here = registry.load(kind.folder)
    ours, expected = adapter.trace(kind.input), here.trace(kind.input)
    assert (ours.output, ours.steps, ours.maps) == (expected.output, expected.steps, expected.maps)
    assert ours.provenance["revision"] == COMMIT
    assert ours.provenance["model"] == kind.name
    assert expected.provenance["weights_sha256"] == ours.provenance["weights_sha256"]
    done = [step for step, _ in seen]
    sizes = {path.name: path.stat().st_size for path in kind.folder.iterdir()}
    total = sum(fetching.choose(sizes, ("safetensors",))[1].values())
    assert done == sorted(done)
    assert {t for _, t in seen} == {total}
    assert done[-1] == total
    assert len(set(done)) > 3


def test_what_was_downloaded_serves_without_network(hub: Hub, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kind.load().trace(kind.input)
    unplug(monkeypatch)
    again = kind.load().trace(kind.input)
    assert again.maps == first.maps
    assert "could not be reached" in again.remarks[0]


def test_what_the_hub_answers_is_said_in_a_sentence(hub: Hub, kind: Kind, tmp_path: Path) -> None:
    gpt2 = transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=16, vocab_size=40)
    transformers.GPT2LMHeadModel(gpt2).save_pretrained(tmp_path / "gpt2")
    (tmp_path / "empty").mkdir()
    other = "gpt2 model, which has one stack" if kind is TEXT else "gpt2 model, and neither Whisper nor Moonshine"
    said = {
        "nothing": f"no public model '{kind.name}-nothing' on the hub",
        "gated": "gated: accept its terms",
        "cut": "could not be fetched: the connection was cut",
        "gpt2": other,
        "bin": "only in PyTorch's older format",
        "empty": "no files of a model",
    }
    hub.models[f"{kind.name}-gated"] = (kind.folder, "gated")
    hub.models[f"{kind.name}-cut"] = (kind.folder, "cut")
    hub.models[f"{kind.name}-gpt2"] = (tmp_path / "gpt2", "good")
    hub.models[f"{kind.name}-bin"] = (kind.write(tmp_path / "bin", safe=False), "good")
    hub.models[f"{kind.name}-empty"] = (tmp_path / "empty", "good")
    for state, words in said.items():
        name = f"{kind.name}-{state}"
        with pytest.raises(ModelError, match=words) as raised:
            registry.load(name)
        assert str(raised.value).startswith((name, "There is no"))
        assert "\n" not in str(raised.value)


def test_a_cut_download_goes_on_where_it_stopped(hub: Hub, kind: Kind) -> None:
    hub.models[kind.name] = (kind.folder, "cut")
    with pytest.raises(ModelError, match="cut"):
        kind.load()
    hub.models[kind.name] = (kind.folder, "good")
    assert kind.load().trace(kind.input).maps == kind.load(str(kind.folder)).trace(kind.input).maps


def test_no_network_and_no_revision(hub: Hub, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no revision 'nowhere'"):
        kind.load(revision="nowhere")
    unplug(monkeypatch)
    with pytest.raises(ModelError, match="cannot be reached from here"):
        kind.load(f"{kind.name}-other")


def test_too_little_disk_is_said_before_and_while(hub: Hub, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
        with pytest.raises(ModelError, match=r"needs 0\.00 GB on disk.*0\.00 GB left"):
            kind.load()
    monkeypatch.setattr(fetching, "hf_hub_download", full)
    with pytest.raises(ModelError, match=f"The disk is full: {kind.name}"):
        kind.load()


@pytest.mark.parametrize("looked_before", [False, True])
def test_bin_weights_come_with_consent_or_from_the_conversion(
    hub: Hub, kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_before: bool
) -> None:
    name = f"{kind.name}-bin"
    hub.models[name] = (kind.write(tmp_path / "bin", safe=False), "good")
    if looked_before:  # then the main branch lies in the cache too, with nothing in it that may be read
        with_consent = kind.load(name, allow_pickle=True).trace(kind.input)
        assert with_consent.maps == kind.load(str(kind.folder)).trace(kind.input).maps
    hub.converted[name] = kind.folder
    converted = kind.load(name).trace(kind.input)
    assert converted.provenance["revision"] == CONVERTED
    assert "conversion to safetensors (pull request 7)" in converted.remarks[0]
    unplug(monkeypatch)
    again = kind.load(name).trace(kind.input)
    assert again.maps == converted.maps
    assert again.provenance["weights_sha256"] == converted.provenance["weights_sha256"]
    assert again.provenance["revision"] == CONVERTED


def test_without_network_a_pickle_still_needs_consent(
    hub: Hub, kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{kind.name}-bin"
    hub.models[name] = (kind.write(tmp_path / "bin", safe=False), "good")
    kind.load(name, allow_pickle=True)
    unplug(monkeypatch)
    with pytest.raises(NeedsConsent, match="only in PyTorch's older format"):
        kind.load(name)
    assert kind.load(name, allow_pickle=True).trace(kind.input).provenance["revision"] == COMMIT
    with pytest.raises(ModelError, match="cannot be reached"):
        kind.load(f"{kind.name}-unknown")


def test_of_several_copies_of_the_weights_one_is_fetched() -> None:
    small = dict.fromkeys(("config.json", "tokenizer.json", "merges.txt", "README.md", "onnx/model.onnx"), 1)
    fp32 = {f"model.fp32-0000{i}-of-00002.safetensors": 6 for i in (1, 2)}
    parts = {f"model-0000{i}-of-00002.safetensors": 5 for i in (1, 2)}
    whole, pickled, compact = {"model.safetensors": 3}, {"pytorch_model.bin": 4}, {"model.bin": 2}
    every: tuple[fetching.Form, ...] = ("safetensors", "ctranslate2", "pickle")
    kept = dict.fromkeys(("config.json", "tokenizer.json", "merges.txt"), 1)
    for there, form, wanted in (
        (fp32 | parts | whole | pickled, "safetensors", whole),
        (fp32 | parts | pickled, "safetensors", parts),
        (pickled | compact, "ctranslate2", compact),
        (fp32 | pickled, "pickle", pickled),
        (fp32, None, {}),
    ):
        assert fetching.choose(small | there, every) == (form, kept | wanted)
    assert fetching.choose(small | compact, ("safetensors", "pickle")) == (None, kept)


def test_names_of_the_hub() -> None:
    for name in ("openai/whisper-tiny", "distil-whisper/distil-small.en", "UsefulSensors/moonshine-base"):
        assert whisper.FAMILY.downloads(name)
    assert not whisper.FAMILY.downloads("Helsinki-NLP/opus-mt-en-fr")
    assert seq2seq.FAMILY.downloads("Helsinki-NLP/opus-mt-en-fr")
    assert seq2seq.FAMILY.downloads("t5-small")
    for name in ("nonsense", "a/b/c", "../a", "/etc/passwd", "a/../b", "http://x/y", "", "a/b/whisper", "../whisper/x"):
        assert not seq2seq.FAMILY.downloads(name), name
        assert not whisper.FAMILY.downloads(name), name


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://huggingface.co/facebook/m2m100_418M", "facebook/m2m100_418M"),
        ("https://huggingface.co/facebook/m2m100_418M/", "facebook/m2m100_418M"),
        ("https://huggingface.co/facebook/m2m100_418M/tree/main", "facebook/m2m100_418M"),
        ("https://huggingface.co/facebook/m2m100_418M/tree/main/onnx?x=y#z", "facebook/m2m100_418M"),
        ("https://huggingface.co/a/b/blob/main/config.json", "a/b"),
        ("https://huggingface.co/a/b/resolve/refs%2Fpr%2F7/model.safetensors?download=true", "a/b"),
        ("https://huggingface.co/a/b/discussions/3", "a/b"),
        ("http://hf.co/a/tree", "a/tree"),
        ("https://huggingface.co/t5-small/tree/main", "t5-small"),
        ("https://huggingface.co/t5-small", "t5-small"),
        ("huggingface.co/a/b/tree/main", "a/b"),
        ("HF.co/a/b", "a/b"),
        ("https://huggingface.co/datasets/a/b/tree/main", "datasets/a/b/tree/main"),  # no model, and no other name
        ("https://huggingface.co", ""),
        ("a/b", "a/b"),
        ("/home/me/tree/main", "/home/me/tree/main"),
        ("./tree/blob", "./tree/blob"),
        ("", ""),
    ],
)
def test_the_name_in_an_address(address: str, name: str) -> None:
    assert name_in(address) == name
