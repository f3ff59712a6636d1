"""Other ways of looking than attention weights, on the same rows and columns: what an output owes to its source.

Each method gives every position of the source a number for every token of the output, and is teacher-forced: the output
is that of the trace, whatever becomes of the source. None of them is the truth about a model. Weights say where a head
reads, norms how much it brings from there, gradients what an infinitely small change of the input would do, occlusion
what its absence does, which is an input the model may never have learnt from.

`model` is here whatever has the methods of `models.engine.attribution.Inspection` behind `inspect`; nothing of PyTorch
is needed to read this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import METHODS, WHOLE_MODEL, Alteration, AttentionMaps, MapKind, Method
from xattn_viz.core.records import Displayed, quoted, read_only, same, summary
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError

Array = NDArray[np.float64]
Pairs = dict[int, tuple[int, int | None]]
OnStep = Callable[[int, int], bool | None]
#: What is asked of a row: its own token against another, as an id or as the text of an alternative; or one against one.
Asked = int | str | tuple[int | str, int | str]
#: How long a stretch of sound is that is silenced at a time, in seconds.
STRETCH = 0.5
#: A picture is covered by squares of patches at a time, of which it has at most so many a side.
MOST_SQUARES = 8
_NOTHING = 1e-9  # a row that sums up to less has nothing to be shared out
_ABOUT_TOKENS: tuple[Method, ...] = ("input-x-gradient", "integrated-gradients", "occlusion")


class Model(Protocol):
    """A loaded model (`models.base.Adapter`), as far as it is needed here."""

    card: Any

    def inspect(self, trace: Trace, on_step: OnStep | None = None) -> Any:
        """What an output owes to its source (`models.engine.attribution.Inspection`)."""


@dataclass(frozen=True, eq=False)
class Attribution(Displayed):
    """What a method found for each token of an output and each position of its source.

    `values` `[layer, head, query, key]` are in `unit` and may be negative ("nats": by how much the position raises the
    token's log-probability; "norm", "cosine distance" and "share" are never negative). `maps` are the same as shares:
    of each row its magnitudes, divided by their sum; a row in which nothing was found, or was not asked about, is empty
    ("masked"). `trace.with_maps(attribution.maps)` puts them beside the attention weights.

    `groups` are the positions that belong together, such as the pieces of a word: those that occlusion takes away at
    once, whose value is then spread evenly over them. `how` says in a sentence or two what was done. `score` `[query]`,
    where a method explains one, is the log-probability (or the difference) of each row, NaN where it was not asked
    about, and `nothing` `[query]` that without any source, to whose difference integrated gradients sum up.
    """

    method: Method
    values: NDArray[np.float32]
    unit: str
    maps: AttentionMaps
    groups: tuple[tuple[int, ...], ...]
    how: str
    score: NDArray[np.float64] | None = None
    nothing: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for name in ("values", "score", "nothing"):
            if (array := getattr(self, name)) is not None:
                object.__setattr__(self, name, read_only(array))

    @property
    def totals(self) -> NDArray[np.float32]:
        """How much there was to share out in each row, `[layer, head, query]`: the sum of magnitudes, in `unit`."""
        found: NDArray[np.float32] = np.abs(self.values).sum(-1)
        return found

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)


def attribute(
    model: Model,
    trace: Trace,
    method: Method,
    *,
    contrast: str | Mapping[int, Asked] | None = None,
    per_head: bool = True,
    seconds: float = STRETCH,
    on_step: OnStep | None = None,
) -> Attribution:
    """What a `trace` of a `model` owes to its source, by one of the `METHODS`.

    - `value-norms`: ‖αf(x)‖, each weight times the length of the vector that the head brings from that position,
      through its values and its part of the output projection (Kobayashi et al. 2020, Attention is Not Only a Weight);
    - `value-zeroing`: how far a layer's output turns (1 - cos) where the head's value of that position is zero (Mohebbi
      et al. 2023); with `per_head=False` the values of all heads of the layer, one map a layer;
    - `input-x-gradient`, `integrated-gradients`: gradients of the token's log-probability at the embeddings of the
      source, or at its log-mel above silence, times these; the latter over the way from nothing to the source, so that
      they sum up to what the source adds (Sundararajan et al. 2017); of sound at the frames that the encoder hands
      over, above those that it hands over of silence;
    - `occlusion`: by how many nats the token's log-probability falls without a word of the source, or with `seconds` of
      its sound silenced, or a square of its picture covered in the picture's median colour (Zeiler and Fergus 2014; at
      most `MOST_SQUARES` a side). Words are removed: what is left is a text that could be given, while
      a masked or replaced word is something that most models never read. What is behind moves up by that;
    - `rollout`: mean weights of the encoder's layers and of the decoder's, half of each stream kept, multiplied (Abnar
      and Zuidema 2020), and what comes from the source shared out;
    - `alti`: the same with each layer's own shares instead of weights and halves (`alti`).

    With `contrast`, for the methods about tokens, the score is a difference of log-probabilities, which is that of
    logits: why this token and not another (Yin and Neubig 2022). `{1: "cão"}` asks of row 1 why its token and not that
    one, by its id or the text of one of its step's alternatives; `{1: ("cão", "gato")}` the other way; "next" asks of
    each row about the likeliest other token. Rows that are not asked about stay empty.

    Raises ModelError where the method cannot be had for the model, InputError for what is no method, row or
    alternative, and Cancelled when `on_step` returns False.
    """
    if method not in METHODS:
        raise InputError(f"There is no method {quoted(method)}: choose one of {', '.join(METHODS)}.")
    if contrast is not None and method not in _ABOUT_TOKENS:
        raise InputError(f"{method} does not look at single tokens: contrast one of {', '.join(_ABOUT_TOKENS)}.")
    cross = trace.cross
    groups = source_groups(cross.keys, seconds)
    if method in _ABOUT_TOKENS:
        pairs, said = _pairs(trace, contrast)
        return _about_tokens(model.inspect(trace, on_step), cross, method, groups, pairs, said)
    if method == "rollout":
        kinds: tuple[MapKind, ...] = tuple(kind for kind in ("cross", "encoder", "decoder") if kind in model.card.kinds)
        if "encoder" not in kinds or "cropped" in cross.altered:
            raise InputError(
                "Rollout multiplies whole maps of the encoder and of the decoder, which are not to be had."
            )
        whole = _with_kinds(model, trace, kinds, on_step)
        own = whole.decoder if "decoder" in kinds else None
        values = rollout(whole.encoder, whole.cross, own)[None, None, :, : len(cross.keys)]
        mixing = _MIXING if own is not None else _NO_SELF_ATTENTION
        return _made(cross, method, values, "share", groups, f"{_ROLLOUT} {mixing}")
    inspection = model.inspect(trace, on_step)
    count = len(cross.keys)
    if method == "value-norms":
        values = cross.weights * inspection.value_norms()[..., None, :count]
        return _made(cross, method, values, "norm", groups, _NORMS)
    if method == "value-zeroing":
        together = [[key] for key in range(count)] if cross.keys.kind == "text" else groups
        found = inspection.value_zeroing(together, per_head=per_head)
        values = _spread(found, together, count)
        whose = "the head" if per_head else "all heads of the layer"
        return _made(cross, method, values, "cosine distance", groups, _ZEROING.format(whose=whose))
    own_shares = inspection.contributions("decoder") if "decoder" in model.card.kinds else None
    shares = alti(inspection.contributions("encoder"), inspection.contributions("cross"), own_shares)
    mixing = _MIXING if own_shares is not None else _NO_SELF_ATTENTION
    return _made(cross, method, shares[None, None, :, :count], "share", groups, f"{_ALTI} {mixing}")


_NORMS = "The weight times the length of the vector that the head brings from the position, before the residual sum."
_ZEROING = "How far the layer’s output turns (1 − cos) where the value of {whose} at the position is zero."
_ROLLOUT = (
    "Mean weights over heads, each layer keeping half of its stream; the encoder’s layers multiplied with each of the "
    "decoder’s. Feed-forward layers and values are left out."
)
_ALTI = (
    "Each attention sublayer’s sum of a residual stream and one transformed vector a position, split by how far its L1 "
    "norm behind the layer norm falls without each; multiplied over layers. Feed-forward layers are left out."
)
_MIXING = "What earlier tokens of the output took in reaches later ones through the decoder’s self-attention."
_NO_SELF_ATTENTION = (
    "The decoder is recurrent: what earlier tokens of the output took in and hand on from step to step is left out."
)
_OCCLUSION = "By how many nats the log-probability of the token falls {what}. {spread}"
_GRADIENT = {
    "input-x-gradient": "The gradient of the token’s log-probability at {where}, times the input.",
    "integrated-gradients": (
        "Gradients of the token’s log-probability at {where}, from nothing to the source, times the input: a row sums "
        "up to what the source adds. The largest difference from that: {off:.1%}."
    ),
}


def source_groups(keys: Axis, seconds: float = STRETCH) -> tuple[tuple[int, ...], ...]:
    """The positions of a source that belong together: the pieces of each word, stretches of `seconds`, or squares.

    Special positions, such as `</s>` and padding, belong to none. Raises InputError where a stretch has no length.
    """
    own = np.flatnonzero(~keys.is_special)
    if keys.is_timed:
        if not 0 < seconds < 1e6:
            raise InputError(f"A stretch of sound lasts more than 0 seconds: got {quoted(seconds)}.")
        times = np.array(keys.times)[own, 0]
        numbers = np.floor((times - times[:1]) / seconds + 1e-6).astype(int)
        return tuple(tuple(own[numbers == number].tolist()) for number in np.unique(numbers))
    if keys.grid is not None:
        return _squares(keys.patches, keys.grid)
    if keys.words is None:
        return tuple((int(position),) for position in own)
    words = ([position for position in group if position in set(own.tolist())] for group in keys.word_groups())
    return tuple(tuple(word) for word in words if word)


def _squares(patches: NDArray[np.intp], grid: tuple[int, int]) -> tuple[tuple[int, ...], ...]:
    """The positions of the patches of each square, row by row."""
    rows, columns = grid
    side = -(-max(grid) // MOST_SQUARES)
    numbers = (np.arange(rows) // side)[:, None] * columns + np.arange(columns)[None] // side
    return tuple(tuple(patches[numbers.ravel() == number].tolist()) for number in np.unique(numbers))


def first_asked(trace: Trace) -> int:
    """The first row of an output that is asked about: behind its prompt and, of an answer, behind the question."""
    written = next((row for row, step in enumerate(trace.steps) if not step.forced), None)
    if trace.answers and written is not None:
        return written
    special = trace.cross.queries.is_special
    return 0 if special.all() else int(np.argmin(special))


def _pairs(trace: Trace, contrast: str | Mapping[int, Asked] | None) -> tuple[Pairs, str]:
    """The ids that each row is asked about, and the contrast in words. Rows of a prompt are not asked about."""
    steps, prompt = trace.steps, first_asked(trace)
    if contrast is None:
        return {row: (step.id, None) for row, step in enumerate(steps) if row >= prompt}, ""
    if contrast == "next":
        others = {
            row: next((other.id for other in step.alternatives if other.id != step.id), None)
            for row, step in enumerate(steps)
        }
        pairs: Pairs = {
            row: (steps[row].id, other) for row, other in others.items() if other is not None and row >= prompt
        }
        return pairs, "rather than the likeliest other token"
    if isinstance(contrast, str) or not contrast:
        such = 'is "next", or rows with other tokens such as {1: "cão"}'
        raise InputError(f"A contrast {such}: got {quoted(contrast)}.")
    asked: Pairs = {}
    said: list[str] = []
    for row, what in contrast.items():
        if not isinstance(row, int) or not 0 <= row < len(steps):
            raise InputError(f"A contrast is about one of the {len(steps)} tokens of the output, by its row.")
        pair = what if isinstance(what, tuple) else (steps[row].id, what)
        (a, name), (b, other) = (_token(trace, row, one) for one in pair)
        asked[row] = (a, b)
        said.append(f"{name} rather than {other}")
    return asked, ", ".join(said[:3]) + (", …" if len(said) > 3 else "")


def _token(trace: Trace, row: int, asked: int | str) -> tuple[int, str]:
    """An id and its text, of one that a step chose or could have chosen; an id may be any."""
    step = trace.steps[row]
    known = [(step.id, step.token), *((other.id, other.token) for other in step.alternatives)]
    if isinstance(asked, int) and asked >= 0:
        return asked, next((token for number, token in known if number == asked), f"#{asked}")
    found = next(((number, token) for number, token in known if token == asked), None)
    if found is None:
        known_names = ", ".join(dict.fromkeys(quoted(token) for _, token in known))
        raise InputError(
            f"The token {quoted(step.token)} has no alternative {quoted(asked)}: its step knows {known_names}. Any "
            "other is named by its id."
        )
    return found


def _about_tokens(
    inspection: Any,
    cross: AttentionMaps,
    method: Method,
    groups: Sequence[Sequence[int]],
    pairs: Pairs,
    said: str,
) -> Attribution:
    """Occlusion or gradients of the rows that are asked about."""
    rows, count, is_sound = list(pairs), len(cross.keys), cross.keys.kind == "audio"
    score, nothing = np.full(len(cross.queries), np.nan), np.full(len(cross.queries), np.nan)
    values = np.zeros((len(cross.queries), count))
    if method == "occlusion":
        everything = [key for group in groups for key in group]
        whole, *parts, empty = inspection.without([[], *groups, everything], pairs)
        score[rows], nothing[rows] = whole, empty
        values[rows] = _spread((whole - np.array(parts)).T, groups, count)
        what = "where the stretch is silenced" if is_sound else "where the word is removed"
        over = "frames" if is_sound else "pieces"
        if cross.keys.grid is not None:
            what, over = "where the square is covered in the picture’s median colour", "patches"
        how = _OCCLUSION.format(what=what, spread=f"Spread evenly over the {over} that were taken away together.")
    else:
        found, score[rows], nothing[rows] = inspection.gradients(pairs, integrated=method == "integrated-gradients")
        values[rows] = found[:, :count]
        wanted = score[rows] - nothing[rows]
        off = np.abs(found.sum(-1) - wanted) / np.maximum(np.abs(wanted), 0.5)
        where = "the embeddings of the source"
        if is_sound:
            heard = "what the decoder is handed of each frame, above what it is handed of silence"
            where = heard if method == "integrated-gradients" else "the log-mel above silence"
        how = _GRADIENT[method].format(where=where, off=float(off.max(initial=0)))
    if said:
        how += " In place of the log-probability stands its difference from that of the other token."
    return _made(cross, method, values[None, None], "nats", groups, how, score, nothing, said)


def _spread(values: Array, groups: Sequence[Sequence[int]], count: int) -> Array:
    """Values of groups, `[..., group]`, shared evenly over the positions of each, `[..., key]`; others have none."""
    spread = np.zeros((*values.shape[:-1], count))
    for number, group in enumerate(groups):
        spread[..., list(group)] = values[..., number, None] / len(group)
    return spread


def _made(
    cross: AttentionMaps,
    method: Method,
    values: Array,
    unit: str,
    groups: Sequence[Sequence[int]],
    how: str,
    score: Array | None = None,
    nothing: Array | None = None,
    contrast: str = "",
) -> Attribution:
    """The attribution of `values`, with its maps: each row's magnitudes divided by their sum."""
    found = values.astype(np.float32)
    sums = np.abs(found).sum(-1, keepdims=True, dtype=np.float64)
    shares = np.where(sums > _NOTHING, np.abs(found) / np.maximum(sums, _NOTHING), 0).astype(np.float32)
    altered: tuple[Alteration, ...] = ("masked",) if (sums <= _NOTHING).any() else ()
    layers = (0,) if method in WHOLE_MODEL else cross.layers
    maps = AttentionMaps(
        shares, cross.queries, cross.keys, method, layers, read=cross.read, altered=altered, contrast=contrast
    )
    return Attribution(method, found, unit, maps, tuple(map(tuple, groups)), how, score, nothing)


