"""From a hub name or a folder to a loaded model, and one sentence for whatever goes wrong on the way."""

from __future__ import annotations

from typing import Any

from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING as KNOWN

from xattn_viz.attention.capture import NAME, supports
from xattn_viz.models.base import ModelError, OnProgress
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.families.seq2seq import SHORT_NAMES
from xattn_viz.models.families.seq2seq.adapter import Seq2SeqAdapter
from xattn_viz.models.families.seq2seq.assembly import assemble
from xattn_viz.models.folder import Folder, find_folder
from xattn_viz.models.hub.files import Form

_FORMS: tuple[Form, ...] = ("safetensors", "pickle")


def load(
    name_or_folder: str | Folder,
    *,
    allow_pickle: bool = False,
    revision: str | None = None,
    on_progress: OnProgress | None = None,
) -> Seq2SeqAdapter:
    """The adapter of a model on the hub or in a folder; see the family's `load`. Raises ModelError."""
    found = Checkpoint.find(
        find_folder(name_or_folder) or SHORT_NAMES.get(str(name_or_folder), str(name_or_folder)),
        _FORMS,
        allow_pickle=allow_pickle,
        revision=revision,
        on_progress=on_progress,
    )
    config = _config(found)
    tokenizer = found.tokenizer()
    network = KNOWN[type(config)]
    model = found.model(network, config, attention(found.name, network, config))
    return assemble(found.name, model, tokenizer, found.digest(), found.commit, found.told(config))


def _config(found: Checkpoint) -> Any:
    config = found.config()
    kind = getattr(config, "model_type", "unknown")
    if not getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"{found.name} is a {kind} model, which has one stack that reads and writes: it has no cross-attention "
            "between an encoder and a decoder to show."
        )
    if type(config) not in KNOWN:
        raise ModelError(f"{found.name} is a {kind} model, which does not turn text into text.")
    return config


def attention(name: str, network: Any, config: Any) -> str:
    """The attention to load a model with: ours where all of it runs with that, else the library's own.

    Raises ModelError for two models that cannot be put together.
    """
    parts = [network]
    if config.model_type == "encoder-decoder":
        try:
            parts = [MODEL_MAPPING[type(config.encoder)], MODEL_FOR_CAUSAL_LM_MAPPING[type(config.decoder)]]
        except KeyError as error:
            raise ModelError(f"{name} is put together from parts that transformers cannot join.") from error
    return NAME if all(map(supports, parts)) else "eager"
