"""Families of models, and from a model's name or folder to its loaded adapter, one shared instance a process.

A family has its cards, the folders and names that are its own, and how they are loaded.

Families import torch only when they load a model, so asking for the cards is cheap.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import pkgutil
import re
import threading
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar
from weakref import WeakValueDictionary

from cachetools import LRUCache

from xattn_viz.core.records import quoted
from xattn_viz.core.trace import Trace
from xattn_viz.models import families as _families
from xattn_viz.models import hub
from xattn_viz.models.base import Adapter, ModelCard, ModelError, ModelWarning, OnProgress
from xattn_viz.models.folder import ROOT_VARIABLE, Folder, configuration, find_folder
from xattn_viz.models.resources import CORES, RUNS_AT_ONCE, release
from xattn_viz.models.self_check import find_fault

AnyAdapter = TypeVar("AnyAdapter", bound=Adapter, covariant=True)


class Family(Generic[AnyAdapter]):
    """A model family: a package of `models.families` that names one as its `FAMILY`.

    It loads its models with `load` of the package's module `loading` and makes its example with `tiny` of the same,
    which is not imported before, so that asking for the cards is cheap. A family that differs in something is a
    subclass.
    """

    #: Whether it recognises much of what others do too, so that it is asked last.
    is_general: bool = False
    #: Libraries that its models need and an installation may lack, each with a sentence that says so.
    needs: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        package: str,
        cards: Sequence[ModelCard],
        *,
        architectures: Collection[str] = (),
        hub_names: str | None = None,
    ) -> None:
        """A family of the models of these cards.

        `architectures` are those that it runs, as a checkpoint's config.json names them; `hub_names` is a regular
        expression for what a name on the hub says of such a model, in capital letters or not.
        """
        self.package, self.cards, self.architectures = package, tuple(cards), architectures
        self._hub_names = None if hub_names is None else re.compile(hub_names, re.IGNORECASE)

    def card_of(self, name: str) -> ModelCard | None:
        """The card of a model that is known by name; None for any other."""
        return next((card for card in self.cards if card.name == name), None)

    def recognises(self, folder: Path) -> bool:
        """Whether a folder holds a model of this family, judged by its config.json."""
        return configuration(folder).get("model_type") in self.architectures

    def downloads(self, name: str) -> bool:
        """Whether a name on no card could be that of a model on the hub that this family shows."""
        return self._hub_names is not None and hub.could_be(name) and bool(self._hub_names.search(name))

    def load(self, name_or_folder: str | Folder, **options: Any) -> AnyAdapter:
        """Load a model by its card's name, its name on the hub, or from its folder.

        Of models that come from the hub, `on_progress` is called with (bytes done, bytes in all) while files come in,
        `revision` names a branch, tag or commit, and `allow_pickle` (False) also takes weights in PyTorch's own `.bin`
        files, read as data only.

        Raises ModelError, in one sentence, whatever goes wrong.
        """
        adapter: AnyAdapter = self._loader().load(name_or_folder, **options)
        return adapter

    def example(self) -> AnyAdapter:
        """A tiny model with random weights that runs anywhere, for tests."""
        adapter: AnyAdapter = self._loader().tiny()
        return adapter

    def _loader(self) -> Any:
        """The module with `load` and `tiny`: that of the adapter, where they do not stand in one of their own."""
        for library, sentence in self.needs.items():
            if importlib.util.find_spec(library) is None:
                raise ModelError(sentence)
        own = f"{self.package}.loading"
        return importlib.import_module(own if importlib.util.find_spec(own) else f"{self.package}.adapter")


#: The most that loaded models may take together, in GB; half of the machine's memory unless set.
MEMORY_VARIABLE = "XATTN_VIZ_MODEL_GB"

_Key = tuple[str, tuple[tuple[str, Any], ...]]


def empty_cache() -> LRUCache[_Key, Adapter]:
    """A place for loaded models; how much it holds is looked at when one is added, as one alone may take more."""
    return LRUCache(math.inf, getsizeof=lambda adapter: adapter.memory)


_locks: WeakValueDictionary[_Key, threading.Lock] = WeakValueDictionary()  # only while somebody loads
_loaded = empty_cache()
_opened: dict[str, frozenset[str]] = {}  # for each folder that a model was loaded from, the files that it needed
_guard = threading.Lock()


@cache
def families() -> dict[str, Family[Adapter]]:
    """The model families by name: what lies in `models.families` and names a `FAMILY`, whatever else lies there.

    What cannot be imported is left out, with a warning.
    """
    found: dict[str, Family[Adapter]] = {}
    for module in pkgutil.iter_modules(_families.__path__):
        try:
            family = getattr(importlib.import_module(f"{_families.__name__}.{module.name}"), "FAMILY", None)
        except Exception as error:  # anything at all can be put there
            warnings.warn(f"The model family {module.name} cannot be used: {error}", ModelWarning, stacklevel=2)
            continue
        if isinstance(family, Family):
            found[module.name] = family
    return dict(sorted(found.items(), key=lambda item: (item[1].is_general, item[0])))


def cards() -> tuple[ModelCard, ...]:
    """The cards of all models known by name."""
    return tuple(card for family in families().values() for card in family.cards)


def opposite(card: ModelCard) -> str | None:
    """The listed model that translates back and needs no download, by its name; None where there is none."""
    pair = (card.target_language, card.source_language)
    if None in pair or pair[0] == pair[1] or "align" not in card.can:
        return None
    back = (one for one in cards() if "align" in one.can and one.download_mb is None)
    return next((one.name for one in back if (one.source_language, one.target_language) == pair), None)


def load(name_or_folder: str | Path, *, on_progress: OnProgress | None = None, **options: Any) -> Adapter:
    """The adapter of a model, given its name or a folder that holds one; loaded once a process and shared.

    A folder whose files were exchanged since is loaded anew. `on_progress` is called with (bytes done, bytes in all)
    while a model is downloaded. When the loaded models take more than `memory_limit`, the least recently used are let
    go.

    A model that comes with the package is checked when it is loaded (`self_check`): where it does not do what it should
    a `ModelWarning` says so, and so do its `fault` and each trace that it makes.

    Raises ModelError with one sentence when there is no such model or it cannot be loaded; the next call tries again.
    """
    limit = memory_limit()
    family, place = _find(name_or_folder)
    key = (str(place), tuple(sorted(options.items())))
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        if (adapter := _use(key)) is None or adapter.content != content(place):
            progress = {"on_progress": on_progress} if on_progress is not None and _downloads(family, place) else {}
            adapter = _loaded_from(family, place, {**options, **progress})
            if fault := find_fault(adapter):
                adapter.fault = fault
                warnings.warn(fault, ModelWarning, stacklevel=2)
            _keep(key, adapter, limit)
            release()
        return adapter


def content(name_or_folder: str | Path | Folder) -> str:
    """What the files of a model hold now, as `Adapter.content` says it of a loaded one.

    Empty for a model that was not loaded from a folder. Only files that were touched since are read again.
    """
    if isinstance(name_or_folder, str) and _is_card(name_or_folder):
        return ""
    if (folder := find_folder(name_or_folder)) is None or str(folder) not in _opened:
        return ""
    now = Folder(folder.path)
    now.opened |= _opened[str(folder)]
    try:
        return now.content()
    except (OSError, ModelError):  # a file is gone: whoever loads the model is told which
        return "lost"


def loaded() -> tuple[tuple[str, int], ...]:
    """The loaded models with the bytes that each takes."""
    with _guard:
        return tuple((name, adapter.memory) for (name, _), adapter in _loaded.items())


def memory_limit() -> int:
    """The most bytes that loaded models may take together; one model alone may take more.

    Raises ModelError where what is set in `MEMORY_VARIABLE` is no number of gigabytes.
    """
    if said := os.environ.get(MEMORY_VARIABLE, "").strip():
        try:
            limit = float(said) * 1e9
        except ValueError:
            limit = math.nan
        if not 0 < limit < math.inf:
            raise ModelError(
                f"{MEMORY_VARIABLE} is {quoted(said)}: it has to be a number of gigabytes above 0, such as 8 or 0.5."
            )
        return int(limit)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return 8 * 10**9


def share_cores() -> None:
    """Let PyTorch use no more threads than leave each run its share of the cores. For a server; it holds process-wide.

    Threads that wait for each other on busy cores make one small run many times slower (docs/benchmarks.md).
    """
    import torch

    torch.set_num_threads(max(1, CORES // RUNS_AT_ONCE))


def rerun(trace: Trace) -> Trace:
    """Load the model that a trace names and trace its input again with the same settings.

    The result carries the first one's `offset`, notes and evidence. Raises ModelError when the provenance does not say
    enough, the model cannot be loaded, or its weights are not those that made the trace.
    """
    return _again(trace, {})


def with_projections(trace: Trace) -> Trace:
    """The same trace with the queries and keys behind its maps; of sound with all frames, padding too.

    Raises ModelError as `rerun` does, and where the model shows no more than its weights.
    """
    if all(maps.projections is not None for maps in trace.maps):
        return trace
    return _again(trace, {"keep_projections": True})


def _again(trace: Trace, changes: Mapping[str, Any]) -> Trace:
    try:
        name, digest = trace.provenance["model"], trace.provenance["weights_sha256"]
        settings = {**trace.provenance["settings"], **changes}
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"This trace cannot be run again: its provenance lacks {error}.") from error
    adapter = load(name)
    if settings.get("keep_projections"):
        if "project" not in adapter.card.can:
            raise ModelError("This model shows its weights only, not the queries and keys behind them.")
        settings.pop("crop", None)  # they are kept of whole windows
    settings["kinds"] = tuple(settings["kinds"])
    settings["ablate"] = tuple((kind, layer, head) for kind, layer, head in settings["ablate"])
    again = adapter.trace(trace, **settings)
    if again.provenance["weights_sha256"] != digest:
        raise ModelError(f"This trace was made with other weights of {name} (sha256 {digest[:12]}…).")
    return replace(again, offset=trace.offset, notes=trace.notes, evidence=trace.evidence)


def check_settings() -> None:
    """Raise ModelError, in one sentence, where the environment sets something about models that cannot be."""
    memory_limit()
    root = os.environ.get(ROOT_VARIABLE)
    if root and find_folder(root) is None:
        raise ModelError(f"{ROOT_VARIABLE} is {quoted(root)}: there is no such folder, so no model could be loaded.")


def _loaded_from(family: Family[Adapter], place: str | Folder, options: Mapping[str, Any]) -> Adapter:
    if isinstance(place, str):
        return family.load(place, **options)
    before = place.stamps()
    adapter = family.load(place, **options)
    if place.stamps() != before:
        raise ModelError(f"The files of {place} changed while they were read: try again when they are complete.")
    adapter.content, _opened[str(place)] = place.content(), frozenset(place.opened)
    return adapter


def _use(key: _Key) -> Adapter | None:
    with _guard:
        return _loaded.get(key)


def _keep(key: _Key, adapter: Adapter, limit: int) -> None:
    """Remember a model, and forget the least recently used of the others until all fit."""
    with _guard:
        _loaded[key] = adapter
        while len(_loaded) > 1 and _loaded.currsize > limit:
            _loaded.popitem()  # the least recently used: a run that still uses it keeps it alive


def _find(asked: str | Path) -> tuple[Family[Adapter], str | Folder]:
    """The family of a model, and its name or folder."""
    if isinstance(asked, str) and _is_card(asked):
        return next(family for family in families().values() if family.card_of(asked)), asked
    if (folder := find_folder(asked)) is not None:
        for family in families().values():
            if family.recognises(folder.path):
                return family, folder
        raise ModelError(f"The folder {quoted(asked)} holds no model of a known family ({', '.join(families())}).")
    for family in families().values():
        if isinstance(asked, str) and family.downloads(asked):
            return family, asked
    known = ", ".join(card.name for card in cards())
    raise ModelError(f"There is no model or folder named {quoted(asked)}; the models are {known}.")


def _is_card(name: str) -> bool:
    return any(family.card_of(name) for family in families().values())


def _downloads(family: Family[Adapter], place: str | Folder) -> bool:
    return isinstance(place, str) and family.downloads(place)