def _with_kinds(model: Any, trace: Trace, kinds: Sequence[MapKind], on_step: OnStep | None) -> Trace:
    """The trace itself where it holds these kinds of map whole, else one of the same output that does."""
    held = {maps.kind for maps in trace.maps if "cropped" not in maps.altered}
    if set(kinds) <= held:
        return trace
    if not hasattr(model, "replayed"):
        model.inspect(trace)  # says why not
    replayed: Trace = model.replayed(trace, kinds, on_step)
    return replayed


def rollout(encoder: AttentionMaps, cross: AttentionMaps, decoder: AttentionMaps | None = None) -> Array:
    """How much of each row of a decoder's last layer comes from each position of the source, `[query, key]`.

    Abnar and Zuidema 2020 (Quantifying Attention Flow in Transformers) for an encoder-decoder: every layer is ½ I + ½ A
    with A the mean over its heads. The encoder's are multiplied to E. A layer of the decoder first mixes what its rows
    hold of the source by its self-attention (none in a recurrent `decoder`, None), and then keeps half of that and
    takes half of A E from its cross-attention. Rows sum to less than 1: the rest is the output's own beginning.

    Encoder maps whose positions are several of the source's each (`pooled`, of sound) are shared out evenly again.
    """
    pooled = -(-len(cross.keys) // len(encoder.keys))
    bins = np.arange(len(cross.keys)) // pooled
    mixed = np.eye(len(encoder.keys))
    for weights in _means(encoder):
        mixed = (np.eye(len(mixed)) + weights) / 2 @ mixed
    found = np.zeros((len(cross.queries), len(mixed)))
    own = _means(decoder) if decoder is not None else [None] * len(cross.layers)
    for reads, weights in zip(own, _means(cross), strict=True):
        if reads is not None:
            found = (found + reads @ found) / 2
        into = np.stack([np.bincount(bins, row, len(mixed)) for row in weights])
        found = (found + into @ mixed) / 2
    return found[:, bins] / np.bincount(bins)[bins]


def _means(maps: AttentionMaps) -> list[Array]:
    """The mean over the heads of each layer, `[query, key]`."""
    return [layer.mean(0, dtype=np.float64) for layer in maps.weights]


def alti(encoder: Array, cross: Array, decoder: Array | None = None) -> Array:
    """As `rollout`, with shares that were measured in place of weights and halves, `[query, key]`.

    Each is `[layer, query, key + 1]`, as `Inspection.contributions` gives it, the last column what the stream itself
    holds. As in Ferrando et al. 2022 (ALTI; for encoder-decoders Towards Opening the Black Box of Neural Machine
    Translation) layers are multiplied, and the cross-attention's residual carries what earlier layers took in. Not
    done as there: the output's own beginning is no column here, and values are taken as captured, so that in a network
    with the norm in front of each sublayer the norm's own mixing of a vector's parts is taken as constant.
    """
    mixed = np.eye(encoder.shape[-1] - 1)
    for layer in encoder:
        mixed = layer[:, :-1] @ mixed
    found = np.zeros((cross.shape[1], len(mixed)))
    for number, layer in enumerate(cross):
        if decoder is not None:
            found = decoder[number][:, :-1] @ found
        found = layer[:, -1:] * found + layer[:, :-1] @ mixed
    return found
