"""What the notices of the example prompts say is so."""

from __future__ import annotations

import pytest

from xattn_viz.analysis.localization import Share, share
from xattn_viz.examples import PROMPTS
from xattn_viz.models import registry
from xattn_viz.shapes import COLOURS, judge
from xattn_viz.shapes.judge import mark_drawing
from xattn_viz.shapes.sentence import named

BY_SLUG = {example.slug: example for example in PROMPTS}


def shares(slug: str) -> tuple[list[Share], list[Share]]:
    """Where the head to look at puts each colour word and each shape word of a prompt, drawn as asked."""
    example = BY_SLUG[slug]
    trace = registry.load(example.model).trace(example.text)
    assert trace.picture is not None
    assert mark_drawing(example.text, trace.picture)["fully"]
    words = [trace.cross.keys.name(i) for i in range(len(trace.cross.keys))]
    assert words[example.token] in example.text.split()
    found: tuple[list[Share], list[Share]] = ([], [])
    for position, thing in named(words, judge(trace.picture)):
        one = share(trace.cross, example.layer, example.head, position, thing.box)
        found[words[position] not in COLOURS].append(one)
    return found


@pytest.mark.parametrize("slug", ["ring", "pair"])
def test_colour_words_go_to_their_things(slug: str) -> None:
    colours, _ = shares(slug)
    assert all(one.hit and one.weight > 0.5 for one in colours)


@pytest.mark.parametrize("slug", ["below", "star"])
def test_shape_words_go_to_their_things(slug: str) -> None:
    _, shapes = shares(slug)
    assert all(one.hit and one.weight > 0.5 for one in shapes)
