"""A tiny model of this family with random weights: what it draws means nothing, its maps are real."""

from __future__ import annotations

from diffusers import DDIMScheduler, UNet2DConditionModel
from tokenizers import processors
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from xattn_viz.models.families.diffusion.adapter import DiffusionAdapter
from xattn_viz.models.families.diffusion.assembly import assemble
from xattn_viz.models.tiny import SENTENCES, byte_level, randomise

_SPECIAL = ("<pad>", "<s>", "</s>")
_LENGTH, _WIDTH = 96, 16


def tiny() -> DiffusionAdapter:
    """The tiny model: pictures of 16 x 16 pixels, two levels of 2 heads, 300 byte-level pieces; always the same."""
    reader = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=300,
            hidden_size=_WIDTH,
            intermediate_size=2 * _WIDTH,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=_LENGTH,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=12,
        out_channels=12,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=_WIDTH,
        norm_num_groups=4,
    )
    randomise(reader, vectors=True)
    randomise(unet, vectors=True)
    schedule = DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction")
    return assemble("diffusion-example", _tokenizer(), reader, unet, schedule, None, digest="random")


def _tokenizer() -> PreTrainedTokenizerFast:
    pieces = byte_level(SENTENCES, _SPECIAL, 300)
    ends = [(name, _SPECIAL.index(name)) for name in ("<s>", "</s>")]
    pieces.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        **dict(zip(("pad_token", "bos_token", "eos_token"), _SPECIAL, strict=True)),
        model_max_length=_LENGTH,
    )
