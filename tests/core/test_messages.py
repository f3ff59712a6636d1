"""A message repeats a short part of what was given, whatever was given, and is one sentence."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import xattn_viz as xv
from xattn_viz import examples
from xattn_viz.core.messages import quoted
from xattn_viz.examples import clips
from xattn_viz.inputs import audio, images
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter
from xattn_viz.plots import colours
from xattn_viz.shapes import Thing, scene

LONG = "x\n" * 5000


@cache
def model(name: str) -> Adapter:
    return registry.families()[name].example()


def traced(name: str, given: Any = "A cat.", **settings: Any) -> Callable[[], object]:
    return lambda: model(name).trace(given, **settings)


@pytest.mark.parametrize(
    "call",
    [
        lambda: audio.read(LONG),
        lambda: audio.read(Path(LONG)),
        lambda: audio.read([0.5] * 9999, LONG),
        lambda: audio.read(dict.fromkeys(range(9999))),
        lambda: images.read(LONG),
        lambda: images.read(dict.fromkeys(range(9999))),
        traced("firefox", kinds=LONG),
        traced("firefox", kinds=(LONG,)),
        traced("firefox", num_beams=LONG),
        traced("firefox", num_beams=10**5000),
        traced("firefox", prefix=[LONG]),
        traced("firefox", shortlist=LONG),
        traced("firefox", **{LONG: 1}),
        traced("seq2seq", max_new_tokens=LONG),
        traced("diffusion", "red circle", kinds=(LONG,)),
        traced("diffusion", "red circle", **{LONG: 1}),
        traced("diffusion", "red circle", seed=LONG),
        traced("whisper", [0.0] * 16000, sampling_rate=16000, offset=LONG),
        lambda: colours.stops(LONG, dark=True),
        lambda: examples.load(LONG),
        lambda: clips.find(LONG),
        lambda: scene.from_link(LONG),
        lambda: Thing(LONG, "circle", 0.5, 0.5, 0.1),
        lambda: Thing("red", LONG, 0.5, 0.5, 0.1),
    ],
)
def test_what_was_given_is_repeated_in_part(call: Callable[[], object]) -> None:
    with pytest.raises((xv.InputError, xv.ModelError, ValueError)) as caught:
        call()
    said = str(caught.value)
    assert len(said) < 500
    assert "\n" not in said


def test_quoted() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise RuntimeError

    assert quoted("a.wav") == quoted(Path("a.wav")) == "'a.wav'"
    assert quoted("\0\u202e\ud800") == r"'\x00\u202e\ud800'"
    assert quoted(3) == "3"
    assert quoted(10**5000) == "what is of type int"
    assert quoted(Mute()) == "what is of type Mute"
    long = quoted("begin " + "x" * 5000 + " end.wav")
    assert len(long) == 100
    assert long.startswith("'begin x")
    assert long.endswith("x end.wav'")
