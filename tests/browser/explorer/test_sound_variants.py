"""Speech in other forms: layers on demand, words and sentences, two transcripts, an output that grows, samples."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import pairwise

import numpy as np
from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser.explorer.clip import CLIP, frames, lines, per_pixel, shown, spoken, view_of
from tests.browser.explorer.conftest import PACKED, Explorer, assert_painted
from tests.browser.explorer.harness import show
from xattn_viz.analysis.compare import compare
from xattn_viz.core.view import View
from xattn_viz.examples import clips
from xattn_viz.plots import colours
from xattn_viz.web.explorer import pack


def test_layers_come_on_demand_and_the_sound_plays_on(harness: Page) -> None:
    trace, playback = spoken()
    asked: list[dict[str, object]] = []

    def answer(wanted: dict[str, object]) -> str:
        asked.append(wanted)
        return base64.b64encode(pack(trace, playback=playback, **wanted)).decode()  # type: ignore[arg-type]

    harness.expose_function("answer", answer)
    show(harness, pack(trace, playback=playback))
    explorer = Explorer(harness, trace, "harness")
    source = harness.evaluate("document.querySelector('audio').src")
    for layer, head in ((2, 4), (0, 1)):
        explorer.choose(f"{layer + 1}.{head + 1}")
        expect(explorer.stage().locator(".xv-cells")).to_be_visible()
        weights, painted = shown(trace, layer, head), lines(explorer)
        assert_painted(painted, per_pixel(weights, *view_of(explorer), painted.shape[1]), float(weights.max()))
    assert asked == [{"kind": "cross", "layer": layer} for layer in (0, 2)]  # the first one was kept
    padding = trace.cross.weights[0, 1, :, frames(trace) :].sum(-1)
    assert explorer.marked("output", "parked") == (padding >= 0.5).tolist()
    assert harness.evaluate("document.querySelector('audio').src") == source


def test_rows_are_words_or_sentences_and_columns_stay_time(harness: Page) -> None:
    trace, playback = spoken()
    show(harness, pack(trace, playback=playback, select={"head": "3.5"}, full_limit=None))
    explorer = Explorer(harness, trace, "harness")
    weights, queries = shown(trace), trace.cross.queries
    explorer.press("Words")
    groups = queries.word_groups()
    words = np.stack([weights[group].mean(0) for group in groups])
    painted = lines(explorer)
    assert_painted(painted, per_pixel(words, *view_of(explorer), painted.shape[1]), float(words.max()), off=2)
    explorer.press("Sentences")
    spans, stop = queries.spans or (), trace.output.index(". ") + 1
    special = queries.is_special
    rows = [[i for i, (a, _) in enumerate(spans) if not special[i] and (a < stop) == first] for first in (True, False)]
    sentences = np.stack([weights[row].mean(0) for row in ([0], *rows, [len(spans) - 1])])
    painted = lines(explorer)
    assert_painted(painted, per_pixel(sentences, *view_of(explorer), painted.shape[1]), float(sentences.max()), off=2)


def test_two_transcripts_of_one_sound_stand_beside_each_other(harness: Page) -> None:
    trace, playback = spoken()
    crossed = replace(trace, maps=(trace.cross,))
    target = trace.output.replace("married a more amiable woman", "married a wiser woman")
    other = xv.load("whisper-tiny-en").trace(clips.sound(CLIP), target=target)
    sent = pack(crossed, beside=other, playback=playback, select={"head": "3.5"}, full_limit=None)
    show(harness, sent)
    explorer = Explorer(harness, other, "harness")
    weights = shown(other)
    top = float(explorer.stage().get_attribute("data-top") or 0)
    assert abs(top - max(weights.max(), shown(trace).max())) < PACKED
    painted = lines(explorer, "Map of the other output")
    labels = harness.locator('[aria-label="Map of the other output"] .xv-row-labels .xv-label').all_inner_texts()
    there = [r for r, label in enumerate(labels) if label]
    wanted = per_pixel(weights, *view_of(explorer, "Map of the other output"), painted.shape[1])
    assert [labels[r] for r in there] == list(other.cross.queries.labels or ())
    assert_painted(painted[there], wanted, top)
    explorer.press("Difference")
    apart = compare(crossed, other, View(layer=2, head=4)).difference[0, 0]
    both = ~np.isnan(apart).all(1)
    painted = lines(explorer, "Difference of both maps")
    up, down = (
        per_pixel(np.maximum(sign * apart[both], 0), *view_of(explorer, "Difference of both maps"), painted.shape[1])
        for sign in (1, -1)
    )
    farthest = np.where(up >= down, up, -down)  # of the frames of a pixel, the one farthest from 0
    top = float(explorer.stage("Difference of both maps").get_attribute("data-top") or 0)
    table = colours.diverging(dark=True).astype(int)
    level = np.rint((farthest / top + 1) * 127.5).astype(int)
    # Two weights, each off by half of 1/255 of its maximum: on the smaller scale of the difference up to two colours.
    near = [table[np.clip(level + step, 0, 255)] for step in range(-3, 4)]
    fits = np.any([(painted[both] == colour).all(-1) for colour in near], axis=0)
    assert fits.mean() > 0.999, fits.mean()


def test_an_output_that_grows_has_its_spectrogram_and_nothing_to_play(harness: Page) -> None:
    trace, playback = spoken()
    cross = trace.cross
    part = replace(
        cross,
        weights=cross.weights[:, :, :6],
        queries=cross.queries.take(range(6)),
        read=cross.read and cross.read.take(range(6)),
    )
    text = trace.output[: (cross.queries.spans or ())[5][1]]
    growing = replace(trace, maps=(part,), steps=trace.steps[:6], output=text)
    show(harness, pack(growing, growing=True, select={"head": "3.5"}))
    explorer = Explorer(harness, growing, "harness")
    expect(explorer.root).to_have_attribute("data-row", "5")
    expect(harness.locator(".xv-sound-play")).to_be_hidden()
    expect(harness.locator('[aria-label="Chosen map"] .xv-picture')).to_be_visible()
    assert explorer.said().startswith(f"Writing {(part.queries.labels or ())[5]}, this head listened to ")
    show(harness, pack(trace, playback=playback, full_limit=None))
    expect(harness.locator(".xv-sound-play")).to_be_enabled()
    expect(explorer.root).to_have_attribute("data-row", str(len(cross.queries) - 1))


def test_samples_are_drawn_as_loudness(harness: Page) -> None:
    trace, _ = spoken()
    samples = clips.sound(CLIP).samples
    show(harness, pack(replace(trace, input=samples), full_limit=None))
    high = harness.locator('[aria-label="Chosen map"] .xv-picture').evaluate(
        """canvas => {
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          const drawn = new Array(canvas.width).fill(0);
          for (let i = 3; i < data.length; i += 4) drawn[((i - 3) / 4) % canvas.width] += data[i] / 255;
          return drawn.map(count => count / canvas.height);
        }"""
    )
    edges = np.linspace(0, frames(trace) * 320, len(high) + 1).astype(int)
    whole = np.pad(samples, (0, max(0, edges[-1] - len(samples))))
    loud = np.array([np.abs(whole[a:b]).max() for a, b in pairwise(edges)])
    assert np.corrcoef(high, loud)[0, 1] > 0.95
