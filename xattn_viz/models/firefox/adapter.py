"""Traces from a Firefox Translations model: text in, translation and attention maps out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from xattn_viz.maps import MapKind
from xattn_viz.models.base import Adapter, Head, InputError, ModelCard, OnStep
from xattn_viz.models.firefox.capture import Recorder
from xattn_viz.models.firefox.decoding import LENGTH_FACTOR, START, Choice, Generated, greedy, steps
from xattn_viz.models.firefox.network import Ablated, Memory, Network
from xattn_viz.models.firefox.settings import Settings, provenance
from xattn_viz.models.firefox.text import MAX_TOKENS, Source, read_source
from xattn_viz.models.firefox.vocabulary import END, Tokens, Vocabulary
from xattn_viz.models.formats.shortlist import Shortlist
from xattn_viz.models.gate import turn
from xattn_viz.models.segments import check_text, sentences
from xattn_viz.trace import Step, Trace


class FirefoxAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

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

    def trace(
        self,
        input: Any,
        *,
        target: str | None = None,
        prefix: str | None = None,
        num_beams: int = 1,
        kinds: Sequence[MapKind] = ("cross",),
        ablate: Sequence[Head] = (),
        keep_projections: bool = False,
        on_step: OnStep | None = None,
        **options: Any,
    ) -> Trace:
        """Translate one segment and return its maps; see `Adapter.trace`.

        The option `shortlist` (True) restricts the choice of tokens as Firefox does. Tokens of a `target` or `prefix`
        are scored over the whole vocabulary. Of a longer input the first 512 tokens are read; `provenance["notes"]`
        says so.
        """
        settings = Settings.check(
            self.card, self.network.size, target, prefix, num_beams, kinds, ablate, keep_projections, options
        )
        source = read_source(self.source, input)
        forced = self._forced(settings)
        with turn(on_step), torch.inference_mode():
            return self._run(source, settings, forced, on_step)

    def translate(self, input: str, *, shortlist: bool = True) -> str:
        """Only the translation of one segment: no maps, no probabilities. Raises InputError as `trace` does."""
        source = read_source(self.source, input)
        with turn(), torch.inference_mode():
            memory = self.network.remember(self.network.encode(torch.tensor([source.tokens.ids])))
            choice = Choice.of(self.network, self._allowed(source, shortlist))
            ids = greedy(self.network, memory, choice, _limit(source)).ids
        return self.target.decode([i for i in ids if i != END]).text

    def traces(self, input: Any, *, whole_text: bool = False, **settings: Any) -> Iterator[Trace]:
        """Yield the trace of each sentence, or of the whole text as one segment when `whole_text`.

        Of a text the first 100 sentences are traced; the notes of the first trace say so. `settings` are those of
        `trace`.
        """
        text = check_text(input)
        language = self.card.source_language or "en"
        for segment in sentences(text, language, whole_text):
            trace = self.trace(text[segment.start : segment.end], **settings)
            yield segment.place(trace)

    def _forced(self, settings: Settings) -> Tokens | None:
        """The tokens that the output is made of (`target`) or begins with (`prefix`)."""
        text = settings.target if settings.target is not None else settings.prefix
        if text is None:
            return None
        tokens = self.target.encode(check_text(text, "target" if settings.target is not None else "prefix"))
        most = int(MAX_TOKENS * LENGTH_FACTOR)
        if len(tokens.ids) > most:
            raise InputError(f"The output given has {len(tokens.ids):,} tokens; at most {most:,} can be scored.")
        return tokens

    def _allowed(self, source: Source, shortlist: bool) -> Tensor | None:
        if self.shortlist is None or not shortlist:
            return None
        return torch.from_numpy(self.shortlist.allowed(list(source.tokens.ids), len(self.target)))

    def _run(self, source: Source, settings: Settings, forced: Tokens | None, on_step: OnStep | None) -> Trace:
        network, off = self.network, settings.ablated
        recorder = Recorder(settings.kinds, settings.keep_projections)
        ids = torch.tensor([source.tokens.ids])
        encoded = network.encode(ids, ablated=off("encoder"), capture=recorder.of("encoder"))
        memory = network.remember(encoded)
        choice, generated = None, None
        if settings.target is None:
            choice = Choice.of(network, self._allowed(source, settings.shortlist))
            prefix = forced.ids if forced else ()
            limit = len(prefix) + _limit(source)
            generated = greedy(network, memory, choice, limit, prefix=prefix, ablated=off("cross"), on_step=on_step)
        output = self._output(forced, generated)
        hidden = self._replay(output, memory, off("cross"), recorder)
        made = self._steps(output, hidden, choice, generated)
        notes = [*source.notes]
        if output.ids[-1] != END:
            notes.append(f"The model was stopped after {len(output.ids)} tokens, before it ended the sentence.")
        if settings.shortlist and settings.target is None and self.shortlist is None:
            notes.append("This model has no shortlist, so every token of its vocabulary was scored.")
        return Trace(
            recorder.maps(output.axis(), source.tokens.axis(), settings.ablate),
            source.tokens.text,
            output.text,
            tuple(made),
            provenance=provenance(self.card.name, self.weights_sha256, settings, source.tokens.text, notes),
        )

    def _output(self, forced: Tokens | None, generated: Generated | None) -> Tokens:
        """All tokens of the output, with `</s>` where it came; a target always ends."""
        if generated is None:
            assert forced is not None  # noqa: S101 - only a target goes without generation
            return forced.ended()
        ended = bool(generated.ids) and generated.ids[-1] == END
        tokens = self.target.decode(generated.ids[:-1] if ended else generated.ids, forced)
        return tokens.ended() if ended else tokens

    def _replay(self, output: Tokens, memory: Memory, ablated: Ablated, recorder: Recorder) -> Tensor:
        """One pass over the whole output, which records the maps: `[query, d_model]`."""
        read = torch.tensor([[START, *output.ids[:-1]]])
        hidden, _ = self.network.decode(read, memory, ablated, recorder.of("cross"))
        return hidden[0]

    def _steps(self, output: Tokens, hidden: Tensor, choice: Choice | None, generated: Generated | None) -> list[Step]:
        readable = self.target.readable
        free = len(generated.ids) if generated else 0
        n_forced = len(output.ids) - free
        logits = self.network.output(hidden[:n_forced])
        made = steps(logits, output.ids[:n_forced], None, readable, forced=True) if n_forced else []
        if generated and choice:
            made += steps(generated.logits, generated.ids, choice.ids, readable, forced=False)
        return made


def _limit(source: Source) -> int:
    return int(LENGTH_FACTOR * len(source.tokens.ids))
