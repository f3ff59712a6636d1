"""Words whose weight a prompt says itself, as people write it for models that draw: "a (blue:1.5) circle"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from math import isinf, isnan

from xattn_viz.core.tokens import Span
from xattn_viz.models.families.diffusion.settings import MOST_WEIGHT

_LONGEST = 24  # characters that a number may have
_SHOWN = 40  # characters of a weight in a sentence about it
_BARE = re.compile(r":[-+\u2212]?[.\d]\S{0,23}", re.ASCII)


@dataclass(frozen=True)
class Weighed:
    """A prompt as the model reads it, `plain`, and where each of its characters stands in what was typed.

    `factors` says how many times as much each character of `plain` weighs. `faults` are the weights that cannot be,
    each as it was typed and why.
    """

    plain: str
    places: tuple[int, ...]
    factors: tuple[float, ...]
    faults: tuple[str, ...] = ()

    def typed(self, spans: Sequence[Span]) -> tuple[Span, ...]:
        """Spans of `plain` as spans of what was typed, without the white space that a token begins or ends with."""
        return tuple(map(self._typed, spans))

    def _typed(self, span: Span) -> Span:
        start, end = span
        covered = self.plain[start:end]
        start, end = end - len(covered.lstrip()), start + len(covered.rstrip())
        return (self.places[start], self.places[end - 1] + 1) if end > start else (self.places[start],) * 2

    def factor(self, span: Span) -> float:
        """The factor of a token that covers a span of `plain`; 1 unless the prompt says otherwise."""
        return next((factor for factor in self.factors[slice(*span)] if factor != 1), 1.0)


@dataclass
class _Bracket:
    """Where a bracket opens, its last colon that is in no other one, and where it closes; -1 for what is missing."""

    start: int
    colon: int = -1
    end: int = -1
    is_around: bool = False  # another weight


def weighed(text: str, *, has_brackets: bool = True) -> Weighed:
    """Read what was typed, each character once.

    Brackets with a number behind their last colon are a weight. All others are text where `has_brackets` says that the
    model reads such signs; where not, those with a colon are a weight that went wrong, and a number behind any other
    colon is one without brackets.
    """
    is_text = bytearray(b"\1") * len(text)
    weights: list[_Bracket] = []  # of those around each other the outermost
    for bracket in _brackets(text):
        is_weight = bracket.colon >= 0 and (not has_brackets or _number(text, bracket) is not None)
        if not is_weight or not is_text[bracket.start]:
            continue
        _strike(is_text, bracket.start, bracket.start + 1)
        _strike(is_text, bracket.colon, len(text) if bracket.end < 0 else bracket.end + 1)
        if weights and (weights[-1].end < 0 or bracket.start < weights[-1].end):
            weights[-1].is_around = True
        else:
            weights.append(bracket)
    factors, faults = [1.0] * len(text), list[str]()
    for weight in weights:
        if why := _fault(text, weight):
            faults.append(f"{_shown(text, weight.start, weight.end)}, {why}")
        else:
            factors[weight.start : weight.colon] = [_number(text, weight) or 0.0] * (weight.colon - weight.start)
    if not has_brackets:
        for bare in _BARE.finditer(text):
            if is_text[bare.start()]:
                faults.append(f"{bare[0]!r}, which stands in no brackets with its word")
                _strike(is_text, *bare.span())
    places = [*compress(range(len(text)), is_text)]
    plain, of_plain = "".join(text[i] for i in places), tuple(factors[i] for i in places)
    return Weighed(plain, (*places, len(text)), of_plain, tuple(faults))


def _strike(is_text: bytearray, start: int, end: int) -> None:
    is_text[start:end] = bytes(end - start)


def _brackets(text: str) -> list[_Bracket]:
    """All brackets that open, in their order."""
    found: list[_Bracket] = []
    still_open: list[_Bracket] = []
    for place, sign in enumerate(text):
        if sign == "(":
            found.append(_Bracket(place))
            still_open.append(found[-1])
        elif sign == ":" and still_open:
            still_open[-1].colon = place
        elif sign == ")" and still_open:
            still_open.pop().end = place
    return found


def _number(text: str, bracket: _Bracket) -> float | None:
    """What stands between the colon and the end, as a number; None where it is none."""
    if not 0 <= bracket.end - bracket.colon <= _LONGEST:
        return None
    try:
        return float(text[bracket.colon + 1 : bracket.end].replace("\u2212", "-").replace("\u221e", "inf"))
    except ValueError:
        return None


def _fault(text: str, weight: _Bracket) -> str:
    """Why a weight cannot be; empty where it can."""
    factor = _number(text, weight)
    if weight.end < 0:
        return "whose bracket is not closed"
    if weight.is_around:
        return "which stands around another weight"
    if factor is None or isnan(factor):
        return "which is no number"
    if isinf(factor):
        return "which is infinite"
    if not 0 <= factor <= MOST_WEIGHT:
        return "which is negative" if factor < 0 else "which is too much"
    has_word = any(not (sign.isspace() or sign in "(:)") for sign in text[weight.start : weight.colon])
    return "" if has_word else "which weighs no word"


def _shown(text: str, start: int, end: int) -> str:
    stop = len(text) if end < 0 else end + 1
    return repr(text[start:stop] if stop - start <= _SHOWN else f"{text[start : start + _SHOWN]}…")
