"""Notes on an output: planted loops are found as they were planted, and said from the moment that they begin at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.models.families.whisper_folders import sound
from xattn_viz.inputs.audio import Sound
from xattn_viz.models.families.whisper import FAMILY
from xattn_viz.models.families.whisper.adapter import Loop, WhisperAdapter, loop_in


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_loop_is_found(seed: int) -> None:
    generator = np.random.default_rng(seed)
    before, after = (generator.permutation(100)[: generator.integers(0, 40)].tolist() for _ in range(2))
    for period in (1, 2, 5, 17):
        phrase = (200 + generator.permutation(100)[:period]).tolist()
        times, part = int(np.ceil(12 / period)) + 3, period // 2
        ids = [*before, *phrase * times, *phrase[:part], *after]
        found = loop_in(ids)
        assert found == Loop(len(before), len(before) + times * period + part, period)
        assert found.times == times


@pytest.mark.parametrize(
    "ids",
    [[], [1], list(range(400)), [1] * 11, [1, 2, 3] * 3, list(range(30)) * 2, [*range(9), *range(9), *range(50, 70)]],
    ids=range(7),
)
def test_what_is_said_twice_is_no_loop(ids: list[int]) -> None:
    assert loop_in(ids) is None


def test_a_loop_is_said_with_its_moment() -> None:
    adapter = FAMILY.example()
    text, own = adapter.text, adapter.network.model.generation_config
    (word,) = text.encode("t", space=False)
    given = text.encode("A small boat", space=False)
    # Everything but one token is ruled out, so that the model has to write it again and again.
    never = tuple(i for i in range(adapter.size.vocabulary) if i != word)
    only = replace(adapter.network, never=never, never_first=())
    looping = WhisperAdapter(adapter.card, adapter.identity, only, text, adapter.extractor, adapter.alignment_heads)
    trace = looping.trace(Sound(sound(1)), prefix="A small boat", max_new_tokens=15, offset=60.0)
    begin = len(looping.trace(Sound(sound(1)), prefix="A small boat", max_new_tokens=1).steps) - 1
    assert [step.id for step in trace.steps[begin:]] == [word] * 15
    assert begin >= len(given)
    heads = np.mean([trace.cross.weights[layer, head, begin] for layer, head in own.alignment_heads], axis=0)
    assert trace.cross.keys.times is not None
    moment = trace.cross.keys.times[int(heads.argmax())][0]
    assert moment >= 60
    notes = trace.remarks
    assert [note for note in notes if "repeats" in note] == [
        f"The model repeats itself from {moment:.1f} s on: “t” 15 times in a row. "
        "Unless it is said so often, this is a loop."
    ]
    without = looping.trace(Sound(sound(1)), kinds=("decoder",), max_new_tokens=15)
    assert any("repeats itself: “t” 15 times" in note for note in without.remarks)


def test_a_target_that_repeats_itself_is_not_the_models_doing() -> None:
    assert FAMILY.example().trace(Sound(sound(1)), target="no " * 20).remarks == ()
