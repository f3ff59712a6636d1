"""What a run was asked for, checked once (`Adapter.check`), and how that is written down to run it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

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
