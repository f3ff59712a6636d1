"""The source text as the encoder reads it, cut to what the model can read."""

from __future__ import annotations

from xattn_viz.models.base import InputError
from xattn_viz.models.engine.tokens import Text, Tokens


def read_source(
    text: Text, typed: str, limit: int, *, prompt: str, language: str | None
) -> tuple[Tokens, tuple[str, ...]]:
    """The tokens of a text, and a note for people where more than `limit` tokens would have to be read.

    The text is cut with them, at the end of a word where there is one, so that tracing what is left gives the same
    tokens again. Raises InputError for text that leaves no tokens.
    """
    tokens = text.source(typed, prompt=prompt, language=language)
    whole = count = _own(tokens)
    most = limit - (len(tokens.ids) - count)
    while len(tokens.ids) > limit:
        tokens = text.source(_cut(tokens, most), prompt=prompt, language=language)
        count = _own(tokens)
        most -= 1  # the shorter text may need one token more
    if count == 0:
        raise InputError("The text holds nothing that the model can read: type at least one word.")
    notes = (f"Only the first {count:,} of {whole:,} tokens were read.",) if count < whole else ()
    return tokens, notes


def _own(tokens: Tokens) -> int:
    return sum(not special for special in tokens.special)


def _cut(tokens: Tokens, count: int) -> str:
    ends = [end for (_, end), special in zip(tokens.spans, tokens.special, strict=True) if not special]
    end = ends[max(count, 1) - 1]
    text = tokens.text[:end]
    word_end = len(text.rstrip()) if tokens.text[end : end + 1].isspace() else text.rfind(" ")
    return text[:word_end] if word_end > end // 2 else text
