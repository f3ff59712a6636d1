"""A trace of an encoder-decoder against one pass of the library's own with eager attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from xattn_viz.core.trace import Trace

TOLERANCE = 1e-5  # float32, the same softmax summed in another order


def expect_equal(trace: Trace, out: Any) -> Tensor:
    """Hold every map and log-probability against the output of the pass. Returns its log-probabilities, `[row, id]`."""
    for maps in trace.maps:
        expected = out["cross_attentions" if maps.kind == "cross" else f"{maps.kind}_attentions"]
        assert len(maps.layers) == len(expected)
        for layer, weights in enumerate(expected):
            np.testing.assert_allclose(maps.weights[layer], weights[0].numpy(), atol=TOLERANCE, rtol=0)
    log_probs: Tensor = out.logits[0].log_softmax(-1)
    for row, step in enumerate(trace.steps):
        assert step.log_prob == pytest.approx(float(log_probs[row, step.id]), abs=1e-4)
    return log_probs
