from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.server import ROOT
from xattn_viz import examples
from xattn_viz.app import slides, stories
from xattn_viz.core.story import Slide, Story
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.export import story as export
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelError
from xattn_viz.web.explorer.sound import Playback

CAT = (("model", "firefox-en-pt"), ("text", "The cat sat on the mat."))
BRIDGE = (("model", "firefox-en-pt"), ("text", "The old bridge creaks. It is old."))


def refuse(name: str) -> Adapter:
    raise ModelError(f"No model {name} here.")


def traced(slide: Slide, load: slides.Load = registry.load) -> Trace:
    found = slides.find(slide, load)
    found = found[0] if isinstance(found, tuple) else found
    assert isinstance(found, Trace), found
    return found


def test_what_ships_needs_no_model() -> None:
    one, other = slides.found([Slide(CAT), Slide(CAT, caption="again")], refuse)
    assert one is other
    assert one == examples.load("cat")
    assert not slides.needs_model(Slide(CAT))
    assert slides.needs_model(Slide(CAT, measure="cost"))
    heard = slides.find(Slide((("model", "whisper-tiny-en"), ("sound", "forward"))), refuse)
    assert isinstance(heard, tuple)
    assert isinstance(heard[1], Playback)
    assert heard[0] == examples.load("forward")
    assert [word.text for word in heard[1].words] == ["Go", "forward", "10", "meters."]


def test_a_slide_shows_what_its_query_asks() -> None:
    assert traced(Slide((*BRIDGE, ("sentence", "2")))).input == "It is old."
    assert traced(Slide((*BRIDGE, ("whole", "true")))).input == BRIDGE[1][1]
    mine = traced(Slide((*CAT, ("target", "O gato dorme."))))
    assert mine.output == "O gato dorme."
    costs = traced(Slide(CAT, measure="cost")).evidence
    assert [grid.name for grid in costs] == ["cost"]


def test_a_slide_that_compares_shows_both() -> None:
    slide = Slide((*CAT, ("compare", "The dog sat on the mat.")), View(layer=1, head=0, shows="difference"))
    assert slides.needs_model(slide)
    both = slides.find(slide, registry.load)
    assert isinstance(both, tuple)
    assert [one.input for one in both if isinstance(one, Trace)] == [CAT[1][1], "The dog sat on the mat."]
    packed = export.packed(Story("Two", (slide,)), [both], is_whole=True)
    assert b'"shows":"difference"' in packed
    assert b'"beside"' in packed
    heard = Slide((("model", "whisper-tiny-en"), ("sound", "forward"), ("compare-sound", "amiable")))
    found = slides.find(heard, registry.load)
    assert isinstance(found, tuple)
    assert [type(one) for one in found] == [Trace, Trace, Playback, Playback]
    assert export.packed(Story("Two", (heard,)), [found], is_whole=True).count(b'"audio":') == 2
    without = Slide((*CAT, ("compare-without", "2.1"), ("compare-target", "O gato.")))
    found = slides.find(without, registry.load)
    assert isinstance(found, tuple)
    model = registry.load("firefox-en-pt")
    wanted = model.trace("The cat sat on the mat.", target="O gato.", ablate=[("cross", 1, 0)])
    assert isinstance(found[1], Trace)
    assert np.array_equal(found[1].cross.weights, wanted.cross.weights)
    seen = Slide((("model", "caption-shapes"), ("picture", "alone"), ("compare-picture", "row")))
    found = slides.find(seen, registry.load)
    assert isinstance(found, tuple)
    assert [type(one) for one in found] == [Trace, Trace]


def test_a_scene_and_a_prompt_are_drawn_and_read() -> None:
    said = traced(Slide((("model", "caption-shapes"), ("picture", "alone"))))
    assert said.output == "a large pink cross"
    drawn = traced(Slide((("model", "draw-shapes"), ("text", "a purple ring"))))
    assert len(drawn.pictures) > 1


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ((("model", "nowhere"), ("text", "x")), "No model nowhere here."),
        ((("model", "whisper-tiny-en"), ("sound", "0123456789abcdef")), "There is no clip '0123456789abcdef'"),
        ((("model", "caption-shapes"), ("picture", "0123456789abcdef")), "was of one visit"),
        ((("model", "caption-shapes"), ("scene", "nonsense")), ""),
        ((*CAT, ("sentence", "0")), "count from 1"),
        ((*CAT, ("option.num_beams", "many")), "No model"),
        ((("model", "firefox-en-pt"), ("text", "x" * 9), ("sentence", "no")), "count from 1"),
    ],
)
def test_what_cannot_be_shown_says_why(query: Any, sentence: str) -> None:
    found = slides.find(Slide(query), refuse)
    assert isinstance(found, str)
    assert sentence in found
    assert found.endswith((".", "?")), found


def test_no_text_is_taken_for_the_name_of_a_file() -> None:
    for model, said in (("whisper-tiny-en", "reads sounds"), ("caption-shapes", "reads pictures")):
        slide = Slide((("model", model), ("text", __file__)))
        assert slides.find(slide, registry.load) == f"{model} {said}, and this slide gives it text."
    heard = Slide((("model", "firefox-en-pt"), ("sound", "forward")))
    assert slides.find(heard, registry.load) == "firefox-en-pt reads text, and this slide gives it sounds."


def test_a_fault_of_the_program_is_raised_and_on_the_page_one_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str, **_: Any) -> Any:
        raise ValueError(f"secret detail of {name}")

    slide = Slide(BRIDGE)
    with pytest.raises(ValueError, match="secret detail"):
        slides.find(slide, fail)
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    app.switch_page("pages/stories.py")
    app.query_params["story"] = Story("Faulty", (Slide(CAT), slide)).to_link()
    app.run()
    monkeypatch.setattr(registry, "load", fail)
    here: stories.Stage = app.session_state["visit"].chosen["stage"]
    here.turned = 0
    for _ in range(40):
        app.run()
        if (found := here.found.get(slides.key_of(slide))) is not None:
            break
        time.sleep(0.05)
    assert isinstance(found, str)
    assert found.endswith("The server\u2019s log says more.")
    assert "secret" not in found
    assert not app.exception
    assert isinstance(here.found[slides.key_of(here.story.slides[0])], Trace)
    assert "secret detail of firefox-en-pt" in caplog.text


def test_a_part_that_is_not_there_is_said() -> None:
    assert slides.find(Slide((*CAT, ("sentence", "3"))), registry.load) == "There is no part 3 of this input."
    assert "4 beams are not to be had" in str(slides.find(Slide((*CAT, ("option.num_beams", "4"))), registry.load))
