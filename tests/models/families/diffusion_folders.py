"""Folders of small pipelines that draw, as people publish them: random weights, a CLIP tokenizer made here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, DDIMScheduler, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from tests.models.families.seq2seq_folders import sentencepiece_model
from xattn_viz.models.families.diffusion.adapter import DiffusionAdapter
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


#: What the networks of other pipelines read, by the class of the pipeline.
_ENCODERS = {
    "StableDiffusionXLPipeline": ("clip", "projected"),
    "StableDiffusion3Pipeline": ("projected", "projected", "t5"),
    "FluxPipeline": ("clip", "t5"),
    "PixArtAlphaPipeline": ("t5",),
    "PixArtSigmaPipeline": ("t5",),
}


def write_pipeline(folder: Path, name: str, *, without_t5: bool = False, **changes: Any) -> Path:
    """Write a small pipeline by the class's name; `without_t5` as SD3 may be; `changes` are those of the network."""
    torch.manual_seed(5)
    parts: dict[str, Any] = {}
    for number, kind in enumerate(_ENCODERS[name], start=1):
        end = "" if number == 1 else f"_{number}"
        is_left = kind == "t5" and without_t5
        parts[f"text_encoder{end}"] = None if is_left else _encoder(kind)
        parts[f"tokenizer{end}"] = None if is_left else _t5_tokenizer(folder) if kind == "t5" else _clip(folder, end)
    parts |= _NETWORKS[name](changes)
    latents = {"FluxPipeline": 8, "StableDiffusion3Pipeline": 16}.get(name, 4)
    parts["vae"] = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=latents,
        norm_num_groups=4,
        sample_size=32,
        shift_factor=0.1 if latents > 4 else None,
        use_quant_conv=latents == 4,
        use_post_quant_conv=latents == 4,
    )
    for part in parts.values():
        if isinstance(part, torch.nn.Module):
            _spread(part)
    getattr(diffusers, name)(**parts).save_pretrained(folder)
    shutil.rmtree(folder / "made")
    return folder


def _encoder(kind: str) -> Any:
    if kind == "t5":
        settings = {"d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
        return transformers.T5EncoderModel(transformers.T5Config(vocab_size=400, **settings))
    made = CLIPTextModel if kind == "clip" else transformers.CLIPTextModelWithProjection
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {"bos_token_id": 0, "eos_token_id": 1}
    return made(CLIPTextConfig(vocab_size=400, max_position_embeddings=LENGTH, projection_dim=16, **sizes, **ids))


def _clip(folder: Path, end: str) -> CLIPTokenizer:
    files = folder / "made" / f"clip{end}"
    files.mkdir(parents=True)
    return _tokenizer(files, "<|endoftext|>" if not end else "!")


def _t5_tokenizer(folder: Path) -> Any:
    files = folder / "made" / "t5"
    files.mkdir(parents=True)
    sentencepiece_model(files, "spiece.model", pad_id=0, eos_id=1, bos_id=-1, unk_id=2)
    return transformers.T5Tokenizer.from_pretrained(files)


def _xl_network(changes: dict[str, Any]) -> dict[str, Any]:
    unet = UNet2DConditionModel(
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=4 * 6 + 16,
        cross_attention_dim=32,
        norm_num_groups=4,
        **changes,
    )
    schedule = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading"
    )
    return {"unet": unet, "scheduler": schedule}


def _sd3_network(changes: dict[str, Any]) -> dict[str, Any]:
    network = diffusers.SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        caption_projection_dim=16,
        pooled_projection_dim=32,
        pos_embed_max_size=8,
        **{"dual_attention_layers": (0,), "qk_norm": "rms_norm"} | changes,
    )
    return {"transformer": network, "scheduler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)}


def _flux_network(changes: dict[str, Any]) -> dict[str, Any]:
    network = diffusers.FluxTransformer2DModel(
        in_channels=32,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=16,
        axes_dims_rope=(2, 2, 4),
        **{"guidance_embeds": True} | changes,
    )
    schedule = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True)
    return {"transformer": network, "scheduler": schedule}


def _pixart_network(changes: dict[str, Any]) -> dict[str, Any]:
    network = diffusers.PixArtTransformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        cross_attention_dim=16,
        caption_channels=32,
        **changes,
    )
    schedule = diffusers.DPMSolverMultistepScheduler(beta_schedule="linear", beta_start=0.0001, beta_end=0.02)
    return {"transformer": network, "scheduler": schedule}


_NETWORKS = {
    "StableDiffusionXLPipeline": _xl_network,
    "StableDiffusion3Pipeline": _sd3_network,
    "FluxPipeline": _flux_network,
    "PixArtAlphaPipeline": _pixart_network,
    "PixArtSigmaPipeline": _pixart_network,
}


def check_concepts(model: DiffusionAdapter, prompt: str, first: str, **asked: Any) -> None:
    """Check what places would read of concepts that are the prompt itself and, unless it is empty, its first word.

    A concept is the mean of its tokens, so its score is the mean of theirs; beside all that the prompt's softmax is
    over, the odds of a concept are then the geometric mean of the weights of its tokens.
    """
    seen: list[dict[str, torch.Tensor]] = []
    settings = model.check(steps=2, concepts=", ".join(filter(None, (prompt, first))), **asked)
    read, without = model._read(prompt, settings)
    with torch.inference_mode():
        model.model.draw(read, without, settings, lambda module, weights: seen.append({**weights}))
    assert len(seen) == 2 * len(model.model.sites)
    (part,) = getattr(read, "parts", {"": read}).values()
    own = [place for place, special in enumerate(part.tokens.special) if not special]
    for weights in seen:
        odds = torch.logit(weights["concepts"].double())
        scores = weights["cross"].double().log()
        expected = [scores[..., own].mean(-1), scores[..., own[0]]][: odds.shape[-1]]
        # float32 softmax and sigmoid, of probabilities down to 1e-4 or so, where a rounding is 1e-3 of a logit at most.
        torch.testing.assert_close(odds, torch.stack(expected, -1), atol=1e-3, rtol=1e-3)
