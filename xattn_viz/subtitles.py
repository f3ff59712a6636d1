"""Words in time as files that players and phoneticians read: SRT, WebVTT, JSON, and Praat's TextGrid.

Sources: SRT as players read it (SubRip), W3C WebVTT, and Praat's manual, "TextGrid file formats" (the long text).
The text of a recogniser is data: what would be markup in WebVTT is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from xattn_viz.analysis.timing import TimedWord

#: A cue holds no more characters and lasts no longer (seconds); a pause this long ends one.
MAX_CHARACTERS, MAX_SECONDS, PAUSE = 80, 6.0, 0.8
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")


def cues(words: Sequence[TimedWord]) -> list[list[TimedWord]]:
    """The words in groups that are shown together: to the end of a sentence, a pause, or as much as can be read.

    What is too long for one cue is parted as evenly as the fewest cues allow, so that no word is left alone.
    """
    groups: list[list[TimedWord]] = []
    for word in words:
        last = groups[-1] if groups else []
        if last and word.start - last[-1].end < PAUSE and not last[-1].text.rstrip("\"'”’)»").endswith(_SENTENCE_ENDS):
            last.append(word)
        else:
            groups.append([word])
    return [cue for group in groups for cue in _parted(group)]


def _parted(group: list[TimedWord]) -> list[list[TimedWord]]:
    """A group in cues that can be read: as few as there must be, and the longest of them as short as it can be."""
    fewest = _filled(group, MAX_CHARACTERS)
    for most in range(len(_text(group)) // len(fewest), MAX_CHARACTERS):
        if len(parts := _filled(group, most)) == len(fewest):
            return parts
    return fewest


def _filled(group: list[TimedWord], most: int) -> list[list[TimedWord]]:
    """A group in cues of as many words as fit `most` characters and `MAX_SECONDS`, at least one."""
    parts = [group[:1]]
    for word in group[1:]:
        if len(_text([*parts[-1], word])) <= most and word.end - parts[-1][0].start <= MAX_SECONDS:
            parts[-1].append(word)
        else:
            parts.append([word])
    return parts


def srt(words: Sequence[TimedWord]) -> str:
    """The words as SubRip subtitles; in order, cues never overlap."""
    blocks = [
        f"{number}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{_text(group)}\n"
        for number, (start, end, group) in enumerate(_timed(cues(words)), 1)
    ]
    return "\n".join(blocks)


def vtt(words: Sequence[TimedWord]) -> str:
    """The words as WebVTT, with the start of each word inside its cue."""
    blocks = []
    for start, end, group in _timed(cues(words)):
        parts, shown = [], start
        for i, word in enumerate(group):
            # A time inside a cue must lie behind those before it, and before its end.
            if i and shown < _milliseconds(word.start) < end:
                shown = _milliseconds(word.start)
                parts.append(f"<{_clock(shown, '.')}>")
            gap = " " if i and word.span[0] > group[i - 1].span[1] else ""
            parts.append(gap + _escaped(word.text))
        blocks.append(f"{_clock(start, '.')} --> {_clock(end, '.')}\n{''.join(parts)}\n")
    return "\n".join(["WEBVTT\n", *blocks])


def to_json(words: Sequence[TimedWord]) -> str:
    """The words as a JSON list of {"text", "start", "end", "confidence"}, times in seconds."""
    values = [
        {
            "text": word.text,
            "start": round(word.start, 3),
            "end": round(word.end, 3),
            "confidence": round(word.confidence, 4),
        }
        for word in words
    ]
    return json.dumps(values, ensure_ascii=False, indent=1)


def textgrid(words: Sequence[TimedWord], duration: float) -> str:
    """The words as one interval tier of a Praat TextGrid; pauses are empty intervals, so that it has no gaps.

    `duration` is that of the sound, in seconds. Praat knows no empty interval: a word that begins where it ends is left
    out.
    """
    intervals: list[tuple[float, float, str]] = []
    at = 0.0
    for word in words:
        start, end = max(word.start, at), min(word.end, duration)
        if end <= start:
            continue
        if start > at:
            intervals.append((at, start, ""))
        intervals.append((start, end, word.text))
        at = end
    if at < duration:
        intervals.append((at, duration, ""))
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {duration:.6f}",
        "tiers? <exists>",
        "size = 1",
        "item []:",
        "    item [1]:",
        '        class = "IntervalTier"',
        '        name = "words"',
        "        xmin = 0",
        f"        xmax = {duration:.6f}",
        f"        intervals: size = {len(intervals)}",
    ]
    for number, (start, end, text) in enumerate(intervals, 1):
        quoted = text.replace('"', '""')
        lines += [
            f"        intervals [{number}]:",
            f"            xmin = {start:.6f}",
            f"            xmax = {end:.6f}",
            f'            text = "{quoted}"',
        ]
    return "\n".join(lines) + "\n"


#: Each format by its name: from the words and the duration of the sound, in seconds, to the file's text.
FORMATS: dict[str, Callable[[Sequence[TimedWord], float], str]] = {
    "srt": lambda words, _: srt(words),
    "vtt": lambda words, _: vtt(words),
    "json": lambda words, _: to_json(words),
    "textgrid": textgrid,
}


def _timed(groups: Sequence[Sequence[TimedWord]]) -> list[tuple[int, int, Sequence[TimedWord]]]:
    """Start and end of each cue in milliseconds: at least one long, none before the end of the one before."""
    timed, at = list[tuple[int, int, Sequence[TimedWord]]](), 0
    for group in groups:
        start = max(_milliseconds(group[0].start), at)
        at = max(_milliseconds(group[-1].end), start + 1)
        timed.append((start, at, group))
    return timed


def _text(group: Sequence[TimedWord]) -> str:
    """The words as they are written: with a space where the output had one."""
    parts = [
        (" " if i and word.span[0] > group[i - 1].span[1] else "") + " ".join(word.text.split())
        for i, word in enumerate(group)
    ]
    return "".join(parts).replace("-->", "→")  # the arrow of the times would end a cue


def _escaped(text: str) -> str:
    text = " ".join(text.split())
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _clock(milliseconds: int, mark: str) -> str:
    seconds, thousandths = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{thousandths:03}"
