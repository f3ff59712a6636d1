"""Traces from an encoder-decoder of transformers that writes text; what its encoder reads is the family's own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.text import check_text
from xattn_viz.models.base import Adapter, Head, InputError, ModelCard, OnPartial, OnStep
from xattn_viz.models.engine.network import Runner
from xattn_viz.models.engine.run import Model, Run, Source
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.engine.settings import Settings, Size, check
from xattn_viz.models.engine.tokens import Text, Tokens
from xattn_viz.models.partial import Partials
from xattn_viz.models.provenance import Identity
from xattn_viz.models.resources import held, turn


class EncoderDecoderAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    def __init__(self, card: ModelCard, identity: Identity, runner: Runner, tokenizer: Any, size: Size) -> None:
        self.card, self.runner, self.text = card, runner, Text(tokenizer)
        self.model = Model(runner, self.text, identity, size)
        self.memory = held(runner.model)
        self.can_keep_projections = not runner.native

    @abstractmethod
    def _source(self, input: Any, settings: Settings) -> tuple[Source, tuple[str, ...]]:
        """What the encoder reads of an input, and notes for people. Raises InputError."""

    @abstractmethod
    def _frame(self, settings: Settings) -> Frame:
        """What stands around the tokens of an output."""

    def _target(self, text: str, settings: Settings) -> Tokens:
        """The tokens of an output that is given, as labels."""
        return self.text.target(text)

    def _trace(
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
        source, notes = self._source(input, settings)
        frame = self._frame(settings)
        whole, begin = self._given(settings, frame)
        with turn(on_step), torch.inference_mode():
            run = Run.start(self.model, settings, frame, source, notes)
            if whole is not None:
                return run.trace(whole, len(whole.ids))
            live = Partials(on_partial)
            outputs = run.generate(begin, on_step, lambda ids: live.show(lambda: run.partial(ids, len(begin))))
            return run.finish(outputs, len(begin))

    def plain(self, input: Any, *, num_beams: int = 1, **options: Any) -> str:
        """Only the output: generation with nothing recorded, no probabilities."""
        asked = check(self.card, self.model.size, self.runner.native, options, num_beams=num_beams)
        settings = replace(asked, kinds=())
        source, _ = self._source(self.read_input(input), settings)
        with turn(), torch.inference_mode():
            found = Run.start(self.model, settings, self._frame(settings), source).generate()
        return self.text.plain(found[0].ids)

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
        return frame.framed(self._target(check_text(text, name), settings), self.text.piece)


def _check_length(ids: Sequence[int], name: str, most: int) -> None:
    if len(ids) > most:
        raise InputError(f"The {name} has {len(ids):,} tokens; this model can take at most {most:,}.")
