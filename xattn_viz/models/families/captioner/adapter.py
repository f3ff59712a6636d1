"""Traces from a model that reads a picture: pixels in, text and attention maps out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from xattn_viz.core.axis import Axis
from xattn_viz.core.trace import Note
from xattn_viz.models import outside
from xattn_viz.models.base import ModelCard
from xattn_viz.models.engine.adapter import EncoderDecoderAdapter
from xattn_viz.models.engine.network import Runner
from xattn_viz.models.engine.run import Source
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.engine.tokens import Tokens
from xattn_viz.models.provenance import Identity
from xattn_viz.models.settings import Settings, Size
from xattn_viz.models.sight import Eyes

#: The name of the option that says what a model of several tasks (Donut) shall do.
TASK = "task_prompt"


class CaptionerAdapter(EncoderDecoderAdapter):
    """One loaded model that reads pictures.

    The input of a trace is the picture as the model saw it. Keys are its patches, row by row, behind positions for all
    of it that are special.
    """

    def __init__(
        self,
        card: ModelCard,
        identity: Identity,
        runner: Runner,
        tokenizer: Any,
        size: Size,
        eyes: Eyes,
        axis: Axis,
    ) -> None:
        super().__init__(card, identity, runner, tokenizer, size)
        self.eyes, self._axis, self._tokenizer = eyes, axis, tokenizer

    def _source(self, input: Any, settings: Settings) -> tuple[Source, tuple[str | Note, ...]]:
        picture, model = self.eyes.see(input), self.runner.model
        values = self.eyes.values(picture).to(device=model.device, dtype=model.dtype)
        return Source({"pixel_values": values}, self._axis, picture), outside.notes(self.card, picture)

    def _frame(self, settings: Settings) -> Frame:
        frame = Frame.of(self.runner.writer, None, ())
        task = settings.choice(TASK)
        return frame if task is None else replace(frame, start=int(self._tokenizer.convert_tokens_to_ids(task)))

    def _target(self, text: str, settings: Settings) -> Tokens:
        """The tokens of an output without the start that its tokenizer puts before any text."""
        tokens = self.text.target(text)
        columns = list(zip(tokens.ids, tokens.spans, tokens.pieces, tokens.special, strict=True))
        while columns and columns[0][3] and columns[0][1] == (0, 0):
            columns.pop(0)
        ids, spans, pieces, special = zip(*columns, strict=True) if columns else ((), (), (), ())
        return Tokens(tokens.text, ids, spans, pieces, special)
