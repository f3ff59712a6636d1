"""Subtitles on the page of speech: their style, how they run over the sound, words written anew, and the files.

A word that is written anew is looked for in the sound again: the model hears its window with the new text, and the
words have the times of that. Until then, or where the model is not here, it keeps the time of what stood there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache, partial
from itertools import chain
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz import web
from xattn_viz.analysis.timing import UNSURE, TimedWord, words_and_path
from xattn_viz.app import actions, measurement, page_state, sound_page
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Shown
from xattn_viz.app.runner import Measurement, Output, Task, Whose
from xattn_viz.core.tokens import Span, visible
from xattn_viz.core.trace import Trace
from xattn_viz.export import subtitles
from xattn_viz.export.cues import BOUNDS, DEFAULT, PRESETS, Cue, SubtitleStyle, behind, cues, gap, plain
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, Cancelled, OnStep
from xattn_viz.web import subtitles as packing

#: The formats as the buttons name them, and what each is.
_FILES = {
    "SRT": "application/x-subrip",
    "VTT": "text/vtt",
    "Karaoke-VTT": "text/vtt",
    "Karaoke-ASS": "text/x-ssa",
    "JSON": "application/json",
    "CSV": "text/csv",
    "TextGrid": "text/plain",
    "ELAN": "application/xml",
    "Audacity": "text/plain",
}
_PRESETS = {"default": "Plain", "netflix": "Netflix", "bbc": "BBC", "ted": "TED"}
_OPTIONS = {
    "width": "Characters in a line",
    "lines": "Lines",
    "max_duration": "Shown at most (s)",
    "min_duration": "Shown at least (s)",
    "min_gap": "Gap between two (s)",
    "words_per_line": "Words in a line",
    "reading_speed": "Characters a second",
    "words_per_minute": "Words a minute",
}
_PRESETS_HELP = (
    "The numbers that Netflix (English template), BBC and TED publish. What a guide says nothing of is as in Plain."
)
_OLD_TIMES = "A word that you wrote has the time of the word that stood there."
_KEY, _PLAYER = "subtitles", "subtitle-sound"
_LONGEST = 200  # characters of a word that is written anew
_MOST_UNDO, _MOST_TIMES = 100, 200
_Heads = tuple[Any, Any]
#: A window, and the text that is looked for in it by certain heads.
_Sought = tuple[Whose, tuple[str, ...]]


@dataclass(frozen=True)
class _Edit:
    """A window with words written anew: all words with the old times, and where in their text the new ones are."""

    words: tuple[TimedWord, ...]
    written: tuple[Span, ...]

    @property
    def text(self) -> str:
        """All of the window's text."""
        return "".join(gap(before, word) + word.text for before, word in behind(self.words))

    def holds(self, word: TimedWord) -> bool:
        """Whether the visitor wrote a word of the window."""
        return any(start < word.span[1] and word.span[0] < end for start, end in self.written)


#: The edited windows by number: one state of a transcript.
_Edits = dict[int, _Edit]


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_subtitles", html='<div class="xv"></div>', css=web.css("subtitles"), js=web.script("subtitles")
    )


def draw(shown: Shown, seconds: float, load: measurement.Load) -> None:
    """The words of the whole sound, of `seconds`: subtitles that run, files, and a table; `load` loads the model."""
    heads = sound_page.chosen_heads(shown.trace)
    found, style = tuple(chain.from_iterable(_windows(shown, heads))), _style()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="words-files"):
        st.markdown("Download the whole sound\u2019s words:", width="content")
        for name, mime in _FILES.items():
            make = partial(subtitles.FORMATS[name.lower()], found, seconds, style)
            file = f"words{subtitles.ENDINGS[name.lower()]}"
            st.download_button(name, make, file, mime, on_click="ignore", key=f"words-{name}")
        _style_popover()
    _running(shown, found, seconds, style, heads, load)
    _table(found)


