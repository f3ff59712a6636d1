"""What goes to the script is plain JSON; what comes from it is believed only where it fits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.lessons.test_real_head import planted
from xattn_viz.lessons.real_head import real_head
from xattn_viz.lessons.steps import from_words, steps
from xattn_viz.web import stepper

SETTING = from_words("gato preto", "the black cat", n_heads=2, padding=(False, False, True))


def said(**changes: Any) -> dict[str, Any]:
    """What the script tells of the setting, as it sends it."""
    sent = stepper.pack_setting(SETTING, "a")
    computed = {name: np.where(np.isfinite(m), m, np.nan).tolist() for name, m in vars(steps(SETTING)).items()}
    results = json.loads(json.dumps(computed).replace("NaN", "null"))
    told: dict[str, Any] = json.loads(json.dumps({**sent, "results": results}))
    return told | changes


def test_a_setting_goes_there_and_back() -> None:
    assert stepper.read_setting(said(), from_words("gato preto", "the black cat")) == SETTING
    assert stepper.difference(steps(SETTING), said()["results"]) == 0


def test_a_difference_is_measured() -> None:
    results = said()["results"]
    results["heads"][1][0][1] += 3e-7
    assert stepper.difference(steps(SETTING), results) == pytest.approx(3e-7)
    results["masked"][0][1][2] = 0.0
    assert stepper.difference(steps(SETTING), results) == float("inf")


@pytest.mark.parametrize(
    "results", [{}, {"q": [[1.0]]}, {"q": "text"}, {"q": {"a": 1}}, {"q": [[1], [1, 2]]}, {"q": None}]
)
def test_results_that_are_none_are_refused(results: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="q"):
        stepper.difference(steps(SETTING), results)


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": {}},
        {"inputs": None},
        {"inputs": said()["inputs"] | {"x": [[1, 2]]}},
        {"inputs": said()["inputs"] | {"x": [[None] * 4] * 2}},
        {"inputs": said()["inputs"] | {"x": "abc"}},
        {"switches": said()["switches"] | {"n_heads": 3}},
        {"switches": said()["switches"] | {"padding": [True]}},
        {"switches": []},
    ],
)
def test_what_is_no_setting_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        stepper.read_setting(said(**changes), SETTING)


def test_numbers_from_the_script_stay_within_the_bound() -> None:
    inputs = said()["inputs"] | {"x": [[1e30] * 4] * 2}
    assert stepper.read_setting(said(inputs=inputs), SETTING) == replace(SETTING, x=np.full((2, 4), 100.0))


def test_a_real_head_is_plain_json() -> None:
    kept = real_head(planted(5, 40, bias=True), 4, 0, 2, 7)
    sent = json.loads(json.dumps(stepper.pack_head(replace(kept, bias=np.full(kept.captured.shape, -np.inf)))))
    assert sent["bias"][0][0] is None
    assert np.array_equal(np.array(sent["q"]), kept.q)
    assert (sent["others"], sent["kind"]) == (16, "real")
    assert stepper.pack_head(kept)["id"] == stepper.pack_head(replace(kept))["id"]
    assert stepper.pack_head(kept)["id"] != stepper.pack_head(replace(kept, row=0))["id"]
