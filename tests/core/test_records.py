from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings

import xattn_viz as xv
from tests.random_traces import traces
from xattn_viz import analysis, core, examples, inputs
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.records import quoted, read_only, same, summary
from xattn_viz.core.trace import Trace
from xattn_viz.examples import clips
from xattn_viz.inputs import audio, images
from xattn_viz.lessons import steps
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter
from xattn_viz.plots import colours
from xattn_viz.shapes import Thing, scene


@dataclass(frozen=True, eq=False)
class Pair:
    a: Any
    b: Any = None


def test_a_writeable_array_is_copied_so_that_its_owner_cannot_change_the_value() -> None:
    mine = np.arange(3)
    frozen = read_only(mine)
    mine[0] = 9
    assert frozen.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        frozen[0] = 1


def test_an_array_that_nobody_can_write_to_is_kept() -> None:
    frozen = read_only(np.arange(3))
    assert read_only(frozen) is frozen
    view = frozen[1:]
    assert read_only(view) is view
    unpacked = np.frombuffer(b"abcd", np.uint8)
    assert read_only(unpacked) is unpacked


def test_a_locked_view_of_a_writeable_array_is_copied() -> None:
    mine = np.arange(4)
    view = mine[1:]
    view.flags.writeable = False
    frozen = read_only(view)
    mine[1] = 9
    assert frozen.tolist() == [1, 2, 3]


def test_a_locked_view_of_memory_that_python_can_write_to_is_copied() -> None:
    memory = bytearray(b"\1\2\3")
    view = np.frombuffer(memory, np.uint8)
    view.flags.writeable = False
    frozen = read_only(view)
    memory[0] = 9
    assert frozen.tolist() == [1, 2, 3]


def test_same_compares_arrays_by_shape_dtype_and_value() -> None:
    array = np.zeros((2, 2), "f4")
    assert same(Pair(array), Pair(array.copy()))
    for other in (array.astype("f8"), array.reshape(4), array + 1, [0], None):
        assert not same(Pair(array), Pair(other))
        assert not same(Pair(other), Pair(array))
    assert not same(Pair(1), Pair(1.0))
    assert same(Pair((1, "a")), Pair((1, "a")))
    assert same(Pair((array, array)), Pair((array.copy(), array)))
    for others in ((array, array + 1), (array,), (array, None), [array, array]):
        assert not same(Pair((array, array)), Pair(others))
    assert not same(Pair(1), 1)
    assert not same(1, 1)


def test_a_summary_shows_arrays_by_their_shape_and_cuts_what_is_long() -> None:
    assert summary(Pair(np.zeros((2, 300), np.float16), None)) == "Pair(a=float16[2, 300], b=None)"
    assert summary(Pair("x" * 999, ("a",))).count("x") < 120
    assert summary(Pair(tuple("abcdefg"), 0.5)) == "Pair(a=('a', … 7 in all), b=0.5)"


def values_with_arrays() -> list[type]:
    """Every dataclass that people are handed and that holds an array, by its own annotations."""
    found: dict[str, type] = {}
    rooms = (core, inputs, analysis)
    modules = [module.name for room in rooms for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")]
    for name in [*modules, steps.__name__]:
        module = importlib.import_module(name)
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and is_dataclass(value)
                and value.__module__ == name
                and value.__name__[0] != "_"
            ):
                hints = get_type_hints(value, vars(module) | {"pd": None})
                if "numpy.ndarray" in str(hints) or AttentionMaps in hints.values() or value is Trace:
                    found[value.__qualname__] = value
    return list(found.values())


@pytest.mark.parametrize("value", values_with_arrays())
def test_a_value_with_arrays_does_not_print_them(value: type) -> None:
    assert value.__repr__.__qualname__ in ("summary", f"{value.__name__}.__repr__")
    assert not hasattr(value.__repr__, "__wrapped__")  # that of a dataclass, which prints all


@settings(max_examples=60, deadline=None)
@given(traces())
def test_a_trace_of_anything_prints_in_a_few_lines(trace: Trace) -> None:
    for value in (trace, *trace.maps, *trace.steps, *(maps.queries for maps in trace.maps)):
        said = repr(value)
        said.encode()
        assert len(said) < 1500
        assert len(said.splitlines()) <= 12
        assert "array(" not in said


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
