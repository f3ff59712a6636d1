"""Words in time: planted words are found where they are; z-scores agree with transformers on real speech."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers.generation import GenerateEncoderDecoderOutput

from xattn_viz.analysis.timing import (
    dtw,
    following_heads,
    in_order,
    loud_frames,
    spoken_spans,
    timed_words,
    warping_path,
)
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Step, Trace
from xattn_viz.inputs.audio import RATE, Sound, frame_times, read
from xattn_viz.models import registry
from xattn_viz.models.families.whisper.adapter import WhisperAdapter

CLIPS = Path(__file__).parents[2] / "xattn_viz" / "examples" / "clips"
TEXT = "One two-three, four."
TOKENS = [("<p>", (0, 0)), ("One", (0, 3)), (" two", (3, 7)), ("-three", (7, 13)), (",", (13, 14)), (" four", (14, 19))]
TOKENS += [(".", (19, 20)), ("<end>", (20, 20))]
# The frame at which each token begins, and behind them the end.
BEGINS = [0, 5, 20, 35, 52, 55, 70, 84, 90]


def planted(*, padding: int = 10, offset: float = 0.0, sound: NDArray[np.float32] | None = None) -> Trace:
    """A trace whose second layer's heads look at each token's own frames; the first layer looks one word late."""
    generator = np.random.default_rng(0)
    n, frames = len(TOKENS), BEGINS[-1] + padding
    weights = generator.uniform(0, 0.002, (2, 2, n, frames)).astype(np.float32)
    for row in range(n):
        weights[1, :, row, BEGINS[row] : BEGINS[row + 1]] += 1
        late = min(row + 1, n - 1)
        weights[0, :, row, BEGINS[late] : BEGINS[late + 1]] += 1
    weights /= weights.sum(-1, keepdims=True)
    special = (True, *[False] * (n - 2), True)
    queries = Axis("text", labels=tuple(t for t, _ in TOKENS), spans=tuple(s for _, s in TOKENS), special=special)
    keys = Axis("audio", times=frame_times(frames, 0.02, offset), special=tuple(i >= BEGINS[-1] for i in range(frames)))
    steps = tuple(
        Step(piece, i, float(np.log(0.5 if piece == "-three" else 1.0))) for i, (piece, _) in enumerate(TOKENS)
    )
    shown = np.ones((80, 2 * frames), np.float32) if sound is None else sound
    return Trace((AttentionMaps(weights, queries, keys, "cross", (0, 1)),), shown, TEXT, steps, offset=offset)


@pytest.mark.parametrize("method", ["zscores", "shares"])
def test_planted_words_are_found(method: Any) -> None:
    words = timed_words(planted(offset=30.0), [(1, 0), (1, 1)], method=method)
    assert [word.text for word in words] == ["One", "two-three,", "four."]
    assert [word.rows for word in words] == [(1, 1), (2, 4), (5, 6)]
    # The way begins at the first frame, so the first word does too; one frame for the noise of the others.
    expected = [(30.0, 30.4), (30.4, 31.1), (31.1, 31.68)]
    np.testing.assert_allclose([(word.start, word.end) for word in words], expected, atol=0.021)
    assert [word.confidence for word in words] == pytest.approx([1, 0.5 ** (1 / 3), 1])


def test_heads_are_chosen_by_hand_or_by_the_method() -> None:
    trace = planted()
    early = timed_words(trace, [(1, 0)], method="zscores")
    late = timed_words(trace, [(0, 0), (0, 1)], method="zscores")
    assert [word.start for word in late] != [word.start for word in early]
    with pytest.raises(ValueError, match="no layer 2"):
        timed_words(trace, [(2, 0)])
    with pytest.raises(ValueError, match="no head 2"):
        timed_words(trace, [(1, 2)])
    with pytest.raises(ValueError, match="at least one head"):
        timed_words(trace, [])


def test_pauses_belong_to_no_word() -> None:
    mel = np.full((80, 200), -1.0, np.float32)
    for start, end in ((5, 15), (25, 50), (56, 80)):
        mel[:, 2 * start : 2 * end] = 1.0
    mel[:, -1] = -1.5  # padding, at the floor: the pauses are above it
    trace = planted(sound=mel)
    assert np.flatnonzero(np.diff(loud_frames(trace).astype(int))).tolist() == [4, 14, 24, 49, 55, 79]
    words = timed_words(trace, [(1, 0), (1, 1)])
    # An end before a pause is 0.01 s earlier than the last loud frame's: real sound is blurred over it.
    np.testing.assert_allclose(
        [(word.start, word.end) for word in words], [(0.1, 0.29), (0.5, 0.99), (1.12, 1.59)], atol=1e-9
    )
    samples = np.repeat(np.maximum(mel[0], -1) + 1, 160)  # the same pauses in samples
    np.testing.assert_array_equal(loud_frames(planted(sound=samples)), loud_frames(trace))
    noise = np.random.default_rng(0).normal(size=len(samples)) * samples
    heard = timed_words(planted(sound=noise.astype(np.float32)), [(1, 0), (1, 1)])
    np.testing.assert_allclose(
        [(word.start, word.end) for word in heard], [(word.start, word.end) for word in words], atol=0.021
    )


def test_heads_that_follow_the_sound_are_found() -> None:
    mel = np.full((80, 200), -1.0, np.float32)
    for start, end in ((5, 15), (25, 50), (56, 80)):
        mel[:, 2 * start : 2 * end] = 1.0
    found = following_heads(planted(sound=mel))
    # They are those that the words were read off: these alone give the same words.
    assert timed_words(planted(sound=mel), sorted(head for head, _ in found)) == timed_words(planted(sound=mel))
    # Layers 1 and 2 have two heads each; those of the first look a word late, so their share for a word is low.
    assert [head for head, _ in found[:2]] == [(1, 0), (1, 1)]
    assert found[1][1] > 0.8 > 0.6 > found[2][1]


def test_no_word_is_shorter_than_a_frame_and_all_lie_in_the_sound() -> None:
    trace = planted(offset=30.0)
    weights = np.zeros_like(trace.cross.weights)
    weights[..., 0] = 1  # all rows point at the first frame: the way goes down through it
    trace = replace(trace, maps=(replace(trace.cross, weights=weights),))
    for method in ("shares", "zscores"):
        words = timed_words(trace, method=method)
        assert len(words) == 3
        assert all(word.end - word.start > 0.02 - 1e-6 for word in words)
        assert all(before.end <= word.start for before, word in pairwise(words))
        assert words[0].start >= 30
        assert words[-1].end <= 30 + 0.02 * BEGINS[-1]
    # Fewer frames than words: each has its even share.
    keys = Axis("audio", times=frame_times(2, 0.02))
    short = AttentionMaps(np.full((1, 1, len(TOKENS), 2), 0.5, np.float32), trace.cross.queries, keys, "cross", (0,))
    words = timed_words(replace(trace, maps=(short,), input=np.ones((80, 4), np.float32)))
    assert [word.text for word in words] == ["One", "two-three,", "four."]
    assert all(word.end - word.start == pytest.approx(0.04 / 3, abs=1e-5) for word in words)
    assert words[-1].end <= 0.04


def test_pauses_put_into_a_reading_belong_to_no_word() -> None:
    """Silences of 0.6 to 1.8 s between words of a clip: no word holds 0.3 s of quiet, none is left behind one."""
    adapter = registry.load("whisper-tiny-en")
    sound = read(CLIPS / "amiable.ogg").samples
    before = timed_words(adapter.trace(Sound(sound), crop=True))
    pieces, at, moved, late = list[NDArray[np.float32]](), 0, list[float](), 0.0
    for i, word in enumerate(before):
        moved.append(late + word.start)
        if i % 5 == 3:
            end = round(RATE * (word.end + before[i + 1].start) / 2)
            pause = (0.6, 1.2, 1.8)[i % 3]
            pieces += [sound[at:end], np.zeros(int(pause * RATE), np.float32)]
            at, late = end, late + pause
    text = " ".join(word.text for word in before)
    trace = adapter.trace(Sound(np.concatenate([*pieces, sound[at:]])), target=text, crop=True)
    words, loud = timed_words(trace), loud_frames(trace)
    for word in words:
        inside = np.flatnonzero(loud[round(word.start / 0.02) : round(word.end / 0.02)])
        assert np.diff(inside).max(initial=0) <= 15, word
    errors = [abs(word.start - start) for word, start in zip(words, moved, strict=True)]
    assert max(errors) < 0.5
    assert np.mean(errors) < 0.05


def test_the_way_is_a_way_through_the_map() -> None:
    path = warping_path(planted().cross, [(1, 0)])
    assert path.first_row == 1
    assert (path.rows[0], path.rows[-1]) == (1, 7)
    assert (path.frames[0], path.frames[-1]) == (0, BEGINS[-1] - 1)
    assert path.scores.shape == (7, BEGINS[-1])
    assert (np.diff(path.rows) >= 0).all()
    assert (np.diff(path.frames) >= 0).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Front, center.", ["Front,", "center."]),
        ("“Well” (he said) — no…", ["“Well”", "(he", "said)", "—", "no…"]),
        ("ill-disposed don't 3.5", ["ill-disposed", "don't", "3.5"]),
        ("我喜欢，东京。", ["我", "喜", "欢，", "东", "京。"]),
        ("「東京」です", ["「東", "京」", "で", "す"]),
    ],
)
def test_words_are_parted_as_they_are_written(text: str, words: list[str]) -> None:
    found = spoken_spans(text)
    assert [text[start:end] for start, end in found] == words


def test_a_map_without_sound_or_text_is_refused() -> None:
    text = Axis("text", labels=("a", "b"))
    maps = AttentionMaps(np.full((1, 1, 2, 2), 0.5, np.float32), text, text, "cross", (0,))
    with pytest.raises(ValueError, match="frames of sound"):
        timed_words(Trace((maps,), "a b", "a b"))
    silent = Axis("text", labels=("<end>",), special=(True,))
    sound = Axis("audio", times=frame_times(2, 0.02))
    nothing = AttentionMaps(np.full((1, 1, 1, 2), 0.5, np.float32), silent, sound, "cross", (0,))
    assert timed_words(Trace((nothing,), np.ones((80, 4), np.float32), "")) == ()
    with pytest.raises(ValueError, match="no text"):
        warping_path(nothing)


@pytest.mark.parametrize("clip", ["amiable", "muted", "forward", "dashwood"])
def test_zscores_agree_with_transformers_to_a_frame(clip: str) -> None:
    adapter = registry.load("whisper-tiny-en")
    assert isinstance(adapter, WhisperAdapter)
    maps = adapter.trace(CLIPS / f"{clip}.ogg", crop=True).cross
    # Both see the same rows, from the first token of the text on, brought to a sum of 1 over the same frames.
    weights = maps.weights[:, :, 1:] / maps.weights[:, :, 1:].sum(-1, keepdims=True)
    rows = AttentionMaps(weights, maps.queries.take(range(1, len(maps.queries))), maps.keys, "cross", maps.layers)
    count = weights.shape[2]
    ours = warping_path(rows, adapter.alignment_heads, method="zscores").starts(count)[:-1] * 0.02
    generated = GenerateEncoderDecoderOutput(
        sequences=torch.zeros(1, count),
        cross_attentions=[[torch.tensor(layer[None, :, row : row + 1]) for layer in weights] for row in range(count)],
    )
    found = adapter.network.model._extract_token_timestamps(generated, adapter.alignment_heads, num_input_ids=0)
    theirs = found[0, :count].numpy()
    assert len(np.unique(ours)) > count / 2
    np.testing.assert_allclose(ours, theirs, atol=0.0201)


def least_cost(cost: NDArray[np.float64]) -> float:
    """The cost of the cheapest way, cell by cell."""
    total = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
    total[0, 0] = 0
    for i in range(cost.shape[0]):
        for j in range(cost.shape[1]):
            total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    return float(total[-1, -1])


@pytest.mark.parametrize(("rows", "frames"), [(1, 1), (1, 7), (7, 1), (5, 5), (9, 40), (40, 9), (12, 300)])
def test_a_planted_way_comes_back(rows: int, frames: int) -> None:
    generator = np.random.default_rng(rows * frames)
    steps = [1] * (rows - 1) + [2] * (frames - 1)  # down, right
    generator.shuffle(steps)
    cells = [(0, 0)]
    for step in steps:
        i, j = cells[-1]
        cells.append((i + (step == 1), j + (step == 2)))
    cost = np.ones((rows, frames))
    cost[tuple(np.array(cells).T)] = -1.0  # every cell of the way pays, so that no shortcut does
    found = dtw(cost)
    assert list(zip(*(axis.tolist() for axis in found), strict=True)) == cells


@pytest.mark.parametrize("seed", range(10))
def test_the_way_is_monotone_and_the_cheapest(seed: int) -> None:
    generator = np.random.default_rng(seed)
    shape = generator.integers(1, 30, 2)
    cost = generator.normal(size=shape)
    rows, frames = dtw(cost)
    assert (rows[0], frames[0]) == (0, 0)
    assert (rows[-1], frames[-1]) == (shape[0] - 1, shape[1] - 1)
    moves = set(zip(np.diff(rows).tolist(), np.diff(frames).tolist(), strict=True))
    assert moves <= {(0, 1), (1, 0), (1, 1)}
    assert cost[rows, frames].sum() == pytest.approx(least_cost(cost))


def test_equal_ways_go_right_first() -> None:
    rows, frames = dtw(np.zeros((3, 4)))
    # Walking back from the end, each tie steps left; then up the first column.
    assert rows.tolist() == [0, 1, 2, 2, 2, 2]
    assert frames.tolist() == [0, 0, 0, 1, 2, 3]


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
