"""Words laid out in a sound: the best of all ways, counted one by one, and what the planted sound says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from xattn_viz.analysis.word_places import (
    STEP,
    THRESHOLD,
    FineSound,
    _Layout,
    fine_scores,
    following,
    letters,
    place_words,
)


def heard(*parts: tuple[int, int], frames: int = 200) -> FineSound:
    """A sound that is loud in these parts and quiet elsewhere."""
    levels = np.zeros(frames)
    for first, last in parts:
        levels[first:last] = 1.0
    return FineSound(levels, np.zeros(frames + 1))


def pointed(*words: tuple[int, int], frames: int = 200) -> NDArray[np.float64]:
    """Scores `[word, frame]` of heads that point at each word's own frames, and a little at all others."""
    scores = np.full((len(words), frames), 0.05)
    for row, (first, last) in zip(scores, words, strict=True):
        row[first:last] = 0.6
    return scores


def laid(scores: NDArray[np.float64], sound: FineSound, words: list[str]) -> list[tuple[int, int]]:
    found = place_words(scores, sound, words)
    assert found is not None
    return list(zip(found.starts.tolist(), found.ends.tolist(), strict=True))


@pytest.mark.parametrize(
    ("spoken", "loud", "pointed_at"),
    [
        # Heads that give the first word the pause behind it, and the first frames of the second.
        ([(10, 40), (120, 150)], [(10, 40), (120, 150)], [(0, 121), (121, 200)]),
        # Heads that point 0.1 s late.
        ([(10, 50), (70, 110)], [(10, 50), (70, 110)], [(20, 60), (80, 120)]),
        # A word without a pause on either side, and a closure in it.
        ([(10, 45), (45, 80), (80, 115)], [(10, 60), (64, 115)], [(10, 45), (45, 80), (80, 115)]),
    ],
)
def test_planted_words_are_found_where_they_are(
    spoken: list[tuple[int, int]], loud: list[tuple[int, int]], pointed_at: list[tuple[int, int]]
) -> None:
    found = laid(pointed(*pointed_at), heard(*loud), ["word"] * len(spoken))
    np.testing.assert_allclose(found, spoken, atol=1)


def test_equal_words_in_steady_sound_share_it_by_their_letters() -> None:
    found = laid(np.full((2, 200), 0.3), heard((20, 180)), ["a", "international"])
    assert (found[0][0], found[1][1]) == (20, 180)
    # A word has half a letter besides its own, and the gain of a length is flat around what is expected.
    assert found[0][1] - found[0][0] == pytest.approx(160 * 1.5 / 15, rel=0.3)


def test_quiet_has_no_words_and_too_many_have_no_room() -> None:
    assert place_words(np.ones((2, 20)), heard(frames=20), ["a", "b"]) is None
    assert place_words(np.ones((15, 20)), heard((0, 20), frames=20), ["a"] * 15) is None
    assert place_words(np.ones((0, 20)), heard((0, 20), frames=20), []) is None


def ways(count: int, frames: int) -> Iterator[list[tuple[int, int]]]:
    """Every way to lay out so many words."""

    def further(at: int, left: int) -> Iterator[list[tuple[int, int]]]:
        if not left:
            yield []
            return
        for start in range(at, frames):
            for end in range(start + 1, frames + 1):
                yield from ([(start, end), *rest] for rest in further(end, left - 1))

    return further(0, count)


def gain(layout: _Layout, way: list[tuple[int, int]]) -> float:
    """What speaks for a way, counted from its definition."""
    total, before = 0.0, 0
    for k, (start, end) in enumerate(way):
        least, gains = layout.lengths[k]
        if not least <= end - start < least + len(gains):
            return -np.inf
        total += layout.words[k, end] - layout.words[k, start] + gains[end - start - least] + layout.edges[end]
        total += layout.pauses[start] - layout.pauses[before]
        if k:  # a pause may be of no length
            paused = float(layout.edges[start] - layout.opening[k - 1])
            total += paused if start > before else max(paused, 0.0)
        before = end
    return float(total + layout.pauses[-1] - layout.pauses[before])


@pytest.mark.parametrize("seed", range(6))
def test_the_best_way_is_the_best_of_all_and_each_boundary_knows_its_own_best(seed: int) -> None:
    random, frames = np.random.default_rng(seed), 12
    words = [["a,", "bb"], ["ab", "c", "d"]][seed % 2]
    scores = random.random((len(words), frames))
    sound = FineSound(random.random(frames), random.random(frames + 1))
    found = place_words(scores, sound, words)
    layout = _Layout.of(scores, sound, words, int((sound.levels > THRESHOLD).sum()))
    every = [(gain(layout, way), way) for way in ways(len(words), frames)]
    assert found is not None
    best = max(value for value, _ in every)
    assert gain(layout, list(zip(found.starts.tolist(), found.ends.tolist(), strict=True))) == pytest.approx(best)
    for k in range(len(words)):
        for edge, gains in enumerate((found.start_gains, found.end_gains)):
            for frame in range(frames + 1):
                wanted = max((value for value, way in every if way[k][edge] == frame), default=-np.inf) - best
                if np.isfinite(wanted):
                    assert gains[k, frame] == pytest.approx(wanted)
                else:
                    assert gains[k, frame] < -1e6


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(0, 999))
def test_words_stay_in_order_inside_the_sound(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    frames = int(random.integers(20, 80))
    found = place_words(
        random.random((count, frames)), FineSound(random.random(frames), random.random(frames + 1)), ["word"] * count
    )
    if found is not None:
        assert (found.starts < found.ends).all()
        assert (found.ends[:-1] <= found.starts[1:]).all()
        assert 0 <= found.starts[0] <= found.ends[-1] <= frames
        assert all(start < end for start, end in found.seconds)


def test_letters_are_those_that_are_spoken() -> None:
    assert [letters(word) for word in ("don't,", "3.5", "—", "Çà")] == [4, 6, 1, 2]


def test_scores_between_frames_are_linear_and_heads_are_told_by_their_share() -> None:
    fine = fine_scores(np.array([[0.0, 1.0, 3.0]]), 2 * STEP, 6)
    np.testing.assert_allclose(fine, [[0, 0.25, 0.75, 1.5, 2.5, 3]])
    spoken = [(10, 50), (70, 110)]
    found = place_words(pointed(*spoken), heard(*spoken), ["word"] * 2)
    assert found is not None
    follows, late = pointed(*spoken), pointed((50, 70), (110, 150))
    np.testing.assert_allclose(following(np.stack([late, follows]), found, STEP), [0.05, 0.6], atol=0.03)


def test_a_boundary_that_nothing_marks_has_a_wide_margin() -> None:
    clear, steady = heard((10, 50), (90, 130)), heard((10, 130))
    sure = place_words(pointed((10, 50), (90, 130)), clear, ["word", "word"])
    unsure = place_words(np.full((2, 200), 0.3), steady, ["word", "word"])
    assert sure is not None
    assert unsure is not None
    # 0.02 s is the least that is told, and a frame either way costs a word that stands between pauses.
    assert np.max(sure.margins) <= 0.04
    assert unsure.margins[0][1] > 0.15
    assert unsure.margins[1][0] > 0.15
    assert unsure.margins[0][0] <= 0.04
