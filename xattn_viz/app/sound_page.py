"""The page of speech: a clip, a file or a recording, and when each word was said.

The sounds of a visit have names: the clips that ship, and what the visitor uploaded or recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import streamlit as st

from xattn_viz.app import actions, controls, explorer, page_state, word_times
from xattn_viz.app.page_state import Kind, Shown
from xattn_viz.app.runner import Query
from xattn_viz.core.trace import Trace
from xattn_viz.examples import SPEECH, clips
from xattn_viz.inputs import InputError, audio
from xattn_viz.inputs.audio import Sound
from xattn_viz.web.explorer.sheets import own_frames

#: The longest sound that the page takes, in seconds: its maps have to stay in memory.
MAX_SECONDS = 600


@dataclass(frozen=True)
class Given:
    """A sound that the visitor gave: its file's name and bytes."""

    title: str
    data: bytes

    @cached_property
    def sound(self) -> Sound:
        """Its samples. Raises InputError where it cannot be read or is too long for the page."""
        return audio.read(self.data, max_seconds=MAX_SECONDS)


def give(data: bytes, title: str) -> str:
    """Keep a sound of the visitor's, by a digest of its bytes; of older ones the last few stay, and the one in view."""
    return page_state.visit().keep("sounds", data, Given(title, data))


def is_here(name: str) -> bool:
    """Whether a name is that of a clip, or of a sound that this visitor gave."""
    return is_clip(name) or name in _given()


def is_clip(name: str) -> bool:
    """Whether a name is that of a clip that ships."""
    return any(clip.slug == name for clip in clips.CLIPS)


def title(name: str) -> str:
    """What a sound is called on the page: the name of the visitor's file, or that of the clip."""
    return _given()[name].title if name in _given() else name


def sound(name: str) -> Sound:
    """The samples of a sound. Raises InputError where they cannot be had."""
    if name in _given():
        return _given()[name].sound
    if is_clip(name):
        return _clip(name)
    raise InputError("This sound is not here any more: upload or record it again.")


def stretch(trace: Trace) -> tuple[float, float]:
    """Where a window begins and ends in the whole, in seconds, without its padding."""
    times = trace.cross.keys.times or ()
    return times[0][0], times[own_frames(trace.cross.keys) - 1][1]


def clock(seconds: float) -> str:
    """Minutes and whole seconds: "1:05"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _given() -> Mapping[str, Given]:
    return page_state.visit().own.get("sounds", {})


@lru_cache(maxsize=4)
def _clip(slug: str) -> Sound:
    return clips.sound(slug)


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
        actions.take_input("sound", give(file.getvalue(), file.name))


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
    start, end = stretch(best)
    return f": {clock(start)}–{clock(end)}"


def _remark(shown: Shown) -> str:
    name = shown.query.input
    return clips.find(name).notice if is_clip(name) else f"{title(name)}. {explorer.CAUTION}"


def _title(asked: Query) -> str:
    return _spoken(asked.input) if is_clip(asked.input) else title(asked.input)


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
    names={"sound": is_here},
    named=lambda asked: sound(asked.input),
    place=_place,
    control=lambda asked, best: word_times.control(best),
    doubt=lambda shown: wordless(shown.trace),
    playback=lambda shown: word_times.playback(shown.trace, shown.query.input),
    panels=(explorer.chosen_head, explorer.downloads),
    below=(word_times.panel,),
)
