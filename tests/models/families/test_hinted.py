"""Captioners with a hint: their maps and what flows through them against plain arithmetic, hints, falls, and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from xattn_viz.core.store import load_trace, save
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.families import captioner
from xattn_viz.models.families.captioner import JOINS
from xattn_viz.models.families.captioner.hinted import HintedAdapter, load, log_probs
from xattn_viz.models.registry import rerun
from xattn_viz.shapes import Scene, Thing, draw, prompts
from xattn_viz.shapes.scene import PAPER, in_grey, random_scene

TOLERANCE = 1e-5  # float32, the same sums in another order
SCENE = Scene((Thing("red", "circle", 0.36, 0.24, 0.1), Thing("blue", "star", 0.58, 0.66, 0.18)))
HINT = "the star is green, the circle is pink"
PICTURE, KEYS = 65, 65 + 11
FOLDER = Path(str(captioner.__file__)).parent
ALL = pytest.mark.parametrize("name", JOINS)


@pytest.fixture
def adapter(name: str) -> HintedAdapter:
    loaded = registry.load(name)
    assert isinstance(loaded, HintedAdapter)
    return loaded


def attended(attention: Any, x: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
    """Weights `[head, query, key]` and output `[query, width]` of a cross-attention over only these states."""
    q = x @ attention.q_attn.weight + attention.q_attn.bias
    k, v = (states @ attention.c_attn.weight + attention.c_attn.bias).chunk(2, -1)
    q, k, v = (rows.unflatten(-1, (attention.num_heads, -1)).transpose(0, 1) for rows in (q, k, v))
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    joined = (weights @ v).transpose(0, 1).flatten(1)
    return weights, joined @ attention.c_proj.weight + attention.c_proj.bias


@ALL
def test_maps_and_outputs_are_those_of_one_softmax_or_of_two(name: str, adapter: HintedAdapter) -> None:
    """The oracle knows no mask: each of two cross-attentions gets only the states of its own part."""
    kept: list[tuple[Any, Tensor, Tensor]] = []
    blocks = adapter.network.model.decoder.transformer.h
    hooks = [
        block.crossattention.register_forward_hook(
            lambda module, inputs, out: kept.append((module, inputs[0][0], out[0][0]))
        )
        for block in blocks
    ]
    trace = adapter.trace(draw(SCENE), hint=HINT, grey=True)
    kept.clear()
    again = adapter.trace(trace.input, hint=HINT, prefix=[step.id for step in trace.steps])  # in one pass
    for hook in hooks:
        hook.remove()
    ids = adapter._hints.ids(adapter._hints.read(HINT))
    with torch.inference_mode():
        states = adapter.network.encoder(adapter.preprocessor.values(np.asarray(trace.input)), ids).last_hidden_state[0]
        rows: list[Tensor] = []
        for module, x, output in kept:
            apart = JOINS[name] == "separate"
            seen, one = attended(module.first, x, states[:PICTURE] if apart else states)
            read, two = attended(module.second, module.norm(x + one), states[PICTURE:] if apart else states)
            none = torch.zeros_like
            rows += [torch.cat([seen, none(read)], -1), torch.cat([none(seen), read], -1)] if apart else [seen, read]
            torch.testing.assert_close(one + two, output, atol=1e-4, rtol=0)  # outputs reach about 10
    expected = torch.stack(rows).numpy()
    assert expected.shape == (4, 4, len(trace.steps), KEYS)
    for found in (trace, again):
        np.testing.assert_allclose(found.cross.weights, expected, atol=TOLERANCE, rtol=0)
    assert ("look at the picture only" in " ".join(trace.remarks)) == (JOINS[name] == "separate")


@ALL
def test_keys_are_the_picture_and_then_the_words_of_the_hint(adapter: HintedAdapter, tmp_path: Path) -> None:
    trace = adapter.trace(draw(SCENE), hint=" The star is GREEN, the circle is pink. ", grey=True)
    keys = trace.cross.keys
    assert keys.parts == (("picture", 0, PICTURE), ("hint", PICTURE, KEYS))
    assert (keys.grid, len(keys.patches), len(keys)) == ((8, 8), 64, KEYS)
    words = ["<s>", "the", "star", "is", "green", ",", "the", "circle", "is", "pink", "</s>"]
    assert [keys.name(i) for i in range(PICTURE, KEYS)] == words
    assert (keys.name(0), keys.name(PICTURE - 1)) == ("[CLS]", "row 8, column 8")
    assert trace.output == "a small pink circle above a large green star"
    np.testing.assert_array_equal(trace.input, in_grey(draw(SCENE)))
    save(trace, tmp_path / "hinted.npz")
    assert load_trace(tmp_path / "hinted.npz") == trace == rerun(trace)


@pytest.mark.parametrize(
    "hint",
    [
        "The circle is pink. The star is green.",
        "circle is pink, star is green",
        "a circle is pink and a star is green!",
        "THE CIRCLE IS PINK; THE STAR IS GREEN",
    ],
)
def test_signs_and_articles_of_a_hint_count_for_nothing(hint: str) -> None:
    adapter = cast(HintedAdapter, registry.load("hint-concatenated"))
    assert adapter._hints.read(hint) == adapter._hints.read("the circle is pink, the star is green")
    assert prompts.parse_hint(hint) == {"circle": "pink", "star": "green"}


@ALL
@pytest.mark.parametrize(("colours", "grey"), [(False, False), (True, True), (False, True), (True, False)])
def test_unseen_scenes_are_read_by_what_each_source_says(adapter: HintedAdapter, colours: bool, grey: bool) -> None:
    random = np.random.default_rng(4_040)
    scenes = [
        scene
        for scene in (random_scene(random) for _ in range(60))
        if prompts.things_of_unique_shape(scene) == [*scene.things]
    ]
    right = []
    for scene in scenes[:30]:
        told = {thing.shape: "pink" if thing.colour == "red" else "red" for thing in scene.things if colours}
        written = adapter.plain(draw(scene), hint=prompts.hint(told), grey=grey)
        right.append(written == prompts.hinted_caption(scene, told, grey=grey))
    assert np.mean(right) > 0.85


@ALL
def test_the_fall_of_a_word_is_what_it_loses_without_a_source(adapter: HintedAdapter) -> None:
    trace = adapter.trace(draw(SCENE), hint=HINT, grey=True)
    falls = adapter.drops(trace)
    blank = adapter.trace(np.full((96, 96, 3), PAPER, np.uint8), hint=HINT, target=trace.output)
    silent = adapter.trace(draw(SCENE), grey=True, target=trace.output)
    for part, without in (("picture", blank), ("hint", silent)):
        np.testing.assert_allclose(falls[part], log_probs(trace) - log_probs(without), atol=1e-4, rtol=0)
    words = list(trace.cross.queries.labels or ())
    colour, shape = words.index("pink"), words.index("circle")
    assert falls["hint"][colour] > 3 > 1 > abs(falls["hint"][shape])
    assert falls["picture"][shape] > 1
    with pytest.raises(InputError, match="not of a picture with a hint"):
        adapter.drops(registry.load("caption-shapes").trace(draw(SCENE)))


@ALL
@pytest.mark.parametrize(
    ("hint", "sentence"),
    [
        (
            "the dog is mauve, the dog is red",
            r"says “dog” \(nearest: “[a-z]+”\), “mauve” \(nearest: “[a-z]+”\), and this model knows only blue, brown, "
            "circle, .*, yellow.",
        ),
        ("the circle is red, " * 5, "has 24 words and commas, and this model reads at most 19"),
        ("<b>", "The hint says “b” "),
        (
            "the cirle is read, " + "the circle is red, " * 4,
            "“cirle” .nearest: “circle”., “read” .nearest: “red”.,.* has 23 words and commas",
        ),
        ("the circle is red " * 20_000, "has 360,000 characters, and at most 2,000 are read"),
    ],
)
def test_a_hint_that_cannot_be_read_is_refused_in_a_sentence(adapter: HintedAdapter, hint: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        adapter.trace(draw(SCENE), hint=hint)
    with pytest.raises(ModelError, match="hint is a text: got True"):
        adapter.trace(draw(SCENE), hint=True)


def test_both_are_small_and_say_what_they_reach() -> None:
    folders = [FOLDER / name for name in JOINS]
    assert sum(file.stat().st_size for folder in folders for file in folder.iterdir()) < 1.8e6
    for folder in folders:
        said = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        assert min(said[name] for name in ("colour_without_hint", "grey_with_hint", "grey_without_hint")) > 0.85


@ALL
def test_damaged_weights_are_said(name: str, tmp_path: Path) -> None:
    for file in (FOLDER / name).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes((FOLDER / "caption-shapes/model.safetensors").read_bytes())
    with pytest.raises(ModelError, match=r"weights do not fit, such as 'decoder\.transformer\.h\.0\.crossattention"):
        load(name, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="weights are damaged"):
        load(name, tmp_path)
