"""What the tests of the command line share."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from xattn_viz.models.base import Adapter
from xattn_viz.models.families.firefox import FAMILY

#: What standard input is to hold.
Typed = Callable[[bytes], None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Puts bytes on standard input."""
    return lambda data: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Adapter:
    """A model with random weights, under the name `tiny`."""
    adapter = FAMILY.example()
    monkeypatch.setattr("xattn_viz.models.registry.load", lambda name, **options: adapter)
    return adapter
