"""A head of another page by the address of the page about the layer: made again from it, or refused in a sentence."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from streamlit.testing.v1 import AppTest

from tests.server import ROOT
from xattn_viz.app.open_in_layer import Cell, address_of, cell_of
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import PageState
from xattn_viz.app.runner import Query
from xattn_viz.core.trace import Trace
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError

MODEL, TEXT = "firefox-en-pt", "The old clock stopped."
TRANSLATE = f"translate?{urlencode({'model': MODEL, 'text': TEXT})}"


def opened(of: str, cell: str) -> AppTest:
    """The section at an address that names a head, in a visit that has seen nothing else."""
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    app.query_params["of"], app.query_params["cell"] = of, cell
    app.switch_page("pages/layer.py").run()
    assert not app.exception
    return app


def said(app: AppTest) -> str:
    return " ".join(one.value.replace("\\", "") for one in (*app.markdown, *app.caption, *app.error))


@pytest.fixture(scope="module")
def trace() -> Trace:
    return registry.load(MODEL).trace(TEXT)


def test_an_address_alone_brings_the_head_its_source_and_the_way_back(trace: Trace) -> None:
    app = opened(TRANSLATE, str(Cell("cross", 1, 0, 2, 3)))
    assert f"captured while the model ran, it was {float(trace.cross.head(1, 0)[2, 3]):.4f}" in said(app)
    assert f"“{TEXT}” → “{trace.output}”" in said(app)
    assert [link.proto.label for link in app.get("page_link")] == ["Back to Translate"]
    assert [button.label for button in app.button] == ["Back to a layer of your own", literal("Next: Shapes ▶")]
    assert not app.error


def test_a_head_of_a_picture_comes_back_too() -> None:
    app = opened("images?model=caption-shapes&picture=lantern", "cross.2.1.3.10")
    assert "red → row 2, column 1: layer 2, head 1, cross-attention" in said(app)
    assert "“a small red circle above a large blue star”" in said(app)
    assert not app.error


def test_another_output_and_another_sentence_are_those_of_the_address() -> None:
    two = urlencode({"model": MODEL, "text": f"I sleep. {TEXT}", "sentence": "2", "target": "O gato."})
    app = opened(f"translate?{two}", "cross.1.1.1.1")
    assert "→ “O gato.”" in said(app)
    assert not app.error


@pytest.mark.parametrize(
    ("of", "cell", "problem"),
    [
        ("", "cross.2.1.3.4", "names no head"),
        ("layer?section=steps", "cross.2.1.3.4", "names no head"),
        (TRANSLATE, "", "names no head"),
        (TRANSLATE, "cross.0.1.3.4", "names no head"),
        (TRANSLATE, "cross.2.1.3.٤", "names no head"),
        (TRANSLATE, "cross.9.1.1.1", "no such weight"),
        (TRANSLATE, "cross.2.9.1.1", "no such weight"),
        (TRANSLATE, "cross.2.1.99.1", "no such weight"),
        (TRANSLATE, "decoder.1.1.1.1", "no such weight"),
        (f"translate?{urlencode({'model': MODEL})}", "cross.2.1.1.1", "open it again on Translate"),
        ("translate?model=some/other&text=a", "cross.2.1.1.1", "is not on the list"),
        ("draw?model=draw-shapes&text=a+red+ring", "cross.1.1.1.1", "shows its weights only"),
        ("speech?model=whisper-tiny-en&sound=0123456789abcdef", "cross.2.1.1.1", "open it again on Speech"),
    ],
)
def test_an_address_of_nothing_is_refused_in_a_sentence(of: str, cell: str, problem: str) -> None:
    app = opened(of, cell)
    assert len(app.error) == 1
    assert problem in said(app)
    assert app.button[0].label == "Back to a layer of your own"


def test_a_text_too_long_for_an_address_is_left_where_it_is() -> None:
    """Its page shows it again as it was, where the address says nothing of another one."""
    assert address_of("translate", PageState(Query(MODEL, TEXT))).startswith(f"{TRANSLATE}&head=")
    assert address_of("translate", PageState(Query(MODEL, "A cat. " * 200))) == "translate"
    app = opened("translate", "cross.2.1.1.1")
    assert "open it again on Translate" in said(app)
    assert [link.proto.query_string for link in app.get("page_link")] == [""]


@pytest.mark.parametrize(
    "told",
    [
        None,
        {},
        {"kind": "cross", "layer": "x", "head": 0, "rows": [0], "columns": [0]},
        {"kind": "cross", "layer": 1, "head": 0, "rows": [], "columns": [0]},
        {"kind": "cross", "layer": 1, "head": 0, "rows": [99], "columns": [0]},
        {"kind": "cross", "layer": -1, "head": 0, "rows": [0], "columns": [0]},
        {"kind": "decoder", "layer": 1, "head": 0, "rows": [0], "columns": [0]},
    ],
)
def test_what_a_browser_tells_may_be_anything(trace: Trace, told: Any) -> None:
    with pytest.raises(ModelError, match="no such weight"):
        cell_of(trace, told)


def test_of_several_rows_and_columns_the_strongest_weight_is_meant(trace: Trace) -> None:
    weights = trace.cross.head(1, 0)[1:3, 2:4]
    row, column = divmod(int(weights.argmax()), 2)
    told = {"kind": "cross", "layer": 1, "head": 0, "rows": [1, 2], "columns": [2, 3]}
    assert cell_of(trace, told) == Cell("cross", 1, 0, 1 + row, 2 + column)
