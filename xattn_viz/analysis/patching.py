"""What a model would write if one head had looked elsewhere, or had said what it said about another source.

Patching, also causal tracing or interchange intervention: Vig et al. 2020 (Investigating Gender Bias in Language Models
Using Causal Mediation Analysis), Meng et al. 2022 (Locating and Editing Factual Associations in GPT), here for heads of
an encoder-decoder. A large share says that what the head said carries the difference between these two sources; a small
one does not say that the head is idle, because another may carry the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.head_costs import Model, OnStep, changed_words, counted_tokens
from xattn_viz.core.interventions import Forced, Intervention
from xattn_viz.core.maps import MapKind
from xattn_viz.core.records import quoted, summary
from xattn_viz.core.tokens import Span, word_spans
from xattn_viz.core.trace import Alternative, HeadGrid, Trace
from xattn_viz.inputs import InputError

ALTERNATIVES = 5
#: Nats that an output has to lose with another source; shares of less would be shares of rounding.
LEAST_LOSS = 0.05


@dataclass(frozen=True, eq=False)
class EditedRow:
    """What changes when one row of one head, or of all heads of a layer, looks elsewhere.

    `weights` `[head, key]` are the rows as they are, `edited` as they were made. `before` and `after` are the likeliest
    tokens that the model could write in that row. `log_probs` and `edited_log_probs` `[query]` are those of every token
    of the output as it stands, each after those before it: rows behind the edited one can change with it, none before.
    """

    weights: NDArray[np.float32]
    edited: NDArray[np.float32]
    before: tuple[Alternative, ...]
    after: tuple[Alternative, ...]
    log_probs: NDArray[np.float32]
    edited_log_probs: NDArray[np.float32]

    __repr__ = summary


def edit_row(
    model: Model,
    trace: Trace,
    layer: int,
    head: int | None,
    query: int,
    key: int,
    *,
    share: float = 1.0,
    kind: MapKind = "cross",
    on_step: OnStep | None = None,
) -> EditedRow:
    """Move the weight of one row of a head to a key, and see which token the model would write then.

    `share` of what lies on the other keys goes to `key`, all of it by default; all numbers from 0. Where several heads
    tell the next token of one word, moving one of them changes little: with None for the head all of the layer move.
    The trace must hold the map of that kind, with all of its keys. Raises InputError for a place that the map does not
    have, a share that is none, and maps that keys were taken from; else as `Adapter.force`.
    """
    maps = trace.of_kind(kind)
    if kind == "encoder":
        raise InputError("The rows of an output are those of cross-attention and of the decoder: edit one of these.")
    if {"cropped", "aggregated"} & set(maps.altered):
        raise InputError("The keys of this map are not all there: trace the source again without cropping it.")
    rows, keys = len(maps.queries), len(maps.keys)
    if not 0 <= query < rows or not 0 <= key < keys:
        raise InputError(f"There is no row {query} with a key {key}: rows are 0 to {rows - 1}, keys 0 to {keys - 1}.")
    if not 0 <= share <= 1:
        raise InputError(f"The share of a row that moves is from 0 to 1: got {share}.")
    place = maps.layer_index(layer)
    heads = range(model.size.heads[kind][place]) if head is None else [head % maps.n_heads]
    weights = np.stack([maps.head(layer, one)[query].astype(np.float32) for one in heads])
    edited = weights * np.float32(1 - share)
    edited[:, key] = weights[:, key] + share * (1 - weights[:, key])
    changes = [
        Intervention(kind, place, one, "weights", row[None], (query,)) for one, row in zip(heads, edited, strict=True)
    ]
    forced = model.force(trace, [[], changes], alternatives=ALTERNATIVES, on_step=on_step)
    before, after = (_likeliest(forced, run, query) for run in (0, 1))
    return EditedRow(weights, edited, before, after, *forced.log_probs)


def _likeliest(forced: Forced, run: int, query: int) -> tuple[Alternative, ...]:
    """The likeliest tokens at one place of one run."""
    pairs = zip(forced.ids[run, query].tolist(), forced.id_log_probs[run, query].tolist(), strict=True)
    return tuple(Alternative(forced.tokens[token], token, log_prob) for token, log_prob in pairs if token >= 0)


@dataclass(frozen=True, eq=False)
class Patching:
    """How much of an output comes back when one head says of another source what it said of the first.

    `trace` is the run whose output is read, `other` the model's own output for the other source. `lost` `[query]` is by
    how much the log-probability of each token of the first output falls with the other source, and `is_word` `[query]`
    says which tokens belong to words that the other output has not. With what a head said of the first source put in,
    `restored` `[layer, head]` is the share of the loss of these tokens that comes back, and `restored_output` that of
    all tokens that the model wrote itself: 1 is all of it, 0 nothing, below 0 the head makes it worse. `by_layer`
    `[layer]` is as `restored`, of all heads of a layer at once.
    """

    kind: MapKind
    trace: Trace
    other: Trace
    lost: NDArray[np.float32]
    is_word: NDArray[np.bool_]
    restored: NDArray[np.float64]
    restored_output: NDArray[np.float64]
    by_layer: NDArray[np.float64]
    method: str

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the first output that the other has not."""
        return _words(self.trace, self.other)

    def grid(self) -> HeadGrid:
        """What comes back of the words that change, as evidence that a trace keeps."""
        return HeadGrid(
            "patch",
            "What each head brings back",
            "share of the lost log-probability",
            self.kind,
            tuple(range(len(self.restored))),
            self.restored.astype(np.float32),
            self.method,
        )

    __repr__ = summary


