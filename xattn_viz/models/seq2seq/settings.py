"""The settings of a run: checked once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from xattn_viz.maps import MapKind
from xattn_viz.models.base import Head, ModelCard, ModelError
from xattn_viz.models.segments import check_prefix


@dataclass(frozen=True)
class Size:
    """How many layers a model has of each kind of map, and how many heads in each of them.

    `vocabulary` is how many ids it chooses among, `source` and `output` how many tokens it can read and write.
    """

    layers: Mapping[MapKind, int]
    heads: Mapping[MapKind, int]
    vocabulary: int
    source: int
    output: int


@dataclass(frozen=True)
class Settings:
    """What `trace` was asked for; `options` are those of the card, each with a value."""

    target: str | None = None
    prefix: str | tuple[int, ...] | None = None
    num_beams: int = 1
    kinds: tuple[MapKind, ...] = ("cross",)
    ablate: tuple[Head, ...] = ()
    keep_projections: bool = False
    hypothesis: int = 0
    max_new_tokens: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of `trace` as JSON values."""
        values = {**asdict(self), **self.options}
        del values["options"]
        prefix = list(self.prefix) if isinstance(self.prefix, tuple) else self.prefix
        return {**values, "prefix": prefix, "kinds": list(self.kinds), "ablate": [list(head) for head in self.ablate]}


def check(
    card: ModelCard,
    size: Size,
    native: bool,
    options: Mapping[str, Any],
    *,
    target: str | None,
    prefix: str | Sequence[int] | None,
    num_beams: int,
    kinds: Sequence[MapKind],
    ablate: Sequence[Head],
    keep_projections: bool,
) -> Settings:
    """The settings, or ModelError with one sentence about what this model cannot do.

    `native` says that the model runs with the library's own attention, which neither ablates nor hands out q and k.
    A prefix that holds no token ids raises InputError.
    """
    begin = check_prefix(prefix, size.vocabulary)
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
    if native and (ablate or keep_projections):
        raise ModelError(f"{card.title} shows its maps only: its heads cannot be ablated, nor its q and k kept.")
    rest = dict(options)
    num_beams = _whole(num_beams, "num_beams", 1, card.most_beams)
    hypothesis = _whole(rest.pop("hypothesis", 0), "hypothesis", 0, num_beams - 1)
    most = rest.pop("max_new_tokens", None)
    most = None if most is None else _whole(most, "max_new_tokens", 1, 100_000)
    heads = tuple(sorted(set(ablate)))
    chosen = _options(card, rest)
    return Settings(target, begin, num_beams, tuple(kinds), heads, keep_projections, hypothesis, most, chosen)


def _options(card: ModelCard, given: dict[str, Any]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for option in card.options:
        value = given.pop(option.name, option.default)
        free = option.name == "task_prefix"  # its choices are only those that the checkpoint names
        if not isinstance(value, str) or not (free or value in option.choices):
            some = ", ".join(option.choices[:12]) + (", …" if len(option.choices) > 12 else "")
            raise ModelError(f"{card.title} has no {option.title.lower()} {value!r}; there are {some}.")
        chosen[option.name] = value
    if given:
        known = ", ".join([*(option.name for option in card.options), "hypothesis", "max_new_tokens"])
        raise ModelError(f"{card.title} has no option {min(given)!r}; its options: {known}.")
    return chosen


def _whole(value: object, name: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ModelError(f"{name} must be a whole number from {least} to {most:,}: got {value!r}.")
    return value


def _check_kind(kind: str, card: ModelCard) -> None:
    if kind not in card.kinds:
        raise ModelError(f"There is no kind of map {kind!r}; this model has {', '.join(card.kinds)}.")
