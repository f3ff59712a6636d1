"""A tiny model of this family with random weights: what it writes means nothing, its maps are real."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

from xattn_viz.capture import NAME
from xattn_viz.models.seq2seq.adapter import Seq2SeqAdapter
from xattn_viz.models.seq2seq.assembly import assemble

_SENTENCES = (
    "The cat sat on the mat and looked at the rain.",
    "A small boat crossed the river before sunset.",
    "She counts the steps: one, two, three, four.",
    "O gato dormiu no tapete e depois bebeu leite.",
    "Um barco pequeno atravessou o rio ao fim da tarde.",
)
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def tiny() -> Seq2SeqAdapter:
    """The tiny model: BART with 2 + 2 layers of 4 heads and 320 byte-level pieces; always the same."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(_SENTENCES, trainer)
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
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / parameter.shape[-1] ** 0.5)
    model.generation_config.max_length = 40
    return assemble("seq2seq-example", model.eval().requires_grad_(False), wrapped, digest="random")
