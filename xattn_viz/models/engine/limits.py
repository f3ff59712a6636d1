"""What a model can read and write, and what the maps of a trace may take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from xattn_viz.core.maps import MapKind
from xattn_viz.models.base import InputError
from xattn_viz.models.resources import check_free
from xattn_viz.models.settings import Settings, Size

#: Maps of one kind with more weights than this are kept in float16.
HALF_ABOVE = 16_000_000
NO_LIMIT = 1 << 30  # where a model has no positions of its own to run out of; memory ends first
MAX_MAP_BYTES = 1 << 30  # of all maps of one trace
LARGE = 1 << 26  # only before maps of more bytes is the free memory looked at
DEFAULT_NEW_TOKENS = 256  # where a checkpoint says nothing of its own
MOST_TOKENS = 4096
_LIBRARY_DEFAULT = 20  # transformers' max_length where nobody chose one: too short for a sentence


def encoder_positions(config: Any, encoder: Any) -> int:
    """How many tokens an encoder can read. `config` is that of the whole model."""
    is_apart = hasattr(config, "encoder")  # with a configuration of its own
    own = config.encoder.get_text_config() if is_apart else config.get_text_config(encoder=True)
    # LED keeps the two apart.
    declared = getattr(config, "max_encoder_position_embeddings", getattr(own, "max_position_embeddings", None))
    return min(_declared(declared), _learned(encoder))


def _declared(positions: Any) -> int:
    return positions if isinstance(positions, int) and positions > 0 else NO_LIMIT


def _learned(part: Any) -> int:
    """How many tokens learned positions are enough for: RoBERTa's and its kin's begin behind that of padding."""
    counts = [NO_LIMIT]
    for module in part.modules() if isinstance(part, nn.Module) else ():
        positions = getattr(module, "position_embeddings", None)
        if isinstance(positions, nn.Embedding):
            first = 0 if positions.padding_idx is None else positions.padding_idx + 1
            counts.append(positions.num_embeddings - first)
    return min(counts)


def length_limit(model: Any, size: Size, settings: Settings, given: int) -> int:
    """How long an output may get, its start token and the `given` ones included.

    As asked for, else as the checkpoint says; never more than the decoder has positions.
    """
    new = settings.max_new_tokens
    limit = model.generation_config.max_length if new is None else 1 + new
    return min(int(limit) + given, size.output)


def set_limits(generation_config: Any) -> None:
    """Say the limits of a loaded checkpoint in one way: as lengths of an output, the start token included.

    Of two ways the library would take the checkpoint's count of new tokens, whatever a run asks for.
    """
    own = generation_config
    if own.max_new_tokens is not None:
        own.max_length = 1 + own.max_new_tokens
    elif own.max_length in (None, _LIBRARY_DEFAULT):
        own.max_length = 1 + DEFAULT_NEW_TOKENS
    if own.min_new_tokens is not None:
        own.min_length = 1 + own.min_new_tokens
    own.max_new_tokens = own.min_new_tokens = None


def decoder_positions(config: Any, decoder: Any) -> int:
    """How many tokens a decoder can read; a bound of our own where it has no positions to run out of."""
    declared = getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)
    return min(_declared(declared), _learned(decoder), MOST_TOKENS)


def check_reading(size: Size, source: int) -> None:
    """Raise InputError where an encoder that attends from every token to all others needs more memory than is free."""
    # A bias or the weights of a layer, in float32, and what comes of them on the way.
    needed = 3 * 4 * max(size.heads.get("encoder", (0,))) * source * source
    if needed > LARGE:
        check_free(needed, f"Reading {source:,} source positions", "shorten the text", InputError)


def check_maps(kinds: Sequence[MapKind], size: Size, source: int, output: int) -> None:
    """Raise InputError where the maps asked for would take more than `MAX_MAP_BYTES`, or than is free."""
    cells = {"cross": output * source, "encoder": source * source, "decoder": output * output}
    weights = [sum(size.heads[kind]) * cells[kind] for kind in kinds]
    needed = sum(count * (2 if count > HALF_ABOVE else 4) for count in weights)
    what = f"The maps of {source:,} source positions and {output:,} output tokens"
    instead = "shorten the text, or ask for fewer kinds of map"
    if needed > MAX_MAP_BYTES:
        allowed = f"more than the {MAX_MAP_BYTES / 1e9:.1f} GB allowed"
        raise InputError(f"{what} would take {needed / 1e9:.1f} GB, {allowed}: {instead}.")
    if needed > LARGE:
        check_free(3 * needed, f"Tracing {source:,} source positions and {output:,} output tokens", instead, InputError)
