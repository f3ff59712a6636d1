"""Small encoder-decoders of many architectures with random weights, in memory, and as folders with real tokenizers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
import transformers
from transformers import PreTrainedModel

VOCABULARY = 120
# Two layers and two heads where a model allows it; encoder and decoder differ, so that a mix-up would show.
_BART: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": 128,
}
_LED: dict[str, Any] = {name: value for name, value in _BART.items() if name != "max_position_embeddings"}
_T5: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 48,
    "num_layers": 3,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "decoder_start_token_id": 0,
    "pad_token_id": 0,
    "eos_token_id": 1,
}
_BERT: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
}
_PROPHETNET: dict[str, Any] = {
    "hidden_size": 32,
    "num_encoder_layers": 3,
    "num_decoder_layers": 2,
    "num_encoder_attention_heads": 4,
    "num_decoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 40,
    "max_position_embeddings": 128,
    "num_buckets": 8,
    "relative_max_distance": 16,
}
_GEMMA: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
    "sliding_window": 8,
    "pad_token_id": 0,
    "eos_token_id": 2,
    "bos_token_id": 1,
}
_MARIAN = {"pad_token_id": 1, "eos_token_id": 0, "decoder_start_token_id": 1, "bos_token_id": None}
_FAIRSEQ = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}


def _bert2bert(vocab_size: int) -> Any:
    encoder, decoder = (transformers.BertConfig(**_BERT, vocab_size=vocab_size) for _ in range(2))
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 2, 0, 3
    return config


def _joined(encoder: Any, decoder: Any) -> Any:
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 2, 1, 3
    return config


def _bigbird2bert(n: int) -> Any:
    sparse = transformers.BigBirdConfig(vocab_size=n, **_BERT, block_size=4, num_random_blocks=1)
    return _joined(sparse, transformers.BertConfig(vocab_size=n, **_BERT))


def _roberta2gpt2(n: int) -> Any:
    encoder = transformers.RobertaConfig(vocab_size=n, **{**_BERT, "max_position_embeddings": 66}, pad_token_id=1)
    return _joined(encoder, transformers.GPT2Config(vocab_size=n, n_embd=32, n_layer=2, n_head=4, n_positions=64))


def _t5gemma2(n: int) -> Any:
    seen = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    encoder = {
        "text_config": {**_GEMMA, "vocab_size": n},
        "vision_config": {**seen, "image_size": 28, "patch_size": 14},
        "vocab_size": n,
        "mm_tokens_per_image": 4,
        "image_token_index": n - 1,
    }
    return transformers.T5Gemma2Config(encoder=encoder, decoder={**_GEMMA, "vocab_size": n}, image_token_index=n - 1)


def _seamless(made: Any, vocab_size: int) -> Any:
    layers = {f"{part}_layers": 1 for part in ("speech_encoder", "t2u_encoder", "t2u_decoder")}  # not of its text
    own = {name: value for name, value in _BART.items() if name != "d_model"}
    ids = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3}
    return made(vocab_size=vocab_size, hidden_size=32, **own, **layers, **ids)


CONFIGURATIONS: dict[str, Callable[[int], Any]] = {
    "marian": lambda n: transformers.MarianConfig(vocab_size=n, **_BART, **_MARIAN),
    "bart": lambda n: transformers.BartConfig(vocab_size=n, **_BART, **_FAIRSEQ, forced_eos_token_id=2),
    "mbart": lambda n: transformers.MBartConfig(vocab_size=n, **_BART, **_FAIRSEQ, scale_embedding=True),
    "m2m_100": lambda n: transformers.M2M100Config(vocab_size=n, **_BART, **_FAIRSEQ),
    "pegasus": lambda n: transformers.PegasusConfig(
        vocab_size=n, **_BART, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0
    ),
    "blenderbot": lambda n: transformers.BlenderbotConfig(vocab_size=n, **_BART, **_FAIRSEQ),
    "plbart": lambda n: transformers.PLBartConfig(vocab_size=n, **_BART, **_FAIRSEQ),
    "t5": lambda n: transformers.T5Config(vocab_size=n, **_T5),
    "mt5": lambda n: transformers.MT5Config(vocab_size=n, **_T5),
    "umt5": lambda n: transformers.UMT5Config(vocab_size=n, **_T5),
    "bert2bert": _bert2bert,
    "roberta2gpt2": _roberta2gpt2,
    "blenderbot-small": lambda n: transformers.BlenderbotSmallConfig(vocab_size=n, **_BART, **_FAIRSEQ),
    "seamless_m4t": lambda n: _seamless(transformers.SeamlessM4TConfig, n),
    "seamless_m4t_v2": lambda n: _seamless(transformers.SeamlessM4Tv2Config, n),
}
#: Those that transformers runs with its own eager attention only.
EAGER_CONFIGURATIONS: dict[str, Callable[[int], Any]] = {
    "switch_transformers": lambda n: transformers.SwitchTransformersConfig(
        vocab_size=n, **_T5, num_experts=2, num_sparse_encoder_layers=1, num_sparse_decoder_layers=1
    ),
    "bigbird2bert": _bigbird2bert,
    "longt5-global": lambda n: transformers.LongT5Config(
        vocab_size=n, **_T5, local_radius=4, encoder_attention_type="transient-global", global_block_size=4
    ),
    "pegasus_x": lambda n: transformers.PegasusXConfig(
        vocab_size=n, **_BART, **_FAIRSEQ, block_size=8, num_global_tokens=4
    ),
    "t5gemma": lambda n: transformers.T5GemmaConfig(
        encoder=_GEMMA, decoder={**_GEMMA, "cross_attention_hidden_size": 32}, vocab_size=n
    ),
    "t5gemma2": _t5gemma2,
    "longt5": lambda n: transformers.LongT5Config(vocab_size=n, **_T5, local_radius=4),
    "nllb_moe": lambda n: transformers.NllbMoeConfig(
        vocab_size=n, **_BART, **_FAIRSEQ, num_experts=2, encoder_sparse_step=2, decoder_sparse_step=2
    ),
    "mvp": lambda n: transformers.MvpConfig(vocab_size=n, **_BART, **_FAIRSEQ),
    "fsmt": lambda n: transformers.FSMTConfig(
        langs=["en", "pt"], src_vocab_size=n, tgt_vocab_size=n, **_BART, **_FAIRSEQ
    ),
    "bigbird_pegasus": lambda n: transformers.BigBirdPegasusConfig(
        vocab_size=n, **_BART, **_FAIRSEQ, block_size=4, num_random_blocks=1
    ),
    "prophetnet": lambda n: transformers.ProphetNetConfig(
        vocab_size=n, **_PROPHETNET, **{**_FAIRSEQ, "pad_token_id": 0, "bos_token_id": 1}
    ),
    "led": lambda n: transformers.LEDConfig(vocab_size=n, **_LED, **_FAIRSEQ, attention_window=4),
}


@functools.cache
def weights(architecture: str, vocab_size: int = VOCABULARY) -> dict[str, torch.Tensor]:
    """Random weights, always the same, larger than usual: attention is then far from even and ablation shows."""
    torch.manual_seed(7)
    model = _make(configuration(architecture, vocab_size), "eager")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn_like(parameter) * parameter.shape[-1] ** -0.5)
            elif "bias" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.1)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def spread(model: torch.nn.Module) -> None:
    """Give a model random weights, larger than usual: attention is then far from even."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn_like(parameter) * 1.5 * parameter[0].numel() ** -0.5)
            elif "bias" in name:
                parameter.copy_(torch.randn_like(parameter) * 0.1)


def configuration(architecture: str, vocab_size: int = VOCABULARY) -> Any:
    """The configuration of an architecture, made anew."""
    return (CONFIGURATIONS | EAGER_CONFIGURATIONS)[architecture](vocab_size)


def model(architecture: str, attention: str, vocab_size: int = VOCABULARY) -> PreTrainedModel:
    """The model with an attention implementation; the same weights each time."""
    made = _make(configuration(architecture, vocab_size), attention)
    made.load_state_dict(weights(architecture, vocab_size))
    return made


def _make(config: Any, attention: str) -> PreTrainedModel:
    made: PreTrainedModel = transformers.AutoModelForSeq2SeqLM.from_config(config, attn_implementation=attention)
    return made.eval().requires_grad_(False)
