"""One run on one window: the encoder's work, done once, from which an output is generated and the trace of any is made.

A partial output, the chosen one and one that was given all become a trace in the same way: by a teacher-forced pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Hypothesis, Speech, Trace
from xattn_viz.inputs.audio import RATE, frame_times
from xattn_viz.models.base import OnStep
from xattn_viz.models.engine.results import projections, steps
from xattn_viz.models.engine.tokens import Tokens
from xattn_viz.models.families.whisper.decoding import DETECT, Frame, Written, detect, frame, generate, length_limit
from xattn_viz.models.families.whisper.model import Model
from xattn_viz.models.families.whisper.notes import NO_SPEECH, of_end, of_loop, of_nothing, of_silence
from xattn_viz.models.families.whisper.processors import Steps, Suppress
from xattn_viz.models.families.whisper.recorded import attention_maps, pooled_axis, stacked
from xattn_viz.models.families.whisper.settings import Settings
from xattn_viz.models.families.whisper.silence import may_be_silent
from xattn_viz.models.families.whisper.sound import Heard, cropped
from xattn_viz.models.provenance import provenance


@dataclass(frozen=True)
class Run:
    """A window that was heard and encoded, with the run's settings."""

    model: Model
    settings: Settings
    heard: Heard
    encoded: Any
    frame: Frame
    #: What the decoder itself said of the language, where it was asked.
    detected: float | None = None
    _notes: tuple[str, ...] = field(default=())

    @classmethod
    def start(cls, model: Model, settings: Settings, heard: Heard) -> Run:
        """Encode a window, and have the decoder tell the language where that was asked for."""
        encoded = model.runner.encode(heard.values, settings)
        language, share = None, None
        if model.multilingual:
            language = str(settings.options["language"])
            if language == DETECT:
                start = frame(model.runner.model, model.text, settings, None).start
                with model.runner.watch(settings):
                    language, share = detect(model.runner.model, encoded, start, model.text.languages())
        return cls(
            model,
            settings,
            heard,
            encoded,
            frame(model.runner.model, model.text, settings, language),
            share,
            heard.notes,
        )

    def generate(
        self,
        begin: Sequence[int],
        on_step: OnStep | None = None,
        on_written: Callable[[Sequence[int]], object] | None = None,
    ) -> list[Written]:
        """The outputs that the search kept, best first; see `decoding.generate`."""
        model = self.model
        # What may not come first may come behind a beginning.
        first = () if len(begin) > len(self.frame.prompt) else model.never_first
        processors = [
            Steps(on_step, on_written, 1 + len(begin), length_limit(model.runner.model, self.settings, len(begin))),
            Suppress(model.never, first, 1 + len(begin)),
        ]
        with model.runner.watch(self.settings):
            return generate(model.runner.model, self.encoded, self.frame, begin, self.settings, processors)

    def partial(self, ids: Sequence[int], forced: int) -> Trace:
        """The trace of an output that is still written."""
        plain = replace(self, settings=replace(self.settings, keep_projections=False))
        return plain.trace(self.model.text.output(ids), forced)

    def finish(self, outputs: Sequence[Written], begin: int) -> Trace:
        """The trace of the output that was asked for, with the others as hypotheses."""
        others = list(outputs)
        best = others.pop(self.settings.hypothesis)
        hypotheses = tuple(Hypothesis(self.model.text.plain(other.ids), other.log_prob or 0.0) for other in others)
        trace = self.trace(self.model.text.output(best.ids), begin, hypotheses, of_end(best.ids, self.frame.end))
        cross = trace.cross if "cross" in self.settings.kinds else None
        return trace.with_notes(*of_loop(best.ids, begin, self.model.text, cross, self.model.alignment_heads))

    def of_nothing(self) -> Trace | None:
        """The trace of the output that nobody speaks; None where somebody may, or the model is to write anyway.

        Whisper learned to write its token for this first, and then to end; a model without one only ends.
        """
        settings, token = self.settings, self.model.no_speech_token
        if settings.writes_anyway or settings.target is not None or settings.prefix is not None:
            return None
        if not may_be_silent(self.heard, has_word=token is not None):
            return None
        ids = [*self.frame.prompt, self.frame.end] if token is None else [token, self.frame.end]
        trace = self.trace(self.model.text.output(ids), len(ids), is_nothing=True)
        said = None if trace.speech is None else trace.speech.no_speech_probability
        return trace if said is None or said > NO_SPEECH else None

    def trace(
        self,
        output: Tokens,
        forced: int,
        hypotheses: tuple[Hypothesis, ...] = (),
        notes: Sequence[str] = (),
        *,
        is_nothing: bool = False,
    ) -> Trace:
        """The trace of an output, of which the first `forced` tokens were given; `is_nothing` where nobody speaks."""
        seen, logits = self.model.runner.replay(self.encoded, self.frame.start, output.ids, self.settings)
        written, read = output.axis(), output.read(self.frame.start, self.model.text.piece(self.frame.start)).axis()
        maps: list[AttentionMaps] = []
        for kind in self.settings.kinds:
            if kind == "encoder":
                maps.append(self._encoder_maps)
                continue
            keys = self._frames if kind == "cross" else read
            made = attention_maps(kind, stacked(seen[kind]), written, keys, read, self.settings)
            if self.settings.keep_projections:
                made = replace(made, projections=projections(seen[kind]))
            maps.append(made)
        silence = self.model.no_speech(logits)
        more = [*self._notes, *notes, *(of_nothing(silence) if is_nothing else of_silence(silence))]
        return Trace(
            tuple(maps),
            self._shown,
            output.text,
            steps(logits, output.ids, forced, self.model.text.readable),
            hypotheses,
            self.settings.offset,
            provenance(self.model.identity, self._asked, self._decoding(is_nothing), self._shown),
            alignment_heads=self.model.alignment_heads,
            speech=Speech(self.frame.language, self.detected, silence),
        ).with_notes(*self.model.identity.notes, *more)

    @property
    def _shown(self) -> NDArray[np.float32]:
        return cropped(self.heard) if self.settings.crop else self.heard.shown

    @cached_property
    def _frames(self) -> Axis:
        """The encoder's frames in seconds of the whole; those that hold nothing but padding are special."""
        count = self.encoded.last_hidden_state.shape[1]
        seconds = self.model.samples_per_frame / RATE
        special = None
        if self.heard.frames is not None:
            own = -(-self.heard.frames * count // self.heard.values.shape[1])
            special = tuple(i >= own for i in range(count))
        return Axis("audio", times=frame_times(count, seconds, self.settings.offset), special=special)

    @cached_property
    def _encoder_maps(self) -> AttentionMaps:
        weights = self.model.runner.encoder_weights(self.heard.values, len(self._frames), self.settings)
        axis = pooled_axis(self._frames)
        return attention_maps("encoder", weights, axis, axis, None, self.settings)

    @property
    def _asked(self) -> dict[str, Any]:
        """The keywords of `trace`, and how long the sound is where what is shown of it does not tell."""
        seconds = {} if self.heard.seconds is None else {"seconds": self.heard.seconds}
        return {**self.settings.as_keywords(), **seconds}

    def _decoding(self, is_nothing: bool) -> dict[str, Any]:
        if is_nothing:
            return {"method": "none: nobody speaks"}
        if self.settings.target is not None:
            return {"method": "none: the target was given"}
        model = self.model.runner.model
        return {
            "method": "greedy" if self.settings.num_beams == 1 else "beam search",
            "max_length": length_limit(model, self.settings, 0),
            "length_penalty": model.generation_config.length_penalty,
        }
