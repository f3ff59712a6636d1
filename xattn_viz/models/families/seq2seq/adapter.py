"""Traces from a text encoder-decoder of transformers: text in, text and attention maps out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from xattn_viz.core.trace import Trace
from xattn_viz.inputs.text import check_text
from xattn_viz.models.base import ModelCard
from xattn_viz.models.engine.adapter import EncoderDecoderAdapter
from xattn_viz.models.engine.network import Runner
from xattn_viz.models.engine.run import Source
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.engine.text import sentences
from xattn_viz.models.engine.tokens import Tokens
from xattn_viz.models.families.seq2seq.languages import language_id, prompt
from xattn_viz.models.families.seq2seq.source import read_source
from xattn_viz.models.provenance import Identity
from xattn_viz.models.settings import Settings, Size


class Seq2SeqAdapter(EncoderDecoderAdapter):
    """One loaded model that reads text. What is beyond its positions is cut, and a note says so."""

    def __init__(self, card: ModelCard, identity: Identity, runner: Runner, tokenizer: Any, size: Size) -> None:
        super().__init__(card, identity, runner, tokenizer, size)
        self._tokenizer = tokenizer
        self._two_sided = any(option.name == "source_language" for option in card.options)

    def _traces(self, input: Any, *, whole_text: bool = False, **settings: Any) -> Iterator[Trace]:
        """Yield the trace of each sentence, or of the whole text as one segment when `whole_text`.

        Of a text the first 100 sentences are traced; the notes of the first trace say so. `settings` are those of
        `trace`.
        """
        text = check_text(input)
        language = self.card.language("source", settings) or "en"
        for segment in sentences(text, language, whole_text):
            yield segment.place(self.trace(text[segment.start : segment.end], **settings))

    def _source(self, input: Any, settings: Settings) -> tuple[Source, tuple[str, ...]]:
        language = settings.choice("source_language") if self._two_sided else None
        start = prompt(settings.options, marian=not self._two_sided)
        limit = self.model.size.source
        tokens, notes = read_source(self.text, check_text(input), limit, prompt=start, language=language)
        ids = torch.tensor([tokens.ids], device=self.runner.model.device)
        read = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return Source(read, tokens.axis(), tokens.text), notes

    def _target_language(self, settings: Settings) -> str | None:
        return settings.choice("target_language") if self._two_sided else None

    def _target(self, text: str, settings: Settings) -> Tokens:
        return self.text.target(text, language=self._target_language(settings))

    def _frame(self, settings: Settings) -> Frame:
        language = self._target_language(settings)
        code = None if language is None else language_id(self._tokenizer, language)
        labels = self.text.target("a", language=language).ids if code is not None else ()
        return Frame.of(self.runner.model, code, labels)
