"""The architecture of `perceive-shapes`: a Perceiver IO that is asked what lies at each place of a picture."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import PerceiverModel, PerceiverPreTrainedModel
from transformers.models.perceiver.modeling_perceiver import PerceiverBasicDecoder, PerceiverImagePreprocessor


class PerceiverForPlaces(PerceiverPreTrainedModel):  # type: ignore[misc]
    """Patches of a picture are read by latents, and the latents by queries, one a place (Jaegle et al. 2021).

    Perceiver IO: A General Architecture for Structured Inputs & Outputs, of transformers' own parts. Besides what
    `PerceiverConfig` has, its configuration says `image_size` and `patch_size` in pixels, `patch_channels` (the width
    of a patch before its position is put behind it, as Fourier features of `position_bands` bands), `places` (rows and
    columns of the grid of queries), and the names of `colours` and `shapes`.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        side = config.image_size // config.patch_size
        reader = PerceiverImagePreprocessor(
            config,
            prep_type="patches",
            spatial_downsample=config.patch_size,
            conv_after_patching=True,
            conv_after_patching_in_channels=3 * config.patch_size**2,
            out_channels=config.patch_channels,
            position_encoding_type="fourier",
            fourier_position_encoding_kwargs={
                "num_bands": config.position_bands,
                "max_resolution": (side, side),
                "concat_pos": True,
                "sine_only": False,
            },
        )
        asker = PerceiverBasicDecoder(
            config,
            output_num_channels=1 + len(config.colours) + len(config.shapes),
            num_channels=config.d_latents,
            num_heads=config.num_cross_attention_heads,
            widening_factor=config.cross_attention_widening_factor,
            use_query_residual=True,
            position_encoding_type="trainable",
            trainable_position_encoding_kwargs={"num_channels": config.d_latents, "index_dims": config.places**2},
        )
        self.perceiver = PerceiverModel(config, input_preprocessor=reader, decoder=asker)
        self.post_init()

    def forward(self, inputs: Tensor, **settings: Any) -> Any:
        """What transformers' PerceiverModel gives for pixels `[batch, 3, row, column]` from -1 to 1.

        `logits` `[batch, place, answer]`: nothing, then the colours, then the shapes. What lies at a place is nothing
        or has one of the colours (a softmax over these), and has one of the shapes (another softmax).
        """
        return self.perceiver(inputs, **settings)
