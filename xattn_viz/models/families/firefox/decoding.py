"""Greedy decoding, and the log-probabilities of what was decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xattn_viz.core.trace import Alternative, Step
from xattn_viz.models.base import OnStep, report
from xattn_viz.models.families.firefox.network import Ablated, Memory, Network
from xattn_viz.models.families.firefox.vocabulary import END, UNKNOWN

OnWritten = Callable[[Sequence[int], Sequence[Tensor]], object]

START = -1  # stands for the zero vector that the decoder reads first
LENGTH_FACTOR = 2.5  # Marian's max-length-factor: output tokens for each source token
ALTERNATIVES = 5


@dataclass(frozen=True)
class Generated:
    """The ids chosen (with `</s>` if it came) and the logits they were chosen from, `[query, allowed]`."""

    ids: list[int]
    logits: Tensor


@dataclass(frozen=True)
class Choice:
    """The output tokens that may be chosen: `ids` `[allowed]` (None: all), and the output layer cut to them.

    `<unk>` has a bias of -inf, so it is never chosen and has no probability.
    """

    ids: Tensor | None
    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, network: Network, ids: Tensor | None) -> Choice:
        """The choice among `ids`, or among all tokens."""
        weight: Tensor = network.output.weight
        bias: Tensor = network.output.bias
        if ids is None:
            unknown = torch.arange(len(bias)) == UNKNOWN
        else:
            weight, bias, unknown = weight[ids], bias[ids], ids == UNKNOWN
        return cls(ids, weight, bias.masked_fill(unknown, float("-inf")))


def greedy(
    network: Network,
    memory: Memory,
    choice: Choice,
    limit: int,
    *,
    prefix: Sequence[int] = (),
    ablated: Ablated | None = None,
    on_step: OnStep | None = None,
    on_written: OnWritten | None = None,
) -> Generated:
    """Decode one sentence, the likeliest token at each step, until `</s>` or `limit` tokens in all.

    `prefix` are ids that the output begins with; the result holds only what follows them. `on_written` hears before
    each step but the first of the ids that follow, and their logits `[allowed]`.
    """
    state, read = network.start(), [START, *prefix]
    ids: list[int] = []
    logits: list[Tensor] = []
    while len(prefix) + len(ids) < limit and (not ids or ids[-1] != END):
        report(on_step, len(prefix) + len(ids), limit)
        if on_written is not None and ids:
            on_written(ids, logits)
        position = len(prefix) + len(ids) + 1 - len(read)
        hidden, state = network.decode(torch.tensor([read]), memory, ablated, state=state, position=position)
        logits.append(torch.addmv(choice.bias, choice.weight, hidden[0, -1]))  # [allowed]
        best = int(logits[-1].argmax())
        ids.append(best if choice.ids is None else int(choice.ids[best]))
        read = ids[-1:]
    return Generated(ids, torch.stack(logits) if logits else choice.bias.new_empty(0, len(choice.bias)))


def steps(
    logits: Tensor, chosen: Sequence[int], ids: Tensor | None, readable: Callable[[int], str], *, forced: bool
) -> list[Step]:
    """Log-probability and likeliest alternatives of each token, from its logits `[query, allowed]`.

    `ids` `[allowed]` are the tokens that the logits belong to, None for all.
    """
    if not chosen:
        return []
    log_probs = logits.log_softmax(-1)
    column = torch.tensor(chosen) if ids is None else torch.searchsorted(ids, torch.tensor(chosen))
    own = log_probs.gather(1, column.unsqueeze(1)).squeeze(1).tolist()
    top = log_probs.topk(min(ALTERNATIVES, log_probs.shape[1]))
    top_ids = top.indices if ids is None else ids[top.indices]
    return [
        Step(readable(token), token, log_prob, _alternatives(others, values, readable), forced)
        for token, log_prob, others, values in zip(chosen, own, top_ids.tolist(), top.values.tolist(), strict=True)
    ]


def _alternatives(
    ids: Sequence[int], log_probs: Sequence[float], readable: Callable[[int], str]
) -> tuple[Alternative, ...]:
    return tuple(Alternative(readable(i), i, p) for i, p in zip(ids, log_probs, strict=True) if p > float("-inf"))
