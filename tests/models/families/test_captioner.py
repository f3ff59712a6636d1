"""Models that read pictures, from folders, against transformers itself: generate, eager attention, its processors."""

from __future__ import annotations

import io
import json
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from tests.models.families.captioner_folders import KINDS, SIGHT, TASKS, picture, write
from xattn_viz.core.store import load_trace, save
from xattn_viz.inputs import InputError
from xattn_viz.inputs.images import Picture, read
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.families import captioner
from xattn_viz.models.families.captioner.adapter import CaptionerAdapter, picture_axis
from xattn_viz.models.registry import rerun
from xattn_viz.shapes import caption, draw
from xattn_viz.shapes.scene import random_scene

TOLERANCE = 1e-5  # float32, the same softmax summed in another order
NATIVE = {"trocr", "blip"}
NEW = 11  # tokens
ALL = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("checkpoints")
    return cache(lambda kind: write(root / kind, kind))


@pytest.fixture
def adapter(folders: Any, kind: str) -> CaptionerAdapter:
    loaded = registry.load(folders(kind))
    assert isinstance(loaded, CaptionerAdapter)
    return loaded


class Peer:
    """The same checkpoint as transformers loads it, with its eager attention."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.kind = kind
        made = transformers.BlipForConditionalGeneration if kind == "blip" else transformers.VisionEncoderDecoderModel
        self.model = made.from_pretrained(folder, attn_implementation="eager").eval()
        self.words = transformers.AutoTokenizer.from_pretrained(folder)
        self.look = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")

    def pixels(self, shown: Any) -> torch.Tensor:
        values: torch.Tensor = self.look(Image.fromarray(shown), return_tensors="pt")["pixel_values"]
        return values

    def generate(self, shown: Any, beams: int) -> list[list[int]]:
        """The ids of each beam, the start among them, best first."""
        settings = {"num_beams": beams, "num_return_sequences": beams, "do_sample": False}
        with torch.no_grad():
            found = self.model.generate(self.pixels(shown), max_length=1 + NEW, **settings)
        return [[int(token) for token in ids] for ids in found]

    def forced(self, shown: Any, read: list[int]) -> tuple[dict[str, Any], torch.Tensor]:
        """The attention of a pass over what is read, by kind of map, and the logits `[query, id]`."""
        ids = torch.tensor([read])
        with torch.no_grad():
            if self.kind == "blip":
                encoded = self.model.vision_model(self.pixels(shown), output_attentions=True)
                out = self.model.text_decoder(
                    ids, encoder_hidden_states=encoded.last_hidden_state, is_decoder=True, output_attentions=True
                )
                maps = {"cross": out.cross_attentions, "encoder": encoded.attentions, "decoder": out.attentions}
                return maps, out.logits[0]
            out = self.model(pixel_values=self.pixels(shown), decoder_input_ids=ids, output_attentions=True)
        maps = {kind: out[f"{kind}_attentions"] for kind in ("encoder", "decoder")}
        return {**maps, "cross": out.cross_attentions}, out.logits[0]

    def by_hand(self, shown: Any, read: list[int]) -> list[torch.Tensor]:
        """Each layer's cross-attention, `[head, query, key]`, from the outputs of its matrices for q and k."""
        heads, kept = 4, dict[str, torch.Tensor]()
        names = {"trocr": ("q_proj", "k_proj", "encoder_attn"), "blip": ("query", "key", "crossattention")}[self.kind]
        hooks = [
            module.register_forward_hook(lambda _, __, out, name=name: kept.update({name: out[0]}))
            for name, module in self.model.named_modules()
            if names[2] in name and name.endswith(names[:2])
        ]
        self.forced(shown, read)
        for hook in hooks:
            hook.remove()
        rows = [tensor.reshape(len(tensor), heads, -1).transpose(0, 1) for tensor in kept.values()]
        pairs = [(rows[i], rows[i + 1]) for i in range(0, len(rows), 2)]
        return [(q @ k.mT * q.shape[-1] ** -0.5).softmax(-1) for q, k in pairs]


