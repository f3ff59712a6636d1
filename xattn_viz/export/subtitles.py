"""Words in time as files that players, editors and phoneticians read; how they are parted, `export.cues` says.

SRT, WebVTT and ASS are written by pysubs2, Praat's TextGrid by praatio, ELAN's EAF by pympi, all of the extra [speech].

The text of a recogniser is data. Every word stands once in every file, in order and inside the sound, whatever its
times are; what would be markup is escaped where a format has a way to, and elsewhere written by another character.
"""

from __future__ import annotations

import csv
import html
import importlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

from xattn_viz.analysis.timing import TimedWord
from xattn_viz.export import safe_cell
from xattn_viz.export.cues import (
    DEFAULT,
    PRESETS,
    Cue,
    SubtitleStyle,
    behind,
    cues,
    gap,
    in_sound,
    milliseconds,
    plain,
)
from xattn_viz.inputs import InputError

__all__ = [
    "DEFAULT",
    "ENDINGS",
    "FORMATS",
    "PRESETS",
    "Cue",
    "SubtitleStyle",
    "audacity",
    "cues",
    "elan",
    "karaoke_ass",
    "karaoke_vtt",
    "srt",
    "textgrid",
    "to_csv",
    "to_json",
    "vtt",
]

_SURROGATES = re.compile(r"[\ud800-\udfff]")
# SRT and ASS have no escapes, and players read <i>, {\an8} and \N as markup: their full-width forms are text to all.
_FULL_WIDTH = str.maketrans("<>{}\\", "＜＞｛｝＼")
_NO_TAGS = {ord(mark): wide for mark, wide in zip("{}\\", "｛｝＼", strict=True)}
_BACKSLASH = "\ufdd0"  # no character, and so none that `plain` leaves: what pysubs2 would take for a line break
_MISSING = "{} files are written by {}, which is not installed: pip install 'xattn-viz[speech]'."


class _Seconds(float):
    """Seconds in whole microseconds: praatio writes the repr of a float, and does not read one as 6e-05."""

    def __new__(cls, seconds: float) -> _Seconds:
        return super().__new__(cls, round(seconds, 6))

    def __repr__(self) -> str:
        return f"{self:.6f}".rstrip("0").rstrip(".")


class _Write(Protocol):
    def __call__(self, words: Sequence[TimedWord], duration: float, style: SubtitleStyle = ...) -> str: ...


