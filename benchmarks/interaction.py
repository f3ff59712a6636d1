"""How soon a choice is on screen: another head or layer, and another trace that is already there.

Head or layer: arrow keys move over the overview, through every head of every layer and back. From the key event to the
end of the painting of the frame that shows the chosen map, by the page's own clock; the page also notes when messages
of the server arrive, and none may come in between, so that the map cannot have waited for one. Tried on the example
that the app opens with and on the longest sentence of the tests. To reach: a median of at most 50 ms; the worst is
reported. The same in *Difference*, where the longest sentence is compared with itself without its last word, in turn
with the plain map of that sentence, key by key. To reach: at most 2, because there are two maps to look at.

Trace: a text of two sentences, traced beforehand; the button for the next or previous one is clicked. From the click to
the painted map of the other sentence. The peer is an empty rerun of the same page: a click on Translate with nothing
changed, until Streamlit says that the script has ended and that frame is painted. In turn, 20 pairs. To reach: at most
1.5. Reported besides: an empty rerun of a page that only holds a button and a counter, the least that Streamlit can do.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page

from benchmarks._browser import EXPLORER, RESTING, app, browser, cold_page
from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio

SENTENCES = Path(__file__).parents[1] / "tests" / "models" / "sentences.en.txt"
TWO = "The old bridge was closed for repairs. My sister sells apples at the market."
PAIRS = 20
QUIET = 700  # milliseconds: what a key or click before set off has ended by then
COUNTER = """
import streamlit as st
st.session_state.setdefault("count", 0)
st.session_state.count += st.button("Again")
st.text(f"count {st.session_state.count}")
"""

# Notes when each message of the server arrives, and which of them say that a script has ended: field 6 of Streamlit's
# ForwardMsg (streamlit/proto/ForwardMsg.proto). answer() times a key or click until ready() holds and is painted.
NOTES = """
window.heard = []; window.scriptsEnded = 0;
const endsScript = (bytes) => {
  let at = 0;
  const number = () => { let n = 0, m = 1, b; do { b = bytes[at++]; n += (b & 127) * m; m *= 128; } while (b & 128);
    return n; };
  while (at < bytes.length) {
    const tag = number();
    if (tag >> 3 === 6) return true;
    if ((tag & 7) === 2) { const length = number(); at += length; } else number();
  }
  return false;
};
window.WebSocket = class extends WebSocket {
  constructor(...given) { super(...given); this.addEventListener("message", ({ data }) => {
    heard.push(performance.now());
    window.scriptsEnded += endsScript(new Uint8Array(data));
  }); }
};
window.answer = (kind, ready) => {
  window.answered = new Promise((resolve, reject) => addEventListener(kind, (event) => {
    setTimeout(() => reject(new Error(`nothing was painted within 30 s of this ${kind}`)), 30000);
    const before = ready(null);
    painted(() => ready(before)).then((end) => resolve(
      { took: end - event.timeStamp, messages: heard.filter((at) => at > event.timeStamp && at < end).length }));
  }, { capture: true, once: true }));
};
"""
HEAD = f"(before) => before === null ? {EXPLORER}.dataset.head : {EXPLORER}.dataset.head !== before"
TRACE = f"(before) => before === null ? {EXPLORER}.dataset.trace : {EXPLORER}.dataset.trace !== before"
COUNT = """(before) => { const said = document.querySelector("[data-testid=stText]").textContent;
  return before === null ? said : said !== before; }"""
# An empty rerun shows no change at all: all its messages may come between two frames.
RERUN = f"(before) => before === null ? window.scriptsEnded : window.scriptsEnded > before && {RESTING}"


def key_to_paint(page: Page, key: str) -> tuple[float, int]:
    """Seconds from an arrow key in the overview to the painted map, and how many messages came in between."""
    page.evaluate(f"() => answer('keydown', {HEAD})")
    page.keyboard.press(key)
    answer = page.evaluate("() => answered")
    page.wait_for_timeout(QUIET)
    return answer["took"] / 1000, answer["messages"]


def click_to_paint(page: Page, buttons: str, ready: str) -> float:
    """Seconds from a click on the enabled one of these buttons until `ready` is painted."""
    page.evaluate(f"() => answer('click', {ready})")
    page.locator(buttons).and_(page.locator(":enabled")).click()
    answer = page.evaluate("() => answered")
    page.wait_for_function(f"() => {RESTING}")
    page.wait_for_timeout(QUIET)
    return float(answer["took"]) / 1000


def begin(page: Page, address: str) -> list[str]:
    """Choose the first map of the page at that address; the keys that lead through all of them and back."""
    page.goto(address)
    chosen = page.locator(".xv [role=radio][aria-checked=true]")
    chosen.wait_for(timeout=120_000)
    page.wait_for_function(f"() => {RESTING}")
    page.wait_for_timeout(2 * QUIET)
    chosen.focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(QUIET)
    steps = page.locator(".xv-tiles button").count() - 1
    return ["ArrowRight"] * steps + ["ArrowLeft"] * steps


def keys(launched: Browser, name: str, address: str) -> None:
    """Print how soon heads and layers change on the page at that address."""
    with cold_page(launched, NOTES) as page:
        answers = [key_to_paint(page, key) for key in begin(page, address)]
        tokens = page.locator(".xv-sentence .xv-text").count()
    times, messages = [took for took, _ in answers], sum(count for _, count in answers)
    said = f"{len(times)} keys, {tokens} tokens, median {milliseconds(times)}, worst {max(times) * 1000:.0f} ms, "
    said += f"messages of the server in between: {messages}"
    figure(f"key to painted map / 50 ms, {name}", median(times) / 0.05, at_most=1, details=said)


def differences(launched: Browser, plain: str, compared: str) -> None:
    """Print how much later a difference of two maps is painted than one map, head by head."""
    times: dict[str, list[float]] = {"plain": [], "difference": []}
    messages = 0
    with cold_page(launched, NOTES) as one, cold_page(launched, NOTES) as both:
        pages = {"plain": one, "difference": both}
        ways = [begin(page, address) for page, address in ((one, plain), (both, compared))]
        if ways[0] != ways[1] or both.get_by_label("Difference of both maps", exact=True).count() != 1:
            raise SystemExit("The compared page shows no difference of the same heads.")
        for key in ways[0]:
            for name, page in pages.items():
                took, count = key_to_paint(page, key)
                times[name].append(took)
                messages += count
    said = f"{len(ways[0])} pairs, medians {milliseconds(times['difference'])} and {milliseconds(times['plain'])}, "
    said += f"messages of the server in between: {messages}"
    ratio = paired_ratio(times["difference"], times["plain"])
    figure("key to painted difference / key to painted map, a long sentence", ratio, at_most=2, details=said)


def clicks(launched: Browser, address: str) -> None:
    """Print how soon a cached trace is painted, against an empty rerun."""
    with (
        tempfile.TemporaryDirectory() as folder,
        cold_page(launched, NOTES) as page,
        cold_page(launched, NOTES) as bare,
    ):
        Path(folder, "app.py").write_text(COUNTER, encoding="utf-8")
        with app(cwd=Path(folder)) as server:
            bare.goto(server.url)
            bare.get_by_text("count 0").wait_for()
            page.goto(address)
            page.locator(".xv[data-painted]").wait_for(timeout=120_000)
            page.wait_for_function(f"() => {RESTING}")
            pager, translate = ".st-key-next button, .st-key-previous button", "[data-testid=stFormSubmitButton] button"
            measures = {
                "trace": lambda: click_to_paint(page, pager, TRACE),
                "empty": lambda: click_to_paint(page, translate, RERUN),
                "least": lambda: click_to_paint(bare, "[data-testid=stButton] button", COUNT),
            }
            interleaved(measures, 2)
            times = interleaved(measures, PAIRS)
    for peer, name, at_most in (("empty", "an empty rerun", 1.5), ("least", "an empty rerun of a bare page", None)):
        said = f"{PAIRS} pairs, medians {milliseconds(times['trace'])} and {milliseconds(times[peer])}"
        ratio = paired_ratio(times["trace"], times[peer])
        figure(f"click to painted map of a cached trace / {name}", ratio, at_most=at_most, details=said)


def main() -> None:
    """Measure, and print the figures."""
    longest = max(SENTENCES.read_text(encoding="utf-8").splitlines(), key=len)
    with app() as server, browser() as launched:

        def asking(text: str, **more: str) -> str:
            return f"{server.url}/?{urlencode({'model': 'firefox-en-pt', 'text': text, **more})}"

        keys(launched, "the first example", server.url)
        keys(launched, "a long sentence", asking(longest))
        other = f"{longest.rpartition(' ')[0]}."
        differences(launched, asking(longest), asking(longest, compare=other, shows="difference"))
        clicks(launched, asking(TWO))


if __name__ == "__main__":
    main()
