"""The source text as the encoder reads it, cut to what the model and memory hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from xattn_viz.maps import MapKind
from xattn_viz.models.base import InputError
from xattn_viz.models.memory import check_free
from xattn_viz.models.seq2seq.replay import HALF_ABOVE
from xattn_viz.models.seq2seq.settings import Size
from xattn_viz.models.seq2seq.text import Text, Tokens

MAX_TOKENS = 2048  # where a model has no positions of its own to run out of
MAX_MAP_BYTES = 1 << 30  # of all maps of one trace
LARGE = 1 << 26  # only before maps of more bytes is the free memory looked at


def positions(config: Any) -> int:
    """How many tokens the encoder can read."""
    own = getattr(config.get_text_config(encoder=True), "max_position_embeddings", None)
    # LED keeps the two apart; RoBERTa-like encoders lose two positions to padding.
    own = getattr(config, "max_encoder_position_embeddings", own)
    return min(int(own), MAX_TOKENS) if isinstance(own, int) and own > 0 else MAX_TOKENS


def read_source(
    text: Text, typed: str, config: Any, *, prompt: str, language: str | None
) -> tuple[Tokens, tuple[str, ...]]:
    """The tokens of a text, and a note for people where more than the model's positions would have to be read.

    The text is cut with them, at the end of a word where there is one, so that tracing what is left gives the same
    tokens again. Raises InputError for text that leaves no tokens.
    """
    limit = positions(config)
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


def check_maps(kinds: Sequence[MapKind], size: Size, source: int, output: int) -> None:
    """Raise InputError where the maps asked for would take more than `MAX_MAP_BYTES`, or than is free."""
    cells = {"cross": output * source, "encoder": source * source, "decoder": output * output}
    weights = [size.layers[kind] * size.heads[kind] * cells[kind] for kind in kinds]
    needed = sum(count * (2 if count > HALF_ABOVE else 4) for count in weights)
    what = f"The maps of {source:,} source and {output:,} output tokens"
    instead = "shorten the text, or ask for fewer kinds of map"
    if needed > MAX_MAP_BYTES:
        allowed = f"more than the {MAX_MAP_BYTES / 1e9:.1f} GB allowed"
        raise InputError(f"{what} would take {needed / 1e9:.1f} GB, {allowed}: {instead}.")
    if needed > LARGE:
        check_free(3 * needed, f"Tracing {source:,} source and {output:,} output tokens", instead, InputError)


def _own(tokens: Tokens) -> int:
    return sum(not special for special in tokens.special)


def _cut(tokens: Tokens, count: int) -> str:
    ends = [end for (_, end), special in zip(tokens.spans, tokens.special, strict=True) if not special]
    end = ends[max(count, 1) - 1]
    text = tokens.text[:end]
    word_end = len(text.rstrip()) if tokens.text[end : end + 1].isspace() else text.rfind(" ")
    return text[:word_end] if word_end > end // 2 else text