def srt(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> str:
    r"""The words of a sound of `duration` seconds as SubRip subtitles.

    `<`, `>`, `{`, `}` and the backslash are written full-width, because players read markup from them. Raises
    InputError where pysubs2 is missing; ValueError, as all of these functions, as `in_order` does.
    """
    parted = cues(words, duration, style)
    texts = [[plain(word.text).translate(_FULL_WIDTH) for word in cue.words] for cue in parted]
    return _subtitles("srt", parted, texts)


def vtt(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> str:
    """The words of a sound of `duration` seconds as WebVTT."""
    parted = cues(words, duration, style)
    return _subtitles("vtt", parted, [list(map(_escaped, cue.words)) for cue in parted])


def karaoke_vtt(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> str:
    """The words of a sound of `duration` seconds as WebVTT, with the start of each word inside its cue.

    Players show by it what has been said yet (`::cue(:past)`). A time inside a cue lies behind those before it, and
    before its end.
    """
    parted, texts = cues(words, duration, style), list[list[str]]()
    for cue in parted:
        shown, written = cue.start, list[str]()
        for word in cue.words:
            start, is_first = milliseconds(word.start), not written
            is_later = not is_first and shown < start < cue.end
            shown = start if is_later else shown
            written.append(f"<{_clock(start)}>" * is_later + _escaped(word))
        texts.append(written)
    return _subtitles("vtt", parted, texts)


def karaoke_ass(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> str:
    r"""The words of a sound of `duration` seconds as ASS, which colours each when it is said (`{\k}`, hundredths).

    `{`, `}` and the backslash are written full-width.
    """
    parted, texts = list[Cue](), list[list[str]]()
    for cue in cues(words, duration, style):
        at, written = _hundredths(cue.start), list[str]()
        last = max(_hundredths(cue.end), at + 1)
        parted.append(replace(cue, start=at * 10, end=last * 10))
        for word in cue.words:
            begin, end = (min(_hundredths(milliseconds(time)), last) for time in (word.start, word.end))
            begin = max(begin, at)
            end = max(begin, end)
            wait = f"{{\\k{begin - at}}}" * (begin > at)
            written.append(f"{wait}{{\\k{end - begin}}}{plain(word.text).translate(_NO_TAGS)}")
            at = end
        texts.append(written)
    return _subtitles("ass", parted, texts)


def to_json(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> str:
    """The words of a sound of `duration` seconds as a JSON list of objects.

    Their keys are `text` (as it is, each character), `start` and `end` (seconds), `confidence`, `is_repeated` (words of
    a loop are in it whatever the style says), `start_margin` and `end_margin` (seconds, null where none is told).
    """
    values = [
        {
            "text": word.text,
            "start": word.start,
            "end": word.end,
            "confidence": round(word.confidence, 4),
            "is_repeated": word.is_repeated,
            "start_margin": _rounded(word.start_margin),
            "end_margin": _rounded(word.end_margin),
        }
        for word in in_sound(words, duration)
    ]
    written = json.dumps(values, ensure_ascii=False, indent=1)
    return _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def to_csv(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> str:
    """The words of a sound of `duration` seconds as CSV, with the columns that JSON has as keys.

    No spreadsheet computes a text: `export.csv` says how.
    """
    out = io.StringIO()
    table = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    table.writerow(["text", "start", "end", "confidence", "is_repeated", "start_margin", "end_margin"])
    for word in in_sound(words, duration):
        seconds = round(word.start, 6), round(word.end, 6)
        margins = _rounded(word.start_margin), _rounded(word.end_margin)
        said = safe_cell(plain(word.text)), *seconds, round(word.confidence, 4), int(word.is_repeated), *margins
        table.writerow(said)
    return out.getvalue()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def audacity(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> str:
    """The words of a sound of `duration` seconds as a label track of Audacity: start, end and text between tabs."""
    return "".join(
        f"{word.start:.6f}\t{word.end:.6f}\t{plain(word.text)}\n"
        for cue in cues(words, duration, style)
        for word in cue.words
    )


def textgrid(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> str:
    """The words of a sound of `duration` seconds as a Praat TextGrid (the long text), in two tiers.

    "segments" holds what one cue shows, from its first word to the end of its last, "words" each word. Pauses are empty
    intervals, so that neither has gaps. Raises InputError where praatio is missing.
    """
    written = _library("praatio.utilities.textgrid_io", "TextGrid", "praatio")
    held = _tiers(words, duration, style)
    last = int(duration * 1e6) / 1e6  # in whole microseconds, as all of its times are
    tiers = [
        {
            "class": "IntervalTier",
            "name": name,
            "xmin": 0,
            "xmax": last,
            "entries": [(_Seconds(start), _Seconds(end), text) for start, end, text in entries],
        }
        for name, entries in held.items()
    ]
    grid = {"xmin": 0, "xmax": last, "tiers": tiers}
    return str(written.getTextgridAsStr(grid, "long_textgrid", includeBlankSpaces=True, minimumIntervalLength=None))


def elan(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> str:
    """The words of a sound of `duration` seconds as an annotation document of ELAN (EAF 2.8), in two tiers.

    They are as in `textgrid`, "words" included in "segments", in whole milliseconds; each is one long at least. Raises
    InputError where pympi is missing.
    """
    library = _library("pympi.Elan", "ELAN", "pympi-ling")
    document = library.Eaf(author="xattn_viz")
    document.remove_tier("default")
    document.header = {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    document.properties = []
    document.linguistic_types = {}
    document.add_linguistic_type("segment")
    document.add_linguistic_type("word", constraints="Included_In")
    document.add_tier("segments", "segment")
    document.add_tier("words", "word", parent="segments")
    for name, entries in _tiers(words, duration, style).items():
        at = 0
        for start, end, text in entries:
            begin = max(milliseconds(start), at)
            at = max(milliseconds(end), begin + 1)
            document.add_annotation(name, begin, at, text)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{library.to_string(document)}\n'


#: Each format by its name: from the words, the duration of the sound in seconds and a style to the file's text.
FORMATS: MappingProxyType[str, _Write] = MappingProxyType(
    {
        "srt": srt,
        "vtt": vtt,
        "karaoke-vtt": karaoke_vtt,
        "karaoke-ass": karaoke_ass,
        "json": to_json,
        "csv": to_csv,
        "audacity": audacity,
        "textgrid": textgrid,
        "elan": elan,
    }
)
#: What a file of each format ends in.
ENDINGS = MappingProxyType(
    {
        "srt": ".srt",
        "vtt": ".vtt",
        "karaoke-vtt": ".vtt",
        "karaoke-ass": ".ass",
        "json": ".json",
        "csv": ".csv",
        "audacity": ".txt",
        "textgrid": ".TextGrid",
        "elan": ".eaf",
    }
)


def _library(module: str, format: str, name: str) -> Any:
    """A library of the extra [speech], which nobody loads who writes no such file."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(_MISSING.format(format, name)) from None


def _subtitles(format: str, parted: Sequence[Cue], texts: Sequence[Sequence[str]]) -> str:
    """A file of cues; `texts` are their words as they are to stand there, markup escaped, tags before them."""
    library = _library("pysubs2", {"ass": "ASS", "srt": "SRT", "vtt": "WebVTT"}[format], "pysubs2")
    file = library.SSAFile()
    for cue, written in zip(parted, texts, strict=True):
        begin = (0, *cue.breaks)
        between = ["" if i in begin else gap(*pair) for i, pair in enumerate(behind(cue.words))]
        parts = [
            r"\N" * (i in cue.breaks) + space + text
            for i, (space, text) in enumerate(zip(between, written, strict=True))
        ]
        file.append(library.SSAEvent(cue.start, cue.end, "".join(parts)))
    # The tags that there are are ours, and stay.
    written = str(file.to_string(format) if format == "ass" else file.to_string(format, keep_ssa_tags=True))
    return f"{written.rstrip()}\n".lstrip("\n").replace(_BACKSLASH, "\\")


def _escaped(word: TimedWord) -> str:
    """A word in WebVTT."""
    return html.escape(plain(word.text), quote=False).replace("\\", _BACKSLASH)


def _tiers(
    words: Sequence[TimedWord], duration: float, style: SubtitleStyle
) -> dict[str, list[tuple[float, float, str]]]:
    """What stands in each tier, as (start, end, text): first the segments, then their words."""
    parted = cues(words, duration, style)
    return {
        "segments": [(c.words[0].start, c.words[-1].end, replace(c, breaks=()).text) for c in parted],
        "words": [(word.start, word.end, plain(word.text)) for cue in parted for word in cue.words],
    }


def _hundredths(whole_milliseconds: int) -> int:
    return (whole_milliseconds + 5) // 10


def _clock(whole_milliseconds: int) -> str:
    seconds, thousandths = divmod(whole_milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}"
