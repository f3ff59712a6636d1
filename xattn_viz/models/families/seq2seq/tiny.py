"""A tiny model of this family with random weights: what it writes means nothing, its maps are real."""

from __future__ import annotations

from tokenizers import processors
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

from xattn_viz.attention.capture import NAME
from xattn_viz.models.families.seq2seq.adapter import Seq2SeqAdapter
from xattn_viz.models.families.seq2seq.assembly import assemble
from xattn_viz.models.tiny import SENTENCES, byte_level, randomise

_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def tiny() -> Seq2SeqAdapter:
    """The tiny model: BART with 2 + 2 layers of 4 heads and 320 byte-level pieces; always the same."""
    tokenizer = byte_level(SENTENCES, _SPECIAL, 320)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = ("bos_token", "pad_token", "eos_token", "unk_token")
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **dict(zip(names, _SPECIAL, strict=True)))
    config = BartConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_position_embeddings=256,
    )
    model = BartForConditionalGeneration._from_config(config, attn_implementation=NAME)
    randomise(model)
    model.generation_config.max_length = 40
    return assemble("seq2seq-example", model, wrapped, digest="random")
