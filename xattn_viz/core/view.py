"""What of a trace is looked at, and the one map that this means: its name, its titles and its sentence in words.

Layers and heads count from 0 in Python and from 1 wherever people read or type them: page, address, command line and
file names. Every place that names a head asks the functions here. In all of them `layer` is None for all layers
together, and `head` a number, or how the heads are brought into one: "mean" (also None) or "max".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import KIND_NAMES, METHODS, WHOLE_MODEL, AttentionMaps, MapKind
from xattn_viz.core.records import quoted, summary
from xattn_viz.core.trace import Trace

#: What a colour bar ends at: the map's own maximum, or the maximum over all layers and heads.
Scale = Literal["head", "common"]
#: Which token a row of a cross map is named for: the one predicted at that step, or the one just read.
Rows = Literal["predicted", "input"]
#: How several heads are brought into one map.
Reduction = Literal["mean", "max"]

#: Where a map stands that goes through the whole model.
WHOLE = "whole model"
# In a Perceiver latents stand between what is read and what is asked: what a map is called, and what its rows do.
_BY_LATENTS: dict[MapKind, tuple[str, str]] = {
    "cross": ("Encoding cross-attention", "Filling"),
    "encoder": ("Latent self-attention", "Updating"),
    "decoder": ("Decoding cross-attention", "Answering for"),
}
# What a row and a column of a map stand for, in the words that its axes say: between texts, which methods share with
# cross-attention, and in a Perceiver.
_BETWEEN_TEXTS: dict[MapKind, tuple[str, str]] = {
    "cross": ("word being written", "source word being read"),
    "encoder": ("source word being represented", "source word being read"),
    "decoder": ("word being written", "earlier word being read"),
    "text-to-image": ("word that reads", "patch being read"),
    "concepts": ("patch being drawn", "concept that would be read"),
}
_OF_OTHERS = "word of the output", "word of the source"
_BETWEEN_LATENTS: dict[MapKind, tuple[str, str]] = {
    "cross": ("latent being filled", "patch being read"),
    "encoder": ("latent being updated", "latent being read"),
    "decoder": ("answer being made", "latent being read"),
}
# The parameters of an address that say a view, and the words in which each may say it.
_WORDS = {
    "map": "|".join(KIND_NAMES),
    "head": r"\d{1,4}\.(?:\d{1,4}|mean)|mean|max",
    "units": r"pieces|words|sentences",
    "rows": r"predicted|input",
    "special": r"true|false",
    "scale": r"word|head|common",
    "colours": r"magma|viridis|cividis|grey",
    "by": r"[a-z0-9-]{1,60}",
    "sorted": r"true|false",
    "links": r"true|false",
    "pinned": rf"(?:(?:{'|'.join([*KIND_NAMES][1:])})\.)?(?:\d{{1,4}}\.(?:\d{{1,4}}|mean)|mean|max)",
    "shows": r"both|difference",
    "other": r"\d{1,4}\.(?:\d{1,4}|mean)|mean|max",
    "row": r"\d{1,5}",
    "column": r"\d{1,5}",
    "noise": r"\d{1,4}",
    "overlay": r"smooth|patches",
}
#: The names of these parameters.
PARAMETERS = tuple(_WORDS)
_FIELDS = {"map": "kind", "row": "query", "column": "key"}
_NAMES = {field: name for name, field in _FIELDS.items()}
_NUMBERS = ("query", "key", "noise")
_BOOLEANS = ("special", "sorted", "links")
_FILE_WORDS, _LONGEST_WORD = 2, 24  # of a text, in the name of a file
_ARTICLES = ("a", "an", "the")  # which say nothing there
_KEY = re.compile(r"(?:(\d{1,4})\.)?(\d{1,4}|mean|max)", re.ASCII)


@dataclass(frozen=True)
class View:
    """What of a trace is looked at: the map, the words, the panels, the files and the address follow from it.

    `kind` is the attention; `layer` is the model's own number of a layer and `head` a head of it, both from 0. A word
    in place of the head is a mean or a maximum: with a layer the mean over its heads, without one (None) that over all
    layers and heads. `units` are what rows and columns stand for; `rows` says which token a row is named for, `special`
    whether special tokens are shown, `scale` where colours end: at the maximum of each word of a picture, of the map,
    or of all heads; empty is what a map of its kind begins with. `query` and `key` are the chosen row and column of
    what is shown, from 0, None for none. `noise` is a denoising step, from 0, None for all together. `pinned` names a
    second map, shown beside it: as `name` does, behind its kind and a full stop where it is no cross-attention.
    Where two traces are compared, `shows` says whether both are shown or their difference, and `other` names the map of
    the second where that is another one, as `name` does.
    `colours` and `overlay` are how weights are drawn, the latter over a picture. `by` names a grid of numbers
    (`HeadGrid.name`) that the heads of the overview are coloured by, and `sorted` in the order of; empty for weights.
    `links` says whether words that are known to be linked (`Trace.alignment`) are framed on the map.
    """

    kind: MapKind = "cross"
    layer: int | None = 0
    head: int | Reduction = 0
    units: Literal["pieces", "words", "sentences"] = "pieces"
    rows: Rows = "predicted"
    special: bool = True
    scale: Literal["", "word", "head", "common"] = ""
    colours: Literal["magma", "viridis", "cividis", "grey"] = "magma"
    pinned: str = ""
    shows: Literal["both", "difference"] = "both"
    other: str = ""
    query: int | None = None
    key: int | None = None
    noise: int | None = None
    overlay: str = "smooth"
    by: str = ""
    sorted: bool = False
    links: bool = True

    @classmethod
    def parse(cls, said: Mapping[str, Any], default: View | None = None) -> View:
        """The view that an address says; what it does not say, or in no known words, is as in `default`."""
        found: dict[str, Any] = {}
        for name, words in _WORDS.items():
            value, field = str(said.get(name, "")), _FIELDS.get(name, name)
            if not re.fullmatch(words, value, re.ASCII):
                continue
            if name == "head":
                with suppress(ValueError):  # 0, where they count from 1
                    found["layer"], found["head"] = parse_head(value)
            else:
                found[field] = value == "true" if name in _BOOLEANS else int(value) if field in _NUMBERS else value
        return replace(default or cls(), **found)

    def format(self) -> dict[str, str]:
        """The parameters of an address that say it: the head always, and whatever else is not the default."""
        said = {"head": self.name}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("layer", "head") and value != field.default:
                said[_NAMES.get(field.name, field.name)] = str(value).lower() if isinstance(value, bool) else str(value)
        return said

    @property
    def name(self) -> str:
        """The map by its numbers, from 1: "2.1" is layer 2, head 1; "2.mean", "mean", "max"."""
        return head_key(self.layer, self.head)

    @property
    def title(self) -> str:
        """The map in words, as they stand inside a sentence."""
        return WHOLE if self.kind in WHOLE_MODEL else head_title(self.layer, self.head)

    @property
    def is_head(self) -> bool:
        """Whether it is a single head."""
        return self.layer is not None and isinstance(self.head, int)

    def afresh(self) -> View:
        """The same of another trace, where a row, a column or a step chosen by its number no longer holds."""
        return replace(self, query=None, key=None, noise=None)

    def on(self, trace: Trace) -> View:
        """The nearest view that a trace can give: an address can name the head of another model.

        Of a kind that it does not hold it is cross-attention, of a map that is not there the first head.
        """
        maps = self.maps(trace)
        is_there = self.layer is None and not isinstance(self.head, int)
        if self.layer in maps.layers:
            is_there = self.head == "mean" or (isinstance(self.head, int) and 0 <= self.head < maps.n_heads)
        nearest = self if is_there else replace(self, layer=maps.layers[0], head=0)
        return replace(nearest, kind=maps.kind)

    def maps(self, trace: Trace) -> AttentionMaps:
        """The maps that the chosen one is among: of its kind, else cross-attention; those of its denoising step."""
        found = next((maps for maps in all_steps(trace) if maps.kind == self.kind), trace.cross)
        steps = [maps for maps in trace.maps if maps.kind == found.kind and maps.step is not None]
        if self.noise is None or self.noise >= len(steps):
            return found
        return sorted(steps, key=lambda maps: maps.step or 0)[self.noise]

    def shown(self, trace: Trace) -> AttentionMaps:
        """These maps between what rows and columns stand for, with or without special tokens.

        Between sentences, which only the script of the page knows, they are maps between pieces.
        """
        maps = self.maps(trace)
        is_read = self.rows == "input" and maps.read is not None
        if is_read:  # words and special tokens are those of the axis that names the rows
            maps = maps.by_input_token()
        if self.units == "words":
            maps = maps.to_words()
        is_left = all((~axis.is_special).any() for axis in (maps.queries, maps.keys))
        maps = maps if self.special or not is_left else maps.without_special()
        return replace(maps, read=maps.queries) if is_read else maps


def is_said(name: str, value: str) -> bool:
    """Whether a parameter of an address says a view, or a part of one, in known words."""
    if name not in _WORDS or not re.fullmatch(_WORDS[name], value, re.ASCII):
        return False
    with suppress(ValueError):
        return name != "head" or bool(parse_head(value))
    return False


def all_steps(trace: Trace) -> tuple[AttentionMaps, ...]:
    """The maps of a trace without those of single denoising steps where there is one of all steps together."""
    whole = {maps.kind for maps in trace.maps if maps.step is None}
    return tuple(maps for maps in trace.maps if maps.step is None or maps.kind not in whole)


@dataclass(frozen=True, eq=False)
class SelectedMap:
    """One map out of many, with words for all that is drawn.

    `weights` is `[query, key]` without padding, `queries` and `keys` name its rows and columns, `top` is the weight at
    which its colours end; `rows_title` and `keys_title` are those of `axis_titles`. `doing`, `who`, `put` and `on` make
    the sentence "Predicting *gato*, this head put 0.83 on *cat*." `what` is what its numbers are: weights, or shares of
    what a method found. `apart` says that they are differences, from -`top` to `top`, NaN where there is none.
    """

    weights: NDArray[Any]
    queries: Axis
    keys: Axis
    top: float
    title: str
    rows_title: str
    keys_title: str
    scale_name: str
    doing: str
    who: str
    put: str = "put"
    on: str = "on"
    what: str = "weight"
    apart: bool = False

    def sentence(self, query: str, key: str, weight: str) -> str:
        """What one cell says, in words; labels and weight as they are to be shown."""
        return f"{self.doing} {query}, {self.who} {self.put} {weight} {self.on} {key}"

    __repr__ = summary


def select(
    maps: AttentionMaps,
    layer: int = -1,
    head: int | None = 0,
    *,
    scale: Scale = "head",
    rows: Rows = "predicted",
) -> SelectedMap:
    """The map of one head, or with `head=None` the mean over the heads of its layer.

    `layer` and `head` count from 0 (`AttentionMaps.head`); the title counts both from 1 and says so. Of sound the
    padding is left out, and `keys_title` says so.

    Raises ValueError for a layer, head, scale or reading of the rows that is not there.
    """
    if scale not in ("head", "common"):
        raise ValueError(f"A colour scale is 'head' or 'common': got {quoted(scale)}.")
    if rows not in ("predicted", "input"):
        raise ValueError(f"Rows are named for the token 'predicted' or the 'input' token: got {quoted(rows)}.")
    number = maps.layers[maps.layer_index(layer)]
    weights = maps.head(number, head) if head is not None else maps.mean().head(number, 0)
    own_rows, own_columns = np.flatnonzero(~maps.queries.is_padding), np.flatnonzero(~maps.keys.is_padding)
    is_padded = (len(own_rows), len(own_columns)) != weights.shape
    if is_padded:
        weights = weights[own_rows][:, own_columns]
    shown = maps.without_padding().weights if scale == "common" else weights
    top = float(shown.max(initial=0))
    by_input = maps.reads_source and rows == "input"
    queries = (maps.by_input_token() if by_input else maps).queries
    name = f"head {head % maps.n_heads + 1}" if head is not None else f"mean of {maps.n_heads} heads"
    return SelectedMap(
        weights=weights,
        queries=queries.take(own_rows) if is_padded else queries,
        keys=maps.keys.take(own_columns) if is_padded else maps.keys,
        # An empty or fully masked map has no maximum to end at; with any other end all its zeros look alike too.
        top=top if top > 0 else 1.0,
        title=whole_title(maps) or f"{kind_title(maps)}, layer {number + 1}, {name} (counted from 1)",
        rows_title=axis_titles(maps, by_input=by_input)[0],
        keys_title=_keys_title(maps, weights, is_padded=is_padded),
        scale_name="up to the maximum of all heads" if scale == "common" else "up to this map’s maximum",
        doing=_doing(maps, by_input=by_input),
        who=_who(maps, head),
        put="would put" if maps.kind == "concepts" else "put",
        on="of its total on" if maps.kind in METHODS else "on",
        what="share" if maps.kind in METHODS else "value" if maps.title else "weight",
    )


def _has_latents(maps: AttentionMaps) -> bool:
    return "latent" in (maps.queries.kind, maps.keys.kind)


def kind_name(kind: MapKind) -> str:
    """What a kind of map is called: "Cross-attention", "Occlusion"."""
    return KIND_NAMES[kind]


def kind_title(maps: AttentionMaps) -> str:
    """What maps are called, and what was contrasted: "Cross-attention", "Occlusion (gato rather than cão)"."""
    own = "Image-to-text attention" if maps.kind == "cross" and "joint" in maps.altered else KIND_NAMES[maps.kind]
    name = maps.title or (_BY_LATENTS[maps.kind][0] if _has_latents(maps) else own)
    return f"{name} ({maps.contrast})" if maps.contrast else name


def whole_title(maps: AttentionMaps) -> str:
    """What a map without heads is called: "Occlusion, whole model", or by its own title; empty where it has heads."""
    if not maps.is_whole_model:
        return ""
    return kind_title(maps) if maps.title else f"{kind_title(maps)}, {WHOLE}"


def _who(maps: AttentionMaps, head: int | None) -> str:
    if maps.is_whole_model:
        return kind_title(maps)[0].lower() + kind_title(maps)[1:] if maps.kind != "alti" else kind_title(maps)
    who = "this head" if head is not None else "the heads of this layer on average"
    return f"{KIND_NAMES[maps.kind].lower()} of {who}" if maps.kind in METHODS else who


def _doing(maps: AttentionMaps, *, by_input: bool) -> str:
    if _has_latents(maps):
        return _BY_LATENTS[maps.kind][1]
    if not maps.reads_source or by_input:
        return "Reading"
    return "Drawing" if maps.queries.kind == "image" else "Predicting"


def axis_titles(maps: AttentionMaps, *, by_input: bool = False) -> tuple[str, str]:
    """What rows and columns of maps are, as their axes say it: ("word being written", "source word being read").

    Figures, pictures, files and the page all ask here. `by_input` is for rows that are named for the token read.
    """
    if _has_latents(maps):
        return _BETWEEN_LATENTS[maps.kind]
    if maps.title and maps.kind == "cross":
        return _OF_OTHERS
    row, column = _BETWEEN_TEXTS.get(maps.kind, _BETWEEN_TEXTS["cross"])
    doing = "represented" if maps.kind == "encoder" else "drawn"
    if maps.queries.kind == "image" and maps.kind != "concepts":
        row, column = f"patch being {doing}", "prompt word being read"
    if maps.queries.kind == "audio":
        row = f"sound being {doing}, in seconds"
    if maps.keys.kind != "text":
        column = "patch being read" if maps.keys.kind == "image" else "sound being heard, in seconds"
    return (row.replace("being written", "just written") if by_input else row), column


def _keys_title(maps: AttentionMaps, weights: NDArray[Any], *, is_padded: bool) -> str:
    title = axis_titles(maps)[1]
    if maps.keys.kind != "audio" or (not is_padded and "cropped" not in maps.altered):
        return title
    if {"ablated", "masked", "aggregated"} & set(maps.altered):  # rows need not have summed to 1
        return f"{title} (padding left out)"
    share = 1 - float(weights.sum(axis=-1, dtype=np.float64).mean())
    return f"{title} (padding left out, with {max(share, 0.0):.0%} of the weight)"


def head_title(layer: int | None, head: int | Reduction | None) -> str:
    """In words that stand inside a sentence: "layer 2, head 1", "layer 2, mean over heads", "mean over all heads"."""
    reduced = {"mean": "mean over", "max": "maximum over"}
    if layer is None:
        return f"{reduced[_reduction(head)]} all heads"
    last = f"head {head + 1}" if isinstance(head, int) else f"{reduced[_reduction(head)]} heads"
    return f"layer {layer + 1}, {last}"


def head_key(layer: int | None, head: int | Reduction | None) -> str:
    """As an address and the command line have it: "2.1", "2.mean", "mean", "max"."""
    if layer is None:
        return _reduction(head)
    return f"{layer + 1}.{head + 1 if isinstance(head, int) else _reduction(head)}"


def head_slug(layer: int | None, head: int | Reduction | None) -> str:
    """As the name of a file has it: "L2H1", "L2mean", "mean", "max"."""
    if layer is None:
        return _reduction(head)
    return f"L{layer + 1}{f'H{head + 1}' if isinstance(head, int) else _reduction(head)}"


def parse_head(text: str) -> tuple[int | None, int | Reduction]:
    """The layer and the head, from 0, that a `key` names. Raises ValueError, in a sentence, for what names none."""
    found = _KEY.fullmatch(text)
    layer, last = found.groups() if found else (None, "")
    if not found or (layer is None and last.isdigit()):
        raise ValueError(f"{quoted(text)} names no head: give layer.head, such as 2.1 (layer 2, head 1).")
    if 0 in (int(number) for number in (layer, last) if number and number.isdigit()):
        raise ValueError(f"Layers and heads count from 1, so {quoted(text)} names none.")
    return (int(layer) - 1 if layer else None), _head_of(last)


def _head_of(text: str) -> int | Reduction:
    if text.isdigit():
        return int(text) - 1
    return "max" if text == "max" else "mean"


def _reduction(head: int | Reduction | None) -> Reduction:
    if isinstance(head, int):
        raise ValueError(f"Head {head} is one of a layer's heads: name the layer too.")
    return head or "mean"


def file_stem(trace: Trace) -> str:
    """How the files of a trace begin: its model and the first words of its text, "en-pt_cat-sat"."""
    folder = re.split(r"[/\\]", trace.model)[-1]  # the last of a path, which may be private
    name = re.sub(r"^[a-z]+-(?=[a-z]{2}-[a-z]{2}$)", "", folder)
    text = trace.input if isinstance(trace.input, str) else trace.output
    words = [word[:_LONGEST_WORD] for word in re.findall(r"[^\W_]+", text.casefold())]
    if len(words) > 1 and words[0] in _ARTICLES:
        del words[0]
    parts = ("-".join(re.findall(r"[\w.]+", name)), "-".join(words[:_FILE_WORDS]))
    return "_".join(filter(None, parts)) or "attention"


def file_name(trace: Trace, view: View | None = None) -> str:
    """What a file of a map is called, without its ending: "en-pt_cat-sat_L2H1", "en-pt_cat-sat_encoder-L2H1-words".

    Without a view it is one of the whole trace, "en-pt_cat-sat".
    """
    if view is None:
        return file_stem(trace)
    view = counted(view.maps(trace), view)
    parts: list[str] = [view.kind] if view.kind != "cross" else []
    parts += [] if view.kind in WHOLE_MODEL else [head_slug(view.layer, view.head)]
    parts += [view.units] if view.units != "pieces" else []
    parts += ["read"] if view.rows == "input" else []
    return f"{file_stem(trace)}_{'-'.join(parts)}"


def counted(maps: AttentionMaps, view: View) -> View:
    """The view with its layer and head counted from 0. Raises ValueError for a layer or head that is not there."""
    if view.layer is None:
        return view
    number = maps.layers[maps.layer_index(view.layer)]
    if not isinstance(view.head, int):
        return replace(view, layer=number, head="mean")
    maps.head(number, view.head)  # says so if there is none
    return replace(view, layer=number, head=view.head % maps.n_heads)


def one_map(maps: AttentionMaps, view: View) -> tuple[View, AttentionMaps]:
    """The maps of the chosen head, mean or maximum alone, and the view with its layer and head counted from 0.

    Raises ValueError for a layer or head that is not there.
    """
    view = counted(maps, view)
    if view.layer is None:
        return view, maps.mean_over_all() if view.head == "mean" else maps.max_over_all()
    index, layers = maps.layer_index(view.layer), (view.layer,)
    if not isinstance(view.head, int):
        mean = maps.mean()
        return view, replace(mean, weights=mean.weights[index, None], layers=layers)
    weights = maps.head(view.layer, view.head)[None, None]
    return view, replace(maps, weights=weights, layers=layers, projections=None)
