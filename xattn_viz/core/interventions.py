"""Changes of attention heads while an output is read again, and what the model then thinks of each of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.maps import MapKind
from xattn_viz.core.records import read_only, same, summary

#: What is done to a head (`Intervention`).
How = Literal["zero", "uniform", "mean", "output", "weights"]
_SHAPES: dict[How, str] = {"mean": "[d_v]", "output": "[query, d_v]", "weights": "[query, key]"}


@dataclass(frozen=True, eq=False)
class Intervention:
    """One change of one head, all numbers from 0. A head's output is weights · v, before W_O puts the heads together.

    - "zero": its output is zeros, as if its columns of W_O were. A bias of W_O belongs to the layer and stays, also
      where all heads of a layer are zero.
    - "uniform": its weights are even over the keys that are not masked.
    - "mean": its output is `values` `[d_v]` in every row, the mean over a set of sentences, say.
    - "output": its output is `values` `[query, d_v]`: what it said in another run (patching).
    - "weights": its weights are `values` `[query, key]`.

    `rows` are the queries that are changed, all of them when None; `values` of "output" and "weights" have one row for
    each. Raises ValueError where values are missing, do not fit, or hold NaN or infinity, and for weights below 0.
    """

    kind: MapKind
    layer: int
    head: int
    how: How = "zero"
    values: NDArray[np.float32] | None = None
    rows: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise ValueError(f"A head is changed by one of {', '.join(get_args(How))}: got {self.how!r}.")
        wanted = _SHAPES.get(self.how)
        if (wanted is None) != (self.values is None):
            raise ValueError(f"{self.how!r} takes {f'values {wanted}' if wanted else 'no values'}.")
        if self.values is None:
            return
        values = np.asarray(self.values).astype(np.float32, copy=False)
        if values.ndim != (1 if self.how == "mean" else 2) or not np.isfinite(values).all():
            raise ValueError(f"{self.how!r} takes finite values {wanted}: got shape {values.shape}.")
        if self.how == "weights" and (values < 0).any():
            raise ValueError("Weights are 0 or more.")
        if self.how != "mean" and self.rows is not None and len(values) != len(self.rows):
            raise ValueError(f"{len(self.rows)} rows take as many of values {wanted}: got shape {values.shape}.")
        object.__setattr__(self, "values", read_only(values))

    __repr__ = summary

    def __eq__(self, other: object) -> bool:
        return same(self, other)

    def __hash__(self) -> int:
        return hash((self.kind, self.layer, self.head, self.how, self.rows))


@dataclass(frozen=True, eq=False)
class Forced:
    """What a model thinks of the tokens of an output that it is made to read, in several runs.

    `log_probs` `[run, query]` are the natural-log probabilities of the tokens, each after those before it, over the
    tokens that the trace's own steps were scored over. `ids` and `id_log_probs` `[run, query, rank]` are the likeliest
    tokens at each place, best first (id -1 where fewer are possible), and `tokens` says what ids are to people.
    """

    log_probs: NDArray[np.float32]
    ids: NDArray[np.int64]
    id_log_probs: NDArray[np.float32]
    tokens: Mapping[int, str]

    @property
    def best(self) -> NDArray[np.int64]:
        """The id of the likeliest token at each place, `[run, query]`."""
        return self.ids[:, :, 0]

    def texts(self, run: int) -> tuple[str, ...]:
        """The likeliest token at each place of one run, as people read it."""
        return tuple(self.tokens[token] for token in self.best[run].tolist())

    __repr__ = summary


class Forcing(Protocol):
    """What reads one output again, as often as it is called (`Adapter.forcing`)."""

    def __call__(
        self,
        runs: Sequence[Sequence[Intervention]],
        base: Sequence[Intervention] = (),
        alternatives: int = 1,
        on_step: Callable[[int, int], bool | None] | None = None,
    ) -> Forced:
        """What the model thinks in each of `runs`, with `base` in all of them; the rest as in `Adapter.force`."""
