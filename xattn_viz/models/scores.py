"""What a model thought of each token: its log-probability and the likeliest alternatives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor

from xattn_viz.core.trace import Alternative, Step

ALTERNATIVES = 5


def steps(
    logits: Iterable[Tensor], chosen: Sequence[int], forced: int, readable: Callable[[int], str]
) -> tuple[Step, ...]:
    """The step of each token chosen, over the whole vocabulary; of `logits` each is `[id]`.

    The first `forced` tokens were given; `readable` is what an id says to people. One row at a time is looked at, so
    memory does not grow with their number.
    """
    return tuple(
        _step(row.float().log_softmax(-1), token, place < forced, readable)
        for place, (row, token) in enumerate(zip(logits, chosen, strict=True))
    )


def _step(log_probs: Tensor, token: int, forced: bool, readable: Callable[[int], str]) -> Step:
    top = log_probs.topk(min(ALTERNATIVES, len(log_probs)))
    alternatives = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return Step(
        readable(token),
        token,
        min(float(log_probs[token]), 0.0),
        tuple(Alternative(readable(i), i, min(log_prob, 0.0)) for i, log_prob in alternatives),
        forced,
    )
