"""What a head does, as numbers that hold for one map and add up over many; and its name, where a number carries one.

Every measure is a quotient of sums over the rows of all tokens that are not special: over many runs it is the quotient
of the sums of all. Links between words are those of people (gold) or of `align` (silver: it reads them off heads, among
them the ones that are judged).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.alignment import align
from xattn_viz.analysis.alignment_files import LinkedPair
from xattn_viz.analysis.alignment_score import counts_of_heads, rates
from xattn_viz.analysis.timing import timed_words
from xattn_viz.analysis.word_units import Words, sides
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import HeadGrid, Trace, probability
from xattn_viz.core.view import head_key, head_title

#: What measures are made of, by their names: `[layer, head, sum]`, of two sums for a ratio, of four for an F1.
Sums = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Measure:
    """A number about heads: `title` and `unit` for people, and `method`, which says how it is made.

    In both {} stands for what differs between models: which keys are special, whose links are taken.
    """

    title: str
    unit: str
    method: str


_WEIGHT_ON = "Weight on "
_LARGEST_AT = "Largest weight at "
_LARGEST = "the share of rows whose largest weight lies there{}"
#: All measures, by their names, which are those of grids.
MEASURES: dict[str, Measure] = {
    "alignment": Measure(
        "Alignment",
        "F1",
        "each target word linked with the source word of its largest weight, against the links of {}",
    ),
    "alignment-previous": Measure(
        "Alignment of the previous token",
        "F1",
        "the same with a token’s row being the one after, in which it is read, against the links of {}",
    ),
    "speech": Measure(_LARGEST_AT + "the moment of the word", "share", _LARGEST),
    "current": Measure(_LARGEST_AT + "{} itself", "share", _LARGEST),
    "previous": Measure(_LARGEST_AT + "{} before", "share", _LARGEST),
    "next": Measure(_LARGEST_AT + "{} behind", "share", _LARGEST),
    "special": Measure(_WEIGHT_ON + "{}", "share", "mean over rows"),
    "punctuation": Measure(_WEIGHT_ON + "punctuation", "share", "mean over rows"),
    "entropy": Measure("Entropy", "bits", "mean over rows"),
    "entropy-share": Measure(
        "Entropy, of its maximum", "share", "entropy over that of a row even over all keys that it sees, mean over rows"
    ),
    "diagonality": Measure(
        "Diagonality",
        "share",
        "1 − distance from the diagonal ÷ the largest that the row allows, mean over all weight that is not on special "
        "keys; 1 on the diagonal, about .55 where weights are even (Zhang et al. 2021, On the Usefulness of "
        "Self-Attention for Automatic Speech Recognition with Transformers)",
    ),
    "mean-cost": Measure(
        "What each head costs, over many texts",
        "nats a token",
        "by how much the log-probability of a token that the model wrote falls with the head’s output set to zero",
    ),
}


@dataclass(frozen=True)
class Rule:
    """When a head has a name: where `measure` is `least` or more, at the lower end of its interval if there is one.

    Its value has to be above that of the measure `above`, if one is named; where the measure `unless` is known too, the
    rule does not hold, as that says it better. In `says`, {number} is the value and {what} where the weight is, as the
    title of the measure has it.
    """

    says: str
    measure: str
    least: float
    above: str = ""
    unless: str = ""


_RESTS = 0.5  # from this share on, a head rests where it puts it
_SURE = 0.9  # from this probability on, a token was no surprise
#: All names that there are; the first that fits is a head's. A cost is no name: it says nothing of what a head does.
RULES: tuple[Rule, ...] = (
    Rule("aligns, {number}", "alignment", 0.6, above="alignment-previous"),
    Rule("aligns the previous token, {number}", "alignment-previous", 0.6, above="alignment"),
    Rule("follows the speech, {number}", "speech", 0.6),
    Rule("looks at {what}, {number}", "previous", 0.6, unless="alignment"),
    Rule("looks at {what}, {number}", "next", 0.6, unless="alignment"),
    Rule("looks at {what}, {number}", "current", 0.6, unless="alignment"),
    Rule("rests on {what}, {number}", "special", _RESTS),
    Rule("rests on {what}, {number}", "punctuation", 0.5),
    Rule("spreads evenly, {number} of the largest entropy", "entropy-share", 0.9),
)


class Interval(NamedTuple):
    """A number and the ends of its 95 % interval, both NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class HeadName:
    """What a head is called, the measure that carries it and the number, with the ends of its interval."""

    text: str
    measure: str
    number: Interval

    def __str__(self) -> str:
        return self.text


