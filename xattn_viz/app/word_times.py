"""Words in time on the page: which heads they come from, a table of them, and subtitles to download."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import chain
from weakref import WeakKeyDictionary

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from xattn_viz.analysis.timing import Head, Method, TimedWord, WarpingPath, timed_words, warping_path
from xattn_viz.app import page_state, sound_page
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Shown
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.export import subtitles
from xattn_viz.inputs.audio import RATE, flac
from xattn_viz.web.explorer.sound import Playback

_UPPER, _PUBLISHED, _ALL, _OWN = "upper", "published", "all", "own"
_TITLES = {
    _UPPER: "All heads but those of the lowest quarter of layers",
    _PUBLISHED: "Z-scores, the heads that the checkpoint names",
    _ALL: "Z-scores, all heads",
    _OWN: "Heads of your own",
}
_HELP = (
    "Word times come from the attention of these heads. On sentences with known times the first choice was off by "
    "about 50 ms on average; the heads that the checkpoint names, by more than 100 ms."
)
# The forms of `subtitles.FORMATS` as the buttons name them, and what each is.
_FILES = {"SRT": "application/x-subrip", "VTT": "text/vtt", "JSON": "application/json", "TextGrid": "text/plain"}
_Timed = tuple[tuple[TimedWord, ...], WarpingPath | None]
_TIMED: WeakKeyDictionary[Trace, dict[object, _Timed]] = WeakKeyDictionary()
_HEAD = re.compile(r"(\d{1,3})\.(\d{1,3})")


def control(trace: Trace) -> None:
    """The choice of heads, behind a button."""
    with st.popover("Word times", key="word-times", help="Which heads the times of words come from"):
        for name, value in _said().items():  # widgets forget what they held while another page is shown
            st.session_state.setdefault(name, value)
        st.radio(
            "Alignment heads", list(_TITLES), format_func=_TITLES.__getitem__, key="timing", help=_HELP, on_change=_keep
        )
        own = _said()["timing"] == _OWN
        label = "Heads, each as layer.head"
        st.text_input(label, key="timing_heads", placeholder="3.1, 4.2", disabled=not own, on_change=_keep)
        if problem := _read(trace)[1]:
            st.caption(literal(problem))


def words(trace: Trace) -> tuple[TimedWord, ...]:
    """The words of a window by the chosen method; by the default one where that cannot be had."""
    return _timed(trace, *chosen(trace))[0]


def _timed(trace: Trace, heads: tuple[Head, ...] | None, method: Method) -> _Timed:
    """Words and the way of their alignment, kept with the trace: the page asks for them at every run."""
    if trace.cross.queries.is_special.all() or trace.cross.keys.is_special.all():  # nothing was written, or heard
        return (), None
    kept = _TIMED.setdefault(trace, {})
    if (heads, method) not in kept:
        path = warping_path(trace.cross, heads, method=method)
        kept[heads, method] = timed_words(trace, heads, method=method, path=path), path
    return kept[heads, method]


def chosen(trace: Trace) -> tuple[tuple[Head, ...] | None, Method]:
    """The chosen heads, from 0, and the method, as `analysis.timing` takes them."""
    return _read(trace)[0]


def playback(trace: Trace, sound: str) -> tuple[str, Callable[[], Playback]]:
    """What is heard with a trace, by a name: its stretch of the sound, the words by the chosen heads, and their way.

    It is made later, and for a download in a thread of its own, where there is no visitor any more.
    """
    start, end = (round(seconds * RATE) for seconds in sound_page.stretch(trace))
    make = partial(_playback, trace, sound_page.sound(sound).samples[start:end], *chosen(trace))
    return f"{sound} {chosen(trace)}", make


def _playback(trace: Trace, samples: NDArray[np.float32], heads: tuple[Head, ...] | None, method: Method) -> Playback:
    return Playback(flac(samples), *_timed(trace, heads, method))


def panel(shown: Shown) -> None:
    """The words of the whole sound, filled when it is opened, and its subtitles."""
    opened = st.expander("Words in time", key="words", on_change="rerun")
    if not opened.open:
        return
    found, seconds = tuple(chain.from_iterable(map(words, shown.traces))), sound_page.sound(shown.query.input).seconds
    with opened:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown("Download the whole sound\u2019s words:", width="content")
            for name, mime in _FILES.items():
                make = partial(subtitles.FORMATS[name.lower()], found, seconds)
                st.download_button(name, make, f"words.{name.lower()}", mime, on_click="ignore", key=f"words-{name}")
        rows = [
            {
                "word": visible(word.text),
                "start (s)": round(word.start, 2),
                "end (s)": round(word.end, 2),
                "probability": round(word.confidence, 3),
            }
            for word in found
        ]
        st.dataframe(rows, hide_index=True)


def _said() -> dict[str, str]:
    """What was chosen in this visit."""
    said: dict[str, str] = page_state.visit().chosen.setdefault("word_times", {"timing": _UPPER, "timing_heads": ""})
    return said


@page_state.while_here
def _keep() -> None:
    state = st.session_state
    page_state.visit().chosen["word_times"] = {"timing": state.timing, "timing_heads": state.timing_heads}


def _read(trace: Trace) -> tuple[tuple[tuple[Head, ...] | None, Method], str]:
    """Heads and method, and what is wrong with the choice where the default stands in for it."""
    default: tuple[None, Method] = (None, "shares")
    choice, heads = _said()["timing"], _said()["timing_heads"]
    if choice == _ALL:
        return (None, "zscores"), ""
    if choice == _PUBLISHED:
        return (
            ((trace.alignment_heads, "zscores"), "")
            if trace.alignment_heads
            else (default, "This checkpoint names no heads.")
        )
    if choice == _UPPER:
        return default, ""
    maps = trace.cross
    typed = [part for part in re.split(r"[\s,;]+", heads) if part]
    found = [(int(m[1]) - 1, int(m[2]) - 1) for part in typed if (m := _HEAD.fullmatch(part))]
    there = {(layer, head) for layer in maps.layers for head in range(maps.n_heads)}
    if not found or len(found) < len(typed) or not there.issuperset(found):
        return (
            default,
            f"Name heads of this model such as 3.1, 4.2: it has {len(maps.layers)} layers of {maps.n_heads}.",
        )
    return (tuple(found), "shares"), ""
