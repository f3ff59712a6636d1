"""Traces from a speech recogniser: sound in, text and attention maps out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from xattn_viz.core.messages import quoted
from xattn_viz.core.trace import Trace
from xattn_viz.inputs.audio import Sound
from xattn_viz.inputs.text import check_text
from xattn_viz.models.base import Adapter, Hooks, InputError, ModelCard, ModelError
from xattn_viz.models.families.whisper.decoding import positions
from xattn_viz.models.families.whisper.model import Model
from xattn_viz.models.families.whisper.replay import listening
from xattn_viz.models.families.whisper.run import Run
from xattn_viz.models.families.whisper.settings import Settings
from xattn_viz.models.families.whisper.sound import Ears, Heard, check_length, first, windows
from xattn_viz.models.resources import held, turn


class WhisperAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    further = ("offset", "seconds")

    def __init__(self, card: ModelCard, model: Model, ears: Ears) -> None:
        self.card, self.model, self.ears = card, model, ears
        self.size = model.runner.size
        self.memory = held(model.runner.model, ears.filters)

    @property
    def alignment_heads(self) -> tuple[tuple[int, int], ...]:
        """The (layer, head) pairs, from 0, that the checkpoint names as those that follow the words in time."""
        return self.model.alignment_heads

    def check(self, *, offset: float = 0.0, seconds: float | None = None, **asked: Any) -> Settings:
        """As `Adapter.check`; `offset` and `seconds` are those of a window (see `Settings`)."""
        if not isinstance(offset, int | float) or not 0 <= offset < 1e9:
            raise ModelError(f"The offset of a window is in seconds from 0: got {quoted(offset)}.")
        if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < 1e9):
            raise ModelError(f"The seconds that a log-mel lasts are more than 0: got {quoted(seconds)}.")
        settings = Settings(**vars(super().check(**asked)), offset=float(offset), seconds=seconds)
        if settings.crop and settings.keep_projections:
            raise ModelError("Queries and keys are kept for whole windows only: leave crop off.")
        return settings

    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:  # type: ignore[override]
        """The maps of one window.

        `input` may also be a log-mel, `[mel, frame]`, as a trace of this model shows it. Of a sound longer than 30 s
        the beginning is heard, and a note says so.

        Where nobody speaks nothing is written (`silence`): the output is empty, the map holds special tokens only, and
        a note says why. A `target` or a `prefix` is taken all the same, and so is all with `write_anyway`.

        Keys are the encoder's frames with their times, and those of padding are special. Encoder maps are pooled in
        steps of 5 frames. Probabilities are over the whole vocabulary, before any of the checkpoint's own rules of
        generation.

        The notes say what people should know: that the output repeats itself, was stopped, or that nobody
        speaks.
        """
        heard = self._hear(input, settings.seconds)
        with turn(hooks.on_step), listening(hooks.on_step), torch.inference_mode():
            return self._run(heard, settings, hooks)

    def _traces(self, input: Any, **settings: Any) -> Iterator[Trace]:
        """Yield the trace of each window of a sound, at most 30 s, cut at a quiet moment, with times in the whole.

        `settings` are those of `trace`.
        """
        if not isinstance(input, Sound):  # a log-mel is a window already
            yield self.trace(input, **settings)
            return
        for window in windows(check_length(input)):
            with_offset = {"offset": window.offset, **settings}
            trace = self.trace(Sound(window.samples), **with_offset)
            yield trace.with_notes(*window.notes)

    def plain(self, input: Any, *, num_beams: int = 1, **options: Any) -> str:
        """Only the output: generation with nothing recorded, no probabilities."""
        settings = self.check(num_beams=num_beams, **options)
        heard = self._hear(self.read_input(input))
        with turn(), torch.inference_mode():
            run = Run.start(self.model, settings, heard)
            if run.of_nothing() is not None:
                return ""
            return self.model.text.plain(run.generate(run.frame.prompt)[0].ids)

    def _is_heard(self, array: NDArray[Any]) -> bool:
        return self.ears.has_heard(array)

    def _hear(self, input: Sound | NDArray[Any], seconds: float | None = None) -> Heard:
        if isinstance(input, Sound):
            return self.ears.hear(first(check_length(input)))
        return self.ears.again(input, seconds)

    def _run(self, heard: Heard, settings: Settings, hooks: Hooks) -> Trace:
        run = Run.start(self.model, settings, heard)
        if (nothing := run.of_nothing()) is not None:
            return nothing
        begin, is_whole = self._begin(run)
        if is_whole:
            return run.trace(self.model.text.output(begin), len(begin))
        show = lambda ids: hooks.show(lambda: run.partial(ids, len(begin)))  # noqa: E731
        return run.finish(run.generate(begin, hooks.on_step, show), len(begin))

    def _begin(self, run: Run) -> tuple[list[int], bool]:
        """The ids that the output begins with, and whether they are all of it."""
        settings, frame = run.settings, run.frame
        if isinstance(settings.prefix, tuple):
            begin, is_whole = list(settings.prefix), settings.prefix[-1] == frame.end
            if begin == list(frame.prompt[: len(begin)]):  # the rest of what every output begins with
                begin = list(frame.prompt)
        else:
            begin, is_whole = list(frame.prompt), settings.target is not None
            if (given := settings.target if is_whole else settings.prefix) is not None:
                begin += self.model.text.encode(
                    check_text(given, "target" if is_whole else "prefix"), space=frame.space
                )
            if is_whole:
                begin.append(frame.end)
        most = positions(self.model.runner.model)
        # An output is read one token late, so a whole one fits where a beginning has no place for another token.
        if len(begin) > most - (not is_whole):
            name = "target" if settings.target is not None else "prefix"
            raise InputError(f"The {name} has {len(begin):,} tokens; at most {most - (not is_whole):,} have a place.")
        return begin, is_whole
