"""How the engine calls a model: encode what is read, and read an output again with its attention recorded."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from xattn_viz.attention.capture import Captured, Site, compact, recording
from xattn_viz.core.maps import MapKind
from xattn_viz.models.engine.limits import HALF_ABOVE
from xattn_viz.models.engine.search import Frame, fresh
from xattn_viz.models.settings import Settings


@dataclass(frozen=True)
class Runner:
    """A loaded model and where its attention modules are; no sites for a model that runs with its own attention.

    `is_merged` says that its decoder attends to the source and to what it has written in one softmax.
    """

    model: Any
    sites: Mapping[nn.Module, Site]
    is_merged: bool = False

    def prepared(self) -> Runner:
        """The same, its output layer ready to compute fewer logits than tokens are read. To be called once a model."""
        if (layer := self.writer.get_output_embeddings()) is not None:
            layer.register_forward_pre_hook(_only_the_first)
        return self

    @cached_property
    def encoder(self) -> Any:
        """The part that reads."""
        encoder = self.model.get_encoder()
        return BlockSparse(encoder) if BlockSparse.is_one(encoder) else encoder

    @property
    def writer(self) -> Any:
        """The model that writes: it is called with `decoding` and generates with `searching`."""
        return self.model

    def decoding(self, encoded: Any, ids: Tensor) -> dict[str, Any]:
        """What the writer takes to read `ids` `[1, query]` over what the encoder made."""
        mask = torch.ones(encoded.last_hidden_state.shape[:2], dtype=torch.long, device=ids.device)
        return {"encoder_outputs": fresh(encoded), "attention_mask": mask, "decoder_input_ids": ids}

    def searching(self, read: Mapping[str, Tensor], encoded: Any, ids: Tensor) -> dict[str, Any]:
        """What its search takes: some rules look at what the encoder has read."""
        return {**read, **self.decoding(encoded, ids)}

    @property
    def native(self) -> bool:
        """Whether maps come from the library's own attention (`output_attentions`)."""
        return not self.sites

    def encode(self, read: Mapping[str, Tensor], settings: Settings) -> tuple[Any, list[Captured]]:
        """What the encoder makes of its keywords `read`, as transformers gives it, and its maps where wanted."""
        wanted = "encoder" in settings.kinds
        if self.native:
            out = self.encoder(**read, output_attentions=wanted, return_dict=True)
            return out, _seen(out.attentions) if wanted else []
        with self.watch(settings, ("encoder",) if wanted else ()) as seen:
            out = self.encoder(**read, return_dict=True)
        return out, seen.layers("encoder")

    def watch(self, settings: Settings, kinds: Sequence[MapKind] = (), *, stepwise: bool = False) -> Any:
        """A block in which the maps of these kinds are recorded (`capture.recording`) and the heads switched off."""
        return recording(
            self.sites,
            kinds,
            ablate=settings.ablate,
            projections=settings.keep_projections,
            half_above=HALF_ABOVE,
            stepwise=stepwise,
        )

    def replay(
        self, encoded: Any, output: Sequence[int], frame: Frame, settings: Settings, scored: int
    ) -> tuple[dict[MapKind, list[Captured]], Tensor]:
        """The decoder's maps of an output, by kind and layer, and the logits `[query, id]` of its first `scored`.

        The output layer, the largest of a small model, computes no others.
        """
        kinds: list[MapKind] = [kind for kind in settings.kinds if kind != "encoder"]
        read = torch.tensor([[frame.start, *output[:-1]]], device=self.model.device)
        with self.watch(settings, kinds) as seen, _scoring(scored):
            out = self.writer(
                **self.decoding(encoded, read),
                use_cache=False,
                return_dict=True,
                **({"output_attentions": True} if self.native and kinds else {}),
            )
        if not self.native:
            return {kind: seen.layers(kind) for kind in kinds}, out.logits[0, :scored]
        native = {"cross": out.cross_attentions, "decoder": own_attentions(out)}
        rest = {"cross": native["decoder"], "decoder": native["cross"]} if self.is_merged else {}
        return {kind: _seen(native[kind], rest.get(kind)) for kind in kinds}, out.logits[0, :scored]


def own_attentions(out: Any) -> Any:
    """A decoder's self-attention in what the library reports; one that stands alone calls it just attention."""
    return out.get("decoder_attentions") or out.get("attentions")


_SCORED: ContextVar[int | None] = ContextVar("scored", default=None)


@contextmanager
def _scoring(count: int) -> Iterator[None]:
    """A block in which the output layer sees only the first tokens; as all that is of a run, it is the caller's."""
    token = _SCORED.set(count)
    try:
        yield
    finally:
        _SCORED.reset(token)


def _only_the_first(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    count = _SCORED.get()
    # FSMT's is the embedding of what its decoder reads as well, which is called with ids: of these all are needed.
    if count is None or not inputs[0].is_floating_point():
        return None
    return (inputs[0][:, :count], *inputs[1:])


def _seen(layers: Sequence[Tensor], rest: Sequence[Tensor] | None = None) -> list[Captured]:
    """What the library reports of each layer, `[batch, head, query, key]`; `rest` is of the same softmaxes."""
    found = []
    for number, weights in enumerate(layers):  # those of half precision do not quite sum to 1
        exact = weights[:1].float().cpu()
        if weights.dtype != torch.float32:
            parts = (exact, *([rest[number][:1].float().cpu()] if rest else []))
            exact = exact / sum(part.sum(-1, keepdim=True) for part in parts)
        found.append(Captured(compact(exact, len(layers), HALF_ABOVE)))
    return found


class BlockSparse:
    """Such an encoder, to be called as itself, which stays what it is.

    transformers' own switches to full attention for good when it reads something short, and whatever it reads after
    that comes out otherwise than from the model as it was loaded. Here a copy reads what is short; the two share all
    parameters.
    """

    def __init__(self, encoder: Any) -> None:
        shared = {id(tensor): tensor for tensor in (*encoder.parameters(), *encoder.buffers())}
        self._sparse, self._full = encoder, copy.deepcopy(encoder, shared)
        self._full.set_attention_type("original_full")
        config = encoder.config
        # Two blocks that all attend to, three beside each other and the random ones, which the library counts twice.
        self._most_in_full = (5 + 2 * config.num_random_blocks) * config.block_size

    @staticmethod
    def is_one(encoder: Any) -> bool:
        """Whether an encoder is to be wrapped."""
        return bool(getattr(encoder, "attention_type", None) == "block_sparse")

    def __call__(self, input_ids: Tensor, **rest: Any) -> Any:
        """What the encoder makes of ids `[1, position]`."""
        return (self._full if input_ids.shape[1] <= self._most_in_full else self._sparse)(input_ids=input_ids, **rest)
