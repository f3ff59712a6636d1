"""Notes on an output: a loop is said, from the moment that it begins at, and how often it was heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.models.families.whisper_folders import sound
from xattn_viz.inputs.audio import Sound
from xattn_viz.models.families.whisper import FAMILY
from xattn_viz.models.families.whisper.adapter import WhisperAdapter


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
    (note,) = (note for note in notes if "repeats" in note)
    assert note.startswith(
        f"The model repeats itself from {moment:.1f} s on: “t” 15 times in a row. It is heard about "
    )
    assert note.endswith("the rest is a loop, and its words are marked.")
    without = looping.trace(Sound(sound(1)), kinds=("decoder",), max_new_tokens=15)
    assert any("repeats itself: “t” 15 times" in note for note in without.remarks)


def test_a_target_that_repeats_itself_is_not_the_models_doing() -> None:
    assert FAMILY.example().trace(Sound(sound(1)), target="no " * 20).remarks == ()
