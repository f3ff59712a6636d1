"""Words in time by another program. It runs in that program's own environment, so it imports nothing of ours.

    python _peer_worker.py PEER WEIGHTS CLIPS OUT

CLIPS is a folder of `N.npy`, samples `[sample]` at 16 kHz as float32, and `texts.json`, a list of the texts to force,
or null where the program is to transcribe by itself. OUT becomes a JSON list of [[word, start, end], ...], one a clip,
in seconds. Everything runs in float32 on one thread, in English, without beams; else by a program's defaults.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Word = tuple[str, float, float]
#: Words in time of samples `[sample]`, by a forced text or the program's own.
Timer = Callable[[Any, "str | None"], list[Word]]
RATE = 16_000
# What faster-whisper and openai-whisper put to the word beside it by default.
PREPEND, APPEND = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"


def faster_whisper(weights: str) -> Timer:
    """`WhisperModel.transcribe`; with a text, its `add_word_timestamps` over one segment that is the whole sound."""
    transcribe = importlib.import_module("faster_whisper.transcribe")
    tokenizers = importlib.import_module("faster_whisper.tokenizer")
    model = transcribe.WhisperModel(weights, device="cpu", compute_type="float32", cpu_threads=1)

    def time(samples: Any, text: str | None) -> list[Word]:
        if text is None:
            segments, _ = model.transcribe(samples, language="en", beam_size=1, word_timestamps=True)
            return [(word.word, word.start, word.end) for segment in segments for word in segment.words or ()]
        tokenizer = tokenizers.Tokenizer(model.hf_tokenizer, False, task="transcribe", language="en")
        features = model.feature_extractor(samples)
        frames = min(features.shape[-1] - 1, model.feature_extractor.nb_max_frames)
        encoded = model.encode(transcribe.pad_or_trim(features[:, :frames]))
        segment = {
            "seek": 0,
            "start": 0.0,
            "end": len(samples) / RATE,
            "tokens": tokenizer.encode(" " + text.strip()),
        }
        model.add_word_timestamps([[segment]], tokenizer, encoded, frames, PREPEND, APPEND, 0.0)
        words: Any = segment["words"]
        return [(word["word"], word["start"], word["end"]) for word in words]

    return time


def openai_whisper(weights: str) -> Timer:
    """`whisper.transcribe`; with a text, its own `add_word_timestamps` over one segment that is the whole sound."""
    whisper, model = _openai_model(weights)
    timing = importlib.import_module("whisper.timing")
    tokenizer = importlib.import_module("whisper.tokenizer").get_tokenizer(False, language="en", task="transcribe")

    def time(samples: Any, text: str | None) -> list[Word]:
        if text is None:
            found = whisper.transcribe(model, samples, language="en", word_timestamps=True, fp16=False)
            return [(w["word"], w["start"], w["end"]) for segment in found["segments"] for w in segment["words"]]
        frames = min(len(samples) // 160, 3000)
        mel = whisper.log_mel_spectrogram(samples, model.dims.n_mels, padding=30 * RATE)
        segment = {
            "seek": 0,
            "start": 0.0,
            "end": len(samples) / RATE,
            "tokens": tokenizer.encode(" " + text.strip()),
        }
        timing.add_word_timestamps(
            segments=[segment],
            model=model,
            tokenizer=tokenizer,
            mel=whisper.pad_or_trim(mel[:, :frames], 3000),
            num_frames=frames,
            prepend_punctuations=PREPEND,
            append_punctuations=APPEND,
            last_speech_timestamp=0.0,
        )
        words: Any = segment["words"]
        return [(word["word"], word["start"], word["end"]) for word in words]

    return time


def stable_ts(weights: str) -> Timer:
    """`transcribe` of a model that stable-ts has changed; with a text, its `align`. Both by its defaults."""
    stable = importlib.import_module("stable_whisper")
    _, model = _openai_model(weights)
    stable.modify_model(model)

    def time(samples: Any, text: str | None) -> list[Word]:
        torch = importlib.import_module("torch")
        sound = torch.from_numpy(samples)
        if text is None:
            found = model.transcribe(sound, language="en", fp16=False, verbose=None)
        else:
            found = model.align(sound, text, language="en", verbose=None)
        return [(word.word, word.start, word.end) for word in found.all_words()] if found is not None else []

    return time


def whisper_timestamped(weights: str) -> Timer:
    """`whisper_timestamped.transcribe`.

    It takes no text to force. With one, its "naive approach", which transcribes first and then aligns what was written,
    is given that text as what was written, as one segment that is the whole sound; all behind that is its own.
    """
    timestamped = importlib.import_module("whisper_timestamped")
    whisper, model = _openai_model(weights)
    tokenizer = whisper.tokenizer.get_tokenizer(False, language="en", task="transcribe")

    def time(samples: Any, text: str | None) -> list[Word]:
        options = {"language": "en", "fp16": False, "verbose": None}
        if text is None:
            found = timestamped.transcribe(model, samples, **options)
        else:
            end = round(len(samples) / RATE / 0.02)
            tokens = [tokenizer.timestamp_begin, *tokenizer.encode(" " + text), tokenizer.timestamp_begin + end]
            segment = {"id": 0, "seek": 0, "start": 0.0, "end": end * 0.02, "text": " " + text, "tokens": tokens}
            written = {"language": "en", "text": " " + text, "segments": [segment]}
            model.transcribe = lambda *_, **__: written
            found = timestamped.transcribe(model, samples, naive_approach=True, **options)
            del model.transcribe
        return [(w["text"], w["start"], w["end"]) for segment in found["segments"] for w in segment["words"]]

    return time


def _openai_model(weights: str) -> tuple[Any, Any]:
    """The package, and the model in its own format with the alignment heads that it lists for this checkpoint."""
    whisper = importlib.import_module("whisper")
    importlib.import_module("torch").set_num_threads(1)
    model = whisper.load_model(weights, device="cpu")
    model.set_alignment_heads(whisper._ALIGNMENT_HEADS["tiny.en"])
    return whisper, model


TIMERS: dict[str, Callable[[str], Timer]] = {
    "faster-whisper": faster_whisper,
    "openai-whisper": openai_whisper,
    "whisper-timestamped": whisper_timestamped,
    "stable-ts": stable_ts,
}


def main(peer: str, weights: str, clips: str, out: str) -> None:
    """Time the words of every clip of a folder; null for one that the program fails on, which is told."""
    numpy = importlib.import_module("numpy")
    time, folder = TIMERS[peer](weights), Path(clips)
    texts = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
    found: list[list[Word] | None] = []
    for number, text in enumerate(texts):
        try:
            words = time(numpy.load(folder / f"{number}.npy"), text)
        except Exception as error:
            print(f"{peer}, clip {number}: {error!r}", file=sys.stderr)
            found.append(None)
        else:
            found.append([(word.strip(), float(start), float(end)) for word, start, end in words])
    Path(out).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
