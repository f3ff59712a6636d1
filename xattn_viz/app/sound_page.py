"""The page of speech: a clip, a file or a recording, and when each word was said.

The sounds of a visit have names: the clips that ship, and what the visitor uploaded or recorded. Words in time come
from heads that can be chosen; there is a table of them, and subtitles to download.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from weakref import WeakKeyDictionary

import streamlit as st

from xattn_viz.analysis.timing import Head, Method, TimedWord, WarpingPath, following_heads, words_and_path
from xattn_viz.app import actions, controls, explorer, page_state
from xattn_viz.app.controls import Shelved
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Kind, Shown
from xattn_viz.app.runner import Query
from xattn_viz.core.trace import Trace
from xattn_viz.examples import SPEECH, clips
from xattn_viz.inputs import InputError, audio
from xattn_viz.inputs.audio import Sound
from xattn_viz.web.explorer.sound import Playback, stretch

_UPPER, _PUBLISHED, _ALL, _OWN = "upper", "published", "all", "own"
_METHODS = {
    _UPPER: "The heads that follow this sound best",
    _PUBLISHED: "Z-scores, the heads that the checkpoint names",
    _ALL: "Z-scores, all heads",
    _OWN: "Heads of your own",
}
_METHODS_HELP = (
    "Word times come from the attention of these heads. On speech with known times the first choice, which hears the "
    "sound too, was off by 15 to 40 ms on average; the heads that the checkpoint names alone, by more than 100 ms."
)
_Timed = tuple[tuple[TimedWord, ...], WarpingPath | None]
_TIMED: WeakKeyDictionary[Trace, dict[object, _Timed]] = WeakKeyDictionary()
_FOLLOWED: WeakKeyDictionary[Trace, str] = WeakKeyDictionary()
_HEAD_PATTERN = re.compile(r"(\d{1,3})\.(\d{1,3})")


def alignment_heads(trace: Trace) -> None:
    """The choice of heads, behind a button."""
    with (opened := st.popover("Word times", key="word-times", on_change="rerun")):
        for name, value in _settings_said().items():  # widgets forget what they held while another page is shown
            st.session_state.setdefault(name, value)
        st.radio(
            "Alignment heads",
            list(_METHODS),
            format_func=_METHODS.__getitem__,
            key="timing",
            help=_METHODS_HELP,
            on_change=_keep_settings,
        )
        own = _settings_said()["timing"] == _OWN
        label = "Heads, each as layer.head"
        st.text_input(label, key="timing_heads", placeholder="3.1, 4.2", disabled=not own, on_change=_keep_settings)
        if problem := _read_heads(trace)[1]:
            st.caption(literal(problem))
        if opened.open and _settings_said()["timing"] == _UPPER and (followed := _followed(trace)):
            st.caption(literal(f"Here they are {followed}: head, and its mean share for a word while it is spoken."))


def _followed(trace: Trace) -> str:
    """The heads that the words of a trace are read off, with their shares; kept with the trace."""
    kept = _FOLLOWED.get(trace)
    if kept is None:
        named = (f"{layer + 1}.{head + 1} ({share:.2f})" for (layer, head), share in following_heads(trace))
        kept = _FOLLOWED[trace] = ", ".join(named)
    return kept


def timed(trace: Trace) -> tuple[TimedWord, ...]:
    """The words of a window by the chosen method; by the default one where that cannot be had."""
    return _timed(trace, *chosen_heads(trace))[0]


def _timed(trace: Trace, heads: tuple[Head, ...] | None, method: Method) -> _Timed:
    """Words and the way of their alignment, kept with the trace: the page asks for them at every run."""
    kept = _TIMED.setdefault(trace, {})
    if (heads, method) not in kept:
        kept[heads, method] = words_and_path(trace, heads, method=method)
    return kept[heads, method]


def chosen_heads(trace: Trace) -> tuple[tuple[Head, ...] | None, Method]:
    """The chosen heads, from 0, and the method, as `analysis.timing` takes them."""
    return _read_heads(trace)[0]


def word_playback(trace: Trace, name: str) -> tuple[str, Callable[[], Playback]]:
    """What is heard with a trace, by a name: its stretch of the sound, the words by the chosen heads, and their way.

    It is made later, and for a download in a thread of its own, where there is no visitor any more.
    """
    samples, heads = sound(name).samples, chosen_heads(trace)
    return f"{name} {heads}", lambda: Playback.of(trace, samples, *_timed(trace, *heads))


def word_panel(shown: Shown) -> None:
    """The words of the whole sound, filled when it is opened: subtitles that run, and their files."""
    opened = st.expander("Words in time", key="words", on_change="rerun")
    if opened.open:
        from xattn_viz.app import subtitling, trace_page  # few open it

        with opened:
            subtitling.draw(shown, _seconds(shown), trace_page.loader(shown.query))


def score_panel(shown: Shown) -> None:
    """How far the words of the whole sound are from true times, where the visitor has some."""
    opened = st.expander("Score against true times", key="true-times", on_change="rerun")
    if opened.open:
        from xattn_viz.app import true_times  # few have some

        with opened:
            true_times.draw(shown, [timed(trace) for trace in shown.traces])


def _settings_said() -> dict[str, str]:
    """What was chosen in this visit."""
    said: dict[str, str] = page_state.visit().chosen.setdefault("word_times", {"timing": _UPPER, "timing_heads": ""})
    return said


@page_state.while_here
def _keep_settings() -> None:
    state = st.session_state
    page_state.visit().chosen["word_times"] = {"timing": state.timing, "timing_heads": state.timing_heads}


def _read_heads(trace: Trace) -> tuple[tuple[tuple[Head, ...] | None, Method], str]:
    """Heads and method, and what is wrong with the choice where the default stands in for it."""
    default: tuple[None, Method] = (None, "shares")
    choice, heads = _settings_said()["timing"], _settings_said()["timing_heads"]
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
    found = [(int(m[1]) - 1, int(m[2]) - 1) for part in typed if (m := _HEAD_PATTERN.fullmatch(part))]
    there = {(layer, head) for layer in maps.layers for head in range(maps.n_heads)}
    if not found or len(found) < len(typed) or not there.issuperset(found):
        return (
            default,
            f"Name heads of this model such as 3.1, 4.2: it has {len(maps.layers)} layers of {maps.n_heads}.",
        )
    return (tuple(found), "shares"), ""


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

    @cached_property
    def played(self) -> bytes:
        """A file that browsers play, of the very samples that the model hears."""
        return audio.flac(self.sound.samples)


def give(data: bytes, title: str) -> str:
    """Keep a sound of the visitor's, by a digest of its bytes; of older ones the last few stay, and the one in view."""
    return page_state.visit().keep("sounds", data, Given(title, data))


