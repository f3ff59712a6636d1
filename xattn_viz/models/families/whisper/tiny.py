"""A tiny model of this family with random weights: what it writes means nothing, its maps are real."""

from __future__ import annotations

from transformers import WhisperConfig, WhisperForConditionalGeneration

from xattn_viz.attention.capture import NAME
from xattn_viz.models.families.whisper.adapter import WhisperAdapter
from xattn_viz.models.families.whisper.assembly import assemble
from xattn_viz.models.tiny import SENTENCES, byte_level, randomise

_SPECIAL = ("<|endoftext|>", "<|startoftranscript|>", "<|nospeech|>", "<|notimestamps|>")


def tiny() -> WhisperAdapter:
    """The tiny model: Whisper with 2 + 2 layers of 4 heads and 300 byte-level pieces; always the same."""
    tokenizer = byte_level(SENTENCES[:3], _SPECIAL, 300)
    end, start, *_ = range(len(_SPECIAL))
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_target_positions=128,
        decoder_start_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
        bos_token_id=end,
    )
    model = WhisperForConditionalGeneration._from_config(config, attn_implementation=NAME)
    randomise(model)
    own = model.generation_config
    own.decoder_start_token_id, own.eos_token_id, own.pad_token_id, own.max_length = start, end, end, 24
    own.suppress_tokens, own.begin_suppress_tokens = list(range(1, len(_SPECIAL))), [end]
    own.alignment_heads = [[1, 0], [1, 3]]
    return assemble("whisper-example", model, tokenizer, digest="random")
