"""Traces from a text encoder-decoder of transformers: text in, text and attention maps out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from xattn_viz.maps import MapKind
from xattn_viz.models.base import Adapter, Head, InputError, ModelCard, OnPartial, OnStep
from xattn_viz.models.gate import turn
from xattn_viz.models.partial import Partials
from xattn_viz.models.provenance import Identity
from xattn_viz.models.segments import check_text, sentences
from xattn_viz.models.seq2seq.frame import Frame
from xattn_viz.models.seq2seq.languages import language_id, prompt
from xattn_viz.models.seq2seq.replay import Runner
from xattn_viz.models.seq2seq.run import Model, Run
from xattn_viz.models.seq2seq.settings import Settings, Size, check
from xattn_viz.models.seq2seq.source import read_source
from xattn_viz.models.seq2seq.text import Text
from xattn_viz.models.tokens import Tokens
from xattn_viz.trace import Trace


class Seq2SeqAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    def __init__(self, card: ModelCard, identity: Identity, runner: Runner, tokenizer: Any, size: Size) -> None:
        self.card, self.runner, self.text, self._tokenizer = card, runner, Text(tokenizer), tokenizer
        self.model = Model(runner, self.text, identity, size)
        self.memory = sum(p.numel() * p.element_size() for p in runner.model.parameters())
        self.can_keep_projections = not runner.native
        self._two_sided = any(option.name == "source_language" for option in card.options)

    def trace(
        self,
        input: Any,
        *,
        target: str | None = None,
        prefix: str | Sequence[int] | None = None,
        num_beams: int = 1,
        kinds: Sequence[MapKind] = ("cross",),
        ablate: Sequence[Head] = (),
        keep_projections: bool = False,
        on_step: OnStep | None = None,
        on_partial: OnPartial | None = None,
        **options: Any,
    ) -> Trace:
        """Run the model on one segment and return its maps; see `Adapter.trace`.

        Besides the card's options: `max_new_tokens` bounds the output (else as the checkpoint says), `hypothesis`
        picks another of the beams than the best (0). Probabilities are over the whole vocabulary, before any of the
        checkpoint's own rules of generation; `hypotheses` are the other beams, with the log-probability of what the
        search chose (what was given or forced counts as certain).

        Input beyond the model's positions is cut, and `provenance["notes"]` says so.
        """
        settings = check(
            self.card,
            self.model.size,
            self.runner.native,
            options,
            target=target,
            prefix=prefix,
            num_beams=num_beams,
            kinds=kinds,
            ablate=ablate,
            keep_projections=keep_projections,
        )
        source, notes = self._source(check_text(input), settings)
        frame = self._frame(settings)
        whole, begin = self._given(settings, frame)
        with turn(on_step), torch.inference_mode():
            run = Run.start(self.model, settings, frame, source, notes)
            if whole is not None:
                return run.trace(whole, len(whole.ids))
            live = Partials(on_partial)
            outputs = run.generate(begin, on_step, lambda ids: live.show(lambda: run.partial(ids, len(begin))))
            return run.finish(outputs, len(begin))

    def traces(self, input: Any, *, whole_text: bool = False, **settings: Any) -> Iterator[Trace]:
        """Yield the trace of each sentence, or of the whole text as one segment when `whole_text`.

        Of a text the first 100 sentences are traced; the notes of the first trace say so. `settings` are those of
        `trace`.
        """
        text = check_text(input)
        language = str(settings.get("source_language") or self.card.source_language or "en")[:2]
        for segment in sentences(text, language, whole_text):
            yield segment.place(self.trace(text[segment.start : segment.end], **settings))

    def plain(self, input: str, *, num_beams: int = 1, **options: Any) -> str:
        """Only the output: generation with nothing recorded, no probabilities."""
        settings = Settings(num_beams=num_beams, kinds=(), options=options)
        source, _ = self._source(check_text(input), settings)
        with turn(), torch.inference_mode():
            found = Run.start(self.model, settings, self._frame(settings), source).generate()
        return self.text.plain(found[0].ids)

    def _source(self, text: str, settings: Settings) -> tuple[Tokens, tuple[str, ...]]:
        marian = not self._two_sided
        language = settings.chosen("source_language") if self._two_sided else None
        start = prompt(settings.options, marian=marian)
        return read_source(self.text, text, self.model.size.source, prompt=start, language=language)

    def _target_language(self, settings: Settings) -> str | None:
        return settings.chosen("target_language") if self._two_sided else None

    def _frame(self, settings: Settings) -> Frame:
        language = self._target_language(settings)
        code = None if language is None else language_id(self._tokenizer, language)
        labels = self.text.target("a", language=language).ids if code is not None else ()
        return Frame.of(self.runner.model, code, labels)

    def _given(self, settings: Settings, frame: Frame) -> tuple[Tokens | None, Sequence[int]]:
        """The whole output where it is given, else the ids that it begins with."""
        positions = self.model.size.output
        prefix = settings.prefix
        if settings.target is not None:
            whole = self._framed(settings.target, "target", settings, frame)
            _check_length(whole.ids, "target", positions)
            return whole, ()
        if isinstance(prefix, str):
            prefix = self._framed(prefix, "prefix", settings, frame).ids[:-1]
        if prefix and frame.is_end(prefix, len(prefix) - 1):
            _check_length(prefix, "prefix", positions)
            return self.text.output(prefix), ()
        _check_length(prefix or (), "prefix", positions - 2)  # the start, and at least one token to write
        return None, prefix or ()

    def _framed(self, text: str, name: str, settings: Settings, frame: Frame) -> Tokens:
        tokens = self.text.target(check_text(text, name), language=self._target_language(settings))
        return frame.framed(tokens, self.text.piece)


def _check_length(ids: Sequence[int], name: str, most: int) -> None:
    if len(ids) > most:
        raise InputError(f"The {name} has {len(ids):,} tokens; this model can take at most {most:,}.")
