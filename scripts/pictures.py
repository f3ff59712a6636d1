"""Take the screenshots of docs/ again: `make pictures`. Starts the app, drives it in Chromium, writes PNG files."""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import xattn_viz  # noqa: E402
from scripts import browser  # noqa: E402 - found through the line above
from tests.server import free_port, start, streamlit_command  # noqa: E402
from xattn_viz.examples import PROMPTS, QUESTIONS  # noqa: E402

LONG = "The old fisherman who lived by the harbour told us that the storm had taken two boats and most of his nets."
THREE = "The museum opens at nine. Tickets for students cost less. We waited in the rain, but nobody complained."

#: The first prompt of two things with its things the other way round.
SWAPPED = PROMPTS[1].text.replace("above", "below")
BESIDE = "The letter that she wrote last night is still on the table."
EVIDENCE = {"model": "firefox-en-pt", "text": BESIDE, "head": "2.1", "tab": "evidence"}
ASKED = {"picture": QUESTIONS[2].slug, "question": QUESTIONS[2].question}
COMPARED = {
    "model": "firefox-en-pt",
    "text": "We sat by the bank and talked.",
    "compare": "We sat by the old river and talked.",
    "head": "2.1",
    "shows": "difference",
}
OTHER = {"target": "A carta escrita por ela na noite passada continua sobre a mesa.", "beside": "true"}


def _pin(page: Page) -> None:
    """The previous-token head, with the aligning head beside it."""
    page.get_by_role("button", name="Pin").click()
    page.locator('[data-view="1.6"]').click()
    page.locator(".xv-rows .xv-text").nth(4).hover()


def _history(page: Page) -> None:
    """What was traced in a visit: two sentences, a clip, a scene."""
    at = page.url.partition("?")[0].rstrip("/")
    for name in ("speech", "images", f"?{urlencode({'text': LONG})}", f"?{urlencode({'text': BESIDE})}"):
        page.goto(f"{at}/{name}")
        page.locator(".xv[data-painted]").first.wait_for(timeout=60_000)
        page.wait_for_timeout(2500)
    page.get_by_role("button", name="History").click()
    page.locator('[class*="st-key-seen-"] img').nth(4).wait_for(timeout=60_000)
    page.wait_for_timeout(500)


def _check(page: Page) -> None:
    """How one weight comes about."""
    page.locator(".xv-stage").first.click(position={"x": 150, "y": 66})
    page.locator(".xv-check").scroll_into_view_if_needed()


def _encoder(page: Page) -> None:
    """Self-attention beside cross-attention."""
    page.get_by_role("button", name="Pin").click()
    page.get_by_role("button", name="Encoder").click()
    page.locator('[data-view="1.2"]').click()


def _hover(page: Page) -> None:
    page.locator(".xv-rows .xv-text").nth(1).hover()


def _word(page: Page) -> None:
    """The first "amiable", which is two tokens."""
    page.locator(".xv-rows .xv-text", has_text="am").nth(1).hover()


def _weight(page: Page) -> None:
    """The arithmetic of a weight."""
    page.locator('[data-plate="weights"] tbody td').nth(2).click()


def _scene(page: Page) -> None:
    page.locator(".xv-rows .xv-text").first.wait_for()
    page.wait_for_timeout(1000)


def _words(page: Page) -> None:
    """The regions of two words, each in a colour of its own: that of the word in view and another."""
    _scene(page)
    page.get_by_role("button", name="Compare words").click()
    page.locator(".xv-rows .xv-text", has_text="star").click()


def _box(page: Page) -> None:
    """A box around the star, and each word's share in it."""
    _scene(page)
    place = page.locator(".xv-stage").first.bounding_box()
    if place is None:
        raise ValueError("The page shows no picture to draw a box on.")
    x, y, width, height = (place[name] for name in ("x", "y", "width", "height"))
    page.mouse.move(x + 0.38 * width, y + 0.46 * height)
    page.mouse.down()
    page.mouse.move(x + 0.6 * width, y + 0.7 * height)
    page.mouse.move(x + 0.78 * width, y + 0.86 * height)
    page.mouse.up()


def _easel(page: Page) -> None:
    """A scene of one's own."""
    _scene(page)
    page.get_by_text("Draw or upload").click()
    page.wait_for_timeout(2000)


