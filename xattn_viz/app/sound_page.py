"""The page of speech: a clip, a file or a recording, and when each word was said."""

from __future__ import annotations

import streamlit as st

from xattn_viz.app import actions, controls, page_state, panels, sounds, word_times
from xattn_viz.app.page_state import Kind, Shown
from xattn_viz.app.query import Query
from xattn_viz.core.trace import Trace
from xattn_viz.examples import SPEECH, clips

#: What the page takes; `audio.read` looks at what is in a file, whatever it is called.
FILES = ("wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "mp4", "webm", "aac", "aiff")
_WORDLESS = "The model wrote no words here."
_NOBODY = (
    "Nobody seems to speak here, so no words were written. “Write even where nothing is said”, among the options, "
    "shows what the model would write."
)


def wordless(trace: Trace) -> str:
    """That there are no words in a trace of sound, and what to do about it; empty where there are."""
    if trace.output:
        return ""
    return _NOBODY if trace.note("silence") else _WORDLESS


def _inputs(asked: Query) -> None:
    """A microphone and a place for a file; either is traced as soon as it is there."""
    st.audio_input(
        "Record",
        key="recording",
        on_change=_take_file,
        args=("recording",),
        label_visibility="collapsed",
        width=300,
    )
    st.file_uploader(
        "Sound file",
        type=FILES,
        key="upload",
        on_change=_take_file,
        args=("upload",),
        label_visibility="collapsed",
    )
    st.button(KIND.action, type="primary", on_click=actions.run_again)


@page_state.while_here
def _take_file(key: str) -> None:
    """A file was uploaded or recorded in the widget of this key."""
    if (file := st.session_state[key]) is not None:
        actions.take_input("sound", sounds.give(file.getvalue(), file.name))


@page_state.while_here
def _take_clip() -> None:
    if st.session_state.clip is not None:
        actions.take_input("sound", st.session_state.clip)


def _choice(asked: Query) -> None:
    slugs = [clip.slug for clip in clips.CLIPS]
    controls.choose_from("Clips", slugs, _spoken, "clip", _take_clip)


def _spoken(slug: str) -> str:
    return clips.find(slug).text or slug.capitalize()


def _place(best: Trace) -> str:
    start, end = sounds.stretch(best)
    return f": {sounds.clock(start)}–{sounds.clock(end)}"


def _remark(shown: Shown) -> str:
    name = shown.query.input
    return clips.find(name).notice if sounds.is_clip(name) else f"{sounds.title(name)}. {panels.CAUTION}"


def _title(asked: Query) -> str:
    return _spoken(asked.input) if sounds.is_clip(asked.input) else sounds.title(asked.input)


KIND = Kind(
    "audio",
    reads="audio",
    makes="text",
    segment="window",
    action="Transcribe",
    own="A transcript of your own",
    refusal="does not hear: this page is for models that do.",
    examples=SPEECH,
    choice=_choice,
    inputs=_inputs,
    input_title=_title,
    remark=_remark,
    names={"sound": sounds.is_here},
    named=lambda asked: sounds.sound(asked.input),
    place=_place,
    control=lambda asked, best: word_times.control(best),
    doubt=lambda shown: wordless(shown.trace),
    playback=lambda shown: word_times.playback(shown.trace, shown.query.input),
    panels=(panels.chosen_head, panels.downloads),
    below=(word_times.panel,),
)
