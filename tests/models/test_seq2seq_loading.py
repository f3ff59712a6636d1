"""Loading: from folders good and bad, over a small hub on loopback, and one sentence for each thing that goes wrong."""

from __future__ import annotations

import errno
import json
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from huggingface_hub import constants

from tests.models.hub_server import COMMIT, CONVERTED, Hub, serve
from tests.models.seq2seq_folders import write
from xattn_viz.models import registry, seq2seq
from xattn_viz.models.base import Adapter, ModelError
from xattn_viz.models.seq2seq import hub as client

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("good"), "bart")


@pytest.fixture
def hub(tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serve() as running:
        running.models["some/model"] = (good, "good")
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())
        yield running


def test_a_model_comes_from_the_hub(hub: Hub, good: Path) -> None:
    seen: list[tuple[int, int]] = []
    adapter = registry.load("some/model", on_progress=lambda done, total: seen.append((done, total)))
    here = registry.load(good)
    ours, expected = adapter.trace("The cat sat."), here.trace("The cat sat.")
    assert (ours.output, ours.steps, ours.maps) == (expected.output, expected.steps, expected.maps)
    assert ours.provenance["revision"] == COMMIT
    assert ours.provenance["model"] == "some/model"
    assert expected.provenance["weights_sha256"] == ours.provenance["weights_sha256"]
    done = [step for step, _ in seen]
    total = sum(client.choose({path.name: path.stat().st_size for path in good.iterdir()}).values())
    assert done == sorted(done)
    assert {t for _, t in seen} == {total}
    assert done[-1] == total
    assert len(set(done)) > 3


