"""A trace: one run of one model on one segment, with its maps, its decoding steps and how to run it again.

Evidence about its heads, one number each, is kept with it as grids that lie beside the overview of maps.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.evidence import Alignment, Deletion
from xattn_viz.core.maps import AttentionMaps, MapKind, size
from xattn_viz.core.records import Displayed, brief, quoted, read_only, same, summary


@dataclass(frozen=True, eq=False)
class HeadGrid:
    """One number for each head of one kind of map, measured on one run or on many, such as what it costs.

    `values` `[layer, head]` are in `unit` ("nats a token", "F1"); NaN is a head without a number, or none at all where
    layers have different numbers of heads. `name` tells grids apart ("cost"), `title` names it for people, and `method`
    says in one sentence how it was made, on what. `layers` are the model's own layer numbers, from 0, as those of
    `AttentionMaps`.

    Where they are known, `per_query` `[layer, head, query]` holds the number of each row of the map (of a run's cost:
    of each token of the output), and `low` and `high` `[layer, head]` are an interval around each value, which `method`
    describes. Arrays become read-only float32.

    Raises ValueError, with the shapes, where they do not fit each other, and for infinity.
    """

    name: str
    title: str
    unit: str
    kind: MapKind
    layers: tuple[int, ...]
    values: NDArray[np.float32]
    method: str
    per_query: NDArray[np.float32] | None = None
    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name in ("values", "per_query", "low", "high"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(np.asarray(array).astype(np.float32, copy=False)))
        shape = self.values.shape
        if len(shape) != 2 or shape[0] != len(self.layers):
            raise ValueError(f"Values must be [layer, head] of {len(self.layers)} layers: got shape {shape}.")
        if (self.low is None) != (self.high is None):
            raise ValueError("An interval has two ends: give low and high, or neither.")
        for name, wanted in (
            ("per_query", "[layer, head, query]"),
            ("low", "[layer, head]"),
            ("high", "[layer, head]"),
        ):
            array = getattr(self, name)
            if array is not None and (array.ndim != wanted.count(",") + 1 or array.shape[:2] != shape):
                raise ValueError(f"{name} must be {wanted} beside values of shape {shape}: got shape {array.shape}.")
        if any(
            np.isinf(array).any() for array in (self.values, self.per_query, self.low, self.high) if array is not None
        ):
            raise ValueError(f"The grid {self.name!r} holds infinity, which is no measurement.")

    def at(self, layer: int, head: int) -> float:
        """The number of one head; `layer` is the model's own number, both from 0. ValueError where there is none."""
        if layer not in self.layers or not 0 <= head < self.values.shape[1]:
            raise ValueError(
                f"This grid holds no head ({layer}, {head}): {len(self.layers)} layers of {self.values.shape[1]}."
            )
        return float(self.values[self.layers.index(layer), head])

    def ranked(self) -> list[tuple[int, int]]:
        """The heads that have a number, as (layer, head) from 0, the largest first; equal ones in their order."""
        flat = self.values.ravel()
        order = [int(i) for i in np.argsort(-flat, kind="stable") if not np.isnan(flat[i])]
        return [(self.layers[i // self.values.shape[1]], i % self.values.shape[1]) for i in order]

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __hash__(self) -> int:
        return hash((self.name, self.kind, self.values.shape))


def probability(log_prob: float) -> float:
    """e to a natural-log probability, 0 … 1, also where rounding left that above 0 or it is no number that e takes."""
    return 1.0 if log_prob >= 0 else math.exp(max(log_prob, -1e3))


@dataclass(frozen=True)
class Alternative:
    """A token that the decoder could have chosen: its text, its id and its natural-log probability."""

    token: str
    id: int
    log_prob: float


@dataclass(frozen=True)
class Step:
    """One decoding step: the token chosen, with its natural-log probability, and the likeliest tokens in order.

    `forced` marks a token that was given (a prompt, a target, a prefix) rather than chosen.
    """

    token: str
    id: int
    log_prob: float
    alternatives: tuple[Alternative, ...] = ()
    forced: bool = False

    def __repr__(self) -> str:
        others = f", {len(self.alternatives)} alternatives" if self.alternatives else ""
        return f"Step({self.token!r}, {probability(self.log_prob):.1%}{others}{', forced' if self.forced else ''})"


@dataclass(frozen=True)
class Hypothesis:
    """Another output that the search kept: its text, its natural-log probability, its tokens and their ids.

    `tokens` and `ids` are those behind the start token, what was given and the end included, as `Step` has them; both
    are empty where they were not kept.
    """

    text: str
    log_prob: float
    tokens: tuple[str, ...] = ()
    ids: tuple[int, ...] = ()


#: What a note is about, where whoever shows it needs to know: the run as such; a fault of the model; something of the
#: input that the output probably leaves out; a picture of another kind than the model knows; that nobody speaks; that
#: a text is in another language than the model reads.
Subject = Literal["run", "fault", "omission", "unfamiliar", "silence", "language"]


@dataclass(frozen=True)
class Note:
    """A sentence for people about a run."""

    text: str
    about: Subject = "run"


@dataclass(frozen=True)
class Answer:
    """What a model answers that writes no text, and with which probability."""

    text: str
    probability: float


@dataclass(frozen=True)
class Layer:
    """Which module of a network a layer of the maps is, and the grid that it works on itself, (rows, columns)."""

    module: str
    grid: tuple[int, int]


@dataclass(frozen=True)
class Speech:
    """What a speech recogniser says of a sound besides its words, each None where the model has no word for it.

    `language` is what was spoken, `language_probability` how sure it is where it told by itself,
    `no_speech_probability` how likely nobody speaks at all.
    """

    language: str | None = None
    language_probability: float | None = None
    no_speech_probability: float | None = None


@dataclass(frozen=True, eq=False)
class Trace(Displayed):
    """One run of one model on one segment (a sentence, a 30 s window, an image).

    `input` is what went in as shown to people (text, or an array: log-mel, pixels), `output` the text that came out,
    `offset` where the segment begins in the whole (characters, or seconds for sound). `steps` has one entry a row of
    the cross map. `pictures` are what a diffusion model drew, `[row, column, 3]` of uint8 from 0 to 255: one after each
    of its denoising steps, the finished one last. `provenance` holds JSON values: enough to run it again (`rerun`).

    `notes` are for people. `answers` are what a model said that writes no text: one for each place it was asked about,
    or the likeliest classes. `layers` says what each layer of the maps is, where that is known, `alignment_heads` which
    (layer, head), from 0, the checkpoint names as those that follow its words in time, and `speech` what a recogniser
    said of the sound. What was measured of it afterwards (`with_evidence`) is `evidence`, a grid each about its heads,
    `alignment`, the links between the words of input and output, and `deletion`, how the output fares without them.

    Raises ValueError when the steps do not fit the rows of the cross map, a picture is none, or the offset or a
    log-probability is no number.
    """

    maps: tuple[AttentionMaps, ...]
    input: str | NDArray[Any]
    output: str
    steps: tuple[Step, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    offset: float = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[NDArray[np.uint8], ...] = ()
    notes: tuple[Note, ...] = ()
    answers: tuple[Answer, ...] = ()
    layers: tuple[Layer, ...] = ()
    alignment_heads: tuple[tuple[int, int], ...] = ()
    speech: Speech | None = None
    evidence: tuple[HeadGrid, ...] = ()
    alignment: Alignment | None = None
    deletion: Deletion | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.input, str):
            object.__setattr__(self, "input", read_only(self.input))
        object.__setattr__(self, "pictures", tuple(read_only(picture) for picture in self.pictures))
        for picture in self.pictures:
            if not _is_picture(picture):
                raise ValueError(f"A picture is [row, column, 3] of uint8: got {picture.dtype} of {picture.shape}.")
        for maps in self.maps:
            if maps.reads_source and self.steps and len(self.steps) != len(maps.queries):
                raise ValueError(f"{len(self.steps)} steps do not fit a {maps.kind} map of {len(maps.queries)} rows.")
        if not -math.inf < self.offset < math.inf:
            raise ValueError(f"The offset must be a number of characters or seconds: got {self.offset}.")
        alternatives = (other for step in self.steps for other in step.alternatives)
        scored: tuple[Step | Alternative | Hypothesis, ...] = (*self.steps, *alternatives, *self.hypotheses)
        if any(one.log_prob != one.log_prob for one in scored):  # NaN alone is not itself
            raise ValueError("A log-probability is NaN, which is no number.")

    def of_kind(self, kind: MapKind) -> AttentionMaps:
        """The only map of a kind; of a diffusion model's maps the one of all denoising steps together (`step` None).

        Raises ValueError that lists the kinds there are, where there is none or several.
        """
        found = [maps for maps in self.maps if maps.kind == kind]
        if len(found) > 1:
            found = [maps for maps in found if maps.step is None]
        if len(found) != 1:
            kinds = ", ".join(dict.fromkeys(maps.kind for maps in self.maps)) or "none"
            raise ValueError(f"This trace holds {len(found) or 'no'} {kind} maps; the kinds it holds: {kinds}.")
        return found[0]

    def with_maps(self, *maps: AttentionMaps) -> Trace:
        """The same with more maps, such as `Attribution.maps`; those of a kind that it holds take the place of its own.

        Raises ValueError where their rows are not its steps.
        """
        kinds = {one.kind for one in maps}
        return replace(self, maps=(*(own for own in self.maps if own.kind not in kinds), *maps))

    def with_notes(self, *notes: str | Note) -> Trace:
        """The same with more notes for people; a text is one about the run."""
        more = (Note(note) if isinstance(note, str) else note for note in notes)
        return replace(self, notes=(*self.notes, *more))

    def note(self, about: Subject) -> str | None:
        """The first note about something; None where there is none."""
        return next((note.text for note in self.notes if note.about == about), None)

    def with_evidence(self, *found: HeadGrid | Alignment | Deletion) -> Trace:
        """The same with more of what was measured of it.

        A grid takes the place of one with its name and kind, links and deletion curves that of those it had.
        """
        grids = [one for one in found if isinstance(one, HeadGrid)]
        new = {(grid.name, grid.kind) for grid in grids}
        kept = (grid for grid in self.evidence if (grid.name, grid.kind) not in new)
        alignments = [self.alignment, *(one for one in found if isinstance(one, Alignment))]
        deletions = [self.deletion, *(one for one in found if isinstance(one, Deletion))]
        return replace(self, evidence=(*kept, *grids), alignment=alignments[-1], deletion=deletions[-1])

    def grid(self, name: str, kind: MapKind = "cross") -> HeadGrid | None:
        """The evidence of that name about the heads of a kind of map; None where it was not measured."""
        return next((grid for grid in self.evidence if (grid.name, grid.kind) == (name, kind)), None)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The texts of its notes."""
        return tuple(note.text for note in self.notes)

    @property
    def fault(self) -> str | None:
        """What was wrong with the model that made this, in one sentence; None where nothing was found."""
        return self.note("fault")

    @property
    def model(self) -> str:
        """The name of the model that made it, as `load` takes it; empty where that is not known."""
        return str(self.provenance.get("model", ""))

    @property
    def settings(self) -> Mapping[str, Any]:
        """The keywords of `Adapter.trace` that it was made with, as JSON values; none where they are not known."""
        said = self.provenance.get("settings")
        return said if isinstance(said, Mapping) else {}

    @property
    def picture(self) -> NDArray[np.uint8] | None:
        """The picture that the patches of its maps lie in: the one drawn, or the one read. None where there is none."""
        if self.pictures:
            return self.pictures[-1]
        return self.input if not isinstance(self.input, str) and _is_picture(self.input) else None

    @property
    def cross(self) -> AttentionMaps:
        """The cross-attention map: queries from the decoder, keys from the encoder."""
        return self.of_kind("cross")

    @property
    def encoder(self) -> AttentionMaps:
        """The encoder's self-attention map."""
        return self.of_kind("encoder")

    @property
    def decoder(self) -> AttentionMaps:
        """The decoder's self-attention map."""
        return self.of_kind("decoder")

    def __repr__(self) -> str:
        lines = [
            f"Trace of {quoted(self.model or 'a model')}",
            f"input: {quoted(self.input) if isinstance(self.input, str) else brief(self.input)}",
            f"output: {quoted(self.output)}{f' in {len(self.steps)} steps' if self.steps else ''}",
        ]
        for kind, group in groupby(sorted(self.maps, key=lambda maps: maps.kind), key=lambda maps: maps.kind):
            sizes = Counter(map(size, group))
            lines += [f"{kind}: {said}{f', {count} times' if count > 1 else ''}" for said, count in sizes.items()]
        lines += [f"pictures: {len(self.pictures)} of {brief(self.pictures[-1])}"] if self.pictures else []
        lines += [f"{len(self.notes)} notes, the first: {quoted(self.notes[0].text)}"] if self.notes else []
        return "\n  ".join(lines)

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __hash__(self) -> int:
        return hash((self.output, self.offset, len(self.maps)))  # equal traces share it, and it costs nothing


def _is_picture(array: NDArray[Any]) -> bool:
    return array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
