"""From a loaded model and its tokenizer to an adapter: where the attention is, how many heads, which options."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from xattn_viz.inputs.language import iso_639_1
from xattn_viz.models.engine.limits import set_limits
from xattn_viz.models.engine.network import Runner
from xattn_viz.models.engine.probing import probe
from xattn_viz.models.engine.search import check_frame
from xattn_viz.models.families.seq2seq import FAMILY, card
from xattn_viz.models.families.seq2seq.adapter import Seq2SeqAdapter
from xattn_viz.models.families.seq2seq.fsmt import mask_the_future
from xattn_viz.models.families.seq2seq.languages import options_of
from xattn_viz.models.provenance import Identity

_OPUS_MT = re.compile(r"^opus-mt-([a-z]{2})-([a-z]{2})$")
_SOURCE = 7  # tokens of the run that finds the attention modules


def assemble(
    name: str, model: Any, tokenizer: Any, digest: str, commit: str | None = None, notes: tuple[str, ...] = ()
) -> Seq2SeqAdapter:
    """The adapter of a loaded model. Raises ModelError where it has no cross-attention to show."""
    _set_ends(model, tokenizer)
    check_frame(name, model.generation_config)
    set_limits(model.generation_config)
    if model.config.model_type == "fsmt":
        mask_the_future(model)
    source = torch.full((1, _SOURCE), 5, device=model.device)
    read = {"input_ids": source, "attention_mask": torch.ones_like(source)}
    runner, size = probe(name, Runner(model, {}), read, _SOURCE)
    source_language, target_language = _pair(name, model.config)
    own = card(name, Path(name).name, source=source_language, target=target_language)
    known = FAMILY.card_of(name) or own
    kinds = tuple(kind for kind in known.kinds if kind in size.heads)
    known = replace(known, kinds=kinds, options=options_of(tokenizer, model))
    return Seq2SeqAdapter(known, Identity.of(model, name, commit, digest, notes), runner, tokenizer, size)


def _pair(name: str, config: Any) -> tuple[str | None, str | None]:
    """The ISO 639-1 codes of a model that goes from one language into one other: FSMT says it, OPUS-MT's names do."""
    said = getattr(config, "langs", None)
    if isinstance(said, list | tuple) and len(said) == 2 and config.model_type == "fsmt":
        return iso_639_1(str(said[0])), iso_639_1(str(said[1]))
    named = _OPUS_MT.search(Path(name).name)
    return (named[1], named[2]) if named else (None, None)


def _set_ends(model: Any, tokenizer: Any) -> None:
    """Say where outputs start and end in one place, which some leave to their configuration or tokenizer."""
    own, config = model.generation_config, model.config
    text = config.get_text_config(decoder=True)
    starts = (own.decoder_start_token_id, getattr(config, "decoder_start_token_id", None), own.bos_token_id)
    ends = (own.eos_token_id, getattr(text, "eos_token_id", None), tokenizer.eos_token_id, tokenizer.sep_token_id)
    own.decoder_start_token_id = next((start for start in starts if start is not None), None)
    own.eos_token_id = next((end for end in ends if end is not None), None)
