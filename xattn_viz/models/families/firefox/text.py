"""Text on its way into a model of this family: its tokens, cut to what can be shown."""

from __future__ import annotations

from dataclasses import dataclass

from xattn_viz.inputs.text import check_text
from xattn_viz.models.base import InputError
from xattn_viz.models.families.firefox.vocabulary import Tokens, Vocabulary

MAX_TOKENS = 512  # of one segment, </s> among them; a map of 512 x 1,280 tokens is 42 MB


@dataclass(frozen=True)
class Source:
    """What the encoder reads: its tokens with `</s>`, and sentences for people about what was left out."""

    tokens: Tokens
    notes: tuple[str, ...] = ()


def read_source(vocabulary: Vocabulary, text: object) -> Source:
    """The tokens of a text, cut where more than `MAX_TOKENS` would have to be read.

    The text is cut with them, at the end of a word where there is one, so that tracing what is left gives the same
    tokens again. Raises InputError as `check_text` does, and for text that leaves no tokens.
    """
    tokens = vocabulary.encode(check_text(text)).ended()
    count, most = len(tokens.ids), MAX_TOKENS
    while len(tokens.ids) > MAX_TOKENS:
        tokens = vocabulary.encode(_cut(tokens, most - 1)).ended()
        most -= 1  # the shorter text may need one token more
    if len(tokens.ids) == 1:
        raise InputError("The text holds nothing that the model can read: type at least one word.")
    notes: tuple[str, ...] = ()
    if len(tokens.ids) < count:
        notes = (f"Only the first {len(tokens.ids) - 1:,} of {count - 1:,} tokens were read.",)
    return Source(tokens, notes)


def _cut(tokens: Tokens, count: int) -> str:
    end = tokens.spans[count - 1][1]
    text = tokens.text[:end]
    word_end = len(text.rstrip()) if tokens.text[end : end + 1].isspace() else text.rfind(" ")
    return text[:word_end] if word_end > end // 2 else text