def _latent(page: Page) -> None:
    """What a latent of the Perceiver reads."""
    _scene(page)
    page.locator(".xv-rows .xv-text").nth(4).hover()


def _place(page: Page) -> None:
    """Which places read the latent that is read most for one in the ring."""
    _scene(page)
    page.get_by_role("button", name="Decode", exact=True).click()
    page.locator(".xv-columns .xv-text").nth(15).click()
    page.locator(".xv-stage").first.hover(position={"x": 75, "y": 115})


def _formed(page: Page) -> None:
    """A drawing that is finished."""
    page.get_by_text(re.compile("rawn as asked|The same noise")).wait_for(timeout=60_000)
    page.wait_for_timeout(1500)


def _both(page: Page) -> None:
    """The regions of the shape word in view and of the other."""
    _formed(page)
    page.get_by_role("button", name="Compare words").click()
    page.locator(".xv-columns .xv-text", has_text="ring").click()


def _sources(page: Page) -> None:
    """How much each word reads from the picture and from the hint."""
    _scene(page)
    page.get_by_text("Weight on: the share").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)


def _drawn(page: Page) -> None:
    page.locator(".js-plotly-plot:visible").first.wait_for()
    page.wait_for_timeout(1500)


def _learn(page: Page) -> None:
    """A training that is over."""
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Trained").wait_for(timeout=60_000)
    page.wait_for_timeout(1500)


def _head(page: Page) -> None:
    """A weight of the translation model, step by step."""
    _check(page)
    page.get_by_role("button", name="Step by step on the Layer page").click()
    page.locator(".xv-stepper").wait_for(timeout=60_000)
    page.wait_for_timeout(1500)


def _evidence(page: Page) -> None:
    """What was measured of a sentence: costs, links, and how far occlusion agrees."""
    for asked, there in (
        ("Measure each head", ".st-key-evidence-tokens .xv-line"),
        ("Link the words", ".xv-end"),
        ("Compare with occlusion", ".st-key-evidence-agreement .xv-grid"),
    ):
        button = page.get_by_role("button", name=asked)
        button.or_(page.locator(there)).first.wait_for(timeout=60_000)
        if button.count():  # the server keeps what was measured for the picture before
            button.click()
        page.locator(there).first.wait_for(timeout=120_000)
        page.wait_for_timeout(500)
    page.get_by_role("button", name="Layer 1, head 6, nats a token").click()
    page.get_by_text("Layer 1, head 6 costs").wait_for()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)


def _links(page: Page) -> None:
    """The words that say the same, and what another way of looking finds."""
    _evidence(page)
    page.get_by_role("heading", name="Words that say the same").evaluate("one => one.scrollIntoView()")
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)


def _talked(page: Page) -> None:
    """A slide of a story, as the last row sees it."""
    page.locator(".xv-rows .xv-focus").wait_for(timeout=60_000)
    page.wait_for_timeout(1000)


