"""Tracing speech with Whisper tiny.en against its plain greedy `generate()`, on a clip of 11 s.

Ours is `trace` on samples in memory: log-mel, encoder, generation, one pass that captures the maps, probabilities and
alternatives. The peer is the same weights in transformers with fused attention: log-mel, `generate()`, decode, nothing
captured. To reach: at most 1.12, and at most 60 MB more at the peak than the peer.

Reported beside it is the usual recipe: `generate(output_attentions=True)` under eager attention. All take turns in one
process on one thread; the ratio is the median over the rounds. Memory is how far each raises the peak of a process of
its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import WhisperFeatureExtractor
from transformers.utils import logging

from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from benchmarks._memory import peak_megabytes
from xattn_viz.inputs.audio import RATE, read
from xattn_viz.models import registry
from xattn_viz.models.families.whisper.adapter import WhisperAdapter

CLIP = Path(__file__).parents[1] / "xattn_viz" / "examples" / "clips" / "muted.ogg"
ROUNDS = 9


class Recipes:
    """The ways to write down one clip, with and without maps."""

    def __init__(self) -> None:
        adapter = registry.load("whisper-tiny-en")
        assert isinstance(adapter, WhisperAdapter)
        self.adapter, self.samples = adapter, read(CLIP).samples
        self.extract = WhisperFeatureExtractor()
        self.fused, self.eager = self._copy("sdpa"), self._copy("eager")

    def _copy(self, attention: str) -> Any:
        ours = self.adapter.network.model
        made = type(ours)._from_config(copy.deepcopy(ours.config), attn_implementation=attention)
        made.load_state_dict(ours.state_dict())
        made.generation_config = copy.deepcopy(ours.generation_config)
        made.generation_config.update(
            no_timestamps_token_id=50362,
            suppress_tokens=list(self.adapter.network.never),
            begin_suppress_tokens=list(self.adapter.network.never_first),
        )
        return made.eval()

    def ways(self) -> dict[str, Callable[[], object]]:
        """The ways by name."""
        return {
            "trace": partial(self.adapter.trace, self.samples, sampling_rate=RATE),
            "generate": self.generate,
            "eager": self.attentions,
        }

    def generate(self) -> str:
        """Nothing captured."""
        return self._text(self._run(self.fused))

    def attentions(self) -> Any:
        """The usual recipe."""
        out = self._run(self.eager, output_attentions=True, return_dict_in_generate=True)
        return self._text(out["sequences"]), out["cross_attentions"]

    @torch.inference_mode()
    def _run(self, model: Any, **settings: Any) -> Any:
        features = self.extract(self.samples, sampling_rate=RATE, return_tensors="pt").input_features
        return model.generate(features, **settings)

    def _text(self, ids: Any) -> str:
        return self.adapter.text.plain(ids[0].tolist())


def main() -> None:
    """Measure, and print the figures."""
    torch.set_num_threads(1)
    logging.set_verbosity_error()  # transformers' notes on how its own recipe is called
    recipes = Recipes()
    ways = recipes.ways()
    # Forked before anything has run: memory that a run left free would hide what the next one needs.
    models = (recipes.fused, recipes.eager, recipes.adapter.network.model)
    peaks = {name: peak_megabytes(run, models) for name, run in ways.items()}
    assert recipes.generate() == recipes.adapter.trace(recipes.samples, sampling_rate=RATE).output
    measures = {name: partial(seconds, run) for name, run in ways.items()}
    interleaved(measures, 1)  # warm
    times = interleaved(measures, ROUNDS)
    for name in ("trace", "eager"):
        figure(
            f"{name} / generate",
            paired_ratio(times[name], times["generate"]),
            at_most=1.12 if name == "trace" else None,
            details=f"medians {milliseconds(times[name])} and {milliseconds(times['generate'])}",
        )
    for name in ("trace", "eager"):
        more = peaks[name] - peaks["generate"]
        reach = f" (reach <= 60: {'reached' if more <= 60 else 'MISSED'})" if name == "trace" else ""
        print(f"{name}: {more:+.0f} MB at its peak beside generate's +{peaks['generate']:.0f} MB{reach}", flush=True)


if __name__ == "__main__":
    main()
