"""From a loaded model and its tokenizer to an adapter: where the attention is, how many heads, which options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from xattn_viz.capture import NAME, find_sites
from xattn_viz.maps import MapKind
from xattn_viz.models.base import ModelError
from xattn_viz.models.provenance import Identity
from xattn_viz.models.seq2seq import CARDS, card
from xattn_viz.models.seq2seq.adapter import Seq2SeqAdapter
from xattn_viz.models.seq2seq.languages import options_of
from xattn_viz.models.seq2seq.limits import decoder_positions, encoder_positions, set_limits
from xattn_viz.models.seq2seq.replay import Runner
from xattn_viz.models.seq2seq.settings import Size

# The lengths of the run that finds the attention modules; they tell encoder and decoder apart.
_SOURCE, _TARGET = 7, 5


def assemble(
    name: str, model: Any, tokenizer: Any, digest: str, commit: str | None = None, notes: tuple[str, ...] = ()
) -> Seq2SeqAdapter:
    """The adapter of a loaded model. Raises ModelError where it has no cross-attention to show."""
    set_limits(model.generation_config)
    runner, size = _probe(name, model)
    known = next((c for c in CARDS if c.name == name), card(name, Path(name).name))
    kinds = tuple(kind for kind in known.kinds if kind in size.layers)
    known = replace(known, kinds=kinds, options=options_of(tokenizer, model.config))
    return Seq2SeqAdapter(known, Identity.of(model, name, commit, digest, notes), runner, tokenizer, size)


def _probe(name: str, model: Any) -> tuple[Runner, Size]:
    """Where the attention modules are and how many heads they have, found by one short run."""
    source = torch.full((1, _SOURCE), 5, device=model.device)
    target = torch.full((1, _TARGET), 5, device=model.device)
    found: Sequence[Any]
    layers: dict[MapKind, int] = {}
    heads: dict[MapKind, int] = {}
    with torch.inference_mode():
        if model.config._attn_implementation == NAME:
            try:
                sites = find_sites(lambda: model(input_ids=source, decoder_input_ids=target), _TARGET)
            except ValueError as error:
                raise ModelError(f"{name} cannot be shown: {error}") from error
            runner = Runner(model, sites)
            for kind in ("cross", "encoder", "decoder"):
                found = [module for module, site in sites.items() if site.kind == kind]
                if found:
                    layers[kind], heads[kind] = len(found), _heads(found[0])
        else:
            runner = Runner(model, {})
            out = model(input_ids=source, decoder_input_ids=target, output_attentions=True)
            shapes: dict[MapKind, tuple[int, int]] = {
                "cross": (_TARGET, _SOURCE),
                "encoder": (_SOURCE, _SOURCE),
                "decoder": (_TARGET, _TARGET),
            }
            for kind, shape in shapes.items():
                field = "cross_attentions" if kind == "cross" else f"{kind}_attentions"
                found = [weights for weights in out.get(field) or () if weights is not None]
                # Local or sparse attention reports blocks, which are no map of all positions.
                if found and all(weights.shape[2:] == shape for weights in found):
                    layers[kind], heads[kind] = len(found), found[0].shape[1]
    if "cross" not in layers:
        raise ModelError(f"{name} has no cross-attention that can be shown: its decoder merges it or hides it.")
    vocabulary = int(model.config.get_text_config(decoder=True).vocab_size)
    return runner, Size(layers, heads, vocabulary, encoder_positions(model.config), decoder_positions(model.config))


def _heads(module: Any) -> int:
    names = ("num_heads", "n_heads", "num_attention_heads")
    return int(next(getattr(module, name) for name in names if hasattr(module, name)))
