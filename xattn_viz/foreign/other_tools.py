"""What other tools save, as traces: attributions of inseq, pages of BertViz, word links that somebody made.

What is no attention of a model stands in its place and says so by its title. Nothing of a file is run.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.alignment_files import LinkedPair
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import KIND_NAMES, ROW_SUM_TOLERANCE, AttentionMaps, MapKind
from xattn_viz.core.records import quoted
from xattn_viz.core.trace import Step, Trace
from xattn_viz.inputs import InputError
from xattn_viz.models.external import from_attention, is_special, name_tokens

#: The most bytes of text that are read, and the most values and lines: what Python makes of these takes a few hundred
#: MB, however small the file is. A page of BertViz for 48 heads of 200 × 200 tokens has 2 million values.
MOST_TEXT, MOST_VALUES, MOST_LINES = 1 << 26, 4_000_000, 400_000
#: What links are called in place of attention, and what a possible one weighs beside a sure one.
LINKS, POSSIBLE = "Links that somebody made", 0.5
_NEXT = "<|next|>"  # what the last row predicts, where nobody says it
_PARAMS = re.compile(r"\bconst params = (?=\{)")
_SIDES = {"Cross": "cross_attentions", "Encoder": "encoder_attentions", "Decoder": "decoder_attentions"}
# Of what inseq saves about a run, what a trace keeps.
_KEPT = ("attribution_method", "attributed_fn", "attribute_target", "constrained_decoding", "tokenizer_name")
# Their scores are one for each layer, or each layer and head; others have one for each dimension of an embedding.
_BY_LAYERS = ("attention", "value_zeroing")

Scores = NDArray[np.float32]


def from_links(pair: LinkedPair) -> Trace:
    """A trace that shows the links between two texts as a map: 1 where a link is sure, ½ where it is possible only.

    Rows are the words of the target, columns those of the source, as in cross-attention; the map is no attention, and
    its title says so. Pairs come from `alignment_files.read_gold`. Raises InputError where a side has no words.
    """
    if not pair.source_words or not pair.target_words:
        raise InputError(f"{pair.name or 'A pair'} has no words on one side: there is nothing to link.")
    weights = np.zeros((1, 1, len(pair.target_words), len(pair.source_words)), np.float32)
    for links, weight in ((pair.possible, POSSIBLE), (pair.sure, 1)):
        for source, target in links:
            weights[0, 0, target, source] = weight
    queries, keys = _words(pair.target_words), _words(pair.source_words)
    maps = AttentionMaps(weights, queries, keys, "cross", (0,), title=LINKS)
    said = f"{LINKS}, not attention of a model: 1 is a sure link, {POSSIBLE} one that is possible only."
    return Trace((maps,), " ".join(pair.source_words), " ".join(pair.target_words)).with_notes(said)


def _words(words: Sequence[str]) -> Axis:
    ends = np.cumsum([len(word) + 1 for word in words]).tolist()
    spans = tuple((end - 1 - len(word), end - 1) for word, end in zip(words, ends, strict=True))
    return Axis("text", tuple(words), spans, tuple(range(len(words))))


def read_bertviz(page: str) -> Trace | None:
    """The cross-attention of BertViz' head view or model view, with that of encoder and decoder where it shows them.

    None for a page that is none of these; InputError, in a sentence, for one without cross-attention or damaged.
    """
    if not (begin := _PARAMS.search(page)):
        if "window.bertviz_params" in page:
            raise InputError("BertViz' neuron view shows self-attention alone: save its head view or model view.")
        return None
    try:
        said, _ = json.JSONDecoder().raw_decode(page, begin.end())
        shown = {view["name"]: view for view in said["attention"]}
        if "Cross" not in shown:
            raise InputError(
                "this page of BertViz shows no cross-attention, which a trace begins with: give its head_view "
                "cross_attention, encoder_tokens and decoder_tokens."
            )
        rows, columns = ([_marked(token) for token in shown["Cross"][side]] for side in ("left_text", "right_text"))
        weights: dict[str, Any] = {
            _SIDES[name]: np.array(shown[name]["attn"], np.float32)[:, None] for name in shown if name in _SIDES
        }
        layers, heads = said["include_layers"], said.get("include_heads")
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise InputError("this page of BertViz is damaged: its attention cannot be read.") from error
    # BertViz names rows by what the decoder read: where that begins with a start, each predicts the token behind it.
    starts = bool(rows) and is_special(rows[0])
    trace = from_attention(**weights, source=columns, target=[*rows, _NEXT] if starts else rows, model="BertViz’ page")
    if (
        isinstance(layers, list)
        and all(type(layer) is int for layer in layers)
        and len(layers) == len(trace.cross.layers)
    ):
        trace = replace(trace, maps=tuple(replace(maps, layers=tuple(layers)) for maps in trace.maps))
    notes = ["Rows are named as BertViz named them, which may be by the token read there: its page does not say."]
    if starts:
        notes = [f"What the last row predicts is not in BertViz’ page: {_NEXT} stands for it."]
    if heads and heads != list(range(len(heads))):
        notes.append(f"The heads are those that the page shows: {', '.join(str(head + 1) for head in heads)} from 1.")
    return trace.with_notes(*notes)


def _marked(token: Any) -> str:
    """A token with the mark of a word's begin, for which BertViz writes a blank."""
    if not isinstance(token, str):
        raise TypeError("tokens are texts")
    return f"▁{token[1:]}" if token.startswith(" ") and len(token) > 1 else token


