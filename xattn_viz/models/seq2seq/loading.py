"""From a hub name or a folder to a loaded model, and one sentence for whatever goes wrong on the way.

Weights are read from safetensors. A `.bin` of PyTorch is a pickle: it is taken only with the caller's consent, and then
as data only (`weights_only`). Code that lies in a checkpoint is never run.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING as KNOWN

from xattn_viz.capture import NAME, supports
from xattn_viz.models.base import ModelError, OnProgress
from xattn_viz.models.memory import check_free
from xattn_viz.models.seq2seq import SHORT_NAMES
from xattn_viz.models.seq2seq.adapter import Seq2SeqAdapter
from xattn_viz.models.seq2seq.assembly import assemble
from xattn_viz.models.seq2seq.hub import fetch


def load(
    name_or_folder: str,
    *,
    allow_pickle: bool = False,
    revision: str | None = None,
    on_progress: OnProgress | None = None,
) -> Seq2SeqAdapter:
    """The adapter of a model on the hub or in a folder; see the family's `load`. Raises ModelError."""
    folder, commit, notes = Path(name_or_folder), None, tuple[str, ...]()
    name = name_or_folder
    if not folder.is_dir():
        name = SHORT_NAMES.get(name_or_folder, name_or_folder)
        fetched = fetch(name, revision, allow_pickle, on_progress)
        folder, commit, notes = fetched.folder, fetched.commit, fetched.notes
    weights = _weights(folder, name, allow_pickle)
    size = sum(path.stat().st_size for path in weights)
    check_free(size, f"Loading {name}", "close other programs, or choose a smaller model", ModelError)
    config = _config(folder, name)
    tokenizer = _tokenizer(folder, name)
    model = _model(folder, name, config, safetensors=weights[0].suffix == ".safetensors")
    return assemble(name, model.to(_device()), tokenizer, _digest(weights), commit, notes)


def _config(folder: Path, name: str) -> Any:
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{name} cannot be loaded: its config.json is damaged or of an unknown kind.") from error
    kind = getattr(config, "model_type", "unknown")
    if not getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"{name} is a {kind} model, which has one stack that reads and writes: it has no cross-attention between "
            "an encoder and a decoder to show."
        )
    if type(config) not in KNOWN:
        raise ModelError(f"{name} is a {kind} model, which does not turn text into text.")
    return config


def _tokenizer(folder: Path, name: str) -> Any:
    try:
        with warnings.catch_warnings():
            # Marian's tokenizer recommends a package whose result it never uses.
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # tokenizers raise bare Exceptions on damaged files
        raise ModelError(f"{name} cannot be loaded: its tokenizer is missing or damaged ({_line(error)}).") from error


def _model(folder: Path, name: str, config: Any, *, safetensors: bool) -> Any:
    attention = NAME if supports(KNOWN[type(config)]) else "eager"
    try:
        model, report = AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            config=config,
            dtype="auto",
            attn_implementation=attention,
            use_safetensors=safetensors,
            weights_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ModelError(f"{name} does not fit into this machine's memory.") from error
    except Exception as error:  # safetensors, pickle and torch each raise their own
        if "memory" in str(error).lower() and "alloc" in str(error).lower():
            raise ModelError(f"{name} does not fit into this machine's memory.") from error
        raise ModelError(f"{name} cannot be loaded: its weights are damaged or do not fit ({_line(error)}).") from error
    if missing := sorted(report["missing_keys"]):
        raise ModelError(f"{name} lacks {len(missing)} of its parameters, such as {missing[0]!r}.")
    return model.eval().requires_grad_(False)


def _weights(folder: Path, name: str, allow_pickle: bool) -> list[Path]:
    """The files of the weights. Raises ModelError where there are none, or only a `.bin` without consent."""
    if found := sorted(folder.glob("model*.safetensors")):
        return found
    pickles = sorted(folder.glob("pytorch_model*.bin"))
    if pickles and allow_pickle:
        return pickles
    if pickles:
        raise ModelError(
            f"{name} has its weights only in PyTorch's older format ({pickles[0].name}): allow it with "
            "allow_pickle=True if you trust where it comes from. It is then read as data, and no code in it is run."
        )
    raise ModelError(f"{name} has no weights that can be read: neither model.safetensors nor pytorch_model.bin.")


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
