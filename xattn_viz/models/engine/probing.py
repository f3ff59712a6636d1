"""What attention a loaded model has, found by running it once on nothing in particular."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xattn_viz.attention.capture import find_sites
from xattn_viz.core.maps import MapKind
from xattn_viz.models.base import ModelError
from xattn_viz.models.engine.limits import decoder_positions, encoder_positions
from xattn_viz.models.engine.network import BlockSparse, Runner, own_attentions
from xattn_viz.models.settings import Size

_TARGET = 5  # tokens; what the encoder reads must be longer or shorter
_NONE = "the library reports no cross-attention with a row for each token written and a column for each position read"
_WHY_NOT = {
    "prophetnet": "its decoder runs several streams at once, to predict several tokens ahead, and the library reports "
    "the scores of all of them together, before the softmax",
}


def probe(name: str, runner: Runner, read: Mapping[str, Tensor], source: int) -> tuple[Runner, Size]:
    """The runner with its attention modules, and how many layers and heads there are of each kind of map.

    `read` are keywords of the encoder that give `source` positions. Raises ModelError where there is no cross-attention
    to show, or its layers cannot be told apart.
    """
    target = _TARGET if source != _TARGET else _TARGET + 1
    ids = torch.full((1, target), 5, device=runner.model.device)
    heads: dict[MapKind, tuple[int, ...]] = {}
    native: Mapping[MapKind, Sequence[Tensor]] = {}
    with torch.inference_mode():
        try:
            sites = find_sites(lambda: runner.writer(**runner.decoding(runner.encoder(**read), ids)), target, source)
        except ValueError as error:
            raise ModelError(f"{name} cannot be shown: {error}") from error
        for kind in ("cross", "encoder", "decoder"):
            modules = [module for module, site in sites.items() if site.kind == kind]
            if modules:
                heads[kind] = tuple(map(_heads, modules))
        if not sites:
            native = _native(runner, read, ids, source)
            if "cross" not in native:  # ours was there, and hands out nothing itself
                runner.model.set_attn_implementation("eager")
                native = _native(runner, read, ids, source)
            for kind, weights in native.items():
                heads[kind] = tuple(int(layer.shape[1]) for layer in weights)
    config = runner.model.config
    if "cross" not in heads:
        raise ModelError(f"{name} cannot be shown: {_WHY_NOT.get(config.model_type, _NONE)}.")
    vocabulary = int(config.get_text_config(decoder=True).vocab_size)
    size = Size(
        heads,
        vocabulary,
        encoder_positions(config, runner.encoder),
        decoder_positions(config, runner.writer.get_decoder()),
    )
    return replace(runner, sites=sites, is_merged=not sites and _is_merged(native)).prepared(), size


def _native(runner: Runner, read: Mapping[str, Tensor], ids: Tensor, source: int) -> dict[MapKind, list[Tensor]]:
    """The weights that the library itself reports, by kind and layer."""
    encoded = runner.encoder(**read, output_attentions=True, return_dict=True)
    out = runner.writer(**runner.decoding(encoded, ids), use_cache=False, output_attentions=True, return_dict=True)
    target = ids.shape[1]
    # Of block-sparse attention the library reports a block that is attended to in two ways only once.
    read_in_blocks = isinstance(runner.encoder, BlockSparse)
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


def _heads(module: Any) -> int:
    names: Sequence[str] = ("num_heads", "n_heads", "num_attention_heads")
    holders = (module, getattr(module, "config", None))
    return int(next(getattr(holder, name) for holder in holders for name in names if hasattr(holder, name)))
