"""The door for names and the files of a folder: what is let through, and that nothing tells what lies outside."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xattn_viz as xv
from tests.models.families.seq2seq_folders import write
from xattn_viz.core.records import quoted
from xattn_viz.models import hub, registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.folder import ROOT_VARIABLE, Folder, find_folder

HOSTILE: list[Any] = [
    *("", " ", "\0", "a\0b", "./\0", "a/b\0", "\ud800", "a/\ud800", "x" * 100_000, "a/" * 50_000, "a/" + "b" * 300),
    *("~\0", "~nobody-of-that-name/x", "~" * 9000, "C:", "C:\\Windows", "C:/Windows", r"\\host\share", "//host/share"),
    *(
        "NUL",
        "CON",
        "file:///etc",
        "http://x/y",
        "a/..",
        "a/.",
        "..",
        "../..",
        "/",
        "/dev/null",
        "/proc/self/mem",
        "\n",
    ),
    *("<b>x</b>", "a\nb", "\u202eabc", None, 7, b"bytes", b"\xff", ["list"], {"a": 1}),
]


@pytest.fixture
def nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name)[:20].encode("ascii", "replace").decode())
@pytest.mark.parametrize("rooted", [False, True])
def test_a_hostile_name_is_refused_in_one_short_sentence(
    name: Any, rooted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_is_fetched: None
) -> None:
    monkeypatch.chdir(tmp_path)
    if rooted:
        (tmp_path / "root").mkdir()
        monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "root"))
    with pytest.raises(ModelError) as raised:
        xv.load(name)
    said = str(raised.value)
    assert len(said) < 900  # the list of the models that there are is most of it
    assert "\n" not in said
    assert "\0" not in said
    assert said.endswith(".")


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="./~\\\0:a")))
def test_any_text_is_a_folder_or_none(name: str) -> None:
    found = find_folder(name)
    assert found is None or found.path.is_dir()
    assert len(quoted(name)) <= 101


@pytest.mark.parametrize(
    "spelling",
    [
        *("private/marian", "./private/marian", "private/marian/", "private//marian", "root/../private/marian"),
        *("PRIVATE/marian", "{tmp}/private/marian", "~/private/marian", "root/out", "root/out/", "root/sub/../out"),
        *("root/up/private/marian", "https://hf.co/private/marian"),
    ],
)
def test_what_lies_outside_the_root_is_as_if_it_were_not(
    spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_is_fetched: None
) -> None:
    """Each spelling of a folder outside: the answer is the same, letter for letter, when nothing is there."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path / "private" / "marian")
    (root / "up").symlink_to(tmp_path)
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    name = hub.name_in(spelling.format(tmp=tmp_path))

    def answer() -> str:
        with pytest.raises(ModelError) as raised:
            xv.load(name)
        return str(raised.value)

    without = answer()
    write(tmp_path / "private" / "marian", "bart")
    assert answer() == without
    for family in registry.families().values():  # nor past the registry
        with pytest.raises(ModelError):
            family.load(name)


def test_inside_the_root_every_spelling_leads_to_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "root" / "a" / "marian", "bart")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root" / "a" / "marian")
    (tmp_path / "alias").symlink_to(tmp_path / "root")
    monkeypatch.setenv("HOME", str(tmp_path))
    for root, below in ((tmp_path / "root", "a/marian"), (tmp_path / "alias", "a/marian"), (tmp_path, "root/link")):
        monkeypatch.setenv(ROOT_VARIABLE, str(root))
        monkeypatch.chdir(root)
        found = {id(registry.load(name)) for name in (root / below, below, f"./{below}/", f"{root}/{below}//", below)}
        assert len(found) == 1
    assert find_folder("~/root/a/marian") is not None


