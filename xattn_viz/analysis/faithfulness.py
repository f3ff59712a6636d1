"""Which way of looking the model follows: whether rankings of the source agree, and what it costs to act on one.

Words that a ranking calls important are taken from the source, the most important first, and the output's own
log-probability falls (a deletion curve: Samek et al. 2017, Evaluating the Visualization of What a Deep Neural Network
Has Learned; DeYoung et al. 2020, ERASER, call what falls comprehensiveness). A ranking whose curve falls sooner than
those of random orders names words that the model needs; one whose curve does not, names others, whatever it looks like.
What is left of a source is a text that the model may never have seen the like of.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.attribution import (
    STRETCH,
    Array,
    Attribution,
    Model,
    OnStep,
    attribute,
    first_asked,
    source_groups,
)
from xattn_viz.core.evidence import MEAN, Deletion, DeletionCurve, Insertion
from xattn_viz.core.maps import METHODS, AttentionMaps
from xattn_viz.core.records import quoted, same, summary
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.core.view import kind_title, parse_head
from xattn_viz.inputs import InputError, images

Statistic = Literal["spearman", "kendall"]
#: What `deletion_curves` compares unless told otherwise: each takes at most two passes a token; and of pictures.
RANKINGS = (MEAN, "value-norms", "input-x-gradient", "occlusion")
PICTURE_RANKINGS = (MEAN, "occlusion")
_RESAMPLES, _SEED = 1000, 0
_SHOWN = {"spearman": "Spearman ρ", "kendall": "Kendall τ"}


def agreement(
    found: Attribution | Sequence[Attribution],
    cross: AttentionMaps | Sequence[AttentionMaps],
    statistic: Statistic = "spearman",
) -> HeadGrid:
    """How far each head of a cross-attention ranks the source as a method does, -1 … 1, as a grid `[layer, head]`.

    In each row the words (or stretches of sound) are ranked by the method's magnitudes and by the head's weight, both
    summed over what belongs to each (`Attribution.groups`), and the two rankings correlated; the grid holds the means
    over rows, with the interval that holds 95 % of those means over rows drawn with replacement. A method with heads is
    compared with the same head. Special positions take no part; rows of fewer than three words, and those in which one
    side ranks nothing (all alike), have no correlation. Several attributions and maps, in the same order, count with
    all their rows. `statistic` is "spearman" (the correlation of ranks, ties at their mean) or "kendall" (τ-b).

    Raises InputError where maps and attributions do not fit each other.
    """
    if statistic not in _SHOWN:
        raise InputError(f"A rank correlation is one of {', '.join(_SHOWN)}: got {quoted(statistic)}.")
    several = [found] if isinstance(found, Attribution) else list(found)
    maps = [cross] if isinstance(cross, AttentionMaps) else list(cross)
    if not several or len(several) != len(maps):
        raise InputError(f"Each attribution is compared with one map: got {len(several)} and {len(maps)}.")
    if len({one.method for one in several}) > 1 or len({one.weights.shape[:2] for one in maps}) > 1:
        raise InputError("Rows of one method and of one model's heads can be counted together, not of several.")
    each = [_row_correlations(one, own, statistic) for one, own in zip(several, maps, strict=True)]
    rows = np.concatenate(each, -1)  # [layer, head, row]
    generator = np.random.default_rng(_SEED)
    drawn = generator.integers(rows.shape[-1], size=(_RESAMPLES, rows.shape[-1]))
    means = np.stack([_mean(rows[..., some]) for some in drawn])
    with np.errstate(invalid="ignore"):
        low, high = (_quantile(means, share) for share in (0.025, 0.975))
    method, name = several[0].method, kind_title(several[0].maps)
    said = (
        f"{_SHOWN[statistic]} between the ranking of the source by {name} and by the head’s weights, mean over rows; "
        "the interval holds 95 % of the means over rows drawn with replacement."
    )
    return HeadGrid(
        f"agreement-{method}" if statistic == "spearman" else f"agreement-{statistic}-{method}",
        f"Agreement with {name}",
        _SHOWN[statistic],
        "cross",
        maps[0].layers,
        _mean(rows).astype(np.float32),
        said,
        per_query=each[0].astype(np.float32) if len(each) == 1 else None,
        low=low.astype(np.float32),
        high=high.astype(np.float32),
    )


def _row_correlations(found: Attribution, cross: AttentionMaps, statistic: Statistic) -> Array:
    """The rank correlation of each row, `[layer, head, query]`; NaN where there is none."""
    if (found.maps.queries, found.maps.keys) != (cross.queries, cross.keys):
        raise InputError("The rows and columns of the attribution are not those of the maps: both are of one trace.")
    ours, theirs = (
        np.stack([values[..., list(group)].sum(-1, dtype=np.float64) for group in found.groups], -1)
        for values in (np.abs(found.values), cross.weights)
    )
    ours = np.broadcast_to(ours, theirs.shape)
    if theirs.shape[-1] < _LEAST:
        return np.full(theirs.shape[:-1], np.nan)
    pairs = (ours.reshape(-1, ours.shape[-1]), theirs.reshape(-1, theirs.shape[-1]))
    each = np.array([_correlation(a, b, statistic) for a, b in zip(*pairs, strict=True)])
    return each.reshape(theirs.shape[:-1])


_LEAST = 3  # words, of which two rankings can be compared


def _correlation(a: Array, b: Array, statistic: Statistic) -> float:
    if statistic == "spearman":
        x, y = (ranks(each) for each in (a, b))
        x, y = x - x.mean(), y - y.mean()
    else:  # of all pairs of places, the sign of their difference
        x, y = (np.sign(each[:, None] - each[None]).ravel() for each in (a, b))
    size = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / size if size > 0 else float("nan")


def ranks(values: Array) -> Array:
    """The rank of each number from 0, the smallest first; equal ones have the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: Array = (np.cumsum(counts) - (counts + 1) / 2)[place]
    return found


