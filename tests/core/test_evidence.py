"""What was measured of a trace: frozen, checked where it is made, and kept with the trace."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.core.test_trace import grid
from xattn_viz.core.evidence import Alignment, AlignmentHead, AlignmentLink, Deletion, DeletionCurve, Word
from xattn_viz.core.trace import Trace


def alignment(**changes: Any) -> Alignment:
    """Two words and two, linked crosswise."""
    said: dict[str, Any] = {
        "source_words": (Word("red", (0, 3)), Word("cat", (4, 7))),
        "target_words": (Word("gato", (0, 4)), Word("vermelho", (5, 13))),
        "links": (AlignmentLink(0, 1, 0.75), AlignmentLink(1, 0, 0.5)),
        "weights": np.array([[0.25, 0.5], [0.75, 0.125]]),
        "heads": (AlignmentHead(1, 0), AlignmentHead(0, 5, 1)),
        "reverse_heads": (),
        "chosen": "given",
        "method": "threshold",
        "threshold": 0.37,
    }
    return Alignment(**{**said, **changes})


def deletion() -> Deletion:
    """One ranking that finds at once what counts, and one random order."""
    fractions = np.array([0.0, 0.5, 1.0])
    found = DeletionCurve("occlusion", (1, 0), fractions, np.array([-0.25, -4.0, -5.0]))
    chance = DeletionCurve("random 1", (0, 1), fractions, np.array([-0.25, -1.0, -5.0]))
    return Deletion((found,), (chance,), ((0,), (1, 2)))


def test_an_alignment_is_frozen_and_checked() -> None:
    found = alignment()
    assert not found.weights.flags.writeable
    for change in (
        {"weights": np.zeros((2, 3))},
        {"weights": np.full((2, 2), np.nan)},
        {"links": (AlignmentLink(2, 0, 0.5),)},
        {"links": (AlignmentLink(0, -1, 0.5),)},
        {"links": (AlignmentLink(0, 0, float("inf")),)},
    ):
        with pytest.raises(ValueError, match=r"between|link"):
            alignment(**change)


def test_a_deletion_curve_is_checked_and_the_one_that_falls_soonest_is_followed() -> None:
    found = deletion()
    assert found.followed is not None
    assert found.followed.name == "occlusion"
    assert found.curves[0].area == pytest.approx((-0.25 - 4.0) / 4 + (-4.0 - 5.0) / 4)  # trapezoids by hand
    assert replace(found, curves=found.random).followed is None
    for fractions, log_probs in (([0.0, 1.0], [0.0]), ([0.0], [0.0]), ([0.0, np.nan], [0.0, 1.0])):
        with pytest.raises(ValueError, match="deletion curve"):
            DeletionCurve("x", (0,), np.array(fractions), np.array(log_probs))


def test_links_and_curves_stay_with_a_trace_until_there_are_others() -> None:
    trace = Trace((), "red cat", "gato vermelho").with_evidence(alignment(), grid(), deletion())
    assert (trace.alignment, trace.deletion) == (alignment(), deletion())
    again = trace.with_evidence(alignment(threshold=0.5))
    assert again.alignment != trace.alignment
    assert (again.deletion, again.evidence) == (trace.deletion, trace.evidence)
