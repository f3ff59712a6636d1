"""What a notebook is told to show: the explorer in a frame, tables whose text stays text, a widget that follows."""

from __future__ import annotations

import html as markup
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import xattn_viz as xv
from tests.export.test_webpage import EVIL, made
from xattn_viz.analysis.timing import TimedWord, TimedWords
from xattn_viz.core.evidence import Alignment, AlignmentHead, AlignmentLink, Deletion, DeletionCurve, Word
from xattn_viz.examples import clips
from xattn_viz.export import notebook
from xattn_viz.models.families.firefox import FAMILY as TEXT_FAMILY
from xattn_viz.models.families.whisper import FAMILY as SPEECH_FAMILY

TEXT = "a small sentence"


class Tags(HTMLParser):
    """The elements of a piece of HTML, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said += data


def test_a_trace_is_the_saved_page_in_a_frame_without_an_origin() -> None:
    trace = made()
    said = trace._repr_mimebundle_()
    assert said["text/plain"] == repr(trace)
    ((tag, attributes),) = Tags(said["text/html"]).found
    assert tag == "iframe"
    assert attributes["srcdoc"] == xv.export.html(trace)
    assert attributes["sandbox"] == "allow-scripts allow-downloads"  # and no allow-same-origin


def test_forty_tokens_take_less_than_150_kilobytes() -> None:
    """Of six layers with eight heads each, and flatter than those of a model: what packs worst."""
    scores = np.exp(np.random.default_rng(40).standard_normal((6, 8, 40, 40)))
    weights = (scores / scores.sum(-1, keepdims=True)).astype(np.float32)
    names = [f"token{i}" for i in range(40)]
    trace = xv.from_attention(weights[:, None], source=names, target=names)
    assert len(trace._repr_mimebundle_()["text/html"].encode()) <= 150_000


def test_maps_alone_are_shown_between_their_labels() -> None:
    maps = made().cross
    assert "<iframe" in maps._repr_mimebundle_()["text/html"]
    said = replace(maps, kind="encoder")._repr_mimebundle_()
    assert said["image/svg+xml"].startswith("<svg")
    assert "text/html" not in said


def test_what_was_measured_is_a_table_and_text_stays_text() -> None:
    words = (Word(EVIL, None), Word("b", None))
    head = AlignmentHead(1, 0, 0)
    links = (AlignmentLink(0, 1, 0.5),)
    found = Alignment(words, words, links, np.full((2, 2), 0.5), (head,), (), "given", "threshold", 0.37)
    table = Tags(found._repr_mimebundle_()["text/html"])
    assert {tag for tag, _ in table.found} == {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert "1 links, by head 2.1 (given)." in table.said
    assert "<img" in table.said  # as text
    curve = DeletionCurve("occlusion", (0, 1), np.array([0.0, 1.0]), np.array([-0.5, -4.0]))
    deletion = Deletion((curve,), (curve,), ((0,), (1,)))
    assert deletion.sentence in Tags(deletion._repr_mimebundle_()["text/html"]).said
    timed = TimedWords((TimedWord(EVIL, 0.5, 1.25, 0.9, (0, 1), (0, 0)),))
    assert "1.25" in Tags(timed._repr_mimebundle_()["text/html"]).said
    assert timed == ((timed[0]),)


def test_costs_are_shaded_by_what_they_are() -> None:
    model = TEXT_FAMILY.example()
    costs = xv.head_costs(model, model.trace(TEXT))
    said = costs._repr_mimebundle_()["text/html"]
    cells = re.findall(r'<td(?: style="background:rgb\(214 120 40/([\d.]+)\)")?>([^<]*)</td>', said)
    shades = [float(shade or 0) for shade, text in cells if not text.startswith("layer")]
    wanted = np.clip(costs.costs, 0, None).ravel() / max(np.nanmax(costs.costs), 1e-9) * 0.75
    assert np.abs(np.array(shades) - wanted).max() <= 0.0051
    assert costs.sentence in markup.unescape(said)
    found = xv.attribute(model, model.trace(TEXT), "occlusion")
    assert found._repr_mimebundle_()["image/svg+xml"].startswith("<svg")


def test_a_widget_follows_what_is_looked_at_and_shows_what_it_is_told() -> None:
    model = TEXT_FAMILY.example()
    trace = model.trace(TEXT)
    explorer = xv.show(trace, xv.View(layer=0, head=1), height=500)
    assert explorer.page == xv.export.html(trace, xv.View(layer=0, head=1))
    heard = []
    explorer.observe(lambda change: heard.append(change["new"]), "view")
    before = explorer.page
    explorer.selected = {"trace": "x", "choices": 3, "head": "1.2", "row": "2", "column": "0", "units": "words"}
    assert heard == [explorer.view]
    assert (explorer.view.layer, explorer.view.head, explorer.view.query, explorer.view.key) == (0, 1, 2, 0)
    assert explorer.view.units == "words"
    assert explorer.page == before  # which shows it already
    with pytest.raises(ValueError, match="no layer 9"):
        explorer.view = xv.View(layer=9)
    assert explorer.view.units == "words"
    explorer.view = xv.View(layer=0, head=0)
    assert explorer.page == xv.export.html(trace, xv.View(layer=0, head=0))
    explorer.view = xv.View(layer=0, head=0, query=1)
    other = model.trace("another one")
    explorer.trace = other
    assert explorer.page == xv.export.html(other, explorer.view)
    one_head = xv.from_attention(np.full((1, 1, 1, 2, 2), 0.5))
    explorer.view = xv.View(layer=0, head=1)
    explorer.trace = one_head
    assert explorer.view == xv.View(layer=0)
    assert explorer.page == xv.export.html(one_head, xv.View(layer=0))
    data, _ = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "<iframe" in data["text/html"]


def test_a_field_traces_what_is_typed_and_says_what_is_wrong() -> None:
    model = TEXT_FAMILY.example()
    box = xv.explore(model, TEXT)
    box.field.value = "another one"
    assert box.explorer.trace.input == "another one"
    assert box.fault.value == ""
    box.field.value = "   "
    assert box.explorer.trace.input == "another one"
    assert box.fault.value
    assert box._repr_mimebundle_()["text/html"].startswith("<iframe")  # for who shows no widgets
    with pytest.raises(xv.ModelError, match="reads no text"):
        xv.explore(SPEECH_FAMILY.example(), TEXT)


def test_a_sound_that_is_given_is_played_with_its_words() -> None:
    sound = clips.sound("forward")
    trace = xv.load("whisper-tiny-en").trace(sound)
    with_sound, without = xv.show(trace, sound=sound), xv.show(trace)
    assert len(with_sound.page) > len(without.page) + 1000
    with pytest.raises(xv.InputError):
        xv.show(trace, sound=b"no sound")


def test_without_the_extra_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "anywidget", None)
    with pytest.raises(xv.InputError, match=r"xattn-viz\[notebook\]"):
        xv.show(made())
    assert "<iframe" in made()._repr_mimebundle_()["text/html"]
