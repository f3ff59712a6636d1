from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from types import ModuleType

import pytest

from xattn_viz.app import gc_freeze


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.me = self


def test_what_is_held_is_left_out_once_and_garbage_before_it_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = weakref.ref(Cycle())
    monkeypatch.setattr(gc_freeze, "_seen", [])
    gc_freeze.settle()
    assert gone() is None
    frozen = gc.get_freeze_count()
    assert frozen > 10_000
    later = [Cycle() for _ in range(100)]
    gc_freeze.settle()
    assert gc.get_freeze_count() <= frozen  # none more; what nothing refers to any longer goes all the same
    monkeypatch.setitem(sys.modules, "a_module_that_was_loaded", ModuleType("a_module_that_was_loaded"))
    gc_freeze.settle()
    assert gc.get_freeze_count() > frozen
    kept = [weakref.ref(one) for one in later]
    later.clear()
    gc_freeze.settle()  # nothing was loaded since, so what was left out is not looked at
    assert any(ref() is not None for ref in kept)
    del sys.modules["a_module_that_was_loaded"]
    gc_freeze.settle()
    assert all(ref() is None for ref in kept)
