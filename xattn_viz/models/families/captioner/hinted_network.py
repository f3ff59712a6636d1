"""A captioner with two sources: the encoder that reads picture and hint, and the cross-attention that looks at both."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.modeling_outputs import BaseModelOutput

from xattn_viz.attention.capture import NAME
from xattn_viz.models.families.captioner import Join


class PictureAndHint(nn.Module):
    """Two encoders whose outputs stand one behind the other: the captioner's own ViT, and a BERT for the hint."""

    main_input_name = "pixel_values"

    def __init__(self, picture: Any, hint: Any) -> None:
        super().__init__()
        self.picture, self.hint, self.config = picture, hint, picture.config

    def forward(self, pixel_values: Tensor, hint: Tensor, return_dict: bool = True) -> BaseModelOutput:
        """What stands for pixels `[batch, 3, row, column]` and ids `[batch, token]`: `[batch, position, width]`."""
        states = [self.picture(pixel_values).last_hidden_state, self.hint(hint).last_hidden_state]
        return BaseModelOutput(last_hidden_state=torch.cat(states, 1))


class TwoCrossAttentions(nn.Module):
    """Two cross-attentions of one layer, one after the other: the second asks with what the first has read.

    Both look at all keys, or the first only at those of the picture and the second only at those of the hint, each
    with a softmax of its own: a decoupled cross-attention, as IP-Adapter has it (Ye et al. 2023, "IP-Adapter: Text
    Compatible Image Prompt Adapter for Text-to-Image Diffusion Models", §3.2.2; there side by side, with shared
    queries). Each of two apart gets all keys and a mask over the other's, so that both have one axis of keys.
    """

    def __init__(self, first: Any, width: int, positions: int | None) -> None:
        """`first` is the layer's own cross-attention; the second begins alike, with keys and values at random.

        `positions` is how many keys are the picture's where the two look at one part each, None where at everything.
        """
        super().__init__()
        self.first, self.second, self.norm = first, copy.deepcopy(first), nn.LayerNorm(width)
        self.positions = positions
        nn.init.normal_(self.second.c_attn.weight, std=0.02)

    def forward(
        self,
        hidden_states: Tensor,
        *,
        encoder_hidden_states: Tensor,
        encoder_attention_mask: Tensor | None = None,
        **_: Any,
    ) -> tuple[Tensor, None]:
        """As `GPT2Attention` over `encoder_hidden_states` `[batch, key, width]`, with a boolean mask over them.

        Whatever else a block hands over is left out, above all the cache of a generation, whose name changes between
        releases of the library: it has one place a layer, and two attentions must not share that. Keys are made anew
        at each step.
        """
        first, second = self._masks(encoder_hidden_states, encoder_attention_mask)
        one, _ = self.first(hidden_states, encoder_hidden_states=encoder_hidden_states, encoder_attention_mask=first)
        two, _ = self.second(
            self.norm(hidden_states + one), encoder_hidden_states=encoder_hidden_states, encoder_attention_mask=second
        )
        return one + two, None

    def _masks(self, states: Tensor, known: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Which keys each of the two may look at, `[batch, head, query, key]`; None for all."""
        if self.positions is None:
            return known, known
        picture = (torch.arange(states.shape[1], device=states.device) < self.positions)[None, None, None]
        return (picture, ~picture) if known is None else (picture & known, ~picture & known)


def with_hint(model: Any, config: BertConfig, join: Join) -> Any:
    """A captioner (ViT and GPT-2) turned into one that reads a hint too; changed in place.

    `config` is that of the hint's encoder, as wide as the captioner's own. What is new begins at random.
    """
    reader = BertModel._from_config(config, attn_implementation=NAME, add_pooling_layer=False)
    model.encoder = PictureAndHint(model.encoder, reader)
    positions = 1 + model.encoder.picture.embeddings.patch_embeddings.num_patches if join == "separate" else None
    for block in model.decoder.transformer.h:
        block.crossattention = TwoCrossAttentions(block.crossattention, model.config.decoder.n_embd, positions)
    return model.eval()


def is_learned(name: str) -> bool:
    """Whether a parameter of this name is trained: not the ViT, nor the decoder's self-attention and feed-forward."""
    return not (name.startswith("encoder.picture.") or ".attn." in name or ".mlp." in name)
