"""Words whose weight a prompt says itself, as people write it for models that draw: "a (blue:1.5) circle"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xattn_viz.models.base import InputError
from xattn_viz.models.diffusion.settings import MOST_WEIGHT
from xattn_viz.tokens import Span

_WEIGHED = re.compile(r"\(([^():]*[^():\s][^():]*):\s*(\d{1,6}(?:\.\d{1,6})?)\s*\)")


@dataclass(frozen=True)
class Weighed:
    """A prompt as the model reads it, `plain`, and where each of its characters stands in what was typed.

    `factors` are the parts of `plain` that are weighed, (start, end) in characters, each with its factor.
    """

    plain: str
    places: tuple[int, ...]
    factors: tuple[tuple[Span, float], ...]

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
        return next((factor for (start, end), factor in self.factors if span[0] < end and span[1] > start), 1.0)


def weighed(text: str) -> Weighed:
    """Read what was typed. Raises InputError for a weight above `MOST_WEIGHT`."""
    plain, places, factors, done = "", list[int](), list[tuple[Span, float]](), 0
    for match in _WEIGHED.finditer(text):
        kept = [*range(done, match.start()), *range(*match.span(1))]
        plain, places = plain + "".join(text[i] for i in kept), places + kept
        factor = float(match[2])
        if factor > MOST_WEIGHT:
            raise InputError(f"A word weighs from 0 to {MOST_WEIGHT:g} times as much: got {match[0]!r:.60}.")
        factors.append(((len(plain) - len(match[1]), len(plain)), factor))
        done = match.end()
    rest = range(done, len(text))
    return Weighed(plain + text[done:], (*places, *rest, len(text)), tuple(factors))
