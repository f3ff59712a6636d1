"""One run on one source: the encoder's work, done once, from which an output is generated and the trace of any is made.

A partial output, the chosen one and one that was given all become a trace in the same way: by a teacher-forced pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.attention.capture import Captured
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.trace import Hypothesis, Note, Trace
from xattn_viz.models.base import OnStep
from xattn_viz.models.engine.limits import check_maps, check_reading, length_limit
from xattn_viz.models.engine.network import Runner
from xattn_viz.models.engine.results import attention_maps, steps
from xattn_viz.models.engine.search import Frame, Written, generate
from xattn_viz.models.engine.tokens import Text, Tokens
from xattn_viz.models.provenance import Identity, provenance
from xattn_viz.models.settings import Settings, Size

_MERGED = (
    "This model's decoder attends to the source and to what it has written in one softmax: a row of a cross-attention "
    "map sums to what goes to the source, and the rest of it is in the decoder's map."
)


@dataclass(frozen=True)
class Model:
    """A loaded model with its tokenizer: how it runs, which one it is, and how many layers and heads it has."""

    runner: Runner
    text: Text
    identity: Identity
    size: Size


@dataclass(frozen=True)
class Source:
    """What the encoder reads: its keywords, what its positions stand for, and what people are shown of it."""

    read: Mapping[str, Tensor]
    axis: Axis
    shown: str | NDArray[np.uint8]


@dataclass(frozen=True)
class Run:
    """A source that was read and encoded, with the run's settings and `notes` for people."""

    model: Model
    settings: Settings
    frame: Frame
    source: Source
    encoded: Any
    encoder: AttentionMaps | None
    notes: tuple[str | Note, ...]

    @classmethod
    def start(
        cls, model: Model, settings: Settings, frame: Frame, source: Source, notes: Sequence[str | Note] = ()
    ) -> Run:
        """Encode a source."""
        check_maps(settings.kinds, model.size, len(source.axis), 1)
        check_reading(model.size, len(source.axis))
        encoded, layers = model.runner.encode(source.read, settings)
        encoder = attention_maps("encoder", layers, source.axis, source.axis, None, settings) if layers else None
        merged = (_MERGED,) if model.runner.is_merged else ()
        return cls(model, settings, frame, source, encoded, encoder, (*notes, *merged))

    def generate(
        self,
        begin: Sequence[int] = (),
        on_step: OnStep | None = None,
        on_written: Callable[[Sequence[int]], object] | None = None,
    ) -> list[Written]:
        """The outputs that the search kept, best first; see `decoding.generate`.

        A single beam's cross-attention is recorded meanwhile: its rows are those that a pass over the output would
        compute anew. The rows of several beams are not those of the one chosen, and a beginning's logits are not known.
        """
        runner, settings = self.model.runner, self.settings
        limit = length_limit(runner.writer, self.model.size, settings, len(begin))
        once = not runner.native and settings.num_beams == 1 and not begin and runner.writer.generation_config.use_cache
        ids = torch.tensor([[self.frame.start, *begin]], device=runner.model.device)
        read = runner.searching(self.source.read, self.encoded, ids)
        kinds: tuple[MapKind, ...] = (
            ("cross",) if once and "cross" in settings.kinds and "decoder" not in settings.kinds else ()
        )
        with runner.watch(settings, kinds, stepwise=True) as seen:
            found = generate(runner.writer, read, self.frame, begin, settings, limit, on_step, on_written)
        if not kinds:
            return found
        check_maps(settings.kinds, self.model.size, len(self.source.axis), len(found[0].ids))
        return [replace(found[0], cross=tuple(seen.layers("cross")))]

    def partial(self, ids: Sequence[int], begin: int) -> Trace:
        """The trace of an output that is still written; the first `begin` of its ids were given."""
        plain = replace(self, settings=replace(self.settings, keep_projections=False))
        return plain.trace(self.model.text.output(ids), self._forced(begin))

    def finish(self, outputs: Sequence[Written], begin: int) -> Trace:
        """The trace of the output that was asked for, with the others as hypotheses."""
        others = list(outputs)
        best = others.pop(self.settings.hypothesis)
        texts = (self.model.text.plain(other.ids) for other in others)
        hypotheses = tuple(Hypothesis(text, other.log_prob or 0.0) for text, other in zip(texts, others, strict=True))
        trace = self.trace(self.model.text.output(best.ids), self._forced(begin), best.logits, list(best.cross))
        return replace(trace, hypotheses=hypotheses).with_notes(*self._end_note(best.ids, begin))

    def trace(
        self, output: Tokens, forced: int, logits: Sequence[Tensor] = (), cross: list[Captured] | None = None
    ) -> Trace:
        """The trace of an output, of which the first `forced` tokens were given.

        `logits`, each `[id]`, are those of its last tokens, where they are known, and `cross` is what was recorded
        while all of it was written.
        """
        check_maps(self.settings.kinds, self.model.size, len(self.source.axis), len(output.ids))
        scored = len(output.ids) - len(logits)
        seen: dict[MapKind, list[Captured]] = {"cross": cross or []}
        first: Iterable[Tensor] = ()
        if not cross:
            seen, first = self.model.runner.replay(self.encoded, output.ids, self.frame, self.settings, scored)
        written, read = output.axis(), self._read(output)
        maps: list[AttentionMaps] = []
        for kind in self.settings.kinds:
            if kind == "encoder" and self.encoder is not None:
                maps.append(self.encoder)
            else:
                keys = read if kind == "decoder" else self.source.axis
                is_part = self.model.runner.is_merged
                maps.append(attention_maps(kind, seen[kind], written, keys, read, self.settings, is_part=is_part))
        return Trace(
            tuple(maps),
            self.source.shown,
            output.text,
            steps([*first, *logits], output.ids, forced, self.model.text.readable),
            provenance=provenance(
                self.model.identity, self.settings.as_keywords(), self._decoding(), self.source.shown
            ),
        ).with_notes(*self.model.identity.notes, *self.notes)

    def _forced(self, begin: int) -> int:
        return begin or int(self.frame.first is not None)

    def _read(self, written: Tokens) -> Axis:
        """The axis of the tokens read at each step: the start, then each token written but the last."""
        start = self.frame.start
        return written.read(start, self.model.text.piece(start)).axis()

    def _end_note(self, output: Sequence[int], begin: int) -> list[str]:
        """A note where the output did not end by itself; some checkpoints force an end at the limit."""
        model = self.model.runner.writer
        limit = length_limit(model, self.model.size, self.settings, begin)
        cut = model.generation_config.forced_eos_token_id is not None and len(output) + 1 >= limit
        if output[-1] in self.frame.ends and not cut:
            return []
        return [f"The model was stopped after {len(output)} tokens, before it ended by itself."]

    def _decoding(self) -> dict[str, Any]:
        if self.settings.target is not None:
            return {"method": "none: the target was given"}
        model = self.model.runner.writer
        own = model.generation_config
        return {
            "method": "greedy" if self.settings.num_beams == 1 else "beam search",
            "max_length": length_limit(model, self.model.size, self.settings, 0),
            "length_penalty": own.length_penalty,
            "no_repeat_ngram_size": own.no_repeat_ngram_size,
            "min_length": own.min_length,
        }
