"""The attention that any model returned, as a trace: what others made is shown, explored, aligned and exported too.

Nothing of the model is needed, only the arrays it gave and names for their rows and columns. Arrays may be of any
library, of any float type, and may require a gradient.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import ROW_SUM_TOLERANCE, AttentionMaps, MapKind
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import Span, word_indices
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError, as_array

_MODEL = "a model of your own"
_SPECIAL = re.compile(r"</?s>|<(?:pad|bos|eos|sos|start|end)>|<\|[^|]+\|>|\[(?:CLS|SEP|PAD|BOS|EOS)\]", re.IGNORECASE)
_CONTINUES = re.compile(r"^##|@@$")  # a piece that is no whole word: of WordPiece, of BPE in front of the next
_NO_WEIGHT = 1e-6  # at most so much lies on padding that the model was told of
_EAGER = 'load the model with attn_implementation="eager" and call it with output_attentions=True'

Weights = NDArray[Any]


def from_attention(
    cross_attentions: Any,
    *,
    target: Any = None,
    source: Any = None,
    encoder_attentions: Any = None,
    decoder_attentions: Any = None,
    tokenizer: Any = None,
    beam_indices: Any = None,
    index: int | None = None,
    input: str | NDArray[Any] | None = None,
    output: str | None = None,
    model: str = _MODEL,
) -> Trace:
    """A trace of the attention weights that any model returned, after the softmax.

    `cross_attentions` are one array a layer, `[batch, head, query, key]` (as a forward pass gives them, or
    `nn.MultiheadAttention` with `average_attn_weights=False`), or such layers for each step of a decoding (as
    `generate` gives them, with a cache or without), or one array of them all, `[layer, batch, head, query, key]`; a
    batch of one may be left out. Those of the encoder and of the decoder are nested likewise. In place of all of them
    stands the whole output of a transformers model, which also knows `beam_indices` and the target.

    `target` names the rows by the tokens that were *predicted* there, one each; one more in front is the start, which
    was only read. `source` names the columns. Each is a list of tokens, or ids or a text with the `tokenizer` (of
    transformers or tokenizers), or an `Axis` of frames or patches; positions are numbered where it is None. `index`
    chooses one of several sequences, from 0. `input` and `output` are what people are shown as such (for patches the
    pixels), the texts of the tokens unless given; `model` is a name.

    Raises InputError, with the shapes, where arrays and tokens do not fit each other or several sequences could be
    meant, and for weights that are no probabilities.
    """
    if hasattr(cross_attentions, "cross_attentions"):
        whole, cross_attentions = cross_attentions, cross_attentions.cross_attentions
        encoder_attentions = _else(encoder_attentions, getattr(whole, "encoder_attentions", None))
        decoder_attentions = _else(decoder_attentions, getattr(whole, "decoder_attentions", None))
        beam_indices = _else(beam_indices, getattr(whole, "beam_indices", None))
        target = _else(target, getattr(whole, "sequences", None))
    steps = _steps(cross_attentions, "cross_attentions")
    beams = None if beam_indices is None else np.atleast_2d(_array(beam_indices, "beam_indices"))
    sequences = _count(target, beams, steps)
    if index is None and sequences > 1:
        raise InputError(f"There are {sequences} sequences here, and one makes a trace: say which, as in index=0.")
    index = index or 0
    if not 0 <= index < sequences:
        raise InputError(f"There is no sequence {index}: there are {sequences}, counted from 0.")
    path = _path(beams, index, sequences, steps)
    cross = _assembled(steps, path, "cross_attentions", square=False)
    rows, columns = cross.shape[2:]
    written, asked = _listed(_row(target, index, sequences)), _listed(_row(source, index, sequences))
    if isinstance(written, list):  # what stands behind a sequence fills it up to the length of the longest
        written = written[: None if beams is None else rows + 1]
        rows -= len(written) - _unpadded(written, tokenizer)
        written = written[: _unpadded(written, tokenizer)]
    starts = isinstance(written, list) and len(written) == rows + 1
    predicted, read, said = _named(written, tokenizer, "target", rows, starts=starts)
    keys, _, shown = _named(asked, tokenizer, "source", columns)
    if (len(predicted), len(keys)) != (rows, columns):
        raise InputError(
            f"Cross-attention [layer, head, query, key] of {cross.shape} needs {rows} target tokens, or {rows + 1} "
            f"with the start in front, and {columns} source tokens: got {len(predicted)} and {len(keys)}."
        )
    own = _read_columns(asked, tokenizer, cross)
    keys = keys if len(own) == columns else keys.take(own)
    maps = [_maps("cross", cross[:, :, :rows][..., own], predicted, keys, read)]
    if encoder_attentions is not None:
        layers = _steps(encoder_attentions, "encoder_attentions")
        place = index * len(layers[0][0]) // sequences
        encoder = _assembled(layers, [place], "encoder_attentions", square=False)
        _check_square(encoder, "encoder_attentions", columns)
        maps.append(_maps("encoder", encoder[:, :, own][..., own], keys, keys, None))
    if decoder_attentions is not None:
        decoder = _assembled(_steps(decoder_attentions, "decoder_attentions"), path, "decoder_attentions", square=True)
        _check_square(decoder, "decoder_attentions", cross.shape[2])
        maps.append(_maps("decoder", decoder[:, :, :rows, :rows], predicted, read or _behind_a_start(predicted), read))
    return Trace(
        tuple(maps),
        shown if input is None else input,
        said if output is None else output,
        provenance={"model": model},
    )


def _else(value: Any, other: Any) -> Any:
    return other if value is None else value


def _array(value: Any, name: str) -> NDArray[Any]:
    array = as_array(value)
    if array is None:
        raise InputError(f"{name} are no array of numbers: got {quoted(type(value).__name__)}.")
    return array


def _shape(array: Any) -> tuple[int, ...]:
    return tuple(getattr(array, "shape", ()))


def _steps(attentions: Any, name: str) -> list[list[Any]]:
    """The layers of each step, each `[batch, head, query, key]`; a forward pass is one step."""
    if hasattr(attentions, "shape"):
        attentions = [attentions] if len(attentions.shape) < 5 else list(attentions)
    nested = list(attentions or ()) if isinstance(attentions, Sequence) else None
    if not nested:
        raise InputError(f"{name} hold no weights: {_EAGER}.")
    steps = nested if isinstance(nested[0], list | tuple) else [nested]
    for step in steps:
        if any(layer is None for layer in step) or len(step) != len(steps[0]) or not step:
            raise InputError(f"{name} do not hold the weights of every layer: {_EAGER}.")
    return [[_layer(layer, name) for layer in step] for step in steps]


def _layer(layer: Any, name: str) -> Any:
    shape = _shape(layer)
    if len(shape) == 2:
        return layer[None][None]
    if len(shape) == 3 and shape[0] == 1:
        return layer[None]
    if len(shape) == 4:
        return layer
    hint = ""
    if len(shape) == 3:
        hint = "; of these three, the first may be the batch or the heads: give weights[:, None] or weights[None]"
    raise InputError(f"A layer of {name} is [batch, head, query, key]: got {shape}{hint}.")


def _count(target: Any, beams: NDArray[Any] | None, steps: list[list[Any]]) -> int:
    """How many sequences there are to choose among."""
    if beams is not None:
        return len(beams)
    shape = _shape(target)
    return int(shape[0]) if len(shape) == 2 else len(steps[0][0])


def _row(tokens: Any, index: int, sequences: int) -> Any:
    """The tokens of one sequence, of as many or fewer rows: each of these is then of several sequences."""
    shape = _shape(tokens)
    return tokens[index * int(shape[0]) // sequences] if len(shape) == 2 else tokens


def _path(beams: NDArray[Any] | None, index: int, sequences: int, steps: list[list[Any]]) -> list[int]:
    """The place of the sequence in the batch at each step."""
    batch = len(steps[0][0])
    if beams is None:
        if batch != sequences:
            raise InputError(
                f"The weights are of a batch of {batch}, the target of {sequences} sequences: of beams give "
                "beam_indices too, as generate returns them with return_dict_in_generate=True."
            )
        return [index] * len(steps)
    path = [int(place) for place in beams[index] if place >= 0]
    if not 0 < len(path) <= len(steps) or max(path) >= batch:
        raise InputError(f"beam_indices of {beams.shape} do not fit {len(steps)} steps of a batch of {batch}.")
    return path


def _assembled(steps: list[list[Any]], path: list[int], name: str, *, square: bool) -> Weights:
    """The rows of all steps under each other, `[layer, head, query, key]`: all of the first, then the last of each.

    Without a cache, a step gives the rows before it too. `square` maps have a key more at each step.
    """
    made: list[Weights] = []
    for number, (step, place) in enumerate(zip(steps, path, strict=False)):
        layers = [_array(layer[place], name).astype(np.float32) for layer in step]
        if len({layer.shape for layer in layers}) > 1:
            raise InputError(f"The layers of {name} are of several shapes: {[layer.shape for layer in layers]}.")
        rows = np.stack(layers)
        made.append(rows if number == 0 else rows[:, :, -1:])
    count, widths = sum(rows.shape[2] for rows in made), {rows.shape[3] for rows in made}
    if len({rows.shape[:2] for rows in made}) > 1 or (len(widths) > 1 and not square):
        raise InputError(f"The steps of {name} are of several shapes: {[rows.shape for rows in made]}.")
    width = count if square else widths.pop()
    whole = np.zeros((*made[0].shape[:2], count, width), made[0].dtype)
    start = 0
    for rows in made:
        held = min(width, rows.shape[3])  # a cache of one size for all steps holds keys that nobody attends to yet
        whole[:, :, start : start + rows.shape[2], :held] = rows[..., :held]
        start += rows.shape[2]
    return whole


def _check_square(weights: Weights, name: str, count: int) -> None:
    if weights.shape[2:] != (count, count):
        raise InputError(
            f"{name} [layer, head, query, key] have shape {weights.shape}: the cross-attention has {count} such tokens."
        )


def _maps(kind: MapKind, weights: Weights, queries: Axis, keys: Axis, read: Axis | None) -> AttentionMaps:
    sums = weights.sum(-1)
    empty = bool((sums == 0).any())
    # Half precision rounds more than float32 allows for; float16 holds the weights of bfloat16 as well.
    off = np.abs(sums - 1)[sums != 0].max(initial=0)
    is_half = ROW_SUM_TOLERANCE["float32"] < off < ROW_SUM_TOLERANCE["float16"]
    weights = weights.astype(np.float16) if is_half else weights
    try:
        layers = tuple(range(len(weights)))
        return AttentionMaps(weights, queries, keys, kind, layers, read, altered=("masked",) if empty else ())
    except ValueError as error:
        raise InputError(
            f"{kind}: {error} Weights are those after the softmax, of a model that does not train (model.eval())."
        ) from error


def _behind_a_start(predicted: Axis) -> Axis:
    """What was read where each token was predicted: a start that nobody named, then the token before."""
    names = ("(start)", *(predicted.name(i) for i in range(len(predicted) - 1)))
    return Axis("text", labels=names, special=(True, *predicted.is_special[:-1].tolist()))


def _listed(tokens: Any) -> Any:
    """Tokens or ids in a list; a text, an axis or nothing as it is."""
    if tokens is None or isinstance(tokens, str | Axis):
        return tokens
    return list(tokens) if isinstance(tokens, list | tuple) else _array(tokens, "The tokens").tolist()


def _named(
    tokens: Any, tokenizer: Any, name: str, count: int, *, starts: bool = False
) -> tuple[Axis, Axis | None, str]:
    """What names one side of a map, what was read there where the first token is a start, and the text of the side."""
    if isinstance(tokens, Axis):
        return tokens, None, ""
    if tokens is None:
        return Axis("text", labels=tuple(str(i + 1) for i in range(count))), None, ""
    if not isinstance(tokens, str) and not all(isinstance(token, str | int) for token in tokens):
        raise InputError(f"The {name} is a list of tokens, or of ids with a tokenizer: got {quoted(tokens)}.")
    if isinstance(tokens, str) or not all(isinstance(token, str) for token in tokens):
        if tokenizer is None:
            raise InputError(f"The {name} {quoted(tokens)} needs the tokenizer too, or its tokens in a list.")
        if hasattr(tokenizer, "convert_ids_to_tokens"):
            return _named_by_transformers(tokens, tokenizer, name, starts=starts)
        tokens = tokenizer.encode(tokens).tokens if isinstance(tokens, str) else map(tokenizer.id_to_token, tokens)
    pieces = [str(token) for token in tokens]
    text, spans, special = _joined(pieces[starts:])
    read = _axis(text, [(0, 0), *spans[:-1]], [True, *special[:-1]], pieces[:-1]) if starts else None
    return _axis(text, spans, special, pieces[starts:]), read, text


def _named_by_transformers(
    tokens: str | list[int], tokenizer: Any, name: str, *, starts: bool
) -> tuple[Axis, Axis | None, str]:
    from xattn_viz.models.engine.results import Text  # brings in transformers, as the tokenizer did

    text = Text(tokenizer)
    if isinstance(tokens, str):
        made = text.target(tokens) if name == "target" else text.source(tokens)
        return made.axis(), None, made.text
    made = text.output(tokens[starts:])
    read = made.read(tokens[0], text.piece(tokens[0])).axis() if starts else None
    return made.axis(), read, made.text


def _unpadded(tokens: list[Any], tokenizer: Any) -> int:
    """How many tokens stand before the padding; where padding is the end's own id, one of it is the end."""
    padding, end = getattr(tokenizer, "pad_token_id", None), getattr(tokenizer, "eos_token_id", None)
    kept = len(tokens)
    while kept > 2 and tokens[kept - 1] == padding is not None and (padding != end or tokens[kept - 2] == padding):
        kept -= 1
    return kept


