"""What a run was asked for, checked once (`Adapter.check`), which model ran, and all that is needed to run it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from xattn_viz.core.maps import MapKind
from xattn_viz.inputs import InputError
from xattn_viz.inputs.text import check_text

#: An attention head to switch off: (kind of map, layer, head), layer and head from 0.
Head = tuple[MapKind, int, int]


@dataclass(frozen=True)
class Size:
    """How many heads each layer of each kind of map has, how many ids a model knows, and of how many tokens.

    It reads at most `source` tokens and writes at most `output`; 0 where its family bounds them otherwise.
    """

    heads: Mapping[MapKind, tuple[int, ...]]
    vocabulary: int = 0
    source: int = 0
    output: int = 0


@dataclass(frozen=True)
class Settings:
    """What `trace` was asked for.

    `prefix` is text or token ids. `hypothesis` says which of the outputs that a search keeps is shown, 0 for the best,
    `max_new_tokens` how many tokens are written at most, None for as many as the model says itself. `options` are those
    of the card, each with a value, and what else a family takes.
    """

    target: str | None = None
    prefix: str | tuple[int, ...] | None = None
    num_beams: int = 1
    kinds: tuple[MapKind, ...] = ("cross",)
    ablate: tuple[Head, ...] = ()
    keep_projections: bool = False
    hypothesis: int = 0
    max_new_tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def choice(self, option: str) -> str | None:
        """What was chosen of an option in words; None where the model does not have it."""
        value = self.options.get(option)
        return value if isinstance(value, str) else None

    def ablated(self, kind: MapKind) -> dict[int, list[int]]:
        """The heads that are switched off, by their layer of a kind of map."""
        off: dict[int, list[int]] = {}
        for its_kind, layer, head in self.ablate:
            if its_kind == kind:
                off.setdefault(layer, []).append(head)
        return off

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of `trace` as JSON values."""
        values = {**asdict(self), **self.options}
        del values["options"]
        prefix = list(self.prefix) if isinstance(self.prefix, tuple) else self.prefix
        return {**values, "prefix": prefix, "kinds": list(self.kinds), "ablate": [list(head) for head in self.ablate]}


def check_prefix(prefix: object, vocabulary: int) -> str | tuple[int, ...] | None:
    """The start of an output as text or as token ids below `vocabulary`; None where nothing was given.

    Raises InputError naming what is wrong.
    """
    if prefix is None or isinstance(prefix, str):
        return check_text(prefix, "prefix") if prefix else None
    if not isinstance(prefix, Sequence) or isinstance(prefix, bytes):
        raise InputError(f"A prefix must be text or a list of token ids, not {type(prefix).__name__}.")
    for place, token in enumerate(prefix):
        if type(token) is not int or not 0 <= token < vocabulary:
            wanted = f"whole numbers from 0 to {vocabulary - 1:,}"
            raise InputError(f"A prefix of token ids holds {wanted}: got {token!r:.40} at place {place}.")
    return tuple(prefix) or None


@dataclass(frozen=True)
class Identity:
    """Which model this is: its name, commit on the hub (None elsewhere), weights, and where and how it runs."""

    name: str
    revision: str | None
    weights_sha256: str
    dtype: str
    device: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Any, name: str, commit: str | None, digest: str, notes: Sequence[str] = ()) -> Identity:
        """That of a loaded model of transformers."""
        dtype = str(model.dtype).removeprefix("torch.")
        return cls(name, commit, digest, dtype, model.device.type, tuple(notes))


def provenance(
    identity: Identity,
    settings: Mapping[str, Any],
    decoding: Mapping[str, Any],
    shown: str | NDArray[Any],
    libraries: Sequence[ModuleType],
) -> dict[str, Any]:
    """Everything needed to run again, as JSON values; `settings` are the keywords of `trace`, `shown` its input."""
    return {
        "model": identity.name,
        "revision": identity.revision,
        "weights_sha256": identity.weights_sha256,
        "versions": {library.__name__: library.__version__ for library in libraries},
        "dtype": identity.dtype,
        "device": identity.device,
        "decoding": dict(decoding),
        "settings": dict(settings),
        "input_sha256": hashlib.sha256(shown.encode() if isinstance(shown, str) else shown.tobytes()).hexdigest(),
    }
