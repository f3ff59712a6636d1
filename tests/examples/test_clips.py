from __future__ import annotations

from pathlib import Path

import pytest

from xattn_viz.core.store import load_trace, to_bytes
from xattn_viz.examples import clips
from xattn_viz.examples.clips import CLIPS
from xattn_viz.models import registry

FOLDER = Path(clips.__file__).parent


def test_every_recording_is_a_clip_and_says_whose_it_is() -> None:
    assert {path.stem for path in FOLDER.glob("*.ogg")} == {clip.slug for clip in CLIPS}
    licence = (FOLDER / "LICENCE.txt").read_text(encoding="utf-8")
    for clip in CLIPS:
        assert clip.slug in licence
        assert clip.speaker
        assert clip.licence
        assert clip.notice.endswith(".")
        assert len(clips.data(clip.slug)) < 200_000
        sound = clips.sound(clip.slug)
        assert 2 < sound.seconds < 35
        assert sound.notes == ()
    assert len({clip.speaker for clip in CLIPS if clip.text}) >= 3
    for path in Path(__file__).parents[1].glob("clips/*.ogg"):
        assert path.stem in licence


def test_what_is_said_is_heard() -> None:
    adapter = registry.load("whisper-tiny-en")
    for slug in ("amiable", "muted"):
        trace = adapter.trace(clips.sound(slug), crop=True)
        said, heard = (set(text.lower().replace(",", "").split()) for text in (clips.find(slug).text, trace.output))
        assert len(said & heard) > 0.8 * len(said)
        assert load_trace(to_bytes(trace)) == trace


def test_an_unknown_clip_is_named() -> None:
    with pytest.raises(ValueError, match="no clip 'dog': choose amiable"):
        clips.data("dog")
