"""What each head of a model does, over many sentences, with intervals; and what that says of lower and higher layers.

The measures are those of `head_measures`, and what heads cost besides. Intervals are of the bootstrap over sentences
(Efron and Tibshirani 1993, An Introduction to the Bootstrap).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.alignment_files import LinkedPair, read_gold
from xattn_viz.analysis.alignment_heads import BY_HAND
from xattn_viz.analysis.head_costs import Model as ForcedModel
from xattn_viz.analysis.head_costs import head_costs
from xattn_viz.analysis.head_measures import (
    MEASURES,
    HeadName,
    Interval,
    Sums,
    grid_of,
    head_names,
    interval_at,
    linked_sums,
    map_sums,
    quotient,
    special_name,
    timed_sums,
    written,
)
from xattn_viz.core.maps import MapKind
from xattn_viz.core.records import Arrays, Displayed, decode, encode, quoted, read_only, same, summary
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.inputs import InputError

if TYPE_CHECKING:
    import pandas as pd

#: Of how many sentences there is an interval at least, and how often they are drawn anew for it.
FEWEST, RESAMPLES = 5, 1000
_ENDS = (2.5, 97.5)  # percentiles
_FORMAT = 1  # of the JSON

#: Told (sentences done, sentences in all); returning False ends with the sentences so far.
OnStep = Callable[[int, int], bool | None]
Links = Literal["gold", "silver", ""]
_Ends = tuple[NDArray[np.float64], NDArray[np.float64]]


class Model(ForcedModel, Protocol):
    """A loaded model, as `xv.load` gives it."""

    @property
    def card(self) -> Any:
        """What it says of itself: its name, its languages, what it reads."""


@dataclass(frozen=True, eq=False)
class LayerMeans:
    """The mean of a measure over the heads of each layer, and over those of the lower and the upper half of layers.

    `layers` `[layer, 3]` and `halves` `[half, 3]` are values with the lower and upper ends of their intervals, NaN
    where there are none. Of an odd number of layers the middle one is in neither half; of one layer halves are NaN.
    """

    name: str
    title: str
    unit: str
    layers: NDArray[np.float32]
    halves: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("layers", "halves"):
            object.__setattr__(self, name, read_only(np.asarray(getattr(self, name), np.float32)))
        if self.layers.ndim != 2 or self.layers.shape[1] != 3 or self.halves.shape != (2, 3):
            raise ValueError(f"Layer means are [layer, 3] and [2, 3]: got {self.layers.shape}, {self.halves.shape}.")

    @property
    def change(self) -> int:
        """1 where the upper half has more, -1 where it has less, and 0 where their intervals overlap or are missing."""
        (_, low, high), (_, other_low, other_high) = self.halves
        return int(other_low > high) - int(other_high < low)

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __hash__(self) -> int:
        return hash((self.name, self.layers.shape))


@dataclass(frozen=True, eq=False)
class HeadProfiles(Displayed):
    """What each head of one kind does, over many sentences.

    `grids` hold a value `[layer, head]` for each measure (`head_measures.MEASURES`), with the ends of its 95 % interval
    where there are `FEWEST` sentences; they go on a trace as evidence (`Trace.with_evidence`). `layer_means` are the
    same a layer. `links` says whose word links were taken: "gold", "silver", or "" where none are. `problems` are
    sentences that could not be traced, by number from 0; `is_whole` is False where the run was stopped before the last.
    """

    model: str
    kind: MapKind
    layers: tuple[int, ...]
    grids: tuple[HeadGrid, ...]
    layer_means: tuple[LayerMeans, ...]
    n_sentences: int
    links: Links = ""
    problems: tuple[tuple[int, str], ...] = ()
    is_whole: bool = True

    def __getitem__(self, measure: str) -> HeadGrid:
        """The grid of a measure. Raises KeyError, naming those there are, where it was not made."""
        for grid in self.grids:
            if grid.name == measure:
                return grid
        raise KeyError(f"{measure!r}: these profiles hold {', '.join(grid.name for grid in self.grids)}")

    @property
    def names(self) -> dict[tuple[int, int], HeadName]:
        """The heads that have a name, by (layer, head) from 0."""
        return head_names(self.grids, self.kind)

    @property
    def depth(self) -> str:
        """Whether lower layers align and higher ones look wider, in one sentence (`depth_sentence`)."""
        return depth_sentence(self.layer_means)

    def rows(self) -> list[dict[str, Any]]:
        """A dict a head: layer and head from 0, name (empty without one), each measure, with _low and _high."""
        names = self.names
        found = []
        for row, layer in enumerate(self.layers):
            for head in range(self.grids[0].values.shape[1]):
                one: dict[str, Any] = {"layer": layer, "head": head, "name": str(names.get((layer, head), ""))}
                for grid in self.grids:
                    value = interval_at(grid, row, head)
                    one |= {grid.name: value.value, f"{grid.name}_low": value.low, f"{grid.name}_high": value.high}
                found.append(one)
        return found

    def to_frame(self) -> pd.DataFrame:
        """The same as a table."""
        import pandas as pd  # heavy, and only a notebook asks for it

        return pd.DataFrame(self.rows())

    def to_json(self) -> dict[str, Any]:
        """JSON values that `from_json` reads again, with the names and the sentence on depth; null is no number."""
        arrays: Arrays = {}
        said = encode(self, arrays, "profiles")
        return {
            "format": _FORMAT,
            "names": [{"layer": at[0], "head": at[1], "name": str(name)} for at, name in sorted(self.names.items())],
            "depth": self.depth,
            "profiles": said,
            "arrays": {name: _without_nan(array.tolist()) for name, array in arrays.items()},
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> HeadProfiles:
        """What `to_json` wrote. Raises InputError for anything else."""
        try:
            arrays = {str(name): np.array(values, np.float32) for name, values in said["arrays"].items()}
            found = decode(said["profiles"], cls, arrays, "profiles")
            if said["format"] != _FORMAT or not isinstance(found, cls) or not found.grids:
                raise ValueError("it is of another format")
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise InputError(f"This JSON holds no profiles of heads that can be read: {error}.") from error
        return found

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __hash__(self) -> int:
        return hash((self.model, self.kind, self.n_sentences))


def _without_nan(values: Any) -> Any:
    if isinstance(values, list):
        return [_without_nan(value) for value in values]
    return None if values != values else values  # NaN alone is not itself


def head_profiles(
    model: Model | Trace | Sequence[Trace],
    texts: Iterable[Any] | None = None,
    *,
    reverse: Model | Sequence[Trace] | None = None,
    kind: MapKind = "cross",
    costs: bool = True,
    resamples: int = RESAMPLES,
    on_step: OnStep | None = None,
    **settings: Any,
) -> HeadProfiles:
    """What each head of a kind does over `texts`, or on the traces that are given in place of a model.

    `texts` are what the model reads: sentences, sounds, pictures; or pairs with links that people made
    (`alignment_files.read_gold`), to whose target the model is forced and whose links heads are judged by. Without any,
    a model of English or Portuguese reads the sources of the pairs that come with the package. Links are otherwise
    those of `align`, silver; a `reverse` model of the opposite direction, or its traces, makes them better. Over sound
    the places of words are those of `timed_words`, silver too; what nobody speaks in is left out, as a problem.

    `costs` measures what each head costs besides (`head_costs`), which takes most of the time and needs a model.
    `resamples` are those of the bootstrap, `settings` those of the model's `trace`. `on_step` is told after each
    sentence. Only sums are kept, so there may be very many.

    Raises InputError where there is nothing to read or nothing could be traced, and what the model's `trace` raises.
    """
    traces, loaded = _taken(model)
    back = reverse if isinstance(reverse, Sequence) else None
    if back is not None and (traces is None or len(back) != len(traces)):
        raise InputError("Traces of the reverse direction go with traces, one for each.")
    if isinstance(texts, str):
        raise InputError("Heads are profiled over several texts: give a list of them, as in texts=[…].")
    items: list[Any] = list(traces) if traces else list(_shipped(loaded) if texts is None else texts)
    if not items:
        raise InputError("There is no text to profile heads over: give one or more.")
    tally = _Tally(kind)
    problems: list[tuple[int, str]] = []
    done = 0
    for number, item in enumerate(items):
        try:
            trace = item if traces else _traced(loaded, item, kind, settings)
            turned = back[number] if back is not None else _reversed(trace, reverse, kind)
            tally.add(trace, turned, item if isinstance(item, LinkedPair) else None, loaded if costs else None)
        except InputError as error:
            problems.append((number, str(error)))
        done = number + 1
        if on_step is not None and on_step(done, len(items)) is False:
            break
    if not tally.runs:
        raise InputError(f"None of the texts could be measured. The first: {problems[0][1]}")
    return replace(tally.result(resamples), problems=tuple(problems), is_whole=done == len(items))


def _taken(model: object) -> tuple[Sequence[Trace] | None, Any]:
    """Traces, or else a model."""
    if isinstance(model, Trace):
        return (model,), None
    if isinstance(model, Sequence) and model and all(isinstance(one, Trace) for one in model):
        return model, None
    if not hasattr(model, "trace"):
        raise InputError(f"Profiles are made with a loaded model, or of traces: got {quoted(model)}.")
    return None, model


def shipped_sentences(card: Any) -> tuple[str, ...]:
    """The sentences that come with the package for a model of this card; none where it reads neither language."""
    language = card.source_language
    if card.input_kind != "text" or language not in ("en", "pt"):
        return ()
    return tuple(" ".join(pair.source_words if language == "en" else pair.target_words) for pair in read_gold(BY_HAND))


def _shipped(model: Any) -> tuple[str, ...]:
    if not (found := shipped_sentences(model.card)):
        raise InputError(
            f"No sentences come with the package that {quoted(model.card.name)} is known to read: give some as texts."
        )
    return found


def _traced(model: Any, item: Any, kind: MapKind, settings: Mapping[str, Any]) -> Trace:
    given = {"kinds": (kind,), **settings}
    if isinstance(item, LinkedPair):
        item, given["target"] = " ".join(item.source_words), " ".join(item.target_words)
    trace: Trace = model.trace(item, **given)
    return trace


def _reversed(trace: Trace, reverse: Any, kind: MapKind) -> Trace | None:
    if reverse is None or kind != "cross":
        return None
    turned: Trace = reverse.trace(trace.output, target=trace.input)
    return turned


class _Tally:
    """The sums of every run, and what they come to."""

    def __init__(self, kind: MapKind) -> None:
        self.kind = kind
        self.runs: list[Sums] = []
        self.layers: tuple[int, ...] = ()
        self.model = self.reverse = self.over = self.special = ""
        self.links: Links = ""

    def add(self, trace: Trace, reverse: Trace | None, gold: LinkedPair | None, model: Any) -> None:
        """Measure one run. Raises InputError where it cannot be, or where its heads are not those of the others."""
        maps = trace.of_kind(self.kind)
        sums = map_sums(maps)
        if not sums:
            raise InputError("The model wrote nothing for it but special tokens.")
        if (silence := trace.note("silence")) is not None:
            raise InputError(silence)
        over, links = maps.keys.kind, self._links(trace, gold)
        if links:
            sums |= timed_sums(trace) if over == "audio" else linked_sums(trace, reverse, gold)
        if model is not None:
            found = head_costs(model, trace, kind=self.kind)
            own = found.per_token[0][:, :, found.counted[0]].astype(np.float64)
            count = np.full(own.shape[:2], float(own.shape[2]))
            sums["mean-cost"] = np.stack([own.sum(-1), count], axis=-1)
        if self.runs and (maps.layers != self.layers or sums["entropy"].shape != self.runs[0]["entropy"].shape):
            raise InputError("Its layers and heads are not those of the texts before: it is of another model.")
        if self.runs and links != self.links:
            raise InputError("Texts with links that people made and texts without do not go together.")
        self.layers, self.over, self.links, self.model = maps.layers, over, links, trace.model
        self.special, self.reverse = special_name(maps.keys), reverse.model if reverse is not None else ""
        self.runs.append(sums)

    def _links(self, trace: Trace, gold: LinkedPair | None) -> Links:
        if self.kind != "cross":
            return ""
        maps = trace.cross
        if maps.keys.is_timed:
            return "silver"
        if (maps.queries.kind, maps.keys.kind) != ("text", "text") or not isinstance(trace.input, str):
            return ""
        return "silver" if gold is None else "gold"

    def result(self, resamples: int) -> HeadProfiles:
        """The profiles of all runs."""
        count = len(self.runs)
        draws = np.zeros((0, count))
        if count >= FEWEST:
            draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), resamples).astype(np.float64)
        names = [name for name in MEASURES if any(name in run for run in self.runs)]
        values: dict[str, NDArray[np.float64]] = {}
        drawn: dict[str, NDArray[np.float64]] = {}
        for name in names:
            empty = np.zeros_like(next(run[name] for run in self.runs if name in run))
            sums = np.stack([run.get(name, empty) for run in self.runs])  # [run, layer, head, sum]
            values[name], drawn[name] = quotient(sums.sum(0)), quotient(np.tensordot(draws, sums, 1))
        where = f"Over {count} {'run' if count == 1 else 'runs'} of {self.model or 'a model'}"
        where += ", intervals by bootstrap over them" if len(draws) else ""
        of = self.kind, self.layers
        grids = tuple(grid_of(name, of, values[name], where, self._said(), _ends(drawn[name])) for name in names)
        titles = {grid.name: grid.title for grid in grids}
        for name, late in (("alignment", "alignment-previous"), ("speech", "previous")):
            if (
                name in values
            ):  # a head aligns in one of two ways, late or not: of each it is the better one that counts
                titles[name] = f"{MEASURES[name].title}, or that of the token before"
                for each in (values, drawn):
                    each[name] = np.fmax(each[name], each[late])
        means = tuple(_layer_means(name, titles[name], values[name], drawn[name]) for name in names)
        return HeadProfiles(self.model, self.kind, self.layers, grids, means, count, self.links)

    def _said(self) -> dict[str, str]:
        """What {} stands for in titles and methods of measures."""
        said = {"special": self.special, "place": "the source of the token" if self.links else "the position"}
        if self.links and self.over == "audio":
            by = ", by the times of xv.timed_words (silver: read off all heads of the upper layers together)"
            return said | {"by": by, "place": "the moment of the token"}
        by = "people (gold)"
        if self.links == "silver":
            models = " and ".join(filter(None, (self.model or "the model", self.reverse)))
            by = f"xv.align with {models} (silver: a recipe that reads some of these heads, not human judgement)"
        return said | {"links": by, "by": f", by the links of {by}" if self.links else ""}


def _ends(drawn: NDArray[np.float64]) -> _Ends | None:
    """The ends of the intervals of `[draw, …]`; None without draws."""
    if not len(drawn):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what has no number in any draw has no interval
        low, high = np.nanpercentile(drawn, _ENDS, axis=0)
    return low, high


def _layer_means(name: str, title: str, values: NDArray[np.float64], drawn: NDArray[np.float64]) -> LayerMeans:
    """Means over heads of `values` `[layer, head]` and of `drawn` `[draw, layer, head]`."""
    count = len(values)
    half = count // 2
    parts = [slice(row, row + 1) for row in range(count)] + [slice(0, half), slice(count - half, count)]
    found = np.array([_mean(values[part], drawn[:, part]) for part in parts], np.float32)
    return LayerMeans(name, title, MEASURES[name].unit, found[:-2], found[-2:])


def _mean(values: NDArray[np.float64], drawn: NDArray[np.float64]) -> Interval:
    none = float("nan")
    if not values.size:
        return Interval(none, none, none)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        ends = _ends(np.nanmean(drawn, axis=(1, 2))) or (none, none)
        return Interval(float(np.nanmean(values)), float(ends[0]), float(ends[1]))


def depth_sentence(means: Sequence[LayerMeans]) -> str:
    """Whether the lower half of layers aligns and the upper half looks wider, or the contrary, or neither.

    Wider is a larger share of the largest entropy. A difference counts only where the intervals of both halves do not
    overlap. Numbers are means over the heads of a half.
    """
    named = {one.name: one for one in means}
    aligns, spreads = named.get("alignment") or named.get("speech"), named["entropy-share"]
    if len(spreads.layers) < 2:
        return "This model has one layer of such heads, so nothing can be said of depth."
    if np.isnan(spreads.halves[:, 1]).any():
        return f"Nothing can be said of depth from fewer than {FEWEST} sentences."
    ways = {
        "spreads": {1: "upper layers look wider", -1: "upper layers look at less", 0: "neither half looks wider"},
        "aligns": {1: "upper layers align more", -1: "lower layers align more", 0: "neither half aligns more"},
    }
    parts = []
    for one, way in ((aligns, ways["aligns"]), (spreads, ways["spreads"])):
        if one is not None:
            lower, upper = (written(float(half[0]), one.unit) for half in one.halves)
            of = " of the largest entropy" if one is spreads else ""
            parts.append(f"{way[one.change]} ({lower}{of} below, {upper} above)")
    detail = ", and ".join(parts)
    if aligns is None:
        return f"{detail[0].upper()}{detail[1:]}."
    changes = aligns.change, spreads.change
    if changes == (-1, 1):
        return f"Lower layers align and higher ones abstract, as is often said: {detail}."
    if changes == (1, -1):
        return f"It is the contrary of what is often said, that lower layers align and higher ones abstract: {detail}."
    return f"That lower layers align and higher ones abstract, as is often said, does not show here: {detail}."
