"""Loops of a decoder: planted ones are found to the token, and told from speech that says the same so often."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from xattn_viz.analysis.timing import timed_words
from xattn_viz.core.axis import Axis
from xattn_viz.core.loops import Loop, loop_in, loops_heard, loops_in, repeated_rows
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Speech, Step, Trace
from xattn_viz.inputs.audio import Sound, frame_times, read
from xattn_viz.models import registry

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(5))
def test_planted_loops_are_found(seed: int) -> None:
    generator = np.random.default_rng(seed)
    before, after = (generator.permutation(100)[: generator.integers(0, 40)].tolist() for _ in range(2))
    for period in (1, 2, 5, 17):
        phrase = (200 + generator.permutation(100)[:period]).tolist()
        times, part = int(np.ceil(12 / period)) + 3, period // 2
        ids = [*before, *phrase * times, *phrase[:part], *after]
        found = loop_in(ids)
        assert found == Loop(len(before), len(before) + times * period + part, period)
        assert found.times == times
        assert loops_in(ids) == [found]
        assert loops_in([*ids, *[400, 401] * 9]) == [found, Loop(len(ids), len(ids) + 18, 2)]


@pytest.mark.parametrize(
    "ids",
    [[], [1], list(range(400)), [1] * 11, [1, 2, 3] * 3, list(range(30)) * 2, [*range(9), *range(9), *range(50, 70)]],
    ids=range(7),
)
def test_what_is_said_twice_is_no_loop(ids: list[int]) -> None:
    assert loop_in(ids) is None
    assert loops_in(ids) == []


def looking(ids: Sequence[int], places: Sequence[float], *, given: int = 0, no_speech: float | None = None) -> Trace:
    """A trace whose every token looks at a place, in seconds from 0 to 20, in a sound that begins at 60 s."""
    times = frame_times(1100, 0.02, 60.0)
    weights = np.full((4, 2, len(ids), len(times)), 1e-4, np.float32)
    for row, place in enumerate(places):
        weights[1:, :, row, int(place * 50) : int(place * 50) + 5] = 1
        weights[0, :, row, :5] = 1  # the lowest layer looks at the beginning throughout
    weights /= weights.sum(axis=-1, keepdims=True)
    keys = Axis("audio", times=times, special=tuple(i >= 1000 for i in range(1100)))
    queries = Axis("text", labels=tuple(map(str, ids)))
    steps = tuple(Step(str(token), token, -0.1, forced=i < given) for i, token in enumerate(ids))
    maps = AttentionMaps(weights, queries, keys, "cross", (0, 1, 2, 3))
    return Trace((maps,), np.zeros((80, 2000), np.float32), "", steps, speech=Speech(None, None, no_speech))


def test_what_moves_on_was_heard() -> None:
    ids = [9, 8, *[1, 2, 3] * 8]
    on = [0.1, 0.3, *(1 + 0.5 * i for i in range(24))]  # 1.5 s each time, 0.5 s a token
    assert [(each.loop, each.times) for each in loops_heard(looking(ids, on))] == [(Loop(2, 26, 3), 8)]
    assert not repeated_rows(looking(ids, on)).any()
    still = [*on[: 2 + 5 * 3], *[on[15]] * 9]  # the last three times look into the midst of the fifth
    trace = looking(ids, still)
    assert [each.times for each in loops_heard(trace)] == [5]
    np.testing.assert_array_equal(np.flatnonzero(repeated_rows(trace)), np.arange(17, 26))
    # One time that looks at the wrong one of several like places makes no loop.
    astray = [*on[:8], *on[2:5], *on[11:]]
    assert not repeated_rows(looking(ids, astray)).any()
    # The first time in all may look too far: nothing was read yet.
    assert not repeated_rows(looking(ids, [*on[:2], 9, 9, 9, *on[5:]])).any()
    # Where nobody speaks, the first times of a loop were not heard either; speech stays speech.
    assert repeated_rows(looking(ids, still, no_speech=0.9)).sum() == 24
    assert not repeated_rows(looking(ids, on, no_speech=0.9)).any()


def test_what_was_given_is_no_loop_and_one_loop_follows_another() -> None:
    ids = [*[1, 2, 3] * 6, *[4, 5] * 7]
    places = [*(0.5 * i for i in range(9)), *[3.5] * 9, *[2.0] * 14]
    assert [each.times for each in loops_heard(looking(ids, places))] == [3, 0]
    assert [each.times for each in loops_heard(looking(ids, places, given=18))] == [1]
    assert loops_heard(looking(ids, places, given=len(ids))) == []


def test_speech_that_repeats_itself_is_told_from_a_loop() -> None:
    """Whisper writes "7 of hearts" on and on; of five it hears, a sixth or seventh may look at new sound by chance."""
    adapter = registry.load("whisper-tiny-en")
    said = read(ROOT / "tests/clips/himself.ogg").samples
    three = adapter.trace(Sound(np.tile(said, 3)))
    assert three.output.count("He might even have been made amiable himself.") == 3
    assert [(each.loop.times, each.is_whole) for each in loops_heard(three)] == [(3, True)]
    assert not any(word.is_repeated for word in timed_words(three))
    assert three.remarks == ()

    cards = read(ROOT / "xattn_viz/examples/clips/spades.ogg").samples
    trace = adapter.trace(Sound(np.tile(cards, 5)), max_new_tokens=100)
    (loop,) = loops_heard(trace)
    assert 5 <= loop.times <= 8 < 15 < loop.loop.times
    words = timed_words(trace)
    first = next(i for i, word in enumerate(words) if word.is_repeated)
    assert all(word.is_repeated for word in words[first:])
    assert trace.output[: words[first].span[0]].count("7 of hearts,") in range(7, 12)
    assert any(
        f"“7 of hearts,” {loop.loop.times} times in a row. It is heard about {loop.times} times: the rest is a loop"
        in note
        for note in trace.remarks
    )