def head_names(grids: Iterable[HeadGrid], kind: MapKind = "cross") -> dict[tuple[int, int], HeadName]:
    """The names of the heads of a kind that have one by `RULES`, by (layer, head), from 0."""
    named = {grid.name: grid for grid in grids if grid.kind == kind}
    found: dict[tuple[int, int], HeadName] = {}
    for rule in RULES:
        grid, other = named.get(rule.measure), named.get(rule.above)
        if grid is None or rule.unless in named:
            continue
        fits = (grid.values if grid.low is None else grid.low) >= np.float32(rule.least)
        if other is not None and other.values.shape == grid.values.shape:
            fits &= grid.values > other.values
        what = grid.title.removeprefix(_WEIGHT_ON).removeprefix(_LARGEST_AT)
        for row, head in np.argwhere(fits).tolist():
            number = interval_at(grid, row, head)
            text = rule.says.format(number=written(number.value, grid.unit), what=what)
            found.setdefault((grid.layers[row], head), HeadName(text, rule.measure, number))
    return found


def written(value: float, unit: str) -> str:
    """A number as a name has it: "F1 .94", "71 %", "1.32 bits"."""
    if np.isnan(value):
        return "–"
    if unit == "share":
        return f"{100 * value:.0f}\u202f%"
    if unit == "F1":
        return "F1 " + f"{value:.2f}".removeprefix("0")
    return f"{value:.2f} {unit}"


def interval_at(grid: HeadGrid, row: int, head: int) -> Interval:
    """A head's number with its interval; `row` is the place of its layer in the grid."""
    ends = [float("nan") if array is None else float(array[row, head]) for array in (grid.low, grid.high)]
    return Interval(float(grid.values[row, head]), ends[0], ends[1])


