"""One teacher-forced pass over an output that is known: its attention, and what the model thought of each token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xattn_viz.capture import Site, recording
from xattn_viz.maps import MapKind
from xattn_viz.models.seq2seq.decoding import fresh
from xattn_viz.models.seq2seq.frame import Frame
from xattn_viz.models.seq2seq.limits import HALF_ABOVE
from xattn_viz.models.seq2seq.settings import Settings
from xattn_viz.weights import Seen, compact


@dataclass(frozen=True)
class Runner:
    """A loaded model and where its attention modules are; no sites for a model that runs with its own attention."""

    model: Any
    sites: Mapping[nn.Module, Site]

    def __post_init__(self) -> None:
        if (layer := self.model.get_output_embeddings()) is not None:
            layer.register_forward_pre_hook(_only_the_first)

    @property
    def native(self) -> bool:
        """Whether maps come from the library's own attention (`output_attentions`)."""
        return not self.sites

    def encode(self, source: Tensor, settings: Settings) -> tuple[Any, list[Seen]]:
        """What the encoder makes of `source` `[1, key]`, as transformers gives it, and its maps where wanted."""
        mask, wanted = torch.ones_like(source), "encoder" in settings.kinds
        encoder = self.model.get_encoder()
        if self.native:
            out = encoder(input_ids=source, attention_mask=mask, output_attentions=wanted, return_dict=True)
            return out, _seen(out.attentions) if wanted else []
        with self.watch(settings, ("encoder",) if wanted else ()) as seen:
            out = encoder(input_ids=source, attention_mask=mask, return_dict=True)
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
    ) -> tuple[dict[MapKind, list[Seen]], Tensor]:
        """The decoder's maps of an output, by kind and layer, and the logits `[query, id]` of its first `scored`.

        The output layer, the largest of a small model, computes no others.
        """
        kinds: list[MapKind] = [kind for kind in settings.kinds if kind != "encoder"]
        shape, device = encoded.last_hidden_state.shape[:2], self.model.device
        with self.watch(settings, kinds) as seen, _scoring(scored):
            out = self.model(
                encoder_outputs=fresh(encoded),
                attention_mask=torch.ones(shape, dtype=torch.long, device=device),
                decoder_input_ids=torch.tensor([[frame.start, *output[:-1]]], device=device),
                use_cache=False,
                return_dict=True,
                **({"output_attentions": True} if self.native and kinds else {}),
            )
        if not self.native:
            return {kind: seen.layers(kind) for kind in kinds}, out.logits[0, :scored]
        native = {"cross": out.cross_attentions, "decoder": out.decoder_attentions}
        return {kind: _seen(native[kind]) for kind in kinds}, out.logits[0, :scored]


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
    return None if count is None else (inputs[0][:, :count], *inputs[1:])


def _seen(layers: Sequence[Tensor]) -> list[Seen]:
    """What the library reports of each layer, `[batch, head, query, key]`."""
    found = []
    for weights in layers:  # those of half precision do not quite sum to 1
        exact = weights[:1].float().cpu()
        exact = exact if weights.dtype == torch.float32 else exact / exact.sum(-1, keepdim=True)
        found.append(Seen(compact(exact, len(layers), HALF_ABOVE)))
    return found