def _mean(rows: Array) -> Array:
    """The mean over the last axis without NaN, and NaN where nothing is left."""
    counts = (~np.isnan(rows)).sum(-1)
    return np.where(counts > 0, np.nansum(rows, -1) / np.maximum(counts, 1), np.nan)


def _quantile(values: Array, share: float) -> Array:
    """The quantile over the first axis without NaN; NaN where nothing is left."""
    left = np.isnan(values).all(0)
    found: Array = np.nanquantile(np.where(left, 0, values), share, axis=0)
    return np.where(left, np.nan, found)


def deletion_curves(
    model: Model,
    trace: Trace,
    rankings: Sequence[str | Attribution] | None = None,
    *,
    seeds: int = 10,
    points: int = 10,
    seconds: float = STRETCH,
    on_step: OnStep | None = None,
) -> Deletion:
    """The deletion curves of a trace: words of its source removed, or stretches of its sound silenced, in some orders.

    Of a picture squares are covered in its median colour. Rankings are `RANKINGS`, or `PICTURE_RANKINGS`, unless given.
    One is "attention" (the mean weight of all heads), a head such as "2.1" (layer 2, head 1, from 1), one of the
    `METHODS`, or an `Attribution` of this trace: importance is its value summed over the rows of the output, its nats
    with their sign. `seeds` random orders stand beside them. Each curve has at most `points` steps of equally many
    words, so that a long source costs no more than `(rankings + seeds) * points` passes over it, in batches; what two
    orders leave alike is computed once. Special positions stay. The last point of all curves is the same: nothing left.

    Raises InputError for what is no ranking, and as `attribute` does.
    """
    groups, orders = _orders(model, trace, rankings, seeds, points, seconds, on_step)
    found = _curves(model, trace, groups, orders, points, on_step, is_insertion=False)
    return Deletion(found[:-seeds], found[-seeds:], groups)


def insertion_curves(
    model: Model,
    trace: Trace,
    rankings: Sequence[str | Attribution] | None = None,
    *,
    seeds: int = 10,
    points: int = 10,
    seconds: float = STRETCH,
    on_step: OnStep | None = None,
) -> Insertion:
    """The other way round (Petsiuk et al. 2018, RISE): at first nothing of the source, then the most important is back.

    The curve of a ranking that names what the model needs rises sooner than those of random orders. Arguments, costs
    and errors as `deletion_curves`; the first point of all curves is the same, and so is the last, where all is back.
    """
    groups, orders = _orders(model, trace, rankings, seeds, points, seconds, on_step)
    found = _curves(model, trace, groups, orders, points, on_step, is_insertion=True)
    return Insertion(found[:-seeds], found[-seeds:], groups)


