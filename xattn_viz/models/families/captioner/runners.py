"""How the architectures of this family are called: encoder and decoder in one model (ViT-GPT2, TrOCR), and BLIP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from xattn_viz.models.engine.network import Runner
from xattn_viz.models.engine.search import fresh


class PictureRunner(Runner):
    """A model whose encoder reads a picture, all of it: there is no padding to mask."""

    def decoding(self, encoded: Any, ids: Tensor) -> dict[str, Any]:
        """What the model takes to read `ids` `[1, query]` over what the encoder made."""
        return {"encoder_outputs": fresh(encoded), "decoder_input_ids": ids}

    def searching(self, read: Mapping[str, Tensor], encoded: Any, ids: Tensor) -> dict[str, Any]:
        """What its search takes: no rule looks at pixels."""
        return self.decoding(encoded, ids)


class BlipRunner(PictureRunner):
    """BLIP: its own `generate` only runs these two parts, and shows no attention."""

    @property
    def encoder(self) -> Any:
        """The part that reads the picture."""
        return self.model.vision_model

    @property
    def writer(self) -> Any:
        """The part that writes, a language model over the picture."""
        return self.model.text_decoder

    def decoding(self, encoded: Any, ids: Tensor) -> dict[str, Any]:
        """What the decoder takes to read `ids` `[1, query]` over what the encoder made."""
        states = encoded.last_hidden_state
        everywhere = torch.ones(states.shape[:2], dtype=torch.long, device=ids.device)
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "encoder_hidden_states": states,
            "encoder_attention_mask": everywhere,
        }
