"""What `trace` was asked for, checked once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xattn_viz.core.maps import MapKind
from xattn_viz.core.messages import quoted
from xattn_viz.models.base import Head, InputError, ModelCard, ModelError
from xattn_viz.models.families.diffusion.sites import Site

MOST_STEPS, MOST_GUIDANCE, MOST_WEIGHT = 100, 20.0, 10.0


@dataclass(frozen=True)
class Settings:
    """What `trace` was asked for; see there."""

    seed: int
    steps: int
    guidance: float
    negative_prompt: str
    weights: Mapping[int, float]
    ablate: tuple[Head, ...]

    @property
    def is_guided(self) -> bool:
        """Whether the model also draws without the prompt, to be pushed away from that."""
        return self.guidance > 1

    def as_keywords(self) -> dict[str, Any]:
        """The keywords of `trace` as JSON values."""
        return {
            "seed": self.seed,
            "steps": self.steps,
            "guidance": self.guidance,
            "negative_prompt": self.negative_prompt,
            "weights": {str(word): factor for word, factor in self.weights.items()},
            "kinds": ["cross"],
            "ablate": [list(head) for head in self.ablate],
        }


def check(
    card: ModelCard,
    sites: Sequence[Site],
    options: Mapping[str, Any],
    *,
    kinds: Sequence[MapKind] = ("cross",),
    ablate: Sequence[Head] = (),
    keep_projections: bool = False,
    **of_text: Any,
) -> Settings:
    """The settings. Raises ModelError with one sentence about what this model cannot do or does not have.

    `of_text` are the keywords of models that write: InputError where one of them asks for anything.
    """
    for name, value in of_text.items():
        if value not in (None, "", 1):
            raise InputError(f"{card.title} draws and writes no text: leave {name} away.")
    if keep_projections:
        raise ModelError("This model shows its weights only, not the queries and keys behind them.")
    if tuple(kinds) != ("cross",):
        raise ModelError(f"There are no maps of kinds {quoted(kinds)}; this model has ('cross',).")
    given = {option.name: option.default for option in card.options}
    known = {*given, "negative_prompt", "weights"}
    if unknown := options.keys() - known:
        raise ModelError(f"{card.title} has no option {quoted(min(unknown))}; its options: {', '.join(sorted(known))}.")
    given.update(options)
    guidance = _number(given["guidance"], "guidance", 1, MOST_GUIDANCE)
    negative = given.get("negative_prompt") or ""
    if negative and guidance == 1:
        raise ModelError("A negative prompt works by guidance: give a guidance above 1, or leave it away.")
    return Settings(
        int(_number(given["seed"], "seed", 0, 2**32 - 1, whole=True)),
        int(_number(given["steps"], "steps", 1, MOST_STEPS, whole=True)),
        guidance,
        str(negative),
        _weights(given.get("weights") or {}),
        _heads(ablate, sites),
    )


def _number(value: object, name: str, least: float, most: float, *, whole: bool = False) -> float:
    """A number, or what says one in a list of choices."""
    try:
        said = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        said = None
    if said is None or not least <= said <= most or (whole and said != int(said)):
        kind = "whole number" if whole else "number"
        raise ModelError(f"{name} must be a {kind} from {least:,} to {most:,}: got {value!r:.40}.")
    return said


def _weights(given: object) -> dict[int, float]:
    if not isinstance(given, Mapping):
        raise ModelError(f"weights are a factor for each word's number, such as {{2: 1.5}}: got {given!r:.40}.")
    return {
        int(_number(word, "A word's number", 0, 10_000, whole=True)): _number(factor, "A weight", 0, MOST_WEIGHT)
        for word, factor in given.items()
    }


def _heads(ablate: Collection[Head], sites: Sequence[Site]) -> tuple[Head, ...]:
    for kind, layer, head in ablate:
        if kind != "cross" or not 0 <= layer < len(sites):
            raise ModelError(f"There is no {kind} layer {layer} to ablate: cross layers are 0 to {len(sites) - 1}.")
        if not 0 <= head < sites[layer].heads:
            raise ModelError(
                f"There is no head {head} to ablate: layer {layer} has heads 0 to {sites[layer].heads - 1}."
            )
    return tuple(sorted(set(ablate)))
