"""Traces from a model that reads a picture: pixels in, text and attention maps out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xattn_viz.core.axis import Axis
from xattn_viz.models import out_of_distribution
from xattn_viz.models.base import ModelCard
from xattn_viz.models.engine.adapter import EncoderDecoderAdapter
from xattn_viz.models.engine.network import Source, TransformersNetwork
from xattn_viz.models.engine.results import Text, Tokens
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.preprocessor import Preprocessor
from xattn_viz.models.provenance import Identity
from xattn_viz.models.settings import Settings

#: The name of the option that says what a model of several tasks (Donut) shall do.
TASK = "task_prompt"
#: What stands before the patches, in this order: ViT has the first, DeiT both, Swin neither.
SPECIAL = ("[CLS]", "[DIST]")


class CaptionerAdapter(EncoderDecoderAdapter):
    """One loaded model that reads pictures.

    The input of a trace is the picture as the model saw it. Keys are its patches, row by row, behind positions for all
    of it that are special.
    """

    text: Text
    network: TransformersNetwork

    def __init__(
        self,
        card: ModelCard,
        identity: Identity,
        network: TransformersNetwork,
        tokenizer: Any,
        preprocessor: Preprocessor,
        axis: Axis,
    ) -> None:
        super().__init__(card, identity, network, Text(tokenizer), network.model)
        self.preprocessor, self._axis, self._tokenizer = preprocessor, axis, tokenizer

    def _source(self, input: Any, settings: Settings) -> Source:
        picture, model = self.preprocessor.fit(input), self.network.model
        values = self.preprocessor.values(picture, model)
        return Source({"pixel_values": values}, self._axis, picture, out_of_distribution.notes(self.card, picture))

    def _frame(self, encoded: Any, settings: Settings) -> Frame:
        frame = Frame.of(self.network.writer)
        task = settings.choice(TASK)
        return frame if task is None else replace(frame, start=int(self._tokenizer.convert_tokens_to_ids(task)))

    def _target(self, text: str, frame: Frame, settings: Settings) -> Tokens:
        """As the model would write it, without the start that its tokenizer puts before any text."""
        tokens = self.text.target(text)
        while tokens.ids and tokens.special[0] and tokens.spans[0] == (0, 0):
            tokens = tokens.part(1)
        return frame.framed(tokens, self.text.piece)


class BlipNetwork(TransformersNetwork):
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


def picture_axis(config: Any, size: tuple[int, int], positions: int) -> Axis:
    """The axis of an encoder's output, from its configuration, the rows and columns of pixels and how many there are.

    Raises ValueError where they are no patches of a picture.
    """
    patch = getattr(config, "patch_size", None)
    if patch is None:
        raise ValueError("its encoder reads no patches")
    sides = (patch, patch) if isinstance(patch, int) else tuple(patch)
    # Swin merges two by two patches between its stages, and fills up what is left over.
    merged = 2 ** (len(getattr(config, "depths", None) or (1,)) - 1)
    rows, columns = (-(-pixels // (side * merged)) for pixels, side in zip(size, sides, strict=True))
    special = positions - rows * columns
    if not 0 <= special <= len(SPECIAL):
        raise ValueError(f"its encoder has {positions} positions, and {rows} × {columns} patches were expected")
    return Axis.picture(rows, columns, SPECIAL[:special])