@pytest.fixture
def peer(folders: Any, kind: str) -> Peer:
    return Peer(folders(kind), kind)


@ALL
@pytest.mark.parametrize("beams", [1, 3])
def test_it_writes_and_looks_as_the_library_does(
    kind: str, beams: int, adapter: CaptionerAdapter, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    shown = picture(3)
    # Of several beams not the best, whose rows stood elsewhere while it was written.
    asked: dict[str, Any] = {"num_beams": beams, "hypothesis": min(1, beams - 1), "max_new_tokens": NEW}
    found = peer.generate(shown, beams)
    expected = found[asked["hypothesis"]]
    trace = adapter.trace(shown, kinds=adapter.card.kinds, **asked)
    written = [step.id for step in trace.steps]
    assert written == expected[1:][: len(written)]
    assert len({tuple(ids) for ids in found}) == beams
    assert adapter.plain(shown, num_beams=beams, max_new_tokens=NEW) == adapter.text.plain(found[0][1:])
    assert trace.output == adapter.text.plain(written)
    maps, logits = peer.forced(shown, [expected[0], *written[:-1]])
    for made in trace.maps:
        assert len(made.layers) == len(maps[made.kind])
        for layer, weights in enumerate(maps[made.kind]):
            np.testing.assert_allclose(made.weights[layer], weights[0].numpy(), atol=TOLERANCE, rtol=0)
        assert made.weights.std() > 0.01  # far from even, so that a mix-up would show
    for row, step in zip(logits.log_softmax(-1), trace.steps, strict=True):
        assert step.log_prob == pytest.approx(float(row[step.id]), abs=1e-3)
    if kind in NATIVE:
        for layer, weights in enumerate(peer.by_hand(shown, [expected[0], *written[:-1]])):
            np.testing.assert_allclose(trace.cross.weights[layer], weights.numpy(), atol=TOLERANCE, rtol=0)
    assert caplog.records == []


@ALL
def test_patches_lie_where_the_encoder_has_them(kind: str, adapter: CaptionerAdapter) -> None:
    """A patch of another colour changes the first thing that is computed of it, and of no other place."""
    pixels, grid, special = SIGHT[kind]
    axis = adapter.trace(picture(1), max_new_tokens=1).cross.keys
    assert (adapter.preprocessor.size, axis.grid) == (pixels, grid)
    assert tuple(axis.name(i) for i in range(len(special))) == special
    assert ("encoder" in adapter.card.kinds) == (kind != "donut")  # Swin looks through windows, and shows no such map
    if kind == "donut":
        return
    embeddings = adapter.network.encoder.embeddings
    before, changed = (np.full((*pixels, 3), 90, np.uint8) for _ in range(2))
    rows, columns = (side // count for side, count in zip(pixels, grid, strict=True))
    changed[rows : 2 * rows, 2 * columns : 3 * columns] = 200
    with torch.inference_mode():
        found = [embeddings(adapter.preprocessor.values(shown))[0] for shown in (before, changed)]
    differ = np.flatnonzero((found[0] != found[1]).any(-1).numpy())
    assert [axis.name(int(i)) for i in differ] == ["row 2, column 3"]


@ALL
def test_what_is_shown_is_what_the_encoder_read(kind: str, adapter: CaptionerAdapter, peer: Peer) -> None:
    """Not approximately: the picture in eight bits, brought to numbers, is what the library makes of the file."""
    shapes = [(1, 1), (3, 3), (40, 56), (17, 200), SIGHT[kind][0]]
    for rows, columns in shapes if kind == "donut" else [*shapes, (20_000, 10), (10, 20_000)]:
        shown = picture(5, rows, columns)
        seen = adapter.preprocessor.fit(read(_file(shown)))
        assert seen.shape == (*SIGHT[kind][0], 3)
        np.testing.assert_array_equal(adapter.preprocessor.values(seen).numpy(), peer.pixels(shown).numpy())
        np.testing.assert_array_equal(adapter.preprocessor.fit(Picture(seen, is_resized=True)), seen)


def _file(shown: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "PNG")
    return file.getvalue()


def test_a_strip_is_refused_where_proportions_stay(folders: Any) -> None:
    """Donut makes the short side as long as its page: 20,000 × 10 pixels would become two thousand million."""
    with pytest.raises(InputError, match=r"20,000 × 10 pixels.*20 times"):
        registry.load(folders("donut")).trace(picture(0, 10, 20_000))


@ALL
def test_a_trace_runs_again_and_is_stored(kind: str, adapter: CaptionerAdapter, tmp_path: Path) -> None:
    trace = adapter.trace(_file(picture(2)), num_beams=2, hypothesis=1, kinds=adapter.card.kinds, max_new_tokens=5)
    assert trace.picture is not None
    np.testing.assert_array_equal(trace.picture, trace.input)
    assert rerun(trace) == trace
    save(trace, tmp_path / "trace.npz")
    again = load_trace(tmp_path / "trace.npz")
    assert again == trace
    assert again.cross.keys == trace.cross.keys
    assert rerun(again) == trace
    other = adapter.trace(picture(4), max_new_tokens=5)
    assert other.provenance["input_sha256"] != trace.provenance["input_sha256"]
    json.dumps(dict(trace.provenance), allow_nan=False)


@ALL
def test_threads_on_one_model_do_not_mix(kind: str, adapter: CaptionerAdapter) -> None:
    pictures = [picture(i) for i in range(4)]
    alone = [adapter.trace(shown, kinds=adapter.card.kinds, max_new_tokens=NEW) for shown in pictures]
    together: dict[int, Any] = {}
    start = threading.Barrier(4)

    def run(i: int) -> None:
        start.wait()
        together[i] = adapter.trace(pictures[i], kinds=adapter.card.kinds, max_new_tokens=NEW)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, trace in enumerate(alone):
        assert together[i] == trace


@ALL
def test_a_target_is_scored_without_the_tokenizers_own_start(kind: str, adapter: CaptionerAdapter, peer: Peer) -> None:
    text = "the cat sat"
    trace = adapter.trace(picture(1), target=text)
    ids = peer.words(text, add_special_tokens=False)["input_ids"]
    assert [step.id for step in trace.steps[:-1]] == ids
    assert (trace.cross.queries.special or ())[-1]
    assert trace.output == text
    ends = peer.model.config.text_config.sep_token_id if kind == "blip" else peer.model.config.eos_token_id
    assert trace.steps[-1].id == ends
    continued = adapter.trace(picture(1), prefix="the cat", max_new_tokens=3)
    assert continued.output.startswith("the cat")


@ALL
def test_heads_can_be_switched_off_where_ours_is_the_attention(kind: str, adapter: CaptionerAdapter) -> None:
    if kind in NATIVE:
        with pytest.raises(ModelError, match="cannot be ablated"):
            adapter.trace(picture(1), ablate=[("cross", 0, 0)])
        return
    plain = adapter.trace(picture(1), target="the cat")
    ablated = adapter.trace(picture(1), target="the cat", ablate=[("cross", 0, 1)])
    assert (ablated.cross.head(0, 1) == 0).all()
    assert ablated.steps != plain.steps


def test_a_donut_is_told_its_task(folders: Any) -> None:
    adapter = registry.load(folders("donut"))
    (option,) = adapter.card.options
    assert (option.default, set(option.choices)) == (TASKS[-1], set(TASKS))
    for task in TASKS:
        trace = adapter.trace(picture(1), task_prompt=task, max_new_tokens=4)
        assert trace.cross.read is not None
        assert (trace.cross.read.labels or ())[0] == task
    with pytest.raises(ModelError, match="no task '<s_menu>'"):
        adapter.trace(picture(1), task_prompt="<s_menu>")


def test_what_is_no_picture_is_said_so(folders: Any, tmp_path: Path) -> None:
    adapter = registry.load(folders("vit-gpt2"))
    (tmp_path / "page.png").write_text("<svg/>")
    for source, words in (
        (tmp_path / "page.png", "no picture"),
        (tmp_path / "missing.png", r"missing\.png cannot be read"),
        (tmp_path, "cannot be read"),
        (b"", "empty"),
        (np.zeros((0, 0, 3), np.uint8), "empty"),
        (np.zeros((4, 4), np.int32), "uint8"),
        (None, "NoneType"),
    ):
        with pytest.raises(InputError, match=words):
            adapter.trace(source)


def test_damaged_checkpoints_are_said_in_one_sentence(folders: Any, tmp_path: Path) -> None:
    for number, (file, change, words) in enumerate(
        (
            ("preprocessor_config.json", None, "preprocessor_config.json is missing or damaged"),
            ("preprocessor_config.json", {"size": {"shortest_edge": 32}, "do_center_crop": False}, "sizes of their"),
            ("preprocessor_config.json", {"size": {"height": 48, "width": 48}}, "cannot be shown: Input image size"),
            ("config.json", {"decoder": {"model_type": "vit"}}, "cannot|lacks"),
            ("tokenizer.json", None, r"is read from tokenizer\.json"),
            ("model.safetensors", None, "no weights"),
        )
    ):
        folder = write(tmp_path / str(number), "vit-gpt2")
        if change is None:
            (folder / file).unlink()
        else:
            said = json.loads((folder / file).read_bytes())
            (folder / file).write_text(json.dumps({**said, **change}))
        with pytest.raises(ModelError, match=words) as caught:
            captioner.FAMILY.load(str(folder))
        assert "\n" not in str(caught.value)


@ALL
def test_loading_says_nothing_in_the_log(kind: str, folders: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does it leave anything to chance: TrOCR's checkpoints lack a part of ViT that nothing reads."""
    loaded = captioner.FAMILY.load(str(folders(kind)))
    assert caplog.records == []
    assert not any(parameter.is_meta for parameter in loaded.network.model.parameters())
    assert loaded.trace(picture(1), max_new_tokens=4) == registry.load(folders(kind)).trace(
        picture(1), max_new_tokens=4
    )


def test_a_blip_that_ranks_texts_writes_no_captions(folders: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "vqa", "blip")
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BlipForImageTextRetrieval"]}))
    with pytest.raises(ModelError, match="BlipForImageTextRetrieval, which writes no captions"):
        captioner.FAMILY.load(str(folder))


def test_which_names_and_folders_are_ours(folders: Any, tmp_path: Path) -> None:
    for kind in KINDS:
        assert captioner.FAMILY.recognises(folders(kind))
    for config in ('{"model_type": "marian"}', "{}", "[]", "no json"):
        (tmp_path / "config.json").write_text(config)
        assert not captioner.FAMILY.recognises(tmp_path)
    assert not captioner.FAMILY.recognises(tmp_path / "missing")
    assert all(captioner.FAMILY.downloads(card.name) for card in captioner.FAMILY.cards if card.download_mb)
    for name in ("caption-shapes", "facebook/bart-large-cnn", "openai/whisper-tiny", "trocr"):
        assert not captioner.FAMILY.downloads(name)


def test_positions_that_make_no_picture_are_refused() -> None:
    config = transformers.ViTConfig(image_size=32, patch_size=8)
    assert picture_axis(config, (32, 32), 17).grid == (4, 4)
    for positions in (15, 20):
        with pytest.raises(ValueError, match=f"{positions} positions"):
            picture_axis(config, (32, 32), positions)


def test_the_packaged_model_reads_scenes() -> None:
    """How well it does is in the evaluation beside it, on a thousand scenes; here are forty others."""
    adapter = registry.load("caption-shapes")
    assert isinstance(adapter, CaptionerAdapter)
    assert adapter.network.model.dtype == torch.float32
    assert adapter.memory < 5e6
    random = np.random.default_rng(90_003)
    scenes = [random_scene(random) for _ in range(40)]
    traces = [adapter.trace(draw(scene)) for scene in scenes]
    assert sum(trace.output == caption(scene) for trace, scene in zip(traces, scenes, strict=True)) >= 0.95 * len(
        scenes
    )
    np.testing.assert_array_equal(traces[0].input, draw(scenes[0]))  # it is drawn in the size that the model sees
    assert not [note for trace in traces for note in trace.remarks]
    assert traces[0].cross.keys.grid == (8, 8)
