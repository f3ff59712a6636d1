"""The talks that ship: every number in a caption is computed, and what a caption says about it in words is so."""

from __future__ import annotations

import re
from functools import cache

import pytest

from xattn_viz.app import slides
from xattn_viz.core.trace import Trace
from xattn_viz.examples import stories
from xattn_viz.export.shown import shown
from xattn_viz.export.story import NUMBERS, Found, caption, html
from xattn_viz.models import registry

#: What may stand in a caption though it is a digit: names of numbers, and what is said or written in the examples.
_DIGITS = re.compile(r"\bF1\b")


@cache
def traces(name: str) -> tuple[Found, ...]:
    return tuple(slides.found(stories.find(name).slides, registry.load))


def values(name: str, number: int) -> dict[str, str]:
    """What can be computed of a slide, by the names that captions use; slides count from 1."""
    slide, found = stories.find(name).slides[number - 1], traces(name)[number - 1]
    trace = found[0] if isinstance(found, tuple) else found
    assert isinstance(trace, Trace), found
    said, computed = shown(trace, slide.view), {}
    for key, of in NUMBERS.items():
        try:
            computed[key] = of(trace, said)
        except ValueError:
            continue
    return computed


@pytest.mark.parametrize("name", stories.NAMES)
def test_every_slide_is_shown_and_no_number_is_typed(name: str) -> None:
    story = stories.find(name)
    assert story.title
    assert len(story.slides) >= 5
    for slide, found in zip(story.slides, traces(name), strict=True):
        trace = found[0] if isinstance(found, tuple) else found
        assert isinstance(trace, Trace), found
        assert slide.caption
        assert not re.search(r"\d", _DIGITS.sub("", slide.caption)), slide.caption
        assert "{" not in caption(slide, trace)
    assert len(html(story, traces(name))) < 1_500_000


def test_what_is_said_of_cross_attention_is_so() -> None:
    two, three, four, five, six = (values("cross-attention", number) for number in range(2, 7))
    assert (two["row"], two["most"]) == ("gato", "cat")
    assert three["row"] == "no"
    found = traces("cross-attention")[2]
    assert isinstance(found, Trace)
    largest = found.cross.head(1, 0)[6].argsort()[::-1][:2]
    assert {found.cross.keys.name(int(key)) for key in largest} == {"on", "the"}
    assert (four["row"], four["head"]) == (two["row"], "layer 1, head 6")
    assert four["most"] != two["most"]
    assert float(five["parked"]) > 0.5
    assert (six["head"], six["row"], six["most"]) == ("mean over all heads", two["row"], two["most"])


def test_what_is_said_of_alignment_is_so() -> None:
    one, two, three, four, five, six = (values("alignment", number) for number in range(1, 7))
    assert float(one["alignment"]) < float(two["alignment"]) - 0.3
    assert two["head"] == three["head"] == "layer 2, head 1"
    for number in (2, 3):  # others may do as well, none does better
        trace = traces("alignment")[number - 1]
        assert isinstance(trace, Trace)
        grid = trace.grid("alignment")
        assert grid is not None
        assert grid.at(1, 0) == grid.values.max()
        assert "the links of firefox-pt-en" in grid.method
    assert six["aligner"] == two["head"]
    assert (four["row"], four["most"]) == ("barco", "boat")
    assert (five["row"], five["most"]) == ("vermelho", "red")
    found = traces("alignment")[3]
    assert isinstance(found, Trace)
    rows, keys = found.cross.queries.labels or (), found.cross.keys.labels or ()
    assert rows.index("barco") < rows.index("vermelho")
    assert keys.index("red") < keys.index("boat")
    assert found.model != getattr(traces("alignment")[5], "model", found.model)


def test_what_is_said_of_the_head_that_matters_is_so() -> None:
    one, two, three, four, five = (values("a-head-that-matters", number) for number in range(1, 6))
    assert float(one["alignment"]) > 0.9
    assert float(two["cost"]) < 0.05  # next to nothing, as the slides after it take for granted
    assert three["dearest"] == three["head"] == five["dearest"] == five["head"] == "layer 1, head 6"
    assert float(three["cost"]) > 10 * float(two["cost"])
    assert (four["row"], four["most"]) == ("barco", "boat")
    assert float(four["weight"]) > 0.9


def test_what_is_said_of_whisper_is_so() -> None:
    two, three, four, five = (values("a-word-in-time", number) for number in range(2, 6))
    assert (two["row"], three["row"], four["row"], five["word"]) == ("forward", "10", "10", "forward")
    assert abs(float(three["peak"]) - float(three["start"])) <= 0.11
    assert not float(four["start"]) - 0.1 <= float(four["peak"]) <= float(four["end"])
    assert four["head"] != three["head"]


def test_what_is_said_of_the_prompt_is_so() -> None:
    two, three, four, five = (values("a-prompt-paints", number) for number in range(2, 6))
    assert [one["column"] for one in (two, three, four, five)] == ["blue", "yellow", "blue", "star"]
    for one in (two, three, four, five):
        assert float(one["inside"].rstrip("%")) > 3 * float(one["area"].rstrip("%"))
    assert five["head"] != two["head"]


def test_a_story_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no story 'nothing': choose cross-attention, alignment"):
        stories.find("nothing")
