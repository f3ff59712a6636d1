"""What each head costs: how much less likely a model thinks its own output when one of its heads is taken away.

A head with a map that looks meaningful need not matter, and one that looks like noise may: Michel et al. 2019 (Are
Sixteen Heads Really Better than One?) and Voita et al. 2019 (Analyzing Multi-Head Self-Attention) prune heads in this
way. A cost says what the rest of the model, which learned with that head, misses on these tokens. It does not say that
the head is needed for the task: what it does may be done by another after training without it, and two heads that stand
in for each other each cost little.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.interventions import Forced, Forcing, Intervention
from xattn_viz.core.maps import MapKind
from xattn_viz.core.records import Displayed, summary
from xattn_viz.core.tokens import Span, word_spans
from xattn_viz.core.trace import HeadGrid, Trace, probability
from xattn_viz.core.view import head_title
from xattn_viz.inputs import InputError

#: Told (runs done, runs in all); returning False stops.
OnStep = Callable[[int, int], bool | None]
#: How a head is taken away: its output is zeros, of even weights, or its mean over sentences.
Removal = Literal["zero", "uniform", "mean"]
#: A head as (layer, head), from 0; with None for the head, all of the layer.
Head = tuple[int, int | None]
_REMOVED: dict[Removal, str] = {
    "zero": "its output set to zero",
    "uniform": "its weights even over all keys",
    "mean": "its output replaced by its mean over other sentences",
}
_LITTLE = 0.01  # nats a token: one part in a hundred of its probability
_RESAMPLES, _FEWEST = 1000, 5  # of the bootstrap over traces, and how many traces it takes


class Heads(Protocol):
    """How many heads each layer has, by kind of map."""

    @property
    def heads(self) -> Mapping[MapKind, tuple[int, ...]]:
        """For each kind, one number a layer."""


class Model(Protocol):
    """A model that reads an output again with its heads changed, as `xv.Adapter` does."""

    @property
    def size(self) -> Heads:
        """Its sizes."""

    def trace(self, input: Any, **settings: Any) -> Trace:
        """As `Adapter.trace`."""

    def force(
        self,
        trace: Trace,
        runs: Sequence[Sequence[Intervention]],
        *,
        source: Trace | None = None,
        alternatives: int = 1,
        on_step: OnStep | None = None,
    ) -> Forced:
        """As `Adapter.force`."""

    def forcing(self, trace: Trace) -> Forcing:
        """As `Adapter.forcing`."""

    def head_outputs(
        self, trace: Trace, kind: MapKind = "cross", *, on_step: OnStep | None = None
    ) -> NDArray[np.float32]:
        """As `Adapter.head_outputs`."""


@dataclass(frozen=True, eq=False)
class HeadCosts(Displayed):
    """What each head of one kind costs on one trace or on several, in nats a token.

    `costs` `[layer, head]` is the mean of `per_token` over the tokens that are `counted`, of all traces together; NaN
    where a layer has fewer heads. Of each trace, in order: `per_token` `[layer, head, query]` is by how much the
    log-probability of each token of the output falls without the head, given the tokens before it; `counted` `[query]`
    says which the model wrote itself (`counted_tokens`); `likeliest` `[layer, head, query]` is the id of the token that
    it would then write at each place, and `changed`, boolean, where that is another than with all heads. `tokens` says
    what ids are to people, and `method` how all this was made.
    """

    kind: MapKind
    how: Removal
    costs: NDArray[np.float64]
    per_token: tuple[NDArray[np.float32], ...]
    counted: tuple[NDArray[np.bool_], ...]
    changed: tuple[NDArray[np.bool_], ...]
    likeliest: tuple[NDArray[np.int64], ...]
    tokens: Mapping[int, str]
    method: str

    @property
    def changed_outputs(self) -> NDArray[np.int64]:
        """In how many of the traces the model would no longer write what it wrote, `[layer, head]`.

        As long as every token stays the likeliest after those before it, a greedy search writes the same, so this
        needs no search. A checkpoint's own rules of generation, where it has some, are left out of account.
        """
        pairs = zip(self.changed, self.counted, strict=True)
        count: NDArray[np.int64] = np.sum([changed[:, :, counted].any(-1) for changed, counted in pairs], axis=0)
        return count

    @property
    def largest(self) -> tuple[int, int]:
        """The head that costs most, as (layer, head) from 0."""
        layer, head = np.unravel_index(int(np.nanargmax(self.costs)), self.costs.shape)
        return int(layer), int(head)

    @property
    def sentence(self) -> str:
        """Which head matters most, in a sentence for people: layers and heads from 1."""
        layer, head = self.largest
        cost, outputs = float(self.costs[layer, head]), len(self.per_token)
        name = head_title(layer, head).capitalize()
        least = probability(-max(cost, 0.0))
        changed = int(self.changed_outputs[layer, head])
        writes = f"and {changed} of {outputs} outputs change" if outputs > 1 else "and the output changes"
        if outputs == 1 and not changed:
            writes = "and the output stays the same"
        if cost < _LITTLE:
            return f"No head matters by itself: {name.lower()} costs most, and that is {cost:.3f} nats a token."
        return (
            f"{name} matters most: without it a token of the output loses {cost:.2f} nats, which leaves {least:.0%} of "
            f"its probability, {writes}."
        )

    def grid(self) -> HeadGrid:
        """The costs as evidence that a trace keeps (`Trace.with_evidence`), named "cost" and how.

        Of one trace with the cost of each token; of `_FEWEST` or more with a 95 % interval (bootstrap over traces).
        """
        low, high = self._interval() if len(self.per_token) >= _FEWEST else (None, None)
        return HeadGrid(
            "cost" if self.how == "zero" else f"cost-{self.how}",
            "What each head costs",
            "nats a token",
            self.kind,
            tuple(range(len(self.costs))),
            self.costs.astype(np.float32),
            self.method,
            self.per_token[0] if len(self.per_token) == 1 else None,
            low,
            high,
        )

    def _interval(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        pairs = list(zip(self.per_token, self.counted, strict=True))
        sums = np.stack([costs[:, :, counted].sum(-1) for costs, counted in pairs])  # [trace, layer, head]
        counts = np.array([counted.sum() for counted in self.counted])
        picks = np.random.default_rng(0).integers(len(pairs), size=(_RESAMPLES, len(pairs)))
        means = sums[picks].sum(1) / counts[picks].sum(1)[:, None, None]
        low, high = np.percentile(means, (2.5, 97.5), axis=0).astype(np.float32)
        return low, high

    __repr__ = summary


def head_costs(
    model: Model,
    traces: Trace | Sequence[Trace],
    how: Removal = "zero",
    *,
    kind: MapKind = "cross",
    sentences: Sequence[Any] = (),
    on_step: OnStep | None = None,
) -> HeadCosts:
    """What each head of a kind costs on outputs that the model itself wrote: `HeadCosts`.

    Each head in turn is taken away while the model reads its output again, token by token as it stands. `sentences` are
    what the mean of "mean" is over: inputs of the model, or traces of it. `on_step` is told how many runs are done.

    Raises InputError where there is no trace, none of the model's own, or nothing to take the mean over, and ModelError
    and Cancelled as `Adapter.force`.
    """
    traces = (traces,) if isinstance(traces, Trace) else tuple(traces)
    if not traces:
        raise InputError("There is no output to measure heads on: give one trace, or several.")
    heads = [(layer, head) for layer, count in enumerate(_heads(model, kind)) for head in range(count)]
    each, before = len(heads) + 1, 2 * len(sentences) if how == "mean" else 0
    every = before + len(traces) * each  # runs in all: a sentence is written, and read again
    means = mean_outputs(model, sentences, kind, on_step=_counted(on_step, 0, every)) if how == "mean" else None
    runs = [[_removal(how, kind, layer, head, means)] for layer, head in heads]
    shape = (len(_heads(model, kind)), max(_heads(model, kind)))
    found: list[tuple[NDArray[Any], ...]] = []
    tokens: dict[int, str] = {}
    for number, trace in enumerate(traces):
        forced = model.force(trace, [[], *runs], on_step=_counted(on_step, before + number * each, every))
        tokens |= forced.tokens
        count = forced.log_probs.shape[1]
        costs, best = np.full((*shape, count), np.nan, np.float32), np.full((*shape, count), -1, np.int64)
        where = tuple(np.array(heads).T)
        costs[where], best[where] = forced.log_probs[0] - forced.log_probs[1:], forced.best[1:]
        found.append((costs, counted_tokens(trace), (best != forced.best[0]) & (best >= 0), best))
    per_token, counted, changed, likeliest = zip(*found, strict=True)
    total = np.concatenate([costs[:, :, own] for costs, own in zip(per_token, counted, strict=True)], -1)
    return HeadCosts(
        kind,
        how,
        total.mean(-1, dtype=np.float64),
        per_token,
        counted,
        changed,
        likeliest,
        tokens,
        _method(how, counted, len(sentences)),
    )


def counted_tokens(trace: Trace) -> NDArray[np.bool_]:
    """Which tokens of an output costs are the mean over, `[query]`: those that the model wrote itself, its end too.

    What was given or forced (a prompt, a prefix) is left out; of an output that was given as a whole, only the special
    tokens that it begins with are. Raises InputError where nothing is left.
    """
    own = np.array([not step.forced for step in trace.steps], bool)
    if not own.any() and len(own):
        special = next((maps.queries.is_special for maps in trace.maps if maps.kind != "encoder"), None)
        own = np.ones(len(own), bool) if special is None else np.logical_or.accumulate(~special)
    if not own.any():
        raise InputError("This output has no token that the model wrote, so nothing can be measured on it.")
    return own


def mean_outputs(
    model: Model, sentences: Sequence[Any], kind: MapKind = "cross", *, on_step: OnStep | None = None
) -> NDArray[np.float32]:
    """What each head says on average over all tokens of the outputs for `sentences`, `[layer, head, d_v]`.

    `sentences` are inputs of the model, or traces of it. `on_step` is told how many runs are done, two a sentence: its
    output is written, and read again. Raises InputError where there are none, and Cancelled when `on_step` returns
    False.
    """
    if isinstance(sentences, str) or not len(sentences):
        raise InputError("A mean needs sentences to be taken over: give several, as in sentences=[…].")
    outputs, total = [], 2 * len(sentences)
    for number, one in enumerate(sentences):
        written = one if isinstance(one, Trace) else model.trace(one, on_step=_fixed(on_step, 2 * number, total))
        outputs.append(model.head_outputs(written, kind, on_step=_fixed(on_step, 2 * number + 1, total)))
    mean: NDArray[np.float32] = np.concatenate(outputs, axis=2).mean(2)
    return mean


def set_costs(
    model: Model,
    trace: Trace,
    sets: Sequence[Iterable[Head]],
    *,
    kind: MapKind = "cross",
    on_step: OnStep | None = None,
) -> NDArray[np.float64]:
    """What each of several sets of heads costs when all of it is taken away at once, in nats a token, `[set]`.

    A set is heads as (layer, head), with None for all heads of a layer: pairs, whole layers. Raises as `head_costs`.
    """
    runs = [_zeros(model, kind, heads) for heads in sets]
    forced, own = model.force(trace, [[], *runs], on_step=on_step), counted_tokens(trace)
    costs: NDArray[np.float64] = (forced.log_probs[0] - forced.log_probs[1:])[:, own].mean(-1, dtype=np.float64)
    return costs


@dataclass(frozen=True)
class WordChange:
    """A stretch of words that another stretch takes the place of, as (start, end) in characters of the two texts."""

    before: Span
    after: Span


@dataclass(frozen=True, eq=False)
class AblatedOutput:
    """What a model writes with `heads` ((kind, layer, head), from 0) switched off, beside what it wrote with all."""

    heads: tuple[tuple[MapKind, int, int], ...]
    before: Trace
    after: Trace
    changes: tuple[WordChange, ...]

    __repr__ = summary


def ablated_output(
    model: Model, trace: Trace, heads: Iterable[Head], *, kind: MapKind = "cross", on_step: OnStep | None = None
) -> AblatedOutput:
    """What the model writes anew for the source of a trace with some heads switched off, and which words change.

    `heads` are (layer, head), with None for all heads of a layer. Heads that were off in the trace stay off. Of an
    output that was given as a whole, `before` is what the model writes itself. Raises as `Adapter.trace`.
    """
    settings = dict(trace.settings)
    was_given = settings.pop("target", None) is not None
    settings["kinds"] = tuple(settings.get("kinds", (kind,)))
    off = [tuple(head) for head in settings.pop("ablate", ())]
    chosen = [(kind, one.layer, one.head) for one in _zeros(model, kind, heads)]
    before = model.trace(trace, **settings, ablate=off, on_step=on_step) if was_given else trace
    after = model.trace(trace, **settings, ablate=[*off, *chosen], on_step=on_step)
    return AblatedOutput(tuple(chosen), before, after, changed_words(before.output, after.output))


def changed_words(before: str, after: str) -> tuple[WordChange, ...]:
    """Where two texts differ, in whole words and punctuation marks (`difflib`), in order."""
    old, new = word_spans(before), word_spans(after)
    words = [[text[a:b] for a, b in spans] for text, spans in ((before, old), (after, new))]
    matcher = difflib.SequenceMatcher(a=words[0], b=words[1], autojunk=False)
    return tuple(
        WordChange(_stretch(before, old, a, b), _stretch(after, new, c, d))
        for tag, a, b, c, d in matcher.get_opcodes()
        if tag != "equal"
    )


def _stretch(text: str, spans: Sequence[Span], first: int, last: int) -> Span:
    """From the first to behind the last of some words; where there are none, the place between their neighbours."""
    if first < last:
        return spans[first][0], spans[last - 1][1]
    place = spans[first][0] if first < len(spans) else len(text)
    return place, place


@dataclass(frozen=True, eq=False)
class SmallestSet:
    """The heads that a greedy search leaves: without any other, the model would no longer write the same output.

    `kept` are (layer, head) from 0, in order; `removed` those taken away, in the order in which they were, and `costs`
    what all of them up to each cost together, in nats a token.
    """

    kind: MapKind
    kept: tuple[tuple[int, int], ...]
    removed: tuple[tuple[int, int], ...]
    costs: tuple[float, ...]

    __repr__ = summary


def smallest_set(model: Model, trace: Trace, *, kind: MapKind = "cross", on_step: OnStep | None = None) -> SmallestSet:
    """A small set of heads of a kind that keeps the output of a trace, by a greedy search from all of them downwards.

    A set keeps the output when at the place of each token that the model wrote itself, after the tokens before it, the
    same token is likeliest as with all heads: a greedy search then writes the same. In each round the head is taken
    away that costs least of those that keep it; one that did not is not tried again. So no single head of the set can
    be spared in the order in which they were tried, and a smaller set may exist that this search does not see.

    `on_step` is told how many heads are decided. Raises as `head_costs`.
    """
    left = [(layer, head) for layer, count in enumerate(_heads(model, kind)) for head in range(count)]
    total, own, force = len(left), counted_tokens(trace), model.forcing(trace)
    whole = force([[]], on_step=_fixed(on_step, 0, total))
    kept: list[tuple[int, int]] = []
    removed: list[tuple[int, int]] = []
    costs: list[float] = []
    while left:
        off, runs = ([Intervention(kind, *head) for head in some] for some in (removed, left))
        forced = force([[one] for one in runs], off, on_step=_fixed(on_step, total - len(left), total))
        keeps = (forced.best[:, own] == whole.best[0, own]).all(-1)
        falls = (whole.log_probs[0] - forced.log_probs)[:, own].mean(-1, dtype=np.float64)
        kept += [head for head, does in zip(left, keeps.tolist(), strict=True) if not does]
        able = [(float(fall), head) for fall, head, does in zip(falls, left, keeps.tolist(), strict=True) if does]
        if not able:
            break
        cost, cheapest = min(able)
        removed.append(cheapest)
        costs.append(cost)
        left = [head for _, head in able if head != cheapest]
    return SmallestSet(kind, tuple(sorted(kept)), tuple(removed), tuple(costs))


def _heads(model: Model, kind: MapKind) -> tuple[int, ...]:
    """How many heads each layer has. Raises InputError for a kind that the model does not have."""
    if kind not in model.size.heads:
        raise InputError(f"This model has no {kind} heads; it has {', '.join(model.size.heads)}.")
    return model.size.heads[kind]


def _zeros(model: Model, kind: MapKind, heads: Iterable[Head]) -> list[Intervention]:
    """Heads at zero, a layer's all where only the layer is named; each once."""
    counts = _heads(model, kind)
    found: dict[tuple[int, int], None] = {}
    for layer, head in heads:
        if head is None and not 0 <= layer < len(counts):
            raise InputError(f"There is no {kind} layer {layer}: they are 0 to {len(counts) - 1}.")
        found |= dict.fromkeys((layer, one) for one in (range(counts[layer]) if head is None else (head,)))
    return [Intervention(kind, layer, head) for layer, head in found]


def _removal(how: Removal, kind: MapKind, layer: int, head: int, means: NDArray[np.float32] | None) -> Intervention:
    return Intervention(kind, layer, head, how, None if means is None else means[layer, head])


def _method(how: Removal, counted: Sequence[NDArray[np.bool_]], sentences: int) -> str:
    removed = _REMOVED[how].replace("other sentences", f"{sentences} sentences")
    outputs = "its own output" if len(counted) == 1 else f"{len(counted)} outputs of its own"
    tokens = sum(int(own.sum()) for own in counted)
    return (
        f"The model read {outputs} again, once for each head with {removed}: by how much the log-probability of a "
        f"token falls, mean over the {tokens:,} tokens that it wrote itself."
    )


def _counted(on_step: OnStep | None, before: int, total: int) -> OnStep | None:
    """Tells how many of `total` runs are done, so many of them before these."""
    return None if on_step is None else lambda done, _: on_step(before + done, total)


def _fixed(on_step: OnStep | None, done: int, total: int) -> OnStep | None:
    """Tells of a number that does not change meanwhile."""
    return None if on_step is None else lambda *_: on_step(done, total)
