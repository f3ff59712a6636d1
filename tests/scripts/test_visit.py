from __future__ import annotations

from scripts.visit import PHASES, visit

#: At most so many files, and of those on the way to the screen so many of the page: to be lowered, never raised.
MOST, MOST_OF_THE_PAGE = (9, 16, 16), 6


def test_a_typed_sentence_goes_through_few_files() -> None:
    found = visit()
    counts = tuple(len(found[phase]) for phase in PHASES)
    assert all(count <= most for count, most in zip(counts, MOST, strict=True)), found
    before, inside, behind = (set(found[phase]) for phase in PHASES)
    assert len([name for name in behind if name.startswith("app/")]) <= MOST_OF_THE_PAGE, found
    assert "core/tokens.py" in before
    assert {"attention/layer.py", "core/maps.py", "core/trace.py"} <= inside
    assert "core/view.py" in behind
    assert any(name.startswith("web/explorer/") for name in behind)
    assert not any(name.startswith("app/") for name in inside)
    assert not [name for name in behind if "sound" in name or "picture" in name or "drawing" in name]
