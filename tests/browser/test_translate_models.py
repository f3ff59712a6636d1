"""Models of one's own: from folders, by name, with options, without consent, and over a hub that is not there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

import xattn_viz as xv
from tests.models import seq2seq_folders
from tests.server import Server, free_port, start, streamlit_command
from xattn_viz.examples import EXAMPLES
from xattn_viz.explorer.payload import identity

from . import translate as visitor

TEXT = "The cat sat on the mat and looked at the rain."
LONG = " ".join(seq2seq_folders.SENTENCES[:24])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small checkpoints of several architectures, and one whose weights are in a `.bin` only."""
    root = tmp_path_factory.mktemp("models")
    for kind in ("marian", "bart", "t5", "nllb", "led"):
        seq2seq_folders.write(root / kind, kind)
    seq2seq_folders.write(root / "pickled", "bart", safe=False)
    return root


@pytest.fixture(scope="module")
def served(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app with a root for folders, and a hub that nobody answers for."""
    port = free_port()
    said = [f"XATTN_VIZ_ROOT={folders}", f"HF_ENDPOINT=http://127.0.0.1:{free_port()}"]
    said.append(f"HF_HUB_CACHE={tmp_path_factory.mktemp('cache')}")
    server = start(["env", *said, *streamlit_command(port)], port, tmp_path_factory.mktemp("served") / "log.txt")
    yield server
    server.stop()


def model_box(page: Page) -> Locator:
    """The list of models."""
    return page.get_by_role("combobox", name="Model", exact=False).first


def choose(page: Page, title: str) -> None:
    """Choose a model by what the list says of it."""
    model_box(page).click()
    page.get_by_role("option", name=title).click()


def name_model(page: Page, name: str) -> None:
    """Name a model that is not on the list."""
    choose(page, "Another model")
    field = page.get_by_label("Name or folder of a model")
    field.fill(name)
    field.press("Enter")


def said(page: Page) -> dict[str, str]:
    """What the address says."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


@pytest.mark.parametrize("kind", ["marian", "bart", "t5", "nllb", "led"])
def test_a_model_from_a_folder_is_shown_and_the_offline_one_comes_back(
    served: Server, page: Page, folders: Path, kind: str
) -> None:
    visitor.open_app(page, served.url)
    name_model(page, str(folders / kind))
    visitor.expect_source_of_any(page, EXAMPLES[0].text)
    visitor.translate(page, TEXT)
    visitor.expect_source_of_any(page, TEXT)
    made = xv.load(folders / kind).trace(TEXT)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert visitor.explorer(page).get_by_role("radio").count() >= made.cross.weights.shape[0]
    assert visitor.shown_id(page) == identity(made)
    expect(visitor.field(page)).to_have_value(TEXT)
    assert said(page)["model"] == str(folders / kind)
    choose(page, "English → Portuguese")
    visitor.expect_source(page, EXAMPLES[0].text)


def test_options_appear_with_the_model_and_reach_trace_and_address(
    served: Server, page: Page, open_page: Callable[..., Page], folders: Path
) -> None:
    model = str(folders / "nllb")
    visitor.open_app(page, served.url)
    visitor.translate(page, TEXT)
    visitor.expect_source(page, TEXT)
    name_model(page, model)
    visitor.expect_source_of_any(page, TEXT)
    page.get_by_role("button", name="Options").click()
    page.get_by_role("combobox", name="Target language").click()
    page.get_by_role("option", name="por_Latn").click()
    wanted = identity(xv.load(model).trace(TEXT, target_language="por_Latn"))
    visitor.expect_id(page, wanted)
    assert said(page)["option.target_language"] == "por_Latn"
    another = open_page()
    another.goto(page.url)
    another.get_by_role("button", name=f"Load {model}").click()
    visitor.expect_id(another, wanted)


def test_the_shortlist_of_an_offline_model_is_an_option(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    page.get_by_role("button", name="Options").click()
    page.get_by_text("Use the shortlist").click()
    text = EXAMPLES[0].text
    page.wait_for_url(lambda url: "option.shortlist=false" in url)
    visitor.expect_id(page, identity(xv.load(EXAMPLES[0].model).trace(text, shortlist=False)))


def test_an_address_loads_no_unlisted_model_by_itself(served: Server, page: Page, folders: Path) -> None:
    model = str(folders / "marian")
    page.goto(f"{served.url}/?model={model}&text=Hello.")
    button = page.get_by_role("button", name=f"Load {model}")
    expect(button).to_be_visible(timeout=visitor.PATIENCE)
    expect(page.get_by_text("which is not on the list")).to_be_visible()
    expect(visitor.explorer(page)).to_have_count(0)
    button.click()
    visitor.expect_id(page, identity(xv.load(model).trace("Hello.")))


def test_weights_in_a_bin_file_wait_for_consent(served: Server, page: Page, folders: Path) -> None:
    visitor.open_app(page, served.url)
    visitor.translate(page, TEXT)
    visitor.expect_source(page, TEXT)
    name_model(page, str(folders / "pickled"))
    expect(page.get_by_role("alert")).to_contain_text("no code in them is run", timeout=visitor.PATIENCE)
    assert "allow_pickle" not in page.inner_text("body")
    page.get_by_role("button", name="Load it anyway").click()
    visitor.expect_id(page, identity(xv.load(folders / "pickled", allow_pickle=True).trace(TEXT)))
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no-body/has-this", "no-body/has-this could not be fetched"),
        ("/etc", "There is no model or folder named"),
        ("nonsense", "There is no model or folder named"),
        ("<b>*x*</b>/y", "There is no model or folder named"),
    ],
)
def test_a_model_that_cannot_be_had_is_one_sentence_and_the_rest_works(
    served: Server, page: Page, name: str, sentence: str
) -> None:
    visitor.open_app(page, served.url)
    before = visitor.shown_id(page)
    name_model(page, name)
    alert = page.get_by_role("alert")
    expect(alert).to_have_count(1, timeout=2 * visitor.PATIENCE)
    expect(alert).to_contain_text(sentence)
    assert "Traceback" not in page.inner_text("body")
    assert visitor.shown_id(page) == before
    choose(page, "Portuguese → English")
    visitor.expect_source(page, next(e.text for e in EXAMPLES if e.model == "firefox-pt-en"))
    expect(alert).to_have_count(0)


def test_the_list_says_licence_and_download(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    model_box(page).click()
    options = page.get_by_role("option").all_inner_texts()
    assert options[:2] == ["English → Portuguese", "Portuguese → English"]
    assert "English → French (OPUS-MT) · Apache-2.0 · downloads 303 MB" in options
    assert any("not for commercial use · downloads 2.5 GB" in option for option in options)


def test_a_long_text_read_whole_stays_responsive(served: Server, page: Page, folders: Path) -> None:
    model = folders / "t5"
    tokens = len(xv.load(model).trace(LONG).cross.keys)
    assert tokens > 500
    visitor.open_app(page, served.url)
    name_model(page, str(model))
    page.get_by_text("Whole text", exact=True).click()
    visitor.translate(page, LONG)
    visitor.expect_source_of_any(page, LONG)
    assert visitor.source(page).get_by_role("option").count() == tokens
    page.get_by_role("radio", name="Layer 1, head 3").click(timeout=5_000)
    expect(visitor.explorer(page)).to_have_attribute("data-head", "1.3", timeout=2_000)
