"""What FSMT (fairseq's models of WMT 2019) leaves to its caller: a causal mask."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def mask_the_future(model: Any) -> None:
    """Make a loaded FSMT's decoder causal however it is called. To be called once a model.

    transformers gives it a causal mask only in a pass without a cache that is handed the source's ids as well. Several
    tokens read at once, a beginning that is given or an output that is known, would else see those behind them.
    """
    model.get_decoder().register_forward_pre_hook(_with_mask, with_kwargs=True)


def _with_mask(decoder: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
    count = inputs[0].shape[1]
    if count == 1 or named.get("decoder_causal_mask") is not None:
        return inputs, named
    cached = named.get("cache", named.get("past_key_values"))  # its name before transformers 5.24
    before = cached.get_seq_length() if cached is not None else 0
    # [query, key]: a token attends to itself and to those before it.
    everything = torch.full((count, before + count), float("-inf"), device=inputs[0].device, dtype=inputs[1].dtype)
    return inputs, {**named, "decoder_causal_mask": everything.triu(1 + before)}