def patch_heads(
    model: Model,
    trace: Trace,
    other: Trace | tuple[str, str],
    *,
    kind: MapKind = "cross",
    on_step: OnStep | None = None,
) -> Patching:
    """Let the model read its output over another source, with one head after the other as it was over the first.

    `other` is a trace of the other source, or a word of the source and the one to put in its place (`exchanged`), as in
    ("cat", "dog"). The output that is read stays that of `trace`, so each row of a head stands for the same token in
    both runs, however long the two sources are; what heads of the encoder say has a row a token of the source, and
    needs as many. With every head of cross-attention put in at once, the first run comes back whole, because nothing
    else of the source reaches the decoder. Log-probabilities are over the whole vocabulary here.

    `on_step` is told how many runs are done. Raises InputError where both sources give the same output, or one that the
    first is as likely with, where a word is not there or lengths differ; else as `Adapter.force`.
    """
    if isinstance(other, tuple):
        if not isinstance(trace.input, str):
            raise InputError("Only a text has words to exchange: give another trace instead.")
        own = {name: value for name, value in trace.settings.items() if name not in ("target", "prefix")}
        off = [tuple(head) for head in own.pop("ablate", ())]
        text = exchanged(trace.input, *other)
        other = model.trace(text, **{**own, "kinds": tuple(own.get("kinds", (kind,)))}, ablate=off)
    is_word = _of_changed_words(trace, other)
    said = model.head_outputs(trace, kind)
    if kind == "encoder" and said.shape != (over := model.head_outputs(other, kind)).shape:
        counts = f"{said.shape[2]} and {over.shape[2]} tokens"
        raise InputError(f"Heads of the encoder need sources of as many tokens to be exchanged: these have {counts}.")
    layers = [
        [Intervention(kind, layer, head, "output", said[layer, head]) for head in range(count)]
        for layer, count in enumerate(model.size.heads[kind])
    ]
    heads = [[one] for layer in layers for one in layer]
    clean = model.force(trace, [[]], source=trace).log_probs[0]
    found = model.force(trace, [[], *layers, *heads], source=other, on_step=on_step).log_probs
    lost, gained = clean - found[0], found[1:] - found[0]  # [query], [run, query]
    words = _named(_words(trace, other))
    shares = _shares(gained, lost, is_word, words)
    of_output = _shares(gained, lost, counted_tokens(trace), "its own output")
    return Patching(
        kind,
        trace,
        other,
        lost,
        is_word,
        _by_head(shares[len(layers) :], model.size.heads[kind]),
        _by_head(of_output[len(layers) :], model.size.heads[kind]),
        shares[: len(layers)],
        f"The model read its output “{trace.output}” over {_shown(other)}, once for each head with what that head said "
        f"over {_shown(trace)}: the share of the lost log-probability of {words} that came back.",
    )


def exchanged(text: str, word: str, by: str) -> str:
    """A text with another word in the place of the first that is `word`. Raises InputError where there is none."""
    if not by.strip():
        raise InputError("Say which word is to take its place.")
    for start, end in word_spans(text):
        if text[start:end] == word.strip():
            return text[:start] + by.strip() + text[end:]
    words = ", ".join(quoted(text[a:b]) for a, b in word_spans(text)[:12])
    raise InputError(f"There is no word {quoted(word)} to exchange; the words are {words}.")


def _words(trace: Trace, other: Trace) -> tuple[str, ...]:
    return tuple(trace.output[a:b] for a, b in _spans(trace, other))


def _spans(trace: Trace, other: Trace) -> list[Span]:
    """Where the words of an output stand that another output has not."""
    return [one.before for one in changed_words(trace.output, other.output) if one.before[0] < one.before[1]]


def _of_changed_words(trace: Trace, other: Trace) -> NDArray[np.bool_]:
    """Which tokens of an output belong to words that the other has not, `[query]`. InputError where none does."""
    queries, own = trace.cross.queries, counted_tokens(trace)
    changed = [
        bool(counts) and not special and any(start < b and a < end for a, b in _spans(trace, other))
        for (start, end), counts, special in zip(queries.spans or (), own, queries.is_special, strict=True)
    ]
    if not any(changed):
        raise InputError(
            f"With the other source the model writes {quoted(other.output)}, which has every word of its first output: "
            "exchange one that changes a word."
        )
    return np.array(changed)


def _shares(
    gained: NDArray[np.float32], lost: NDArray[np.float32], tokens: NDArray[np.bool_], what: str
) -> NDArray[np.float64]:
    """The share of what some tokens lost that each run gains, `[run]`. Raises InputError where they lost nothing."""
    loss = float(lost[tokens].sum(dtype=np.float64))
    if loss < LEAST_LOSS:
        raise InputError(
            f"The model finds {what} as likely with the other source (it loses {loss:.2f} nats), so there is nothing "
            "to bring back: exchange another word."
        )
    shares: NDArray[np.float64] = gained[:, tokens].sum(-1, dtype=np.float64) / loss
    return shares


def _by_head(values: NDArray[np.float64], counts: Sequence[int]) -> NDArray[np.float64]:
    """One value a head, one behind the other, as `[layer, head]`; NaN where a layer has fewer heads."""
    grid = np.full((len(counts), max(counts)), np.nan)
    grid[tuple(np.array([(layer, head) for layer, count in enumerate(counts) for head in range(count)]).T)] = values
    return grid


def _named(words: Sequence[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)


def _shown(trace: Trace) -> str:
    """Its source in words."""
    return f"“{trace.input}”" if isinstance(trace.input, str) else "its own source"
