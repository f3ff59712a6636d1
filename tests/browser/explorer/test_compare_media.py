"""Two pictures and two sounds beside each other: each over its own, linked, and what changed in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from playwright.sync_api import Page, expect

from tests.analysis.test_compare import heard, text_axis
from tests.browser.explorer.conftest import Explorer
from tests.browser.explorer.harness import show
from tests.browser.explorer.pictured import captioned, drawn, moved
from xattn_viz.analysis.compare import compare
from xattn_viz.analysis.timing import TimedWord, WarpingPath
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.inputs.audio import flac
from xattn_viz.web.explorer import pack
from xattn_viz.web.explorer.sound import Playback

SECOND = "Map of the other output"


def test_two_pictures_each_have_their_own_and_changes_are_those_of_python(harness: Page) -> None:
    for trace, is_drawn in ((captioned(), False), (drawn(), True)):
        other = moved(trace, is_drawn)
        show(harness, pack(trace, beside=other, select={"head": "2.1"}))
        both = Explorer(harness, trace, "harness")
        urls = [
            both.stage(name).locator(".xv-underlay").evaluate("c => c.toDataURL()") for name in ("Chosen map", SECOND)
        ]
        assert urls[0] != urls[1]
        changes = compare(trace, other, View(layer=1, head=0)).changes()
        assert all(" the " in change.says for change in changes)
        expect(harness.locator(".xv-changes button")).to_have_text([change.says for change in changes])
        both.press("Difference")
        expect(harness.locator(".xv-map-title").first).to_have_text(
            "B \u2212 A: Layer 2, head 1" if is_drawn else "B \u2212 A: Cross-attention, layer 2, head 1"
        )
        both.press("Side by side")


def test_a_picture_and_itself_differ_nowhere(harness: Page) -> None:
    trace = captioned()
    assert compare(trace, trace).changes() == ()
    show(harness, pack(trace, beside=trace, select={"head": "2.1", "shows": "difference"}))
    cells = Explorer(harness, trace, "harness").stage("Difference of both maps").locator(".xv-cells")
    covered = cells.evaluate("c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)")
    assert not covered


def test_a_longer_sound_goes_on_where_the_shorter_has_nothing(harness: Page) -> None:
    one, two = heard(5), heard(9)
    show(harness, pack(one, beside=two, select={"head": "1.1"}))
    both = Explorer(harness, one, "harness")
    for name in ("Chosen map", SECOND):
        assert float(both.stage(name).get_attribute("data-to") or 0) == 0.18
    pixels = (
        both.stage()
        .locator(".xv-cells")
        .evaluate(
            "c => [0.25, 0.9].map(x => c.getContext('2d').getImageData(Math.floor(x * c.width), 4, 1, 1).data[3])"
        )
    )
    assert pixels == [255, 0]
    expect(harness.locator(".xv-sound-name")).to_have_text(["A", "B"])


def spoken(text: str, frames: int) -> tuple[Trace, Playback]:
    """A sound of some words, each of which lasts as long as the others, and their way through it."""
    one, axis, words = heard(frames), text_axis(text), text.split()
    each = frames // len(words)
    weights = np.full((1, 1, len(axis), frames), 1 / frames, np.float32)
    maps = AttentionMaps(weights, axis, one.cross.keys, "cross", (0,))
    at = np.arange(each * len(words))
    path = WarpingPath(at // each, at, np.zeros((len(words), frames), np.float32), 0)
    timed = tuple(
        TimedWord(word, 0.02 * each * n, 0.02 * each * (n + 1), 1.0, (0, 1), (n, n)) for n, word in enumerate(words)
    )
    return Trace((maps,), one.input, text), Playback(flac(np.zeros(320 * frames, np.float32)), timed, path)


def test_lines_of_a_sound_stay_in_its_rows_and_both_have_one_time_axis(harness: Page) -> None:
    (one, sound), (two, other) = spoken("go on far", 9), spoken("gone", 6)
    show(harness, pack(one, beside=two, playback=sound, beside_playback=other, select={"head": "1.1"}))
    both = Explorer(harness, one, "harness")
    rows = ["gone", "", "", "</s>"]
    assert harness.locator(f'[aria-label="{SECOND}"] .xv-row-labels .xv-label').all_inner_texts() == rows
    boxes = [both.stage(name).locator(".xv-cells").bounding_box() for name in ("Chosen map", SECOND)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert (boxes[0]["y"], boxes[0]["width"]) == (boxes[1]["y"], boxes[1]["width"])
    painted = []
    for name in ("Chosen map", SECOND):
        frame = both.stage(name).locator(".xv-frame")
        painted += [
            frame.evaluate(
                """(c, [r, n]) => {
                    const [top, high] = [Math.round(((r + 0.3) * c.height) / n), Math.floor((0.4 * c.height) / n)];
                    return c.getContext("2d").getImageData(0, top, c.width, high).data.some((each) => each > 0);
                }""",
                [row, len(rows)],
            )
            for row in range(4)
        ]
    assert painted == [True] * 4 + [True, False, False, True]


def test_the_first_word_of_two_captions_is_one_that_both_have(harness: Page) -> None:
    """That of the planted head that has most in one place: "circle" (.95 beside [CLS]), of both "red" (.9)."""
    one = captioned()
    text = Axis("text", labels=("a", "red"), spans=((0, 1), (2, 5)), words=(0, 1), special=(False, False))
    maps = AttentionMaps(one.cross.weights[:, :, :2], text, one.cross.keys, "cross", (0, 1))
    both = Explorer(harness, one, "harness")
    show(harness, pack(one, beside=one, select={"head": "2.1"}))
    expect(both.root).not_to_have_attribute("data-row", "1")
    harness.reload()  # a trace that was looked at before would keep its row
    show(harness, pack(one, beside=replace(one, maps=(maps,), output="a red"), select={"head": "2.1"}))
    expect(both.root).to_have_attribute("data-row", "1")
