"""How well words are aligned, by links that people made: precision, recall, F1 and AER of the recipe and of every head.

Of links A against sure links S and possible links P ⊇ S, precision is |A ∩ P| / |A|, recall |A ∩ S| / |S|, F1 their
harmonic mean, and AER = 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|) (Och and Ney 2003, A Systematic Comparison of Various
Statistical Alignment Models, §5). Counts are summed over all pairs first. What has settings has them picked on one part
of the pairs and is measured on the other; intervals are of the bootstrap over pairs (Efron and Tibshirani 1993).
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.alignment import WordMatrices
from xattn_viz.analysis.alignment_files import LinkedPair, read_gold
from xattn_viz.analysis.alignment_heads import TextModel, check_reads_text, find_alignment_heads, known_heads
from xattn_viz.analysis.word_units import Words, sides, word_weights
from xattn_viz.core import files
from xattn_viz.core.evidence import Alignment, AlignmentHead, LinkMethod
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.inputs import InputError

#: The thresholds that one is picked from.
THRESHOLDS = tuple(round(0.02 * number, 2) for number in range(1, 50))
#: In which row a head's weights for a token are looked for: where it was predicted, or where it was read, one later.
ROW_CONVENTIONS = ("predicted", "read")
_CONFIDENCE = (2.5, 97.5)  # percentiles
_FORMAT = 1  # of the journal


class Rates(NamedTuple):
    """Four numbers from 0 to 1, NaN where nothing is counted; of `aer` less is better."""

    precision: float
    recall: float
    f1: float
    aer: float


@dataclass(frozen=True)
class Score:
    """What was measured: its name and settings, on how many pairs, and the ends of 95 % intervals."""

    name: str
    settings: str
    n_pairs: int
    rates: Rates
    low: Rates
    high: Rates


@dataclass(frozen=True)
class AlignmentScores:
    """How a model aligns, by gold: `scores` on the part that nothing was picked on.

    They are "recipe", as `align` does it; "one model" and, where there are two, "one model, reverse"; and with a part
    to pick on "recipe, threshold picked", by F1 there, and "best head", the head and row convention, each target word
    linked with the source word of its largest weight. `threshold` is the one picked. `grids` hold that F1 for every
    head, on all pairs, in both row conventions; `reverse_grids` the same of the reverse model, whose target words are
    the sources. `problems` are pairs that could not be traced, each with a sentence; they count as without links. Where
    the run was stopped `n_pairs` are less than `n_gold`.
    """

    scores: tuple[Score, ...]
    grids: tuple[HeadGrid, ...]
    reverse_grids: tuple[HeadGrid, ...]
    heads: tuple[AlignmentHead, ...]
    reverse_heads: tuple[AlignmentHead, ...]
    threshold: float | None
    n_pairs: int
    n_picked_on: int
    n_gold: int
    problems: tuple[tuple[str, str], ...] = ()

    def __getitem__(self, name: str) -> Score:
        """The score of a name. Raises KeyError where there is none."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)


def counts(links: Iterable[tuple[int, int]], pair: LinkedPair) -> NDArray[np.int64]:
    """How many links there are, how many sure ones in gold, how many links are sure, and how many sure or possible."""
    found = set(links)
    sure = len(found & pair.sure)
    return np.array([len(found), len(pair.sure), sure, sure + len(found & pair.possible)], np.int64)


