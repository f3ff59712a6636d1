from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from tests.export.test_webpage import EVIL, Page, made, unpacked
from xattn_viz import examples
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.story import Slide, Story
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.core.view import View
from xattn_viz.export import story as module
from xattn_viz.export.story import caption, html, packed
from xattn_viz.web.explorer import identity, pack

ASKED = (("model", "m"), ("text", "t"))
WEIGHTS = np.array([[[0.5, 0.25, 0.25], [0.1, 0.7, 0.2]], [[0.0, 0.0, 1.0], [0.2, 0.4, 0.4]]], np.float32)


def planted() -> Trace:
    """Two layers of one head over two rows and three keys, the last of which is special; the heads cost 0.5 and 2."""
    keys = Axis("text", labels=("a", "b", "</s>"), special=(False, False, True))
    maps = AttentionMaps(WEIGHTS[:, None], Axis("text", labels=("x", "y")), keys, "cross", (0, 1))
    cost = HeadGrid("cost", "Cost", "nats a token", "cross", (0, 1), np.array([[0.5], [2.0]], np.float32), "planted")
    return Trace((maps,), "a b", "x y", evidence=(cost,))


def slide(said: str, view: View) -> Slide:
    return Slide(ASKED, view, said)


@pytest.mark.parametrize(
    ("said", "view", "wanted"),
    [
        ("{row} {weight} {most} {head}", View(layer=0, head=0, query=1), "y 0.70 b layer 1, head 1"),
        ("{row} {column} {weight}", View(layer=0, head=0, query=0, key=2), "x </s> 0.25"),
        ("{parked}", View(layer=1, head=0, query=0), "1.00"),
        ("{cost} {left}", View(layer=0, head=0), "0.50 61%"),  # e^-0.5 is 0.607
        ("{dearest}, {cheapest}", View(layer=0, head=0), "layer 2, head 1, layer 1, head 1"),
        ("{entropy}", View(layer=0, head=0), "1.33"),  # of 1.5 and 1.157 bits
        ("{{row}} {ro w} {}", View(layer=0, head=0, query=0), "{x} {ro w} {}"),
        (EVIL, View(layer=0, head=0), EVIL),
    ],
)
def test_a_caption_says_what_its_map_holds(said: str, view: View, wanted: str) -> None:
    assert caption(slide(said, view), planted()) == wanted


@pytest.mark.parametrize(
    ("said", "view", "sentence"),
    [
        ("{wait}", View(layer=0, head=0), "no number '{wait}' for a caption: choose head, row"),
        ("{row}", View(layer=0, head=0), "chooses no row"),
        ("{column}", View(layer=0, head=0, query=0), "chooses no column"),
        ("{cost}", View(layer=None, head="mean"), "of no single head"),
        ("{cost}", View(kind="encoder", layer=0, head=0), "encoder"),
        ("{peak}", View(layer=0, head=0, query=0), "not over a sound"),
        ("{start}", View(layer=0, head=0, query=0), "not over a sound"),
        ("{inside}", View(layer=0, head=0, query=0), "no word of a drawing is chosen"),
        ("", View(layer=7, head=0), "no layer 7"),
    ],
)
def test_a_number_that_cannot_be_had_is_an_error(said: str, view: View, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        caption(slide(said, view), planted())
    bare = replace(planted(), evidence=())
    with pytest.raises(ValueError, match='"measure": "cost"'):
        caption(slide("{cost}", View(layer=0, head=0)), bare)


def parts_of(data: bytes) -> tuple[dict[str, object], bytes]:
    length = int.from_bytes(data[:4], "little")
    return json.loads(data[4 : 4 + length]), data[4 + length :]


def test_each_trace_is_packed_once_and_each_slide_says_its_view() -> None:
    one, other = planted(), made()
    story = Story("s", (slide("{weight}", View(layer=1, head=0, query=0)), slide("", View()), slide("{x}", View())))
    header, data = parts_of(packed(Story("s", story.slides * 2), [one, other, one, one, "No model.", None]))
    parts = [data[begin:end] for begin, end in header["parts"]]  # type: ignore[attr-defined]
    assert parts == [pack(each, full_limit=None, means=False) for each in (one, other)]
    assert sum(map(len, parts)) == len(data)
    slides = header["slides"]
    shows = {"part": 0, "trace": identity(one), "select": {"head": "2.1", "row": "0"}, "caption": "1.00"}
    assert slides[0] == shows  # type: ignore[index]
    assert slides[1]["part"] == 1  # type: ignore[index]
    assert "no number" in slides[2]["missing"]  # type: ignore[index]
    assert slides[4] == {"missing": "No model."}  # type: ignore[index]
    assert slides[5] == {"missing": module.AWAITED, "awaited": True}  # type: ignore[index]


def test_text_cannot_become_markup() -> None:
    page = html(Story(EVIL, (slide(EVIL, View(layer=1, head=3)),)), [made()])
    read = Page(page)
    tags = [tag for tag, _, _ in read.found]
    assert tags.count("script") == 4
    assert "img" not in tags
    assert EVIL not in page
    header, _ = parts_of(unpacked(read.texts("script")[0]))
    assert header["talks"] is True


def test_a_page_is_of_slides_that_can_all_be_shown() -> None:
    one = slide("{weight}", View(layer=0, head=0, query=0))
    with pytest.raises(ValueError, match="no slides"):
        html(Story(""), [])
    with pytest.raises(ValueError, match="Slide 2 cannot be shown: No model"):
        html(Story("", (one, one)), [planted(), "No model."])
    with pytest.raises(ValueError, match="Slide 1 cannot be shown: the view of this slide chooses no row"):
        html(Story("", (slide("{row}", View(layer=0, head=0)),)), [planted()])


def test_ten_views_of_sentences_take_less_than_one_and_a_half_megabytes() -> None:
    """Five sentences that ship, two views of each."""
    traces = [trace for slug in ("cat", "boat", "gato", "barco", "irma") if (trace := examples.load(slug))]
    assert len(traces) == 5
    slides = tuple(slide("Of {most}: {weight}", View(layer=i % 2, head=i % 8, query=1)) for i in range(10))
    size = len(html(Story("Ten", slides), [*traces, *traces]).encode())
    assert size < 1_500_000
