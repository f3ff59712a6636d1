"""How near words in time are to true times: `score-times`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import click

import xattn_viz as xv
from xattn_viz.analysis.timing import Head
from xattn_viz.analysis.timing import Method as TimingMethod
from xattn_viz.analysis.word_scores import WITHIN, EdgeErrors, WordMatch, read_words
from xattn_viz.cli import common
from xattn_viz.core.tokens import visible
from xattn_viz.inputs import audio

_SHOWN = 20  # of the worst words


@common.command("xattn-viz score-times whisper-tiny-en talk.wav --truth talk.TextGrid")
@common.MODEL_OR_TRACE
@common.INPUT_OR_NONE
@common.parsed(
    "--truth",
    by=Path,
    metavar="FILE",
    required=True,
    help="The true times: a TextGrid, SRT, WebVTT or ASS subtitles, or JSON.",
    shell_complete=common.complete_files,
)
@click.option("--tier", help='Of a TextGrid: the tier of words; "words" or the only one unless given.')
@common.TIMING_HEADS
@common.choice("--method", get_args(TimingMethod), "shares", "How times are found.")
@click.option("--force", is_flag=True, help="Let the model hear the true words (30 s at most), not write its own.")
@common.SET
@common.JSON
def score_times(
    model: str,
    input: str | None,
    truth: Path,
    tier: str | None,
    heads: list[Head] | None,
    method: TimingMethod,
    force: bool,
    settings: tuple[tuple[str, str], ...],
    as_json: bool,
) -> None:
    """Measure words in time by true times: errors of starts and ends, word F1, the worst.

    Words are matched in the order of the text, case and punctuation aside. Word F1 takes a word for right whose overlap
    with the true one is half of their union or more.
    """
    true = read_words(truth, tier)
    words: list[xv.TimedWord] = []
    for trace in _traces(model, input, settings, " ".join(word.text for word in true) if force else None):
        chosen: Sequence[Head] | None = heads
        for layer, head in heads or ():
            common.check_head(trace.cross, layer, head)
        if chosen is None and method == "zscores":  # the heads that the checkpoint names are a part of that method
            chosen = trace.alignment_heads or None
        words += xv.timed_words(trace, chosen, method=method)
        common.tell_notes(trace)
    found = xv.score_times(words, true)
    missed, added = (sum(getattr(match, side) is None for match in found.matches) for side in ("found", "true"))
    lines = [
        "\t".join(
            ["what", "words", "mean (ms)", "median (ms)", *(f"within {limit * 1000:.0f} ms" for limit in WITHIN)]
        ),
        *(_edge(name, getattr(found, name)) for name in ("starts", "ends")),
        "",
        f"Word F1: {found.f1:.3f} (precision {found.precision:.3f}, recall {found.recall:.3f}) with IoU of .5 or more",
        f"Mean IoU: {found.iou:.3f}. Wrong by more than 0.5 s: {found.count_wrong()}",
        f"True words not found: {missed}. Found words that are not true: {added}",
        "",
        "\t".join(["worst first", "start (s)", "off by (s)", "end (s)", "off by (s)"]),
        *map(_line, found.worst[:_SHOWN]),
    ]
    common.answer(as_json, _as_json(found), *lines)


def _traces(
    model: str, input: str | None, settings: tuple[tuple[str, str], ...], target: str | None
) -> Iterable[xv.Trace]:
    if common.is_saved(model, input):
        if target is not None:
            raise ValueError("A saved trace has its words already: --force needs a model and its sound.")
        return [common.load_saved(model)]
    adapter = common.load(model)
    if adapter.card.input_kind != "audio":
        raise xv.ModelError(f"{model} does not hear: words in time need a model that does, such as whisper-tiny-en.")
    sound = audio.read(common.file_or_input(input) if input == "-" else input)
    said = common.settings_of(adapter, settings)
    if target is None:
        return adapter.traces(sound, **said)
    if sound.seconds > 30:
        raise ValueError(f"A text is forced on 30 s at most, and this sound lasts {sound.seconds:.1f} s.")
    return [adapter.trace(sound, **{**said, "target": target})]


def _edge(name: str, edge: EdgeErrors) -> str:
    numbers = (f"{edge.mean * 1000:.0f}", f"{edge.median * 1000:.0f}", *(f"{share:.0%}" for share in edge.within))
    return "\t".join([name, str(edge.count), *numbers])


def _line(match: WordMatch) -> str:
    if match.found is None or match.true is None:
        one, said = (match.true, "not found") if match.found is None else (match.found, "not true")
        start, end = (_number(getattr(one, edge)) for edge in ("start", "end"))
        return "\t".join([visible(getattr(one, "text", "")), start, said, end, said])
    times = _number(match.found.start), _number(match.start_error, "+"), _number(match.found.end)
    return "\t".join([visible(match.found.text), *times, _number(match.end_error, "+")])


def _number(seconds: float | None, sign: str = "") -> str:
    return "" if seconds is None else f"{seconds:{sign}.3f}"


def _as_json(found: xv.WordScores) -> dict[str, Any]:
    edges = {
        name: {
            "words": edge.count,
            "mean": edge.mean,
            "median": edge.median,
            "largest": edge.largest,
            "within": {str(limit): share for limit, share in zip(WITHIN, edge.within, strict=True)},
        }
        for name, edge in (("starts", found.starts), ("ends", found.ends))
    }
    matches = [
        {
            "found": _plain(match.found),
            "true": _plain(match.true),
            "start_error": match.start_error,
            "end_error": match.end_error,
            "iou": match.iou,
        }
        for match in found.matches
    ]
    shares = {name: getattr(found, name) for name in ("precision", "recall", "f1", "iou")}
    return {**edges, **shares, "matches": matches}


def _plain(word: Any) -> dict[str, Any] | None:
    return None if word is None else {"text": word.text, "start": word.start, "end": word.end}