def test_what_was_downloaded_serves_without_network(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    first = seq2seq.load("some/model").trace("The cat sat.")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    again = seq2seq.load("some/model").trace("The cat sat.")
    assert again.maps == first.maps
    assert "could not be reached" in again.provenance["notes"][0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("some/nothing", r"no public model 'some/nothing' on the hub"),
        ("some/gated", r"gated: accept its terms"),
        ("some/cut", r"could not be fetched: the connection was cut"),
        ("some/decoder", r"gpt2 model, which has one stack"),
        ("some/bin", r"only in PyTorch's older format"),
        ("some/empty", r"no files of a model"),
    ],
)
def test_what_the_hub_answers_is_said_in_a_sentence(
    hub: Hub, good: Path, tmp_path: Path, name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.models["some/gated"] = (good, "gated")
    hub.models["some/cut"] = (good, "cut")
    hub.models["some/decoder"] = (_gpt2(tmp_path / "gpt2"), "good")
    hub.models["some/bin"] = (write(tmp_path / "bin", "bart", safe=False), "good")
    (tmp_path / "empty").mkdir()
    hub.models["some/empty"] = (tmp_path / "empty", "good")
    with pytest.raises(ModelError, match=words) as raised:
        registry.load(name)
    assert str(raised.value).startswith((name, "There is no"))
    assert "\n" not in str(raised.value)


def test_a_cut_download_goes_on_where_it_stopped(hub: Hub, good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.models["some/model"] = (good, "cut")
    with pytest.raises(ModelError, match="cut"):
        registry.load("some/model")
    hub.models["some/model"] = (good, "good")
    assert registry.load("some/model").trace("The cat sat.").output


def test_no_network_and_no_revision(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no revision 'nowhere'"):
        registry.load("some/model", revision="nowhere")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="cannot be reached from here"):
        registry.load("some/other")


def test_too_little_disk_is_said_before_and_while(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(ModelError, match=r"needs 0\.00 GB on disk.*0\.00 GB left"):
        registry.load("some/model")
    monkeypatch.undo()


def test_a_disk_that_fills_up_meanwhile(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(client, "hf_hub_download", full)
    with pytest.raises(ModelError, match="The disk is full: some/model"):
        registry.load("some/model")


def test_bin_weights_come_with_consent_or_from_the_conversion(hub: Hub, good: Path, tmp_path: Path) -> None:
    hub.models["some/bin"] = (write(tmp_path / "bin", "bart", safe=False), "good")
    with_consent = registry.load("some/bin", allow_pickle=True).trace("The cat sat.")
    assert with_consent.maps == registry.load(good).trace("The cat sat.").maps
    hub.converted["some/bin"] = good
    converted = registry.load("some/bin").trace("The cat sat.")
    assert converted.provenance["revision"] == CONVERTED
    assert "conversion to safetensors (pull request 7)" in converted.provenance["notes"][0]


@pytest.mark.parametrize("looked_before", [False, True])
def test_a_conversion_serves_without_network_by_its_plain_name(
    hub: Hub, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_before: bool
) -> None:
    hub.models["some/bin"] = (write(tmp_path / "bin", "bart", safe=False), "good")
    if looked_before:  # then the main branch lies in the cache too, with nothing in it that may be read
        seq2seq.load("some/bin", allow_pickle=True)
    hub.converted["some/bin"] = good
    first = seq2seq.load("some/bin").trace("The cat sat.")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    again = seq2seq.load("some/bin").trace("The cat sat.")
    assert again.maps == first.maps
    assert again.provenance["weights_sha256"] == first.provenance["weights_sha256"]
    assert again.provenance["revision"] == CONVERTED


def test_without_network_a_pickle_still_needs_consent(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.models["some/bin"] = (write(tmp_path / "bin", "bart", safe=False), "good")
    seq2seq.load("some/bin", allow_pickle=True)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="only in PyTorch's older format"):
        seq2seq.load("some/bin")
    assert seq2seq.load("some/bin", allow_pickle=True).trace("The cat sat.").provenance["revision"] == COMMIT
    with pytest.raises(ModelError, match="cannot be reached"):
        seq2seq.load("some/unknown")


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    folder, witness = write(tmp_path / "evil", "bart", safe=False), tmp_path / "witness"

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.write_text, (witness, "run"))

    for payload in (pickle.dumps({"weight": Evil()}), None):
        if payload is None:
            torch.save({"weight": Evil()}, folder / "pytorch_model.bin")
        else:
            (folder / "pytorch_model.bin").write_bytes(payload)
        with pytest.raises(ModelError, match="its weights are damaged or do not fit"):
            registry.load(folder, allow_pickle=True)
        assert not witness.exists()


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    folder, witness = write(tmp_path / "remote", "bart"), tmp_path / "witness"
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "code.Mine", "AutoModelForSeq2SeqLM": "code.Mine"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"open({str(witness)!r}, 'w').write('run')\n")
    with pytest.raises(ModelError, match=r"config\.json is damaged or of an unknown kind"):
        registry.load(folder)
    assert not witness.exists()


def test_what_has_no_cross_attention_is_refused_with_a_reason(tmp_path: Path) -> None:
    bert = transformers.BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    transformers.BertModel(bert).save_pretrained(tmp_path / "bert")
    for folder, kind in ((_gpt2(tmp_path / "gpt2"), "gpt2"), (tmp_path / "bert", "bert")):
        with pytest.raises(ModelError, match=f"is a {kind} model, which has one stack.*no cross-attention"):
            registry.load(folder)
    whisper = transformers.WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2
    )
    transformers.WhisperForConditionalGeneration(whisper).save_pretrained(tmp_path / "whisper")
    with pytest.raises(ModelError, match="whisper model, which does not turn text into text"):
        registry.families()["seq2seq"].load(str(tmp_path / "whisper"))  # the family that hears takes it otherwise


def test_damaged_folders_are_named(good: Path, tmp_path: Path) -> None:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(good, tmp_path / name))

    cut = copy("cut")
    data = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="weights are damaged"):
        registry.load(cut)
    none = copy("none")
    (none / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights that can be read"):
        registry.load(none)
    tokenizer = copy("tokenizer")
    for path in tokenizer.glob("[tvm]*.[jt][sx][ot]*"):
        path.write_bytes(b"\xff nothing")
    with pytest.raises(ModelError, match="tokenizer is missing or damaged"):
        registry.load(tokenizer)
    lacking = copy("lacking")
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(good)
    state = {name: tensor for name, tensor in model.state_dict().items() if "layers.1.encoder_attn.q_proj" not in name}
    model.save_pretrained(lacking, state_dict=state)
    with pytest.raises(ModelError, match="lacks 2 of its parameters"):
        registry.load(lacking)


def test_a_folder_outside_the_root_is_not_even_looked_at(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = Path(shutil.copytree(good, tmp_path / "root" / "model"))
    (tmp_path / "root" / "link").symlink_to(good)
    monkeypatch.setenv(registry.ROOT_VARIABLE, str(tmp_path / "root"))
    assert registry.load(inside).trace("The cat.").output
    outside = [good, tmp_path / "nowhere", tmp_path / "root" / ".." / "good", tmp_path / "root" / "link"]
    for folder in outside:
        with pytest.raises(ModelError, match="There is no model or folder named"):
            registry.load(folder)


def test_the_least_recently_used_model_goes(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_loaded", type(registry._loaded)())
    folders = [Path(shutil.copytree(good, tmp_path / name)) for name in "abc"]
    first = registry.load(folders[0])
    monkeypatch.setenv(registry.MEMORY_VARIABLE, str(first.memory * 2.5 / 1e9))
    registry.load(folders[1])
    assert registry.load(folders[0]) is first
    registry.load(folders[2])
    kept = [(Path(name).name, size) for name, size in registry.loaded()]
    assert kept == [("a", first.memory), ("c", first.memory)]
    assert first.trace("The cat.").output
    assert registry.load(folders[0]) is first
    other: Adapter = registry.load(folders[1])
    assert other.trace("The cat.").output


def test_names_of_the_hub() -> None:
    assert seq2seq.downloads("Helsinki-NLP/opus-mt-en-fr")
    assert seq2seq.downloads("t5-small")
    for name in ("nonsense", "a/b/c", "../a", "/etc/passwd", "a/../b", "http://x/y", ""):
        assert not seq2seq.downloads(name), name


def _gpt2(folder: Path) -> Path:
    config = transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=16, vocab_size=40)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder
