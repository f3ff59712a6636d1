"""The group `evidence`: tables for people, JSON for programs, and what is kept with the trace."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import xattn_viz as xv
from tests.cli.conftest import Typed
from xattn_viz.cli import main
from xattn_viz.core.tokens import visible
from xattn_viz.examples import clips

ROOT = Path(__file__).parents[2]
TEXT = "a small sentence"
FORWARD = Path(clips.__file__).with_name("forward.ogg")


def test_costs_prints_a_table_of_heads_and_keeps_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cat.npz"
    assert main(["evidence", "costs", "firefox-en-pt", "The cat sat on the mat.", "-o", str(out)]) == 0
    output, _, heads, first, second, _, sentence, method, wrote = capsys.readouterr().out.splitlines()
    assert output == "O gato sentou-se no tapete."
    assert heads.split("\t") == ["layer", *(f"head {number}" for number in range(1, 9))]
    grid = xv.load_trace(out).grid("cost")
    assert grid is not None
    for number, line in enumerate((first, second)):
        cells = line.split("\t")
        assert cells[0] == str(number + 1)
        assert np.allclose([float(cell) for cell in cells[1:]], grid.values[number], atol=5e-4)
    assert sentence.startswith("Layer 1, head 6 matters most: without it a token of the output loses 0.42 nats")
    assert method == grid.method
    assert wrote == f"Wrote {out}"
    assert main(["evidence", "costs", "firefox-en-pt", "The cat sat on the mat.", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert np.allclose(said["costs"], grid.values, atol=1e-6)
    assert (said["heads_from"], said["largest"]) == (0, {"layer": 0, "head": 5})
    assert (said["sentence"], said["wrote"]) == (sentence, None)
    assert main(["evidence", "costs", "firefox-en-pt", "The cat sat.", "--how", "uniform", "--kind", "encoder"]) == 0
    assert "weights even" in capsys.readouterr().out
    assert main(["evidence", "costs", "firefox-en-pt", "The cat sat.", "--kind", "decoder"]) == 2
    assert capsys.readouterr().err == "xattn-viz: This model has no decoder heads; it has cross, encoder.\n"


def test_attribute_prints_a_row_a_token_and_keeps_the_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cat.npz"
    assert main(["evidence", "attribution", "firefox-en-pt", "The cat sat on the mat.", "-o", str(out)]) == 0
    output, _, words, *rows, _, how, wrote = capsys.readouterr().out.splitlines()
    assert output == "O gato sentou-se no tapete."
    assert words.split("\t") == ["row", "token", "The", "cat", "sat", "on", "the", "mat", "."]
    assert rows[1].split("\t")[:2] == ["2", "gato"]
    assert float(rows[1].split("\t")[3]) > 5
    assert how.startswith("In nats. By how many nats")
    assert wrote == f"Wrote {out}"
    assert xv.load_trace(out).of_kind("occlusion").weights.shape == (1, 1, 10, 8)
    asked = ["evidence", "attribution", "firefox-en-pt", "The cat sat on the mat."]
    assert main([*asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [said[name] for name in ("heads_from", "layer", "head", "unit")] == [0, None, None, "nats"]
    assert said["words"] == words.split("\t")[2:]
    for token, numbers, row in zip(said["tokens"], said["values"], rows, strict=True):
        cells = row.split("\t")
        assert cells[1] == visible(token)
        assert np.allclose([float(cell) for cell in cells[2:]], numbers, atol=5e-4)
    asked.append("--contrast")
    assert main([*asked, "2=cat"]) == 0
    assert "its difference from that of the other token" in capsys.readouterr().out
    assert main([*asked, "0=cat"]) == 2
    assert "a row from 1" in capsys.readouterr().err
    assert main([*asked, "2=zebra"]) == 2
    assert "The token 'gato' has no alternative 'zebra'" in capsys.readouterr().err


def test_deletion_ranks_the_rankings(typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--rankings", "attention,occlusion", "--seeds", "3"]
    assert main(["evidence", "deletion", "firefox-en-pt", "The cat sat on the mat.", *asked]) == 0
    head, first, second, random, _, sentence = capsys.readouterr().out.splitlines()
    assert head == "ranking\tarea"
    assert float(first.split("\t")[1]) <= float(second.split("\t")[1]) < float(random.split("\t")[1])
    assert sentence.startswith("The model follows ")
    assert main(["evidence", "deletion", "firefox-en-pt", "The cat sat on the mat.", *asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [f"{one['name']}\t{one['area']:.3f}" for one in said["rankings"]] == [first, second]
    assert (said["heads_from"], said["sentence"]) == (1, sentence)
    (tmp_path / "lines.txt").write_text("The cat sat.\n\nThe dog ran home.\n", encoding="utf-8")
    assert main(["evidence", "deletion", "firefox-en-pt", str(tmp_path / "lines.txt"), "--lines", *asked]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "ranking\tarea\tbelow random\t95 % interval"
    assert len(printed.out.splitlines()) == 4
    assert printed.err.splitlines()[-1] == "xattn-viz: 2 of 2 sentences"
    typed((tmp_path / "lines.txt").read_bytes())
    assert main(["evidence", "deletion", "firefox-en-pt", "-", "--lines", *asked, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["sentences"] == 2
    assert [f"{one['name']}\t{one['area']:.3f}\t{one['below_random']:.3f}" for one in said["rankings"]] == [
        line.rpartition("\t")[0] for line in printed.out.splitlines()[1:3]
    ]


def test_profile_prints_what_each_head_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "sentences.txt"
    file.write_text("The cat sat on the mat.\n\nMy brother works in a small hospital.\n", encoding="utf-8")
    assert main(["evidence", "profile", "firefox-en-pt", str(file), "--no-costs"]) == 0
    printed = capsys.readouterr().out.splitlines()
    header, rows = printed[0].split("\t"), [line.split("\t") for line in printed[1:17]]
    assert header[:3] == ["head", "alignment", "95 %"]
    assert header[-1] == "name"
    assert [row[0] for row in rows] == [f"{layer}.{head}" for layer in (1, 2) for head in range(1, 9)]
    assert all(len(row) == len(header) for row in rows)
    assert rows[5][-1].startswith("aligns the previous token, F1 .")
    assert printed[-1] == "Nothing can be said of depth from fewer than 5 sentences."
    command = ["evidence", "profile", "firefox-en-pt", str(file), "--no-costs", "--reverse", "none"]
    assert main([*command, "--json", "--kind", "encoder"]) == 0
    read = xv.HeadProfiles.from_json(json.loads(capsys.readouterr().out))
    assert (read.kind, read.n_sentences) == ("encoder", 2)
    assert main(["evidence", "profile", "firefox-en-pt", "--gold"]) == 2
    assert "name the file" in capsys.readouterr().err
    gold = tmp_path / "gold.tsv"
    gold.write_text("The cat sat .\tO gato sentou-se .\t0-0 1-1 2-2 3-3\n", encoding="utf-8")
    assert main(["evidence", "profile", "firefox-en-pt", str(gold), "--gold", "--no-costs"]) == 0
    assert "the links of people (gold)" in capsys.readouterr().out
