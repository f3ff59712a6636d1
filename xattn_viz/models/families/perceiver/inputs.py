"""What a Perceiver reads of a picture: its patches or its pixels, which of them make a key of a map, and the memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from xattn_viz.core.axis import Axis
from xattn_viz.models.base import InputError
from xattn_viz.models.resources import check_free

#: The most rows and columns of keys that maps keep: pixels beyond are summed up into square patches.
MOST_SIDE = 56
#: Only where a trace takes more bytes is the free memory looked at.
LARGE = 1 << 26
_COPIES = 5  # of these weights at a time: the library's scores and weights, ours, and what the softmax needs


@dataclass(frozen=True)
class Inputs:
    """The grid of a model's inputs, `rows` and `columns` of them, and how many of each side make one key of a map."""

    rows: int
    columns: int
    merged: int

    @classmethod
    def of(cls, size: tuple[int, int], positions: int) -> Inputs:
        """Those of a picture of `size`, rows and columns of pixels, that becomes so many positions.

        Raises ValueError where they are no grid of squares.
        """
        # A convolution loses a row or two at the edges: the side of a square is no whole number of pixels then.
        rows, columns = (round((positions * one / other) ** 0.5) for one, other in (size, size[::-1]))
        if rows * columns != positions:
            raise ValueError(f"it reads {positions} positions of {size[1]} × {size[0]} pixels, which are no patches")
        return cls(rows, columns, -(-max(rows, columns) // MOST_SIDE))

    @property
    def axis(self) -> Axis:
        """The keys of a map, patches of the picture row by row."""
        return Axis.picture(-(-self.rows // self.merged), -(-self.columns // self.merged))

    @property
    def pool(self) -> Callable[[Tensor], Tensor] | None:
        """From weights on all inputs to those on the keys of a map; None where they are the same."""
        return None if self.merged == 1 else self._pool

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of it."""
        if self.merged == 1:
            return ()
        return (f"The model reads single pixels; the weights on {self.merged} × {self.merged} of them are summed up.",)

    def check_memory(self, heads: int, latents: int, besides: int = 0) -> None:
        """Raise InputError where the weights of the latents on the inputs would not fit into the free memory.

        `besides` are the bytes of other maps that are to be kept.
        """
        needed = _COPIES * 4 * heads * latents * self.rows * self.columns + besides
        if needed > LARGE:
            what = f"{latents:,} latents that read {self.rows * self.columns:,} positions"
            check_free(needed, f"Tracing {what}", "close other programs, or choose a smaller model", InputError)

    def _pool(self, weights: Tensor) -> Tensor:
        """Weights `[batch, head, latent, input]` as `[batch, head, latent, key]`; rows keep their sums."""
        size = self.merged
        grid = weights.reshape(1, -1, self.rows, self.columns)
        grid = pad(grid, (0, -self.columns % size, 0, -self.rows % size))
        return avg_pool2d(grid, size, divisor_override=1).reshape(*weights.shape[:-1], -1)
