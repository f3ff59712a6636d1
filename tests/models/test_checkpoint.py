"""What is checked, hashed and read of a checkpoint are the same files, whatever its own files name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.utils import logging

import xattn_viz as xv
from tests.models.families import diffusion_folders
from tests.models.families.seq2seq_folders import write
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError

INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("good"), "bart")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pickles that are loaded while the test runs."""
    found: list[str] = []
    real = torch.load

    def load(path: Any, *args: Any, **options: Any) -> Any:
        found.append(str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(torch, "load", load)
    return found


def parts(good: Path, folder: Path, index: Callable[[dict[str, str]], object] | None = None) -> Path:
    """The model with its weights in two parts, and an index as `index` makes it of the right one."""
    shutil.copytree(good, folder)
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names, where = sorted(state), dict[str, str]()
    for number, chosen in enumerate((names[::2], names[1::2]), 1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: state[name].contiguous() for name in chosen}, folder / file, {"format": "pt"})
        where |= dict.fromkeys(chosen, file)
    made = where if index is None else index(where)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": made}))
    return folder


def test_weights_in_parts_are_read_with_or_without_their_index(good: Path, tmp_path: Path) -> None:
    folder = parts(good, tmp_path / "parts")
    whole, trace = xv.load(good).trace("The cat."), xv.load(folder).trace("The cat.")
    assert trace.maps == whole.maps
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in sorted(folder.glob("*.safetensors"))]
    assert trace.provenance["weights_sha256"] == hashlib.sha256(b"".join(digests)).hexdigest()
    (folder / INDEX).unlink()
    assert xv.load(folder).trace("The cat.").maps == whole.maps
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match=r"of its weights model-00002-of-00002.safetensors is missing"):
        xv.load(folder)
    shutil.copy(good / "model.safetensors", folder / "model-00001-of-99999999999999.safetensors")
    with pytest.raises(ModelError, match=r"is missing|no part of the weights"):
        xv.load(folder)


def test_loading_draws_no_bars_and_leaves_the_switch_as_it_was(
    good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(good, tmp_path / "copy")
    assert logging.is_progress_bar_enabled()
    xv.load(tmp_path / "copy")
    assert capsys.readouterr().err == ""
    assert logging.is_progress_bar_enabled()


@pytest.mark.parametrize("named", ["pytorch_model.bin", "{outside}", "../outside/model.safetensors", "./a/../b"])
def test_an_index_that_names_another_file_is_refused(good: Path, tmp_path: Path, opened: list[str], named: str) -> None:
    outside = tmp_path / "outside" / "model.safetensors"
    outside.parent.mkdir()
    shutil.copy(good / "model.safetensors", outside)
    folder = parts(good, tmp_path / "evil", lambda where: dict.fromkeys(where, named.format(outside=outside)))
    torch.save(load_file(good / "model.safetensors"), folder / "pytorch_model.bin")
    for allowed in (False, True):
        with pytest.raises(ModelError, match=r"its model.safetensors.index.json names '.*', which is no part of its"):
            xv.load(folder, allow_pickle=allowed)
    assert not opened


@pytest.mark.parametrize("index", [[], "x", {"a": {"b": 1}}, None, 7])
def test_an_index_of_any_form_is_a_sentence(good: Path, tmp_path: Path, index: Any) -> None:
    folder = parts(good, tmp_path / "odd", lambda _: index)
    with pytest.raises(ModelError, match=r"index.json (is damaged|names)"):
        xv.load(folder)
    (folder / INDEX).write_text("[" * 100_000)
    with pytest.raises(ModelError, match=r"index.json is damaged"):
        xv.load(folder)


def test_nothing_that_a_configuration_names_is_opened(good: Path, tmp_path: Path, opened: list[str]) -> None:
    """Another file of weights, an adapter over another model, code: what is read is model.safetensors all the same."""
    expected, witness = xv.load(good).trace("The cat."), tmp_path / "witness"
    other = write(tmp_path / "other", "bart", safe=False)
    folder = Path(shutil.copytree(good, tmp_path / "naming"))
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "transformers_weights": "../other/pytorch_model.bin",
        "auto_map": {"AutoModelForSeq2SeqLM": "code.Mine", "AutoConfig": "code.Mine", "AutoTokenizer": "code.Mine"},
        "_name_or_path": str(other),
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(other), "peft_type": "LORA", "auto_mapping": None})
    )
    (folder / "code.py").write_text(f"open({str(witness)!r}, 'w').write('run')\n")
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(f"open({str(witness)!r}, 'w').write('run')\n")
    trace = xv.load(folder).trace("The cat.")
    assert trace.maps == expected.maps
    assert trace.provenance["weights_sha256"] == expected.provenance["weights_sha256"]
    assert not opened
    assert not witness.exists()


