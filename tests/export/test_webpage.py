from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from xattn_viz import web
from xattn_viz.core.axis import Axis
from xattn_viz.core.evidence import Alignment, AlignmentLink, Deletion, DeletionCurve, Word
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.story import Slide, Story
from xattn_viz.core.trace import Hypothesis, Note, Step, Trace
from xattn_viz.core.view import Reduction, View
from xattn_viz.export import webpage
from xattn_viz.export.story import packed
from xattn_viz.export.webpage import html
from xattn_viz.web.explorer import pack, seldom_used

EVIL = "</script><script>alert(1)</script><img src=http://example.org/x onerror=alert(2)>\u202e"


def made() -> Trace:
    weights = np.random.default_rng(3).dirichlet(np.ones(3), (2, 4, 2)).astype(np.float32)
    maps = AttentionMaps(
        weights, Axis("text", labels=("a", EVIL)), Axis("text", labels=(EVIL, "b", "</s>")), "cross", (0, 1)
    )
    return Trace((maps,), EVIL, EVIL, provenance={"model": EVIL})


class Page(HTMLParser):
    """What a browser finds in the page: its elements with their attributes, and the text in each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("after " + tag, {}, []))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1][2].append(data)

    def texts(self, tag: str) -> list[str]:
        return ["".join(text) for name, _, text in self.found if name == tag]


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text.translate(str.maketrans(",./:[]", "&<>{$`"))), wbits=-zlib.MAX_WBITS)


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_text_cannot_become_markup() -> None:
    page = Page(html(made()))
    tags = [tag for tag, _, _ in page.found]
    assert tags.count("script") == 4
    assert "img" not in tags
    assert "\u202e" not in html(made())
    assert page.texts("title")[0].startswith("Cross-attention: </script><script>")


def measured() -> Trace:
    """The same with words linked and deletion curves, whose names must stay text."""
    words = (Word(EVIL, None), Word("b", None))
    links = (AlignmentLink(0, 1, 0.5),)
    found = Alignment(words, words, links, np.full((2, 2), 0.5), (), (), "given", "threshold", 0.37)
    curve = DeletionCurve(EVIL, (0, 1), np.array([0.0, 1.0]), np.array([-0.5, -4.0]))
    return made().with_evidence(found, Deletion((curve,), (curve,), ((0,), (1,))))


def test_what_was_measured_stands_below_the_explorer_as_data() -> None:
    page = Page(html(measured()))
    figures = [
        json.loads(attributes["data-figure"] or "") for _, attributes, _ in page.found if "data-figure" in attributes
    ]
    assert [figure["kind"] for figure in figures] == ["links", "curves"]
    assert figures[0]["links"] == [[0, 1, 0.5]]
    assert figures[1]["curves"][0]["ys"] == [-0.5, -4.0]
    assert page.texts("h2") == ["Words that say the same", "Less and less of the source, the most important first"]
    assert [tag for tag, _, _ in page.found].count("script") == 4
    assert "img" not in [tag for tag, _, _ in page.found]
    code = page.texts("script")[2]
    assert "drawFigure" in unpacked(code).decode()
    assert "drawFigure" not in unpacked(Page(html(made())).texts("script")[2]).decode()


def test_the_policy_allows_only_this_script_and_this_style() -> None:
    page = Page(html(made()))
    (policy,) = (attributes["content"] for tag, attributes, _ in page.found if "http-equiv" in attributes)
    rules = dict(rule.strip().split(" ", 1) for rule in (policy or "").split(";"))
    assert rules["default-src"] == "'none'"
    _, style, code, start = page.texts("script")
    scripts = (start, unpacked(code).decode())
    assert rules["script-src"] == " ".join(map(digest, scripts))
    assert rules["style-src"] == " ".join(map(digest, (page.texts("style")[0], unpacked(style).decode())))
    assert rules["img-src"] == "data: blob:"
    assert not re.search(r"unsafe|https?:|\*", policy or "")


def test_the_page_carries_the_payload_with_every_head_in_full() -> None:
    page = Page(html(made(), View(layer=1, head=-1)))
    sent = unpacked(page.texts("script")[0])
    assert sent == pack(made(), select={"head": "2.4"}, full_limit=None, means=False)


@pytest.mark.parametrize(
    ("layer", "head", "view"),
    [
        (0, 2, "1.3"),
        (-1, 0, "2.1"),
        (-1, 1, "2.2"),
        (1, "mean", "2.mean"),
        (None, "mean", "mean"),
        (None, "max", "max"),
    ],
)
def test_the_first_map_is_named_from_1(layer: int | None, head: int | Reduction, view: str) -> None:
    sent = unpacked(Page(html(made(), View(layer=layer, head=head))).texts("script")[0])
    assert sent == pack(made(), select={"head": view}, full_limit=None, means=False)


def test_two_outputs_go_into_one_page() -> None:
    other = made()
    page = html(made(), View(layer=0, head="mean"), beside=other, name="A", beside_name=EVIL)
    sent = unpacked(Page(page).texts("script")[0])
    assert sent == pack(made(), select={"head": "1.mean"}, beside=other, beside_name=EVIL, full_limit=None, means=False)
    assert EVIL not in page


def test_a_head_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no head 4"):
        html(made(), View(layer=0, head=4))
    with pytest.raises(ValueError, match="no layer 9"):
        html(made(), View(layer=9))


def test_packed_bytes_are_text_that_means_nothing_to_html() -> None:
    data = bytes(range(256)) * 3
    for size in (0, 1, 2, 3, 4, 5, len(data)):
        text = webpage.in_base_85(data[:size])
        assert text.translate(str.maketrans(",./:[]", "&<>{$`")) == base64.b85encode(data[:size]).decode()
        assert not set(text) & set("&<>{$`\"'\\")


def test_a_page_holds_the_parts_that_its_traces_need() -> None:
    words, times = Axis("text", labels=("a", "b")), Axis("audio", times=((0.0, 0.1), (0.1, 0.2)))

    def read(keys: Axis, given: Any) -> Trace:
        weights = np.full((1, 1, 2, len(keys)), 1 / len(keys), np.float32)
        return Trace((AttentionMaps(weights, words, keys, "cross", (0,)),), given, "a b")

    text = read(words, "a b")
    needed = {
        "sound": read(times, np.zeros(3200, np.float32)),
        "picture": read(Axis.picture(2, 2), np.zeros((4, 4, 3), np.uint8)),
        "steps": replace(text, steps=(Step("a", 1, -0.1), Step("b", 2, -0.1))),
        "beams": replace(text, hypotheses=(Hypothesis("a b", -1.0), Hypothesis("a", -2.0))),
    }
    assert seldom_used(pack(text)) == frozenset()
    assert seldom_used(pack(text, beside=text)) == {"comparison"}
    assert all(seldom_used(pack(trace)) == {part} for part, trace in needed.items())
    story = Story("", (Slide((("model", "m"), ("text", "a b"))),) * 3)
    assert seldom_used(packed(story, [text, needed["sound"], needed["steps"]])) == {"story", "sound", "steps"}
    for trace, is_left_out in ((text, True), (needed["sound"], False)):
        script = unpacked(Page(html(trace)).texts("script")[2]).decode()
        assert ("makeSoundMap=()=>missing" in script) is is_left_out


def test_a_script_that_mounts_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "script", lambda *_, **__: "const f = 1")
    with pytest.raises(ValueError, match="no line 'export default function NAME'"):
        webpage.html(made())


def test_an_answer_that_stands_in_no_row_is_said_below() -> None:
    latents, patches = Axis("latent", labels=("latent 1", "latent 2")), Axis.picture(2, 2)
    maps = AttentionMaps(np.full((1, 1, 2, 4), 0.25, np.float32), latents, patches, "cross", (0,))
    page = html(Trace((maps,), np.zeros((4, 4, 3), np.uint8), "a cat & <b>two</b> dogs"))
    assert "<footer>Answer: a cat &amp; &lt;b&gt;two&lt;/b&gt; dogs. Attention" in page


def test_a_fault_of_the_model_is_said_above_the_map() -> None:
    trace = made()
    assert not [one for one in Page(html(trace)).found if one[1].get("role") == "alert"]
    page = Page(html(trace.with_notes(Note(f"broken {EVIL}", "fault"))))
    names = [(name, attributes.get("role")) for name, attributes, _ in page.found]
    assert names.index(("p", "alert")) < names.index(("main", None))
    assert page.texts("p")[0].startswith("broken </script>")
    assert "img" not in [name for name, _, _ in page.found]
