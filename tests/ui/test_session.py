from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.server import ROOT
from xattn_viz import examples
from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps
from xattn_viz.models import registry
from xattn_viz.models.base import InputError, ModelError
from xattn_viz.projections import Projections
from xattn_viz.trace import Trace
from xattn_viz.ui.address import Request
from xattn_viz.ui.session import Remembered, _size

APP = ROOT / "app.py"


def made(keys: int, d_k: int = 0) -> Trace:
    weights = np.full((1, 1, 2, keys), 1 / keys, np.float32)
    projections = None
    if d_k:
        projections = Projections(np.zeros((1, 1, 2, d_k), np.float32), np.zeros((1, 1, keys, d_k), np.float32), 1.0)
    maps = AttentionMaps(
        weights,
        Axis("text", labels=("a", "b")),
        Axis("text", labels=tuple(map(str, range(keys)))),
        "cross",
        (0,),
        projections=projections,
    )
    return Trace((maps,), "in", "out")


def request(text: str) -> Request:
    return Request("model", text)


def test_the_least_recently_used_traces_are_forgotten_beyond_the_limit() -> None:
    remembered = Remembered(limit=3 * 2 * 10 * 4)  # three traces of 2 × 10 float32
    for text in "abc":
        remembered.put(request(text), (made(10),))
    assert remembered.get(request("a")) is not None
    remembered.put(request("d"), (made(10),))
    assert [remembered.get(request(text)) is not None for text in "abcd"] == [True, False, True, True]


def test_traces_larger_than_the_limit_are_kept_alone() -> None:
    remembered = Remembered(limit=10)
    remembered.put(request("a"), (made(10),))
    remembered.put(request("b"), (made(10),))
    assert remembered.get(request("a")) is None
    assert remembered.get(request("b")) is not None


def test_another_model_or_whole_text_is_another_request_and_another_view_is_not() -> None:
    remembered = Remembered(limit=10_000)
    remembered.put(request("a"), (made(3),))
    assert remembered.get(Request("other", "a")) is None
    assert remembered.get(Request("model", "a", whole=True)) is None
    assert remembered.get(Request("model", "a", select={"head": "2.1"})) is not None


def test_queries_and_keys_count_towards_the_size() -> None:
    assert _size((made(10),)) == 2 * 10 * 4
    assert _size((made(10, d_k=4),)) == (2 * 10 + (2 + 10) * 4) * 4


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModelError("The file model.bin is damaged: *install* it again."), r"The file model\.bin is damaged"),
        (InputError("The text is empty."), r"The text is empty\."),
        (RuntimeError("secret detail"), "The server’s log says more"),
    ],
)
def test_whatever_goes_wrong_is_a_sentence_and_the_example_stays(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(name: str, **_: Any) -> Any:
        raise error

    app = AppTest.from_file(APP, default_timeout=30).run()
    shown = app.session_state["shown"]
    monkeypatch.setattr(registry, "load", fail)
    app.text_input(key="text").set_value("A text for which nothing is remembered.")
    app.button[[button.label for button in app.button].index("Translate")].click().run()
    assert len(app.error) == 1
    assert said in app.error[0].value
    assert "secret detail" not in app.error[0].value
    assert not app.exception
    assert app.session_state["shown"] is shown
    assert app.text_input(key="text").value == "A text for which nothing is remembered."


def test_a_damaged_example_is_traced_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(slug: str) -> Trace:
        raise ValueError("not a trace")

    first = examples.EXAMPLES[0]
    wanted = examples.load(first.slug)
    assert wanted is not None
    monkeypatch.setattr(examples, "load", damaged)
    app = AppTest.from_file(APP, default_timeout=60).run()
    assert not app.error
    assert app.session_state["shown"][0].output == wanted.output
