"""The programs that people time words with, each in an environment of its own, with our weights in its own format.

    python -m benchmarks._peers            # make the environments and the weights, 7 GB

They lie in the user's cache, outside of the package's requirements. An answer is kept there too, by the clips, the
program's version and the worker's own text, so that a second run asks only ours again.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray

from xattn_viz.analysis.word_scores import TrueWord
from xattn_viz.models import registry
from xattn_viz.models.families.whisper.adapter import WhisperAdapter
from xattn_viz.models.families.whisper.loading import package_folder

#: The programs and what each environment is made of.
PEERS = {
    "faster-whisper": ("faster-whisper==1.2.1",),
    "openai-whisper": ("openai-whisper==20250625", "torch<2.14"),
    "whisper-timestamped": ("whisper-timestamped==1.15.9", "torch<2.14"),
    "stable-ts": ("stable-ts==2.19.1", "torch<2.14"),
}
HOME = platformdirs.user_cache_path("xattn-viz-peers")
WORKER = Path(__file__).with_name("_peer_worker.py")
# transformers' names of a Whisper's weights, and OpenAI's; the longer ones first.
_NAMES = (
    ("encoder_attn_layer_norm", "cross_attn_ln"),
    ("self_attn_layer_norm", "attn_ln"),
    ("final_layer_norm", "mlp_ln"),
    ("encoder.layer_norm", "encoder.ln_post"),
    ("decoder.layer_norm", "decoder.ln"),
    ("encoder_attn", "cross_attn"),
    ("self_attn", "attn"),
    ("q_proj", "query"),
    ("k_proj", "key"),
    ("v_proj", "value"),
    ("out_proj", "out"),
    ("fc1", "mlp.0"),
    ("fc2", "mlp.2"),
    ("layers", "blocks"),
    ("embed_positions.weight", "positional_embedding"),
    ("embed_tokens", "token_embedding"),
)


def environment(peer: str) -> Path:
    """The Python of a program's own environment, made where it is not there yet."""
    python = HOME / peer / "bin" / "python"
    if not is_made(peer):
        subprocess.run([sys.executable, "-m", "venv", str(HOME / peer)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PEERS[peer]], check=True)
        # Where PyTorch is without CUDA and torchaudio is not, torchaudio's compiled part cannot be loaded. It goes
        # without, and stable-ts uses none of it: only `torchaudio.functional.resample`, which is Python.
        for part in (HOME / peer).rglob("torchaudio/lib/_torchaudio.so"):
            part.unlink()
        (HOME / peer / "made").touch()
    return python


def is_made(peer: str) -> bool:
    """Whether a program's environment is there."""
    return (HOME / peer / "made").exists()


def weights(peer: str) -> Path:
    """Whisper tiny.en as a program reads it: CTranslate2's folder as it comes, or OpenAI's file, made from ours."""
    if peer == "faster-whisper":
        return package_folder()
    path = HOME / "tiny.en.pt"
    if not path.exists():
        torch.save(_openai_checkpoint(), path)
    return path


def _openai_checkpoint() -> dict[str, Any]:
    """Our weights by OpenAI's names: nothing is changed but these, and half precision where it was stored so."""
    adapter = registry.load("whisper-tiny-en")
    assert isinstance(adapter, WhisperAdapter)
    model = adapter.network.model
    state = {}
    for name, value in model.state_dict().items():
        if name == "proj_out.weight":  # tied to the embedding
            continue
        renamed = name.removeprefix("model.")
        for ours, theirs in _NAMES:
            renamed = renamed.replace(ours, theirs)
        state[renamed] = value
    own = model.config
    dims = {
        "n_mels": own.num_mel_bins,
        "n_audio_ctx": own.max_source_positions,
        "n_audio_state": own.d_model,
        "n_audio_head": own.encoder_attention_heads,
        "n_audio_layer": own.encoder_layers,
        "n_vocab": own.vocab_size,
        "n_text_ctx": own.max_target_positions,
        "n_text_state": own.d_model,
        "n_text_head": own.decoder_attention_heads,
        "n_text_layer": own.decoder_layers,
    }
    return {"dims": dims, "model_state_dict": state}


def words_by(peer: str, clips: Sequence[tuple[NDArray[np.float32], str | None]]) -> list[tuple[TrueWord, ...] | None]:
    """The words in time of each clip: its samples `[sample]`, and the text to force or None; None where it failed."""
    digest = hashlib.sha256(repr((PEERS[peer], WORKER.read_text(encoding="utf-8"))).encode())
    for samples, text in clips:
        digest.update(samples.tobytes())
        digest.update(repr(text).encode())
    kept = HOME / "answers" / f"{peer}-{digest.hexdigest()[:20]}.json"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            for number, (samples, _) in enumerate(clips):
                np.save(Path(folder) / f"{number}.npy", samples)
            (Path(folder) / "texts.json").write_text(json.dumps([text for _, text in clips]), encoding="utf-8")
            command = [environment(peer), "-P", WORKER, peer, weights(peer), folder, kept]
            subprocess.run(list(map(str, command)), check=True)
    found = json.loads(kept.read_text(encoding="utf-8"))
    return [None if words is None else tuple(TrueWord(*word) for word in words) for words in found]


if __name__ == "__main__":
    for name in PEERS:
        print(name, environment(name), weights(name))
