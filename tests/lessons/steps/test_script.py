"""The snippet is run, and what it prints is what the steps are."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import pytest

from tests.lessons.steps.drawn import draw
from xattn_viz.lessons.steps import Setting, from_words, snippet, steps

SETTINGS = {
    "default": from_words("gato preto", "the black cat"),
    "masked": from_words("gato preto", "the black cat", padding=(False, False, True), causal=True),
    "heads": from_words("gato preto", "the black cat", n_heads=4),
    "unscaled": from_words("gato preto", "1 2 3; 4 5 6", scaled=False),
    **{f"drawn {seed}": draw(np.random.default_rng(seed)) for seed in range(4)},
}


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_the_snippet_prints_the_steps(setting: Setting) -> None:
    script = snippet(setting)
    assert len(script.splitlines()) <= 15
    names: dict[str, Any] = {}
    printed = StringIO()
    with redirect_stdout(printed), np.printoptions(threshold=100_000, suppress=True):
        exec(script, names)  # noqa: S102
    shown = steps(setting)
    wanted = np.concatenate([shown.weights.ravel(), shown.output.ravel()])
    numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[-+]\d+)?", printed.getvalue())]
    assert numbers == pytest.approx(wanted, abs=0.00501)  # printed with two decimals
    exact = names["attention"].output[0].detach().numpy()
    np.testing.assert_allclose(exact, shown.output, rtol=1e-12, atol=1e-12)
