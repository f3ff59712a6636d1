"""The encoder's pass over a window and a teacher-forced decoder pass over an output: what both attend to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xattn_viz.attention.capture import Captured, Site, recording
from xattn_viz.core.maps import MapKind
from xattn_viz.models.base import InputError, OnStep, report
from xattn_viz.models.families.whisper.recorded import pool
from xattn_viz.models.families.whisper.settings import Settings
from xattn_viz.models.settings import Size

MAX_MAP_BYTES = 1 << 30  # of all maps of one trace, float32
_ENCODER_BYTES = 1 << 28  # of encoder maps that lie in memory before they are pooled


@dataclass(frozen=True)
class Runner:
    """A loaded model and where its attention modules are."""

    model: Any
    sites: Mapping[nn.Module, Site]
    size: Size

    def __post_init__(self) -> None:
        for layer in self.model.get_encoder().layers:
            layer.register_forward_pre_hook(_ask)

    def encode(self, values: NDArray[np.float32], settings: Settings) -> Any:
        """What the encoder makes of a log-mel `[mel, frame]` or samples `[sample]`."""
        with self.watch(settings):
            return self._encoder(values)

    def encoder_weights(self, values: NDArray[np.float32], count: int, settings: Settings) -> NDArray[np.float32]:
        """The encoder's attention in pools of `POOLED_FRAMES`, `[layer, head, query, key]`; `count` is its frames.

        Whole, it would take 9 MB a head. So the encoder runs as often as it needs to keep few layers at a time.

        Raises InputError where heads of the encoder are switched off and all layers would be needed at once.
        """
        wanted: tuple[MapKind, ...] = ("encoder",)
        mine = [(module, site) for module, site in self.sites.items() if site.kind == "encoder"]
        together = max(1, _ENCODER_BYTES // (4 * max(self.size.heads["encoder"]) * count * count))
        if any(kind == "encoder" for kind, _, _ in settings.ablate):
            if len(mine) > 4 * together:
                raise InputError("This encoder is too large to show its maps while heads of it are switched off.")
            together = len(mine)
        pooled: dict[int, NDArray[np.float32]] = {}
        for start in range(0, len(mine), together):
            some = dict(mine[start : start + together])
            with recording(some, wanted, ablate=settings.ablate) as seen:
                self._encoder(values)
            for site in some.values():
                pooled[site.layer] = pool(seen.captured.pop(site)[-1].weights[0].numpy())
        return np.stack([pooled[layer] for layer in sorted(pooled)])

    def watch(self, settings: Settings, kinds: Sequence[MapKind] = ()) -> Any:
        """A block in which the maps of these kinds are recorded and the heads switched off."""
        return recording(self.sites, kinds, ablate=settings.ablate, projections=settings.keep_projections)

    def replay(
        self, encoded: Any, start: int, output: Sequence[int], settings: Settings
    ) -> tuple[dict[MapKind, list[Captured]], Tensor]:
        """The decoder's maps of an output, by kind and layer, and its logits `[query, id]`."""
        kinds: list[MapKind] = [kind for kind in settings.kinds if kind != "encoder"]
        self._check_size(kinds, len(output), encoded.last_hidden_state.shape[1])
        with self.watch(settings, kinds) as seen:
            out = self.model(
                encoder_outputs=encoded,
                decoder_input_ids=torch.tensor([[start, *output[:-1]]], device=self.model.device),
                use_cache=False,
                return_dict=True,
            )
        return {kind: seen.layers(kind) for kind in kinds}, out.logits[0]

    def _encoder(self, values: NDArray[np.float32]) -> Any:
        tensor = torch.tensor(values).unsqueeze(0)  # a copy: the values may be read-only
        tensor = tensor.to(device=self.model.device, dtype=self.model.dtype)
        return self.model.get_encoder()(tensor, return_dict=True)

    def _check_size(self, kinds: Sequence[MapKind], output: int, frames: int) -> None:
        cells = {"cross": output * frames, "decoder": output * output}
        needed = 4 * sum(sum(self.size.heads[kind]) * cells[kind] for kind in kinds)
        if needed > MAX_MAP_BYTES:
            raise InputError(
                f"The maps of {output:,} tokens would take {needed / 1e9:.1f} GB, more than the "
                f"{MAX_MAP_BYTES / 1e9:.1f} GB allowed: bound the output with max_new_tokens."
            )


_ON_STEP: ContextVar[OnStep | None] = ContextVar("on_step", default=None)


@contextmanager
def listening(on_step: OnStep | None) -> Iterator[None]:
    """A block in which `on_step` hears of 0 steps of 0 before each layer of the encoder, which can take seconds."""
    token = _ON_STEP.set(on_step)
    try:
        yield
    finally:
        _ON_STEP.reset(token)


def _ask(layer: nn.Module, inputs: object) -> None:
    report(_ON_STEP.get(), 0, 0)
