"""From a model's name or folder to its loaded adapter, one shared instance a process.

Every module or package beside this one is a model family (see `base`), except those in `_NOT_FAMILIES`. Families
import torch only when they load a model, so asking for the cards is cheap.
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
from functools import cache
from pathlib import Path
from typing import Any, cast

from xattn_viz import models
from xattn_viz.models.base import Adapter, Family, ModelCard, ModelError

_NOT_FAMILIES = {"base", "formats", "gate", "registry", "rerun", "segments"}

_Key = tuple[str, tuple[tuple[str, Any], ...]]
_loaded: dict[_Key, Adapter] = {}
_locks: dict[_Key, threading.Lock] = {}
_locks_guard = threading.Lock()


@cache
def families() -> dict[str, Family]:
    """The model families by name, found by the files of this folder."""
    names = sorted(module.name for module in pkgutil.iter_modules(models.__path__))
    return {
        name: cast(Family, importlib.import_module(f"{models.__name__}.{name}"))
        for name in names
        if name not in _NOT_FAMILIES
    }


def cards() -> tuple[ModelCard, ...]:
    """The cards of all models known by name."""
    return tuple(card for family in families().values() for card in family.CARDS)


def load(name_or_folder: str | Path, **options: Any) -> Adapter:
    """The adapter of a model, given its name or a folder that holds one; loaded once a process and shared.

    Raises ModelError with one sentence when there is no such model or it cannot be loaded; the next call tries again.
    """
    family, name = _find(str(name_or_folder))
    key = (name, tuple(sorted(options.items())))
    with _locks_guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        if key not in _loaded:
            _loaded[key] = family.load(name, **options)
        return _loaded[key]


def _find(name: str) -> tuple[Family, str]:
    for family in families().values():
        if any(card.name == name for card in family.CARDS):
            return family, name
    folder = Path(name)
    if folder.is_dir():
        for family in families().values():
            if family.recognises(folder):
                return family, str(folder.resolve())
        raise ModelError(f"The folder {folder} holds no model of a known family ({', '.join(families())}).")
    known = ", ".join(card.name for card in cards())
    raise ModelError(f"There is no model or folder named {name!r}; the models are {known}.")