# Name, address, width and height, theme, and what to do before the picture.
SHOTS: list[tuple[str, dict[str, str], tuple[int, int], str, Callable[[Page], None]]] = [
    ("translate-dark", {}, (1280, 720), "dark", _hover),
    ("translate-light", {}, (1280, 720), "light", _hover),
    ("translate-phone", {}, (400, 800), "dark", _hover),
    ("translate-long", {"model": "firefox-en-pt", "text": LONG, "head": "2.1"}, (1280, 720), "dark", _pin),
    ("translate-text", {"model": "firefox-en-pt", "text": THREE, "head": "2.1"}, (1280, 720), "dark", _hover),
    (
        "translate-beside",
        {"model": "firefox-en-pt", "text": BESIDE, "head": "2.1", **OTHER},
        (1280, 720),
        "dark",
        _hover,
    ),
    ("translate-history", {}, (1280, 720), "light", _history),
    ("translate-compare", COMPARED, (1280, 800), "light", _hover),
    ("translate-self", {"text": LONG, "head": "2.1", "option.self_attention": "true"}, (1280, 720), "light", _encoder),
    ("translate-check", {}, (1280, 900), "dark", _check),
    ("evidence-dark", EVIDENCE, (1280, 800), "dark", _evidence),
    ("evidence-light", EVIDENCE, (1280, 800), "light", _links),
    ("evidence-phone", EVIDENCE, (400, 800), "dark", _evidence),
    ("speech-dark", {}, (1280, 720), "dark", _word),
    ("speech-light", {}, (1280, 720), "light", _word),
    ("images-dark", {}, (1280, 720), "dark", _scene),
    ("images-row", {"picture": "row"}, (1280, 720), "light", _scene),
    ("images-unseen", {"picture": "unseen"}, (1280, 720), "dark", _scene),
    ("images-alone", {"picture": "alone"}, (1280, 720), "dark", _scene),
    ("images-words", {}, (1280, 720), "dark", _words),
    ("images-box", {}, (1280, 720), "light", _box),
    ("images-easel", {}, (1280, 720), "dark", _easel),
    ("images-hint", {"model": "hint-concatenated"}, (1280, 720), "dark", _scene),
    ("images-hint-words", {"model": "hint-concatenated"}, (1280, 720), "light", _sources),
    ("images-latents", {"model": "perceive-shapes"}, (1280, 720), "dark", _latent),
    ("images-places", {"model": "perceive-shapes", "picture": "row"}, (1280, 720), "light", _place),
    ("images-asked", {"model": "answer-shapes"}, (1280, 720), "dark", _scene),
    ("images-asked-share", {"model": "answer-shapes", **ASKED}, (1280, 720), "light", _scene),
    ("draw-dark", {}, (1280, 720), "dark", _formed),
    ("draw-pair", {"text": PROMPTS[1].text}, (1280, 720), "light", _formed),
    ("draw-words", {"text": PROMPTS[2].text}, (1280, 720), "dark", _both),
    ("draw-star", {"text": PROMPTS[3].text}, (1280, 720), "dark", _formed),
    ("draw-compare", {"text": PROMPTS[1].text, "compare": SWAPPED}, (1280, 960), "dark", _formed),
    ("speech-compare", {"sound": "amiable", "compare-sound": "forward"}, (1280, 900), "light", _word),
    ("layer-steps-dark", {}, (1280, 720), "dark", _weight),
    ("layer-steps-light", {}, (1280, 720), "light", _weight),
    ("layer-scale", {"section": "scale"}, (1280, 720), "dark", _drawn),
    ("layer-self-or-cross", {"section": "self_vs_cross"}, (1280, 720), "light", _drawn),
    ("layer-learning", {"section": "learning"}, (1280, 720), "dark", _learn),
    ("translate-head", {}, (1280, 720), "dark", _head),
    ("talk-dark", {"name": "alignment", "slide": "4", "talk": "1"}, (1280, 720), "dark", _talked),
]
#: What the name of a picture begins with where that is not its page.
PAGES = {"translate": "", "evidence": "", "talk": "stories"}


def draw_moving() -> None:
    """The moving picture: a translation as it is written."""
    trace = xattn_viz.load("firefox-en-pt").trace("The cat sat on the mat.")
    view = xattn_viz.View(layer=1, head=0)
    xattn_viz.animate(trace, view, size=(1280, 720)).save(ROOT / "docs" / "translate-steps.gif")


def draw_figures() -> None:
    """The figures of docs/papers.md, by the Python that stands there, as SVG in place of PDF."""
    text = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for block in blocks:
            exec(block.replace('.pdf"', '.svg"'), names)  # noqa: S102 - our own text
        for made in Path(folder).iterdir():
            shutil.copy(made, ROOT / "docs" / f"paper-{made.name}")


def main() -> int:
    """Take every picture. The exit code is 1 where there is no browser."""
    draw_moving()
    draw_figures()
    path = browser.find()
    if path is None:
        print("There is no Chromium to take pictures with: run scripts/browser.py.", file=sys.stderr)
        return 1
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = start(streamlit_command(port), port, Path(folder) / "log.txt")
        chromium = playwright.chromium.launch(executable_path=path, args=browser.flags())
        for name, address, (width, height), theme, act in SHOTS:
            page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=theme)  # type: ignore[arg-type]
            page.add_init_script(browser.NO_TOUR)
            kind = name.split("-")[0]
            page.goto(f"{server.url}/{PAGES.get(kind, kind)}?{urlencode(address)}")
            page.locator(".js-plotly-plot, .xv[data-painted], .st-key-evidence").first.wait_for(timeout=60_000)
            act(page)
            page.wait_for_timeout(500)
            page.screenshot(path=ROOT / "docs" / f"{name}.png")
            page.close()
        chromium.close()
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
