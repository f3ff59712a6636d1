"""What stays and what goes when a visitor turns from page to page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from xattn_viz.app import kind


class State(dict[str, Any]):
    """A session's state: the same by attribute and by key."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> State:
    made = State()
    monkeypatch.setattr(kind, "st", SimpleNamespace(session_state=made))
    return made


def test_each_kind_finds_its_own_again(state: State) -> None:
    kind.enter(kind.TEXT)
    assert "entered" not in state
    state.request = "a sentence"
    kind.enter(kind.AUDIO)
    assert "request" not in state
    assert state.pop("entered")
    state.request = "a sound"
    kind.enter(kind.TEXT)
    assert (state.request, state.pop("entered")) == ("a sentence", True)
    kind.enter(kind.TEXT)
    assert "entered" not in state


def test_a_page_without_a_kind_leaves_all_in_place(state: State) -> None:
    kind.enter(kind.TEXT)
    state.request = "a sentence"
    kind.enter(None)
    kind.enter(None)
    assert (state.request, kind.current()) == ("a sentence", kind.TEXT)
    kind.enter(kind.TEXT)
    assert (state.request, state.pop("entered")) == ("a sentence", True)


def test_a_first_visit_to_a_page_without_a_kind_is_no_return(state: State) -> None:
    kind.enter(None)
    kind.enter(kind.AUDIO)
    assert "entered" not in state
    assert kind.current() == kind.AUDIO


def test_controls_of_a_page_that_was_left_are_not_heard(state: State) -> None:
    heard: list[str] = []
    callback = kind.while_here(heard.append)
    kind.enter(kind.TEXT)
    callback("here")
    kind.enter(None)
    callback("late")
    kind.enter(kind.TEXT)
    callback("back")
    assert heard == ["here", "back"]
