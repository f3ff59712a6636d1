"""Recording, against transformers' own eager attention, for every architecture that it is to work with."""

from __future__ import annotations

import contextvars
import threading
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tests.checkpoints import CONFIGURATIONS, VOCABULARY, model
from xattn_viz.attention.capture import NAME, Recording, find_sites, recording, supports
from xattn_viz.core.maps import MapKind

KINDS: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
CROSS: tuple[MapKind, ...] = ("cross",)
# Both sides compute a softmax in float32, but in another order: measured differences stay below 1e-6.
TOLERANCE = 1e-5


def batch(lengths: list[int], seed: int = 3) -> dict[str, Tensor]:
    """Random source ids, padded at the end, with their mask, and five target ids each."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, (len(lengths), max(lengths)), generator=generator)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    target = torch.randint(5, VOCABULARY, (len(lengths), 5), generator=generator)
    return {"input_ids": ids * mask, "attention_mask": mask, "decoder_input_ids": target}


def sites_of(of: PreTrainedModel) -> Any:
    return find_sites(lambda: of(**batch([7])), 5)


@pytest.mark.parametrize("architecture", CONFIGURATIONS)
@pytest.mark.parametrize("lengths", [[9], [9, 4, 6]], ids=["alone", "padded"])
def test_maps_equal_eager_attention(architecture: str, lengths: list[int]) -> None:
    inputs = batch(lengths)
    native = model(architecture, "eager")(**inputs, output_attentions=True)
    ours = model(architecture, NAME)
    sites = sites_of(ours)
    plain = ours(**inputs).logits
    with recording(sites, KINDS) as seen:
        watched = ours(**inputs).logits
    assert torch.equal(plain, watched)
    torch.testing.assert_close(watched, native.logits, atol=2e-4, rtol=1e-4)
    expected = {
        "cross": native.cross_attentions,
        "encoder": native.encoder_attentions,
        "decoder": native.decoder_attentions,
    }
    for kind in KINDS:
        layers = seen.layers(kind)
        assert len(layers) == len(expected[kind])
        for layer, eager in zip(layers, expected[kind], strict=True):
            for item, length in enumerate(lengths):
                rows = length if kind == "encoder" else eager.shape[2]  # padding reads nothing of use
                torch.testing.assert_close(layer.weights[item, :, :rows], eager[item, :, :rows], atol=TOLERANCE, rtol=0)
                if kind != "decoder":
                    assert (layer.weights[item, :, :rows, length:] == 0).all()


@pytest.mark.parametrize("architecture", CONFIGURATIONS)
def test_projections_give_the_weights_back(architecture: str) -> None:
    ours = model(architecture, NAME)
    with recording(sites_of(ours), KINDS, projections=True) as seen:
        ours(**batch([9, 4]))
    for kind in KINDS:
        for layer in seen.layers(kind):
            assert layer.queries is not None
            assert layer.keys is not None
            scores = layer.queries @ layer.keys.transpose(-2, -1) * layer.scale
            again = (scores if layer.bias is None else scores + layer.bias).softmax(-1)
            torch.testing.assert_close(again, layer.weights, atol=1e-6, rtol=0)
    is_t5 = architecture in ("t5", "mt5", "umt5")
    cross = seen.layers("cross")[0]
    assert (cross.scale == 1) == is_t5
    learnt = seen.layers("encoder")[0].bias
    assert learnt is not None  # the mask of the padded item, and T5's relative positions
    assert (len(set(learnt[0].flatten().tolist())) > 1) == is_t5


@pytest.mark.parametrize("architecture", CONFIGURATIONS)
def test_an_ablated_head_adds_nothing(architecture: str) -> None:
    """Against the same model whose output projection has that head's columns at zero."""
    ours, changed = model(architecture, NAME), model(architecture, NAME)
    sites, inputs = sites_of(changed), batch([9])
    head = 1
    for kind in KINDS:
        module = next(m for m, site in sites.items() if site == (kind, 1))
        _zero_columns(changed, module, head)
    ablate = [(kind, 1, head) for kind in KINDS]
    with recording(sites_of(ours), KINDS, ablate=ablate) as seen:
        ablated = ours(**inputs).logits
    assert not torch.allclose(ablated, ours(**inputs).logits, atol=1e-3)
    torch.testing.assert_close(ablated, changed(**inputs).logits, atol=1e-5, rtol=1e-5)
    for kind in KINDS:
        assert (seen.layers(kind)[1].weights[:, head] == 0).all()
        assert (seen.layers(kind)[0].weights[:, head].sum(-1) > 0.99).all()


def _zero_columns(of: PreTrainedModel, module: torch.nn.Module, head: int) -> None:
    names = {m: name for name, m in of.named_modules()}
    output = next((getattr(module, name) for name in ("out_proj", "o", "c_proj") if hasattr(module, name)), None)
    if output is None:  # BERT keeps it beside the attention module
        output = of.get_submodule(names[module].rpartition(".")[0] + ".output.dense")
    weight = output.weight.T if isinstance(output, Conv1D) else output.weight  # GPT-2's lies the other way
    width = weight.shape[1] // _heads(module)
    weight[:, head * width : (head + 1) * width] = 0


def _heads(module: Any) -> int:
    return int(next(getattr(module, n) for n in ("num_heads", "n_heads", "num_attention_heads") if hasattr(module, n)))