def is_inseq(said: Any) -> bool:
    """Whether this is the JSON of inseq's `FeatureAttributionOutput.save`."""
    return isinstance(said, dict) and "sequence_attributions" in _unwrapped(said)


def read_inseq(said: Mapping[str, Any], index: int | None = None) -> Trace:
    """One sequence of inseq's `FeatureAttributionOutput`, as its `save` wrote it: the first, or that of `index`.

    Attention that was saved by layers and heads is cross-attention and decoder self-attention here. All else stands in
    their place by the name of its method, as inseq shows it: the norm over the dimensions of an embedding or the mean
    over layers and heads, and of its magnitudes each row's shares, of source and target together where both are there.
    Of a decoder alone, columns are what stands before each token. Probabilities of the steps are those of `steps`.

    Raises InputError, with the shapes, where scores and tokens do not fit, for NaN, and for damage.
    """
    try:
        whole = _unwrapped(said)
        info, sequences = dict(whole.get("info") or {}), list(whole["sequence_attributions"])
        number = index or 0
        if not 0 <= number < len(sequences):
            raise InputError(f"there is no sequence {number}: there are {len(sequences)}, counted from 0.")
        trace = _of_sequence(_unwrapped(sequences[number]), info, _class_of(sequences[number]))
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise InputError(
            f"what inseq saved is damaged, or of a version that is not read: {quoted(str(error))}."
        ) from error
    some = f"Sequence {number + 1} of the {len(sequences)} that the file holds."
    return trace if len(sequences) == 1 or index is not None else trace.with_notes(some)


