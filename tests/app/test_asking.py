"""A question is typed or chosen: what the page offers, how it judges, and what its address says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.app.visitor import opened, press, query, traces
from tests.models.families.test_answering import write
from xattn_viz.app import asking
from xattn_viz.app.page import literal
from xattn_viz.cli import main
from xattn_viz.core.view import View
from xattn_viz.shapes import asked


def test_a_model_from_a_folder_is_asked_about_scenes_and_charts(tmp_path: Path) -> None:
    name = str(write(tmp_path))
    app = press(opened("images", model=name, picture="bar-3"), f"Load {literal(name)}")
    subject = asked.named("bar-3")
    first = subject.offered[0]
    assert not app.exception
    assert dict(query(app).options) == {"question": first.text}  # something that can be asked, before anything is typed
    (trace,) = traces(app)
    assert asking.said(trace) == first.text
    assert any("The answer is wrong" in said.value or "The answer is right" in said.value for said in app.caption)
    assert app.selectbox(key="asked").options == [question.text for question in subject.offered]
    assert [button.label for button in app.button if button.key == "ask"] == ["Ask"]
    app.text_input(key="option_question").set_value("which bar is violet?").run()
    assert literal("The question says “violet”") in app.error[0].value
    app.selectbox(key="asked").select("how many bars ?").run()
    assert app.query_params["question"] == "how many bars ?"
    assert "option.question" not in app.query_params
    # Another picture keeps a question that can be asked about it, and else brings one of its own.
    app.selectbox(key="picture").select("next-bar").run()
    assert (query(app).input, dict(query(app).options)["question"]) == ("bar-4", "how many bars ?")
    app.selectbox(key="picture").select("pie-1").run()
    assert dict(query(app).options)["question"] == "which slice is largest ?"
    assert (app.query_params["picture"], app.query_params["question"]) == ("pie-1", "which slice is largest ?")
    # Each word has its own row: that which read it, or that which chose it.
    (trace,) = traces(app)
    subject, given = asked.named("pie-1"), 5
    rows = asking.rows(trace, subject, View(layer=1, head=2))
    assert [row["row"] for row in rows[: given + 1]] == [2, 3, 4, 5, 6, 6]
    assert [row["which"] for row in rows[: given + 1]] == ["read it"] * given + ["chose it"]
    weights = trace.cross.weights[1, 2, 4, 1:].reshape(16, 16)  # "largest" was read in row 5
    shares = asked.share_by_part(weights, subject.drawing.owner, len(subject.drawing.parts))
    assert rows[3]["weight"] == pytest.approx(shares[:-1].max(), abs=0.005)
    about = subject.questions["which slice is largest ?"].about
    assert rows[3]["on what is asked about"] == pytest.approx(shares[list(about)].sum(), abs=0.005)


def test_the_command_line_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    name, file = str(write(tmp_path / "model")), tmp_path / "chart.png"
    Image.fromarray(asked.named("bar-3").drawing.picture).save(file)
    assert main(["trace", name, str(file), "--question", "how many bars?", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rows"][:4] == ["how", "many", "bars", "?"]
    assert said["output"].endswith(said["answers"][0]["text"])
    assert main(["trace", "caption-shapes", str(file), "--question", "how many bars?"]) != 0
    assert "has no option 'question'" in capsys.readouterr().err
