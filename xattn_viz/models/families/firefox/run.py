"""One run on one source: what was encoded, from which the trace of a finished or a partial output is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sentencepiece
import torch
from torch import Tensor

from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Step, Trace
from xattn_viz.models.base import Hooks, ModelCard
from xattn_viz.models.families.firefox.capture import Recorder
from xattn_viz.models.families.firefox.decoding import LENGTH_FACTOR, START, Choice, Generated, greedy, steps
from xattn_viz.models.families.firefox.network import Memory, Network
from xattn_viz.models.families.firefox.text import Source
from xattn_viz.models.families.firefox.vocabulary import END, Tokens, Vocabulary
from xattn_viz.models.provenance import Identity, provenance
from xattn_viz.models.settings import Settings


@dataclass(frozen=True)
class Model:
    """A loaded model: its card, its network, the vocabulary that it writes in, and the digest of its weights."""

    card: ModelCard
    network: Network
    target: Vocabulary
    weights_sha256: str


@dataclass(frozen=True)
class Run:
    """A source that was encoded, with the run's settings and the tokens that may be chosen."""

    model: Model
    settings: Settings
    source: Source
    memory: Memory
    encoder: Recorder | None
    choice: Choice

    @classmethod
    def start(cls, model: Model, settings: Settings, source: Source, allowed: Tensor | None) -> Run:
        """Encode a source. `allowed` `[allowed]` are the ids that may be chosen, None for all."""
        network = model.network
        encoder = Recorder(settings.keep_projections) if "encoder" in settings.kinds else None
        ids = torch.tensor([source.tokens.ids])
        encoded = network.encode(ids, ablated=settings.ablated("encoder"), capture=encoder)
        return cls(model, settings, source, network.remember(encoded), encoder, Choice.of(network, allowed))

    def generate(self, forced: Tokens | None, hooks: Hooks) -> Generated:
        """What the model writes behind the tokens that are given."""

        def show(ids: Sequence[int], logits: Sequence[Tensor]) -> None:
            hooks.show(lambda: self.trace(forced, Generated([*ids], torch.stack([*logits]))))

        prefix, ablated = forced.ids if forced else (), self.settings.ablated("cross")
        most = int(LENGTH_FACTOR * len(self.source.tokens.ids))
        limit = len(prefix) + min(most, self.settings.max_new_tokens or most)
        return greedy(
            self.model.network,
            self.memory,
            self.choice,
            limit,
            prefix=prefix,
            ablated=ablated,
            on_step=hooks.on_step,
            on_written=show,
        )

    def trace(self, forced: Tokens | None, generated: Generated | None) -> Trace:
        """The trace of an output: the tokens that were given, then those generated; without these it ends."""
        output = self._output(forced, generated)
        cross = Recorder(self.settings.keep_projections)
        hidden = self._replay(output, cross)
        source, text, model = self.source.tokens.axis(), self.source.tokens.text, self.model
        maps: list[AttentionMaps] = []
        for kind in self.settings.kinds:
            if kind == "cross":
                maps.append(cross.maps(kind, output.axis(), source, self.settings.ablate))
            elif self.encoder is not None:
                maps.append(self.encoder.maps(kind, source, source, self.settings.ablate))
        return Trace(
            tuple(maps),
            text,
            output.text,
            tuple(self._steps(output, hidden, generated)),
            provenance=provenance_of(model.card.name, model.weights_sha256, self.settings, text),
        ).with_notes(*self.source.notes)

    def _output(self, forced: Tokens | None, generated: Generated | None) -> Tokens:
        """All tokens of the output, with `</s>` where it came; an output that was given as a whole always ends."""
        if generated is None:
            assert forced is not None  # noqa: S101 - only what is given goes without generation
            return forced.ended()
        ended = bool(generated.ids) and generated.ids[-1] == END
        tokens = self.model.target.decode(generated.ids[:-1] if ended else generated.ids, forced)
        return tokens.ended() if ended else tokens

    def _replay(self, output: Tokens, recorder: Recorder) -> Tensor:
        """One pass over the whole output, which records the cross map: `[query, d_model]`."""
        read = torch.tensor([[START, *output.ids[:-1]]])
        hidden, _ = self.model.network.decode(read, self.memory, self.settings.ablated("cross"), recorder)
        return hidden[0]

    def _steps(self, output: Tokens, hidden: Tensor, generated: Generated | None) -> list[Step]:
        readable = self.model.target.readable
        n_forced = len(output.ids) - (len(generated.ids) if generated else 0)
        logits = self.model.network.output(hidden[:n_forced])
        made = steps(logits, output.ids[:n_forced], None, readable, forced=True) if n_forced else []
        if generated:
            made += steps(generated.logits, generated.ids, self.choice.ids, readable, forced=False)
        return made


_LIBRARIES = (torch, np, sentencepiece)


def provenance_of(name: str, weights_sha256: str, settings: Settings, text: str) -> dict[str, Any]:
    """Everything needed to run again, as JSON values."""
    identity = Identity(name, None, weights_sha256, "float32", "cpu")
    return provenance(identity, settings.as_keywords(), _decoding(settings), text, _LIBRARIES)


def _decoding(settings: Settings) -> dict[str, Any]:
    if settings.target is not None:
        return {"method": "none: the target was given", "scored_over": "the whole vocabulary"}
    method = {"method": "greedy", "max_length_factor": LENGTH_FACTOR, "suppressed": ["<unk>"]}
    return {**method, "scored_over": "the shortlist" if settings.options["shortlist"] else "the whole vocabulary"}
