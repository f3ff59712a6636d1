from __future__ import annotations

import base64
import json
import random
import re
import string
import zlib
from typing import Any

import pytest

from xattn_viz.core import story as module
from xattn_viz.core.story import Slide, Story
from xattn_viz.core.view import View

CAT = (("model", "firefox-en-pt"), ("text", "The cat sat on the mat."))


def told() -> Story:
    slides = (
        Slide(CAT, View(layer=1, head=0, query=1), "Writing {row}: {weight}."),
        Slide((*CAT, ("option.num_beams", "4"), ("hypothesis", "1")), View(layer=None, head="mean", units="words")),
        Slide(
            (("model", "whisper-tiny-en"), ("sound", "spades")), View(layer=2, head=4, special=False), "</p>", "cost"
        ),
    )
    return Story("Who reads whom \u202e ü", slides)


def test_a_story_comes_back_from_its_file_and_from_its_link() -> None:
    assert Story.parse(told().format()) == told()
    assert Story.parse(told().format(None).encode()) == told()
    assert Story.from_link(told().to_link()) == told()
    assert told().format().isascii()


@pytest.mark.parametrize("seed", range(20))
def test_any_story_comes_back(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    letters = [*string.printable, *"äß中\u200b\u202e{}<>\0\U0001f600"]

    def text(most: int) -> str:
        return "".join(chance.choices(letters, k=chance.randrange(most)))

    slides = tuple(
        Slide(
            (("model", text(30)), ("text", text(80)), ("sentence", str(chance.randrange(1, 9)))),
            View(
                layer=chance.randrange(30),
                head=chance.randrange(20),
                query=chance.choice([None, 0, 7]),
                colours=chance.choice(["magma", "grey"]),
                special=chance.random() < 0.5,
            ),
            text(200),
        )
        for _ in range(chance.randrange(12))
    )
    story = Story(text(60), slides)
    assert Story.parse(story.format()) == story
    assert Story.from_link(story.to_link()) == story


def wrong(**changes: Any) -> str:
    value = {"format": "xattn_viz story", "version": 1, "title": "t", "slides": []} | changes
    return json.dumps({name: said for name, said in value.items() if said is not ...})


def slide(**changes: Any) -> str:
    value = {"query": dict(CAT), "view": {"head": "2.1"}} | changes
    return wrong(slides=[{"query": dict(CAT)}, {name: said for name, said in value.items() if said is not ...}])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", '"format": "xattn_viz story"'),
        (wrong(format="other"), '"format": "xattn_viz story"'),
        (wrong(version=2), "version 1 are read here: got 2"),
        (wrong(version=...), "got None"),
        (wrong(theme="dark"), "says 'theme', which nobody here knows"),
        (wrong(title=3), "a title, which is text"),
        (wrong(title="t" * 121), "at most 120 characters"),
        (wrong(slides={}), "a list of slides"),
        (wrong(slides=[0] * 61), "at most 60 slides: got 61"),
        (wrong(slides=[0]), "Slide 1 is no object"),
        (slide(query=...), "Slide 2 cannot be shown: a query names its model"),
        (slide(query=dict(CAT) | {"whole": True}), "query of slide 2 is an object of texts"),
        (slide(query={"model": "firefox-en-pt"}), "Slide 2 cannot be shown: a query names its model and one of text"),
        (slide(query=dict(CAT) | {"sound": "spades"}), "names its model and one of text"),
        (slide(query=dict(CAT) | {"head": "1.1"}), "not 'head'"),
        (slide(query=dict(CAT) | {"text": "t" * 5001}), "text has 5,001 characters"),
        (slide(view={"head": "2.0"}), "view of slide 2 says head = '2.0', which is no view"),
        (slide(view={"heads": "2.1"}), "says heads = '2.1'"),
        (slide(view={"row": "-1"}), "says row"),
        (slide(view={"row": 1}), "view of slide 2 is an object of texts"),
        (slide(caption=1), "a caption, which is text"),
        (slide(caption="c" * 601), "its caption has 601 characters"),
        (slide(measure="depth"), "not 'depth'"),
        (slide(trace="x"), "Slide 2 says 'trace', which nobody here knows"),
        (" " * 400_001, "at most 400,000 bytes"),
    ],
)
def test_a_faulty_file_is_answered_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        Story.parse(text)
    said = str(caught.value)
    assert said.endswith(".")
    assert "\n" not in said


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("", "holds no story"),
        ("not a link", "holds no story"),
        ("abcd", "cut or changed"),
        (told().to_link()[:-9], "cut or changed"),
        ("A" * 8_001, "too long"),
        (packed(b" " * 400_001), "unpacks to more than 400,000 bytes"),
        (packed(b" " * 3_000_000), "unpacks to more than 400,000 bytes"),
        (packed(b"[]"), '"format": "xattn_viz story"'),
    ],
)
def test_a_faulty_link_is_answered_in_a_sentence(link: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Story.from_link(link)


def test_what_is_too_long_for_a_link_says_so() -> None:
    noise = random.Random(0).randbytes(8000).hex()  # noqa: S311
    slides = tuple(Slide((CAT[0], ("text", noise[i : i + 1000]))) for i in range(0, 16_000, 1000))
    with pytest.raises(ValueError, match="pass on its file"):
        Story("", slides).to_link()


def test_a_story_made_in_python_is_checked_too() -> None:
    with pytest.raises(ValueError, match="each thing once"):
        Slide((*CAT, CAT[1]))
    with pytest.raises(ValueError, match="at most 60 slides"):
        Story("", (Slide(CAT),) * (module.MOST_SLIDES + 1))
