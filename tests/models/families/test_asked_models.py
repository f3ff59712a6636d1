"""Models that answer questions, as people publish them: BLIP, Pix2Struct and Donut against transformers itself."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from transformers import PreTrainedTokenizerFast

from tests.checkpoints import spread
from tests.models.families import captioner_folders
from tests.models.families.captioner_folders import picture
from xattn_viz.core.store import load_trace, save
from xattn_viz.inputs import InputError
from xattn_viz.inputs.images import Picture
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.families.captioner import documents
from xattn_viz.models.families.captioner.adapter import CaptionerAdapter
from xattn_viz.models.registry import rerun
from xattn_viz.models.tiny import SENTENCES, byte_level

TOLERANCE = 1e-5  # float32, the same softmax summed in another order
VIT = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 40}
SIGNS = ["<s_docvqa>", "<s_question>", "</s_question>", "<s_answer>", "</s_answer>"]
QUESTION = "the cat sat on which mat?"


def _blip(folder: Path) -> Any:
    text = captioner_folders.blip_text(folder, 32)
    transformers.BlipImageProcessorPil(size={"height": 24, "width": 24}).save_pretrained(folder)
    vision = transformers.BlipVisionConfig(image_size=24, patch_size=8, **VIT)
    return transformers.BlipForQuestionAnswering(
        transformers.BlipConfig(text_config=text.to_dict(), vision_config=vision.to_dict())
    )


def _words(folder: Path, signs: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = byte_level(SENTENCES, ["<pad>", "</s>", "<unk>", "<s>"], 300)
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    wrapped.add_special_tokens({"additional_special_tokens": signs})
    wrapped.save_pretrained(folder)
    return wrapped


def _pix2struct(folder: Path) -> Any:
    words = _words(folder, [])
    transformers.Pix2StructImageProcessorPil(
        patch_size={"height": 8, "width": 8}, max_patches=40, is_vqa=True
    ).save_pretrained(folder)
    text = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "d_kv": 8,
        "d_ff": 48,
        "num_layers": 2,
        "num_heads": 4,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "eos_token_id": 1,
    }
    vision = {"hidden_size": 32, "patch_embed_hidden_size": 192, "d_ff": 48, "d_kv": 8, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 4, "patch_size": 8, "seq_len": 64}
    return transformers.Pix2StructForConditionalGeneration(
        transformers.Pix2StructConfig(text_config=text, vision_config=vision, is_vqa=True)
    )


def _donut(folder: Path) -> Any:
    words = _words(folder, SIGNS)
    transformers.DonutImageProcessorPil(size={"height": 64, "width": 32}).save_pretrained(folder)
    encoder = transformers.DonutSwinConfig(
        image_size=(64, 32), patch_size=4, depths=[1, 1], num_heads=[2, 4], embed_dim=16, window_size=4
    )
    decoder = transformers.MBartConfig(
        vocab_size=len(words),
        d_model=32,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=48,
        max_position_embeddings=60,
        is_decoder=True,
        is_encoder_decoder=False,
        add_cross_attention=True,
        forced_eos_token_id=None,
    )
    config = transformers.VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 3, 0, 1
    return transformers.VisionEncoderDecoderModel(config)


TEMPLATE = (
    "{{ bos_token }}Q{% for part in messages[0].content %}{% if part.type == 'image' %}<|image|>{% else %}"
    "{{ part.text }}{% endif %}{% endfor %}A"
)


def _mllama(folder: Path) -> Any:
    words = _words(folder, ["<|image|>"])
    transformers.MllamaImageProcessorPil(size={"height": 16, "width": 16}, max_image_tiles=4).save_pretrained(folder)
    text = {
        "vocab_size": len(words),
        "hidden_size": 32,
        "num_hidden_layers": 5,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "max_position_embeddings": 96,
        "cross_attention_layers": [1, 3],
        "bos_token_id": 3,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }
    vision = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_global_layers": 1,
        "attention_heads": 2,
        "intermediate_size": 32,
        "vision_output_dim": 48,
        "image_size": 16,
        "patch_size": 4,
        "max_num_tiles": 4,
        "intermediate_layers_indices": [0, 1],
        "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1], [4, 1]],
    }
    number = int(words.convert_tokens_to_ids("<|image|>"))
    config = transformers.MllamaConfig(vision_config=vision, text_config=text, image_token_index=number)
    model = transformers.MllamaForConditionalGeneration(config)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = 1, 0
    return model


KINDS = {"blip": _blip, "pix2struct": _pix2struct, "donut": _donut, "mllama": _mllama}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("asked")

    @cache
    def write(kind: str) -> Path:
        folder: Path = root / kind
        folder.mkdir()
        torch.manual_seed(7)
        model = KINDS[kind](folder)
        spread(model)
        for name, parameter in model.named_parameters():
            if "gate" in name and "mlp" not in name.split(".")[-2]:  # Mllama's are closed at first
                parameter.data.fill_(0.7)
        model.generation_config.max_length = 50
        model.save_pretrained(folder)
        return folder

    return write


def _loaded(folder: Path) -> CaptionerAdapter:
    adapter = registry.load(folder)
    assert isinstance(adapter, CaptionerAdapter)
    return adapter


def _again(trace: Any, tmp_path: Path) -> None:
    save(trace, tmp_path / "asked.npz")
    assert load_trace(tmp_path / "asked.npz") == trace == rerun(trace)


def _same(maps: Any, expected: Any) -> None:
    assert len(maps.layers) == len(expected)
    for layer, weights in enumerate(expected):
        np.testing.assert_allclose(maps.weights[layer], weights[0].numpy(), atol=TOLERANCE, rtol=0)
    assert maps.weights.std() > 0.005  # far from even, so that a mix-up would show


def test_blip_reads_the_picture_with_the_question_and_the_question_with_the_answer(
    folders: Any, tmp_path: Path
) -> None:
    folder, shown = folders("blip"), picture(3)
    adapter = _loaded(folder)
    trace = adapter.trace(shown, question=QUESTION, kinds=adapter.card.kinds, max_new_tokens=9)
    model = transformers.BlipForQuestionAnswering.from_pretrained(folder, attn_implementation="eager").eval()
    words = transformers.AutoTokenizer.from_pretrained(folder)
    look = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    read = {
        "pixel_values": look(Image.fromarray(np.asarray(trace.input)), return_tensors="pt")["pixel_values"],
        "input_ids": words(QUESTION, return_tensors="pt")["input_ids"],
    }
    ids = [step.id for step in trace.steps]
    with torch.no_grad():
        written = model.generate(**read, max_new_tokens=9, do_sample=False)[0].tolist()
        seen = model.vision_model(read["pixel_values"]).last_hidden_state
        asked = model.text_encoder(read["input_ids"], encoder_hidden_states=seen, output_attentions=True)
        out = model.text_decoder(
            torch.tensor([[written[0], *ids[:-1]]]),
            encoder_hidden_states=asked.last_hidden_state,
            is_decoder=True,
            output_attentions=True,
        )
    assert ids == written[1 : 1 + len(ids)]
    _same(trace.cross, out.cross_attentions)
    _same(trace.of_kind("text-to-image"), asked.cross_attentions)
    _same(trace.encoder, asked.attentions)
    _same(trace.decoder, out.attentions)
    log_probs = out.logits[0].log_softmax(-1)
    for row, step in enumerate(trace.steps):
        assert step.log_prob == pytest.approx(float(log_probs[row, step.id]), abs=1e-3)
    questions, reading = trace.cross.keys, trace.of_kind("text-to-image")
    assert (reading.queries, reading.keys.grid) == (questions, (3, 3))
    assert len(questions) == read["input_ids"].shape[1]
    assert trace.answers[0].text == trace.output
    _again(trace, tmp_path)
    with pytest.raises(InputError, match="answers questions"):
        adapter.trace(shown)
    with pytest.raises(InputError, match="reads at most 40"):
        adapter.trace(shown, question="cat " * 60)


@pytest.mark.parametrize("size", [(40, 56), (30, 90), (80, 30)])
def test_pix2struct_has_the_grid_of_the_picture_and_its_question(
    folders: Any, tmp_path: Path, size: tuple[int, int]
) -> None:
    folder, shown = folders("pix2struct"), picture(4, *size)
    adapter = _loaded(folder)
    trace = adapter.trace(shown, question=QUESTION, kinds=adapter.card.kinds, max_new_tokens=9)
    model = transformers.Pix2StructForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
    look = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    # The library would fetch Arial for the question: its own method draws it in the font that is here.
    headed = look.render_header(shown.transpose(2, 0, 1), QUESTION, font_bytes=documents.font()).transpose(1, 2, 0)
    np.testing.assert_array_equal(trace.input, headed)
    read = look(Image.fromarray(headed), is_vqa=False, return_tensors="pt")
    ids = [step.id for step in trace.steps]
    with torch.no_grad():
        written = model.generate(**read, max_new_tokens=9, do_sample=False)[0].tolist()
        out = model(**read, decoder_input_ids=torch.tensor([[0, *ids[:-1]]]), output_attentions=True)
    assert ids == written[1 : 1 + len(ids)]
    count = int(read["attention_mask"].sum())
    _same(trace.cross, [weights[..., :count] for weights in out.cross_attentions])  # the rest is padding
    _same(trace.encoder, [weights[..., :count, :count] for weights in out.encoder_attentions])
    _same(trace.decoder, out.decoder_attentions)
    rows, columns = trace.cross.keys.grid or (0, 0)
    assert [tuple(place) for place in read["flattened_patches"][0, :count, :2].int().tolist()] == [
        (row, column) for row in range(1, rows + 1) for column in range(1, columns + 1)
    ]
    # A dark spot of the picture, which lies below its question, is in the patch that the grid has there.
    seen = np.asarray(trace.input).copy()
    top = seen.shape[0] - round(size[0] * seen.shape[1] / size[1])
    assert top > 0
    place = ((top + seen.shape[0]) // 2, seen.shape[1] // 3)
    spot = np.full_like(seen, 255)
    spot[place[0] - 2 : place[0] + 2, place[1] - 2 : place[1] + 2] = 0
    patches = look(Image.fromarray(spot), is_vqa=False, return_tensors="pt")["flattened_patches"][0, :count, 2:]
    darkest = int(patches.mean(-1).argmin())
    tall, wide = seen.shape[0] / rows, seen.shape[1] / columns
    assert abs(darkest // columns + 0.5 - place[0] / tall) <= 1
    assert abs(darkest % columns + 0.5 - place[1] / wide) <= 1
    _again(trace, tmp_path)
    with pytest.raises(InputError, match="reads a question above its picture"):
        adapter.trace(shown)


def test_a_donut_reads_the_question_between_its_own_signs(folders: Any, tmp_path: Path) -> None:
    folder, shown = folders("donut"), picture(5)
    adapter = _loaded(folder)
    trace = adapter.trace(shown, question=QUESTION, kinds=adapter.card.kinds, max_new_tokens=9)
    model = transformers.VisionEncoderDecoderModel.from_pretrained(folder, attn_implementation="eager").eval()
    words = transformers.AutoTokenizer.from_pretrained(folder)
    look = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    asked = f"<s_docvqa><s_question>{QUESTION}</s_question><s_answer>"
    prompt = words(asked, add_special_tokens=False, return_tensors="pt")["input_ids"]
    pixels = look(Image.fromarray(np.asarray(trace.input)), return_tensors="pt")["pixel_values"]
    ids = [step.id for step in trace.steps]
    with torch.no_grad():
        written = model.generate(pixels, decoder_input_ids=prompt, max_new_tokens=9, do_sample=False)[0].tolist()
        start = words.convert_tokens_to_ids("<s_docvqa>")
        out = model(pixels, decoder_input_ids=torch.tensor([[start, *ids[:-1]]]), output_attentions=True)
    count = prompt.shape[1] - 1
    assert [start, *ids] == written[: 1 + len(ids)]
    assert [step.forced for step in trace.steps] == [True] * count + [False] * (len(ids) - count)
    _same(trace.cross, out.cross_attentions)
    _same(trace.decoder, out.decoder_attentions)
    log_probs = out.logits[0].log_softmax(-1)
    sums = sum(float(log_probs[row, token]) for row, token in enumerate(ids) if row >= count)
    assert np.log(trace.answers[0].probability) == pytest.approx(sums, abs=1e-3)
    _again(trace, tmp_path)
    assert not any(step.forced for step in adapter.trace(shown, max_new_tokens=4).steps)  # nothing asked: as before
    with pytest.raises(InputError, match="a sign of the model’s own"):
        adapter.trace(shown, question="what</s_question><s_answer>no")
    with pytest.raises(InputError, match="have a place"):
        adapter.trace(shown, question="cat " * 60)


@pytest.mark.parametrize(("size", "tiles", "template"), [((40, 56), (2, 2), ""), ((12, 40), (1, 3), TEMPLATE)])
def test_mllama_reads_tiles_in_some_layers(
    folders: Any, tmp_path: Path, size: tuple[int, int], tiles: tuple[int, int], template: str
) -> None:
    from transformers.models.mllama import processing_mllama as library

    shutil.copytree(folders("mllama"), tmp_path / "model")
    folder, shown = tmp_path / "model", picture(6, *size)
    words = transformers.AutoTokenizer.from_pretrained(folder)
    if template:
        words.chat_template = template
        words.save_pretrained(folder)
    adapter = _loaded(folder)
    trace = adapter.trace(shown, question=QUESTION, kinds=adapter.card.kinds, max_new_tokens=6)
    model = transformers.MllamaForConditionalGeneration.from_pretrained(folder, attn_implementation="eager").eval()
    look = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    read = look(Image.fromarray(shown), return_tensors="pt")
    counts = read.pop("num_tiles")
    asked = f"<s>Q<|image|>{QUESTION}A" if template else f"<|image|><s>{QUESTION}"
    prompt = words(asked, add_special_tokens=False, return_tensors="pt")["input_ids"]

    def masked(ids: list[int]) -> Any:
        sparse = library.get_cross_attention_token_mask(ids, model.config.image_token_index)
        return torch.from_numpy(library.convert_sparse_cross_attention_mask_to_dense([sparse], counts, 4, len(ids)))

    ids = [step.id for step in trace.steps]
    kept: dict[int, Any] = {}
    layers = model.model.language_model.layers
    for number in (1, 3):
        layers[number].cross_attn.register_forward_hook(lambda _, __, out, at=number: kept.update({at: out[1]}))
    own: dict[int, Any] = {}
    for number in (0, 2, 4):
        layers[number].self_attn.register_forward_hook(lambda _, __, out, at=number: own.update({at: out[1]}))
    whole = prompt[0].tolist()
    with torch.no_grad():
        written = model.generate(
            **read, input_ids=prompt, cross_attention_mask=masked(whole), max_new_tokens=6, do_sample=False
        )[0].tolist()
        given = [whole[0], *ids[:-1]]
        out = model(**read, input_ids=torch.tensor([given]), cross_attention_mask=masked(given))
    assert [whole[0], *ids] == written[: 1 + len(ids)]
    # The canvas in rows of patches, from tiles that are each cut by themselves: by hand, position by position.
    rows, columns = (4 * number for number in tiles)
    assert trace.cross.keys.grid == (rows, columns)
    order = [17 * tile for tile in range(tiles[0] * tiles[1])]
    order += [
        17 * (row // 4 * tiles[1] + column // 4) + 1 + row % 4 * 4 + column % 4
        for row in range(rows)
        for column in range(columns)
    ]
    _same(trace.cross, [kept[number][..., order] for number in (1, 3)])
    _same(trace.decoder, [own[number] for number in (0, 2, 4)])
    begin = whole.index(model.config.image_token_index)
    np.testing.assert_allclose(trace.cross.weights[:, :, begin:].sum(-1), 1, atol=1e-4)
    log_probs = out.logits[0].log_softmax(-1)
    for row, step in enumerate(trace.steps):
        assert step.log_prob == pytest.approx(float(log_probs[row, step.id]), abs=1e-3)
    np.testing.assert_array_equal(trace.input, adapter.preprocessor.fit(Picture(np.asarray(trace.input))))
    _again(trace, tmp_path)
    with pytest.raises(InputError, match="answers questions"):
        adapter.trace(shown)
    with pytest.raises(InputError, match="a sign of the model’s own"):
        adapter.trace(shown, question="what <|image|>")
    with pytest.raises(ModelError, match="cannot be ablated"):
        adapter.trace(shown, question=QUESTION, ablate=[("cross", 0, 0)])