@pytest.mark.parametrize("architecture", ["marian", "t5", "bart"])
def test_rows_of_the_forced_pass_are_those_of_the_beam(architecture: str) -> None:
    """The eager rows of every step, gathered by `beam_indices`, are the rows of one pass over the chosen sequence."""
    eager = model(architecture, "eager")
    settings = GenerationConfig(
        num_beams=6,
        max_length=12,
        return_dict_in_generate=True,
        output_attentions=True,
        output_scores=True,
        **{name: getattr(eager.config, name) for name in _IDS},
    )
    for seed in range(60):
        inputs = batch([9], seed)
        source = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        found = eager.generate(**source, generation_config=settings)
        if len(set(found.beam_indices[0].tolist()) - {-1, 0}) > 0:
            break
    steps = [step for step in range(found.sequences.shape[1] - 1) if found.beam_indices[0, step] >= 0]
    assert len({int(found.beam_indices[0, step]) for step in steps}) > 1, "no beam was reordered"
    gathered = torch.stack(
        [found.cross_attentions[step][-1][int(found.beam_indices[0, step]), :, -1] for step in steps], dim=1
    )
    ours = model(architecture, NAME)
    with recording(sites_of(ours), CROSS) as seen:
        ours(**source, decoder_input_ids=found.sequences[:1, : len(steps)])
    torch.testing.assert_close(seen.layers("cross")[-1].weights[0], gathered, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("architecture", ["marian", "t5", "bart"])
def test_the_rows_of_a_generation_make_one_map(architecture: str) -> None:
    """Recorded step by step they are the rows, queries and keys of one pass over what was written."""
    ours, inputs = model(architecture, NAME), batch([9])
    source = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    head: tuple[MapKind, int, int] = ("cross", 1, 1)
    with recording(sites_of(ours), CROSS, ablate=[head], projections=True, stepwise=True) as steps:
        written = ours.generate(**source, max_length=12, **{name: getattr(ours.config, name) for name in _IDS})
    with recording(sites_of(ours), CROSS, ablate=[head], projections=True) as whole:
        ours(**source, decoder_input_ids=written[:, :-1])
    for ours_now, expected in zip(steps.layers("cross"), whole.layers("cross"), strict=True):
        assert ours_now.weights.shape[2] == written.shape[1] - 1 > 1
        for name in ("weights", "queries", "keys"):
            torch.testing.assert_close(getattr(ours_now, name), getattr(expected, name), atol=TOLERANCE, rtol=0)
    assert steps.layers("cross") == []  # what was handed over is not held any longer


_IDS = ("pad_token_id", "eos_token_id", "decoder_start_token_id")


def test_generation_is_the_same_with_and_without() -> None:
    ours, plain = model("marian", NAME), model("marian", "sdpa")
    inputs = batch([9])
    source = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    expected = plain.generate(**source, num_beams=3, max_length=15)
    assert torch.equal(ours.generate(**source, num_beams=3, max_length=15), expected)
    with recording(sites_of(ours), KINDS) as seen:
        assert torch.equal(ours.generate(**source, num_beams=3, max_length=15), expected)
    assert seen.layers("cross")


def test_nothing_is_recorded_outside_or_after_an_error() -> None:
    ours = model("bart", NAME)
    sites = sites_of(ours)
    with pytest.raises(RuntimeError, match="stop"), recording(sites, KINDS) as seen:
        raise RuntimeError("stop")
    ours(**batch([5]))
    assert seen.captured == {}


def test_eight_threads_see_only_their_own() -> None:
    ours = model("bart", NAME)
    sites = sites_of(ours)
    alone = [_run(ours, sites, seed) for seed in range(8)]
    together: dict[int, Recording] = {}
    barrier = threading.Barrier(8)

    def run(seed: int) -> None:
        barrier.wait()
        for _ in range(5):
            together[seed] = _run(ours, sites, seed)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, expected in enumerate(alone):
        assert [len(calls) for calls in together[seed].captured.values()] == [1] * len(sites)
        for ours_now, before in zip(together[seed].layers("cross"), expected.layers("cross"), strict=True):
            torch.testing.assert_close(ours_now.weights, before.weights, atol=1e-6, rtol=0)


def _run(of: PreTrainedModel, sites: Any, seed: int) -> Recording:
    with recording(sites, KINDS) as seen:
        of(**batch([6 + seed % 3], seed))
    return seen


def test_a_thread_records_in_a_copied_context_only() -> None:
    ours = model("bart", NAME)
    with recording(sites_of(ours), CROSS) as seen:
        bare = threading.Thread(target=lambda: ours(**batch([5])))
        bare.start()
        bare.join()
        assert seen.captured == {}
        copied = threading.Thread(target=contextvars.copy_context().run, args=(lambda: ours(**batch([5])),))
        copied.start()
        copied.join()
    assert len(seen.layers("cross")) == 2


def test_a_model_without_fused_attention_is_refused() -> None:
    from transformers import LEDForConditionalGeneration, MarianMTModel

    assert supports(MarianMTModel)
    assert not supports(LEDForConditionalGeneration)
    with pytest.raises(ValueError, match="scaled_dot_product_attention"):
        model("led", NAME)


def test_layers_that_share_a_module_are_refused() -> None:
    ours = model("bart", NAME)
    layers: Any = ours.get_submodule("model.decoder.layers")
    layers[1].encoder_attn = layers[0].encoder_attn
    with pytest.raises(ValueError, match="share an attention module"):
        sites_of(ours)


def test_half_precision_rows_sum_to_one() -> None:
    ours = model("t5", NAME).to(torch.bfloat16)
    with recording(sites_of(ours), KINDS) as seen:
        ours(**batch([9]))
    for kind in KINDS:
        for layer in seen.layers(kind):
            assert layer.weights.dtype == torch.float32
            torch.testing.assert_close(layer.weights.sum(-1), torch.ones(layer.weights.shape[:3]), atol=1e-5, rtol=0)