def _running(
    shown: Shown,
    found: tuple[TimedWord, ...],
    seconds: float,
    style: SubtitleStyle,
    heads: _Heads,
    load: measurement.Load,
) -> None:
    """The sound with its subtitles, and the list of them."""
    asked, edits = page_state.current().measurement, _history(shown, heads)
    is_old = bool(edits) and any(_timed(shown, number, edit, heads) is None for number, edit in edits[-1].items())
    if is_old and asked is not None and asked.question[0] == _KEY:
        _told(asked)
    has_sound = shown.query.source != "file"
    if has_sound:
        with st.container(key=_PLAYER):
            st.audio(sound_page.played(shown.query.input), format="audio/flac")
    numbers = [i for i, word in enumerate(found) if style.keep_repeated or not word.is_repeated]
    edited = [
        bool(edits and (edit := edits[-1].get(number)) and edit.holds(word))
        for number, words in enumerate(_windows(shown, heads))
        for word in words
    ]
    data = packing.pack(
        _cues(found, seconds, style),
        numbers,
        gaps=[gap(before, word) for before, word in behind([found[i] for i in numbers])],
        player=f"st-key-{_PLAYER}" if has_sound else "",
        edited=[i for i, is_new in enumerate(edited) if is_new],
        speed=style.reading_speed,
        can_undo=bool(edits),
    )
    _component()(
        data=data,
        key=_KEY,
        on_edited_change=partial(_take_edit, shown, heads, load),
        on_undone_change=partial(_take_undo, shown, heads, load),
    )
    if is_old:
        st.caption(_OLD_TIMES)


@lru_cache(maxsize=8)  # ten minutes take a second
def _cues(found: tuple[TimedWord, ...], seconds: float, style: SubtitleStyle) -> list[Cue]:
    return cues([replace(word, text=plain(word.text)) for word in found], seconds, style)


def _told(asked: Measurement) -> None:
    """That the new words are looked for, whose progress stands above, or why they were not found."""
    if asked.outcome is None:
        st.caption("Looking for the new words in the sound …")
    elif isinstance(asked.outcome, Exception):
        measurement.explain(asked.outcome)


def _table(found: Sequence[TimedWord]) -> None:
    is_looping = any(word.is_repeated for word in found)
    rows = [
        {
            "word": visible(word.text),
            "start (s)": _time(word.start, word.start_margin),
            "end (s)": _time(word.end, word.end_margin),
            "probability": round(word.confidence, 3),
            **({"repeated by the model": word.is_repeated} if is_looping else {}),
        }
        for word in found
    ]
    st.dataframe(rows, hide_index=True)
    if unsure := [f"{visible(word.text)} ({word.start:.2f} s)" for word in found if word.is_unsure]:
        st.caption(literal(f"Their times may be off by more than {UNSURE} s: {', '.join(unsure)}."))


def _time(seconds: float, margin: float | None) -> str:
    return f"{seconds:.2f}" if margin is None else f"{seconds:.2f} ± {margin:.2f}"


# What is written anew


def _windows(shown: Shown, heads: _Heads) -> list[tuple[TimedWord, ...]]:
    """The words of each window."""
    return [_words(shown, number, heads) for number in range(len(shown.traces))]


def _words(shown: Shown, number: int, heads: _Heads) -> tuple[TimedWord, ...]:
    """The words of a window, as the model wrote them or the visitor did."""
    history = _history(shown, heads)
    if history and (edit := history[-1].get(number)) is not None:
        return _timed(shown, number, edit, heads) or edit.words
    return sound_page.timed(shown.traces[number])


def _timed(shown: Shown, number: int, edit: _Edit, heads: _Heads) -> tuple[TimedWord, ...] | None:
    """The words that were found in the sound for a text; None where nobody looked yet."""
    return _times().get((_whose(shown, number), _question(edit, heads)))


