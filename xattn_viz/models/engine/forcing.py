"""An output read again in many runs at once, in each of which heads are changed: what the model thinks of its tokens.

The source is encoded once. In the decoder all runs begin as one row of a batch, and each gets a row of its own at the
first block in which one of its heads is changed (`attention.interventions.Rows`), so what they share is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import EncoderDecoderCache

from xattn_viz.attention.capture import Site, current_rows
from xattn_viz.attention.interventions import Rows
from xattn_viz.core.interventions import Forced, Intervention
from xattn_viz.models.base import Hooks

MAX_BYTES = 1 << 28  # of the logits of the runs that are computed at once, and what is made of them
MAX_ROWS = 48  # at once, so that progress is told and a run can be stopped


@dataclass(frozen=True)
class Scores:
    """Logits of some places of an output, `[row, place, id]`, over the ids `among` `[id]`, or over all of them."""

    logits: Tensor
    among: Tensor | None = None


#: Reads an output once more for a batch of runs: logits of all its places, in parts one behind the other.
Reading = Callable[[Rows], Sequence[Scores]]


def watch_blocks(writer: nn.Module, sites: Mapping[nn.Module, Site]) -> dict[Site, int]:
    """Let runs join at the blocks of a decoder, and say in which block each of its attention modules is, from 0.

    To be called once a model. The blocks are the first list of modules that hold all of the decoder's attention.
    """
    own = {module: site for module, site in sites.items() if site.kind != "encoder"}
    for blocks in writer.modules():
        if not isinstance(blocks, nn.ModuleList):
            continue
        held = [[own[module] for module in block.modules() if module in own] for block in blocks]
        if own and sum(map(len, held)) == len(own):
            for number, block in enumerate(blocks):
                block.register_forward_pre_hook(partial(_join, number), with_kwargs=True)
            return {site: number for number, some in enumerate(held) for site in some}
    return {}


def _join(number: int, block: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Let the runs join that begin in this block."""
    if (rows := current_rows()) is None or not rows.branches:
        return None
    x = rows.join(number, inputs[0] if inputs else named["hidden_states"])
    # With a cache every block has the keys and values of the one source in it. Without, each run needs what the encoder
    # made: of the tensors that a block takes, only that has three axes.
    if not any(isinstance(value, EncoderDecoderCache) for value in (*inputs, *named.values())):
        inputs = tuple(_repeated(value, len(x)) for value in inputs)
        named = {name: _repeated(value, len(x)) for name, value in named.items()}
    return ((x, *inputs[1:]), named) if inputs else ((), {**named, "hidden_states": x})


def _repeated(value: Any, count: int) -> Any:
    is_one = isinstance(value, Tensor) and value.dim() == 3 and len(value) == 1
    return value.repeat(count, 1, 1) if is_one else value


def in_batches(
    runs: Sequence[Sequence[Intervention]],
    block: Callable[[Intervention], int],
    row_bytes: int,
    base: Sequence[Intervention] = (),
) -> list[tuple[list[int], Rows]]:
    """The runs in batches that fit into memory, those that begin in the same blocks together: their numbers, and rows.

    `block` says in which block an intervention is, `row_bytes` what a row takes; `base` is changed in all of them. A
    run without interventions of its own is row 0 of each, and in none.
    """
    starts = {number: min(map(block, run)) for number, run in enumerate(runs) if run}
    order = sorted(starts, key=lambda number: (starts[number], number))
    most = max(1, min(MAX_ROWS, MAX_BYTES // max(row_bytes, 1) - 1))
    batches = [order[first : first + most] for first in range(0, len(order), most)] or [[]]
    return [
        (batch, Rows(base, [runs[number] for number in batch], [starts[number] for number in batch]))
        for batch in batches
    ]


class Reader:
    """Collects what every run thinks of the tokens `ids`, with so many `alternatives` at each place."""

    def __init__(self, runs: int, ids: Sequence[int], alternatives: int) -> None:
        self.ids, self.runs, self.done = torch.tensor(ids), runs, 0
        shape = (runs, len(ids))
        self.log_probs: NDArray[np.float32] = np.zeros(shape, np.float32)
        self.best: NDArray[np.int64] = np.full((*shape, alternatives), -1, np.int64)
        self.best_log_probs: NDArray[np.float32] = np.full((*shape, alternatives), -np.inf, np.float32)

    def take(self, runs: Sequence[int], parts: Sequence[Scores], row: int = 0) -> None:
        """Read the rows of `parts`, which are places one behind the other, from `row` on, as those of these runs."""
        place, self.done = 0, self.done + len(runs)
        for part in parts if runs else ():
            logits, count = part.logits[row : row + len(runs)].float(), part.logits.shape[1]
            ids = self.ids[place : place + count].to(logits.device)
            columns = ids if part.among is None else torch.searchsorted(part.among, ids)
            total = logits.logsumexp(-1)  # [row, place]
            chosen = logits.gather(-1, columns.expand(len(runs), -1).unsqueeze(-1)).squeeze(-1)
            ranks = min(self.best.shape[-1], logits.shape[-1])
            # One is found several times sooner than the first of several.
            values, indices = logits.max(-1, keepdim=True) if ranks == 1 else logits.topk(ranks, -1)
            best = indices if part.among is None else part.among[indices]
            where = (list(runs), slice(place, place + count))
            self.log_probs[where] = (chosen - total).clamp(max=0).cpu().numpy()
            log_probs = (values - total.unsqueeze(-1)).clamp(max=0)
            self.best[(*where, slice(ranks))] = best.masked_fill(log_probs.isneginf(), -1).cpu().numpy()
            self.best_log_probs[(*where, slice(ranks))] = log_probs.cpu().numpy()
            place += count

    def forced(self, readable: Callable[[int], str]) -> Forced:
        """What was read; `readable` is what an id says to people."""
        tokens = {int(token): readable(int(token)) for token in np.unique(self.best) if token >= 0}
        return Forced(self.log_probs, self.best, self.best_log_probs, tokens)


def by_encoder(runs: Sequence[Sequence[Intervention]]) -> list[tuple[list[Intervention], list[int]]]:
    """The numbers of the runs that share an encoder: all without interventions there, and each of the others alone."""
    found: list[tuple[list[Intervention], list[int]]] = []
    shared: list[int] = []
    for number, run in enumerate(runs):
        if own := [one for one in run if one.kind == "encoder"]:
            found.append((own, [number]))
        else:
            shared.append(number)
    return [([], shared), *found] if shared else found


def read_runs(
    numbers: Sequence[int],
    runs: Sequence[Sequence[Intervention]],
    batches: Sequence[tuple[list[int], Rows]],
    scores: Reading,
    reader: Reader,
    hooks: Hooks,
) -> None:
    """Read what `scores` gives for each batch of `runs`, which are those of these `numbers`."""
    unchanged = [numbers[place] for place, run in enumerate(runs) if not run]
    for batch, (places, rows) in enumerate(batches):
        hooks.report(reader.done, reader.runs)
        parts = scores(rows)
        reader.take([numbers[place] for place in places], parts, 1)
        if batch == 0:
            for number in unchanged:
                reader.take([number], parts)
