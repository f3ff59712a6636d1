"""How a visitor uses the page of images: open it, draw on the easel, give it a picture, read the caption."""

from __future__ import annotations

from urllib.parse import urlencode

from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser import translate as visitor
from xattn_viz.shapes import Scene, caption
from xattn_viz.shapes.scene import from_link


def open_images(page: Page, url: str, **said: str) -> None:
    """Open the page at an address that says `said`, and wait for the first map."""
    page.goto(f"{url}/images?{urlencode(said)}")
    visitor.explorer(page).wait_for(timeout=visitor.PATIENCE)


def open_easel(page: Page) -> None:
    """Open the panel for a picture of one's own."""
    visitor.expect_rest(page)
    page.get_by_text("Draw or upload", exact=True).click()
    paper(page).wait_for()
    visitor.expect_rest(page)


def paper(page: Page) -> Locator:
    """Where shapes are placed."""
    return page.get_by_role("group", name="Paper")


def things(page: Page) -> Locator:
    """The shapes on the paper."""
    return paper(page).get_by_role("button")


def take(page: Page, *names: str) -> None:
    """Choose a colour, a shape or a size to be placed next."""
    for name in names:
        page.locator(".xv-palette").get_by_role("radio", name=name, exact=True).check()


def place(page: Page, x: float, y: float) -> None:
    """Click on the paper; `x` and `y` are shares of its width."""
    box = visitor.box(paper(page))
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Move what lies at one place of the paper to another."""
    box = visitor.box(paper(page))
    (x, y), (to_x, to_y) = ((box["x"] + px * box["width"], box["y"] + py * box["height"]) for px, py in (start, end))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(to_x, to_y, steps=4)
    page.mouse.up()


def scene(page: Page) -> Scene:
    """The scene that the address says."""
    return from_link(visitor.said(page)["scene"])


def give(page: Page, name: str, data: bytes) -> None:
    """Upload a file."""
    visitor.expect_rest(page)
    file: FilePayload = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    page.locator(".st-key-upload input[type=file]").set_input_files(file)


def expect_caption(page: Page, text: str) -> None:
    """Wait until a caption is shown."""
    words = [*text.replace(",", " ,").split(), "</s>"]
    expect(page.locator(".xv-rows .xv-text")).to_have_text(words, timeout=visitor.PATIENCE)


def expect_caption_of(page: Page, shown: Scene) -> None:
    """Wait until the true caption of a scene is shown."""
    expect_caption(page, caption(shown))
