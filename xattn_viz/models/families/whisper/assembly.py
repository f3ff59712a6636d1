"""The adapter made from a loaded model: where its attention modules are, its options, how long a frame is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from xattn_viz.attention.capture import find_sites
from xattn_viz.core.maps import MapKind
from xattn_viz.inputs.audio import MEL_RATE
from xattn_viz.models.base import ModelError, Option
from xattn_viz.models.families.whisper import CROP, FAMILY, WRITE_ANYWAY, card
from xattn_viz.models.families.whisper.adapter import WhisperAdapter
from xattn_viz.models.families.whisper.decoding import DETECT
from xattn_viz.models.families.whisper.model import Model
from xattn_viz.models.families.whisper.replay import Runner
from xattn_viz.models.families.whisper.sound import WINDOW, Ears
from xattn_viz.models.families.whisper.text import Text
from xattn_viz.models.provenance import Identity
from xattn_viz.models.settings import Size

_TARGET = 5  # the length of the run that finds the attention modules
_HOP = 160  # samples a frame of the log-mel


def assemble(
    name: str, model: Any, tokenizer: Tokenizer, digest: str, commit: str | None = None, notes: tuple[str, ...] = ()
) -> WhisperAdapter:
    """The adapter of a loaded model. Raises ModelError where its attention modules cannot be told apart."""
    ears = Ears(getattr(model.config, "num_mel_bins", None))
    text, own = Text(tokenizer), model.generation_config
    multilingual = bool(getattr(own, "is_multilingual", False)) and bool(text.languages())
    options = (CROP, WRITE_ANYWAY) if ears.mels is not None else (WRITE_ANYWAY,)
    if multilingual:
        options = (*_languages(text), *options)
    known = FAMILY.card_of(name) or card(name, Path(name).name)
    never, never_first = tuple(own.suppress_tokens or ()), tuple(own.begin_suppress_tokens or ())
    # Ours from here on (`Suppress`). A setting that is None for one call would be filled in from here again.
    own.suppress_tokens = own.begin_suppress_tokens = own.forced_decoder_ids = None
    runner, samples = _probe(name, model, ears), _samples_per_frame(model, ears)
    heads = tuple((int(layer), int(head)) for layer, head in getattr(own, "alignment_heads", None) or ())
    identity = Identity.of(model, name, commit, digest, notes)
    made = Model(runner, text, identity, samples, multilingual, never, never_first, heads)
    return WhisperAdapter(replace(known, options=options), made, ears)


def _languages(text: Text) -> tuple[Option, ...]:
    codes = (DETECT, *sorted(text.languages()))
    return (
        Option("language", "Language spoken", DETECT, "What is spoken; the model can tell by itself.", codes),
        Option(
            "task",
            "Task",
            "transcribe",
            "Write what is said, or translate it into English.",
            ("transcribe", "translate"),
        ),
    )


def _samples_per_frame(model: Any, ears: Ears) -> int:
    convolutions = [m for m in model.get_encoder().modules() if isinstance(m, nn.Conv1d)]
    return math.prod(int(m.stride[0]) for m in convolutions) * (_HOP if ears.mels is not None else 1)


def _probe(name: str, model: Any, ears: Ears) -> Runner:
    """Where the attention modules are and how many heads they have, found by one short run."""
    shape = (1, WINDOW * _HOP * MEL_RATE // 10) if ears.mels is None else (1, ears.mels, WINDOW * MEL_RATE)
    sound = torch.zeros(shape, device=model.device, dtype=model.dtype)
    target = torch.full((1, _TARGET), 5, device=model.device)
    with torch.inference_mode():
        try:
            sites = find_sites(lambda: model(sound, decoder_input_ids=target), _TARGET)
        except ValueError as error:
            raise ModelError(f"{name} cannot be shown: {error}") from error
    config = model.config
    encoder, decoder = (
        int(getattr(config, f"{side}_attention_heads", None) or getattr(config, f"{side}_num_attention_heads"))
        for side in ("encoder", "decoder")
    )
    of_kind: dict[MapKind, int] = {"cross": decoder, "encoder": encoder, "decoder": decoder}
    heads = {kind: tuple(count for site in sites.values() if site.kind == kind) for kind, count in of_kind.items()}
    return Runner(model, sites, Size(heads, int(config.vocab_size)))
