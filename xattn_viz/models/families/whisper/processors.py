"""What happens between two steps of a search: the caller hears of it, and tokens are ruled out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor
from transformers.generation import LogitsProcessor

from xattn_viz.models.base import OnStep, report


class Steps(LogitsProcessor):  # type: ignore[misc]
    """Tells the caller of each step; changes no score."""

    def __init__(
        self, on_step: OnStep | None, on_written: Callable[[Sequence[int]], object] | None, begin: int, limit: int
    ) -> None:
        self.on_step, self.on_written, self.begin, self.limit = on_step, on_written, begin, limit

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores `[beam, id]` as they are; `input_ids` `[beam, step]` is what is written."""
        done = input_ids.shape[1] - self.begin
        report(self.on_step, done, self.limit - self.begin)
        if self.on_written is not None and done:
            self.on_written(input_ids[0, 1:].tolist())
        return scores


class Suppress(LogitsProcessor):  # type: ignore[misc]
    """Rules out the tokens that the checkpoint never wants, and those that it does not want first.

    transformers' own two do the same by searching the whole vocabulary at each step, a sixth of Whisper tiny's time.
    """

    def __init__(self, always: Sequence[int], first: Sequence[int], begin: int) -> None:
        self.always, self.first, self.begin = list(always), list(first), begin

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores `[beam, id]` with those tokens at -inf."""
        scores = scores.clone()
        scores[:, self.always] = float("-inf")
        if input_ids.shape[1] == self.begin:
            scores[:, self.first] = float("-inf")
        return scores