def _times() -> dict[_Sought, tuple[TimedWord, ...]]:
    """The words that were found in this visit."""
    times: dict[_Sought, tuple[TimedWord, ...]] = page_state.visit().chosen.setdefault("subtitle-times", {})
    return times


def _whose(shown: Shown, number: int) -> Whose:
    return Whose(Task(shown.query.best), number, registry.content(shown.query.model))


def _question(edit: _Edit, heads: _Heads) -> tuple[str, ...]:
    return _KEY, edit.text, str(heads)


def _history(shown: Shown, heads: _Heads) -> list[_Edits]:
    """The states of this transcript since the model wrote it, the last one being in view."""
    kept: dict[object, list[_Edits]] = page_state.visit().chosen.setdefault("subtitle-edits", {})
    return kept.setdefault((shown.query.best, heads), [])


def _take_edit(shown: Shown, heads: _Heads, load: measurement.Load) -> None:
    take_edit(shown, heads, load, (st.session_state.get(_KEY) or {}).get("edited"))


@page_state.while_here
def take_edit(shown: Shown, heads: _Heads, load: measurement.Load, told: Any) -> None:
    """A word was written anew: its `number` among all words, and its `text`; an empty one takes the word away.

    What comes from a browser may be anything; what names no word changes nothing.
    """
    try:
        at, text = int(told["number"]), " ".join(str(told["text"])[:_LONGEST].split())
    except (KeyError, TypeError, ValueError, OverflowError):
        return
    text = "".join(character for character in text if not "\ud800" <= character <= "\udfff")
    for number in range(len(shown.traces)):
        words = _words(shown, number, heads)
        if 0 <= at < len(words):
            break
        at -= len(words)
    else:
        return
    if text == words[at].text:
        return
    history = _history(shown, heads)
    before = history[-1] if history else {}
    known = before.get(number)
    edit = _edited(words, at, text, [i == at or bool(known and known.holds(word)) for i, word in enumerate(words)])
    history.append({**before, number: edit})
    del history[:-_MOST_UNDO]
    _look(shown, heads, load)


def _look(shown: Shown, heads: _Heads, load: measurement.Load) -> None:
    """Begin to look for the words of the windows that the visitor wrote, where nobody did."""
    history, times = _history(shown, heads), _times()
    sought = {
        (_whose(shown, number), _question(edit, heads)): (shown.traces[number], edit.text)
        for number, edit in (history[-1].items() if history else ())
        if edit.text.strip() and _timed(shown, number, edit, heads) is None
    }
    for spare in list(times)[: len(times) - _MOST_TIMES]:
        del times[spare]

    def work(model: Adapter, on_step: OnStep) -> tuple[int, tuple[()]]:
        for done, (each, (best, text)) in enumerate(sought.items()):
            if not on_step(done, len(sought)):
                raise Cancelled("Cancelled between two windows.")
            times[each] = _find(shown, best, text, heads, model)
        return len(sought), ()

    if sought:
        whose, question = list(sought)[-1]
        actions.measure(Measurement(whose, question, len(sought), load, work))


def _find(shown: Shown, best: Trace, text: str, heads: _Heads, model: Adapter) -> tuple[TimedWord, ...]:
    """The words of a text in the sound of a trace."""
    query = replace(shown.query.best, output=Output(target=text))
    (trace,) = Task.of_output(query, best).traces(model)
    chosen, method = heads
    return tuple(words_and_path(trace, chosen, method=method)[0])


def _edited(words: Sequence[TimedWord], at: int, text: str, is_new: Sequence[bool]) -> _Edit:
    """The words with another text in one place, or without it, each where it stands in the new text."""
    made, written, end = list[TimedWord](), list[Span](), 0
    for i, (before, word) in enumerate(behind(words)):
        if not (said := text if i == at else word.text):
            continue
        start = end + (len(gap(before, word)) if made else 0)
        end = start + len(said)
        made.append(replace(word, text=said, span=(start, end)))
        written += [(start, end)] * is_new[i]
    return _Edit(tuple(made), tuple(written))


