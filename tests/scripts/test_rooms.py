"""The picture of the rooms is of the imports as they are, and the text beside it names what is there."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from scripts.rooms import FLOOR, PICTURE, ROOT, arrows, picture, source_files

STRUCTURE = (ROOT / "docs" / "structure.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    return arrows({name: path.read_text(encoding="utf-8") for name, path in source_files()})


def test_the_picture_has_the_rooms_and_the_arrows_of_the_imports(found: dict[str, set[str]]) -> None:
    drawn = ElementTree.fromstring(PICTURE.read_text(encoding="utf-8"))  # noqa: S314 - our own
    rooms = {name for box in drawn.iter() if (name := box.get("data-room")) is not None}
    lines = {(line.get("data-from"), line.get("data-to")) for line in drawn.iter() if line.get("data-to") is not None}
    wrong = "python -m scripts.rooms draws it anew"
    assert rooms == set(found), wrong
    assert lines == {(upper, lower) for upper, lowers in found.items() for lower in lowers}, wrong


def test_every_arrow_runs_down_or_stays_on_its_floor(found: dict[str, set[str]]) -> None:
    assert all(FLOOR[lower] <= FLOOR[upper] for upper, lowers in found.items() for lower in lowers)
    planted = picture({"app": {"core", "models"}, "models": {"core"}, "core": set()})
    kinds = {
        (line.get("data-from"), line.get("data-to")): (line.get("class") or "")
        for line in ElementTree.fromstring(planted).iter()  # noqa: S314
        if line.get("data-to")
    }
    assert kinds == {("app", "models"): "own", ("models", "core"): "own", ("app", "core"): "implied"}


def test_the_text_names_every_room_and_only_files_that_are_there(found: dict[str, set[str]]) -> None:
    rooms = {name for name in found if name and name != "pages"}
    assert {name for name in rooms if f"`{name}/`" not in STRUCTURE and f"`{name}.py`" not in STRUCTURE} == set()
    named = re.findall(r"`((?:[a-z_]+/)+[a-z_0-9]*(?:\.[a-z]+)?)`", STRUCTURE)
    assert len(named) > 20
    assert [path for path in named if not any((root / path).exists() for root in (ROOT, ROOT / "xattn_viz"))] == []
