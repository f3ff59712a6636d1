"""Which heads align: found without any gold, from sentences alone, with the evidence for them.

Two kinds of head align words. One looks, while a token is predicted, at what it is about to translate. The other looks
at what the *previous* token came from, which is the token just read: its rows are read one later (Chen et al. 2020,
Accurate Word Alignment Induction from Neural Machine Translation, call the first way naive and the second Shift-Att).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import platformdirs
from numpy.typing import NDArray

from xattn_viz.analysis.word_units import Side, sides, sides_again, with_rows_of_one, word_weights
from xattn_viz.core import files
from xattn_viz.core.evidence import AlignmentHead
from xattn_viz.core.records import quoted, read_only, same, summary
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.inputs import InputError

#: The heads of the models that come with the package, by the sha256 of their weights; `make alignment-heads` writes it.
SHIPPED = Path(__file__).with_name("alignment_heads.json")
#: Sentences of English and Portuguese, linked by hand; heads are found from the sentences, never from the links.
BY_HAND = Path(__file__).with_name("en_pt_by_hand.tsv")
#: A folder for what is kept between runs, in place of the user's cache.
CACHE_VARIABLE = "XATTN_VIZ_CACHE"
#: How many pairs are read where none are given. Three find the heads of the offline pair as surely as hundreds.
MOST_PAIRS = 30
_LEAST_KEPT = 3  # pairs: from one alone other heads were found in 1 case of 200
# A second head counts where it reaches this share of the first one's score. Of the offline models the second reaches
# .92 and more, what does not align .64 at most.
_SECOND = 0.75


class TextModel(Protocol):
    """A loaded model that reads and writes text, as `xv.load` gives it."""

    @property
    def card(self) -> Any:
        """What it says of itself: its name and its languages."""

    @property
    def trace(self) -> Callable[..., Trace]:
        """`Adapter.trace`."""


@dataclass(frozen=True, eq=False)
class HeadSearch:
    """The heads that align, and the evidence: a score for every head, unshifted and shifted, `[layer, head, shift]`.

    Of two models of opposite directions the score is the mean cosine between a head's matrix of words and the
    transposed matrix of the head of the other model that is most like it, and `agreement`
    `[layer, head, shift, layer, head, shift]` holds it for every two. Of one model it is sharpness (the mean over rows
    of Σ w²) times coverage (1 − the total variation between the sums of the columns and even ones). Both lie between 0
    and 1. `reverse_heads` and `reverse_scores` are those of the other model, empty without one.
    """

    heads: tuple[AlignmentHead, ...]
    scores: NDArray[np.float64]
    layers: tuple[int, ...]
    n_pairs: int
    reverse_heads: tuple[AlignmentHead, ...] = ()
    reverse_scores: NDArray[np.float64] | None = None
    reverse_layers: tuple[int, ...] = ()
    agreement: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name in ("scores", "reverse_scores", "agreement"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(array))

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def grids(self, *, reverse: bool = False) -> tuple[HeadGrid, ...]:
        """The scores of the unshifted heads and those of the shifted ones, each as a grid for the page."""
        scores, layers = (self.reverse_scores, self.reverse_layers) if reverse else (self.scores, self.layers)
        if scores is None:
            return ()
        how = (
            "Sharpness of the rows times coverage of the columns"
            if self.agreement is None
            else "Mean cosine with the turned matrix of the head of the other direction that is most like it"
        )
        return tuple(
            HeadGrid(
                f"aligns-{name}",
                f"Does it align, rows of the token {name}",
                "score from 0 to 1",
                "cross",
                layers,
                scores[:, :, shift].astype(np.float32),
                f"{how}, between words, on {self.n_pairs} pair{'s' * (self.n_pairs > 1)}, without any gold.",
            )
            for shift, name in enumerate(("predicted", "read"))
        )

    def rows(self, *, reverse: bool = False) -> list[dict[str, float | int | bool]]:
        """The scores as a table, best first: layer, head and shift from 0, score, and whether it was chosen."""
        scores, layers = (self.reverse_scores, self.reverse_layers) if reverse else (self.scores, self.layers)
        chosen = self.reverse_heads if reverse else self.heads
        if scores is None:
            return []
        found: list[dict[str, float | int | bool]] = []
        for index in np.argsort(-scores, axis=None, kind="stable"):
            layer, head, shift = (int(i) for i in np.unravel_index(index, scores.shape))
            one = AlignmentHead(layers[layer], head, shift)
            found.append({**one._asdict(), "score": float(scores[layer, head, shift]), "is_chosen": one in chosen})
        return found


def find_alignment_heads(
    model: TextModel,
    reverse: TextModel | None = None,
    texts: Iterable[str | tuple[str, str]] | None = None,
    *,
    on_pair: Callable[[int, int], bool | None] | None = None,
    keep: bool = True,
    reverse_settings: Mapping[str, Any] | None = None,
    **settings: Any,
) -> HeadSearch:
    """Find the heads of a text model that align words, without gold, from some sentences.

    `reverse` is a model of the opposite direction: heads are then those on which both agree. `texts` are sources, which
    the model translates, or pairs of a source and its translation; without any, sentences that come with the package
    where the model reads English or is between English and Portuguese. The first `MOST_PAIRS` are read. For each model
    the best unshifted and the best shifted head are taken, each head in the better of its two ways only, and a second
    only where it comes close to the first.

    What three pairs or more say is kept in the user's cache folder under the sha256 of the weights, where `align` looks
    it up; `keep=False` leaves it. `settings` are those of the model's `trace`, `reverse_settings` those of the reverse
    one's, such as the languages of a model that has many. `on_pair` is called with (pairs done, pairs in all); where it
    returns False the search ends with the pairs so far.

    Raises InputError where there are no texts to read, and what `trace` raises.
    """
    check_reads_text(model)
    pairs = list(islice(_default_texts(model) if texts is None else texts, MOST_PAIRS))
    if not pairs:
        raise InputError("Heads are found from sentences, and there are none: give some as texts.")
    ahead: list[Trace] = []
    back: list[Trace] = []
    for number, pair in enumerate(pairs):
        source, target = (pair, None) if isinstance(pair, str) else pair
        trace = model.trace(source, target=target, **settings)
        if trace.output.strip():
            ahead.append(trace)
            if reverse is not None:
                back.append(reverse.trace(trace.output, target=trace.input, **(reverse_settings or {})))
        if on_pair is not None and on_pair(number + 1, len(pairs)) is False:
            break
    if not ahead:
        raise InputError("The model wrote nothing for these texts, so no head can be found from them.")
    found = search(ahead, back or None)
    if keep and len(ahead) >= _LEAST_KEPT:
        _keep(ahead[0], found.heads, found.scores)
        if back and found.reverse_scores is not None:
            _keep(back[0], found.reverse_heads, found.reverse_scores)
    return found


def check_reads_text(model: TextModel) -> None:
    """Raise InputError where a model reads no text, or writes none."""
    card = model.card
    if getattr(card, "input_kind", "text") != "text" or getattr(card, "output_kind", "text") != "text":
        raise InputError(f"Words are aligned between two texts, and {card.title} does not read one and write another.")


def search(ahead: Sequence[Trace], back: Sequence[Trace] | None = None) -> HeadSearch:
    """The heads that align in traces, with the scores of all; `back` are traces of the same pairs the other way."""
    scores: list[NDArray[np.float64]] = []
    agreements: list[NDArray[np.float64]] = []
    for number, trace in enumerate(ahead):
        source, target = sides(trace)
        weights = with_rows_of_one(word_weights(trace, source, target))
        if back is None:
            scores.append(_sharpness(weights) * _coverage(weights))
        else:
            agreements.append(_agreement(weights, _turned(back[number], source, target, trace)))
    layers = ahead[0].cross.layers
    if back is None:
        mean: NDArray[np.float64] = np.mean(scores, axis=0)
        return HeadSearch(choose(mean, layers), mean, layers, len(ahead))
    agreement: NDArray[np.float64] = np.mean(agreements, axis=0)
    own, other = agreement.max(axis=(3, 4, 5)), agreement.max(axis=(0, 1, 2))
    reverse_layers = back[0].cross.layers
    return HeadSearch(
        choose(own, layers),
        own,
        layers,
        len(ahead),
        choose(other, reverse_layers),
        other,
        reverse_layers,
        agreement,
    )


def choose(scores: NDArray[np.float64], layers: Sequence[int]) -> tuple[AlignmentHead, ...]:
    """The best unshifted and the best shifted head of `scores` `[layer, head, shift]`, best first.

    A head counts in the better of its two ways: in the wrong one it comes close as well, as neighbours' words do.
    """
    own = np.where(scores == scores.max(axis=2, keepdims=True), scores, -math.inf)
    found: list[tuple[float, AlignmentHead]] = []
    for shift in (0, 1):
        layer, head = divmod(int(own[:, :, shift].argmax()), own.shape[1])
        found.append((float(own[layer, head, shift]), AlignmentHead(layers[layer], head, shift)))
    found.sort(key=lambda one: -one[0])
    return tuple(head for score, head in found if score >= _SECOND * found[0][0])


def known_heads(trace: Trace) -> tuple[tuple[AlignmentHead, ...], str] | None:
    """The heads that are known for the model of a trace, and where from: None where there are none.

    They are the ones that its checkpoint names, or else those that were found before on this machine, or else those
    that ship with the package.
    """
    if trace.alignment_heads:
        return tuple(AlignmentHead(layer, head) for layer, head in trace.alignment_heads), "named by the checkpoint"
    digest = str(trace.provenance.get("weights_sha256", ""))
    for entry, origin in ((_kept(digest), "found before"), (_shipped().get(digest), "shipped")):
        with suppress(TypeError, ValueError, KeyError, IndexError):  # a file of the cache can hold anything
            heads = tuple(AlignmentHead(*map(int, head)) for head in entry["heads"]) if entry else ()
            there = trace.cross
            if heads and all(each.layer in there.layers and 0 <= each.head < there.n_heads for each in heads):
                return heads, origin
    return None


def entry(trace: Trace, heads: Sequence[AlignmentHead], scores: NDArray[np.float64]) -> dict[str, Any]:
    """What is written of a model's heads, as JSON values."""
    return {
        "model": trace.model,
        "heads": [list(head) for head in heads],
        "scores": np.round(scores, 4).tolist(),
    }


