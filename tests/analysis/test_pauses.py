"""Words without the pauses in them: planted sounds whose words are known, and any sound at all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from xattn_viz.analysis.pauses import between_pauses
from xattn_viz.analysis.timing import in_order

PAUSE = 15


def heard(*parts: tuple[int, int], frames: int = 200) -> NDArray[np.bool_]:
    loud = np.zeros(frames, bool)
    for first, last in parts:
        loud[first:last] = True
    return loud


def pointed(*words: tuple[int, int], frames: int = 200) -> NDArray[np.float64]:
    """Scores `[word, frame]` of heads that point at each word's own frames, and a little at all others."""
    scores = np.full((len(words), frames), 0.05)
    for row, (first, last) in zip(scores, words, strict=True):
        row[first:last] = 0.6
    return scores


def test_a_pause_in_a_word_is_left_out_though_a_loud_frame_stands_at_its_far_end() -> None:
    words = [(10, 40), (120, 150)]
    loud = heard(*words)
    # The way gives the first word the whole pause of 1.6 s, and the first frame of the second.
    assert between_pauses([(0, 121), (121, 200)], pointed(*words), loud, PAUSE) == words


def test_the_onset_that_the_word_before_was_given_comes_back() -> None:
    words = [(10, 40), (80, 150)]
    assert between_pauses([(0, 105), (105, 200)], pointed(*words), heard(*words), PAUSE) == words


def test_a_word_that_was_given_no_sound_lies_in_what_is_left() -> None:
    words = [(10, 40), (80, 130), (160, 190)]
    # All of the second word went to the first.
    assert between_pauses([(0, 140), (140, 145), (145, 200)], pointed(*words), heard(*words), PAUSE) == words


def test_a_click_in_a_pause_is_no_word() -> None:
    words = [(10, 40), (120, 150)]
    loud = heard(*words, (70, 72))
    assert between_pauses([(0, 119), (119, 200)], pointed(*words), loud, PAUSE) == words


def test_a_short_closure_stays_in_its_word() -> None:
    assert between_pauses([(0, 100)], pointed((10, 60)), heard((10, 30), (44, 60)), PAUSE) == [(10, 60)]


def test_without_a_loud_frame_the_words_stay() -> None:
    stretches = [(0, 3), (3, 9)]
    assert between_pauses(stretches, np.ones((2, 20)), heard(frames=20), PAUSE) == stretches
    assert between_pauses([], np.ones((0, 20)), heard((1, 2), frames=20), PAUSE) == []


@st.composite
def sounds(draw: st.DrawFn) -> tuple[list[tuple[int, int]], NDArray[np.float64], NDArray[np.bool_]]:
    frames = draw(st.integers(1, 60))
    edges = sorted(draw(st.lists(st.integers(0, frames), min_size=2, max_size=8)))
    loud = np.array(draw(st.lists(st.booleans(), min_size=frames, max_size=frames)))
    scores = np.random.default_rng(draw(st.integers(0, 99))).random((len(edges) - 1, frames))
    return list(pairwise(edges)), scores, loud


@settings(deadline=None)
@given(sounds(), st.integers(1, 6))
def test_words_stay_in_order_and_hold_no_pause(
    sound: tuple[list[tuple[int, int]], NDArray[np.float64], NDArray[np.bool_]], pause: int
) -> None:
    stretches, scores, loud = sound
    placed = between_pauses(stretches, scores, loud, pause)
    assert len(placed) == len(stretches)
    assert all(0 <= first <= last <= len(loud) for first, last in placed)
    assert all(a <= b for (_, a), (b, _) in pairwise(placed))
    if loud.any():
        for first, last in placed:
            assert (np.diff(np.flatnonzero(loud[first:last])) <= pause).all()
            assert loud[first:last].all() or loud[[first, last - 1]].all() or not loud[first:last].any()


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False))), st.floats(0, 1e4))
def test_stretches_in_order_are_inside_and_apart(times: list[tuple[float, float]], begin: float) -> None:
    end = begin + 7.3
    placed = in_order(times, begin=begin, end=end)
    least = min(0.02, 7.3 / max(1, len(times))) - 3e-6
    assert len(placed) == len(times)
    assert all(begin <= start and stop <= end and stop - start >= least for start, stop in placed)
    assert all(stop <= start for (_, stop), (start, _) in pairwise(placed))


def test_stretches_that_fit_stay_as_they_are() -> None:
    fitting = [(0.5, 0.9), (0.9, 1.0), (2.25, 7.0)]
    assert in_order(fitting, end=7.0) == fitting
    with pytest.raises(ValueError, match="no room"):
        in_order(fitting, begin=2.0, end=2.0)
