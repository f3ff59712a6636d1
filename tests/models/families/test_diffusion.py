"""Models that draw: their maps against the library's own weights, their pictures against its own pipeline."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor
from numpy.typing import NDArray

from tests.models.families import diffusion_folders
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View, axis_titles
from xattn_viz.inputs import InputError
from xattn_viz.models import base, registry
from xattn_viz.models.base import Cancelled, ModelError
from xattn_viz.models.families import diffusion
from xattn_viz.models.families.diffusion import MOST_STEPS, results
from xattn_viz.models.families.diffusion.adapter import DiffusionAdapter
from xattn_viz.models.families.diffusion.prompt import read_weights
from xattn_viz.models.families.diffusion.results import Learnt, StepPictures, find_sites, onto
from xattn_viz.models.families.diffusion.unet import install
from xattn_viz.models.registry import rerun
from xattn_viz.shapes.sentence import MOST_CHARACTERS
from xattn_viz.web.explorer import pack

PROMPT = "The cat sat on the mat."
Weights = NDArray[np.float32]


@pytest.fixture(scope="module", params=["1", "2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return diffusion_folders.write(tmp_path_factory.mktemp("pipeline"), request.param)


@pytest.fixture(scope="module")
def stable(folder: Path) -> DiffusionAdapter:
    return diffusion.FAMILY.load(str(folder))


@pytest.fixture(scope="module")
def tiny() -> DiffusionAdapter:
    return diffusion.FAMILY.example()


def of_the_library(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, steps: int, guidance: float, negative: str
) -> tuple[NDArray[np.uint8], list[Weights]]:
    """The picture of diffusers' own pipeline, and the weights of each cross-attention in the order of running.

    `[head, query, key]` each, of the prompt itself.
    """
    seen: list[Weights] = []
    scores = Attention.get_attention_scores

    def recording(self: Attention, *given: Any) -> torch.Tensor:
        found: torch.Tensor = scores(self, *given)
        if self.is_cross_attention:
            seen.append(found[-self.heads :].numpy())  # behind those without the prompt
        return found

    pipe = StableDiffusionPipeline.from_pretrained(folder, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    pipe.unet.set_attn_processor(AttnProcessor())
    monkeypatch.setattr(Attention, "get_attention_scores", recording)
    noise = torch.randn((1, 4, 16, 16), generator=torch.Generator().manual_seed(5))
    drawn = pipe(
        PROMPT,
        latents=noise,
        num_inference_steps=steps,
        guidance_scale=guidance,
        negative_prompt=negative or None,
        output_type="np",
    ).images[0]
    return (drawn * 255).round().astype(np.uint8), seen


@pytest.mark.parametrize(("guidance", "negative"), [(1.0, ""), (4.0, ""), (4.0, "A small boat")])
def test_maps_and_picture_are_those_of_the_library(
    folder: Path, stable: DiffusionAdapter, monkeypatch: pytest.MonkeyPatch, guidance: float, negative: str
) -> None:
    steps = 3
    expected, seen = of_the_library(folder, monkeypatch, steps=steps, guidance=guidance, negative=negative)
    monkeypatch.undo()
    trace = stable.trace(PROMPT, seed=5, steps=steps, guidance=guidance, negative_prompt=negative)
    # Fused and plain attention round differently; a step of colour is 1/255.
    assert trace.picture is not None
    assert np.abs(trace.picture.astype(int) - expected).max() <= 1
    layers = len(seen) // steps
    whole = len({len(weights) for weights in seen}) == 1
    count = len(trace.cross.keys) - 1
    assert trace.cross.keys.labels is not None
    assert trace.cross.keys.labels[-1] == "padding"
    mean = np.zeros(trace.cross.weights.shape, np.float64)
    for step in range(steps):
        made = [by_hand(w, count, whole) for w in seen[step * layers :][:layers]]
        maps = trace.maps[1 + step]
        assert maps.step == step
        np.testing.assert_allclose(maps.weights, np.stack(made), atol=2**-11)  # kept in float16, of values up to 1
        mean += np.stack(made) / steps
    # float32 on both sides, in another order of sums, over steps that differ as the pictures do: once it was 1.03e-5.
    np.testing.assert_allclose(trace.cross.weights, mean, atol=3e-5)


def by_hand(weights: Weights, count: int, whole: bool, grid: int = 16) -> Weights:
    """One layer's weights as the maps hold them: padding summed, heads averaged if need be, repeated on the grid."""
    weights = weights if whole else weights.mean(0, keepdims=True)
    weights = np.concatenate([weights[..., :count], weights[..., count:].sum(-1, keepdims=True)], -1)
    own = round(weights.shape[1] ** 0.5)
    places = weights.reshape(len(weights), own, own, -1).repeat(grid // own, 1).repeat(grid // own, 2)
    return places.reshape(len(weights), grid * grid, -1)


def test_masked_padding_takes_no_part(tiny: DiffusionAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    keys: dict[str, torch.Tensor] = {}
    modules = list(tiny.model.sites)
    hooks = [
        module.register_forward_hook(lambda module, given, made, at=f"{letter}{i}": keys.__setitem__(at, made))
        for i, attn in enumerate(modules)
        for letter, module in (("q", attn.to_q), ("k", attn.to_k))
    ]
    trace = tiny.trace(PROMPT, steps=1)
    for hook in hooks:
        hook.remove()
    count = len(trace.cross.keys)
    assert trace.cross.keys.labels is not None
    assert trace.cross.keys.labels[-1] == "</s>"
    for i, attn in enumerate(modules):
        query, key = (
            keys[f"{letter}{i}"][0].reshape(-1, attn.heads, attn.inner_dim // attn.heads).transpose(0, 1)
            for letter in "qk"
        )
        scores = query @ key[:, :count].transpose(1, 2) / query.shape[-1] ** 0.5
        own = tiny.model.sites[attn].grid
        expected = onto(scores.softmax(-1), own, 8).numpy()
        np.testing.assert_allclose(trace.cross.weights[i], expected, atol=1e-5)


def test_a_place_takes_the_row_of_the_coarser_one_it_lies_in() -> None:
    weights = torch.rand(2, 16, 3)
    finer = onto(weights, 4, 8).reshape(2, 8, 8, 3)
    for row in range(8):
        for column in range(8):
            torch.testing.assert_close(finer[:, row, column], weights[:, row // 2 * 4 + column // 2])
    torch.testing.assert_close(onto(onto(weights, 4, 8), 8, 4), weights)
    torch.testing.assert_close(onto(weights, 4, 2).sum((1, 2)), weights.sum((1, 2)) / 4)


def test_a_seed_gives_one_picture_with_and_without_maps(stable: DiffusionAdapter, tiny: DiffusionAdapter) -> None:
    for model in (stable, tiny):
        trace = model.trace(PROMPT, seed=3, steps=4)
        again, other = model.plain(PROMPT, seed="3", steps="4"), model.plain(PROMPT, seed=4, steps=4)
        assert trace.picture is not None
        assert trace.picture.tobytes() == again.tobytes()
        assert trace.picture.tobytes() != other.tobytes()
        assert len(trace.pictures) == 4
        assert {picture.shape for picture in trace.pictures} == {trace.picture.shape}


def test_two_threads_draw_what_each_draws_alone(stable: DiffusionAdapter) -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        (PROMPT, {"weights": {1: 3.0}}),
        ("A small boat", {"ablate": [("cross", 0, 1)], "guidance": 1}),
    ]

    def run(number: int) -> Trace:
        prompt, settings = asked[number]
        return stable.trace(prompt, seed=number, steps=6, **settings)

    alone = [run(0), run(1)]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(run, (0, 1)))
    # A setting of the other thread is off by 0.25 or more in weights, by 5 of 255 in pictures. Once in a thousand runs
    # under load something was not equal to the bit, for a reason that is not known: this tells how far off.
    for number in (0, 1):
        for one, other in zip(together[number].maps, alone[number].maps, strict=True):
            np.testing.assert_allclose(one.weights, other.weights, atol=1e-3, rtol=0)
            assert replace(one, weights=other.weights) == other
        for picture, drawn in zip(together[number].pictures, alone[number].pictures, strict=True):
            assert np.abs(picture.astype(int) - drawn).max() <= 1
        assert replace(together[number], maps=alone[number].maps, pictures=alone[number].pictures) == alone[number]


def test_a_word_weighs_as_much_as_asked(tiny: DiffusionAdapter) -> None:
    plain = tiny.trace(PROMPT, steps=1).cross
    words = plain.keys.words
    assert words is not None
    cat = np.flatnonzero([word == 2 for word in words])  # the start token comes before the words
    assert len(cat) == 2
    for factor in (3.0, 0.0):
        weighed = tiny.trace(PROMPT, steps=1, weights={1: factor})
        expected = plain.weights[0].copy()
        expected[..., cat] *= factor
        expected /= expected.sum(-1, keepdims=True)
        np.testing.assert_allclose(
            weighed.cross.weights[0], expected, atol=1e-5
        )  # what the first layer reads is the same
    with pytest.raises(InputError, match="no word 7 to weigh: the prompt has words 0 to 6"):
        tiny.trace(PROMPT, weights={7: 2})
    assert tiny.trace(PROMPT, steps=2, weights={1: 1.0}).pictures[-1].tobytes() == tiny.plain(PROMPT, steps=2).tobytes()


def test_a_prompt_says_itself_what_weighs_more(tiny: DiffusionAdapter) -> None:
    typed = "The (cat sat:2.5) on (the: 0) mat."
    weighed = tiny.trace(typed, steps=2)
    by_number = tiny.trace(PROMPT, steps=2, weights={1: 2.5, 2: 2.5, 4: 0})
    assert weighed.input == typed
    for maps, expected in zip(weighed.maps, by_number.maps, strict=True):
        np.testing.assert_array_equal(maps.weights, expected.weights)
    assert weighed.cross.keys.labels == by_number.cross.keys.labels
    covered = [typed[start:end] for start, end in weighed.cross.keys.spans or ()]
    assert "".join(covered) == PROMPT.replace(" ", "")
    with pytest.raises(InputError, match=r"from 0 to 10 times as much: got '\(cat:11\)'"):
        tiny.trace("The (cat:11) sat.")
    unweighed = tiny.trace("The (cat:much) sat.", steps=1).cross.keys.labels or ()
    assert "(cat:much)" in "".join(unweighed)  # that is no weight, so text


WAYS = [
    "Red circle left of blue square",
    "A RED circle, left of THE blue square.",
    "an red circle; to the left of a «blue» square!",
]


@pytest.mark.parametrize("typed", WAYS)
def test_signs_articles_and_capital_letters_are_no_reason_to_refuse(typed: str) -> None:
    model = cast(DiffusionAdapter, registry.load("draw-shapes"))
    meant = "a red circle left of a blue square"
    trace = model.trace(typed, steps=2)
    assert trace.pictures[-1].tobytes() == model.plain(meant, steps=2).tobytes()
    assert trace.input == typed
    assert f"the model read “{meant}”" in " ".join(trace.remarks)
    keys = trace.cross.keys
    shown = [keys.name(i).lower() for i in range(len(keys)) if not keys.is_special[i]]
    assert [word for word in shown if word not in ("a", "an", "the")] == [
        "red",
        "circle",
        "left",
        "of",
        "blue",
        "square",
    ]
    assert all(typed[start:end] in ("", keys.name(i)) for i, (start, end) in enumerate(keys.spans or ()))
    assert not any("Articles" in note for note in model.trace(meant, steps=1).remarks)


def test_all_faults_of_a_prompt_are_told_at_once() -> None:
    model = registry.load("draw-shapes")
    with pytest.raises(InputError) as refused:
        model.trace("a bleu sqare (red:-1) (ring:much)" + " red" * 9)
    said = str(refused.value)
    for fault in (
        "“bleu” (nearest: “blue”), “sqare” (nearest: “square”). It knows a, above,",
        "from 0 to 10 times as much: got '(red:-1)', which is negative; '(ring:much)', which is no number.",
        "has 13 tokens, 15 with the articles that it lacks; this model reads at most 8",
    ):
        assert fault in said
    assert "“much”" not in said
    with pytest.raises(InputError, match="has 7 tokens, 9 with the articles that it lacks; this model reads at most 8"):
        model.trace("red circle left of blue square above")


@pytest.mark.parametrize("name", ["prompt", "negative prompt"])
def test_a_long_prompt_is_refused_before_it_is_read(
    tiny: DiffusionAdapter, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(text: str, **_: Any) -> Any:
        assert len(text) <= MOST_CHARACTERS
        return read_weights(text)

    monkeypatch.setattr("xattn_viz.models.families.diffusion.prompt.read_weights", read)
    long = "(" + "a" * 50_000
    with pytest.raises(InputError, match=f"The {name} has 50,001 characters, and at most 2,000 are read"):
        tiny.trace(long if name == "prompt" else PROMPT, guidance=2, negative_prompt=long)


def test_a_concept_is_scored_as_the_word_that_it_is(stable: DiffusionAdapter, tiny: DiffusionAdapter) -> None:
    """Scores before the softmax are equal where the embedding is: of a first word, which no other stands before, and of
    a whole prompt, whose tokens each have the same others before them."""
    for model in (stable, tiny):
        diffusion_folders.check_concepts(model, PROMPT, "The", guidance=3.0)
        asked: dict[str, Any] = {"seed": 3, "steps": 2, "guidance": 2, "ablate": [("cross", 0, 0)]}
        trace, plain = model.trace(PROMPT, concepts=" a boat,The , sky, The", **asked), model.trace(PROMPT, **asked)
        # The drawing does not know of them: what it is and where its words went is equal to the byte.
        assert trace.pictures[-1].tobytes() == plain.pictures[-1].tobytes()
        assert [maps for maps in trace.maps if maps.kind == "cross"] == list(plain.maps)
        concepts = trace.of_kind("concepts")
        assert concepts.keys.labels == ("a boat", "The", "sky")
        assert concepts.queries == trace.cross.queries
        assert [maps.step for maps in trace.maps if maps.kind == "concepts"] == [None, 0, 1]
        assert not any("concept" in remark for remark in plain.remarks)
        assert "the drawing does not know of it" in " ".join(trace.remarks)
        assert sum(maps.weights.nbytes for maps in trace.maps) <= model.most_bytes(PROMPT, steps=2, concepts="a, b, c")
        assert axis_titles(concepts) == ("patch being drawn", "concept that would be read")
        assert View("concepts").on(trace).kind == "concepts"
        assert b'"concepts"' in pack(trace)
    if model is tiny:  # all of its heads are kept
        assert (concepts.head(0, 0) == 0).all()


def test_an_ablated_head_writes_nothing(stable: DiffusionAdapter) -> None:
    head = 1
    trace = stable.trace(PROMPT, ablate=[("cross", 1, head)], steps=2, guidance=3)
    assert "ablated" in trace.cross.altered
    site = list(stable.model.sites)[1]
    if trace.cross.n_heads > 1:
        assert (trace.cross.head(1, head) == 0).all()
    # By hand: the columns of the output projection that read the head are zero.
    weight = site.to_out[0].weight
    before, width = weight.clone(), weight.shape[1] // site.heads
    weight[:, head * width : (head + 1) * width] = 0
    try:
        by_hand = stable.plain(PROMPT, steps=2, guidance=3)
    finally:
        weight.copy_(before)
    assert trace.picture is not None
    assert np.abs(trace.picture.astype(int) - by_hand).max() <= 1
    assert trace.picture.tobytes() != stable.plain(PROMPT, steps=2, guidance=3).tobytes()


def test_the_picture_is_seen_as_it_forms(stable: DiffusionAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Trace] = []
    decoded: list[object] = []
    autoencoder = stable.model.decoder.autoencoder
    hook = autoencoder.decoder.register_forward_hook(lambda *given: decoded.append(1))
    monkeypatch.setattr(base, "PARTIAL_SECONDS", 0)
    whole = stable.trace(PROMPT, steps=5, on_partial=seen.append)
    hook.remove()
    assert len(decoded) == 2  # once for those seen before, once for the finished picture
    for part in seen:
        done = len(part.maps) - 1
        assert 0 < done < 5
        assert part.maps[1:] == whole.maps[1 : done + 1]
        mean = np.mean([maps.weights.astype(np.float32) for maps in part.maps[1:]], 0)
        np.testing.assert_allclose(part.cross.weights, mean, atol=2**-11)
        assert len(part.pictures) == done
        assert "not finished" in part.remarks[-1]
    assert whole.picture is not None
    assert whole.picture.tobytes() == stable.plain(PROMPT, steps=5).tobytes()


def test_previews_come_as_near_as_a_linear_map_can() -> None:
    class Linear:
        """A decoder that is a linear map of each place, so that a preview can be right."""

        is_cheap = False

        def decode(self, latents: torch.Tensor) -> NDArray[np.uint8]:
            colours = (latents[0, :3] * 30 + 128).permute(1, 2, 0).numpy().round().clip(0, 255).astype(np.uint8)
            return colours.repeat(4, 0).repeat(4, 1)

    made, first, last = StepPictures(Linear()), torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    made.add(first)
    made.add(last)
    pictures = made.finished(last)
    for picture, latents in zip(pictures, (first, last), strict=True):
        assert np.abs(picture.astype(int) - Linear().decode(latents)).max() <= 1


def test_without_guidance_the_unet_runs_once_a_step(tiny: DiffusionAdapter) -> None:
    runs: list[object] = []
    hook = tiny.model.unet.register_forward_hook(lambda *given: runs.append(1))
    for guidance, expected in ((1, 3), ("2", 6)):
        runs.clear()
        tiny.plain(PROMPT, steps=3, guidance=guidance)
        assert len(runs) == expected
    hook.remove()


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    small = diffusion.FAMILY.example()
    width = small.model.reader.config.hidden_size
    # The layers, heads and grids of Stable Diffusion 1.5, with few channels.
    unet = UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(8, 16, 32, 32),
        attention_head_dim=8,
        cross_attention_dim=width,
        norm_num_groups=8,
    )
    install(unet.eval())
    parts = replace(small.model, unet=unet, sites=find_sites(unet), decoder=Learnt(Boxes()))
    large = DiffusionAdapter(small.card, parts)
    grids = [site.grid for site in large.model.sites.values()]
    assert grids == [64, 64, 32, 32, 16, 16, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64]
    assert results.MOST_KEPT == 10
    monkeypatch.setattr(results, "MOST_KEPT", 2)  # of three, which is long enough here
    trace = large.trace(" ".join(["cat"] * 40), steps=3)
    assert [maps.step for maps in trace.maps] == [None, 0, 2]
    for maps in trace.maps:
        assert maps.weights.shape == (16, 1, 32 * 32, len(trace.cross.keys))
        assert maps.altered == ("aggregated",)
        np.testing.assert_allclose(maps.weights.sum(-1, dtype=np.float32), 1, atol=5e-3)
    bytes_a_key = sum(maps.weights.nbytes for maps in trace.maps) / len(trace.cross.keys)
    assert bytes_a_key == 16 * 1024 * (4 + 2 * 2)
    monkeypatch.undo()
    plan = results.Plan.of(tuple(large.model.sites.values()), 77, MOST_STEPS)
    assert len(plan.steps) == 10
    assert plan.steps[0] == 0
    assert plan.steps[-1] == MOST_STEPS - 1
    assert 16 * plan.grid**2 * 77 * (4 + 4 + 2 * len(plan.steps)) < 36e6


class Boxes(torch.nn.Module):
    """In place of an autoencoder: three of the channels are the colours."""

    config = SimpleNamespace(scaling_factor=1.0)

    def decode(self, latents: torch.Tensor) -> Any:
        return SimpleNamespace(sample=latents[:, :3].repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"target": "a"}, InputError, "writes no text: leave target away"),
        ({"prefix": [1]}, InputError, "leave prefix away"),
        ({"num_beams": 4}, InputError, "leave num_beams away"),
        ({"keep_projections": True}, ModelError, "weights only"),
        ({"kinds": ("encoder",)}, ModelError, "no kind of map 'encoder'; this model has cross"),
        ({"steps": 101}, ModelError, "steps must be a whole number from 1 to 100: got 101"),
        ({"steps": "many"}, ModelError, "got 'many'"),
        ({"steps": 2.5}, ModelError, "whole number"),
        ({"steps": True}, ModelError, "got True"),
        ({"seed": -1}, ModelError, "seed must be"),
        ({"guidance": float("nan")}, ModelError, "guidance must be a number from 1 to 20"),
        ({"guidance": 1, "negative_prompt": "cat"}, ModelError, "guidance above 1"),
        ({"guidance": 2, "negative_prompt": "\ud800"}, InputError, "negative prompt holds half of a character"),
        ({"weights": [1]}, ModelError, "weights are a factor"),
        ({"weights": {1: 11}}, ModelError, "A weight must be"),
        ({"concepts": "sky, (boat:2)"}, InputError, r"concept '\(boat:2\)' has no weight: it is not in the prompt"),
        ({"concepts": "a,b,c,d,e,f,g,h,i"}, InputError, "At most 8 concepts are looked for at once: got 9"),
        ({"concepts": "?, \ud800"}, InputError, "The concept holds half of a character"),
        ({"ablate": [("cross", 9, 0)]}, ModelError, "cross layers are 0 to 3"),
        ({"ablate": [("cross", 0, 2)]}, ModelError, "layer 0 has heads 0 to 1"),
        (
            {"crop": True},
            ModelError,
            "no option 'crop'; its options: seed, steps, guidance, concepts, negative_prompt, weights",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(
    tiny: DiffusionAdapter, settings: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        tiny.trace(PROMPT, **settings)


def test_prompts_that_do_not_fit_are_refused(tiny: DiffusionAdapter) -> None:
    with pytest.raises(InputError, match=r"has 500 tokens; this model reads at most 94: shorten it"):
        tiny.trace(" cat" * 250)
    with pytest.raises(InputError, match="must be a string, not int"):
        tiny.trace(3)


def test_a_run_is_cancelled_between_steps_and_within_them(tiny: DiffusionAdapter) -> None:
    steps: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> bool:
        steps.append((done, total))
        return done < 3

    with pytest.raises(Cancelled):
        tiny.trace(PROMPT, steps=9, on_step=stop)
    assert [step for step in steps if step != (0, 0)] == [(0, 9), (1, 9), (2, 9), (3, 9)]
    asked: list[int] = []

    def stop_soon(done: int, total: int) -> bool:
        asked.append(total)
        return len(asked) < 3

    with pytest.raises(Cancelled):  # within the first step, at the second layer
        tiny.trace(PROMPT, steps=9, on_step=stop_soon)
    assert asked == [9, 0, 0]


def test_a_picture_is_drawn_again_from_its_provenance(stable: DiffusionAdapter, folder: Path) -> None:
    trace = stable.trace(
        PROMPT,
        steps=2,
        seed=9,
        guidance=2,
        negative_prompt="rain",
        concepts="sky",
        weights={1: 2},
        ablate=[("cross", 0, 0)],
    )
    assert rerun(trace) == trace