def _orders(
    model: Model,
    trace: Trace,
    rankings: Sequence[str | Attribution] | None,
    seeds: int,
    points: int,
    seconds: float,
    on_step: OnStep | None,
) -> tuple[tuple[tuple[int, ...], ...], dict[str, NDArray[np.intp]]]:
    """The groups of a source, and the order of them by each ranking, then by chance."""
    if seeds < 1 or points < 1:
        raise InputError(f"A deletion curve needs a random order and a step at least: got {seeds} and {points}.")
    groups = source_groups(trace.cross.keys, seconds)
    if not groups:
        raise InputError("This source holds nothing but special positions: there is nothing to take away.")
    rankings = rankings or (RANKINGS if trace.cross.keys.grid is None else PICTURE_RANKINGS)
    importance = {_name(one): _importance(model, trace, one, groups, seconds, on_step) for one in rankings}
    orders = {name: np.argsort(-scores, kind="stable").astype(np.intp) for name, scores in importance.items()}
    generator = np.random.default_rng(_SEED)
    return groups, orders | {f"random {number + 1}": generator.permutation(len(groups)) for number in range(seeds)}


def _curves(
    model: Model,
    trace: Trace,
    groups: Sequence[Sequence[int]],
    orders: Mapping[str, NDArray[np.intp]],
    points: int,
    on_step: OnStep | None,
    *,
    is_insertion: bool,
) -> tuple[DeletionCurve, ...]:
    """The curve of each order, of how much is gone, or back; what two orders leave alike is computed once."""
    every = frozenset(range(len(groups)))
    sizes = np.unique(np.rint(np.linspace(0, len(groups), min(points, len(groups)) + 1)).astype(int))
    first = {name: [frozenset(order[:size].tolist()) for size in sizes] for name, order in orders.items()}
    gone = {name: [every - some for some in curve] for name, curve in first.items()} if is_insertion else first
    different = list(dict.fromkeys(some for curve in gone.values() for some in curve))
    asked = {row: (step.id, None) for row, step in enumerate(trace.steps) if row >= first_asked(trace)}
    taken = [[key for group in sorted(some) for key in groups[group]] for some in different]
    means = model.inspect(trace, on_step).without(taken, asked).mean(-1)
    after = dict(zip(different, means.tolist(), strict=True))
    return tuple(
        DeletionCurve(name, tuple(order.tolist()), sizes / len(groups), np.array([after[some] for some in gone[name]]))
        for name, order in orders.items()
    )


@dataclass(frozen=True, eq=False)
class Covered:
    """What a model writes where the squares of its picture that a ranking calls most important are covered.

    `groups` are the numbers of those, of `count` in all; `picture` `[row, column, 3]` is what was read, `trace` what
    came of it, and `before` the output that it was before.
    """

    ranking: str
    groups: tuple[int, ...]
    count: int
    picture: NDArray[np.uint8]
    before: str
    trace: Trace

    __repr__ = summary

    @property
    def is_changed(self) -> bool:
        """Whether the output is another one."""
        return self.trace.output != self.before


def cover(model: Any, trace: Trace, ranking: str | Attribution = MEAN, *, squares: int = 6) -> Covered:
    """Cover what a ranking calls most important in the picture of a trace, so many `squares`, and write anew.

    One pass for the ranking, where it needs any, and one run of the model. The output may change because the model
    needed what was there, and because it has never read such a picture: cover other places, or see `deletion_curves`.

    Raises InputError for a trace that is not over the patches of a picture, and as `deletion_curves` does.
    """
    keys = trace.cross.keys
    if keys.grid is None or trace.picture is None:
        raise InputError("Only the squares of a picture can be covered: this source is none.")
    groups = source_groups(keys)
    if not 1 <= squares <= len(groups):
        raise InputError(f"Of {len(groups)} squares at least one can be covered: got {squares}.")
    order = np.argsort(-_importance(model, trace, ranking, groups, STRETCH, None), kind="stable")[:squares]
    chosen = tuple(int(number) for number in order)
    patches = np.flatnonzero(np.isin(keys.patches, [key for number in chosen for key in groups[number]]))
    picture = images.covered(trace.picture, keys.grid, patches.tolist())
    given = ("target", "prefix", "keep_projections", "kinds", "ablate", "hypothesis")
    options = {name: value for name, value in trace.settings.items() if name not in given}
    off = [(kind, layer, head) for kind, layer, head in trace.settings.get("ablate", ())]
    again = model.trace(images.Picture(picture, is_resized=True), ablate=off, **options)
    return Covered(_name(ranking), chosen, len(groups), picture, trace.output, again)


