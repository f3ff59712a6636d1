"""From a model's name or folder to its loaded adapter, one shared instance a process.

Every module or package beside this one is a model family (see `base`), except those in `_NOT_FAMILIES`. Families
import torch only when they load a model, so asking for the cards is cheap.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import threading
import warnings
from collections import OrderedDict
from functools import cache
from pathlib import Path
from typing import Any, cast

from xattn_viz import models
from xattn_viz.models.base import Adapter, Family, ModelCard, ModelError, ModelWarning, OnProgress
from xattn_viz.models.self_check import find_fault

# Text encoder-decoders are recognised by less than the others, so they are asked last.
_LAST = "seq2seq"
_NOT_FAMILIES = {
    *("base", "checkpoint", "encoder_decoder", "formats", "gate", "hub", "memory", "outside", "partial", "provenance"),
    *("recorded", "registry", "rerun", "scores", "segments", "self_check", "settings", "sight", "tiny", "tokens"),
}

#: Set by who serves the app to others: only folders inside this one are then loaded.
ROOT_VARIABLE = "XATTN_VIZ_ROOT"
#: The most that loaded models may take together, in GB; half of the machine's memory unless set.
MEMORY_VARIABLE = "XATTN_VIZ_MODEL_GB"

_Key = tuple[str, tuple[tuple[str, Any], ...]]
_loaded: OrderedDict[_Key, Adapter] = OrderedDict()  # the least recently used first
_locks: dict[_Key, threading.Lock] = {}
_guard = threading.Lock()


@cache
def families() -> dict[str, Family]:
    """The model families by name, found by the files of this folder."""
    names = (module.name for module in pkgutil.iter_modules(models.__path__))
    return {
        name: cast(Family, importlib.import_module(f"{models.__name__}.{name}"))
        for name in sorted(names, key=lambda name: (name == _LAST, name))
        if name not in _NOT_FAMILIES
    }


def cards() -> tuple[ModelCard, ...]:
    """The cards of all models known by name."""
    return tuple(card for family in families().values() for card in family.CARDS)


def load(name_or_folder: str | Path, *, on_progress: OnProgress | None = None, **options: Any) -> Adapter:
    """The adapter of a model, given its name or a folder that holds one; loaded once a process and shared.

    `on_progress` is called with (bytes done, bytes in all) while a model is downloaded. When the loaded models take
    more than `memory_limit`, the least recently used are let go.

    A model that comes with the package is checked when it is loaded (`self_check`): where it does not do what it should
    a `ModelWarning` says so, and so do its `fault` and each trace that it makes.

    Raises ModelError with one sentence when there is no such model or it cannot be loaded; the next call tries again.
    """
    family, name = _find(str(name_or_folder))
    key = (name, tuple(sorted(options.items())))
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        if (adapter := _use(key)) is None:
            progress = {"on_progress": on_progress} if on_progress is not None and family.downloads(name) else {}
            adapter = family.load(name, **options, **progress)
            if fault := find_fault(adapter):
                adapter.fault = fault
                warnings.warn(fault, ModelWarning, stacklevel=2)
            _keep(key, adapter)
        return adapter


def loaded() -> tuple[tuple[str, int], ...]:
    """The loaded models with the bytes that each takes, the least recently used first."""
    with _guard:
        return tuple((name, adapter.memory) for (name, _), adapter in _loaded.items())


def memory_limit() -> int:
    """The most bytes that loaded models may take together; one model alone may take more."""
    if said := os.environ.get(MEMORY_VARIABLE):
        return int(float(said) * 1e9)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return 8 * 10**9


def _use(key: _Key) -> Adapter | None:
    with _guard:
        if key in _loaded:
            _loaded.move_to_end(key)
        return _loaded.get(key)


def _keep(key: _Key, adapter: Adapter) -> None:
    """Remember a model, and forget the least recently used of the others until all fit."""
    limit = memory_limit()
    with _guard:
        _loaded[key] = adapter
        while len(_loaded) > 1 and sum(other.memory for other in _loaded.values()) > limit:
            _loaded.popitem(last=False)  # a run that still uses it keeps it alive


def _find(name: str) -> tuple[Family, str]:
    for family in families().values():
        if any(card.name == name for card in family.CARDS):
            return family, name
    folder = Path(name)
    if _may_be_read(folder) and folder.is_dir():
        for family in families().values():
            if family.recognises(folder):
                return family, str(folder.resolve())
        raise ModelError(f"The folder {folder} holds no model of a known family ({', '.join(families())}).")
    for family in families().values():
        if family.downloads(name):
            return family, name
    known = ", ".join(card.name for card in cards())
    raise ModelError(f"There is no model or folder named {name!r}; the models are {known}.")


def _may_be_read(folder: Path) -> bool:
    """Whether a folder lies inside the root, where there is one. Outside, even its existence is not told."""
    root = os.environ.get(ROOT_VARIABLE)
    return not root or folder.resolve().is_relative_to(Path(root).resolve())
