"""One small layer of cross-attention, step by step: what goes in, each matrix on the way, what comes out.

>>> from xattn_viz.lessons.steps import from_words, steps
>>> shown = steps(from_words("gato preto", "the black cat"))
>>> shown.weights.shape  # [head, query, key]
(1, 2, 3)
>>> shown.weights[0].argmax(axis=1).tolist()  # "gato" reads "cat", "preto" reads "black"
[2, 1]

Every number is computed by `layer.CrossAttention` itself.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.attention.layer import CrossAttention, scaled_dot_product_attention
from xattn_viz.core.records import read_only, same, summary

#: The matrices of a setting, in the order in which they are used.
INPUTS = ("x", "context", "w_q", "w_k", "w_v", "w_o")
#: What the page begins with.
QUERIES, KEYS = "gato preto", "the black cat"
#: The longest sequences and the widest vectors that a page can show in full.
MOST_POSITIONS = 8
MOST_WIDTH = 8
#: The largest number of a vector or a weight matrix.
LARGEST = 100.0
_WIDTH = 4  # of a word's vector unless asked otherwise
_NUMBER = r"[-+−]?(?:\d+(?:\.\d*)?|\.\d+)"
_NUMBERS = re.compile(rf"\s*{_NUMBER}(?:[\s,;]+{_NUMBER})*[\s;]*")
# Columns: an animal, a colour, a word that only points, how much it is about size.
_HAND_MADE = {
    **dict.fromkeys(("gato", "cat"), (1.4, 0.1, 0.0, -0.3)),
    **dict.fromkeys(("preto", "black"), (0.1, 1.4, 0.1, 0.2)),
    **dict.fromkeys(("o", "the"), (0.2, -0.1, 1.1, 0.0)),
}

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Setting:
    """Two labelled sequences and the weights of a layer without biases; `y = x @ w`, so rows are what goes in.

    `x` is `[query, d_model]`, `context` `[key, d_context]`, `w_q` `[d_model, d_model]`, `w_k` and `w_v`
    `[d_context, d_model]`, `w_o` `[d_model, d_model]`, all float64 and read-only; d_model = `n_heads` · d_k. `scaled`
    divides the scores by √d_k, `padding` says of each key whether it is padding (none of them when empty), and
    `causal` lets query i attend to keys 0 … i only.

    Raises ValueError, with the shapes, where they do not fit, and for numbers that are not finite.
    """

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    x: NDArray[np.float64]
    context: NDArray[np.float64]
    w_q: NDArray[np.float64]
    w_k: NDArray[np.float64]
    w_v: NDArray[np.float64]
    w_o: NDArray[np.float64]
    n_heads: int = 1
    scaled: bool = True
    padding: tuple[bool, ...] = ()
    causal: bool = False

    def __post_init__(self) -> None:
        for name in INPUTS:
            object.__setattr__(self, name, read_only(np.asarray(getattr(self, name), np.float64)))
        object.__setattr__(self, "padding", tuple(self.padding) or (False,) * len(self.keys))
        self._check()

    @property
    def d_model(self) -> int:
        """The width of the queries and of the output."""
        return int(self.x.shape[1])

    @property
    def d_context(self) -> int:
        """The width of the other sequence."""
        return int(self.context.shape[1])

    @property
    def d_k(self) -> int:
        """The width of one head."""
        return self.d_model // self.n_heads

    @property
    def scale(self) -> float:
        """What the scores are multiplied with."""
        return self.d_k**-0.5 if self.scaled else 1.0

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """Which key a query may attend to, `[query, key]`."""
        shape = len(self.queries), len(self.keys)
        own = np.broadcast_to(~np.array(self.padding, bool), shape)
        return own & (np.tri(*shape) > 0) if self.causal else own

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def _check(self) -> None:
        if not self.queries or not self.keys:
            raise ValueError("There must be at least one query and one key.")
        if self.x.ndim != 2 or self.context.ndim != 2 or not self.x.shape[1] or not self.context.shape[1]:
            shapes = f"x {self.x.shape}, context {self.context.shape}"
            raise ValueError(f"x must be [query, d_model] and context [key, d_context]: got {shapes}.")
        d_model, d_context = self.x.shape[1], self.context.shape[1]
        wanted = {
            "x": (len(self.queries), d_model),
            "context": (len(self.keys), d_context),
            "w_q": (d_model, d_model),
            "w_k": (d_context, d_model),
            "w_v": (d_context, d_model),
            "w_o": (d_model, d_model),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} must be {shape} with {len(self.queries)} queries, {len(self.keys)} keys, "
                    f"d_model {d_model} and d_context {d_context}: got {getattr(self, name).shape}."
                )
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"Every number of {name} must be finite.")
        if self.n_heads < 1 or d_model % self.n_heads:
            raise ValueError(f"d_model {d_model} cannot be split into {self.n_heads} heads of equal width.")
        if len(self.padding) != len(self.keys):
            raise ValueError(f"padding says something of {len(self.padding)} keys, there are {len(self.keys)}.")


def from_words(
    queries: str,
    keys: str,
    *,
    d_model: int | None = None,
    n_heads: int = 1,
    scaled: bool = True,
    padding: tuple[bool, ...] = (),
    causal: bool = False,
) -> Setting:
    """A setting of two sequences, each of words ("gato preto") or of rows of numbers ("1 0 0 0; 0 1 0 0").

    A word has the same vector wherever it stands, and none of them is learnt: those of the first example were chosen by
    hand so that its map can be read, any other word gets numbers that depend on its letters alone. `d_model` is the
    width of words, 4 unless given; numbers have the width of their rows. The weight matrices are near a multiple of the
    identity, so that alike vectors attend to each other. All numbers have two decimals at most.

    Raises ValueError for a sequence that is empty, longer or wider than a page can show, or of uneven rows.
    """
    if d_model is not None and not 1 <= d_model <= MOST_WIDTH:
        raise ValueError(f"d_model must be from 1 to {MOST_WIDTH}: got {d_model}.")
    query_labels, x = _sequence(queries, "queries", "q", d_model or _WIDTH)
    key_labels, context = _sequence(keys, "keys", "k", d_model or _WIDTH)
    wide, other = x.shape[1], context.shape[1]
    return Setting(
        query_labels,
        key_labels,
        x,
        context,
        w_q=_weights("w_q", wide, wide, 1.6),
        w_k=_weights("w_k", other, wide, 1.6),
        w_v=_weights("w_v", other, wide, 1.0),
        w_o=_weights("w_o", wide, wide, 1.0),
        n_heads=n_heads,
        scaled=scaled,
        padding=padding,
        causal=causal,
    )


def _sequence(text: str, name: str, letter: str, width: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    if _NUMBERS.fullmatch(text):
        return _numbers(text, name, letter)
    words = tuple(text.split())
    _check_length(len(words), name)
    return words, np.array([_vector(word, width) for word in words])


def _numbers(text: str, name: str, letter: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    split = [re.findall(_NUMBER, row) for row in text.replace("−", "-").split(";")]
    rows = [[float(number) for number in row] for row in split if row]
    _check_length(len(rows), name)
    widths = sorted({len(row) for row in rows})
    if len(widths) > 1:
        raise ValueError(
            f"Every row of the {name} must have as many numbers: got rows of {widths[0]} and {widths[-1]}."
        )
    if widths[0] > MOST_WIDTH:
        raise ValueError(f"A row of the {name} can have {MOST_WIDTH} numbers at most: got {widths[0]}.")
    if max(abs(number) for row in rows for number in row) > LARGEST:
        raise ValueError(f"The numbers of the {name} must be from −{LARGEST:g} to {LARGEST:g}.")
    return tuple(f"{letter}{i + 1}" for i in range(len(rows))), np.array(rows).round(2) + 0.0


def _check_length(length: int, name: str) -> None:
    if not length:
        raise ValueError(f"There are no {name}: type a word, or a row of numbers such as 1 0 0 0.")
    if length > MOST_POSITIONS:
        raise ValueError(f"There is room for {MOST_POSITIONS} {name} at most: got {length}.")


@cache
def _vector(word: str, width: int) -> tuple[float, ...]:
    chosen = _HAND_MADE.get(word.lower())
    return chosen if chosen and width == _WIDTH else tuple(_drawn(f"word {word}", width).tolist())


def _weights(name: str, rows: int, columns: int, diagonal: float) -> NDArray[np.float64]:
    noise = 0.2 * _drawn(name, rows * columns).reshape(rows, columns)
    return (np.eye(rows, columns) * diagonal + noise).round(2) + 0.0


def _drawn(name: str, count: int) -> NDArray[np.float64]:
    """Numbers from −1 to 1 with two decimals that depend on a name alone."""
    digest = hashlib.shake_256(name.encode()).digest(4 * count)
    return (np.frombuffer(digest, "<u4") / 2**31 - 1).round(2) + 0.0


@dataclass(frozen=True, eq=False)
class Steps:
    """The matrices of one layer by name, float64 and read-only.

    `q` `[head, query, d_k]`, `k` and `v` `[head, key, d_k]`; `scores` (q kᵀ), `scaled`, `masked` and `weights`
    `[head, query, key]`, with −inf where `masked` leaves a key out; `heads` `[head, query, d_k]`, what each head gives;
    `output` `[query, d_model]`.
    """

    q: Matrix
    k: Matrix
    v: Matrix
    scores: Matrix
    scaled: Matrix
    masked: Matrix
    weights: Matrix
    heads: Matrix
    output: Matrix

    def __post_init__(self) -> None:
        for name in vars(self):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)


@torch.inference_mode()
def steps(setting: Setting) -> Steps:
    """Run a setting through `CrossAttention` and keep every matrix on the way."""
    layer = layer_of(setting)
    q = layer.project_queries(_batch(setting.x))
    k, v = layer.project_context(_batch(setting.context))
    mask = torch.tensor(setting.allowed)
    attention = layer.attend(q, k, v, mask=mask, scale=setting.scale, return_scores=True)
    return Steps(
        _one(q),
        _one(k),
        _one(v),
        scores=_one(layer.attend(q, k, v, scale=1.0, return_scores=True).scores),
        scaled=_one(layer.attend(q, k, v, scale=setting.scale, return_scores=True).scores),
        masked=_one(attention.scores),
        weights=_one(attention.weights),
        heads=_one(scaled_dot_product_attention(q, k, v, mask, setting.scale).output),
        output=_one(attention.output),
    )


def layer_of(setting: Setting) -> CrossAttention:
    """The layer with the weights of a setting, float64, without biases."""
    layer = CrossAttention(setting.d_model, setting.n_heads, d_context=setting.d_context, bias=False).double()
    linears = (layer.q_proj, layer.k_proj, layer.v_proj, layer.out_proj)
    for linear, w in zip(linears, (setting.w_q, setting.w_k, setting.w_v, setting.w_o), strict=True):
        linear.weight.data = torch.tensor(w).T  # nn.Linear holds [out, in]
    return layer


def _batch(values: Matrix) -> Tensor:
    return torch.tensor(values)[None]


def _one(values: Tensor | None) -> Matrix:
    """The only one of a batch. What was not asked for is absent, which does not happen here."""
    assert values is not None  # noqa: S101
    return values[0].numpy()


def snippet(setting: Setting) -> str:
    """A script of at most 15 lines that runs `CrossAttention` on a setting and prints weights and output.

    The names in it: `attention` is what the layer gives, `[batch, …]` of one.
    """
    matrices = {"x": setting.x, "context": setting.context}
    weights = {"q_proj": setting.w_q, "k_proj": setting.w_k, "v_proj": setting.w_v, "out_proj": setting.w_o}
    sizes = f"{setting.d_model}, {setting.n_heads}, d_context={setting.d_context}, bias=False"
    options = ["x", "context"]
    lines = ["import torch", "import xattn_viz as xv", 'double = {"dtype": torch.float64}']
    lines += [f"{name} = torch.tensor([{_written(values)}], **double)" for name, values in matrices.items()]
    lines.append(f"layer = xv.CrossAttention({sizes}).double()")
    lines += [f"layer.{name}.weight.data = torch.tensor({_written(w)}, **double).T" for name, w in weights.items()]
    if not setting.allowed.all():
        lines.append(f"mask = torch.tensor({_written(setting.allowed)})  # True: the query may attend to the key")
        options.append("mask=mask")
    if not setting.scaled:
        options.append("scale=1.0")
    lines += [
        f"attention = layer({', '.join(options)})",
        "print(attention.weights[0].detach().numpy().round(2))  # [head, query, key]",
        "print(attention.output[0].detach().numpy().round(2))  # [query, d_model]",
    ]
    return "\n".join(lines)


def _written(values: NDArray[np.float64] | NDArray[np.bool_]) -> str:
    return str(values.tolist())
