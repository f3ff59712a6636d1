"""SDXL, SD3, FLUX and PixArt from small random folders: maps against explicit attention, pictures against diffusers."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.models.families import diffusion_folders
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View, axis_titles, kind_title
from xattn_viz.inputs import InputError
from xattn_viz.models.base import ModelError
from xattn_viz.models.families import diffusion
from xattn_viz.models.families.diffusion import results
from xattn_viz.models.families.diffusion.adapter import DiffusionAdapter
from xattn_viz.models.families.diffusion.results import BOTH, Plan, Site
from xattn_viz.models.registry import load, rerun
from xattn_viz.web.explorer import pack

PROMPT, STEPS, PIXELS, GRID = "The cat sat on the mat.", 2, 16, 4
#: By a name of its own: the pipeline, and how it differs.
FOLDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "xl": ("StableDiffusionXLPipeline", {}),
    "sd3": ("StableDiffusion3Pipeline", {"without_t5": True, "dual_attention_layers": (), "qk_norm": None}),
    "sd3.5": ("StableDiffusion3Pipeline", {}),
    "flux": ("FluxPipeline", {}),
    "schnell": ("FluxPipeline", {"guidance_embeds": False}),
    "alpha": ("PixArtAlphaPipeline", {}),
    "sigma": ("PixArtSigmaPipeline", {}),
}
Weights = NDArray[np.float32]
# Schedulers of diffusers hand tensors to numpy the older way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a pipeline, made when it is first asked for."""
    made: dict[str, Path] = {}

    def find(name: str) -> Path:
        if name not in made:
            folder, (pipeline, changes) = tmp_path_factory.mktemp("made") / name, FOLDERS.get(name, ("", {}))
            write = diffusion_folders.write_pipeline if changes or pipeline else diffusion_folders.write
            made[name] = write(folder, pipeline or name, **changes)
        return made[name]

    return find


def adapter(folder: Path) -> DiffusionAdapter:
    model = load(folder)
    assert isinstance(model, DiffusionAdapter)
    return model


def of_the_library(folder: Path, *, scheduler: str = "", **asked: Any) -> NDArray[np.uint8]:
    """The picture of diffusers' own pipeline, by its own attention."""
    absent = {} if (folder / "text_encoder_3").exists() else {"text_encoder_3": None, "tokenizer_3": None}
    left = absent if "3Pipeline" in (folder / "model_index.json").read_text() else {}
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, low_cpu_mem_usage=False, **left)
    pipe.set_progress_bar_config(disable=True)
    if scheduler:
        pipe.scheduler = getattr(diffusers, scheduler).from_config(pipe.scheduler.config)
    kind = type(pipe).__name__
    if kind.startswith("PixArt"):
        asked |= {"use_resolution_binning": False, "clean_caption": False}
    if kind == "FluxPipeline" and not pipe.transformer.config.guidance_embeds:
        asked["max_sequence_length"] = 256
    drawn = pipe(
        PROMPT,
        height=PIXELS,
        width=PIXELS,
        num_inference_steps=STEPS,
        generator=torch.Generator().manual_seed(5),
        output_type="np",
        **asked,
    ).images[0]
    picture: NDArray[np.uint8] = (drawn * 255).round().astype(np.uint8)
    return picture


def explicit(seen: list[Weights]) -> Callable[..., torch.Tensor]:
    """Attention written out, softmax(q kᵀ / √d + mask) v, that keeps the weights of the last of the batch."""

    def attend(query: Any, key: Any, value: Any, attn_mask: Any = None, *given: Any, **named: Any) -> torch.Tensor:
        scores = query @ key.transpose(-1, -2) * (named.get("scale") or query.shape[-1] ** -0.5)
        if named.get("is_causal"):
            scores += torch.full(scores.shape[-2:], -torch.inf).triu(1)
        weights = (scores if attn_mask is None else scores + attn_mask).softmax(-1)
        seen.append(weights[-1].numpy())
        made: torch.Tensor = weights @ value
        return made

    return attend


