"""`figure`, `animate` and `story`: the files that Python would write, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import xattn_viz as xv
from tests.cli.conftest import Typed
from xattn_viz.cli import main
from xattn_viz.core.tokens import visible
from xattn_viz.examples import clips
from xattn_viz.models.base import Adapter

ROOT = Path(__file__).parents[2]
TEXT = "a small sentence"
FORWARD = Path(clips.__file__).with_name("forward.ogg")


def test_animate_writes_a_moving_picture(tiny: Adapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "t.svg"
    command = ["animate", "tiny", TEXT, "--layer", "1", "--head", "2", "--size", "640x360", "--light"]
    assert main([*command, "--seconds", "0.5", "--out", str(out)]) == 0
    made = xv.animate(tiny.trace(TEXT), xv.View(layer=0, head=1), size=(640, 360), seconds=0.5, dark=False)
    assert out.read_text(encoding="utf-8") == made.svg()
    assert capsys.readouterr().out.endswith(f", {made.count} frames of 640 × 360 pixels\n")
    saved, again = tmp_path / "t.npz", tmp_path / "again.svg"
    xv.save(tiny.trace(TEXT), saved)
    assert main(["animate", str(saved), *command[3:], "--seconds", "0.5", "-o", str(again), "--json"]) == 0
    assert again.read_bytes() == out.read_bytes()
    said = json.loads(capsys.readouterr().out)
    assert (said["frames"], said["width"], said["what"], said["wrote"]) == (made.count, 640, "steps", str(again))
    assert main([*command, "--out", str(tmp_path / "t.avi")]) == 2
    assert "ends in one of .gif" in capsys.readouterr().err


def test_figure_writes_what_is_asked_for_and_prints_its_caption(
    tiny: Adapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "f.svg", tmp_path / "t.npz"
    xv.save(tiny.trace(TEXT), file)
    said = ["--layer", "1", "--head", "2", "--row", "1", "--width", "90mm", "--size", "6.5", "--title", "--no-bar"]
    wanted = xv.figures.draw(
        tiny.trace(TEXT), xv.View(layer=0, head=1, query=0), width="9cm", size=6.5, title=True, bar=False
    )
    for given in (["tiny", TEXT], [str(file)]):
        assert main(["figure", *given, "-o", str(out), *said]) == 0
        assert out.read_text(encoding="utf-8") == wanted.svg()
        height = f"{wanted.size[1] / 72 * 2.54:.1f}"
        assert capsys.readouterr().out == f"{visible(wanted.caption)}\nWrote {out}, 9.0 × {height} cm\n"
    assert main(["figure", str(file), "-o", str(out), *said, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["caption"], told["width_cm"], told["wrote"]) == (wanted.caption, 9.0, str(out))
    bare = ["--no-special", "--rows", "input", "--units", "words", "--scale", "common", "--what", "grid"]
    assert main(["figure", str(file), "-o", str(out), *bare]) == 0
    view = xv.View(special=False, rows="input", units="words", scale="common")
    assert out.read_text(encoding="utf-8") == xv.figures.draw(tiny.trace(TEXT), view, "grid").svg()
    links = tmp_path / "links.tsv"  # of other programs too
    links.write_text("a b\tc d\t0-1 1?0\n", encoding="utf-8")
    assert main(["figure", str(links), "-o", str(out)]) == 0
    assert "Links that somebody made: a b → c d." in capsys.readouterr().out
    two = ["--what", "heads", "--heads", "1.2,2.1", "--scale", "head", "--transparent", "-o", str(tmp_path / "f.pdf")]
    assert main(["figure", str(file), *two]) == 0
    assert (tmp_path / "f.pdf").read_bytes().startswith(b"%PDF")
    capsys.readouterr()
    for mistaken, words in (
        (["tiny", TEXT, "-o", "f.gif"], "ends in one of .pdf, .svg, .png, .tex"),
        (["tiny", "-o", "f.svg"], "A model needs an input"),
        ([str(file), TEXT, "-o", "f.svg"], "has its input already"),
        ([str(file), "-o", str(out), "--width", "wide"], "A width is such as"),
        ([str(file), "-o", str(out), "--what", "heads", "--heads", "9.1"], "There is no layer 9"),
        ([str(file), "-o", str(out), "--what", "sound"], "holds no sound"),
    ):
        assert main(["figure", *mistaken]) == 2
        assert words in capsys.readouterr().err
    assert main(["figure", str(file), "-o", str(out), "--row", "0"]) == 2
    assert "count from 1" in capsys.readouterr().err


def test_a_story_becomes_a_page(
    tiny: Adapter, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"query": {"model": "tiny", "text": TEXT}, "view": {"head": "1.1", "row": "0"}, "caption": "{weight}"}
    story = {"format": "xattn_viz story", "version": 1, "title": "A talk", "slides": [asked]}
    file, out = tmp_path / "talk.json", tmp_path / "talk.html"
    file.write_text(json.dumps(story), encoding="utf-8")
    assert main(["story", str(file), "--out", str(out)]) == 2
    assert "not on the list: load it with --allow tiny" in capsys.readouterr().err
    assert not out.exists()
    assert main(["story", str(file), "--out", str(out), "--allow", "tiny"]) == 0
    assert "<title>A talk</title>" in out.read_text(encoding="utf-8")
    assert main(["story", "cross-attention", "--out", str(out)]) == 0
    typed(file.read_bytes())
    assert main(["story", "-", "--out", str(out), "--allow", "tiny", "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {"title": "A talk", "slides": 1, "wrote": str(out)}
    for arguments, said in (
        ([str(tmp_path / "none.json"), "--out", str(out)], "No such file"),
        (["nothing", "--out", str(out)], "no story 'nothing': choose cross-attention"),
        (["cross-attention", "--out", "talk.pdf"], "does not end in .html"),
    ):
        assert main(["story", *arguments]) == 2
        assert said in capsys.readouterr().err