def _of_sequence(held: Mapping[str, Any], info: Mapping[str, Any], of: str) -> Trace:
    source, target = ([_unwrapped(token) for token in held[side]] for side in ("source", "target"))
    read, written = ([str(token["token"]) for token in side] for side in (source, target))
    start = int(held.get("attr_pos_start") or 0)
    end = min(int(held.get("attr_pos_end") or len(target)), len(target))
    method, rows = str(info.get("attribution_method") or "attribution"), end - start
    from_source, from_target = (
        None if held.get(name) is None else _scores(held[name], name, (len(tokens), rows))
        for name, tokens in (("source_attributions", source), ("target_attributions", target))
    )
    if from_source is not None and np.isnan(from_source).any():
        raise InputError("source_attributions hold NaN, which is no score.")
    if from_target is not None:  # what is not there yet at a step has none
        later = np.arange(len(target))[:, None] >= start + np.arange(rows)
        if np.isnan(from_target[~later]).any():
            raise InputError("target_attributions hold NaN for a token that was there already, which is no score.")
        from_target = np.where(later.reshape(*later.shape, *[1] * (from_target.ndim - 2)), 0, from_target)
    queries, output = name_tokens(written[start:end])
    behind = name_tokens(written[start - 1 : end - 1])[0] if start else None
    axes: dict[MapKind, tuple[Axis, str]] = {
        "cross": name_tokens(read),
        "decoder": name_tokens(written[: max(end - 1, 1)]),
    }
    if from_source is None:  # a decoder alone: its columns are what stands before each token
        kinds: dict[MapKind, Scores | None] = {"cross": from_target}
        axes["cross"] = axes["decoder"]
    else:
        kinds = {"cross": from_source, "decoder": from_target}
    found = {kind: scores[: len(axes[kind][0])] for kind, scores in kinds.items() if scores is not None}
    if not found:
        raise InputError("this sequence of inseq holds no source_attributions and no target_attributions.")
    is_attention = method == "attention" and all(scores.ndim == 4 for scores in found.values())
    title = "" if is_attention and from_source is not None else _method_name(method)
    if title:
        found = _shares(found, by_layers=method in _BY_LAYERS or of.startswith("MultiDimensional"))
    elif (own := (held.get("sequence_scores") or {}).get("encoder_self_attentions")) is not None:
        found["encoder"] = _scores(own, "encoder_self_attentions", (len(read), len(read)))
        axes["encoder"] = axes["cross"]
    maps = tuple(
        _maps(
            kind, scores, *((keys, keys, None) if kind == "encoder" else (queries, keys, behind)), _title(title, kind)
        )
        for kind, scores in found.items()
        for keys in [axes[kind][0]]
    )
    kept = {name: info[name] for name in _KEPT if isinstance(info.get(name), str | bool)}
    steps, others = _steps(held.get("step_scores") or {}, target[start:end], bool(info.get("constrained_decoding")))
    provenance = {"model": str(info.get("model_name") or "a model of inseq’s"), "inseq": {**kept, **others}}
    trace = Trace(maps, axes["cross"][1], output, steps, provenance=provenance)
    return trace.with_notes(f"{_title(title)}: each row’s shares, no attention weights.") if title else trace


def _maps(kind: MapKind, scores: Scores, queries: Axis, keys: Axis, read: Axis | None, title: str) -> AttentionMaps:
    """Maps of scores `[key, query]`, or `[key, query, layer, head]` of attention."""
    if scores.ndim == 2:
        return AttentionMaps(scores.T[None, None], queries, keys, kind, (0,), read, title=title)
    weights = scores.transpose(2, 3, 1, 0)
    off = np.abs(weights.sum(-1) - 1).max()
    is_half = ROW_SUM_TOLERANCE["float32"] < off < ROW_SUM_TOLERANCE["float16"]  # it was saved in half precision
    layers = tuple(range(len(weights)))
    weights = weights.astype(np.float16) if is_half else weights
    # Of a start that is not among the tokens the weights are missing.
    return AttentionMaps(
        weights, queries, keys, kind, layers, read, altered=("cropped",) if off >= ROW_SUM_TOLERANCE["float16"] else ()
    )


def _shares(found: Mapping[MapKind, Scores], *, by_layers: bool) -> dict[MapKind, Scores]:
    """Scores `[key, query, …]` as inseq shows them, `[key, query]`, each of its column's sum over all kinds."""
    flat: dict[MapKind, NDArray[np.float64]] = {}
    for kind, scores in found.items():
        over = tuple(range(2, scores.ndim))
        exact = scores.astype(np.float64)
        flat[kind] = np.abs(
            exact.mean(over) if by_layers or len(over) > 1 else np.linalg.norm(exact, axis=2) if over else exact
        )
    total = sum(one.sum(0) for one in flat.values())
    return {kind: (one / np.where(total > 0, total, 1)).astype(np.float32) for kind, one in flat.items()}


def _title(method: str, kind: MapKind = "cross") -> str:
    """What a map is called that a method of inseq made; empty where it is attention."""
    return method and f"{method}{' of the output so far' if kind == 'decoder' else ''}, by inseq"