def _take_undo(shown: Shown, heads: _Heads, load: measurement.Load) -> None:
    take_undo(shown, heads, load)


@page_state.while_here
def take_undo(shown: Shown, heads: _Heads, load: measurement.Load) -> None:
    """The last word that was written anew is as it was before."""
    if history := _history(shown, heads):
        history.pop()
        asked = page_state.current().measurement
        if asked is not None and asked.question[0] == _KEY:
            asked.stop()
        _look(shown, heads, load)


# The style


def _style() -> SubtitleStyle:
    """The style of this visit."""
    found: SubtitleStyle = page_state.visit().chosen.get("subtitle-style", DEFAULT)
    return found


def _style_popover() -> None:
    style = _style()
    with st.popover("Style", key="subtitle-style"):
        # Widgets forget what they held while another page is shown.
        st.session_state.setdefault("subtitle-preset", _preset_of(style))
        for field in fields(style):
            st.session_state.setdefault(f"subtitle-{field.name}", _held(field.name, getattr(style, field.name)))
        st.selectbox(
            "As is usual at",
            list(_PRESETS),
            index=None,
            format_func=_PRESETS.__getitem__,
            key="subtitle-preset",
            placeholder="A style of your own",
            help=_PRESETS_HELP,
            on_change=_take_preset,
        )
        for pair in zip(*[iter(_OPTIONS.items())] * 2, strict=True):
            with st.container(horizontal=True, gap="small"):
                for name, label in pair:
                    _number(name, label)
        st.checkbox("Words that the model repeated", key="subtitle-keep_repeated", on_change=_take_style)
        if fault := page_state.visit().chosen.get("subtitle-fault"):
            st.error(literal(fault))


def _number(name: str, label: str) -> None:
    (low, high), is_whole = BOUNDS[name], name in _WHOLE
    st.number_input(
        label,
        int(low) if is_whole else float(low),
        int(high) if is_whole else float(high),
        None,
        step=1 if is_whole else 1.0 if high >= 1000 else 0.1,
        format=None if is_whole else "%.3g",
        key=f"subtitle-{name}",
        placeholder="no bound",
        on_change=_take_style,
        width=152,  # two beside each other on a phone
    )


def _preset_of(style: SubtitleStyle) -> str | None:
    plainer = replace(style, keep_repeated=False)
    return next((name for name, one in PRESETS.items() if one == plainer), None)


@page_state.while_here
def _take_preset() -> None:
    """A preset was chosen: each option follows."""
    if (name := st.session_state["subtitle-preset"]) is None:
        return
    style = replace(PRESETS[name], keep_repeated=st.session_state["subtitle-keep_repeated"])
    for field in fields(style):
        st.session_state[f"subtitle-{field.name}"] = _held(field.name, getattr(style, field.name))
    _keep(style, "")


@page_state.while_here
def _take_style() -> None:
    """An option was changed."""
    said = {field.name: st.session_state[f"subtitle-{field.name}"] for field in fields(SubtitleStyle)}
    required = {name: getattr(_style(), name) for name, value in said.items() if value is None and name in _REQUIRED}
    try:
        style = SubtitleStyle(**{**said, **required})
    except InputError as error:
        _keep(_style(), str(error))
        return
    st.session_state["subtitle-preset"] = _preset_of(style)
    _keep(style, "")


def _held(name: str, value: Any) -> Any:
    """What the widget of an option holds: one of fractions takes no whole number."""
    return float(value) if name not in _WHOLE and type(value) is int else value


_WHOLE = ("width", "lines", "words_per_line")
_REQUIRED = ("width", "lines", "max_duration", "min_duration", "min_gap")


def _keep(style: SubtitleStyle, fault: str) -> None:
    page_state.visit().chosen.update({"subtitle-style": style, "subtitle-fault": fault})
