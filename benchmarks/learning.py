"""Training the small models of the page: seconds for each task, and an update against PyTorch's fused attention.

Seconds are those of the page's own setting (one layer, usual order, seed 0), records included, until 95 % of the unseen
outputs are right (and for copy and reverse 0.9 of the weight is on the path), and of 1,500 updates in a row.

The peer is the same model with the same weights, in which every attention is
`torch.nn.functional.scaled_dot_product_attention`, which keeps no weights. Updates take turns on one thread; the ratio
is the median over the rounds.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from xattn_viz.attention.layer import Attention, CrossAttention
from xattn_viz.lessons.training import MOST_STEPS, TASKS, Record, Setting, Training

ROUNDS = 300
_WITH_A_PATH = ("copy", "reverse")


class Fused(nn.Module):
    """The layer with its own projections and PyTorch's attention between them."""

    def __init__(self, layer: CrossAttention) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, x: Tensor, context: Tensor, *, key_padding_mask: Tensor | None = None, mask: Tensor | None = None
    ) -> Attention:
        """As the layer's own, but with no weights."""
        q, (k, v) = self.layer.project_queries(x), self.layer.project_context(context)
        allowed = mask if key_padding_mask is None else ~key_padding_mask[:, None, None, :]
        heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        nothing = x.new_empty(len(x), self.layer.n_heads, 0, 0)
        return Attention(self.layer.out_proj(heads.transpose(1, 2).flatten(2)), nothing, nothing)


def fused(module: Any) -> Any:
    """The same module with every attention in it fused."""
    for name, child in module.named_children():
        setattr(module, name, Fused(child) if isinstance(child, CrossAttention) else fused(child))
    return module


def peer_of(training: Training) -> Training:
    """A training of the same model with fused attention, from the same weights."""
    peer = Training(training.setting)
    peer.model = fused(copy.deepcopy(training.model))
    peer._optimizer = torch.optim.Adam(peer.model.parameters(), lr=0.01, betas=(0.9, 0.98))
    peer._schedule = torch.optim.lr_scheduler.LambdaLR(peer._optimizer, peer._rate)
    return peer


def until_learned(name: str) -> Record:
    """Train until the task is learned."""
    for record in Training(Setting(name)):
        if record.outputs[0] >= 0.95 and (name not in _WITH_A_PATH or record.on_path[0] >= 0.9):
            return record
    raise AssertionError(f"{name} was not learned.")


def updates(training: Training, number: int) -> None:
    """So many updates, without records."""
    for _ in range(number):
        training.update()


def main() -> None:
    """Measure, and print the figures."""
    torch.set_num_threads(1)
    for name in TASKS:
        learned = list[Record]()
        early = seconds(lambda name=name, learned=learned: learned.append(until_learned(name)))  # type: ignore[misc]
        all_of_them = seconds(partial(updates, Training(Setting(name, steps=MOST_STEPS)), MOST_STEPS))
        print(
            f"{name}: learned in {early:.1f} s ({learned[0].step} updates, {learned[0].on_path[0]:.2f} on the path); "
            f"{MOST_STEPS} updates in {all_of_them:.1f} s (reach < 20: {'reached' if all_of_them < 20 else 'MISSED'})",
            flush=True,
        )
    ours = Training(Setting("dates", steps=MOST_STEPS))
    peer = peer_of(ours)
    updates(ours, 3)
    updates(peer, 3)
    with torch.no_grad():
        (batch,) = ours._held_out
        logits, theirs = (t.model(batch.source, batch.read(), batch.padding).logits for t in (ours, peer))
        torch.testing.assert_close(logits, theirs, atol=1e-3, rtol=1e-3)
    times = interleaved({"ours": partial(seconds, ours.update), "peer": partial(seconds, peer.update)}, ROUNDS)
    figure(
        "an update / with fused attention, dates",
        paired_ratio(times["ours"], times["peer"]),
        details=f"medians {milliseconds(times['ours'])} and {milliseconds(times['peer'])}",
    )


if __name__ == "__main__":
    main()