def _method_name(method: str) -> str:
    names = {str(kind): name for kind, name in KIND_NAMES.items()}
    return names.get(method.replace("_", "-"), method.replace("_", " ").capitalize())


def _steps(
    said: Mapping[str, Any], tokens: Sequence[Mapping[str, Any]], forced: bool
) -> tuple[tuple[Step, ...], dict[str, Any]]:
    """The steps, where their probabilities or cross-entropies in nats were saved, and all other scores of them."""
    scores = {str(name): _scores(value, name, (len(tokens),)).tolist() for name, value in said.items()}
    others = {"step_scores": {name: [None if math.isnan(x) else x for x in one] for name, one in scores.items()}}
    logs: list[float] = []
    if "probability" in scores:
        logs = [math.log(max(x, 1e-45)) if 0 <= x <= 1 + 1e-4 else math.nan for x in scores.pop("probability")]
    elif "crossentropy" in scores:
        logs = [-x for x in scores.pop("crossentropy")]
    if any(math.isnan(log) or log == -math.inf for log in logs):
        raise InputError("step_scores hold a probability that is no number from 0 to 1.")
    pairs = zip(tokens, logs, strict=False)
    steps = tuple(Step(str(token["token"]), int(token["id"]), log, forced=forced) for token, log in pairs)
    return steps, others if scores or steps else {}


def _unwrapped(said: Any) -> Mapping[str, Any]:
    """The fields of an object, with the name of its class beside them or without."""
    held = said["attributes"] if "__instance_type__" in said else said
    if not isinstance(held, Mapping):
        raise TypeError("an object is not what it should be")
    return held


def _class_of(said: Mapping[str, Any]) -> str:
    of = said.get("__instance_type__")
    return str(of[-1]) if isinstance(of, list) and of else ""


def _scores(said: Any, name: str, wanted: tuple[int, ...]) -> Scores:
    """An array in one of the ways that inseq writes them, whose first axes have the lengths that are wanted."""
    if isinstance(said, str):  # from 0.7 on: a safetensors file in base64
        import safetensors
        from safetensors.torch import load

        try:
            array = load(base64.b64decode(said, validate=True))["attribution"].float().numpy()
        except safetensors.SafetensorError as error:
            raise ValueError(f"{name} is no array") from error
    elif isinstance(said, Mapping):  # before: raw bytes in base64, which may be compressed, or lists
        array = _ndarray(said)
    else:
        array = np.array(said, np.float32)
    array = np.asarray(array, np.float32)
    if array.shape[: len(wanted)] != wanted or (len(wanted) == 1 and array.ndim != 1) or array.ndim > 4:
        raise InputError(f"{name} have shape {array.shape}: the tokens need {wanted} or axes behind these.")
    if np.isinf(array).any():
        raise InputError(f"{name} hold infinity, which is no score.")
    return array


def _ndarray(said: Mapping[str, Any]) -> NDArray[Any]:
    held, dtype, shape = said["__ndarray__"], np.dtype(str(said["dtype"])), tuple(map(int, said["shape"]))
    if dtype.kind not in "fiub":
        raise ValueError(f"an array of {dtype} is none of numbers")
    if not isinstance(held, str):
        return np.array(held, dtype).reshape(shape)
    mark, _, packed = held.partition(":")
    try:
        data = base64.b64decode(packed, validate=True)
        return np.frombuffer(unpacked(data) if mark == "b64.gz" else data, dtype).reshape(shape)
    except binascii.Error as error:
        raise ValueError("an array is cut off") from error


def unpacked(data: bytes) -> bytes:
    """What gzip packed, at most `MOST_TEXT` bytes. Raises ValueError for more, and for damage."""
    opener = zlib.decompressobj(wbits=31)
    try:
        held = opener.decompress(data, MOST_TEXT + 1)
    except zlib.error as error:
        raise ValueError("what gzip packed is damaged") from error
    if len(held) > MOST_TEXT or not opener.eof:
        raise ValueError(f"what gzip packed is cut off, or more than {MOST_TEXT:,} bytes")
    return held