def test_an_old_checkpoint_says_in_its_configuration_how_to_decode(good: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "old"))
    (folder / "generation_config.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_length": 6}))
    assert len(xv.load(good).trace("The cat.").steps) > 6
    assert len(xv.load(folder).trace("The cat.").steps) <= 6


def test_a_pipeline_has_no_pickles_either(tmp_path: Path, opened: list[str]) -> None:
    """In the folder of each part: a .bin beside, an index that names it, a link that leads out, code."""
    good = diffusion_folders.write(tmp_path / "good", "1")
    expected = xv.load(good).trace("The cat", steps=1)
    evil = Path(shutil.copytree(good, tmp_path / "evil"))
    for part in ("unet", "vae", "text_encoder"):
        name = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        state = load_file(evil / part / f"{name}.safetensors")
        pickled = "pytorch_model.bin" if part == "text_encoder" else f"{name}.bin"
        torch.save({key: torch.zeros_like(tensor) for key, tensor in state.items()}, evil / part / pickled)
        (evil / part / f"{name}.safetensors.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": dict.fromkeys(state, pickled)})
        )
    assert xv.load(evil).trace("The cat", steps=1).maps == expected.maps
    assert not opened
    for name in ("unet/config.json", "text_encoder/model.safetensors", "tokenizer/vocab.json", "model_index.json"):
        linked = Path(shutil.copytree(good, tmp_path / name.replace("/", "-")))
        shutil.move(linked / name, tmp_path / "moved")
        (linked / name).symlink_to(tmp_path / "moved")
        with pytest.raises(ModelError, match=f"{name} of .* is a link that leads out of the folder"):
            xv.load(linked)
    whole = Path(shutil.copytree(good, tmp_path / "whole"))
    shutil.move(whole / "unet", tmp_path / "unet")
    (whole / "unet").symlink_to(tmp_path / "unet")
    with pytest.raises(ModelError, match="no weights in safetensors"):
        xv.load(whole)


def test_a_refused_pickle_is_our_own_sentence(good: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("run",))

    folder = write(tmp_path / "bin", "bart", safe=False)
    file = folder / "pytorch_model.bin"
    state = torch.load(file, weights_only=True)
    damaged: list[Callable[[], object]] = [
        lambda: torch.save({"weight": Evil()}, file),
        lambda: file.write_bytes(b"nothing"),
        lambda: file.write_bytes(b""),
        lambda: file.write_bytes(good.joinpath("model.safetensors").read_bytes()),
        lambda: torch.save([1, 2], file),
        lambda: torch.save({"weight": "text"}, file),
        lambda: torch.save({**state, "model.shared.weight": torch.zeros(3)}, file),
        lambda: zipfile.ZipFile(file, "w").close(),
    ]
    for damage in damaged:
        damage()
        with pytest.raises(ModelError) as raised:
            xv.load(folder, allow_pickle=True)
        said = str(raised.value)
        assert said.startswith(f"{folder} cannot be loaded: ")
        assert not any(word in said for word in ("weights_only", "torch.load", "PyTorch 2.6", "WeightsUnpickler", "\n"))


