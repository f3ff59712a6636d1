from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xattn_viz.analysis.timing import timed_words
from xattn_viz.core.store import load_trace, to_bytes
from xattn_viz.core.trace import Trace
from xattn_viz.examples import clips
from xattn_viz.examples.clips import ALTERED, CLIPS, SHELF
from xattn_viz.inputs.audio import RATE, read
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


@pytest.fixture(scope="module")
def heard() -> dict[str, Trace]:
    """What Whisper tiny makes of the clips about which the shelf says more than what is spoken."""
    adapter = registry.load("whisper-tiny-en")
    slugs = {clip.slug for clip in SHELF if clip.wrong or clip.of} | {"spades", "forward", "monkeys"}
    return {slug: adapter.trace(clips.sound(slug), crop=True) for slug in slugs}


def test_what_is_said_to_be_wrong_is_wrong(heard: dict[str, Trace]) -> None:
    assert (
        {clip.slug for clip in SHELF if clip.fault}
        == {"spades", "pause", "mumbled"}
        == {c.slug for c in SHELF if c.wrong}
    )
    for clip in SHELF:
        if clip.wrong is not None:
            written, said = clip.wrong
            output = heard[clip.slug].output
            assert written in output
            assert said not in output
            assert said in clip.text
            assert all(f"“{word}”" in clip.fault for word in clip.wrong)
    assert "10" in heard["forward"].output  # spoken as a word
    years = next(step for step in heard["mumbled"].steps if step.token.startswith("years"))
    assert np.exp(years.log_prob) > 0.8
    assert heard["monkeys"].note("run") or heard["monkeys"].remarks


def test_a_pause_moves_what_comes_behind_it_and_the_next_token_listens_to_it(heard: dict[str, Trace]) -> None:
    (clip,) = (one for one in ALTERED if one.pause)
    assert clip.pause is not None
    at, seconds = clip.pause
    plain, paused = heard[clip.of], heard[clip.slug]
    assert clips.sound(clip.slug).seconds == pytest.approx(clips.sound(clip.of).seconds + seconds)
    starts = [{word.text.strip(" .,").lower(): word.start for word in timed_words(trace)} for trace in (plain, paused)]
    # To a tenth of a second: words are placed by frames of 20 ms, and silence has none of a word.
    assert starts[1]["hearts"] - starts[0]["hearts"] == pytest.approx(seconds, abs=0.1)
    assert starts[1]["four"] - starts[0]["four"] == pytest.approx(0, abs=0.3)
    middles = np.array(paused.cross.keys.times).mean(1)
    inside = (middles > at) & (middles < at + seconds)
    shares = paused.cross.head(2, 4)[:, inside].sum(-1)  # the head that the page opens on
    most = int(shares.argmax())
    assert paused.cross.queries.name(most) == "Seven"
    assert shares[most] > 0.3
    assert "“Seven”" in clip.notice


def test_what_is_made_of_a_recording_is_it_but_for_the_change() -> None:
    for clip in ALTERED:
        recorded, made = clips.sound(clip.of).samples, clips.sound(clip.slug).samples
        if clip.quiet is not None:
            start, end, factor = clip.quiet
            seconds = np.arange(len(recorded)) / RATE
            inside = (seconds >= start) & (seconds < end)
            np.testing.assert_array_equal(made[~inside], recorded[~inside])
            np.testing.assert_allclose(made[inside], factor * recorded[inside], atol=1e-7)
        played = read(clips.data(clip.slug)).samples
        np.testing.assert_allclose(played, made.clip(-1, 1), atol=2**-14)  # FLAC of 16 bits
        assert (clip.speaker, clip.licence) == (clips.find(clip.of).speaker, clips.find(clip.of).licence)


def test_an_unknown_clip_is_named() -> None:
    with pytest.raises(ValueError, match="no clip 'dog': choose amiable"):
        clips.data("dog")