def test_of_what_lies_outside_not_even_the_existence_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a slow network drive nor the time it takes may tell: the file system hears nothing of such a name."""
    (tmp_path / "root").mkdir()
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "root"))
    touched: list[str] = []

    def spy(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            touched.append(os.fspath(path) if not isinstance(path, int) else "")
            return real(path, *args, **options)

        return call

    for name in ("stat", "lstat", "listdir", "readlink"):
        monkeypatch.setattr(os, name, spy(getattr(os, name)))
    assert find_folder(tmp_path / "beyond" / "model") is None
    assert find_folder(tmp_path / "root" / "nothing") is None
    assert [path for path in touched if "nothing" in path]
    assert not [path for path in touched if "beyond" in path]


def test_a_link_that_leads_out_is_refused_whichever_file_it_is(tmp_path: Path) -> None:
    good = write(tmp_path / "good", "bart")
    names = sorted(path.name for path in good.iterdir())
    assert {"model.safetensors", "config.json", "generation_config.json", "tokenizer_config.json"} <= set(names)
    for name in names:
        for target in ("there", "missing"):
            folder = Path(shutil.copytree(good, tmp_path / f"{name}-{target}"))
            outside = tmp_path / "elsewhere" / f"{name}-{target}"
            outside.parent.mkdir(exist_ok=True)
            if target == "there":
                shutil.move(folder / name, outside)
            else:
                (folder / name).unlink()
            (folder / name).symlink_to(outside)
            with pytest.raises(ModelError, match=f"{name} of .* is a link that leads out of the folder"):
                xv.load(folder)


def test_links_that_stay_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = write(tmp_path / "good", "bart")
    expected = xv.load(good).trace("The cat.")
    # As the hub's cache lays them out: the files of a commit are links to blobs beside.
    cached = tmp_path / "cache" / "models--a--b"
    (cached / "blobs").mkdir(parents=True)
    snapshot = cached / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(good.iterdir())):
        shutil.copy(path, cached / "blobs" / str(number))
        (snapshot / path.name).symlink_to(Path("..", "..", "blobs", str(number)))
    # Within the folder, and within the root.
    inside = Path(shutil.copytree(good, tmp_path / "root" / "inside"))
    (inside / "model.safetensors").rename(inside / "weights-of-march")
    (inside / "model.safetensors").symlink_to("weights-of-march")
    rooted = Path(shutil.copytree(good, tmp_path / "root" / "rooted"))
    (rooted / "model.safetensors").unlink()
    (rooted / "model.safetensors").symlink_to(inside / "weights-of-march")
    with pytest.raises(ModelError, match="leads out of the folder"):
        xv.load(rooted)
    for folder in (snapshot, inside):
        assert xv.load(folder).trace("The cat.").maps == expected.maps
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "root"))
    again = xv.load(rooted).trace("The cat.")
    assert again.maps == expected.maps
    assert again.provenance["weights_sha256"] == expected.provenance["weights_sha256"]
    # A blob that is itself a link out of the store is none of the hub's.
    monkeypatch.delenv(ROOT_VARIABLE)
    blob = (snapshot / "model.safetensors").resolve()
    shutil.move(blob, tmp_path / "stolen")
    blob.symlink_to(tmp_path / "stolen")
    with pytest.raises(ModelError, match="leads out of the folder"):
        xv.load(snapshot)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer_config.json"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path / "model", "bart")
    (folder / name).unlink()
    os.mkfifo(folder / name)  # whoever opened it would wait for ever
    with pytest.raises(ModelError, match=f"{name} of .* cannot be read: it is no file"):
        xv.load(folder)


def test_a_file_of_any_depth_is_damage_and_no_more(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "bart")
    (folder / "config.json").write_text("[" * 200_000)
    with pytest.raises(ModelError, match="holds no model of a known family"):
        xv.load(folder)
    with pytest.raises(ValueError, match="nested too deeply"):
        Folder(folder).json("config.json")


def test_a_huge_file_of_settings_is_not_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "model", "bart")
    with (folder / "merges.txt").open("ab") as file:
        file.truncate(600_000_000)  # a hole: it takes no room on the disk
    with pytest.raises(ModelError, match=r"merges.txt of .* it has 0\.6 GB"):
        xv.load(folder)


def test_other_files_for_the_vocabulary_are_not_followed(tmp_path: Path) -> None:
    """transformers opens what these settings name, wherever it lies."""
    good = write(tmp_path / "good", "marian")
    expected = xv.load(good).trace("The cat sat.")
    secret = tmp_path / "secret"
    secret.write_text("{")
    tokenizer = json.loads((good / "tokenizer_config.json").read_text())
    named = {
        key: str(secret)
        for key in ("vocab", "vocab_file", "source_spm", "target_spm", "target_vocab_file", "tokenizer_file")
    }
    for file, said in (
        ("tokenizer_config.json", tokenizer | named),
        ("tokenizer_config.json", tokenizer | {"init_inputs": [str(secret)] * 3}),
        ("special_tokens_map.json", {"eos_token": "</s>", **named}),
    ):
        folder = Path(shutil.copytree(good, tmp_path / f"{file}-{len(said)}"))
        (folder / file).write_text(json.dumps(said))
        assert xv.load(folder).trace("The cat sat.").maps == expected.maps