def _read_columns(tokens: Any, tokenizer: Any, cross: Weights) -> list[int]:
    """The columns without those of padding that nobody attends to."""
    padding = getattr(tokenizer, "pad_token_id", None)
    ids = tokens if isinstance(tokens, list) and padding is not None else []
    hidden = {i for i, token in enumerate(ids) if token == padding and cross[..., i].max() <= _NO_WEIGHT}
    return [i for i in range(cross.shape[3]) if i not in hidden]


def _joined(pieces: Sequence[str]) -> tuple[str, list[Span], list[bool]]:
    """The text of tokens, what each covers in it and which are special.

    Each is a word, but where they mark how words begin (▁, Ġ) or go on (##, @@).
    """
    special = [is_special(piece) for piece in pieces]
    marked = any(piece.startswith(("▁", "Ġ")) for piece in pieces)
    text, spans, goes_on = "", list[Span](), True
    for piece, own in zip(pieces, special, strict=True):
        if own:
            spans.append((len(text), len(text)))
            continue
        begins = piece.startswith(("▁", "Ġ")) if marked else not (goes_on or piece.startswith("##"))
        bare = piece.lstrip("▁Ġ") if marked else _CONTINUES.sub("", piece)
        text += " " * (begins and bool(text))
        spans.append((len(text), len(text) + len(bare)))
        text, goes_on = text + bare, piece.endswith("@@")
    return text, spans, special


def name_tokens(pieces: Sequence[str]) -> tuple[Axis, str]:
    """What names the positions of tokens that are known by their texts alone, and the text that they make."""
    text, spans, special = _joined(pieces)
    return _axis(text, spans, special, list(pieces)), text


def is_special(piece: str) -> bool:
    """Whether a token looks like a start, an end or padding, which is no part of the text."""
    return bool(_SPECIAL.fullmatch(piece))


def _axis(text: str, spans: list[Span], special: list[bool], pieces: list[str]) -> Axis:
    labels = tuple(text[a:b] or piece for (a, b), piece in zip(spans, pieces, strict=True))
    return Axis("text", labels, tuple(spans), word_indices(text, spans, special), tuple(special))
