"""Models of one's own: from folders, by name, with options, without consent, and over a hub that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser import translate as visitor
from tests.models.families import seq2seq_folders
from xattn_viz.examples import EXAMPLES
from xattn_viz.web.explorer import identity

TEXT = "The cat sat on the mat and looked at the rain."
LONG = " ".join(seq2seq_folders.SENTENCES[:24])


def turn_to(page: Page, model: Path) -> None:
    """Name a folder, and wait until its model shows the text that the page opened with."""
    visitor.name_model(page, str(model))
    visitor.expect_trace(page, xv.load(model).trace(EXAMPLES[0].text))
    visitor.expect_rest(page)


def test_models_from_folders_are_shown_and_the_offline_one_comes_back(app_url: str, page: Page, folders: Path) -> None:
    visitor.open_app(page, app_url)
    for kind in ("marian", "t5", "nllb"):
        turn_to(page, folders / kind)
        visitor.translate(page, TEXT)
        made = xv.load(folders / kind).trace(TEXT)
        visitor.expect_trace(page, made)
        expect(page.get_by_role("alert")).to_have_count(0)
        visitor.expect_source_of_any(page, TEXT)
        assert visitor.source(page).get_by_role("option").count() == len(made.cross.keys)
        layers, heads = made.cross.weights.shape[:2]
        assert page.locator(".xv-tiles [data-view]").evaluate_all(
            r"all => all.map(tile => tile.dataset.view).filter(view => /^\d+\.\d+$/.test(view))"
        ) == [f"{layer + 1}.{head + 1}" for layer in range(layers) for head in range(heads)]
        expect(visitor.field(page)).to_have_value(TEXT)
        assert visitor.said(page)["model"] == str(folders / kind)
        visitor.choose_model(page, "English → Portuguese")
        visitor.expect_source(page, EXAMPLES[0].text)


def test_what_is_typed_while_a_model_loads_stays_in_the_field(app_url: str, page: Page, folders: Path) -> None:
    visitor.open_app(page, app_url)
    visitor.name_model(page, str(folders / "marian"))
    visitor.field(page).fill("Typed at once.")
    visitor.expect_source_of_any(page, EXAMPLES[0].text)
    visitor.expect_said(page, model=str(folders / "marian"))
    visitor.expect_rest(page)
    expect(visitor.field(page)).to_have_value("Typed at once.")
    visitor.field(page).press("Enter")
    visitor.expect_trace(page, xv.load(folders / "marian").trace("Typed at once."))


def test_options_appear_with_the_model_and_reach_trace_and_address(
    app_url: str, page: Page, open_page: Callable[..., Page], folders: Path
) -> None:
    model = folders / "nllb"
    visitor.open_app(page, app_url)
    turn_to(page, model)
    visitor.choose_option(page, "Target language", "por_Latn")
    wanted = xv.load(model).trace(EXAMPLES[0].text, target_language="por_Latn")
    assert wanted.output != xv.load(model).trace(EXAMPLES[0].text).output
    visitor.expect_trace(page, wanted)
    assert visitor.said(page)["option.target_language"] == "por_Latn"
    another = open_page()
    another.goto(page.url)
    visitor.expect_trace(another, wanted)  # remembered: nothing has to be loaded for it


def test_the_shortlist_of_an_offline_model_is_an_option(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    page.get_by_role("button", name="Options").click()
    page.get_by_text("Use the shortlist").click()
    visitor.expect_said(page, **{"option.shortlist": "false"})
    visitor.expect_id(page, identity(xv.load(EXAMPLES[0].model).trace(EXAMPLES[0].text, shortlist=False)))


def test_an_address_loads_no_unlisted_model_by_itself(app_url: str, page: Page, folders: Path) -> None:
    model = str(folders / "marian")
    page.goto(f"{app_url}/?model={model}&text=Hello.")
    button = page.get_by_role("button", name=f"Load {model}")
    expect(button).to_be_visible(timeout=visitor.PATIENCE)
    expect(page.get_by_text("which is not on the list")).to_be_visible()
    expect(visitor.explorer(page)).to_have_count(0)
    button.click()
    visitor.expect_trace(page, xv.load(model).trace("Hello."))


@pytest.mark.parametrize(
    "name",
    [
        "https://evil.example/x",
        "./www.evil.example.png",
        "me@evil.example/a",
        "a/b -> c -- d >= e :smile: :material/home: :streamlit: :red[x] $x^2$ **b**",
    ],
)
def test_a_name_in_the_address_is_shown_as_it_is(app_url: str, page: Page, name: str) -> None:
    page.goto(f"{app_url}/?{urlencode({'model': name, 'text': 'Hello.'})}")
    expect(page.get_by_role("status")).to_have_text(
        f"This address asks for the model {name}, which is not on the list.", timeout=visitor.PATIENCE
    )
    expect(page.get_by_test_id("stButton").filter(has_text="Load")).to_have_text(f"Load {name}")
    assert page.locator("[data-testid=stMarkdownContainer] :is(a, img, strong, .katex)").count() == 0


def test_weights_in_a_bin_file_wait_for_consent(app_url: str, page: Page, folders: Path) -> None:
    visitor.open_app(page, app_url)
    visitor.name_model(page, str(folders / "pickled"))
    expect(page.get_by_role("alert")).to_contain_text("no code in them is run", timeout=visitor.PATIENCE)
    assert "allow_pickle" not in page.inner_text("body")
    page.get_by_role("button", name="Load it anyway").click()
    visitor.expect_trace(page, xv.load(folders / "pickled", allow_pickle=True).trace(EXAMPLES[0].text))
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_model_that_cannot_be_had_is_one_sentence_and_the_rest_works(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    alert = page.get_by_role("alert")
    for name, sentence in {
        "no-body/has-this": "no-body/has-this could not be fetched",
        "/etc": "There is no model or folder named '/etc'",
        "nonsense": "There is no model or folder named './nonsense'",
        "<b>*x*</b>/y": "There is no model or folder named '<b>*x*</b>/y'",
    }.items():
        visitor.name_model(page, name)
        expect(alert).to_contain_text(sentence)
        expect(alert).to_have_count(1)
        assert "Traceback" not in page.inner_text("body")
        expect(page.locator(".xv[data-painted]")).to_have_count(0)  # no map stands under the name of another model
    visitor.choose_model(page, "Portuguese → English")
    visitor.expect_source(page, next(e.text for e in EXAMPLES if e.model == "firefox-pt-en"))
    expect(alert).to_have_count(0)


def test_the_list_says_licence_and_download(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    visitor.model_box(page).click()
    options = page.get_by_role("option").all_inner_texts()
    assert options[:2] == ["English → Portuguese", "Portuguese → English"]
    assert "English → French (OPUS-MT) · Apache-2.0 · downloads 303 MB" in options
    assert any("not for commercial use · downloads 2.5 GB" in option for option in options)


def test_a_long_text_read_whole_stays_responsive(app_url: str, page: Page, folders: Path) -> None:
    tokens = len(xv.load(folders / "t5").trace(LONG).cross.keys)
    assert tokens > 500
    visitor.open_app(page, app_url)
    turn_to(page, folders / "t5")
    visitor.tick(page, "Whole text")
    visitor.expect_said(page, whole="true")
    visitor.translate(page, LONG)
    expect(visitor.source(page).get_by_role("option")).to_have_count(tokens)
    page.get_by_role("radio", name="Layer 1, head 3").click(timeout=5_000)
    expect(visitor.explorer(page)).to_have_attribute("data-head", "1.3", timeout=2_000)
