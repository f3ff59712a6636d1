"""The section without a browser: the head of a real model, and the way back from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from tests.lessons.test_real_head import planted
from tests.server import ROOT
from xattn_viz.app.layer.steps import power
from xattn_viz.app.open_in_layer import OpenedHead
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Visit
from xattn_viz.lessons.real_head import real_head

SECTION = "from xattn_viz.app.layer import steps\nsteps.show()"


def said(app: AppTest) -> str:
    return " ".join(markdown.value.replace("\\", "") for markdown in app.markdown)


def test_a_head_that_the_address_names_is_shown_until_it_is_put_away() -> None:
    kept = real_head(planted(6, 60, bias=True), 5, 2, 3, 11)
    opened = OpenedHead(("translate?model=m", "cross.6.3.4.12"), kept, "m: “a” → “b”", None)
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page("pages/layer.py")
    app.query_params["of"], app.query_params["cell"] = opened.said
    app.session_state["visit"] = Visit(opened_head=opened)
    app.run()
    assert not app.exception
    assert "q3 → k11: layer 6, head 3, cross-attention" in said(app)
    assert f"the weight is {kept.weight():.4f}; captured while the model ran, it was {kept.weight():.4f}" in said(app)
    assert [caption.value.replace("\\", "") for caption in app.caption] == ["m: “a” → “b”"]
    assert not app.error
    app.session_state["visit"] = Visit(opened_head=replace(opened, fault="Its model writes nonsense."))
    app.run()
    assert [error.value for error in app.error] == ["Its model writes nonsense\\."]
    assert not app.text_input
    assert [link.proto.label for link in app.get("page_link")] == ["Back to Translate"]
    away, *ways = app.button
    assert [way.label for way in ways] == [literal("Next: Shapes ▶")]
    away.click().run()
    assert not app.exception
    assert [field.value for field in app.text_input] == ["gato preto", "the black cat"]
    assert "cell" not in app.query_params


def test_words_that_are_too_many_are_refused_in_a_sentence() -> None:
    app = AppTest.from_string(SECTION).run()
    app.text_input[0].set_value("a b c d e f g h i").run()
    assert [error.value.replace("\\", "") for error in app.error] == ["There is room for 8 queries at most: got 9."]


def test_heads_that_the_width_does_not_allow_are_not_offered() -> None:
    app = AppTest.from_string(SECTION).run()
    app.segmented_control[0].set_value(4).run()
    app.text_input[0].set_value("1 2; 3 4").run()
    assert not app.exception
    assert (app.segmented_control[0].options, app.segmented_control[0].value) == (["1", "2"], 1)


def test_changed_vectors_stay_with_their_words_and_typed_numbers_are_as_typed() -> None:
    app = AppTest.from_string(SECTION).run()

    def typed(text: str) -> list[list[float]]:
        app.text_input[0].set_value(text).run()
        rows: list[list[float]] = app.session_state["visit"].layer["edits"].setting.x.tolist()
        return rows

    def change(row: int) -> None:
        kept = app.session_state["visit"].layer["edits"]
        x = kept.setting.x.copy()
        x[row, 0] = 9.0
        kept.setting = replace(kept.setting, x=x)

    typed("gato e gato")
    change(2)
    assert [row[0] == 9.0 for row in typed("o gato e outro gato")] == [False, False, False, False, True]
    typed("1 2 3 4; 5 6 7 8")
    change(0)
    assert typed("1 2 3 4; 5 6 7 7") == [[9, 2, 3, 4], [5, 6, 7, 7]]
    assert typed("1 2 3 5; 5 6 7 7") == [[1, 2, 3, 5], [5, 6, 7, 7]]


@pytest.mark.parametrize(("value", "text"), [(0.0, "0"), (2.2e-16, "2·10⁻¹⁶"), (1.0, "1·10⁰"), (float("inf"), "∞·10⁰")])
def test_small_numbers_are_written_as_powers(value: float, text: str) -> None:
    assert power(value) == text
