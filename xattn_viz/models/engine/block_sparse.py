"""BigBird's encoders read long texts with block-sparse attention, and short ones with full attention."""

from __future__ import annotations

import copy
from typing import Any

from torch import Tensor


class BlockSparse:
    """Such an encoder, to be called as itself, which stays what it is.

    transformers' own switches to full attention for good when it reads something short, and whatever it reads after
    that comes out otherwise than from the model as it was loaded. Here a copy reads what is short; the two share all
    parameters.
    """

    def __init__(self, encoder: Any) -> None:
        shared = {id(tensor): tensor for tensor in (*encoder.parameters(), *encoder.buffers())}
        self._sparse, self._full = encoder, copy.deepcopy(encoder, shared)
        self._full.set_attention_type("original_full")
        config = encoder.config
        # Two blocks that all attend to, three beside each other and the random ones, which the library counts twice.
        self._most_in_full = (5 + 2 * config.num_random_blocks) * config.block_size

    @staticmethod
    def is_one(encoder: Any) -> bool:
        """Whether an encoder is to be wrapped."""
        return bool(getattr(encoder, "attention_type", None) == "block_sparse")

    def __call__(self, input_ids: Tensor, **rest: Any) -> Any:
        """What the encoder makes of ids `[1, position]`."""
        return (self._full if input_ids.shape[1] <= self._most_in_full else self._sparse)(input_ids=input_ids, **rest)
