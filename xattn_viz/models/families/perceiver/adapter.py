"""Traces from a Perceiver: the patches or pixels of a picture that it reads, the maps of one pass, and its answer.

The answer in words: what lies at each place, or what a picture shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from xattn_viz.attention.capture import Site
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.trace import Answer as Answered
from xattn_viz.core.trace import Note, Trace
from xattn_viz.inputs import InputError
from xattn_viz.models import out_of_distribution
from xattn_viz.models.base import Adapter, Hooks, ModelCard
from xattn_viz.models.engine.results import HALF_ABOVE, LIBRARIES, attention_maps
from xattn_viz.models.families.perceiver.network import Watch, watching
from xattn_viz.models.preprocessor import Preprocessor
from xattn_viz.models.provenance import Identity, Settings, Size, provenance
from xattn_viz.models.resources import bytes_held, check_free, run_slot
from xattn_viz.shapes.judge import NOTHING, regions
from xattn_viz.shapes.sentence import with_article

#: How many of a classifier's classes are told.
TOLD = 5
_ROWS, _COLUMNS = ("top", "", "bottom"), ("left", "", "right")


class Answer(NamedTuple):
    """The answer in a sentence, what was asked (the queries of the decoder), and answers with their probabilities."""

    text: str
    asked: Axis
    likely: list[tuple[str, float]]


class Question(Protocol):
    """What the queries of a model's decoder ask."""

    def answer(self, logits: Tensor) -> Answer:
        """The answer in a model's logits for one picture."""


@dataclass(frozen=True)
class ThingsByPlace:
    """What lies at each place of a square grid of `places` rows: nothing, or one of `colours` and one of `shapes`."""

    places: int
    colours: tuple[str, ...]
    shapes: tuple[str, ...]

    def answer(self, logits: Tensor) -> Answer:
        """The answer of logits `[place, answer]`: nothing, then the colours, then the shapes.

        `likely` holds the likeliest answer at each place. A thing's probability is the product of its colour's and its
        shape's.
        """
        seen, formed = logits.tensor_split([1 + len(self.colours)], 1)
        colours, shapes = (part.softmax(1).max(1) for part in (seen, formed))
        likely = [
            (f"{self.colours[colour - 1]} {self.shapes[shape]}", p * q) if colour else (NOTHING, p)
            for colour, p, shape, q in zip(
                *(part.tolist() for part in (colours.indices, colours.values, shapes.indices, shapes.values)),
                strict=True,
            )
        ]
        labels = tuple(label for label, _ in likely)
        asked = Axis("image", labels=labels, grid=(self.places, self.places))
        return Answer(said(np.array(labels).reshape(self.places, self.places)), asked, likely)


