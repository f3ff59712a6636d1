"""The same tasks without attention: all that the decoder hears of the source is one vector of fixed size."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from xattn_viz.lessons.learning.model import Predicted


class FixedContext(nn.Module):
    """Two GRUs: one reads the source, its last state is what the other starts from and reads again at every step.

    That is the encoder-decoder of Cho et al. 2014. `width` is that of the state.
    """

    def __init__(self, symbols: int, *, width: int = 40, d_model: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(symbols, d_model)
        self.encoder = nn.GRU(d_model, width, batch_first=True)
        self.decoder = nn.GRU(d_model + width, width, batch_first=True)
        self.to_logits = nn.Linear(width, symbols)

    def forward(self, source: Tensor, read: Tensor, padding: Tensor) -> Predicted:
        """What follows each symbol of `read` `[batch, query]`, given `source` `[batch, key]`, its padding included."""
        _, context = self.encoder(self.embedding(source))  # [1, batch, width]
        repeated = context[0][:, None].expand(-1, read.shape[1], -1)
        states, _ = self.decoder(torch.cat([self.embedding(read), repeated], 2), context)
        no_weights = states.new_empty(len(source), 0, 0, read.shape[1], source.shape[1])
        return Predicted(self.to_logits(states), no_weights)
