"""The page About: every idea is drawn from a trace that ships, without torch, and leads to a page that there is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.app.visitor import opened
from tests.server import ROOT
from xattn_viz import examples
from xattn_viz.app import about

_OPENED = """
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=60).switch_page("pages/about.py").run()
assert not app.exception, app.exception
print("torch" in sys.modules, len(app.header))
"""


def test_opening_it_loads_no_torch() -> None:
    done = subprocess.run([sys.executable, "-c", _OPENED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", str(len(about.IDEAS))]


def test_without_the_division_weights_are_the_softmax_of_the_plain_products() -> None:
    """Against the weights that were captured: the same scores, divided, give them back within float32 and softmax."""
    trace = examples.load("cat")
    assert trace is not None
    maps, made = trace.cross, trace.cross.projections
    assert made is not None
    plain = about._without_scale(maps)
    divided = replace(maps, projections=replace(made, queries=made.queries * np.float32(made.scale)))
    scaled = about._without_scale(divided)
    np.testing.assert_allclose(scaled.weights, maps.weights, atol=1e-5)
    np.testing.assert_allclose(plain.weights.sum(-1), 1, atol=1e-5)
    assert (plain.weights.max(-1) >= maps.weights.max(-1) - 1e-5).all()  # dividing only ever softens


def test_an_installation_without_its_traces_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "load_about", lambda name: None)
    about._trace.cache_clear()
    app = opened("about")
    assert not app.exception
    assert any("is missing in this installation" in caption.value for caption in app.caption)
    about._trace.cache_clear()
