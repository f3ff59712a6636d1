"""A tiny model of this family with random weights: what it writes means nothing, its maps are real."""

from __future__ import annotations

from tokenizers import processors
from transformers import (
    GPT2Config,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessorPil,
)

from xattn_viz.attention.capture import NAME
from xattn_viz.models.families.captioner.adapter import CaptionerAdapter
from xattn_viz.models.families.captioner.assembly import assemble
from xattn_viz.models.tiny import SENTENCES, byte_level, randomise

_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def tiny() -> CaptionerAdapter:
    """The tiny model: ViT and GPT-2 with 2 layers of 4 heads each, 4 × 4 patches, 320 byte-level pieces."""
    tokenizer = byte_level(SENTENCES, _SPECIAL, 320)
    ends = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    names = ("bos_token", "pad_token", "eos_token", "unk_token")
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **dict(zip(names, _SPECIAL, strict=True)))
    encoder = ViTConfig(
        image_size=32,
        patch_size=8,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
    )
    decoder = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(),
        n_positions=128,
        n_embd=32,
        n_layer=2,
        n_head=4,
        add_cross_attention=True,
        is_decoder=True,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 0, 1, 2
    model = VisionEncoderDecoderModel._from_config(config, attn_implementation=NAME)
    randomise(model)
    model.generation_config.max_length = 40
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32})
    return assemble("captioner-example", model, wrapped, processor, digest="random")
