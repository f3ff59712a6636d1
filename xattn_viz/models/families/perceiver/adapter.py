"""Traces from a Perceiver: pixels in, an answer and attention maps out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from xattn_viz.attention.capture import Site
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.trace import Answer as Answered
from xattn_viz.core.trace import Note, Trace
from xattn_viz.models import outside
from xattn_viz.models.base import Adapter, Hooks, ModelCard
from xattn_viz.models.engine.results import HALF_ABOVE, attention_maps
from xattn_viz.models.families.perceiver.answers import Answer, Question
from xattn_viz.models.families.perceiver.capture import Watch, watching
from xattn_viz.models.families.perceiver.inputs import Inputs
from xattn_viz.models.provenance import Identity, provenance
from xattn_viz.models.resources import held, turn
from xattn_viz.models.settings import Settings, Size
from xattn_viz.models.sight import Eyes


@dataclass(frozen=True)
class Model:
    """A loaded Perceiver: what each attention of one pass is, in order, what it reads, and what it is asked."""

    network: Any
    eyes: Eyes
    inputs: Inputs
    question: Question
    sites: tuple[Site, ...]
    size: Size
    identity: Identity


class PerceiverAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    def __init__(self, card: ModelCard, model: Model) -> None:
        # Of weights that are summed up there are no queries and keys.
        self.card = card if model.inputs.merged == 1 else replace(card, can=card.can - {"project"})
        self.model, self.size, self.memory = model, model.size, held(model.network)
        latents = model.network.config.num_latents
        self._latents = Axis("latent", labels=tuple(f"latent {number}" for number in range(1, latents + 1)))

    def check(self, *, keep_projections: bool = False, **asked: Any) -> Settings:
        """As `Adapter.check`: of what is summed up, the maps without queries and keys are traced all the same."""
        return super().check(keep_projections=keep_projections and "project" in self.card.can, **asked)

    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:
        """Look at a picture and return the answer and the maps; see `Adapter.trace`.

        Of the kinds, "cross" are the latents that read patches of the picture, "encoder" the
        latents that read each other, and "decoder" the queries of the decoder (the places of the picture, or the one
        of a classifier) that read latents: cross-attention too. Nothing is written token by token, so the trace has no
        steps; `answers` holds one for each place, or the likeliest classes.
        Where an input is a single pixel, weights are summed up over squares of them, and queries and keys not kept.

        Raises InputError for what is no picture, and for a `target` or a `prefix`.
        """
        picture = self.model.eyes.see(input)
        self._check_memory(settings)
        with turn(hooks.on_step), torch.inference_mode():
            hooks.report(0, len(self.model.sites))
            logits, watch = self._look(self.model.eyes.values(picture), settings, hooks)
        answer = self.model.question.answer(logits)
        maps = tuple(self._maps(kind, watch, answer, settings) for kind in settings.kinds)
        said = provenance(
            self.model.identity,
            settings.as_keywords(),
            {"method": "none: all is answered at once"},
            picture,
        )
        answers = tuple(Answered(text, probability) for text, probability in answer.likely)
        notes: tuple[str | Note, ...] = (
            *self.model.identity.notes,
            *outside.notes(self.card, picture),
            *self.model.inputs.notes,
        )
        return Trace(maps, picture, answer.text, provenance=said, answers=answers).with_notes(*notes)

    def _check_memory(self, settings: Settings) -> None:
        """Raise InputError where the maps, and what the model needs for them, do not fit into the free memory."""
        size, latents = self.model.size, len(self._latents)
        weights = sum(size.heads["encoder"]) * latents**2 if "encoder" in settings.kinds else 0
        # Twice: what each layer did, and the array that the layers are put into.
        self.model.inputs.check_memory(
            size.heads["cross"][0], latents, 2 * weights * (2 if weights > HALF_ABOVE else 4)
        )

    def _look(self, values: Tensor, settings: Settings, hooks: Hooks) -> tuple[Tensor, Watch]:
        """The logits of one pass and what was seen of it."""
        network, total = self.model.network, len(self.model.sites)
        off: dict[Site, list[int]] = {}
        for kind, layer, head in settings.ablate:
            off.setdefault(Site(kind, layer), []).append(head)
        watch = Watch(
            self.model.sites,
            settings.kinds,
            off,
            settings.keep_projections,
            self.model.inputs.pool,
            lambda done: hooks.report(done, total),
        )
        with watching(watch):
            logits = network(values.to(device=network.device, dtype=network.dtype)).logits[0]
        return logits.float().cpu(), watch

    def _maps(self, kind: MapKind, watch: Watch, answer: Answer, settings: Settings) -> AttentionMaps:
        queries = answer.asked if kind == "decoder" else self._latents
        keys = self.model.inputs.axis if kind == "cross" else self._latents
        maps = attention_maps(kind, watch.layers(kind), queries, keys, None, settings)
        is_pooled = kind == "cross" and self.model.inputs.merged > 1
        return replace(maps, altered=(*maps.altered, "aggregated")) if is_pooled else maps
