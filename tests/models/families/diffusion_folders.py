"""Folders of small pipelines that draw, as people publish them: random weights, a CLIP tokenizer made here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from xattn_viz.models.tiny import SENTENCES

LENGTH = 32
#: What differs between the versions: what the U-Net predicts, its heads, what prompts are padded with, the scheduler.
VERSIONS: dict[str, dict[str, Any]] = {
    "1": {"prediction": "epsilon", "heads": 2, "pad": "<|endoftext|>", "scheduler": PNDMScheduler},
    "2": {"prediction": "v_prediction", "heads": [2, 4], "pad": "!", "scheduler": DDIMScheduler},
}


def write(folder: Path, version: str) -> Path:
    """Write a pipeline of Stable Diffusion 1 or 2 as it is on the hub: with the tokenizer's older files."""
    tokenizer = folder / "tokenizer"
    tokenizer.mkdir(parents=True)
    _pipeline(version, tokenizer).save_pretrained(folder)
    (tokenizer / "tokenizer.json").unlink()
    return folder


def _pipeline(version: str, tokenizer: Path) -> Any:
    chosen = VERSIONS[version]
    torch.manual_seed(3)
    parts = {
        "vae": AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=32,
        ),
        "text_encoder": CLIPTextModel(
            CLIPTextConfig(
                vocab_size=400,
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=LENGTH,
                bos_token_id=0,
                eos_token_id=1,
            )
        ),
        "unet": UNet2DConditionModel(
            sample_size=16,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            block_out_channels=(8, 16),
            layers_per_block=1,
            attention_head_dim=chosen["heads"],
            cross_attention_dim=16,
            norm_num_groups=4,
        ),
    }
    for part in parts.values():
        _spread(part)
    schedule = chosen["scheduler"](
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=chosen["prediction"],
        set_alpha_to_one=False,
        steps_offset=1,
        **({"skip_prk_steps": True} if version == "1" else {"clip_sample": False}),
    )
    return StableDiffusionPipeline(
        **parts,
        tokenizer=_tokenizer(tokenizer, chosen["pad"]),
        scheduler=schedule,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _spread(model: Any) -> None:
    """Weights larger than usual where attention looks: it is then far from even."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("to_q.weight", "to_k.weight", "token_embedding.weight")):
                parameter.copy_(torch.randn_like(parameter) * 2 * parameter[0].numel() ** -0.5)


def _tokenizer(folder: Path, pad: str) -> CLIPTokenizer:
    """A CLIP tokenizer, and its files in a folder."""
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=398,
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    trained.train_from_iterator([text.lower() for text in SENTENCES], trainer)
    model = json.loads(trained.to_str())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = "\n".join(" ".join(pair) for pair in model["merges"])
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}\n")
    made: CLIPTokenizer = CLIPTokenizer(
        vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"), pad_token=pad, model_max_length=LENGTH
    )
    return made
