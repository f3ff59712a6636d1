"""Loading from folders, good and bad: one sentence for each thing that goes wrong. test_hub.py has the rest."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from tests import checkpoints
from tests.models.families.seq2seq_folders import write
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelError, NeedsConsent
from xattn_viz.models.folder import ROOT_VARIABLE
from xattn_viz.models.hub.fetching import choose

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("good"), "bart")


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    folder, witness = write(tmp_path / "evil", "bart", safe=False), tmp_path / "witness"
    with pytest.raises(NeedsConsent, match="allow_pickle=True if you trust where it comes from"):
        registry.load(folder)

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


def test_a_package_that_a_tokenizer_needs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "fsmt", "fsmt")
    assert registry.load(folder).trace("The cat.").output
    shutil.copytree(folder, tmp_path / "other")
    monkeypatch.setitem(sys.modules, "sacremoses", None)
    with pytest.raises(ModelError, match=r"needs the package sacremoses: pip install sacremoses\."):
        registry.load(tmp_path / "other")


@pytest.mark.parametrize(
    ("kind", "name", "wanted"),
    [
        ("marian", "opus-mt-de-fr", ("de", "fr")),
        ("marian", "opus-mt-mul-en", (None, None)),
        ("marian", "mine", (None, None)),
        ("fsmt", "mine", ("en", "pt")),
        ("nllb", "mine", ("en", "fr")),
    ],
)
def test_the_languages_of_a_checkpoint_are_known_where_it_or_its_name_says_them(
    kind: str, name: str, wanted: tuple[str | None, str | None], tmp_path: Path
) -> None:
    card = registry.load(write(tmp_path / name, kind)).card
    assert (card.language("source", {}), card.language("target", {})) == wanted


@pytest.mark.parametrize("kind", ["marian", "bart", "mbart", "m2m100", "nllb", "t5", "bert2bert", "fsmt"])
def test_a_vocabulary_that_is_missing_is_named(kind: str, tmp_path: Path) -> None:
    """To a tokenizer that the library makes of nothing, a text would be a row of unknown tokens."""
    folder = write(tmp_path / "whole", kind)
    shared = ("config.json", "generation_config.json", "tokenizer_config.json", "model.safetensors")
    for name in {path.name for path in folder.iterdir()} - {*shared}:
        lacking = Path(shutil.copytree(folder, tmp_path / f"without-{name}"))
        (lacking / name).unlink()
        with pytest.raises(ModelError, match=rf"is read from .*{re.escape(name)}.* not? .*there|neither is there"):
            registry.load(lacking)


def test_what_kind_of_vocabulary_lies_there_has_to_be_said(tmp_path: Path) -> None:
    folder = write(tmp_path / "t5", "t5")
    (folder / "tokenizer_config.json").unlink()
    assert registry.load(folder).trace("The cat.").output is not None  # the library knows which T5 has
    for kind, words in {
        "umt5": r"read from tokenizer\.json or from tokenizer\.model, and neither is there "
        r"\(spiece\.model would be read where tokenizer_config\.json says the tokenizer_class",
        "prophetnet": r"\(ProphetNetTokenizer\) is read from prophetnet\.tokenizer, and prophetnet\.tokenizer is not",
    }.items():
        other = Path(shutil.copytree(folder, tmp_path / kind))
        checkpoints.model(kind, "eager").save_pretrained(other)
        with pytest.raises(ModelError, match=words):
            registry.load(other)
    sizes = {"model.safetensors": 9, "prophetnet.tokenizer": 5, "README.md": 3}
    assert "prophetnet.tokenizer" in choose(sizes, ("safetensors",))[1]


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
    with pytest.raises(ModelError, match="tokenizer is damaged"):
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
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "root"))
    assert registry.load(inside).trace("The cat.").output
    outside = [good, tmp_path / "nowhere", tmp_path / "root" / ".." / "good", tmp_path / "root" / "link"]
    for folder in outside:
        with pytest.raises(ModelError, match="There is no model or folder named"):
            registry.load(folder)


def test_the_least_recently_used_model_goes(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_loaded", registry.empty_cache())
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


def _gpt2(folder: Path) -> Path:
    config = transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=16, vocab_size=40)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder
