"""From a file that is dropped on the page of speech to its painted map, against tracing the same sound and no more.

Ours begins when the browser hands the file to the page: upload, decoding, tracing, packing, sending and painting. The
peer is `trace` on samples in memory, in this process, on as many threads as the server takes. Each round has a sound of
its own, so that nothing is remembered: the same clip of 11 s, a little louder. The page is not looked at until its
explorer says that it has another trace, as looking at each frame would make frames. To reach: at most 1.3.
"""

from __future__ import annotations

from itertools import count

import torch
from playwright.sync_api import Browser, FilePayload

from benchmarks._browser import EXPLORER, RESTING, app, browser, cold_page
from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from xattn_viz.examples import clips
from xattn_viz.inputs import audio
from xattn_viz.models import registry
from xattn_viz.models.resources import CORES, RUNS_AT_ONCE

ROUNDS = 9
SAMPLES = clips.sound("muted").samples
_FIELD = ".st-key-upload input[type=file]"
_PAINTED = f"""(before) => {{
  window.given = new Promise((done) => document.querySelector('{_FIELD}').addEventListener(
    'change', () => done(performance.now()), {{ once: true, capture: true }}));
  const explorer = {EXPLORER};
  window.shown = new Promise((done) => new MutationObserver((_, observer) => {{
    if (explorer.dataset.painted && explorer.dataset.trace !== before) {{
      observer.disconnect();
      done(window.painted(() => true));
    }}
  }}).observe(explorer, {{ attributes: true }}));
}}"""


def upload(launched: Browser, url: str, number: int) -> float:
    """Seconds from the moment that a page is handed the sound of that number until its map is painted."""
    data = audio.wav(SAMPLES * (0.9 + number / 1000))
    file: FilePayload = {"name": f"{number}.wav", "mimeType": "audio/wav", "buffer": data}
    with cold_page(launched) as page:
        page.goto(f"{url}/speech")
        page.locator(".xv[data-painted]").wait_for(timeout=120_000)
        page.wait_for_function(f"() => {RESTING}")
        page.wait_for_timeout(1000)
        page.evaluate(_PAINTED, page.evaluate(f"() => {EXPLORER}.dataset.trace"))
        page.locator(_FIELD).set_input_files(file)
        took = page.evaluate("async () => (await window.shown) - (await window.given)")
    return float(took) / 1000


def main() -> None:
    """Measure, and print the figure."""
    torch.set_num_threads(max(1, CORES // RUNS_AT_ONCE))
    model, numbers = registry.load("whisper-tiny-en"), count()
    with app() as server, browser() as launched:
        measures = {
            "upload": lambda: upload(launched, server.url, next(numbers)),
            "trace": lambda: seconds(lambda: model.trace(SAMPLES, sampling_rate=audio.RATE, crop=True)),
        }
        interleaved(measures, 1)
        times = interleaved(measures, ROUNDS)
    figure(
        "11 s of speech, from the upload to its painted map / the trace alone",
        paired_ratio(times["upload"], times["trace"]),
        at_most=1.3,
        details=f"{ROUNDS} pairs, medians {milliseconds(times['upload'])} and {milliseconds(times['trace'])}",
    )


if __name__ == "__main__":
    main()