def _default_texts(model: TextModel) -> list[str | tuple[str, str]]:
    """Sentences that come with the package, for a model that reads English or Portuguese."""
    source, target = model.card.source_language, model.card.target_language
    pairs = [line.split("\t")[:2] for line in BY_HAND.read_text(encoding="utf-8").splitlines() if "\t" in line]
    if (source, target) == ("pt", "en"):
        return [(pt, en) for en, pt in pairs]
    if (source, target) == ("en", "pt"):
        return [(en, pt) for en, pt in pairs]
    if source == "en":
        return [en for en, _ in pairs]
    raise InputError(
        f"No sentences come with the package that {quoted(model.card.name)} is known to read: give some as texts."
    )


def _turned(trace: Trace, source: Side, target: Side, first: Trace) -> NDArray[np.float64]:
    """The weights of the other direction, with rows of 1, turned to those of the first: `[…, target, source]`."""
    read, written = sides_again(trace, source.words, target.words, (str(first.input), first.output))
    return with_rows_of_one(word_weights(trace, read, written)).swapaxes(-1, -2)


def _agreement(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosine between every matrix of `a` and every one of `b`, both `[layer, head, shift, target, source]`."""
    flat = [_unit(side.reshape(-1, side.shape[-2] * side.shape[-1])) for side in (a, b)]
    found: NDArray[np.float64] = (flat[0] @ flat[1].T).reshape(*a.shape[:3], *b.shape[:3])
    return found


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    units: NDArray[np.float64] = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return units


def _sharpness(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    sharp: NDArray[np.float64] = np.square(weights).sum(axis=-1).mean(axis=-1)
    return sharp


def _coverage(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = with_rows_of_one(weights.sum(axis=-2))
    covered: NDArray[np.float64] = 1 - np.abs(shares - 1 / shares.shape[-1]).sum(axis=-1) / 2
    return covered


@cache
def _shipped() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(SHIPPED.read_bytes()) if SHIPPED.exists() else {}
    return found


def cache_folder() -> Path:
    """Where heads that were found are kept, a file a model: in the user's cache, or where `CACHE_VARIABLE` says."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("xattn_viz")) / "alignment_heads"


def _file(digest: str) -> Path | None:
    return cache_folder() / f"{digest}.json" if digest.isalnum() else None


def _kept(digest: str) -> Any:
    path = _file(digest)
    with suppress(OSError, ValueError):
        return json.loads(path.read_bytes()) if path and path.exists() else None
    return None


def _keep(trace: Trace, heads: Sequence[AlignmentHead], scores: NDArray[np.float64]) -> None:
    """Write what was found; a cache that cannot be written is none, and the caller has the heads all the same."""
    path = _file(str(trace.provenance.get("weights_sha256", "")))
    if path is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, json.dumps(entry(trace, heads, scores)))
