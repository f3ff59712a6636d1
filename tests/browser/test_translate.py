"""The page as a visitor meets it: the first map, a typed sentence, a long text, the address."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser import translate as visitor
from tests.browser.conftest import Watch
from tests.server import Server
from xattn_viz.app import controls
from xattn_viz.examples import EXAMPLES

TWENTY_WORDS = "The old fisherman who lived near the harbour told the children a long story about a whale and a storm."
THREE = ("My sister bought three red apples.", "We will leave tomorrow.", "Nobody knows where the keys are.")


@cache
def translated(model: str, text: str) -> str:
    """What the model says without the page."""
    return str(xv.load(model).trace(text).output)


def is_torch_loaded(server: Server) -> bool | None:
    """None where the system does not list what a process has loaded; Linux does."""
    maps = Path(f"/proc/{server.process.pid}/maps")
    return "libtorch" in maps.read_text() if maps.exists() else None


def test_the_first_map_needs_neither_a_click_nor_torch(fresh_app: Callable[[], Server], page: Page) -> None:
    server = fresh_app()
    visitor.open_app(page, server.url)
    visitor.expect_source(page, EXAMPLES[0].text)
    assert (
        page.evaluate(
            """() => {
          const map = document.querySelector('.xv') ?? [...document.querySelectorAll('*')]
            .map((e) => e.shadowRoot?.querySelector('.xv')).find(Boolean);
          const canvas = map.querySelector('.xv-stage canvas');
          const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
          return new Set(new Uint32Array(data.buffer)).size;
        }"""
        )
        > 8
    ), "The map shows many colours."
    assert not is_torch_loaded(server)
    page.goto("about:blank")
    assert_opened(page, server.url)  # warm too


def assert_opened(page: Page, address: str) -> None:
    """Open an address: the page that it names is shown, in a sentence's own tab, and no tour lies over it."""
    page.goto(address)
    visitor.expect_source(page, "Hello." if "text" in address else EXAMPLES[0].text)
    assert page.get_by_role("dialog").count() == 0
    expect(page).to_have_title(f"{'Hello.' if 'text' in address else 'The cat sat …'} — Translate · xattn_viz")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everything_is_on_one_screen(app_url: str, open_page: Callable[..., Page], scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    visitor.open_app(page, app_url)
    for text in (EXAMPLES[0].text, TWENTY_WORDS):
        visitor.translate(page, text)
        visitor.expect_source(page, text)
        expect(page.locator(".st-key-progress")).to_have_count(0)
        page.wait_for_timeout(300)  # the layout settles after the last message
        for what in (".xv-columns .xv-sentence", ".xv-rows .xv-sentence", ".xv-tiles", ".xv-stage canvas >> nth=0"):
            place = visitor.box(page.locator(what).first)
            assert place["y"] >= 0, what
            assert place["y"] + place["height"] <= 720, what
            assert place["x"] + place["width"] <= 1280, what
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0


def test_a_typed_sentence_is_translated_by_key_or_button_and_pasted_lines_are_one(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    for press in ("Enter", "button"):
        text = f"Seven green parrots sang near the {press} yesterday."
        visitor.field(page).fill(text)
        if press == "Enter":
            visitor.field(page).press("Enter")
        else:
            page.get_by_role("button", name="Translate").click()
        visitor.expect_source(page, text)
        assert visitor.sentence(visitor.output(page)) == translated("firefox-en-pt", text)
        visitor.expect_rest(page)
    visitor.field(page).fill("")
    page.keyboard.insert_text("Good\nmorning.")
    visitor.field(page).press("Enter")
    visitor.expect_source(page, "Good morning.")


def test_a_long_text_is_paged_and_the_address_says_where(
    app_url: str, page: Page, open_page: Callable[..., Page]
) -> None:
    visitor.open_app(page, app_url)
    visitor.translate(page, " ".join(THREE))
    visitor.expect_source(page, THREE[0])
    expect(page.get_by_text("Sentence 1 of 3", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()
    for text in THREE[1:]:
        page.get_by_role("button", name="Next ▶").click()
        visitor.expect_source(page, text)
        assert visitor.sentence(visitor.output(page)) == translated("firefox-en-pt", text)
    expect(page.get_by_role("button", name="Next ▶")).to_be_disabled()
    page.get_by_role("button", name="Previous").click()
    visitor.expect_source(page, THREE[1])

    another = open_page()
    another.goto(page.url)
    visitor.expect_source(another, THREE[1])
    expect(another.get_by_text("Sentence 2 of 3", exact=True)).to_be_visible()


def test_whole_text_is_one_trace_and_says_what_it_risks(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    visitor.translate(page, " ".join(THREE[:2]))
    visitor.expect_source(page, THREE[0])
    visitor.tick(page, "Whole text")
    visitor.expect_source(page, " ".join(THREE[:2]))
    expect(page.get_by_text("it may skip, repeat or merge some")).to_be_visible()
    assert page.get_by_role("button", name="Next ▶").count() == 0


def test_back_and_forth_in_the_history_shows_what_the_address_says(app_url: str, page: Page) -> None:
    visitor.open_app(page, app_url)
    for text in ("The river is cold.", "The bridge is old."):
        visitor.translate(page, text)
        visitor.expect_source(page, text)
    page.go_back()
    visitor.expect_source(page, "The river is cold.")
    expect(visitor.field(page)).to_have_value("The river is cold.")
    page.go_forward()
    visitor.expect_source(page, "The bridge is old.")


def test_what_is_told_in_one_message_with_a_choice_of_the_explorer_is_heard(app_url: str, page: Page) -> None:
    """A busy browser sends late: a step back, or a press of a button, then goes with what the explorer tells."""
    page.add_init_script(
        "const set = setTimeout; window.setTimeout = (call, ms, ...all) => set(call, ms || 500, ...all);"
    )
    visitor.open_app(page, app_url, text=" ".join(THREE[:2]))
    visitor.expect_source(page, THREE[0])
    visitor.expect_rest(page)

    def choose(head: str) -> None:
        page.locator(f'.xv-tiles [data-view="{head}"]').click()
        visitor.expect_said(page, head=head)

    choose("1.2")
    page.get_by_role("button", name="Next ▶").click()
    visitor.expect_source(page, THREE[1])
    visitor.expect_rest(page)
    choose("1.3")
    page.evaluate("history.go(-3)")
    visitor.expect_source(page, THREE[0])


def test_a_step_back_from_what_has_not_arrived_is_told_when_it_arrives(page: Page) -> None:
    page.route("http://localhost/**", lambda route: route.fulfill(body="<p>Empty</p>", content_type="text/html"))
    page.goto("http://localhost/?text=a")
    page.evaluate(
        """async (script) => {
          const module = new Blob([script], { type: "text/javascript" });
          const { default: follow } = await import(URL.createObjectURL(module));
          let done = null;
          window.addEventListener("popstate", () => setTimeout(() => done([...told]), 0));
          window.told = [];
          window.arrive = (state) => {
            const setTriggerValue = (...all) => told.push(all.join(" "));
            follow({ data: { state, said: null, looks: ["head"] }, setTriggerValue });
          };
          window.back = () => new Promise((resolve) => {
            done = resolve;
            history.back();
          });
          arrive("a");
        }""",
        controls._ADDRESS_SCRIPT,
    )
    push = "address => history.pushState(null, '', address)"
    page.evaluate(push, "?text=a&head=1.2")
    assert page.evaluate("back()") == []  # the explorer's own
    assert page.evaluate("arrive('a'); told") == []
    page.evaluate(push, "?text=b")
    assert page.evaluate("back()") == []  # nobody knows yet that there was a step
    assert page.evaluate("arrive('b'); told") == ["moved ?text=a"]
    page.evaluate("arrive('a')")
    page.evaluate(push, "?text=c")
    page.evaluate("arrive('c')")
    assert page.evaluate("back()") == ["moved ?text=a"] * 2
    assert page.evaluate("arrive('a'); told") == ["moved ?text=a"] * 2


def test_the_address_opens_the_same_thing(app_url: str, page: Page, open_page: Callable[..., Page]) -> None:
    visitor.open_app(page, app_url, model="firefox-pt-en")
    visitor.translate(page, "A chuva parou & o sol abriu? Não 100%.")
    visitor.expect_source(page, "A chuva parou & o sol abriu?")
    page.get_by_role("radio", name="Layer 1, head 3").click()
    expect(visitor.explorer(page)).to_have_attribute("data-head", "1.3")
    page.wait_for_url(lambda address: parse_qs(urlsplit(address).query).get("head") == ["1.3"])
    another = open_page()
    another.goto(page.url)
    visitor.expect_source(another, "A chuva parou & o sol abriu?")
    expect(visitor.explorer(another)).to_have_attribute("data-head", "1.3")
    assert visitor.sentence(visitor.output(another)) == visitor.sentence(visitor.output(page))


def test_deep_links_open_on_a_fresh_server(fresh_app: Callable[[], Server], page: Page, watch: Watch) -> None:
    watch.allow("404")  # Streamlit's script looks for the server below the path first
    server = fresh_app()
    for path in ("/translate", "/translate?text=Hello."):
        for _ in ("cold", "warm"):
            assert_opened(page, server.url + path)
        assert is_torch_loaded(server) in ("text" in path, None)  # so the first map's test would have seen it
