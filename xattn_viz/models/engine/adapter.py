"""Traces from an encoder-decoder of transformers that writes text; what its encoder reads is the family's own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from xattn_viz.core.trace import Note, Trace
from xattn_viz.inputs.text import check_text
from xattn_viz.models.base import Adapter, Hooks, InputError, ModelCard
from xattn_viz.models.engine.network import Runner
from xattn_viz.models.engine.run import Model, Run, Source
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.engine.tokens import Text, Tokens
from xattn_viz.models.provenance import Identity
from xattn_viz.models.resources import held, turn
from xattn_viz.models.settings import Settings, Size


class EncoderDecoderAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    def __init__(self, card: ModelCard, identity: Identity, runner: Runner, tokenizer: Any, size: Size) -> None:
        # The library's own attention neither ablates nor hands out q and k.
        self.card = replace(card, can=card.can - {"ablate", "project"}) if runner.native else card
        self.runner, self.text, self.size = runner, Text(tokenizer), size
        self.model = Model(runner, self.text, identity, size)
        self.memory = held(runner.model)

    @abstractmethod
    def _source(self, input: Any, settings: Settings) -> tuple[Source, tuple[str | Note, ...]]:
        """What the encoder reads of an input, and notes for people. Raises InputError."""

    @abstractmethod
    def _frame(self, settings: Settings) -> Frame:
        """What stands around the tokens of an output."""

    def _target(self, text: str, settings: Settings) -> Tokens:
        """The tokens of an output that is given, as labels."""
        return self.text.target(text)

    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:
        """The maps of one segment.

        Probabilities are over the whole vocabulary, before any of the checkpoint's own rules of generation;
        `hypotheses` are the other beams, with the log-probability of what the search chose (what was given or forced
        counts as certain).
        """
        source, notes = self._source(input, settings)
        frame = self._frame(settings)
        whole, begin = self._given(settings, frame)
        with turn(hooks.on_step), torch.inference_mode():
            run = Run.start(self.model, settings, frame, source, notes)
            if whole is not None:
                return run.trace(whole, len(whole.ids))
            show = lambda ids: hooks.show(lambda: run.partial(ids, len(begin)))  # noqa: E731
            outputs = run.generate(begin, hooks.on_step, show)
            return run.finish(outputs, len(begin))

    def plain(self, input: Any, *, num_beams: int = 1, **options: Any) -> str:
        """Only the output: generation with nothing recorded, no probabilities."""
        settings = replace(self.check(num_beams=num_beams, **options), kinds=())
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
