"""Heads changed row by row of a batch: several runs over one output, in one pass that computes what they share once.

Row 0 of the batch is the run in which nothing is changed. Another run joins the batch at the first block in which one
of its heads is changed, as a copy of row 0: below, the two are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from xattn_viz.core.interventions import Intervention
from xattn_viz.core.maps import MapKind

#: Which keys each query may attend to, boolean, broadcast to `[batch, head, query, key]`; None for all of them.
Allowed = Callable[[], Tensor | None]


class Misfit(ValueError):  # noqa: N818 - what is wrong
    """Values that were given for a head are not of the shape that it has; the message is one sentence."""


@dataclass(frozen=True)
class Rows:
    """The runs of one pass: `base` changes every row, and each of `branches`, in order of its first block, one more.

    `starts` are the blocks, from 0, at which the branches join. With `keeps` the outputs of every head in row 0 are
    kept in `outputs`, by kind and layer, `[head, query, d_v]`, as they are before anything changes them.
    """

    base: Sequence[Intervention] = ()
    branches: Sequence[Sequence[Intervention]] = ()
    starts: Sequence[int] = ()
    keeps: bool = False
    outputs: dict[tuple[MapKind, int], Tensor] = field(default_factory=dict)

    def join(self, block: int, x: Tensor) -> Tensor:
        """What enters a block, `[row, query, d_model]`, with a row more for each run that joins there."""
        count = sum(start == block for start in self.starts)
        return torch.cat([x, x[:1].expand(count, -1, -1)]) if count else x

    def change(self, kind: MapKind, layer: int, outputs: Tensor, values: Tensor, allowed: Allowed) -> Tensor:
        """The outputs of a layer's heads, `[row, head, query, d_v]`, after the changes; `values` `[…, head, key, d_v]`.

        Raises Misfit where given values do not fit.
        """
        if self.keeps:
            self.outputs[kind, layer] = outputs[0].detach().float().cpu().clone()
        base = [(slice(None), one) for one in self.base]
        own = [
            (slice(row, row + 1), one)
            for row, run in enumerate(self.branches[: len(outputs) - 1], start=1)
            for one in run
        ]
        here = [(rows, one) for rows, one in (*base, *own) if (one.kind, one.layer) == (kind, layer)]
        if not here:
            return outputs
        outputs = outputs.clone()
        if values.shape[1] != outputs.shape[1]:  # grouped queries: several heads share their values
            values = values.repeat_interleave(outputs.shape[1] // values.shape[1], dim=1)
        for rows, one in here:
            queries = slice(None) if one.rows is None else list(one.rows)
            outputs[rows, one.head, queries] = _output(one, outputs[rows, one.head, queries], rows, values, allowed)
        return outputs


def _output(one: Intervention, old: Tensor, rows: slice, values: Tensor, allowed: Allowed) -> Tensor:
    """What takes the place of a head's output `[row, query, d_v]`."""
    if one.how == "zero":
        return torch.zeros_like(old)
    if one.how == "uniform":
        return _uniform(one, rows, values, allowed())
    assert one.values is not None  # noqa: S101 - it has been checked
    given = torch.tensor(one.values, dtype=old.dtype, device=old.device)
    if one.how == "weights":
        v = values[rows if len(values) > 1 else slice(None), one.head]  # [row, key, d_v]
        if given.shape != (old.shape[1], v.shape[1]):
            raise Misfit(f"Weights must be [query {old.shape[1]}, key {v.shape[1]}]: got {tuple(given.shape)}.")
        return given @ v
    wanted = old.shape[2:] if one.how == "mean" else old.shape[1:]
    if given.shape != wanted:
        raise Misfit(f"The output of a head must be of shape {tuple(wanted)}: got {tuple(given.shape)}.")
    return given.expand_as(old)


def _uniform(one: Intervention, rows: slice, values: Tensor, allowed: Tensor | None) -> Tensor:
    v = values[rows if len(values) > 1 else slice(None), one.head]  # [row, key, d_v]
    if allowed is None:
        return v.mean(1, keepdim=True)
    while allowed.dim() < 4:
        allowed = allowed[None]
    own = allowed[rows if len(allowed) > 1 else slice(None), one.head if allowed.shape[1] > 1 else 0]
    own = own if one.rows is None or own.shape[1] == 1 else own[:, list(one.rows)]
    even = own.to(v.dtype)
    return even / even.sum(-1, keepdim=True).clamp(min=1) @ v  # [row, query, key] @ [row, key, d_v]
