"""Traces from a Firefox Translations model: text in, translation and attention maps out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.text import check_text
from xattn_viz.models.base import Adapter, Hooks, InputError, ModelCard
from xattn_viz.models.engine.text import sentences
from xattn_viz.models.families.firefox.decoding import LENGTH_FACTOR
from xattn_viz.models.families.firefox.network import Network
from xattn_viz.models.families.firefox.run import Model, Run
from xattn_viz.models.families.firefox.text import MAX_TOKENS, Source, read_source
from xattn_viz.models.families.firefox.vocabulary import END, Tokens, Vocabulary
from xattn_viz.models.formats.shortlist import Shortlist
from xattn_viz.models.resources import held, turn
from xattn_viz.models.settings import Settings, Size


class FirefoxAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    lacks: ClassVar[Mapping[MapKind, str]] = {
        "decoder": "This model has no decoder self-attention: its decoder is recurrent (an SSRU)."
    }

    def __init__(
        self,
        card: ModelCard,
        network: Network,
        source: Vocabulary,
        target: Vocabulary,
        shortlist: Shortlist | None,
        weights_sha256: str,
    ) -> None:
        self.card, self.network, self.weights_sha256 = card, network, weights_sha256
        self.source, self.target, self.shortlist = source, target, shortlist
        heads: dict[MapKind, tuple[int, ...]] = {
            "cross": (network.size.n_heads,) * network.size.decoder_layers,
            "encoder": (network.size.n_heads,) * network.size.encoder_layers,
        }
        self.size = Size(heads, network.size.target_vocabulary)
        self._model = Model(card, network, target, weights_sha256)
        self.memory = held(network, *(() if shortlist is None else (shortlist.offsets, shortlist.ids)))

    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:
        """Translate one segment and return its maps; see `Adapter.trace`.

        The option `shortlist` (True) restricts the choice of tokens as Firefox does. Tokens of a `target` or `prefix`
        are scored over the whole vocabulary. Of a longer input the first 512 tokens are read; a note says so.
        """
        source = read_source(self.source, input)
        forced, whole = self._forced(settings)
        with turn(hooks.on_step), torch.inference_mode():
            run = Run.start(self._model, settings, source, self._allowed(source, settings))
            generated = None if whole else run.generate(forced, hooks)
            trace = run.trace(forced, generated)
        return trace.with_notes(*self._notes(trace, settings))

    def translate(self, input: str, *, shortlist: bool = True) -> str:
        """Only the translation of one segment: no maps, no probabilities. Raises InputError as `trace` does."""
        source, settings = read_source(self.source, input), replace(self.check(shortlist=shortlist), kinds=())
        with turn(), torch.inference_mode():
            ids = Run.start(self._model, settings, source, self._allowed(source, settings)).generate(None, Hooks()).ids
        return self.target.decode([i for i in ids if i != END]).text

    def _traces(self, input: Any, *, whole_text: bool = False, **settings: Any) -> Iterator[Trace]:
        """Yield the trace of each sentence, or of the whole text as one segment when `whole_text`.

        Of a text the first 100 sentences are traced; the notes of the first trace say so. `settings` are those of
        `trace`.
        """
        text = check_text(input)
        language = self.card.source_language or "en"
        for segment in sentences(text, language, whole_text):
            trace = self.trace(text[segment.start : segment.end], **settings)
            yield segment.place(trace)

    def _forced(self, settings: Settings) -> tuple[Tokens | None, bool]:
        """The tokens of the output that are given, without `</s>`, and whether they are all of it."""
        whole = settings.target is not None
        given = settings.target if whole else settings.prefix
        if given is None:
            return None, False
        name = "target" if whole else "prefix"
        if isinstance(given, str):
            tokens = self.target.encode(check_text(given, name))
        else:
            whole = given[-1] == END
            tokens = self.target.decode(given[:-1] if whole else given)
        most = int(MAX_TOKENS * LENGTH_FACTOR)
        if len(tokens.ids) > most:
            raise InputError(f"The {name} has {len(tokens.ids):,} tokens; this model can take at most {most:,}.")
        return tokens, whole

    def _allowed(self, source: Source, settings: Settings) -> Tensor | None:
        if self.shortlist is None or not settings.options["shortlist"]:
            return None
        return torch.from_numpy(self.shortlist.allowed(list(source.tokens.ids), len(self.target)))

    def _notes(self, trace: Trace, settings: Settings) -> list[str]:
        notes = []
        if trace.steps[-1].id != END:
            notes.append(f"The model was stopped after {len(trace.steps)} tokens, before it ended the sentence.")
        if settings.options["shortlist"] and self.shortlist is None and not trace.steps[-1].forced:
            notes.append("This model has no shortlist, so every token of its vocabulary was scored.")
        return notes
