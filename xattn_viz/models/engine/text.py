"""Text on its way into a model: split into sentences, and cut to what the model can read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sentencex  # type: ignore[import-untyped]
import torch

from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError
from xattn_viz.inputs.text import check_text
from xattn_viz.models.engine.adapter import LARGE, EncoderDecoderAdapter
from xattn_viz.models.engine.network import Source
from xattn_viz.models.engine.tokens import Tokens
from xattn_viz.models.resources import check_free
from xattn_viz.models.settings import Settings

MAX_SENTENCES = 100


class TextAdapter(EncoderDecoderAdapter):
    """One loaded model that reads text. What it cannot read is cut, and a note says so."""

    @abstractmethod
    def _encoded(self, text: str, settings: Settings) -> Tokens:
        """The tokens of a source text as the encoder reads them."""

    def _traces(self, input: Any, *, whole_text: bool = False, **settings: Any) -> Iterator[Trace]:
        """Yield the trace of each sentence, or of the whole text as one segment when `whole_text`.

        Of a text the first `MAX_SENTENCES` are traced; the notes of the first trace say so. `settings` are those of
        `trace`.
        """
        text = check_text(input)
        bounds = [(0, len(text))]
        if not whole_text:
            found = sentencex.get_sentence_boundaries(self.card.language("source", settings) or "en", text)
            bounds = [(sentence["start_index"], sentence["end_index"]) for sentence in found]
        bounds = [(start, end) for start, end in bounds if text[start:end].strip()]
        for number, (start, end) in enumerate(bounds[:MAX_SENTENCES]):
            sentence = text[start:end]
            offset = start + len(sentence) - len(sentence.lstrip())
            trace = replace(self.trace(sentence.strip(), **settings), offset=offset)
            is_first_of_more = number == 0 and len(bounds) > MAX_SENTENCES
            note = f"Only the first {MAX_SENTENCES:,} of {len(bounds):,} sentences were traced."
            yield trace.with_notes(note) if is_first_of_more else trace

    def _source(self, input: Any, settings: Settings) -> Source:
        tokens, note = self.read(check_text(input), settings)
        length = len(tokens.ids)
        # An encoder that attends from every token to all others: a bias or the weights of a layer, in float32, and what
        # comes of them on the way.
        needed = 3 * 4 * max(self.size.heads.get("encoder", (0,))) * length * length
        if needed > LARGE:
            check_free(needed, f"Reading {length:,} source positions", "shorten the text", InputError)
        ids = torch.tensor([tokens.ids], device=self.network.device)
        read = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return Source(read, tokens.axis(), tokens.text, (note,) if note else ())

    def read(self, text: str, settings: Settings) -> tuple[Tokens, str]:
        """The tokens of a text, and a note for people where more than `size.source` would have to be read.

        The text is cut with them, at the end of a word where there is one, so that tracing what is left gives the same
        tokens again. Raises InputError for text that leaves no tokens.
        """
        limit, tokens = self.size.source, self._encoded(text, settings)
        whole = count = _own(tokens)
        most = limit - (len(tokens.ids) - count)
        while len(tokens.ids) > limit:
            tokens = self._encoded(_cut(tokens, most), settings)
            count = _own(tokens)
            most -= 1  # the shorter text may need one token more
        if count == 0:
            raise InputError("The text holds nothing that the model can read: type at least one word.")
        return tokens, f"Only the first {count:,} of {whole:,} tokens were read." if count < whole else ""


def _own(tokens: Tokens) -> int:
    return sum(not special for special in tokens.special)


def _cut(tokens: Tokens, count: int) -> str:
    ends = [end for (_, end), special in zip(tokens.spans, tokens.special, strict=True) if not special]
    end = ends[max(count, 1) - 1]
    text = tokens.text[:end]
    word_end = len(text.rstrip()) if tokens.text[end : end + 1].isspace() else text.rfind(" ")
    return text[:word_end] if word_end > end // 2 else text
