"""The sounds of a visit by name: the clips that ship, and what the visitor uploaded or recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from xattn_viz.app import page_state
from xattn_viz.core.trace import Trace
from xattn_viz.examples import clips
from xattn_viz.inputs import InputError, audio
from xattn_viz.inputs.audio import Sound
from xattn_viz.web.explorer.axes import own_frames

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
