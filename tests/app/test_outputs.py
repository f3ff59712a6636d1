"""The line below the controls, and which output of a sentence it chooses."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox

from tests.app.visitor import query, traces
from tests.server import ROOT
from xattn_viz.app.page import literal
from xattn_viz.app.runner import Output
from xattn_viz.core.tokens import visible_text
from xattn_viz.core.trace import Trace
from xattn_viz.examples import EXAMPLES
from xattn_viz.models import registry

TEXT = "The old bridge creaks."


def opened(**said: str) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for name, value in {"text": TEXT, **said}.items():
        app.query_params[name] = value
    return app.run()


def listed(app: AppTest) -> Selectbox[Output]:
    return next(box for box in app.selectbox if box.label == "Shown")


def captions(app: AppTest) -> str:
    return " ".join(caption.value.replace("\\", "") for caption in app.caption)


def total(trace: Trace, where: str = "") -> str:
    said = f"{sum(step.log_prob for step in trace.steps):.2f} ({len(trace.steps)} tokens{where})"
    return said.replace("-", "\u2212")


def test_an_output_of_ones_own_is_listed_said_and_kept_in_the_address() -> None:
    app = opened()
    assert len(listed(app).options) == 1
    assert not [box for box in app.checkbox if box.key == "beside"]
    (field,) = (field for field in app.text_area if (field.key or "").startswith("target"))
    field.set_value("  A ponte *range*. ").run()
    assert query(app).output == Output(target="A ponte *range*.")
    assert app.query_params["target"] == "A ponte *range*."
    assert listed(app).options[-1] == "Your own: A ponte *range*."
    model = registry.load(EXAMPLES[0].model)
    mine, best = model.trace(TEXT, target="A ponte *range*."), model.trace(TEXT)
    assert (
        f"Log-probability {total(mine)}; of the model\u2019s best {total(best, ', over the shortlist')}."
        in captions(app)
    )
    app.checkbox(key="beside").check().run()
    assert app.query_params["beside"] == "true"
    listed(app).select(Output()).run()
    assert query(app).output.is_best
    assert not {"target", "beside"} & set(app.query_params)
    assert not app.exception


def test_an_address_asks_for_another_output_of_a_text_that_was_never_traced() -> None:
    app = opened(text="One cat climbs. Two dogs bark.", target="Um gato.")
    assert not app.exception
    assert query(app).output == Output(target="Um gato.")
    assert len(traces(app)) == 2
    assert "Log-probability" in captions(app)


def test_another_sentence_begins_with_the_best_again() -> None:
    app = opened(text="One cat. Two dogs.", target="Um gato.")
    next(button for button in app.button if button.label == "Next ▶").click().run()
    assert query(app).output.is_best
    assert "target" not in app.query_params


def test_beams_are_listed_with_their_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = registry.families()["seq2seq"].example()
    monkeypatch.setattr(registry, "load", lambda name, **_: tiny)
    # A listed model, so that the address alone may load it; what it loads is the tiny one.
    app = opened(model="google-t5/t5-small", **{"option.num_beams": "4"})
    best = tiny.trace(TEXT, num_beams=4)
    wanted = [
        f"Beam {number}, log-probability {other.log_prob:.2f}: {visible_text(other.text)}"
        for number, other in enumerate(best.hypotheses, 2)
    ]
    assert listed(app).options == [f"The model\u2019s best: {visible_text(best.output)}", *wanted]
    assert len(wanted) == 3
    assert "the best of 4 beams" in captions(app)
    listed(app).select(Output(hypothesis=2)).run()
    assert query(app).output == Output(hypothesis=2)
    assert app.query_params["hypothesis"] == "2"
    assert not app.exception


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"prefix": "x.99999999"}, None),
        ({"prefix": "9999999"}, "got 9999999 at place 0"),
        ({"prefix": "-1"}, None),
        ({"prefix": "\u00b2"}, None),
        ({"hypothesis": "99"}, "hypothesis"),
        ({"hypothesis": "100"}, None),
        ({"hypothesis": "-1"}, None),
        ({"target": "a", "prefix": "5"}, "not both"),
        ({"option.num_beams": "999"}, "999 beams"),
        ({"beside": "true"}, None),
    ],
)
def test_an_address_that_asks_for_nonsense_is_a_sentence_or_nothing(said: dict[str, str], sentence: str | None) -> None:
    app = opened(**said)
    assert not app.exception
    assert [True] * (sentence is not None) == [(sentence or "") in error.value.replace("\\", "") for error in app.error]
    if "option.num_beams" not in said:
        assert traces(app)[0].input == TEXT


def test_a_huge_output_in_the_address_is_cut() -> None:
    app = opened(target="palavra " * 5000)
    assert not app.exception
    assert len(query(app).output.target) <= 1000


def test_a_whole_text_that_came_out_short_is_told_once_and_above_the_map() -> None:
    lines = (ROOT / "tests" / "models" / "sentences.en.txt").read_text(encoding="utf-8").splitlines()
    text = " ".join([line for line in lines if 15 < len(line) < 120 and line.endswith(".")][:24])
    app = opened(text=text, whole="true")
    assert not app.exception
    (said,) = (caption.value for caption in app.caption if "probably left out" in caption.value)
    assert said.startswith(literal("The output came out short: "))
    assert app.caption[0].value == said
