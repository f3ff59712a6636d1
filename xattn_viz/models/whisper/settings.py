"""The settings of a run: checked once, and written down so that the run can be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers
from numpy.typing import NDArray

from xattn_viz.maps import MapKind
from xattn_viz.models.base import Head, InputError, ModelCard, ModelError

MOST_BEAMS = 16


@dataclass(frozen=True)
class Size:
    """How many layers and heads a model has for each kind of map, and how many tokens it knows."""

    layers: Mapping[MapKind, int]
    heads: Mapping[MapKind, int]
    vocabulary: int


@dataclass(frozen=True)
class Settings:
    """What `trace` was asked for; `options` are the card's own, each with a value.

    `crop` leaves the padding out of the maps, `offset` is where the window begins, in seconds of the whole.
    """

    target: str | None = None
    prefix: str | tuple[int, ...] | None = None
    num_beams: int = 1
    kinds: tuple[MapKind, ...] = ("cross",)
    ablate: tuple[Head, ...] = ()
    keep_projections: bool = False
    hypothesis: int = 0
    max_new_tokens: int | None = None
    offset: float = 0.0
    options: Mapping[str, str | bool] = field(default_factory=dict)

    @property
    def crop(self) -> bool:
        """Whether the padding is left out."""
        return bool(self.options.get("crop", False))

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of `trace` as JSON values."""
        values = {**asdict(self), **self.options}
        del values["options"]
        prefix = list(self.prefix) if isinstance(self.prefix, tuple) else self.prefix
        return {**values, "prefix": prefix, "kinds": list(self.kinds), "ablate": [list(head) for head in self.ablate]}


def check(
    card: ModelCard,
    size: Size,
    options: Mapping[str, Any],
    *,
    target: str | None,
    prefix: str | Sequence[int] | None,
    num_beams: int,
    kinds: Sequence[MapKind],
    ablate: Sequence[Head],
    keep_projections: bool,
) -> Settings:
    """The settings. Raises ModelError with one sentence about what this model cannot do, InputError for no prefix."""
    begin = _prefix(prefix, size.vocabulary)
    if target is not None and begin:
        raise ModelError("Give a target or a prefix, not both: a target is the whole output.")
    if isinstance(kinds, str) or not kinds or len(set(kinds)) != len(kinds):
        raise ModelError(f"Ask for one or more kinds of map, each once, such as ('cross',): got {kinds!r}.")
    for kind in kinds:
        _check_kind(kind, card)
    for kind, layer, head in ablate:
        _check_kind(kind, card)
        if not (0 <= layer < size.layers[kind] and 0 <= head < size.heads[kind]):
            last = f"{size.layers[kind] - 1} and heads 0 to {size.heads[kind] - 1}"
            raise ModelError(f"There is no {kind} head ({layer}, {head}) to ablate: layers are 0 to {last}.")
    rest = dict(options)
    num_beams = _whole(num_beams, "num_beams", 1, MOST_BEAMS)
    hypothesis = _whole(rest.pop("hypothesis", 0), "hypothesis", 0, num_beams - 1)
    most = rest.pop("max_new_tokens", None)
    most = None if most is None else _whole(most, "max_new_tokens", 1, 100_000)
    offset = rest.pop("offset", 0.0)
    if not isinstance(offset, int | float) or not 0 <= offset < 1e9:
        raise ModelError(f"The offset of a window is in seconds from 0: got {offset!r}.")
    chosen = _options(card, rest)
    if chosen.get("crop") and keep_projections:
        raise ModelError("Queries and keys are kept for whole windows only: leave crop off.")
    heads = tuple(sorted(set(ablate)))
    return Settings(
        target, begin, num_beams, tuple(kinds), heads, keep_projections, hypothesis, most, float(offset), chosen
    )


def _prefix(prefix: object, vocabulary: int) -> str | tuple[int, ...] | None:
    if prefix is None or isinstance(prefix, str):
        return prefix or None
    if not isinstance(prefix, Sequence) or isinstance(prefix, bytes):
        raise InputError(f"A prefix must be text or a list of token ids, not {type(prefix).__name__}.")
    for place, token in enumerate(prefix):
        if type(token) is not int or not 0 <= token < vocabulary:
            wanted = f"whole numbers from 0 to {vocabulary - 1:,}"
            raise InputError(f"A prefix of token ids holds {wanted}: got {token!r:.40} at place {place}.")
    return tuple(prefix) or None


def _options(card: ModelCard, given: dict[str, Any]) -> dict[str, str | bool]:
    chosen: dict[str, str | bool] = {}
    for option in card.options:
        value = given.pop(option.name, option.default)
        if isinstance(option.default, bool):
            if not isinstance(value, bool):
                raise ModelError(f"{option.name} is True or False: got {value!r}.")
        elif not isinstance(value, str) or value not in option.choices:
            some = ", ".join(option.choices[:12]) + (", …" if len(option.choices) > 12 else "")
            raise ModelError(f"{card.title} has no {option.title.lower()} {value!r}; there are {some}.")
        chosen[option.name] = value
    if given:
        known = ", ".join([*(option.name for option in card.options), "hypothesis", "max_new_tokens", "offset"])
        raise ModelError(f"{card.title} has no option {min(given)!r}; its options: {known}.")
    return chosen


def _whole(value: object, name: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ModelError(f"{name} must be a whole number from {least} to {most:,}: got {value!r}.")
    return value


def _check_kind(kind: str, card: ModelCard) -> None:
    if kind not in card.kinds:
        raise ModelError(f"There is no kind of map {kind!r}; this model has {', '.join(card.kinds)}.")


@dataclass(frozen=True)
class Identity:
    """Which model this is: its name, commit on the hub (None elsewhere), weights, and where and how it runs."""

    name: str
    revision: str | None
    weights_sha256: str
    dtype: str
    device: str
    notes: tuple[str, ...] = ()


def provenance(
    identity: Identity,
    settings: Settings,
    decoding: Mapping[str, Any],
    shown: NDArray[np.float32],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Everything needed to run again, as JSON values; `settings` are the keywords of `trace`."""
    return {
        "model": identity.name,
        "revision": identity.revision,
        "weights_sha256": identity.weights_sha256,
        "versions": {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "numpy": np.__version__,
        },
        "dtype": identity.dtype,
        "device": identity.device,
        "decoding": dict(decoding),
        "settings": settings.as_keywords(),
        "input_sha256": hashlib.sha256(shown.tobytes()).hexdigest(),
        "notes": [*identity.notes, *notes],
    }
