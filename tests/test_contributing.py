"""The recipes of CONTRIBUTING.md, followed as they stand there."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xattn_viz as xv
from tests.app.visitor import opened
from tests.server import ROOT
from xattn_viz import export
from xattn_viz.app import text_page
from xattn_viz.app.page import literal
from xattn_viz.cli import main
from xattn_viz.models import families, registry

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
#: What each file holds, by its path.
FILES = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))


def test_each_recipe_is_short_and_the_commands_are_there() -> None:
    assert len(FILES) == 4
    for path, code in FILES.items():
        lines = [line for line in code.splitlines() if line and not line.startswith(("import", "from", '"""'))]
        assert len(lines) <= 10, path
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z]+)", TEXT.replace("`", "")):
        if target in ("run", "check", "test", "format"):
            assert f"\n{target}:" in makefile


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The family of the recipe, where `models.families` finds it."""
    for path, code in FILES.items():
        if "/families/" in path:
            file = tmp_path / Path(path).relative_to("xattn_viz/models/families")
            file.parent.mkdir(exist_ok=True)
            file.write_text(code)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    registry.families.cache_clear()
    importlib.invalidate_caches()
    yield
    registry.families.cache_clear()
    for name in [name for name in sys.modules if ".families.mirror" in name]:
        del sys.modules[name]


@pytest.mark.usefixtures("mirror")
def test_a_family_is_found_by_being_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert "mirror" in [card.name for card in xv.cards()]
    trace = xv.load("mirror").trace("the black cat")
    assert trace.output == "the black cat"
    assert np.array_equal(trace.cross.weights[0, 0], np.eye(3))
    assert registry.families()["mirror"].example().trace("a b").output == "a b"
    with pytest.raises(xv.ModelError, match="its heads cannot be ablated"):
        xv.load("mirror").trace("a b", ablate=[("cross", 0, 0)])
    assert main(["trace", "mirror", "a b"]) == 0
    assert capsys.readouterr().out.splitlines() == ["a b", "1\ta\t1\ta", "2\tb\t2\tb"]


def test_a_panel_follows_the_view(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}
    exec(compile(FILES["xattn_viz/app/emptiest.py"], "emptiest.py", "exec"), made)  # noqa: S102 - our own text
    kind = replace(text_page.KIND, panels=(*text_page.KIND.panels, made["panel"]))
    monkeypatch.setattr(text_page, "KIND", kind)
    for head in ("2.1", "1.3"):
        app = opened(head=head)
        assert not app.exception
        (said,) = [caption.value for caption in app.caption if "the least weight lies on" in caption.value]
        layer, number = head.split(".")
        assert literal(f"layer {layer}, head {number}") in said


def test_an_export_is_a_function_and_an_ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, object] = {}
    exec(compile(FILES["xattn_viz/export/markdown.py"], "markdown.py", "exec"), made)  # noqa: S102 - our own text
    assert '`".md": markdown`' in TEXT
    monkeypatch.setitem(export.FORMATS, ".md", made["markdown"])
    trace = xv.from_attention(np.eye(2), target=["o", "gato"], source=["the", "cat"])
    export.write(trace, tmp_path / "t.md")
    assert (tmp_path / "t.md").read_text() == "| output | input |\n|---|---|\n| o | the |\n| gato | cat |\n"
