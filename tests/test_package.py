"""The wheel: everything is in it, it asks for what requirements.txt says, and it starts the app far from the clone."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from email import message_from_bytes
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import xattn_viz as xv
from tests.server import ROOT, free_port, start

EXTRAS = ("speech", "diffusion", "notebook", "evidence", "moving", "paper", "documents")
LISTS = [f"requirements/{name}.txt" for name in ("base", *EXTRAS)]

# Run by the installed package's Python: the page's script, as the app would run it.
RUN_PAGE = """
import sys, xattn_viz.doctor as m
from streamlit.testing.v1 import AppTest
test = AppTest.from_file(str(m.app_script()), default_timeout=120).run()
assert not test.exception, test.exception
print(m.app_script())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this source with the environment's own tools."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh virtual environment with the wheel; it borrows this one's libraries."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False)
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", "--quiet", str(wheel)], check=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def test_the_wheel_holds_every_file(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {str(p.relative_to(ROOT)) for p in (ROOT / "xattn_viz").rglob("*") if p.is_file()}
    wanted |= {f"xattn_viz/site/{p.relative_to(ROOT)}" for p in (ROOT / "pages").rglob("*") if p.is_file()}
    wanted |= {"xattn_viz/site/app.py", "xattn_viz/site/.streamlit/config.toml", "xattn_viz/site/constraints.txt"}
    assert {name for name in wanted if "__pycache__" not in name} - packed == set()
    assert any(name.endswith("licenses/LICENSE") for name in packed)
    assert not [name for name in packed if name.split("/")[0] not in {"xattn_viz"} and ".dist-info/" not in name]


def test_the_wheel_asks_for_the_requirements(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    asked = {str(Requirement(line)) for line in message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])}
    plain = {str(requirement) for requirement in listed("requirements/base.txt")}
    extras = {
        str(requirement): name
        for name in EXTRAS
        for requirement in map(
            Requirement, (f"{each}; extra == {name!r}" for each in listed(f"requirements/{name}.txt"))
        )
    }
    assert asked == plain | set(extras)
    # The app needs all lists but the one of notebooks, which the tests need besides.
    assert {f"-r requirements/{name}.txt" for name in ("base", *EXTRAS)} == lists("") | lists("-dev") - {
        "-r requirements.txt"
    }
    assert "-r requirements/notebook.txt" not in lists("")


def lists(which: str) -> set[str]:
    """The lines of a list of requirements that name another list."""
    lines = (ROOT / f"requirements{which}.txt").read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line.startswith("-r ")}


def test_every_requirement_is_pinned_to_one_version_that_its_range_holds() -> None:
    """What is installed is what was tested: also what the requirements bring with them has its version there."""
    pins = {canonicalize_name(pin.name): pin.specifier for pin in listed("constraints.txt")}
    for requirement in [*(one for file in LISTS for one in listed(file)), *listed("requirements-dev.txt")]:
        (pin,) = pins[canonicalize_name(requirement.name)]
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version), requirement.name
    installed_here = {canonicalize_name(found.name) for found in distributions()}
    brought = {
        canonicalize_name(needed.name)
        for found in distributions()
        for needed in map(Requirement, found.requires or ())
        if pins.get(canonicalize_name(found.name), SpecifierSet("==0")).contains(found.version)
        and (needed.marker is None or needed.marker.evaluate({"extra": ""}))
    }
    assert (brought & installed_here) - set(pins) - {"pip", "setuptools"} == set()


def listed(name: str) -> list[Requirement]:
    """The requirements in a file at the top."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


def test_the_installed_page_runs_outside_the_clone(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "python"), "-c", RUN_PAGE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[-1]).is_relative_to(installed.parent)


@pytest.mark.parametrize("command", [["xattn-viz", "serve"], ["python", "-m", "xattn_viz", "open", "one.npz"]])
def test_the_installed_app_starts_outside_the_clone(installed: Path, tmp_path: Path, command: list[str]) -> None:
    xv.save(xv.from_attention(np.ones((1, 1, 1, 1)), target=["um"], source=["one"]), tmp_path / "one.npz")
    port = free_port()
    program, *arguments = command
    full = [str(installed / program), *arguments, "--port", str(port)]
    server = start(full, port, tmp_path / "log.txt", cwd=tmp_path)
    try:
        with urllib.request.urlopen(server.url, timeout=10) as answer:
            assert b"<title>" in answer.read()
    finally:
        server.stop()
    # One address, as serverAddress in our configuration says, so it was read; Streamlit alone prints two or three.
    assert f"  URL: http://localhost:{port}" in server.log()
    assert "Traceback" not in server.log()
