"""What a loaded model has, found by running it once on nothing in particular: attention, positions, ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from xattn_viz.attention.capture import find_sites
from xattn_viz.core.maps import MapKind
from xattn_viz.models.base import ModelCard, ModelError, Option
from xattn_viz.models.engine.network import BlockSparse, TransformersNetwork, own_attentions
from xattn_viz.models.provenance import Size

NO_LIMIT = 1 << 30  # where a model has no positions of its own to run out of; memory ends first
DEFAULT_NEW_TOKENS = 256  # where a checkpoint says nothing of its own
MOST_TOKENS = 4096
_LIBRARY_DEFAULT = 20  # transformers' max_length where nobody chose one: too short for a sentence
N = TypeVar("N", bound=TransformersNetwork)

_TARGET = 5  # tokens; what the encoder reads must be longer or shorter
_NONE = "the library reports no cross-attention with a row for each token written and a column for each position read"
_WHY_NOT = {
    "prophetnet": "its decoder runs several streams at once, to predict several tokens ahead, and the library reports "
    "the scores of all of them together, before the softmax",
}


def check_ends(name: str, generation_config: Any) -> None:
    """Raise ModelError for a checkpoint that nowhere says from which token an output starts, or which one ends it."""
    for setting, what in (
        ("decoder_start_token_id", "from which token an output starts"),
        ("eos_token_id", "which token ends an output"),
    ):
        if getattr(generation_config, setting) is None:
            raise ModelError(f"{name} cannot be shown: it does not say {what}. Add {setting} to its config.json.")


def set_limits(generation_config: Any, otherwise: int = 1 + DEFAULT_NEW_TOKENS) -> None:
    """Say the limits of a loaded checkpoint in one way: as lengths of an output, the start token included.

    Of two ways the library would take the checkpoint's count of new tokens, whatever a run asks for. `otherwise` is the
    length where the checkpoint says none.
    """
    own = generation_config
    if own.max_new_tokens is not None:
        own.max_length = 1 + own.max_new_tokens
    elif own.max_length in (None, _LIBRARY_DEFAULT):
        own.max_length = otherwise
    if own.min_new_tokens is not None:
        own.min_length = 1 + own.min_new_tokens
    own.max_new_tokens = own.min_new_tokens = None


def probe(name: str, network: N, read: Mapping[str, Tensor], source: int) -> N:
    """The network with its attention modules, and how many heads each layer of each kind of map has.

    `read` are keywords of the encoder that give `source` positions. Raises ModelError where there is no cross-attention
    to show, or its layers cannot be told apart.
    """
    target = _TARGET if source != _TARGET else _TARGET + 1
    ids = torch.full((1, target), 5, device=network.device)
    native: Mapping[MapKind, Sequence[Tensor]] = {}
    with torch.inference_mode():
        try:
            sites = find_sites(lambda: network.writer(**network.decoding(network.encoder(**read), ids)), target, source)
        except ValueError as error:
            raise ModelError(f"{name} cannot be shown: {error}") from error
        if not sites:
            native = _native(network, read, ids, source)
            if "cross" not in native:  # ours was there, and hands out nothing itself
                network.model.set_attn_implementation("eager")
                native = _native(network, read, ids, source)
    heads: dict[MapKind, tuple[int, ...]] = {}
    for kind in ("cross", "encoder", "decoder"):
        of_modules = [_heads(module, kind) for module, site in sites.items() if site.kind == kind]
        if counts := of_modules or [int(layer.shape[1]) for layer in native.get(kind, ())]:
            heads[kind] = tuple(counts)
    config = network.model.config
    if "cross" not in heads:
        raise ModelError(f"{name} cannot be shown: {_WHY_NOT.get(config.model_type, _NONE)}.")
    size = Size(
        heads,
        int(config.get_text_config(decoder=True).vocab_size),
        _encoder_positions(config, network.encoder),
        _decoder_positions(config, network.writer.get_decoder()),
    )
    return network.prepared(sites, size, is_merged=not sites and _is_merged(native))


def loaded_card(known: ModelCard, size: Size, options: tuple[Option, ...]) -> ModelCard:
    """The card of a loaded model, with the kinds of map and the options that it has."""
    return replace(known, kinds=tuple(kind for kind in known.kinds if kind in size.heads), options=options)


def _native(
    network: TransformersNetwork, read: Mapping[str, Tensor], ids: Tensor, source: int
) -> dict[MapKind, list[Tensor]]:
    """The weights that the library itself reports, by kind and layer."""
    encoded = network.encoder(**read, output_attentions=True, return_dict=True)
    out = network.writer(**network.decoding(encoded, ids), use_cache=False, output_attentions=True, return_dict=True)
    target = ids.shape[1]
    # Of block-sparse attention the library reports a block that is attended to in two ways only once.
    read_in_blocks = isinstance(network.encoder, BlockSparse)
    shapes: dict[MapKind, tuple[Any, tuple[int, int]]] = {
        "cross": (out.get("cross_attentions"), (target, source)),
        "encoder": (None if read_in_blocks else encoded.get("attentions"), (source, source)),
        "decoder": (own_attentions(out), (target, target)),
    }
    found = {kind: [w for w in reported or () if w is not None] for kind, (reported, _) in shapes.items()}
    # Local or sparse attention reports blocks, and Pegasus-X's two kinds of it, which are no map of all positions.
    return {kind: some for kind, some in found.items() if some and all(_is_map(w, *shapes[kind][1]) for w in some)}


def _is_map(weights: Any, queries: int, keys: int) -> bool:
    return isinstance(weights, Tensor) and weights.shape[2:] == (queries, keys)


def _is_merged(weights: Mapping[MapKind, Sequence[Tensor]]) -> bool:
    """Whether a decoder attends to the source and to what it has written in one softmax, of which two maps are made."""
    return bool((weights["cross"][0].float().sum(-1) < 0.99).any())


def _heads(module: Any, kind: MapKind) -> int:
    # Moonshine's modules share one configuration, which names both sides.
    side = f"{'encoder' if kind == 'encoder' else 'decoder'}_num_attention_heads"
    names: Sequence[str] = ("num_heads", "n_heads", side, "num_attention_heads")
    holders = (module, getattr(module, "config", None))
    return int(next(getattr(holder, name) for holder in holders for name in names if hasattr(holder, name)))


def _encoder_positions(config: Any, encoder: Any) -> int:
    """How many tokens an encoder can read. `config` is that of the whole model."""
    is_apart = hasattr(config, "encoder")  # with a configuration of its own
    own = config.encoder.get_text_config() if is_apart else config.get_text_config(encoder=True)
    # LED keeps the two apart.
    declared = getattr(config, "max_encoder_position_embeddings", getattr(own, "max_position_embeddings", None))
    return min(_declared(declared), _learned(encoder))


def _decoder_positions(config: Any, decoder: Any) -> int:
    """How many tokens a decoder can read; a bound of our own where it has no positions to run out of."""
    own = config.get_text_config(decoder=True)
    declared = (getattr(own, name, None) for name in ("max_position_embeddings", "max_target_positions"))
    return min(*map(_declared, declared), _learned(decoder), MOST_TOKENS)


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