@dataclass(frozen=True)
class WhatItShows:
    """Which of these classes a picture shows."""

    classes: tuple[str, ...]

    def answer(self, logits: Tensor) -> Answer:
        """The answer of logits `[class]`; `likely` holds the first `TOLD` classes, the likeliest first."""
        best = logits.softmax(0).topk(min(TOLD, len(self.classes)))
        likely = [(self.classes[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
        text = likely[0][0]
        return Answer(text, Axis("text", labels=(text,), spans=((0, len(text)),)), likely)


def said(there: NDArray[np.str_]) -> str:
    """What lies where, in a sentence, from what lies at each place `[row, column]`."""
    phrases = [f"{with_article(name)} {_whereabouts(*middle)}" for name, middle in things(there)]
    if not phrases:
        return NOTHING
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def things(there: NDArray[np.str_]) -> list[tuple[str, tuple[float, float]]]:
    """The things on a grid `[row, column]` of what lies at each place, and the middle of each as shares of the sides.

    A thing is all places of one answer that touch, by their sides or their corners. From top to bottom, then from left
    to right, by their first place; the middle is (row, column).
    """
    found = []
    for name in set(there.flat) - {NOTHING}:
        for region in regions(there == name):
            places = np.argwhere(region)
            row, column = (places + 0.5).mean(0) / there.shape
            found.append((tuple(places[0]), (str(name), (float(row), float(column)))))
    return [thing for _, thing in sorted(found)]


def _whereabouts(row: float, column: float) -> str:
    """Where a middle lies, by thirds of the picture."""
    words = [word for word in (_ROWS[int(3 * row)], _COLUMNS[int(3 * column)]) if word]
    return f"at the {' '.join(words)}" if words else "in the middle"


#: The most rows and columns of keys that maps keep: pixels beyond are summed up into square patches.
MOST_SIDE = 56
#: Only where a trace takes more bytes is the free memory looked at.
LARGE = 1 << 26
_COPIES = 5  # of these weights at a time: the library's scores and weights, ours, and what the softmax needs


@dataclass(frozen=True)
class Inputs:
    """The grid of a model's inputs, `rows` and `columns` of them, and how many of each side make one key of a map."""

    rows: int
    columns: int
    merged: int

    @classmethod
    def of(cls, size: tuple[int, int], positions: int) -> Inputs:
        """Those of a picture of `size`, rows and columns of pixels, that becomes so many positions.

        Raises ValueError where they are no grid of squares.
        """
        # A convolution loses a row or two at the edges: the side of a square is no whole number of pixels then.
        rows, columns = (round((positions * one / other) ** 0.5) for one, other in (size, size[::-1]))
        if rows * columns != positions:
            raise ValueError(f"it reads {positions} positions of {size[1]} × {size[0]} pixels, which are no patches")
        return cls(rows, columns, -(-max(rows, columns) // MOST_SIDE))

    @property
    def axis(self) -> Axis:
        """The keys of a map, patches of the picture row by row."""
        return Axis.picture(-(-self.rows // self.merged), -(-self.columns // self.merged))

    @property
    def pool(self) -> Callable[[Tensor], Tensor] | None:
        """From weights on all inputs to those on the keys of a map; None where they are the same."""
        return None if self.merged == 1 else self._pool

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of it."""
        if self.merged == 1:
            return ()
        return (f"The model reads single pixels; the weights on {self.merged} × {self.merged} of them are summed up.",)

    def check_memory(self, heads: int, latents: int, besides: int = 0) -> None:
        """Raise InputError where the weights of the latents on the inputs would not fit into the free memory.

        `besides` are the bytes of other maps that are to be kept.
        """
        needed = _COPIES * 4 * heads * latents * self.rows * self.columns + besides
        if needed > LARGE:
            what = f"{latents:,} latents that read {self.rows * self.columns:,} positions"
            check_free(needed, f"Tracing {what}", "close other programs, or choose a smaller model", InputError)

    def _pool(self, weights: Tensor) -> Tensor:
        """Weights `[batch, head, latent, input]` as `[batch, head, latent, key]`; rows keep their sums."""
        size = self.merged
        grid = weights.reshape(1, -1, self.rows, self.columns)
        grid = pad(grid, (0, -self.columns % size, 0, -self.rows % size))
        return avg_pool2d(grid, size, divisor_override=1).reshape(*weights.shape[:-1], -1)


@dataclass(frozen=True)
class Model:
    """A loaded Perceiver: what each attention of one pass is, in order, what it reads, and what it is asked."""

    network: Any
    preprocessor: Preprocessor
    inputs: Inputs
    question: Question
    sites: tuple[Site, ...]
    size: Size
    identity: Identity


class PerceiverAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    def __init__(self, card: ModelCard, model: Model) -> None:
        # Of weights that are summed up there are no queries and keys.
        self.card = card if model.inputs.merged == 1 else replace(card, can=card.can - {"project"})
        self.model, self.size, self.memory = model, model.size, bytes_held(model.network)
        latents = model.network.config.num_latents
        self._latents = Axis("latent", labels=tuple(f"latent {number}" for number in range(1, latents + 1)))

    def check(self, *, keep_projections: bool = False, **asked: Any) -> Settings:
        """As `Adapter.check`: of what is summed up, the maps without queries and keys are traced all the same."""
        return super().check(keep_projections=keep_projections and "project" in self.card.can, **asked)

    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:
        """Look at a picture and return the answer and the maps; see `Adapter.trace`.

        Of the kinds, "cross" are the latents that read patches of the picture, "encoder" the
        latents that read each other, and "decoder" the queries of the decoder (the places of the picture, or the one
        of a classifier) that read latents: cross-attention too. Nothing is written token by token, so the trace has no
        steps; `answers` holds one for each place, or the likeliest classes.
        Where an input is a single pixel, weights are summed up over squares of them, and queries and keys not kept.

        Raises InputError for what is no picture, and for a `target` or a `prefix`.
        """
        picture = self.model.preprocessor.fit(input)
        self._check_memory(settings)
        with run_slot(hooks.on_step), torch.inference_mode():
            hooks.report(0, len(self.model.sites))
            logits, watch = self._look(self.model.preprocessor.values(picture, self.model.network), settings, hooks)
        answer = self.model.question.answer(logits)
        maps = tuple(self._maps(kind, watch, answer, settings) for kind in settings.kinds)
        said = provenance(
            self.model.identity,
            settings.as_keywords(),
            {"method": "none: all is answered at once"},
            picture,
            LIBRARIES,
        )
        answers = tuple(Answered(text, probability) for text, probability in answer.likely)
        notes: tuple[str | Note, ...] = (
            *self.model.identity.notes,
            *out_of_distribution.notes(self.card, picture),
            *self.model.inputs.notes,
        )
        return Trace(maps, picture, answer.text, provenance=said, answers=answers).with_notes(*notes)

    def _check_memory(self, settings: Settings) -> None:
        """Raise InputError where the maps, and what the model needs for them, do not fit into the free memory."""
        size, latents = self.model.size, len(self._latents)
        weights = sum(size.heads["encoder"]) * latents**2 if "encoder" in settings.kinds else 0
        # Twice: what each layer did, and the array that the layers are put into.
        self.model.inputs.check_memory(
            size.heads["cross"][0], latents, 2 * weights * (2 if weights > HALF_ABOVE else 4)
        )

    def _look(self, values: Tensor, settings: Settings, hooks: Hooks) -> tuple[Tensor, Watch]:
        """The logits of one pass and what was seen of it."""
        network, total = self.model.network, len(self.model.sites)
        off: dict[Site, list[int]] = {}
        for kind, layer, head in settings.ablate:
            off.setdefault(Site(kind, layer), []).append(head)
        watch = Watch(
            self.model.sites,
            settings.kinds,
            off,
            settings.keep_projections,
            self.model.inputs.pool,
            lambda done: hooks.report(done, total),
        )
        with watching(watch):
            logits = network(values).logits[0]
        return logits.float().cpu(), watch

    def _maps(self, kind: MapKind, watch: Watch, answer: Answer, settings: Settings) -> AttentionMaps:
        queries = answer.asked if kind == "decoder" else self._latents
        keys = self.model.inputs.axis if kind == "cross" else self._latents
        maps = attention_maps(kind, watch.layers(kind), queries, keys, None, settings)
        is_pooled = kind == "cross" and self.model.inputs.merged > 1
        return replace(maps, altered=(*maps.altered, "aggregated")) if is_pooled else maps
