"""Traces from a text encoder-decoder of transformers: text in, text and attention maps out."""

from __future__ import annotations

from typing import Any

from xattn_viz.models.base import ModelCard
from xattn_viz.models.engine.network import TransformersNetwork
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.engine.text import TextAdapter
from xattn_viz.models.engine.tokens import Text, Tokens
from xattn_viz.models.families.seq2seq.languages import language_id, prompt
from xattn_viz.models.provenance import Identity
from xattn_viz.models.settings import Settings


class Seq2SeqAdapter(TextAdapter):
    """One loaded model that reads text, with its tokenizer of transformers."""

    text: Text
    network: TransformersNetwork

    def __init__(self, card: ModelCard, identity: Identity, network: TransformersNetwork, tokenizer: Any) -> None:
        super().__init__(card, identity, network, Text(tokenizer), network.model)
        self._tokenizer = tokenizer
        self._two_sided = any(option.name == "source_language" for option in card.options)

    def _encoded(self, text: str, settings: Settings) -> Tokens:
        language = settings.choice("source_language") if self._two_sided else None
        return self.text.source(text, prompt=prompt(settings.options, marian=not self._two_sided), language=language)

    def _target_language(self, settings: Settings) -> str | None:
        return settings.choice("target_language") if self._two_sided else None

    def _target(self, text: str, frame: Frame, settings: Settings) -> Tokens:
        return frame.framed(self.text.target(text, language=self._target_language(settings)), self.text.piece)

    def _frame(self, encoded: Any, settings: Settings) -> Frame:
        language = self._target_language(settings)
        code = None if language is None else language_id(self._tokenizer, language)
        labels = self.text.target("a", language=language).ids if code is not None else ()
        return Frame.of(self.network.model, code, labels)
