"""The tab of evidence where it is the first thing of a visit that is opened, on every page that has one."""

from __future__ import annotations

import pytest

from tests.app.visitor import opened


@pytest.mark.parametrize(
    ("page", "asked"),
    [("translate", "Link the words"), ("speech", "Take sound away"), ("images", "Measure each head")],
)
def test_an_address_opens_the_tab_at_once(page: str, asked: str) -> None:
    app = opened(page, tab="evidence")
    assert not app.exception
    assert any(button.label.startswith(asked) for button in app.button)