def rates(counted: NDArray[Any]) -> NDArray[np.float64]:
    """Precision, recall, F1 and AER `[…, 4]` of summed `counts` `[…, 4]`; NaN where they divide by 0."""
    links, golden, sure, any_kind = np.moveaxis(counted.astype(np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = any_kind / links, sure / golden
        f1 = np.where(precision + recall > 0, 2 * precision * recall / (precision + recall), precision + recall)
        aer = 1 - (sure + any_kind) / (links + golden)
    return np.stack([precision, recall, f1, aer], axis=-1)


def score(
    gold: str | Path | Sequence[LinkedPair],
    model: TextModel,
    reverse: TextModel | None = None,
    *,
    method: LinkMethod = "threshold",
    threshold: float | None = None,
    heads: Iterable[Sequence[int]] | None = None,
    reverse_heads: Iterable[Sequence[int]] | None = None,
    signs: Literal["apart", "free"] = "apart",
    pick_on: float = 0.3,
    seed: int = 0,
    resamples: int = 1000,
    journal: str | Path | None = None,
    on_pair: Callable[[int, int], bool | None] | None = None,
    reverse_settings: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AlignmentScores:
    """Measure the alignments of a model, or of two of opposite directions, by pairs with links that people made.

    `gold` is a file, as `alignment_files.read_gold` takes it, or what that gave. Words are those of gold; each model is
    forced to the other text. The further arguments are those of `align`; heads that are not known for a model are found
    first, without the links. `pick_on` is the share of the pairs that settings are picked on, drawn with `seed`; with 0
    none are, and everything is measured on all pairs. `resamples` are those of the bootstrap, `settings` those of the
    model's `trace`, `reverse_settings` those of the reverse one's.

    With a `journal` every pair that is done is a line of that file: a run that was stopped, also by a kill, goes on
    where it was when it is called again in the same way, with the same result. `on_pair` is called with (pairs done,
    pairs in all); where it returns False the run stops, and what it has is the result.

    Raises InputError for gold that cannot be read or has fewer than two pairs, for a journal of another run, and what
    `align` raises.
    """
    pairs = list(gold) if isinstance(gold, Sequence) and not isinstance(gold, str) else read_gold(gold)
    if not 0 <= pick_on < 1 or len(pairs) < 1 + (pick_on > 0):
        raise InputError(
            "Settings are picked on a share of the pairs below 1 and measured on the others, of two or more pairs: "
            f"got {len(pairs)} and a share of {pick_on}."
        )
    for each in (model, *([reverse] if reverse is not None else [])):
        check_reads_text(each)
    run = _Run(model, reverse, method, threshold, signs, settings, reverse_settings or {})
    run.choose_heads(pairs, heads, reverse_heads)
    done = _Journal(journal, run.said(pairs))
    try:
        for number, pair in enumerate(pairs):
            if number in done.records:
                continue
            done.add(number, run.measure(pair))
            if on_pair is not None and on_pair(len(done.records), len(pairs)) is False:
                break
    finally:
        done.close()
    order = np.random.default_rng(seed).permutation(len(pairs))
    n_picked = max(1, min(len(pairs) - 1, round(pick_on * len(pairs)))) if pick_on else 0
    return _Summing(run, done.records, {int(number) for number in order[:n_picked]}, resamples, seed).all(len(pairs))


def head_agreement(trace: Trace, alignment: Alignment) -> tuple[HeadGrid, HeadGrid]:
    """How far each head of one trace links as an alignment of it does, in F1: rows of the token predicted, and read.

    Each target word is linked with the source word of its largest weight. Without gold this says which heads do what
    the alignment does, and no more.
    """
    source, target = (tuple(word.text for word in side) for side in (alignment.source_words, alignment.target_words))
    counted = counts_of_heads(trace, (source, target), LinkedPair(source, target, alignment.pairs))
    f1 = rates(counted)[..., 2].astype(np.float32)
    how = "both directions" if alignment.reverse_heads else "one direction"
    predicted, read = (
        HeadGrid(
            f"alignment-agreement-{convention}",
            f"Agreement with the alignment, rows of the token {convention}",
            "F1",
            "cross",
            trace.cross.layers,
            f1[:, :, number],
            "Each target word is linked with the source word of its largest weight in the rows where its pieces are "
            f"{convention}, and compared with the alignment of this pair by {how}, which is no gold.",
        )
        for number, convention in enumerate(ROW_CONVENTIONS)
    )
    return predicted, read


class _Run:
    """The models and settings of a run, and what is measured on one pair."""

    def __init__(
        self,
        model: TextModel,
        reverse: TextModel | None,
        method: LinkMethod,
        threshold: float | None,
        signs: str,
        settings: Mapping[str, Any],
        reverse_settings: Mapping[str, Any],
    ) -> None:
        self.model, self.reverse, self.method, self.threshold = model, reverse, method, threshold
        self.is_apart, self.settings, self.reverse_settings = signs == "apart", dict(settings), dict(reverse_settings)
        self.heads: tuple[AlignmentHead, ...] = ()
        self.reverse_heads: tuple[AlignmentHead, ...] = ()
        self.layers: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self.digests: list[str] = []

    def choose_heads(
        self,
        pairs: Sequence[LinkedPair],
        heads: Iterable[Sequence[int]] | None,
        reverse_heads: Iterable[Sequence[int]] | None,
    ) -> None:
        """The heads of both models: those given, or known, or else found from the texts of these pairs."""
        ahead, back = self._first_traces(pairs)
        texts = [(" ".join(pair.source_words), " ".join(pair.target_words)) for pair in pairs]
        for trace, given in ((ahead, heads), (back, reverse_heads)):
            if trace is not None and given is None and known_heads(trace) is None:
                found = find_alignment_heads(
                    self.model, self.reverse, texts, keep=False, reverse_settings=self.reverse_settings, **self.settings
                )
                heads = heads if heads is not None or known_heads(ahead) else found.heads
                reverse_heads = found.reverse_heads if trace is back else reverse_heads
                break
        matrices = WordMatrices.of(ahead, back, "spaces", heads, reverse_heads)
        self.heads, self.reverse_heads = matrices.heads, matrices.reverse_heads
        self.layers = ahead.cross.layers, back.cross.layers if back is not None else ()
        self.digests = [str(each.provenance.get("weights_sha256")) for each in (ahead, back) if each is not None]
        if self.threshold is None:
            self.threshold = matrices.default_threshold if self.method == "threshold" else 0.0

    def said(self, pairs: Sequence[LinkedPair]) -> dict[str, Any]:
        """What makes a run what it is, as JSON values."""
        texts = [[p.source_words, p.target_words, sorted(p.sure), sorted(p.possible)] for p in pairs]
        settings = {
            "method": self.method,
            "threshold": self.threshold,
            "is_apart": self.is_apart,
            "model": self.settings,
            "reverse": self.reverse_settings,
        }
        return {
            "alignment_scores": _FORMAT,
            "gold_sha256": hashlib.sha256(json.dumps(texts).encode("utf-8", "surrogatepass")).hexdigest(),
            "weights_sha256": self.digests,
            "heads": [[list(head) for head in side] for side in (self.heads, self.reverse_heads)],
            "settings": json.loads(json.dumps(settings, default=str)),
        }

    def measure(self, pair: LinkedPair) -> dict[str, Any]:
        """The counts of one pair, as JSON values."""
        try:
            ahead, back = self._traces(pair)
        except InputError as error:
            return {"problem": str(error), "golden": len(pair.sure)}
        words = pair.source_words, pair.target_words
        matrices = WordMatrices.of(ahead, back, words, self.heads, self.reverse_heads or None)
        assert self.threshold is not None  # noqa: S101 - it was chosen with the heads
        found = {
            "recipe": counts(matrices.link(self.method, self.threshold, apart=self.is_apart), pair),
            "thresholds": [counts(matrices.link("threshold", each, apart=self.is_apart), pair) for each in THRESHOLDS],
            "one": self._alone(ahead, self.heads, words, pair),
            "heads": counts_of_heads(ahead, words, pair),
        }
        if back is not None:
            turned = LinkedPair(pair.target_words, pair.source_words, _turned(pair.sure), _turned(pair.possible))
            found["one_reverse"] = self._alone(back, self.reverse_heads, words[::-1], turned)
            found["reverse_heads"] = counts_of_heads(back, words[::-1], turned)
        return {name: np.asarray(value).tolist() for name, value in found.items()}

    def _alone(
        self, trace: Trace, heads: Sequence[AlignmentHead], words: tuple[Sequence[str], Sequence[str]], pair: LinkedPair
    ) -> NDArray[np.int64]:
        matrices = WordMatrices.of(trace, None, words, heads, None)
        return counts(matrices.link("threshold", matrices.default_threshold, apart=self.is_apart), pair)

    def _traces(self, pair: LinkedPair) -> tuple[Trace, Trace | None]:
        source, target = " ".join(pair.source_words), " ".join(pair.target_words)
        ahead = self.model.trace(source, target=target, **self.settings)
        if self.reverse is None:
            return ahead, None
        return ahead, self.reverse.trace(target, target=source, **self.reverse_settings)

    def _first_traces(self, pairs: Sequence[LinkedPair]) -> tuple[Trace, Trace | None]:
        for pair in pairs:
            with suppress(InputError):
                return self._traces(pair)
        return self._traces(pairs[0])  # none can be traced, and it says why


class _Journal:
    """What is measured of each pair by its number, on the disk as well where there is a file for it.

    A line is whole or was never written: what a kill left of the last one is cut off.
    """

    def __init__(self, path: str | Path | None, head: Mapping[str, Any]) -> None:
        self.records: dict[int, dict[str, Any]] = {}
        self._file: int | None = None
        if path is None:
            return
        files.check(path)
        begun = Path(path).read_bytes() if Path(path).exists() else b""
        lines = begun.split(b"\n")[:-1]  # what stands behind the last end of a line is not whole
        whole = 0
        for number, line in enumerate(lines):
            said = _line(line)
            if number == 0 and said != head:
                raise InputError(
                    f"{path} is no journal of these pairs, models and settings: name another file, or remove it."
                )
            if said is None:
                break
            whole += len(line) + 1
            if number:
                self.records[int(said["pair"])] = said["counts"]
        if begun and not whole and lines:
            raise InputError(f"{path} is no journal: name another file, or remove it.")
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        os.ftruncate(self._file, whole)
        os.lseek(self._file, 0, os.SEEK_END)
        if not whole:
            self._write(head)

    def add(self, number: int, record: dict[str, Any]) -> None:
        """Keep what was measured of a pair."""
        self.records[number] = record
        if self._file is not None:
            self._write({"pair": number, "counts": record})

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)

    def _write(self, said: Mapping[str, Any]) -> None:
        assert self._file is not None  # noqa: S101 - it is open
        os.write(self._file, json.dumps(said, separators=(",", ":")).encode() + b"\n")


def _line(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _turned(links: Iterable[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    return frozenset((t, s) for s, t in links)


def counts_of_heads(trace: Trace, words: Words, pair: LinkedPair) -> NDArray[np.int64]:
    """The `counts` of each head, every target word linked with its largest weight, `[layer, head, convention, 4]`."""
    weights = word_weights(trace, *sides(trace, words))  # [layer, head, shift, target, source]
    golden, either = (np.zeros(weights.shape[-2:], np.int64) for _ in range(2))
    for matrix, links in ((golden, pair.sure), (either, pair.sure | pair.possible)):
        for s, t in links:
            matrix[t, s] = 1
    best, is_linked = weights.argmax(axis=-1), weights.max(axis=-1) > 0
    rows = np.arange(weights.shape[-2])
    hits = [(matrix[rows, best] * is_linked).sum(axis=-1) for matrix in (golden, either)]
    every = np.full(best.shape[:3], len(pair.sure))
    return np.stack([is_linked.sum(axis=-1), every, *hits], axis=-1)


class _Summing:
    """From the counts of every pair to the result."""

    def __init__(
        self, run: _Run, records: Mapping[int, dict[str, Any]], picked: set[int], resamples: int, seed: int
    ) -> None:
        self.run, self.records, self.resamples, self.seed = run, records, resamples, seed
        self.numbers = sorted(records)
        self.example = next((record for record in records.values() if "problem" not in record), {})
        self.is_picked = np.array([number in picked for number in self.numbers], bool)
        if not self.example:
            problem = next(iter(records.values()), {"problem": "the run was stopped before the first pair."})["problem"]
            raise InputError(f"No pair could be measured: {problem}")
        if self.is_picked.all() or (picked and not self.is_picked.any()):
            raise InputError(f"{len(records)} pairs are too few: settings are picked on some and measured on others.")

    def all(self, n_gold: int) -> AlignmentScores:
        """The result, of so many pairs in all."""
        run, threshold = self.run, None
        links = f"link above {run.threshold:g}" if run.method == "threshold" else run.method
        way = "both directions" if run.reverse is not None else "one direction"
        found = [
            self._score("recipe", f"{way}, {links}", self._table("recipe")),
            self._score("one model", _named(run.heads), self._table("one")),
        ]
        if run.reverse is not None:
            found.append(self._score("one model, reverse", _named(run.reverse_heads), self._table("one_reverse")))
        if self.is_picked.any():
            best = int(np.nanargmax(rates(self._table("thresholds")[self.is_picked].sum(axis=0))[:, 2]))
            threshold = THRESHOLDS[best]
            counted = self._table("thresholds")[:, best]
            found.append(self._score("recipe, threshold picked", f"{way}, link above {threshold:g}", counted))
            found.append(self._best_head())
        return AlignmentScores(
            tuple(found),
            self._grids("heads", run.layers[0]),
            self._grids("reverse_heads", run.layers[1]) if run.reverse is not None else (),
            run.heads,
            run.reverse_heads,
            threshold,
            len(self.numbers),
            int(self.is_picked.sum()),
            n_gold,
            tuple(
                (f"pair {number + 1}", str(record["problem"]))
                for number, record in sorted(self.records.items())
                if "problem" in record
            ),
        )

    def _table(self, name: str) -> NDArray[np.int64]:
        """The counts of every pair under a name, `[pair, …, 4]`; a pair that could not be traced has no links."""
        rows = []
        for number in self.numbers:
            row = np.zeros(np.shape(self.example[name]), np.int64)
            if name in self.records[number]:
                row[...] = self.records[number][name]
            else:
                row[..., 1] = self.records[number]["golden"]
            rows.append(row)
        return np.stack(rows)

    def _score(self, name: str, settings: str, counted: NDArray[np.int64]) -> Score:
        own = counted[~self.is_picked]
        value, low, high = (Rates(*map(float, each)) for each in self._interval(own))
        return Score(name, settings, len(own), value, low, high)

    def _best_head(self) -> Score:
        counted = self._table("heads")
        f1 = rates(counted[self.is_picked].sum(axis=0))[..., 2]
        layer, head, convention = (int(i) for i in np.unravel_index(int(np.nanargmax(f1)), f1.shape))
        number = self.run.layers[0][layer]
        own = f"layer {number + 1}, head {head + 1}, rows of the token {ROW_CONVENTIONS[convention]}"
        return self._score("best head", own, counted[:, layer, head, convention])

    def _grids(self, name: str, layers: tuple[int, ...]) -> tuple[HeadGrid, ...]:
        """F1 of every head in both row conventions, with intervals, on all pairs."""
        counted = self._table(name)
        value, low, high = (each[..., 2].astype(np.float32) for each in self._interval(counted))
        return tuple(
            HeadGrid(
                f"alignment-{convention}",
                f"Word alignment, rows of the token {convention}",
                "F1",
                "cross",
                layers,
                value[:, :, number],
                "Each target word is linked with the source word of its largest weight in the rows where its pieces "
                f"are {convention}, and compared with links that people made: {len(counted)} pairs, 95 % bootstrap "
                "intervals.",
                low=low[:, :, number],
                high=high[:, :, number],
            )
            for number, convention in enumerate(ROW_CONVENTIONS)
        )

    def _interval(
        self, counted: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The rates of `counted` `[pair, …, 4]` and the ends of their intervals: value, low, high, each `[…, 4]`.

        The same pairs are drawn for all scores of a part, so that differences between them are no draw's.
        """
        value, pairs = rates(counted.sum(axis=0)), len(counted)
        if not self.resamples:
            return value, value, value
        even = np.full(pairs, 1 / pairs)
        drawn = np.random.default_rng(self.seed).multinomial(pairs, even, size=self.resamples)  # how often each pair
        sums = np.tensordot(drawn.astype(np.float64), counted.astype(np.float64), axes=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a head without a link in any draw has no interval
            low, high = np.nanpercentile(rates(sums), _CONFIDENCE, axis=0)
        return value, low, high


def _named(heads: Sequence[AlignmentHead]) -> str:
    """Heads in words, from 1."""
    return " and ".join(f"{head.layer + 1}.{head.head + 1}{' one row later' * head.shift}" for head in heads)
