"""Folders of small speech recognisers as people publish them: real tokenizers, trained here, and random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.checkpoints import spread
from tests.models.families.seq2seq_folders import SENTENCES
from xattn_viz.inputs.audio import RATE

LANGUAGES = ("en", "pt", "zh", "ja")
_END, _START = "<|endoftext|>", "<|startoftranscript|>"
SPECIAL = {
    "english": (_END, _START, "<|nospeech|>", "<|notimestamps|>"),
    "multilingual": (
        *(_END, _START),
        *(f"<|{code}|>" for code in LANGUAGES),
        *("<|translate|>", "<|transcribe|>", "<|nospeech|>", "<|notimestamps|>"),
    ),
}
KINDS = ("english", "multilingual", "moonshine")


def sound(seed: int, seconds: float = 2.5) -> NDArray[np.float32]:
    """Noise that comes in bursts of changing pitch: no two stretches are alike."""
    generator = np.random.default_rng(seed)
    n = int(seconds * RATE)
    t = np.arange(n) / RATE
    pitch = np.interp(t, np.arange(0, seconds + 1, 0.1), generator.uniform(100, 3000, int(seconds * 10) + 10))
    volume = np.interp(t, np.arange(0, seconds + 1, 0.1), generator.uniform(0, 0.5, int(seconds * 10) + 10))
    made = volume * np.sin(2 * np.pi * np.cumsum(pitch) / RATE) + 0.01 * generator.normal(size=n)
    return made.astype(np.float32)


def write(folder: Path, kind: str, *, safe: bool = True) -> Path:
    """Write the checkpoint of a kind into a folder, made anew: the same each time; `safe` says in which format."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _moonshine_tokenizer() if kind == "moonshine" else _whisper_tokenizer(kind)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = _moonshine(tokenizer) if kind == "moonshine" else _whisper(tokenizer)
    torch.manual_seed(7)
    model: Any = transformers.AutoModelForSpeechSeq2Seq.from_config(config, attn_implementation="eager")
    spread(model)
    own = model.generation_config
    own.decoder_start_token_id, own.eos_token_id = config.decoder_start_token_id, config.eos_token_id
    own.pad_token_id, own.max_length = config.pad_token_id, 40
    own._from_model_config = False  # as in published checkpoints; else what follows is not read back
    if kind != "moonshine":
        own.is_multilingual = kind == "multilingual"
        own.alignment_heads = [[1, 0], [1, 2]]
        own.begin_suppress_tokens = [config.eos_token_id]
        own.suppress_tokens = list(range(1, len(SPECIAL[kind])))
    model.eval().save_pretrained(folder)
    if not safe:
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    return folder


def _whisper_tokenizer(kind: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = list(SPECIAL[kind])
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def _moonshine_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special: list[str | AddedToken] = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=special)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return tokenizer


def _whisper(tokenizer: Tokenizer) -> Any:
    ids = {"decoder_start_token_id": 1, "eos_token_id": 0, "pad_token_id": 0, "bos_token_id": 0}
    return transformers.WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=32,
        encoder_layers=3,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=40,
        max_target_positions=160,
        suppress_tokens=None,
        begin_suppress_tokens=None,
        **ids,
    )


def _moonshine(tokenizer: Tokenizer) -> Any:
    ids = {"decoder_start_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "bos_token_id": 1}
    return transformers.MoonshineConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=48,
        encoder_num_hidden_layers=3,
        decoder_num_hidden_layers=2,
        encoder_num_attention_heads=4,
        decoder_num_attention_heads=4,
        max_position_embeddings=160,
        **ids,
    )
