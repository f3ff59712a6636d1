"""What goes into one small layer of cross-attention: two sequences, four weight matrices, four switches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.records import read_only, same, summary

#: The matrices of a setting, in the order in which they are used.
INPUTS = ("x", "context", "w_q", "w_k", "w_v", "w_o")


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
