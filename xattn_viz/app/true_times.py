"""Where the visitor has true times of a sound: how far the words in time are from them, the worst words first."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from xattn_viz.analysis.timing import TimedWord
from xattn_viz.analysis.word_scores import WITHIN, EdgeErrors, TrueWord, WordMatch, WordScores, read_words, score_times
from xattn_viz.app import actions, page_state
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Shown
from xattn_viz.core.tokens import visible
from xattn_viz.inputs import InputError

FILES = ("TextGrid", "srt", "vtt", "ass", "json")
_HELP = "Praat\u2019s TextGrid (the tier \u201cwords\u201d), SRT, WebVTT or ASS subtitles, or JSON."


@dataclass(frozen=True)
class _Truth:
    """What a file said of a sound: its words, or a sentence about what was wrong with it."""

    title: str
    words: tuple[TrueWord, ...] = ()
    fault: str = ""


def draw(shown: Shown, windows: Sequence[Sequence[TimedWord]]) -> None:
    """A place for the file, and the scores by it; `windows` are the words found in each window, in order."""
    sound = shown.query.input
    st.file_uploader(
        "True times", type=FILES, key=f"truth-{sound}", help=_HELP, on_change=_take, args=(sound,), max_upload_size=64
    )
    truth = _kept().get(sound)
    if truth is None:
        return
    if truth.fault:
        st.error(literal(truth.fault))
        return
    try:
        found = score_times([word for words in windows for word in words], truth.words)
    except InputError as error:
        st.error(literal(str(error)))
        return
    _show(truth.title, found)
    places = [(number, word) for number, words in enumerate(windows) for word in words]
    worst = found.worst
    st.caption("Worst words first. Click a row to see the word in the map.")
    st.dataframe(
        [_row(match) for match in worst],
        hide_index=True,
        key=f"truth-table-{sound}",
        selection_mode="single-row",
        on_select=partial(_go, f"truth-table-{sound}", [_place(match, places) for match in worst]),
    )


def _show(title: str, found: WordScores) -> None:
    missed, added = (sum(getattr(match, side) is None for match in found.matches) for side in ("found", "true"))
    st.markdown(
        literal(
            f"By {title}: word F1 {found.f1:.3f} (overlap of half or more), mean overlap {found.iou:.3f}, "
            f"{found.count_wrong()} wrong by more than 0.5 s; words not found: {missed}, found but not true: {added}."
        )
    )
    st.dataframe(
        [_edges(name, edges) for name, edges in (("starts", found.starts), ("ends", found.ends))], hide_index=True
    )


def _edges(name: str, edges: EdgeErrors) -> dict[str, object]:
    shares = {
        f"within {limit * 1000:.0f} ms": f"{share:.0%}" for limit, share in zip(WITHIN, edges.within, strict=True)
    }
    times = {f"{what} (ms)": round(1000 * getattr(edges, what)) for what in ("mean", "median")} if edges.count else {}
    return {"what": name, "words": edges.count, **times, **(shares if edges.count else {})}


def _row(match: WordMatch) -> dict[str, object]:
    word = match.found or match.true
    said = "not found" if match.found is None else "not true" if match.true is None else ""
    return {
        "word": visible(word.text) if word else "",
        "start (s)": _number(word.start if word else None),
        "start off by (ms)": _milliseconds(match.start_error),
        "end (s)": _number(word.end if word else None),
        "end off by (ms)": _milliseconds(match.end_error),
        "overlap": _number(match.iou),
        "": said,
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{round(1000 * seconds):+d}"


def _place(match: WordMatch, places: Sequence[tuple[int, TimedWord]]) -> tuple[int, int] | None:
    """The window and the row of a match: of its own word, or of the one found nearest to a word that was not found."""
    if match.found_index is not None:
        number, word = places[match.found_index]
        return number, word.rows[0]
    start = match.true.start if match.true else None
    if start is None or not places:
        return None
    number, word = min(places, key=lambda place: abs(place[1].start - start))
    return number, word.rows[0]


def _go(key: str, places: Sequence[tuple[int, int] | None]) -> None:
    rows = st.session_state[key].selection.rows
    if rows and (place := places[rows[0]]) is not None:
        actions.look_at_row(*place)


def _kept() -> dict[str, _Truth]:
    kept: dict[str, _Truth] = page_state.visit().chosen.setdefault("true_times", {})
    return kept


@page_state.while_here
def _take(sound: str) -> None:
    file = st.session_state[f"truth-{sound}"]
    if file is None:
        _kept().pop(sound, None)
        return
    named = io.BytesIO(file.getvalue())
    named.name = file.name
    try:
        _kept()[sound] = _Truth(file.name, read_words(named))
    except InputError as error:
        _kept()[sound] = _Truth(file.name, fault=str(error))