@pytest.mark.parametrize("in_place", [True, False])
def test_weights_that_are_exchanged_run_from_the_next_use_on(good: Path, tmp_path: Path, in_place: bool) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "model"))
    file = folder / "model.safetensors"
    first = xv.load(folder)
    trace = first.trace("The cat.")
    assert xv.load(folder) is first
    state = {name: torch.flip(tensor, (0,)).contiguous() for name, tensor in load_file(file).items()}
    times = file.stat()
    if in_place:
        save_file(state, file, {"format": "pt"})
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # the same size and time, as a copy may keep them
    else:
        save_file(state, tmp_path / "new", {"format": "pt"})
        (tmp_path / "new").replace(file)
    second = xv.load(folder)
    assert second is not first
    other = second.trace("The cat.")
    assert other.maps != trace.maps
    assert other.provenance["weights_sha256"] == hashlib.sha256(hashlib.sha256(file.read_bytes()).digest()).hexdigest()
    # What still runs goes on with what it has, and says whose it is.
    again = first.trace("The cat.")
    assert again.maps == trace.maps
    assert again.provenance["weights_sha256"] == trace.provenance["weights_sha256"]
    with pytest.raises(ModelError, match="other weights"):
        xv.rerun(trace)


def test_a_file_that_was_only_touched_loads_nothing(good: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "model"))
    first = xv.load(folder)
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data)
    (folder / "README.md").write_text("notes")
    assert xv.load(folder) is first


@pytest.mark.parametrize("name", ["generation_config.json", "tokenizer_config.json", "config.json"])
def test_other_settings_count_as_well(good: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "model"))
    first = xv.load(folder)
    said = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**said, "max_length": 3}))
    assert xv.load(folder) is not first


def test_weights_cut_short_while_they_are_loaded_hurt_nobody(good: Path, tmp_path: Path) -> None:
    """Weights that lay in the file still would end the process (SIGBUS) once the file is shorter."""
    folder = Path(shutil.copytree(good, tmp_path / "model"))
    model = xv.load(folder)
    expected = model.trace("The cat.")
    (folder / "model.safetensors").write_bytes(b"")
    assert model.trace("The cat.").maps == expected.maps
    with pytest.raises(ModelError, match="damaged"):
        xv.load(folder)


def test_files_that_change_under_the_reader_are_told(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(good, tmp_path / "model"))
    family = registry.families()["seq2seq"]
    load = family.load

    def meanwhile(place: Any, **options: Any) -> Any:
        adapter = load(place, **options)
        (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
        return adapter

    with monkeypatch.context() as patch:
        patch.setattr(family, "load", meanwhile)
        with pytest.raises(ModelError, match="changed while they were read: try again"):
            xv.load(folder)
    assert xv.load(folder).trace("The cat.").output


def test_a_firefox_folder_is_held_to_the_same(make_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder, other = make_folder("one"), make_folder("two", eight_bit=True)
    first = xv.load(folder)
    trace = first.trace("A cat.")
    name = "model.enpt.intgemm.alphas.bin"
    shutil.copy(other / name, folder / name)
    second = xv.load(folder)
    assert second is not first
    assert second.trace("A cat.").provenance["weights_sha256"] != trace.provenance["weights_sha256"]
    for file in (name, "srcvocab.enpt.spm", "lex.50.50.enpt.s2t.bin"):
        shutil.move(folder / file, tmp_path / file)
        (folder / file).symlink_to(tmp_path / file)
        with pytest.raises(ModelError, match=f"{file} of .* is a link that leads out of the folder"):
            xv.load(folder)
        (folder / file).unlink()
        shutil.move(tmp_path / file, folder / file)


_BOTH = """
import sys
from xattn_viz.models.families import seq2seq
safe, pickled = (seq2seq.FAMILY.load(folder, allow_pickle=True) for folder in sys.argv[1:])
for adapter in (safe, pickled):
    assert all(tensor.data_ptr() % 64 == 0 for tensor in adapter.network.model.state_dict().values() if tensor.numel())
one, other = (adapter.trace("The cat sat on the mat.") for adapter in (safe, pickled))
assert one.output == other.output
assert one.maps == other.maps
"""


@pytest.mark.parametrize("kernels", ["SSE4_2", "AVX2"])
def test_the_form_of_the_weights_changes_no_bit_of_a_map(good: Path, tmp_path: Path, kernels: str) -> None:
    """On some processors products depend on where numbers lie: as they lie in safetensors the last bit was another."""
    pickled = write(tmp_path / "bin", "bart", safe=False)
    environment = {**os.environ, "MKL_ENABLE_INSTRUCTIONS": kernels, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _BOTH, str(good), str(pickled)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
