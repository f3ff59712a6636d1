"""Subtitles on the page of speech: the style is a preset or its options, and words written anew stand in the text."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app import visitor
from tests.export.words import joined, words
from xattn_viz.app import page_state, subtitling
from xattn_viz.export.cues import DEFAULT, PRESETS, SubtitleStyle


def opened() -> Any:
    app: Any = visitor.opened("speech", sound="forward")
    app.session_state["words"] = True
    return app.run()


def test_the_style_is_a_preset_or_ones_own() -> None:
    app = opened()
    chosen = app.session_state["visit"].chosen

    def option(name: str) -> Any:
        return next(one for one in app.number_input if one.key == f"subtitle-{name}")

    def preset() -> Any:
        return next(one for one in app.selectbox if one.key == "subtitle-preset")

    assert (preset().value, option("width").value, option("words_per_line").value) == ("default", 42, None)
    preset().set_value("bbc").run()
    assert chosen["subtitle-style"] == PRESETS["bbc"]
    assert (option("width").value, option("reading_speed").value, option("words_per_minute").value) == (37, None, 180)
    option("width").set_value(20).run()
    assert chosen["subtitle-style"].width == 20
    assert preset().value is None
    option("words_per_minute").set_value(None).run()
    option("reading_speed").set_value(20).run()
    option("width").set_value(42).run()
    assert chosen["subtitle-style"] == DEFAULT
    assert preset().value == "default"
    option("min_duration").set_value(9).run()
    assert "shown for 9 s at least cannot be gone after 6 s" in app.error[0].value
    assert chosen["subtitle-style"] == DEFAULT
    option("min_duration").set_value(1).run()
    assert not app.error
    assert not app.exception
    assert chosen["subtitle-style"] == SubtitleStyle(min_duration=1)


def test_a_word_that_is_written_anew_stands_in_the_text_where_the_old_one_stood() -> None:
    made = words("Go forward 10 meters.")
    edit = subtitling._edited(made, 2, "ten long", [False, False, True, False])
    assert edit.text == joined(edit.words) == "Go forward ten long meters."
    assert [edit.text[a:b] for a, b in edit.written] == ["ten long"]
    assert [edit.holds(word) for word in edit.words] == [False, False, True, False]
    assert [(word.start, word.end) for word in edit.words] == [(word.start, word.end) for word in made]
    again = subtitling._edited(edit.words, 0, "", [True, False, True, False])
    assert again.text == "forward ten long meters."
    assert [again.text[a:b] for a, b in again.written] == ["ten long"]
    unspaced = subtitling._edited(words("東京です。"), 0, "大阪", [True, False, False, False])
    assert unspaced.text == "大阪京です。"


def test_what_names_no_word_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened()
    visit, shown = app.session_state["visit"], visitor.state(app).shown
    assert shown is not None
    monkeypatch.setattr(page_state, "visit", lambda: visit)
    named: list[dict[str, Any]] = [{"number": number, "text": "a"} for number in ("x", 99, -1, float("inf"), None)]
    unneeded = lambda report: pytest.fail("no model is needed")  # noqa: E731
    for told in (None, {}, [1], {"number": 0}, {"text": "a"}, {"number": 0, "text": " Go"}, *named):
        subtitling.take_edit(shown, (None, "shares"), unneeded, told)
    subtitling.take_undo(shown, (None, "shares"), unneeded)
    assert not any(visit.chosen["subtitle-edits"].values())
