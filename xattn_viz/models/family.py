"""What a family of models has in common: its cards, which folders and names are its own, and how they are loaded."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from xattn_viz.models import hub
from xattn_viz.models.base import Adapter, ModelCard, ModelError
from xattn_viz.models.folder import Folder
from xattn_viz.models.hub.files import configuration

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
        adapter: AnyAdapter = self._module("loading").load(name_or_folder, **options)
        return adapter

    def example(self) -> AnyAdapter:
        """A tiny model with random weights that runs anywhere, for tests."""
        adapter: AnyAdapter = self._module("loading").tiny()
        return adapter

    def _module(self, name: str) -> Any:
        for library, sentence in self.needs.items():
            if importlib.util.find_spec(library) is None:
                raise ModelError(sentence)
        return importlib.import_module(f"{self.package}.{name}")