def quotient(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The measure of its sums `[…, sum]`: their ratio, or the F1 of four. NaN where nothing is counted."""
    if sums.shape[-1] == 4:
        f1: NDArray[np.float64] = rates(sums)[..., 2]
        return f1
    top, bottom = np.moveaxis(sums, -1, 0)
    ratio: NDArray[np.float64] = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return ratio


def grid_of(
    name: str,
    maps_of: tuple[MapKind, tuple[int, ...]],
    values: NDArray[np.float64],
    where: str,
    said: Mapping[str, str],
    ends: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> HeadGrid:
    """A measure as evidence: of a kind and its layers, made `where`, with what {} stands for in `said`."""
    measure = MEASURES[name]
    title = measure.title.format(said.get("special", "") if name == "special" else said.get("place", "the position"))
    by = said.get("links", "") if name.startswith("alignment") else said.get("by", "")
    method = f"{where}: {measure.method.format(by)}."
    low, high = [end.astype(np.float32) for end in ends] if ends else (None, None)
    return HeadGrid(name, title, measure.unit, *maps_of, values.astype(np.float32), method, None, low, high)


def map_grids(maps: AttentionMaps) -> tuple[HeadGrid, ...]:
    """What one map says of its heads by itself, as evidence without intervals; no model is asked.

    Weight on special keys and on punctuation, entropy, diagonality; of self-attention how often the largest weight lies
    on the position itself, before it and behind. What means nothing on these axes is left out.
    """
    where = f"Of this one map, over {int((~maps.queries.is_special).sum())} rows"
    said = {"special": special_name(maps.keys)}
    made = {name: quotient(sums) for name, sums in map_sums(maps).items()}
    return tuple(grid_of(name, (maps.kind, maps.layers), made[name], where, said) for name in MEASURES if name in made)


def special_name(axis: Axis) -> str:
    """What the special keys of an axis are called: `</s>`, padding, or special tokens where there are several."""
    if axis.kind == "audio":
        return "padding"
    names = {axis.name(int(position)) for position in np.flatnonzero(axis.is_special)}
    return names.pop() if len(names) == 1 else "special tokens"


def map_sums(maps: AttentionMaps) -> Sums:
    """The sums of every measure that a map gives by itself; none where all of its queries are special."""
    rows = np.flatnonzero(~maps.queries.is_special)
    if not len(rows):
        return {}
    weights = maps.weights[:, :, rows].astype(np.float32, copy=False)
    special, signs = maps.keys.is_special, _signs(maps.keys)
    found: Sums = {}
    for name, on in (("special", special), ("punctuation", signs)):
        if on.any() and not on.all():
            found[name] = _over(weights[..., on].sum((-1, -2), dtype=np.float64), len(rows))
    if _is_square(maps):
        found |= _hits(weights.argmax(-1), np.eye(len(maps.keys), dtype=bool), rows)
    found |= _entropy_sums(weights)
    if {maps.queries.kind, maps.keys.kind} <= {"text", "audio"} and (~special).sum() > 1:
        found["diagonality"] = _diagonality_sums(maps, weights, rows)
    return found


def linked_sums(trace: Trace, reverse: Trace | None = None, gold: LinkedPair | None = None) -> Sums:
    """The sums of what needs links between the words of two texts: those of gold, or else of `align`."""
    words: Words = "axis"
    if gold is None:
        made = align(trace, reverse, words=words)
        source, target = (tuple(word.text for word in side) for side in (made.source_words, made.target_words))
        pair = LinkedPair(source, target, made.pairs)
    else:
        words, pair = (gold.source_words, gold.target_words), gold
    counted = counts_of_heads(trace, words, pair).astype(np.float64)  # [layer, head, convention, 4]
    read, wrote = sides(trace, words)
    links = np.zeros((len(wrote.words), len(read.words)))
    for s, t in pair.sure:
        links[t, s] = 1
    aligned = (wrote.members > 0).T @ links @ (read.members > 0) > 0  # [query, key]
    rows = np.flatnonzero(~trace.cross.queries.is_special)
    hits = _hits(trace.cross.weights[:, :, rows].argmax(-1), aligned, rows)
    return {"alignment": counted[:, :, 0], "alignment-previous": counted[:, :, 1], **hits}


def timed_sums(trace: Trace) -> Sums:
    """How often a row's largest weight lies in the time of its word, or in that of the token before or behind."""
    maps = trace.cross
    times = np.array(maps.keys.times)
    aligned = np.zeros((len(maps.queries), len(maps.keys)), bool)
    for word in timed_words(trace):
        aligned[word.rows[0] : word.rows[1] + 1] = (times[:, 0] < word.end) & (times[:, 1] > word.start)
    rows = np.flatnonzero(~maps.queries.is_special)
    found = _hits(maps.weights[:, :, rows].argmax(-1), aligned, rows)
    return {"speech": found.pop("current"), **found}


def _over(top: NDArray[np.float64], bottom: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Two sums, `[layer, head]` each, as `[layer, head, sum]`."""
    return np.stack([top, np.broadcast_to(bottom, top.shape)], axis=-1)


def _is_square(maps: AttentionMaps) -> bool:
    """Whether a row and the column of its number are one position of a sequence; of a decoder, the token read there."""
    is_own = maps.kind in ("encoder", "decoder") and maps.keys.kind in ("text", "audio")
    return is_own and len(maps.queries) == len(maps.keys)


def _entropy_sums(weights: NDArray[np.float32]) -> Sums:
    """Entropy in bits and as a share of its maximum, of `[layer, head, query, key]`; rows of zeros have none."""
    totals = weights.sum(-1)
    logs = np.log2(weights, out=np.zeros_like(weights), where=weights > 0)
    # With p = w / s, −Σ p log p is log s − Σ w log w / s.
    mean = np.divide(np.einsum("lhqk,lhqk->lhq", weights, logs), totals, out=np.zeros_like(totals), where=totals > 0)
    bits = np.maximum(np.log2(totals, out=np.zeros_like(totals), where=totals > 0) - mean, 0).astype(np.float64)
    seen = (weights > 0).any((0, 1)).sum(-1)  # what no head of any layer gives weight to is masked
    top = np.log2(np.maximum(seen, 1))
    share = np.divide(bits, top, out=np.zeros_like(bits), where=top > 0)
    has = totals > 0
    return {
        "entropy": _over(bits.sum(-1), has.sum(-1)),
        "entropy-share": _over(share.sum(-1), (has & (top > 0)).sum(-1)),
    }


def _diagonality_sums(maps: AttentionMaps, weights: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """How close weight lies to the diagonal, which goes from the first to the last position that is not special."""
    keys = np.flatnonzero(~maps.keys.is_special)
    if _is_square(maps):
        places, at = rows.astype(np.float64), keys.astype(np.float64)
    else:
        places, at = np.linspace(0, len(keys) - 1, len(rows)), np.arange(len(keys), dtype=np.float64)
    far = np.abs(places[:, None] - at)
    close = (1 - far / far.max(-1, keepdims=True)).astype(np.float32)
    own = weights[..., keys]
    near: NDArray[np.float64] = np.einsum("lhqk,qk->lh", own, close).astype(np.float64)
    return _over(near, own.sum((-1, -2), dtype=np.float64))


def _hits(largest: NDArray[np.intp], aligned: NDArray[np.bool_], rows: NDArray[np.intp]) -> Sums:
    """How often the `largest` weight of a row `[layer, head, row]` is where its token is `aligned`, or a neighbour is.

    `aligned` `[query, key]` is of all queries, `rows` are those looked at. A row whose token has no place is not
    counted.
    """
    found: Sums = {}
    for name, offset in (("current", 0), ("previous", -1), ("next", 1)):
        wanted = rows + offset
        inside = (wanted >= 0) & (wanted < len(aligned))
        places = np.zeros((len(rows), aligned.shape[1]), bool)
        places[inside] = aligned[wanted[inside]]
        hits = places[np.arange(len(rows)), largest]
        found[name] = _over(hits.sum(-1, dtype=np.float64), float(places.any(-1).sum()))
    return found


def _signs(axis: Axis) -> NDArray[np.bool_]:
    """Which positions of a text are punctuation and nothing else, `[position]`."""
    if axis.kind != "text":
        return np.zeros(len(axis), bool)
    labels = [axis.name(position).strip() for position in range(len(axis))]
    is_sign = [bool(label) and all(unicodedata.category(c).startswith("P") for c in label) for label in labels]
    signs: NDArray[np.bool_] = np.array(is_sign, bool) & ~axis.is_special
    return signs


@dataclass(frozen=True)
class Surprise:
    """Something worth seeing in one trace: in a few words, in a sentence with its number, and where to look.

    `layer` and `head`, from 0, are those of cross-attention, both None for whatever head one looks at; `query` and
    `key` are positions of its axes, None where all of them count. Token text is made visible, and is no markup.
    """

    title: str
    says: str
    layer: int | None = None
    head: int | None = None
    query: int | None = None
    key: int | None = None


def surprises(trace: Trace, grids: Iterable[HeadGrid] | None = None) -> tuple[Surprise, ...]:
    """Up to three things worth seeing in a trace, whatever its input: each is the extreme of a number, and says it.

    A head: the one that aligns best where that was measured, else of those that do not rest on special keys the one
    closest to the diagonal, or where order means nothing the sharpest. Another: the one that puts
    most weight on special keys, or that spreads it widest. A token: the one that the model was least certain of, or
    where none was chosen by probability, the largest weight. `grids` are the numbers of the heads of its
    cross-attention; the evidence that it keeps and `map_grids` where None.
    """
    maps = trace.cross
    known = {
        grid.name: grid
        for grid in ((*map_grids(maps), *trace.evidence) if grids is None else grids)
        if (grid.kind, grid.layers, grid.values.shape[1]) == ("cross", maps.layers, maps.n_heads)
        and np.isfinite(grid.values).any()
    }
    is_one_pass = not {"ablated", "masked", "aggregated"} & set(maps.altered)
    if "cropped" in maps.altered and is_one_pass and not maps.queries.is_special.all():
        known["special"] = _on_cropped(maps)
    several = maps.weights.shape[0] * maps.n_heads > 1
    found = [_straightest(known, maps), _resting(known, maps)] if several else []
    found.append(_unsure(trace) or _largest(maps))
    return tuple(one for one in found if one is not None)


def _on_cropped(maps: AttentionMaps) -> HeadGrid:
    """What rows that summed to 1 had on the padding that was cropped."""
    rows = ~maps.queries.is_special
    left = 1 - maps.weights[:, :, rows].sum(-1, dtype=np.float64).mean(-1)
    return grid_of("special", (maps.kind, maps.layers), left.clip(0, 1), "Of this one map", {"special": "padding"})


def _straightest(known: Mapping[str, HeadGrid], maps: AttentionMaps) -> Surprise | None:
    """The head that aligns best, or is closest to the diagonal, or looks at least."""
    if (measured := known.get("alignment")) is not None:
        is_alone = (measured.values == np.nanmax(measured.values)).sum() == 1
        says = "{head} aligns " + ("best" if is_alone else "as well as any") + " of all {count}: {number}."
        return _extreme(measured, measured.values, "aligns best: head {key}", says)
    is_text = "diagonality" in known
    grid = known.get("diagonality" if is_text else "entropy-share")
    if grid is None:
        return None
    rest, whose = known.get("special"), "all"
    values = grid.values if is_text else -grid.values
    if rest is not None and (rests := rest.values >= _RESTS).any() and not rests.all():
        values = np.where(rests, np.nan, values)
        whose = "those that do not rest on {what}"
    what = visible(special_name(maps.keys))
    if is_text:
        says = f"{{head}} is closest of {whose} to the diagonal: {{number}}."
        return _extreme(grid, values, "diagonal: head {key}", says, what)
    says = f"{{head}} looks at the fewest places of {whose}: {{number}} of the largest entropy."
    return _extreme(grid, values, "sharpest: head {key}", says, what)


def _resting(known: Mapping[str, HeadGrid], maps: AttentionMaps) -> Surprise | None:
    """The head that puts most on special keys, or that spreads its weight widest."""
    if (grid := known.get("special")) is not None and np.nanmax(grid.values) > 0:
        says = "{head} puts {number} of its weight on {what}, more than any other of {count}."
        verb = "rests on" if np.nanmax(grid.values) >= _RESTS else "most on"
        what = visible(special_name(maps.keys))
        return _extreme(grid, grid.values, f"{verb} {{what}}: head {{key}}", says, what)
    if (grid := known.get("entropy-share")) is None:
        return None
    says = "{head} spreads its weight widest of all {count}: {number} of the largest entropy."
    return _extreme(grid, grid.values, "widest: head {key}", says)


def _extreme(grid: HeadGrid, by: NDArray[np.float32], title: str, says: str, what: str = "") -> Surprise:
    """The head of the largest number in `by` `[layer, head]`, with its number in the grid; `what` are special keys."""
    row, head = divmod(int(np.nanargmax(by)), by.shape[1])
    layer = grid.layers[row]
    named = head_title(layer, head)
    said = {
        "head": named[:1].upper() + named[1:],
        "count": f"{by.size} heads",
        "number": written(float(grid.values[row, head]), grid.unit),
        "key": head_key(layer, head),
        "what": what,  # the last: it is text of others, in which nothing is to be filled in
    }
    return Surprise(_filled(title, said), _filled(says, said), layer, head)


def _filled(text: str, said: Mapping[str, str]) -> str:
    """A text with its {names} filled in; whatever else stands in braces, as a token may, stays."""
    for name, value in said.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _unsure(trace: Trace) -> Surprise | None:
    """The token of the lowest probability among those that the model chose; special ones where there are no others."""
    special = trace.cross.queries.is_special
    chosen = [i for i, step in enumerate(trace.steps) if not step.forced]
    chosen = [i for i in chosen if not special[i]] or chosen
    if not chosen:
        return None
    row = min(chosen, key=lambda i: trace.steps[i].log_prob)
    step = trace.steps[row]
    other = next((one for one in step.alternatives if one.token != step.token), None)
    token, p = visible(step.token), probability(step.log_prob)
    if p >= _SURE:
        says = f"The model was sure of all that it wrote, and least of “{token}”: a probability of {p:.2f}."
    else:
        also = f"; it could have been “{visible(other.token)}”, with {probability(other.log_prob):.2f}" if other else ""
        says = f"The model was least certain of “{token}”: it gave it a probability of {p:.2f}{also}."
    return Surprise(f"least certain: {token}", says, query=row)


def _largest(maps: AttentionMaps) -> Surprise | None:
    """The largest weight between positions that are not special."""
    rows, columns = np.flatnonzero(~maps.queries.is_special), np.flatnonzero(~maps.keys.is_special)
    if not len(rows) or not len(columns):
        return None
    own = maps.weights[:, :, rows][..., columns]
    at = np.unravel_index(int(own.argmax()), own.shape)
    layer, head, query, key = maps.layers[at[0]], int(at[1]), int(rows[at[2]]), int(columns[at[3]])
    between = f"{visible(maps.queries.name(query))} → {visible(maps.keys.name(key))}"
    says = f"The largest weight of all heads, {float(own[at]):.2f}, is one of {head_title(layer, head)}: {between}."
    return Surprise(f"largest weight: {between}", says, layer, head, query, key)