def is_here(name: str) -> bool:
    """Whether a name is that of a clip, or of a sound that this visitor gave."""
    return is_clip(name) or name in _given()


def is_clip(name: str) -> bool:
    """Whether a name is that of a clip that ships."""
    return any(clip.slug == name for clip in clips.SHELF)


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


def played(name: str) -> bytes:
    """The whole of a sound as a file that browsers play. Raises InputError as `sound` does."""
    return _given()[name].played if name in _given() else _played_clip(name)


def clock(seconds: float) -> str:
    """Minutes and whole seconds: "1:05"."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _given() -> Mapping[str, Given]:
    return page_state.visit().own.get("sounds", {})


@lru_cache(maxsize=4)
def _clip(slug: str) -> Sound:
    return clips.sound(slug)


@lru_cache(maxsize=8)
def _played_clip(slug: str) -> bytes:
    return audio.flac(sound(slug).samples)


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
    st.button(KIND.action, type="primary", key="ask", on_click=actions.run_again)


@page_state.while_here
def _take_file(key: str) -> None:
    """A file was uploaded or recorded in the widget of this key."""
    if (file := st.session_state[key]) is not None:
        actions.take_input("sound", give(file.getvalue(), file.name))


def _give_second(asked: Query) -> None:
    """A microphone and a place for a file, for a sound to be compared with; both are empty again for the next one."""
    recording, upload = (page_state.output_key(f"compare-{name}-{hash(asked)}") for name in ("recording", "upload"))
    st.audio_input("Record", key=recording, on_change=_take_second, args=(recording,))
    st.file_uploader("Sound file", type=FILES, key=upload, on_change=_take_second, args=(upload,))


@page_state.while_here
def _take_second(key: str) -> None:
    if (file := st.session_state[key]) is not None:
        from xattn_viz.app import comparing  # few compare

        comparing.take("sound", give(file.getvalue(), file.name))


@page_state.while_here
def _take_clip(slug: str) -> None:
    actions.take_input("sound", slug)


def _shelved() -> list[Shelved]:
    return [Shelved(clip.slug, clip.phenomenon, _spoken(clip.slug), clip.said) for clip in clips.SHELF]


def _spoken(slug: str) -> str:
    return clips.find(slug).text or slug.capitalize()


def _place(best: Trace) -> str:
    start, end = stretch(best)
    return f": {clock(start)}–{clock(end)}"


def _remark(shown: Shown) -> str:
    name = shown.query.input
    return clips.find(name).said if is_clip(name) else f"{title(name)}. {explorer.CAUTION}"


def _playback(shown: Shown) -> tuple[str, Callable[[], Playback]] | None:
    """What is heard; a trace from a file holds no sound."""
    return None if shown.query.source == "file" else word_playback(shown.trace, shown.query.input)


def _other_playback(shown: Shown) -> tuple[str, Callable[[], Playback]] | None:
    """What is heard with a second trace, where it is of another sound than the first."""
    other = page_state.current().compared
    if shown.beside is None or other is None or other.source != "sound" or other.input == shown.query.input:
        return None
    return word_playback(shown.beside, other.input)


def _seconds(shown: Shown) -> float:
    """How long the whole sound is; of a trace from a file, as long as what was heard of it."""
    return stretch(shown.traces[-1])[1] if shown.query.source == "file" else sound(shown.query.input).seconds


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
    choice=controls.shelf("Clips", _shelved, _take_clip),
    inputs=_inputs,
    input_title=_title,
    remark=_remark,
    names={"sound": is_here},
    seconds=lambda: {("sound", clip.slug): _spoken(clip.slug) for clip in clips.SHELF},
    give_second=_give_second,
    named=lambda asked: sound(asked.input),
    place=_place,
    control=lambda asked, best: alignment_heads(best),
    doubt=lambda shown: wordless(shown.trace),
    playback=_playback,
    other_playback=_other_playback,
    panels=(explorer.chosen_head, explorer.downloads),
    below=(word_panel, score_panel),
)
