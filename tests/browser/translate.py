"""How a visitor uses the page: open it, type, wait for the map, read what is shown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Locator, Page, expect

from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace

#: A run may wait for torch, the model and other tests on a slow machine.
PATIENCE = 60_000
_BLANK = r"[\s␣]*"
expect.set_options(timeout=20_000)


def open_app(page: Page, url: str, **said: str) -> None:
    """Open the page at an address that says `said`, and wait for the first map."""
    page.goto(f"{url}/?{urlencode(said)}")
    explorer(page).wait_for(timeout=PATIENCE)


def explorer(page: Page) -> Locator:
    """The explorer, once it has painted."""
    return page.locator(".xv[data-painted]")


def field(page: Page) -> Locator:
    """Where the sentence is typed."""
    return page.get_by_label("Sentence", exact=True)


def translate(page: Page, text: str) -> None:
    """Type a text and press Enter."""
    field(page).fill(text)
    field(page).press("Enter")


def source(page: Page) -> Locator:
    """The source sentence as the explorer shows it."""
    return page.get_by_role("listbox", name="Source sentence")


def output(page: Page) -> Locator:
    """The translation as the explorer shows it."""
    return page.get_by_role("listbox", name="Output sentence", exact=True)


def sentence(locator: Locator) -> str:
    """A shown sentence as it is read: without the end mark and the marks of tokens that are only a blank."""
    shown = (locator.text_content() or "").replace("␣", " ")
    return re.sub(r"\s*</s>$", "", " ".join(shown.split()))


def expect_source(page: Page, text: str) -> None:
    """Wait until the trace of a text is shown."""
    blank = "[\\s␣]+".join(map(re.escape, text.split()))
    expect(source(page)).to_have_text(re.compile(rf"^[\s␣]*{blank}[\s␣]*</s>\s*$"), timeout=PATIENCE)


def box(locator: Locator) -> dict[str, Any]:
    """Where something is: x, y, width, height in pixels."""
    found = locator.bounding_box()
    assert found is not None
    return dict(found)


def expect_source_of_any(page: Page, text: str) -> None:
    """Wait until the trace of a text is shown, whatever special tokens its model puts around it."""
    letters = r"[\s␣]*".join(map(re.escape, re.sub(r"\s", "", text)))
    expect(source(page)).to_have_text(re.compile(letters), timeout=PATIENCE)


def expect_trace(page: Page, trace: Trace) -> None:
    """Wait until a source and an output of these tokens are shown.

    Not by `expect_id`: a greedy run of transformers computes row by row, and its last bits are not the same in every
    process.
    """
    for shown, axis in ((source(page), trace.cross.keys), (output(page), trace.cross.queries)):
        names = [re.sub(r"[\s␣]", "", visible(axis.name(i))) for i in range(len(axis))]
        expect(shown).to_have_text(
            re.compile(rf"^{_BLANK}{_BLANK.join(map(re.escape, names))}{_BLANK}$"), timeout=PATIENCE
        )


def shown_id(page: Page) -> str:
    """Which trace is shown."""
    return explorer(page).get_attribute("data-trace") or ""


def expect_id(page: Page, wanted: str) -> None:
    """Wait until a certain trace is shown."""
    expect(explorer(page)).to_have_attribute("data-trace", wanted, timeout=PATIENCE)


def said(page: Page) -> dict[str, str]:
    """What the address says."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def expect_said(page: Page, **wanted: str) -> None:
    """Wait until the address says this."""
    page.wait_for_url(lambda url: wanted.items() <= {n: v[0] for n, v in parse_qs(urlsplit(url).query).items()}.items())


def model_box(page: Page) -> Locator:
    """The list of models."""
    return page.get_by_role("combobox", name="Model", exact=False).first


def expect_rest(page: Page) -> None:
    """Wait until the page's script has ended: what is clicked before may meet a widget that is about to be replaced."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE)


def download(page: Page, button: Locator, folder: Path) -> Path:
    """What a button writes, stored in a folder under the name that the page gives it."""
    expect_rest(page)  # until then the button may be that of what was shown before
    with page.expect_download() as given:
        button.click()
    path = folder / given.value.suggested_filename
    given.value.save_as(path)
    return path


def choose_model(page: Page, title: str) -> None:
    """Choose a model by what the list says of it."""
    expect_rest(page)
    model_box(page).click()
    page.get_by_role("option", name=title).click()


def name_model(page: Page, name: str) -> None:
    """Name a model that is not on the list, or its folder."""
    choose_model(page, "Another model")
    field = page.get_by_label("Name or folder of a model")
    field.fill(name)
    field.press("Enter")


def choose_option(page: Page, title: str, choice: str) -> None:
    """Choose a value of one of the model's options."""
    expect_rest(page)
    page.get_by_role("button", name="Options").click()
    page.get_by_role("combobox", name=title).click()
    page.get_by_role("option", name=choice, exact=True).click()
    page.keyboard.press("Escape")


def tick(page: Page, title: str) -> None:
    """Tick or clear one of the boxes among the options."""
    expect_rest(page)
    page.get_by_role("button", name="Options").click()
    page.get_by_text(title, exact=True).click()
    page.keyboard.press("Escape")


def serious(page: Page) -> list[str]:
    """The serious and critical violations that axe-core finds, each with what it is about.

    Of a page of the app where its script has ended: until then what stood before is dimmed, and fades in afterwards.
    """
    if page.get_by_test_id("stApp").count():
        expect_rest(page)
        page.wait_for_timeout(400)
    found = Axe().run(page).response
    return [
        f"{violation['id']}: {node['target']} {node['html'][:160]} {node['failureSummary'][:300]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
