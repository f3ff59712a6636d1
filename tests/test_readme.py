"""The Python of the README and of its pages in docs/ runs as it stands there, but for what needs another's weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.sounds import chirp
from xattn_viz.inputs.audio import RATE, wav
from xattn_viz.shapes import Scene, Thing, draw

DOCS = Path(__file__).parents[1] / "docs"
PAGES = (DOCS.parent / "README.md", DOCS / "python.md", DOCS / "models.md")  # later ones use names of earlier ones
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
]
SAID = re.compile(r"^([\w.]+)  # '(.*)'$", re.MULTILINE)  # what comes out, where a comment says it
ELSEWHERE = ("Helsinki-NLP/", "./stable-diffusion")  # on the hub, and in a folder that nobody has by chance


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # files that a line leaves open
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    for name in ("talk.wav", "one.wav", "two.wav"):
        Path(name).write_bytes(wav(chirp(RATE)))
    Image.fromarray(draw(Scene((Thing("red", "circle", 0.4, 0.2, 0.1),)))).save("scene.png")
    names: dict[str, Any] = {}
    run = [block for block in BLOCKS if not any(name in block for name in ELSEWHERE)]
    assert len(run) == len(BLOCKS) - len(ELSEWHERE)
    assert len(run) >= 5
    checked = 0
    for block in run:
        exec(compile(block, "an example", "exec"), names)  # noqa: S102 - our own text
        for expression, value in SAID.findall(block):
            assert str(eval(expression, names)) == value  # noqa: S307
            checked += 1
    assert checked >= 3


def test_the_figures_of_the_docs_are_made_as_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DOCS / "papers.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        exec(compile(block, "papers.md", "exec"), names)  # noqa: S102 - our own text
    shown = {name.partition(".")[0] for name in re.findall(r"\(paper-(.*?)\)", text)}
    assert {path.stem for path in tmp_path.iterdir()} == shown
    caption = " ".join(re.findall(r"^> (.*)", text, re.MULTILINE))
    assert names["figure"].caption.split(" Made with ")[0] == caption.split(" Made with ")[0]
