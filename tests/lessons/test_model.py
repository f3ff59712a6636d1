from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, nn
from torch.nn import functional

from xattn_viz.attention.layer import CrossAttention
from xattn_viz.lessons.model import EncoderDecoder, FixedContext, Order, initialised, positions
from xattn_viz.lessons.training import TASKS, Batch

SYMBOLS = len(TASKS["dates"].symbols)


def dates(number: int = 6) -> Batch:
    return TASKS["dates"].sample(Generator().manual_seed(5), number)


def small(layers: int = 2, order: Order = "usual", heads: int = 2) -> Any:
    with torch.device("meta"):
        model = EncoderDecoder(SYMBOLS, layers=layers, order=order, heads=heads)
    model = initialised(model, Generator().manual_seed(6))
    for parameter in model.parameters():  # nothing begins at zero here, so that every branch counts
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=Generator().manual_seed(7))
    return model.eval()


@pytest.mark.parametrize("order", ["usual", "swapped"])
def test_the_model_is_what_torchs_own_layers_compute(order: Order) -> None:
    """Against nn.MultiheadAttention, put together in the order of the sublayers; float32, so to 1e-5."""
    model, batch = small(order=order), dates()
    with torch.no_grad():
        ours = model(batch.source, batch.read(), batch.padding)
        context = model.embedding(batch.source) + positions(batch.source.shape[1], model.d_model)
        for layer in model.encoder:
            y = layer.norms[0](context)
            context = context + torchs(layer.attention, y, y, key_padding_mask=batch.padding)[0]
            context = context + layer.feed_forward(layer.norms[1](context))
        context = model.encoder_norm(context)
        x = model.embedding(batch.read()) + positions(batch.target.shape[1], model.d_model)
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        for number, layer in enumerate(model.decoder):
            for sublayer in ("own", "cross") if order == "usual" else ("cross", "own"):
                if sublayer == "own":
                    y = layer.norms[0](x)
                    x = x + torchs(layer.self_attention, y, y, attn_mask=causal)[0]
                else:
                    y, weights = torchs(
                        layer.cross_attention, layer.norms[1](x), context, key_padding_mask=batch.padding
                    )
                    x = x + y
                    torch.testing.assert_close(ours.weights[:, number], weights, atol=1e-5, rtol=0)
            x = x + layer.feed_forward(layer.norms[2](x))
        torch.testing.assert_close(ours.logits, model.to_logits(model.decoder_norm(x)), atol=1e-4, rtol=1e-5)


def torchs(
    ours: CrossAttention, x: torch.Tensor, context: torch.Tensor, **masks: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    peer = nn.MultiheadAttention(x.shape[-1], ours.n_heads, batch_first=True)
    projections = (ours.q_proj, ours.k_proj, ours.v_proj)
    peer.in_proj_weight.data = torch.cat([projection.weight for projection in projections])
    peer.in_proj_bias.data = torch.cat([projection.bias for projection in projections])
    peer.out_proj.load_state_dict(ours.out_proj.state_dict())
    output, weights = peer(x, context, context, average_attn_weights=False, **masks)
    return output, weights


@pytest.mark.parametrize("order", ["usual", "swapped"])
def test_a_step_cannot_see_what_comes_after_it(order: Order) -> None:
    model, batch = small(order=order), dates()
    read = batch.read()
    changed = read.clone()
    changed[:, 5:] = changed[:, 5:].flip(1)
    with torch.no_grad():
        one, other = (model(batch.source, what, batch.padding).logits for what in (read, changed))
    torch.testing.assert_close(one[:, :5], other[:, :5], atol=1e-6, rtol=0)
    assert not torch.allclose(one[:, 5:], other[:, 5:], atol=1e-3)


def test_padding_gets_exactly_no_weight() -> None:
    batch = dates(40)
    weights = small()(batch.source, batch.read(), batch.padding).weights
    assert batch.padding.any()
    assert weights.shape == (40, 2, 2, 10, 11)
    assert (weights.movedim(-1, 1)[batch.padding] == 0).all()


def test_first_weights_come_from_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    with torch.device("meta"):
        models = [FixedContext(9) for _ in range(3)]
    one, same, other = (
        initialised(model, Generator().manual_seed(seed)).state_dict()
        for model, seed in zip(models, (1, 1, 2), strict=True)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not torch.equal(one["encoder.weight_hh_l0"], other["encoder.weight_hh_l0"])
    assert all(torch.isfinite(value).all() for value in one.values())


def test_positions_are_the_papers() -> None:
    made = positions(20, 32).numpy()
    for i in (0, 3, 15):
        angles = np.arange(20) / 10_000 ** (2 * i / 32)
        np.testing.assert_allclose(made[:, i], np.sin(angles), atol=1e-5)
        np.testing.assert_allclose(made[:, 16 + i], np.cos(angles), atol=1e-5)


def test_the_fixed_context_is_all_that_the_decoder_hears() -> None:
    """Two GRU cells by hand: the last state of the one is where the other starts, and goes into each step."""
    with torch.device("meta"):
        model = FixedContext(SYMBOLS)
    model, batch = initialised(model, Generator().manual_seed(8)), dates()
    read = batch.read()
    with torch.no_grad():
        ours = model(batch.source, read, batch.padding)
        state = torch.zeros(len(read), 40)
        for t in range(batch.source.shape[1]):
            state = step(model.encoder, model.embedding(batch.source[:, t]), state)
        context, logits = state, []
        for t in range(read.shape[1]):
            state = step(model.decoder, torch.cat([model.embedding(read[:, t]), context], 1), state)
            logits.append(model.to_logits(state))
    torch.testing.assert_close(ours.logits, torch.stack(logits, 1), atol=1e-5, rtol=1e-5)
    assert ours.weights.shape[1:3] == (0, 0)


def step(gru: Any, x: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    own = functional.linear(x, gru.weight_ih_l0, gru.bias_ih_l0).chunk(3, 1)
    kept = functional.linear(state, gru.weight_hh_l0, gru.bias_hh_l0).chunk(3, 1)
    reset, update = torch.sigmoid(own[0] + kept[0]), torch.sigmoid(own[1] + kept[1])
    return (1 - update) * torch.tanh(own[2] + reset * kept[2]) + update * state


def test_the_first_map_is_nearly_uniform() -> None:
    """Every row's entropy, as a share of that of a uniform row: above 0.93 on ten seeds (0.98 on the average)."""
    task = TASKS["reverse"]
    batch = task.sample(Generator().manual_seed(9), 64)
    shares = []
    for seed in range(10):
        with torch.device("meta"):
            model = EncoderDecoder(len(task.symbols))
        weights = initialised(model, Generator().manual_seed(seed))(batch.source, batch.read(), batch.padding).weights
        shares.append(-(weights * weights.log()).sum(-1) / math.log(task.length))
    every = torch.stack(shares).detach()
    assert float(every.min()) > 0.93
    assert float(every.mean()) > 0.97
