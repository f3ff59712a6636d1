"""What `trace` was asked for, checked once: what the families have in common of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from xattn_viz.core.maps import MapKind
from xattn_viz.core.messages import quoted
from xattn_viz.models.base import Head, InputError, ModelCard, ModelError
from xattn_viz.models.engine.text import check_prefix
from xattn_viz.shapes.sentence import too_long


@dataclass(frozen=True)
class Size:
    """How many layers a model has of each kind of map, how many heads in each of them, and how many ids it knows."""

    layers: Mapping[MapKind, int]
    heads: Mapping[MapKind, int]
    vocabulary: int


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
    options: Mapping[str, str | bool] = field(default_factory=dict)

    def chosen(self, option: str) -> str | None:
        """What was chosen of an option in words; None where the model does not have it."""
        value = self.options.get(option)
        return value if isinstance(value, str) else None

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
    target: str | None = None,
    prefix: str | Sequence[int] | None = None,
    num_beams: int = 1,
    kinds: Sequence[MapKind] = ("cross",),
    ablate: Sequence[Head] = (),
    keep_projections: bool = False,
    also: Sequence[str] = (),
    free: Collection[str] = (),
) -> Settings:
    """The settings. Raises ModelError with one sentence about what this model cannot do, InputError for no prefix.

    `also` are options that the family has taken out of `options` itself, `free` those that need not be one of their
    choices.
    """
    check_maps(card, size, kinds, ablate)
    rest = dict(options)
    num_beams = _whole(num_beams, "num_beams", 1, card.most_beams)
    hypothesis = _whole(rest.pop("hypothesis", 0), "hypothesis", 0, num_beams - 1)
    most = rest.pop("max_new_tokens", None)
    return Settings(
        target,
        check_beginning(target, prefix, size.vocabulary),
        num_beams,
        tuple(kinds),
        tuple(sorted(set(ablate))),
        keep_projections,
        hypothesis,
        None if most is None else _whole(most, "max_new_tokens", 1, 100_000),
        check_options(card, rest, also=("hypothesis", "max_new_tokens", *also), free=free),
    )


def check_beginning(target: str | None, prefix: object, vocabulary: int) -> str | tuple[int, ...] | None:
    """The prefix, as `check_prefix` gives it; ModelError where a target was given as well."""
    begin = check_prefix(prefix, vocabulary)
    if target is not None and begin:
        raise ModelError("Give a target or a prefix, not both: a target is the whole output.")
    return begin


def check_maps(card: ModelCard, size: Size, kinds: Sequence[MapKind], ablate: Sequence[Head]) -> None:
    """Raise ModelError where a kind of map or a head to ablate is none of the model's."""
    if isinstance(kinds, str) or not kinds or len(set(kinds)) != len(kinds):
        raise ModelError(f"Ask for one or more kinds of map, each once, such as ('cross',): got {quoted(kinds)}.")
    for kind in (*kinds, *(head[0] for head in ablate)):
        if kind not in card.kinds:
            raise ModelError(f"There is no kind of map {quoted(kind)}; this model has {', '.join(card.kinds)}.")
    for kind, layer, head in ablate:
        if not (0 <= layer < size.layers[kind] and 0 <= head < size.heads[kind]):
            last = f"{size.layers[kind] - 1} and heads 0 to {size.heads[kind] - 1}"
            raise ModelError(f"There is no {kind} head ({layer}, {head}) to ablate: layers are 0 to {last}.")


def check_options(
    card: ModelCard, given: Mapping[str, Any], *, also: Sequence[str] = (), free: Collection[str] = ()
) -> dict[str, str | bool]:
    """A value for each option of the card; ModelError for one that is none of them, or of its choices."""
    if unknown := given.keys() - {option.name for option in card.options}:
        known = ", ".join([*(option.name for option in card.options), *also])
        raise ModelError(f"{card.title} has no option {quoted(min(unknown))}; its options: {known}.")
    chosen: dict[str, str | bool] = {}
    for option in card.options:
        value = chosen[option.name] = given.get(option.name, option.default)
        if isinstance(option.default, bool):
            if not isinstance(value, bool):
                raise ModelError(f"{option.name} is True or False: got {quoted(value)}.")
        elif not option.choices or option.name in free:
            _check_option_text(option.name, value)
        elif not isinstance(value, str) or value not in option.choices:
            some = ", ".join(option.choices[:12]) + (", …" if len(option.choices) > 12 else "")
            raise ModelError(f"{card.title} has no {option.title.lower()} {quoted(value)}; there are {some}.")
    return chosen


def _check_option_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ModelError(f"{name} is a text: got {quoted(value)}.")
    if said := too_long(value, name):
        raise InputError(said)


def _whole(value: object, name: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ModelError(f"{name} must be a whole number from {least} to {most:,}: got {quoted(value)}.")
    return value
