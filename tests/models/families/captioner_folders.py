"""Folders of small models that read pictures as people publish them: real architectures, random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from tests.checkpoints import spread
from tests.models.families import seq2seq_folders
from xattn_viz.models.tiny import SENTENCES, byte_level

KINDS = ("vit-gpt2", "trocr", "donut", "blip")
#: Rows and columns of the pictures and of the patches, and the names of the positions before those.
SIGHT: dict[str, tuple[tuple[int, int], tuple[int, int], tuple[str, ...]]] = {
    "vit-gpt2": ((32, 32), (4, 4), ("[CLS]",)),
    "trocr": ((32, 32), (4, 4), ("[CLS]", "[DIST]")),
    "donut": ((64, 32), (8, 4), ()),
    "blip": ((24, 24), (3, 3), ("[CLS]",)),
}
#: What names a task of the Donut, the one it was trained for last behind the others.
TASKS = ("<s_synthdog>", "<s_cord-v2>")
_END = "<|endoftext|>"
_VIT = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 40}


def picture(seed: int, rows: int = 40, columns: int = 56) -> NDArray[np.uint8]:
    """Coarse coloured noise: no two places are alike, and it survives being made smaller."""
    coarse = np.random.default_rng(seed).integers(0, 256, (-(-rows // 8), -(-columns // 8), 3), np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:rows, :columns]


def write(folder: Path, kind: str) -> Path:
    """Write the checkpoint of a kind into a folder, made anew: the same each time."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    model = _MAKERS[kind](folder)
    spread(model)
    model.generation_config.max_length = 12
    model.save_pretrained(folder)
    if kind == "trocr":  # as Microsoft's are published
        state = load_file(folder / "model.safetensors")
        kept = {name: tensor for name, tensor in state.items() if not name.startswith("encoder.pooler.")}
        assert len(kept) < len(state)
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _joined(encoder: Any, decoder: Any, *, start: int, end: int, pad: int) -> Any:
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.eos_token_id, config.pad_token_id = start, end, pad
    return transformers.VisionEncoderDecoderModel(config)


def _size(kind: str) -> dict[str, int]:
    (height, width), _, _ = SIGHT[kind]
    return {"height": height, "width": width}


def _vit_gpt2(folder: Path) -> Any:
    """As in ViT-GPT2, one token starts, ends and fills; unlike there, the two parts differ in width."""
    tokenizer = byte_level(SENTENCES, [_END], 300)
    names = ("bos_token", "eos_token", "pad_token", "unk_token")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **dict.fromkeys(names, _END)).save_pretrained(folder)
    transformers.ViTImageProcessorPil(size=_size("vit-gpt2")).save_pretrained(folder)
    decoder = transformers.GPT2Config(
        vocab_size=300,
        n_positions=40,
        n_embd=32,
        n_layer=2,
        n_head=4,
        add_cross_attention=True,
        is_decoder=True,
        bos_token_id=0,
        eos_token_id=0,
    )
    return _joined(transformers.ViTConfig(image_size=32, patch_size=8, **_VIT), decoder, start=0, end=0, pad=0)


def _trocr(folder: Path) -> Any:
    seq2seq_folders.KINDS["bart"][1](folder)
    # Larger first, then its middle: what came out of it would change if it went in again.
    sizes = {"size": {"height": 40, "width": 40}, "crop_size": _size("trocr"), "do_center_crop": True}
    transformers.DeiTImageProcessorPil(**sizes).save_pretrained(folder)
    decoder = transformers.TrOCRConfig(
        vocab_size=420,
        d_model=32,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=48,
        max_position_embeddings=40,
        cross_attention_hidden_size=24,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )
    return _joined(transformers.DeiTConfig(image_size=32, patch_size=8, **_VIT), decoder, start=2, end=2, pad=1)


def _donut(folder: Path) -> Any:
    tokenizer = byte_level(SENTENCES, ["<s>", "<pad>", "</s>", "<unk>"], 300)
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    wrapped.add_special_tokens({"additional_special_tokens": [*TASKS, "<s_menu>", "</s_menu>"]})
    wrapped.save_pretrained(folder)
    transformers.DonutImageProcessorPil(size=_size("donut")).save_pretrained(folder)
    encoder = transformers.DonutSwinConfig(
        image_size=SIGHT["donut"][0], patch_size=4, depths=[1, 1], num_heads=[2, 4], embed_dim=16, window_size=4
    )
    decoder = transformers.MBartConfig(
        vocab_size=len(wrapped),
        d_model=32,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=48,
        max_position_embeddings=40,
        is_decoder=True,
        is_encoder_decoder=False,
        add_cross_attention=True,
        scale_embedding=True,
        forced_eos_token_id=None,
    )
    start = wrapped.convert_tokens_to_ids(TASKS[-1])
    return _joined(encoder, decoder, start=int(start), end=2, pad=1)


def blip_text(folder: Path, encoder_width: int) -> transformers.BlipTextConfig:
    """Write a tokenizer into the folder of a BLIP; the configuration of its text part, over pictures of this width."""
    seq2seq_folders.KINDS["bert2bert"][1](folder)
    words = transformers.AutoTokenizer.from_pretrained(folder)
    return transformers.BlipTextConfig(
        vocab_size=len(words) + 2,
        hidden_size=32,
        encoder_hidden_size=encoder_width,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=40,
        bos_token_id=len(words),  # a token that the tokenizer does not know, as in BLIP
        pad_token_id=words.pad_token_id,
        eos_token_id=2,
        sep_token_id=words.sep_token_id,
        is_decoder=True,
    )


def _blip(folder: Path) -> Any:
    text = blip_text(folder, 24)
    transformers.BlipImageProcessorPil(size=_size("blip")).save_pretrained(folder)
    vision = transformers.BlipVisionConfig(image_size=24, patch_size=8, **_VIT)
    config = transformers.BlipConfig(text_config=text.to_dict(), vision_config=vision.to_dict())
    return transformers.BlipForConditionalGeneration(config)


_MAKERS: dict[str, Callable[[Path], Any]] = {"vit-gpt2": _vit_gpt2, "trocr": _trocr, "donut": _donut, "blip": _blip}