def blocks(name: str, whole: Weights, axes: dict[str, Any]) -> dict[str, Weights] | None:
    """One attention's weights as the maps hold them, by kind; None for one that reads no prompt.

    `axes` says how many tokens and positions each encoder has, in their order.
    """
    text, is_joint = sum(length for _, length in axes["parts"]), name in ("sd3", "sd3.5", "flux", "schnell")
    heads, queries, keys = whole.shape
    if not is_joint and (keys != text or queries == keys):
        return None
    if is_joint and keys != text + GRID**2:
        return None
    image = slice(text, None) if is_joint and "sd3" not in name else slice(None, queries - text if is_joint else None)
    words = slice(None, text) if not is_joint or "sd3" not in name else slice(keys - text, None)
    found = {"cross": along(whole[:, image, words], -1, axes, np.sum)}
    if is_joint:
        found["text-to-image"] = along(whole[:, words, image], 1, axes, np.mean)
    own = round(found["cross"].shape[1] ** 0.5)
    places = found["cross"].reshape(heads, own, own, -1).repeat(GRID // own, 1).repeat(GRID // own, 2)
    found["cross"] = places.reshape(heads, GRID * GRID, -1)
    return found


def along(weights: Weights, axis: int, axes: dict[str, Any], put_together: Any) -> Weights:
    """With each encoder's padding as one position, or without it."""
    kept, start = [], 0
    for count, length in axes["parts"]:
        own, padding = (weights.take(range(start + a, start + b), axis) for a, b in ((0, count), (count, length)))
        kept += [own] if axes["masked"] else [own, put_together(padding, axis, keepdims=True)]
        start += length
    return np.concatenate(kept, axis)


def tokens(model: DiffusionAdapter) -> dict[str, Any]:
    """How many tokens the prompt has for each encoder whose tokens are keys, and how many positions."""
    parts = model.model.read(PROMPT).parts.values()
    return {"parts": [(p.count, p.ids.shape[1]) for p in parts], "masked": any(p.mask is not None for p in parts)}


@pytest.mark.parametrize("name", FOLDERS)
def test_maps_and_picture_are_those_of_the_library(
    name: str, folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders(name)
    model = adapter(folder)
    guided: dict[str, Any] = {} if name in ("flux", "schnell") else {"guidance": 3.0}
    trace = model.trace(PROMPT, seed=5, steps=STEPS, size=PIXELS, kinds=model.card.kinds, **guided)
    theirs: dict[str, Any] = {"guidance_scale": 3.0 if guided else 3.5 if name == "flux" else 1.0}
    picture = of_the_library(folder, **theirs)
    assert trace.picture is not None
    assert trace.picture.tobytes() == picture.tobytes()  # the same parts run the same way
    assert len(trace.pictures) == STEPS

    seen: list[Weights] = []
    with monkeypatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", explicit(seen))
        near = of_the_library(folder, **theirs)
    assert np.abs(near.astype(int) - picture).max() <= 1
    axes = tokens(model)
    found = [one for weights in seen if (one := blocks(name, weights, axes)) is not None]
    layers = len(trace.layers)
    assert len(found) == layers * STEPS
    is_whole = len({len(one["cross"]) for one in found}) == 1
    for kind in model.card.kinds:
        own = [one[kind] if is_whole else one[kind].mean(0, keepdims=True) for one in found]
        expected = np.stack(own).reshape(STEPS, layers, *own[0].shape)
        # float32 on both sides, summed in another order, in steps that are a rounding apart; kept steps in float16.
        np.testing.assert_allclose(trace.of_kind(kind).weights, expected.mean(0), atol=3e-5)
        steps = [maps for maps in trace.maps if maps.kind == kind and maps.step is not None]
        np.testing.assert_allclose(np.stack([maps.weights for maps in steps]), expected, atol=2**-11)
    if len(model.card.kinds) == 2:
        says_how_much(trace)
        with pytest.raises(ModelError, match="has no option 'concepts'"):
            model.check(concepts="sky")
        return
    # T5 reads both ways: a first word is not the same by itself.
    diffusion_folders.check_concepts(model, PROMPT, "The" if name == "xl" else "", size=PIXELS)
    beside = model.trace(PROMPT, seed=5, steps=STEPS, size=PIXELS, concepts="sky", **guided)
    assert beside.pictures[-1].tobytes() == picture.tobytes()
    assert beside.cross == trace.cross


def says_how_much(trace: Trace) -> None:
    """Both directions say what they are, and that their rows do not sum to 1, and by how much."""
    cross, back = (trace.of_kind(kind) for kind in BOTH)
    assert "joint" in cross.altered
    assert (cross.queries, cross.keys) == (back.keys, back.queries)
    assert [kind_title(maps) for maps in (cross, back)] == ["Image-to-text attention", "Text-to-image attention"]
    assert axis_titles(cross) == ("patch being drawn", "prompt word being read")
    assert axis_titles(back) == ("word that reads", "patch being read")
    assert cross.weights.sum(-1).max() < 1
    said = next(note for note in trace.remarks if "do not sum to 1" in note)
    assert f"puts {cross.weights.sum(-1).mean():.1%} of its weight on the prompt" in said
    assert f"a token puts {back.weights.sum(-1).mean():.1%} on the picture" in said
    assert View("text-to-image").on(trace).kind == "text-to-image"
    assert b"text-to-image" in pack(trace)


def test_prompts_that_several_encoders_read_say_whose_token_is_whose(folders: Callable[[str], Path]) -> None:
    keys = adapter(folders("sd3.5")).trace(PROMPT, steps=1).cross.keys
    assert keys.parts is not None
    assert [name for name, *_ in keys.parts] == ["CLIP", "T5"]
    (_, _, end), (_, start, _) = keys.parts
    assert end == start
    assert keys.labels is not None
    words = keys.to_words().labels or ()
    assert [words.count(word) for word in ("cat", "mat")] == [2, 2]
    assert (keys.labels[end - 1], keys.labels[-1]) == ("CLIP: padding", "T5: padding")
    alone = adapter(folders("sd3")).trace(PROMPT, steps=1).cross.keys
    assert alone.parts is not None
    assert alone.parts[1][2] - alone.parts[1][1] == 1  # what stands for T5 is one position that holds nothing
    lowered = adapter(folders("alpha")).trace("The CAT", steps=1)
    assert lowered.input == "The CAT"
    assert "cat" in "".join(lowered.cross.keys.labels or ())


def test_a_word_of_a_joint_sequence_weighs_as_much_as_asked(folders: Callable[[str], Path]) -> None:
    for name in ("sd3.5", "flux"):
        model = adapter(folders(name))
        plain = model.trace(PROMPT, steps=1, size=PIXELS).cross
        weighed = model.trace(PROMPT, steps=1, size=PIXELS, weights={1: 3.0}).cross
        typed = model.trace("The (cat:3) sat on the mat.", steps=1, size=PIXELS).cross
        assert np.array_equal(weighed.weights, typed.weights)
        labels = plain.keys.to_words().labels or ()
        at = [i for i, word in enumerate(plain.keys.words or ()) if labels[word] == "cat"]
        factor = np.ones(len(plain.keys), np.float32)
        factor[at] = 3
        # The whole row, of which the map holds what lies on the prompt, is divided by its new sum.
        expected = plain.weights[0] * factor / (1 + 2 * plain.weights[0][..., at].sum(-1, keepdims=True))
        np.testing.assert_allclose(weighed.weights[0], expected, atol=1e-5)  # what the first layer reads is the same


def test_schedulers_and_what_to_draw_away_from_are_the_librarys(folders: Callable[[str], Path]) -> None:
    folder = folders("xl")
    model = adapter(folder)
    for scheduler, kind in (("DPM++ 2M", "DPMSolverMultistepScheduler"), ("Euler ancestral", "")):
        kind = kind or "EulerAncestralDiscreteScheduler"
        asked: dict[str, Any] = {"guidance_scale": 4.0, "negative_prompt": "A small boat"}
        expected = of_the_library(folder, scheduler=kind, **asked)
        trace = model.trace(
            PROMPT, seed=5, steps=STEPS, guidance=4, scheduler=scheduler, negative_prompt="A small boat"
        )
        assert trace.picture is not None
        assert trace.picture.tobytes() == expected.tobytes()
        assert trace.provenance["decoding"]["method"] == scheduler
    again = rerun(trace)
    assert (again.maps, again.provenance) == (trace.maps, trace.provenance)


@pytest.mark.parametrize("name", ["1", "xl", "sd3.5", "flux"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_drawing_begins_as_a_picture(name: str, masked: bool, folders: Callable[[str], Path]) -> None:
    folder = folders(name)
    model = adapter(folder)
    start = np.random.default_rng(3).integers(0, 256, (PIXELS, PIXELS, 3), np.uint8)
    mask = np.zeros((PIXELS, PIXELS), bool)
    mask[:, PIXELS // 2 :] = True
    kind = FOLDERS.get(name, ("StableDiffusion", {}))[0].removesuffix("Pipeline") + (
        "InpaintPipeline" if masked else "Img2ImgPipeline"
    )
    pipe = getattr(diffusers, kind).from_pretrained(folder, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)
    if name == "1":  # which is drawn by DDIM, whatever the folder says
        pipe.scheduler = diffusers.DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    guidance = 3.5 if name == "flux" else 3.0
    asked: dict[str, Any] = {"mask_image": Image.fromarray(mask.astype(np.uint8) * 255)} if masked else {}
    if "height" in inspect.signature(pipe.__call__).parameters:
        asked |= {"height": PIXELS, "width": PIXELS}
    drawn = pipe(
        PROMPT,
        image=Image.fromarray(start),
        strength=0.5,
        num_inference_steps=5,
        guidance_scale=guidance,
        generator=torch.Generator().manual_seed(5),
        output_type="np",
        **asked,
    ).images[0]
    trace = model.trace(
        PROMPT,
        seed=5,
        steps=5,
        size=PIXELS,
        guidance=guidance,
        start=start,
        mask=mask if masked else None,
        strength=0.5,
    )
    assert trace.picture is not None
    assert trace.picture.tobytes() == (drawn * 255).round().astype(np.uint8).tobytes()
    steps = len(trace.pictures)
    assert steps == (2 if name in ("1", "xl") else 3)
    assert [maps.step for maps in trace.maps] == [None, *range(steps)]
    said = next(note for note in trace.remarks if "began as a picture" in note)
    assert ("the 50% of it that the mask marks" in said) is masked
    again = rerun(json_again(trace))
    assert (again.maps, again.provenance) == (trace.maps, trace.provenance)


def json_again(trace: Trace) -> Trace:
    """The same with its provenance as a file keeps it."""
    return replace(trace, provenance=json.loads(json.dumps(trace.provenance)))


def test_a_start_that_cannot_be_is_refused(folders: Callable[[str], Path]) -> None:
    model, start = adapter(folders("xl")), np.zeros((8, 8, 3), np.uint8)
    for asked, words in (
        ({"mask": start}, "give start, or leave them away"),
        ({"start": start, "mask": start}, "dark everywhere"),
        ({"start": start, "strength": 0.1, "steps": 5}, "A strength of 0.1 leaves none of 5 steps"),
        ({"start": start, "strength": 2}, "strength must be a number from 0 to 1"),
    ):
        with pytest.raises(ModelError, match=words):
            model.trace(PROMPT, **asked)
    with pytest.raises(ModelError, match="draws from noise only"):
        adapter(folders("alpha")).trace(PROMPT, start=start)


def test_a_head_is_switched_off_in_a_joint_sequence(folders: Callable[[str], Path]) -> None:
    model = adapter(folders("sd3.5"))
    trace = model.trace(PROMPT, steps=1, kinds=BOTH, ablate=[("cross", 1, 0)])
    for kind in BOTH:
        weights = trace.of_kind(kind).weights
        assert not weights[1, 0].any()
        assert weights[1, 1].any()
    assert trace.pictures[-1].tobytes() != model.plain(PROMPT, steps=1).tobytes()


@pytest.mark.parametrize("name", ["xl", "flux"])
def test_two_threads_draw_what_each_draws_alone(name: str, folders: Callable[[str], Path]) -> None:
    model = adapter(folders(name))

    def run(number: int) -> Trace:
        asked: dict[str, Any] = {"weights": {1: 4.0}} if number else {"ablate": [("cross", 0, 1)]}
        return model.trace(("A small boat", PROMPT)[number], seed=number, steps=4, size=PIXELS, **asked)

    alone = [run(0), run(1)]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(run, (0, 1)))
    for number in (0, 1):  # as for Stable Diffusion, within what threads may round differently
        np.testing.assert_allclose(together[number].cross.weights, alone[number].cross.weights, atol=1e-3)


def test_memory_is_bounded_and_known_before(folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    # The layers of SDXL, SD3.5 large and FLUX at their own sizes, and the longest prompts that they read.
    for count, heads, grid, joint, keys in (
        (70, 20, 64, "", 78),
        (38, 38, 64, "last", 335),
        (57, 24, 64, "first", 513),
    ):
        sites = [Site("", heads, grid, joint)] * count  # type: ignore[arg-type]
        plan = Plan.of(sites, keys, 50)
        assert plan.size(sites, keys) <= results.MOST_BYTES
        assert grid % plan.grid == 0
    model = adapter(folders("sd3.5"))
    monkeypatch.setattr(results, "WHOLE_BYTES", 0)
    monkeypatch.setattr(results, "MOST_GRID", 2)
    trace = model.trace(PROMPT, steps=2, kinds=BOTH)
    said = model.most_bytes(PROMPT, steps=2)
    assert sum(maps.weights.nbytes for maps in trace.maps) <= said
    told = next(option.help for option in model.card.options if option.name == "size")
    assert re.search(r"the maps of 28 steps take at most \d+ MB", told)
    monkeypatch.undo()
    whole = model.trace(PROMPT, steps=2, kinds=BOTH)
    cross, back = (whole.of_kind(kind).weights.mean(1) for kind in BOTH)
    folded = cross.reshape(2, 2, 2, 2, 2, -1).mean((2, 4)).reshape(2, 4, -1)
    np.testing.assert_allclose(trace.cross.weights[:, 0], folded, atol=1e-6)
    folded = back.reshape(2, -1, 2, 2, 2, 2).sum((3, 5)).reshape(2, -1, 4)
    np.testing.assert_allclose(trace.of_kind("text-to-image").weights[:, 0], folded, atol=1e-6)


def test_a_pipeline_computes_in_what_is_asked_for(folders: Callable[[str], Path]) -> None:
    folder = folders("sd3.5")
    half = diffusion.FAMILY.load(str(folder), dtype="bfloat16")
    trace, exact = (model.trace(PROMPT, steps=1, kinds=BOTH) for model in (half, adapter(folder)))
    assert (trace.provenance["dtype"], exact.provenance["dtype"]) == ("bfloat16", "float32")
    assert half.memory * 2 == pytest.approx(adapter(folder).memory, rel=0.05)
    # bfloat16 has 8 bits: scores of up to 10 are off by 0.04, and weights by as much of themselves.
    np.testing.assert_allclose(trace.cross.weights[0], exact.cross.weights[0], atol=0.05)
    with pytest.raises(ModelError, match="computes in float32, bfloat16, float16: got 'int8'"):
        diffusion.FAMILY.load(str(folder), dtype="int8")


def test_weights_in_several_files_are_read(folders: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders("flux"), tmp_path / "copy")
    network = diffusers.FluxTransformer2DModel.from_pretrained(folder / "transformer", low_cpu_mem_usage=False)
    shutil.rmtree(folder / "transformer")
    network.save_pretrained(folder / "transformer", max_shard_size="20KB")
    assert len(list((folder / "transformer").glob("*.safetensors"))) > 1
    one, other = (adapter(each).plain(PROMPT, steps=1, size=PIXELS) for each in (folder, folders("flux")))
    assert one.tobytes() == other.tobytes()


def test_a_lora_is_added_to_the_weights(folders: Callable[[str], Path], tmp_path: Path) -> None:
    folder, generator = folders("sd3.5"), torch.Generator().manual_seed(2)
    module, encoder = "transformer_blocks.0.attn.to_q", "text_model.encoder.layers.0.self_attn.q_proj"
    factors = {
        f"{part}.{path}.lora_{half}.weight": torch.randn(shape, generator=generator)
        for part, path in (("transformer", module), ("text_encoder", encoder))
        for half, shape in (("A", (2, 16)), ("B", (16, 2)))
    }
    own, given = tmp_path / "own", tmp_path / "lora"
    given.mkdir()
    said = {"lora_adapter_metadata": json.dumps({"transformer.lora_alpha": 4, "transformer.r": 2})}
    save_file(factors, given / "pytorch_lora_weights.safetensors", said)
    shutil.copytree(folder, own)
    # α is 4 for the transformer, and the rank for the text encoder: changed by hand and written down.
    for part, path, factor in (("transformer", module, 4 / 2 * 0.5), ("text_encoder", encoder, 0.5)):
        file = next((own / part).glob("*.safetensors"))
        weights = load_file(file)
        up, down = (factors[f"{part}.{path}.lora_{half}.weight"] for half in "BA")
        weights[f"{path}.weight"] = weights[f"{path}.weight"] + up @ down * factor
        save_file(weights, file, {"format": "pt"})
    expected, plain = (adapter(each).trace(PROMPT, steps=2) for each in (own, folder))
    changed = diffusion.FAMILY.load(str(folder), lora=given, lora_strength=0.5)
    trace = changed.trace(PROMPT, steps=2)
    np.testing.assert_allclose(trace.cross.weights, expected.cross.weights, atol=1e-5)
    assert np.abs(trace.cross.weights - plain.cross.weights).max() > 0.01
    assert "A LoRA is in its weights, in 2 modules with strength 0.5." in trace.remarks
    assert trace.provenance["weights_sha256"] != plain.provenance["weights_sha256"]
    within = shutil.copytree(folder, tmp_path / "within")
    shutil.copy(given / "pytorch_lora_weights.safetensors", within)
    traced = adapter(within).trace(PROMPT, steps=1)
    assert any("LoRA" in note for note in traced.remarks)
    assert rerun(traced).maps == traced.maps
    with pytest.raises(ModelError, match="is of another model: there is no t"):
        diffusion.FAMILY.load(str(folders("xl")), lora=given)
    with pytest.raises(ModelError, match="There is no LoRA in 'nowhere'"):
        diffusion.FAMILY.load(str(folder), lora="nowhere")
    save_file({"to_q.hada_w1_a": torch.zeros(2, 4)}, given / "pytorch_lora_weights.safetensors")
    with pytest.raises(ModelError, match="neither as diffusers writes it nor as sd-scripts do"):
        diffusion.FAMILY.load(str(folder), lora=given)


TO_KEYS = ("transformer_blocks_0_attn2_to_k", "transformer_blocks.0.attn2.to_k")
#: What sd-scripts call modules of two kinds of U-Net, and where these lie.
BY_SCRIPTS: dict[str, dict[str, str]] = {
    "1": {
        f"unet_down_blocks_0_attentions_0_{TO_KEYS[0]}": f"unet.down_blocks.0.attentions.0.{TO_KEYS[1]}",
        "unet_mid_block_resnets_1_conv1": "unet.mid_block.resnets.1.conv1",
        "te_text_model_encoder_layers_1_mlp_fc1": "text_encoder.encoder.layers.1.mlp.fc1",
    },
    "xl": {
        f"unet_input_blocks_3_1_{TO_KEYS[0]}": f"unet.down_blocks.1.attentions.0.{TO_KEYS[1]}",
        "unet_input_blocks_2_0_op": "unet.down_blocks.0.downsamplers.0.conv",
        "unet_input_blocks_1_0_in_layers_2": "unet.down_blocks.0.resnets.0.conv1",
        f"unet_middle_block_1_{TO_KEYS[0]}": f"unet.mid_block.attentions.0.{TO_KEYS[1]}",
        "unet_middle_block_2_out_layers_3": "unet.mid_block.resnets.1.conv2",
        f"unet_output_blocks_1_1_{TO_KEYS[0]}": f"unet.up_blocks.0.attentions.1.{TO_KEYS[1]}",
        "unet_output_blocks_1_2_conv": "unet.up_blocks.0.upsamplers.0.conv",
        "unet_output_blocks_3_0_emb_layers_1": "unet.up_blocks.1.resnets.1.time_emb_proj",
        "te1_text_model_encoder_layers_0_self_attn_q_proj": "text_encoder.encoder.layers.0.self_attn.q_proj",
        "te2_text_model_encoder_layers_1_mlp_fc2": "text_encoder_2.text_model.encoder.layers.1.mlp.fc2",
    },
}


@pytest.mark.parametrize("version", BY_SCRIPTS)
def test_a_lora_of_sd_scripts_is_added(folders: Callable[[str], Path], tmp_path: Path, version: str) -> None:
    folder, generator, rank = folders(version), torch.Generator().manual_seed(4), 2
    plain, state, changes = adapter(folder).model.parts, dict[str, torch.Tensor](), dict[str, torch.Tensor]()
    for name, where in BY_SCRIPTS[version].items():
        part, _, path = where.partition(".")
        weight = plain[part].get_submodule(path).weight
        down = torch.randn(rank, *weight.shape[1:], generator=generator)
        up = torch.randn(len(weight), rank, *(1,) * (weight.ndim - 2), generator=generator)
        state |= {f"lora_{name}.lora_down.weight": down, f"lora_{name}.lora_up.weight": up}
        state[f"lora_{name}.alpha"] = torch.tensor(3.0)
        changes[where] = torch.tensordot(up.flatten(1), down, 1) * (3 / rank * 0.5)
    save_file(state, tmp_path / "style.safetensors")
    changed = diffusion.FAMILY.load(str(folder), lora=tmp_path / "style.safetensors", lora_strength=0.5).model.parts
    for part in ("unet", "text_encoder", *(("text_encoder_2",) if version == "xl" else ())):
        for name, parameter in changed[part].named_parameters():
            expected = plain[part].get_parameter(name) + changes.pop(f"{part}.{name.removesuffix('.weight')}", 0.0)
            # One product of two matrices in float32, summed in another order.
            torch.testing.assert_close(parameter, expected, rtol=0, atol=1e-5)
    assert not changes


def test_what_cannot_be_is_said(folders: Callable[[str], Path], tmp_path: Path) -> None:
    flux = adapter(folders("flux"))
    with pytest.raises(ModelError, match="takes no negative prompt"):
        flux.trace(PROMPT, negative_prompt="rain", guidance=3)
    with pytest.raises(InputError, match="this model reads at most 511"):
        flux.trace("." * 1200)
    with pytest.raises(ModelError, match="has no scheduler 'DDIM'; there are Flow Euler"):
        flux.trace(PROMPT, scheduler="DDIM")
    with pytest.raises(ModelError, match="no option 'guidance'"):
        adapter(folders("schnell")).trace(PROMPT, guidance=2)
    copy = shutil.copytree(folders("xl"), tmp_path / "copy")
    index = json.loads((copy / "model_index.json").read_text())
    for kind, words in (
        ("KandinskyV22Pipeline", "no part of the picture looks at a word"),
        ("WanPipeline", r"only Stable Diffusion 1\.x, 2\.x, XL and 3\.x, FLUX and PixArt"),
    ):
        (copy / "model_index.json").write_text(json.dumps(index | {"_class_name": kind}))
        with pytest.raises(ModelError, match=words):
            diffusion.FAMILY.load(str(copy))
    (copy / "model_index.json").write_text(json.dumps(index))
    shutil.rmtree(copy / "text_encoder_2")
    with pytest.raises(ModelError, match="lacks the folder text_encoder_2"):
        diffusion.FAMILY.load(str(copy))
