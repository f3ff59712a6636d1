"""Traces from a speech recogniser: sound in, text and attention maps out, and what is to be known of the text."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xattn_viz.core.axis import Axis
from xattn_viz.core.loops import NO_SPEECH, Heard, Loop, loop_in, loops_heard
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Note, Speech, Trace
from xattn_viz.inputs.audio import RATE, Sound, frame_times
from xattn_viz.models.base import ModelCard, ModelError
from xattn_viz.models.engine.adapter import EncoderDecoderAdapter
from xattn_viz.models.engine.network import Run, Source
from xattn_viz.models.engine.results import Tokens
from xattn_viz.models.engine.search import Frame, Output
from xattn_viz.models.families.whisper import ANYWAY, CROP, WRITE_ANYWAY
from xattn_viz.models.families.whisper.network import SpeechNetwork, Text, pooled_axis
from xattn_viz.models.families.whisper.sound import (
    HOP,
    FeatureExtractor,
    Features,
    check_length,
    cropped,
    first,
    may_be_silent,
    windows,
)
from xattn_viz.models.provenance import Identity, Settings

DETECT = "detect"
#: Written without spaces between words, so that a text does not begin with one either (OpenAI's own list).
UNSPACED = frozenset(("zh", "ja", "th", "lo", "my", "yue"))
#: Above this OpenAI's own transcription takes a text for a loop (`openai/whisper`, `transcribe.py`).
COMPRESSION = 2.4
#: Nobody says more tokens a second: 7 are quick speech. Text that packs so small may else be a sentence said again.
FASTEST = 10
_NO_SPEECH_TOKENS = ("<|nospeech|>", "<|nocaptions|>")
_QUOTED = 60  # characters


@dataclass(frozen=True, kw_only=True)
class SpeechSource(Source):
    """A stretch of sound that is read at once."""

    features: Features


@dataclass(frozen=True)
class SpeechFrame(Frame):
    """What stands around an output in a `language` (None where the model knows only one), told with a `probability`.

    `space` says whether a text begins with a space, `is_silent` that nobody speaks.
    """

    space: bool = True
    language: str | None = None
    probability: float | None = None
    is_silent: bool = False


class WhisperAdapter(EncoderDecoderAdapter):
    """One loaded model that hears.

    It also reads a log-mel, `[mel, frame]`, as a trace of it shows it. Of a sound longer than 30 s the beginning is
    heard, and a note says so. Keys are the encoder's frames with their times, and those of padding are special. Encoder
    maps are pooled in steps of 5 frames.

    Where nobody speaks nothing is written (`sound.may_be_silent`): the output is empty, the map holds special tokens
    only, and a note says why. A `target` or a `prefix` is taken all the same, and so is all with `write_anyway`.

    Notes say what people should know: that the output repeats itself, was stopped, or that nobody speaks.
    """

    further = ("offset", "seconds")
    text: Text
    network: SpeechNetwork

    def __init__(
        self,
        card: ModelCard,
        identity: Identity,
        network: SpeechNetwork,
        text: Text,
        extractor: FeatureExtractor,
        alignment_heads: Sequence[tuple[int, int]],
    ) -> None:
        super().__init__(card, identity, network, text, network.model, extractor.filters)
        self.extractor = extractor
        #: The (layer, head) pairs, from 0, that the checkpoint names as those that follow the words in time.
        self.alignment_heads = tuple(alignment_heads)
        self._languages = text.languages() if any(option.name == "language" for option in card.options) else {}
        # How many samples a frame of the encoder is.
        strides = math.prod(convolution.stride[0] for convolution in network.convolutions)
        self._samples = strides * (1 if extractor.mels is None else HOP)
        # The id that the decoder writes first where nobody speaks; None for a model that has no word for it.
        self._no_speech = next((i for name in _NO_SPEECH_TOKENS if (i := text.special.get(name)) is not None), None)

    def check(self, *, offset: float = 0.0, seconds: float | None = None, **asked: Any) -> Settings:
        """As `Adapter.check`; a window begins at `offset`, in seconds of the whole.

        `seconds` is how long a sound is whose log-mel does not tell (`Features.seconds`).
        """
        if not isinstance(offset, int | float) or not 0 <= offset < 1e9:
            raise ModelError(f"The offset of a window is in seconds from 0: got {quoted(offset)}.")
        if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < 1e9):
            raise ModelError(f"The seconds that a log-mel lasts are more than 0: got {quoted(seconds)}.")
        settings = super().check(**asked)
        if settings.options.get(CROP.name) and settings.keep_projections:
            raise ModelError("Queries and keys are kept for whole windows only: leave crop off.")
        # What is not asked for is not written down: older releases do not know it.
        options = {name: value for name, value in settings.options.items() if value or name != ANYWAY}
        told = {} if seconds is None else {"seconds": seconds}
        return replace(settings, options={**options, "offset": float(offset), **told})

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

    def _is_features(self, array: NDArray[Any]) -> bool:
        return self.extractor.is_log_mel(array)

    def _source(self, input: Any, settings: Settings) -> SpeechSource:
        if isinstance(input, Sound):
            features = self.extractor.extract(first(check_length(input)))
        else:
            features = self.extractor.from_log_mel(input, settings.options.get("seconds"))
        values = torch.tensor(features.values).unsqueeze(0)  # a copy: the values may be read-only
        values = values.to(device=self.network.device, dtype=self.network.model.dtype)
        axis = self._axis(features, settings.options["offset"])
        return SpeechSource(
            {self.network.encoder.main_input_name: values},
            axis,
            cropped(features) if settings.options.get(CROP.name) else features.shown,
            features.notes,
            pooled_axis(axis),
            {} if features.seconds is None else {"seconds": features.seconds},
            features=features,
        )

    def _axis(self, features: Features, offset: float) -> Axis:
        """The encoder's frames in seconds of the whole; those that hold nothing but padding are special."""
        given = features.values.shape[-1]
        count = self.network.frames(given)
        special = None
        if features.frames is not None:
            own = -(-features.frames * count // given)
            special = tuple(i >= own for i in range(count))
        return Axis("audio", times=frame_times(count, self._samples / RATE, offset), special=special)

    def _frame(self, encoded: Any, settings: Settings) -> SpeechFrame:
        """What stands around an output: for Whisper language, task and "no timestamps"; for Moonshine nothing."""
        frame, prompt = Frame.of(self.network.model), list[int]()
        language, probability = None, None
        if self._languages:
            language = str(settings.options["language"])
            if language == DETECT:
                with self.network.watch(settings):
                    language, probability = self.network.language(encoded, frame.start, self._languages)
            prompt += [self._languages[language], self.text.special[f"<|{settings.options['task']}|>"]]
        if (silent := self.text.special.get("<|notimestamps|>")) is not None:
            prompt.append(silent)
        space = self.network.model.config.model_type == "whisper" and language not in UNSPACED
        return SpeechFrame(frame.start, frame.first, frame.ends, tuple(prompt), space, language, probability)

    def _target(self, text: str, frame: Frame, settings: Settings) -> Tokens:
        assert isinstance(frame, SpeechFrame)  # noqa: S101 - `_frame` makes no other
        return self.text.output((*frame.prompt, *self.text.encode(text, space=frame.space), frame.ends[0]))

    def _skip_search(self, run: Run) -> Trace | None:
        """The trace of the output that nobody speaks; None where somebody may, or the model is to write anyway.

        Whisper learned to write its token for this first, and then to end; a model without one only ends.
        """
        settings, frame, token = run.settings, cast(SpeechFrame, run.frame), self._no_speech
        if settings.options.get(ANYWAY) or settings.target is not None or settings.prefix is not None:
            return None
        if not may_be_silent(cast(SpeechSource, run.source).features, has_word=token is not None):
            return None
        nothing = self.text.output((*(frame.prompt if token is None else (token,)), frame.ends[0]))
        trace = self._make_trace(replace(run, frame=replace(frame, is_silent=True)), nothing, Output(nothing.ids))
        said = None if trace.speech is None else trace.speech.no_speech_probability
        return trace if said is None or said > NO_SPEECH else None

    def _complete(self, run: Run, trace: Trace, logits: Sequence[Tensor] | Tensor) -> Trace:
        """With its place in the whole, without padding where that is wanted, and whether somebody speaks."""
        settings, frame, token = run.settings, cast(SpeechFrame, run.frame), self._no_speech
        silence = None if token is None else float(logits[0].float().softmax(-1)[token])
        decoding = {"method": "none: nobody speaks"} if frame.is_silent else trace.provenance["decoding"]
        is_cropped = settings.options.get(CROP.name)
        return replace(
            trace,
            maps=tuple(maps.without_padding() for maps in trace.maps) if is_cropped else trace.maps,
            offset=settings.options["offset"],
            provenance={**trace.provenance, "decoding": decoding},
            alignment_heads=self.alignment_heads,
            speech=Speech(frame.language, frame.probability, silence),
        ).with_notes(*(silence_notes(silence) if frame.is_silent else no_speech_notes(silence)))

    def _notes(self, run: Run, trace: Trace, ids: Sequence[int], given: int) -> list[str]:
        loops = loop_notes(trace, given, self.text, self.alignment_heads)
        return [*super()._notes(run, trace, ids, given), *loops]


def no_speech_notes(probability: float | None) -> list[str]:
    """A note where the model thinks that nobody speaks."""
    if probability is None or probability <= NO_SPEECH:
        return []
    return [f"The model itself gives a probability of {probability:.2f} that nobody speaks here."]


def silence_notes(probability: float | None) -> list[Note]:
    """A note why nothing was written."""
    why = "The sound is silent here"
    if probability is not None:
        said = f"a probability of {probability:.2f} that nobody speaks here"
        why = f"The sound is steady, and the model itself gives {said}"
    shows = f"The option “{WRITE_ANYWAY.title}” ({ANYWAY}) shows those it would write."
    return [Note(f"{why}: no words were written. {shows}", "silence")]


def loop_notes(trace: Trace, begin: int, text: Text, heads: Sequence[tuple[int, int]]) -> list[str]:
    """A note where the output repeats itself behind the first `begin` tokens, which were given, and was not heard so.

    It says from which moment on: where `heads`, or all of them where none are named, look most while the loop's first
    token is predicted. Without a cross map there is no moment, and nobody knows how often it was heard.
    """
    ids, cross = [step.id for step in trace.steps], trace.cross if any(m.kind == "cross" for m in trace.maps) else None
    written = ids[begin:]
    if cross is None:
        loop = loop_in(written)
        if loop is not None:
            said = f"“{_phrase(written, loop, text)[1]}” {loop.times} times in a row"
            return [f"The model repeats itself: {said}. Unless it is said so often, this is a loop."]
    elif (found := next((each for each in loops_heard(trace) if not each.is_whole), None)) is not None:
        first, phrase = _phrase(ids, found.loop, text)
        when = f"{_moment(cross, first, heads):.1f} s"
        said = f"The model repeats itself from {when} on: “{phrase}” {found.loop.times} times in a row."
        return [f"{said} {_told(found)}"]
    data = text.plain(written).encode()
    ratio = len(data) / len(zlib.compress(data)) if data else 0.0
    if ratio <= COMPRESSION or (cross is not None and len(written) <= FASTEST * _seconds(cross)):
        return []
    return [f"The model repeats itself: the text can be packed {ratio:.1f} times smaller, as loops of Whisper can."]


def _told(found: Heard) -> str:
    """How often a loop was heard, and what became of its words."""
    if not found.times:
        return "It is not heard at all: this is a loop, and its words are marked."
    often = "once" if found.times == 1 else f"{found.times} times"
    return f"It is heard about {often}: the rest is a loop, and its words are marked."


def _phrase(ids: Sequence[int], loop: Loop, text: Text) -> tuple[int, str]:
    """Where the words of a loop begin, and what they say: a loop often begins with the full stop before them."""
    spoken = (i for i in range(loop.start, loop.start + loop.period) if any(map(str.isalnum, text.plain([ids[i]]))))
    first = next(spoken, loop.start)
    phrase = visible(text.plain(ids[first : first + loop.period]))
    return first, phrase if len(phrase) <= _QUOTED else f"{phrase[: _QUOTED - 1]}…"


def _seconds(cross: AttentionMaps) -> float:
    """How long the sound under a map is, without its padding."""
    return sum(
        end - start for (start, end), pad in zip(cross.keys.times or (), cross.keys.is_special, strict=True) if not pad
    )


def _moment(cross: AttentionMaps, row: int, heads: Sequence[tuple[int, int]]) -> float:
    """Where a row looks most, in seconds: the beginning of the frame with the highest mean weight over heads."""
    rows = cross.weights[:, :, row]  # [layer, head, key]
    there = [rows[layer, head] for layer, head in heads if layer < rows.shape[0] and head < rows.shape[1]]
    mean = np.mean(there, axis=0) if there else rows.mean(axis=(0, 1))
    assert cross.keys.times is not None  # noqa: S101 - the keys of this family are frames
    return cross.keys.times[int(mean.argmax())][0]