def _name(ranking: str | Attribution) -> str:
    return ranking if isinstance(ranking, str) else ranking.method


def _importance(
    model: Model,
    trace: Trace,
    ranking: str | Attribution,
    groups: Sequence[Sequence[int]],
    seconds: float,
    on_step: OnStep | None,
) -> Array:
    """How important a ranking calls each group of positions, `[group]`."""
    if isinstance(ranking, str) and ranking in METHODS:
        ranking = attribute(model, trace, ranking, seconds=seconds, on_step=on_step)
    if isinstance(ranking, Attribution):
        if ranking.maps.keys != trace.cross.keys or ranking.maps.queries != trace.cross.queries:
            raise InputError("An attribution ranks the source of its own trace, not that of another.")
        weights = ranking.values.mean((0, 1), dtype=np.float64)
    elif ranking == MEAN:
        weights = trace.cross.weights.mean((0, 1), dtype=np.float64)
    else:
        try:
            layer, head = parse_head(ranking)
        except ValueError:
            known = ", ".join((MEAN, *METHODS))
            raise InputError(f"{quoted(ranking)} is no ranking: give {known}, or a head such as 2.1.") from None
        if layer is None or not isinstance(head, int):
            raise InputError(f"{quoted(ranking)} is no single head: give one such as 2.1, or {MEAN} for all.")
        weights = trace.cross.head(layer, head).astype(np.float64)
    by_key = weights[first_asked(trace) if trace.answers else 0 :].sum(0)
    return np.array([by_key[list(group)].sum() for group in groups])


@dataclass(frozen=True, eq=False)
class DeletionSummary:
    """The areas of many sentences, in nats a token: `areas` `[sentence, ranking]`, and `random` `[sentence]` of chance.

    `names` are the rankings.
    """

    names: tuple[str, ...]
    areas: NDArray[np.float64]
    random: NDArray[np.float64]

    def lower(self) -> Mapping[str, tuple[float, float, float]]:
        """By how much each ranking's area is below that of chance, in nats a token: mean, and its 95 % interval.

        The interval is that of means over sentences drawn with replacement. One that lies above 0 says that the ranking
        names words that the model needs.
        """
        below = self.random[:, None] - self.areas
        generator = np.random.default_rng(_SEED)
        drawn = generator.integers(len(below), size=(_RESAMPLES, len(below)))
        means = below[drawn].mean(1)
        low, high = np.quantile(means, (0.025, 0.975), axis=0)
        columns = zip(below.mean(0), low, high, strict=True)
        return {name: (float(m), float(a), float(b)) for name, (m, a, b) in zip(self.names, columns, strict=True)}

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)


def summarise(deletions: Sequence[Deletion]) -> DeletionSummary:
    """What the deletions of many traces say together. Raises InputError for none, and for different rankings."""
    names = {tuple(curve.name for curve in one.curves) for one in deletions}
    if len(names) != 1:
        raise InputError("Deletions of the same rankings can be summed up, and of one sentence at least.")
    areas = np.array([[curve.area for curve in one.curves] for one in deletions])
    return DeletionSummary(names.pop(), areas, np.array([one.random_interval[0] for one in deletions]))


def deletions(
    model: Any, inputs: Iterable[Any], rankings: Sequence[str] | None = None, **options: Any
) -> Iterator[Deletion]:
    """The deletion of each input's trace, one by one, so that one can stop and sum up what there is.

    `inputs` are those of the model, or traces of it; `options` are those of `deletion_curves`.
    """
    for one in inputs:
        yield deletion_curves(model, one if isinstance(one, Trace) else model.trace(one), rankings, **options)
