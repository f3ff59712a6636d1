"""`align` and `score`: each file of pairs, its links, and what a journal keeps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import xattn_viz as xv
from tests.cli.conftest import Typed
from xattn_viz.cli import main
from xattn_viz.examples import clips

ROOT = Path(__file__).parents[2]
TEXT = "a small sentence"
FORWARD = Path(clips.__file__).with_name("forward.ogg")
PAIRS = "The cat sleeps .\tO gato dorme .\t0-0 1-1 2-2 3-3\nNo .\tNão .\t0-0 1-1\n"


@pytest.mark.parametrize("kind", ["pharaoh", "naacl", "tsv", "json"])
def test_align_prints_the_links_of_each_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: xv.alignment_files.Format
) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS, encoding="utf-8")
    ahead, back = xv.load("firefox-en-pt"), xv.load("firefox-pt-en")
    made = [
        xv.align(ahead.trace(en, target=pt), reverse=back.trace(pt, target=en))
        for en, pt, _ in (line.split("\t") for line in PAIRS.splitlines())
    ]
    assert main(["align", "firefox-en-pt", str(path), "--format", kind]) == 0
    printed = capsys.readouterr()
    assert printed.out == "".join(xv.alignment_files.lines(made, kind))
    assert printed.err == "xattn-viz: 1 of 2 pairs\nxattn-viz: 2 of 2 pairs\n"
    if kind == "pharaoh":
        assert printed.out == "0-0 1-1 2-2 3-3\n0-0 1-1\n"


def test_align_takes_models_heads_and_a_file(typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "pairs.tsv", tmp_path / "links.json"
    path.write_text(PAIRS, encoding="utf-8")
    command = ["align", "firefox-en-pt", str(path), "--reverse", "none", "--heads", "2.1,1.6+1", "--method", "argmax"]
    assert main([*command, "--words", "axis", "--format", "json", "--out", str(out)]) == 0
    assert "Wrote" in capsys.readouterr().out
    first, _ = json.loads(out.read_text(encoding="utf-8"))
    assert (first["heads"], first["reverse_heads"], first["method"]) == ([[1, 0, 0], [0, 5, 1]], [], "argmax")
    assert main(["align", "firefox-en-pt", str(path), "--heads", "2.1,0.6+1"]) == 2
    assert "Layers and heads count from 1" in capsys.readouterr().err
    assert main(["align", "firefox-en-pt", str(path), "--heads", "9.1"]) == 2
    assert "There is no layer 9: layers count from 1, to 2 here." in capsys.readouterr().err
    assert main(["align", "firefox-en-pt", str(path), "--heads", "2.9+1"]) == 2
    assert "There is no head 9: layer 2 has heads 1 to 8." in capsys.readouterr().err
    typed(PAIRS.encode())
    assert main(["align", "firefox-en-pt", "-", *command[3:], "--words", "axis", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_text(encoding="utf-8"))
    path.write_text("alone\n", encoding="utf-8")
    assert main(["align", "firefox-en-pt", str(path)]) == 2
    assert "pairs.tsv, line 1: a source and a target stand between tabs" in capsys.readouterr().err


def test_score_prints_a_table_and_goes_on_from_its_journal(
    typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, journal = tmp_path / "gold.tsv", tmp_path / "journal"
    path.write_text(PAIRS, encoding="utf-8")
    command = ["score", "firefox-en-pt", str(path), "--journal", str(journal), "--pick-on", "0"]
    assert main(command) == 0
    printed = capsys.readouterr()
    head, recipe, *_ = (line.split("\t") for line in printed.out.splitlines())
    assert head[:4] == ["what", "settings", "pairs", "P"]
    assert recipe == [
        "recipe",
        "both directions, link above 0.37",
        "2",
        *["1.000", "1.000–1.000"] * 3,
        *["0.000"],
        "0.000–0.000",
    ]
    assert "firefox-pt-en: Word alignment, rows of the token read, F1, 2 pairs" in printed.out
    assert "2 of 2 pairs" in printed.err
    assert main(command) == 0
    again = capsys.readouterr()
    assert (again.out, again.err) == (printed.out, "")
    typed(PAIRS.encode())
    assert main(["score", "firefox-en-pt", "-", "--pick-on", "0", "--journal", str(journal), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["heads_from"], said["pairs"], said["problems"]) == (0, 2, [])
    assert said["scores"][0]["name"] == "recipe"
    assert said["scores"][0]["rates"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "aer": 0.0}
    assert [np.shape(grid["values"]) for grid in said["grids"]] == [(2, 8)] * 4
    links = tmp_path / "links"
    links.write_text("0-0 1-1 2-2 3-3\n0-0 1-1\n")
    for number, name in enumerate(("en", "pt")):
        (tmp_path / name).write_text(
            "".join(f"{line.split(chr(9))[number]}\n" for line in PAIRS.splitlines()), encoding="utf-8"
        )
    sides = ["--source", str(tmp_path / "en"), "--target", str(tmp_path / "pt")]
    assert main(["score", "firefox-en-pt", str(links), *sides, "--pick-on", "0", "--journal", str(journal)]) == 0
    assert capsys.readouterr().out == printed.out  # the same gold, and its journal
    assert main(["score", "firefox-en-pt", str(links), "--pick-on", "0"]) == 2
    assert "--source and --target" in capsys.readouterr().err
