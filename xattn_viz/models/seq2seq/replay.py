"""One teacher-forced pass over outputs that are known: their attention, and what the model thought of each token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xattn_viz.axis import Axis
from xattn_viz.capture import Recording, Seen, Site, recording
from xattn_viz.maps import AttentionMaps, MapKind, Projections
from xattn_viz.models.seq2seq.decoding import Frame, repeated
from xattn_viz.models.seq2seq.settings import Settings

# Logits of one batch: 64 Mi float32, 256 MB.
_MOST_LOGITS = 1 << 26


@dataclass(frozen=True)
class Runner:
    """A loaded model and where its attention modules are; no sites for a model that runs with its own attention."""

    model: Any
    sites: Mapping[nn.Module, Site]

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
            return out, [_seen(weights) for weights in out.attentions] if wanted else []
        with self.watch(settings, ("encoder",) if wanted else ()) as seen:
            out = encoder(input_ids=source, attention_mask=mask, return_dict=True)
        return out, seen.layers("encoder")

    def watch(self, settings: Settings, kinds: Sequence[MapKind] = ()) -> Any:
        """A block in which the first item's maps of these kinds are recorded and the heads switched off."""
        first = slice(0, 1)
        return recording(self.sites, kinds, ablate=settings.ablate, projections=settings.keep_projections, items=first)

    def replay(
        self, encoded: Any, outputs: Sequence[Sequence[int]], frame: Frame, settings: Settings
    ) -> tuple[dict[MapKind, list[Seen]], Tensor, list[float]]:
        """The decoder's maps and logits `[query, id]` of the first output, and the log-probability of every output."""
        longest = max(map(len, outputs))
        logits_each = longest * self.model.config.get_text_config(decoder=True).vocab_size
        size = 1 if self.native else max(1, _MOST_LOGITS // logits_each)
        kinds: list[MapKind] = [kind for kind in settings.kinds if kind != "encoder"]
        maps: dict[MapKind, list[Seen]] = {}
        first: Tensor | None = None
        totals: list[float] = []
        for begin in range(0, len(outputs), size):
            batch = outputs[begin : begin + size]
            with self.watch(settings, () if begin else kinds) as seen:
                out = self._decode(encoded, batch, frame, bool(kinds) and not begin)
            if first is None:
                first = out.logits[0, : len(batch[0])]
                maps = {kind: self._layers(kind, out, seen, len(batch[0])) for kind in kinds}
            totals += [log_prob(logits, ids) for logits, ids in zip(out.logits, batch, strict=True)]
        assert first is not None  # noqa: S101 - there is at least one output
        return maps, first, totals

    def _decode(self, encoded: Any, batch: Sequence[Sequence[int]], frame: Frame, attentions: bool) -> Any:
        """One pass of the decoder: each output behind its start token, shorter ones filled up at their end."""
        longest = max(map(len, batch))
        read = [[frame.start, *ids[:-1], *[frame.ends[0]] * (longest - len(ids))] for ids in batch]
        encoded = repeated(encoded, len(batch))
        shape, device = encoded.last_hidden_state.shape[:2], self.model.device
        return self.model(
            encoder_outputs=encoded,
            attention_mask=torch.ones(shape, dtype=torch.long, device=device),
            decoder_input_ids=torch.tensor(read, device=device),
            use_cache=False,
            return_dict=True,
            **({"output_attentions": True} if self.native and attentions else {}),
        )

    def _layers(self, kind: MapKind, out: Any, seen: Recording, rows: int) -> list[Seen]:
        if self.native:
            return [_seen(weights) for weights in (out.cross_attentions if kind == "cross" else out.decoder_attentions)]
        return [_cropped(layer, kind, rows) for layer in seen.layers(kind)]


def log_prob(logits: Tensor, ids: Sequence[int]) -> float:
    """The natural-log probability of an output from its logits `[query, id]`."""
    log_probs = logits[: len(ids)].float().log_softmax(-1)
    chosen = log_probs.gather(1, torch.tensor(ids, device=logits.device).unsqueeze(1))
    return min(float(chosen.sum()), 0.0)


def attention_maps(
    kind: MapKind, layers: Sequence[Seen], queries: Axis, keys: Axis, read: Axis | None, settings: Settings
) -> AttentionMaps:
    """What the layers did with the one item of the batch, as maps."""
    weights = np.stack([layer.weights[0].numpy() for layer in layers])
    projections = None
    if settings.keep_projections:
        q, k = (np.stack([_array(getattr(layer, name)) for layer in layers]) for name in ("queries", "keys"))
        projections = Projections(q, k, layers[0].scale, _biases(layers))
    altered = any(head[0] == kind for head in settings.ablate)
    return AttentionMaps(
        weights,
        queries,
        keys,
        kind,
        tuple(range(len(layers))),
        read=read,
        projections=projections,
        altered=("ablated",) if altered else (),
    )


def _seen(weights: Tensor) -> Seen:
    """What the library reports, `[batch, head, query, key]`; its half-precision rows do not quite sum to 1."""
    exact = weights[:1].float().cpu()
    return Seen(exact if weights.dtype == torch.float32 else exact / exact.sum(-1, keepdim=True))


def _cropped(layer: Seen, kind: MapKind, rows: int) -> Seen:
    """A layer without the rows (in the decoder's own map also the columns) that only filled up the batch."""
    keys = rows if kind == "decoder" else layer.weights.shape[3]
    bias = None if layer.bias is None else layer.bias[..., :rows, :keys]
    q = None if layer.queries is None else layer.queries[:, :, :rows]
    k = None if layer.keys is None else layer.keys[:, :, :keys]
    return Seen(layer.weights[:, :, :rows, :keys], q, k, bias, layer.scale)


def _biases(layers: Sequence[Seen]) -> NDArray[np.float32] | None:
    """What was added to the scores, to be broadcast to `[layer, head, query, key]`; None where it was nothing."""
    if all(layer.bias is None for layer in layers):
        return None
    each = [torch.zeros(1, 1, 1, 1) if layer.bias is None else layer.bias for layer in layers]
    return np.stack(np.broadcast_arrays(*(bias[0].numpy() for bias in each)))


def _array(tensor: Tensor | None) -> NDArray[np.float32]:
    assert tensor is not None  # noqa: S101 - projections were asked for
    return tensor[0].numpy()
