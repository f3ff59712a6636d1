"""Other outputs of a sentence on the page: one's own, another beam, another token; beside the best; self-attention."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import xattn_viz as xv
from tests.browser import translate as visitor
from xattn_viz import examples
from xattn_viz.core.maps import MapKind
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.examples import EXAMPLES
from xattn_viz.examples.shelf import PHENOMENA, SHELF
from xattn_viz.web.explorer import identity

TEXT = EXAMPLES[0].text
MINE = "O cão dormiu no tapete."


def offline(**settings: Any) -> Trace:
    """What the first offline model makes of the text, without the page."""
    return xv.load(EXAMPLES[0].model).trace(TEXT, **settings)


def log_prob(trace: Trace, where: str = "") -> str:
    """How the page writes the log-probability of an output of the offline models, whose every token counts."""
    total = sum(step.log_prob for step in trace.steps)
    return f"{total:.2f} ({len(trace.steps)} tokens{where})".replace("-", "\u2212")


def open_popover(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def write_own(page: Page, text: str) -> None:
    """Type an output of one's own."""
    open_popover(page, "Output")
    area = page.get_by_role("textbox", name="An output of your own")
    area.fill(text)
    area.press("Control+Enter")


def step_to(page: Page, step: int) -> None:
    """Step through the decoding up to a step, from 1."""
    for written in range(step):
        page.get_by_role("button", name="Next", exact=True).click()
        expect(page.locator(".xv-choices")).to_have_attribute("data-step", str(written))


def test_an_output_of_ones_own_is_read_beside_the_best(
    app_url: str, page: Page, open_page: Callable[..., Page]
) -> None:
    best, mine = offline(), offline(target=MINE)
    visitor.open_app(page, app_url)
    write_own(page, MINE)
    visitor.expect_id(page, identity(mine))
    assert visitor.sentence(visitor.output(page)) == MINE
    remark = f"Log-probability {log_prob(mine)}; of the model\u2019s best {log_prob(best, ', over the shortlist')}."
    expect(page.get_by_text(remark, exact=True)).to_be_visible()
    expect(page.locator(".xv-others")).to_be_hidden()
    page.keyboard.press("Escape")
    page.get_by_text("Beside the model\u2019s best", exact=True).click()
    others = page.locator(".xv-others .xv-sentence")
    expect(others).to_be_visible()
    assert (visitor.sentence(visitor.output(page)), visitor.sentence(others)) == (MINE, best.output)
    assert page.locator(".xv-rows .xv-caption").inner_text() == "Chosen"
    assert page.locator(".xv-others .xv-caption").inner_text() == "The model\u2019s best"
    visitor.expect_said(page, target=MINE, beside="true")

    another = open_page()
    another.goto(page.url)
    visitor.expect_id(another, identity(mine))
    assert visitor.sentence(another.locator(".xv-others .xv-sentence")) == best.output
    expect(another.get_by_role("checkbox", name="Beside the model\u2019s best")).to_be_checked()


def test_another_token_goes_on_from_there_and_the_exported_page_only_names_it(
    app_url: str, page: Page, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    best = offline()
    step = 2
    chosen = next(other for other in best.steps[step - 1].alternatives if other.token != best.steps[step - 1].token)
    prefix = [*(one.id for one in best.steps[: step - 1]), chosen.id]
    visitor.open_app(page, app_url)
    step_to(page, step)
    button = page.locator(".xv-go-on").first
    assert button.get_attribute("data-id") == str(chosen.id)
    button.click()
    wanted = offline(prefix=prefix)
    assert identity(wanted) != identity(best)
    visitor.expect_id(page, identity(wanted))
    visitor.expect_said(page, prefix=".".join(map(str, prefix)))
    visitor.expect_rest(page)
    # One stays at the step, which wrote the token that was chosen; what comes behind it is still to come.
    said = page.locator(".xv-choices")
    expect(said).to_have_attribute("data-step", str(step - 1))
    expect(page.locator(".xv-written .xv-token")).to_have_text(visible(chosen.token))
    assert [one.id for one in wanted.steps[:step]] == prefix
    assert page.locator(".xv").get_attribute("data-row") == str(step - 1)
    page.get_by_role("button", name="Next", exact=True).click()
    expect(said).to_have_attribute("data-step", str(step))
    expect(page.locator(".xv-go-on").first).to_be_visible()

    file = visitor.download(page, page.get_by_role("button", name="HTML", exact=True), tmp_path)
    alone = open_page(offline=True)
    alone.goto(file.as_uri())
    step_to(alone, step + 1)
    alone_said = alone.locator(".xv-choices")
    assert alone_said.inner_text() == said.inner_text()
    assert alone_said.locator("button").count() == 0


def test_an_example_from_the_shelf_says_what_is_wrong_and_is_mended_with_a_click(app_url: str, page: Page) -> None:
    example = next(one for one in SHELF if one.slug == "bat-ball")
    assert example.mended
    visitor.open_app(page, app_url)
    open_popover(page, "Examples")
    headings = page.locator(".st-key-shelf-items strong")
    expect(headings.first).to_be_visible()
    assert headings.all_text_contents() == list(PHENOMENA)
    assert visitor.serious(page) == []
    page.get_by_role("button", name=example.text, exact=True).click()
    trace = xv.load(example.model).trace(example.text)
    visitor.expect_id(page, identity(trace))
    expect(headings).to_have_count(0)  # it closed
    expect(page.get_by_text(example.said)).to_be_visible()
    assert page.locator(".xv").get_attribute("data-row") == str(example.row)
    token, output = example.mended
    page.locator(".xv-go-on").filter(has_text=re.compile(f"^{token}0")).click()
    expect(visitor.output(page)).to_contain_text(output.split()[-1][:3], timeout=visitor.PATIENCE)
    assert visitor.sentence(visitor.output(page)) == output


def test_each_beam_of_a_search_can_be_looked_at(
    app_url: str, page: Page, open_page: Callable[..., Page], folders: Path
) -> None:
    model = xv.load(folders / "marian")
    best, second = (model.trace(TEXT, num_beams=4, hypothesis=number) for number in (0, 1))
    assert best.output != second.output
    visitor.open_app(page, app_url)
    visitor.name_model(page, str(folders / "marian"))
    visitor.expect_trace(page, model.trace(TEXT))
    visitor.choose_option(page, "Beams", "4")
    visitor.expect_id(page, identity(best))
    expect(page.get_by_text("the best of 4 beams")).to_be_visible()
    open_popover(page, "Output")
    page.get_by_role("combobox", name="Shown").click()
    choices = page.get_by_role("option").filter(has_text="Beam ")
    expect(choices).to_have_count(3)
    choices.first.click()
    visitor.expect_id(page, identity(second))
    visitor.expect_said(page, **{"option.num_beams": "4", "hypothesis": "1"})
    another = open_page()
    another.goto(page.url)
    visitor.expect_id(another, identity(second))
    # In the tree each output of the search is a button.
    page.keyboard.press("Escape")
    ends = page.locator(".xv-beam")
    expect(ends).to_have_count(4)
    expect(page.locator(".xv-shown-beam")).to_have_text(re.compile("^2: "))
    page.locator('.xv-beam[data-output="2"]').click()
    visitor.expect_id(page, identity(model.trace(TEXT, num_beams=4, hypothesis=2)))
    visitor.expect_said(page, **{"option.num_beams": "4", "hypothesis": "2"})


def test_self_attention_stands_beside_cross_attention(app_url: str, page: Page, folders: Path, tmp_path: Path) -> None:
    kinds: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
    wanted = xv.load(folders / "marian").trace(TEXT, kinds=kinds)
    visitor.open_app(page, app_url)
    visitor.name_model(page, str(folders / "marian"))
    visitor.expect_trace(page, wanted)
    open_popover(page, "Options")
    page.get_by_text("Self-attention too").click()
    for kind in kinds:
        switch = page.get_by_role("button", name=kind.title(), exact=True)
        switch.or_(page.get_by_role("radio", name=kind.title(), exact=True)).first.click()
        maps = wanted.of_kind(kind)
        tiles = page.locator(".xv-tiles [data-view]").evaluate_all("all => all.map(tile => tile.dataset.view)")
        heads = [f"{layer + 1}.{head + 1}" for layer in maps.layers for head in range(maps.n_heads)]
        assert [view for view in tiles if view in heads] == heads
        assert f"{len(maps.layers) + 1}.1" not in tiles
    shown = xv.load_trace(visitor.download(page, page.get_by_role("button", name="NPZ", exact=True), tmp_path))
    assert [maps.kind for maps in shown.maps] == list(kinds)
    for kind in kinds:
        ours, theirs = shown.of_kind(kind), wanted.of_kind(kind)
        # Torch may add in another order where the machine is busy: float32 of sums of 32 numbers.
        np.testing.assert_allclose(ours.weights, theirs.weights, atol=1e-5)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"prefix": "x.99999999"}, ""),
        ({"prefix": "9999999"}, "got 9999999"),
        ({"hypothesis": "99"}, "hypothesis"),
        ({"target": "palavra " * 800}, None),
    ],
    ids=["no numbers", "no token", "no beam", "huge target"],
)
def test_an_address_that_asks_for_nonsense_is_a_sentence_at_most(
    app_url: str, page: Page, said: dict[str, str], sentence: str | None
) -> None:
    visitor.open_app(page, app_url, **said)
    expect(page.get_by_role("button", name="HTML", exact=True)).to_be_visible()
    if sentence is not None:
        # What stands there ships with the package: another processor than the one that traced it adds in other bits.
        shipped = examples.load(EXAMPLES[0].slug)
        assert shipped
        visitor.expect_id(page, identity(shipped))
        expect(page.get_by_role("alert")).to_have_count(1 if sentence else 0)
        if sentence:
            expect(page.get_by_role("alert")).to_contain_text(sentence)
    assert "Traceback" not in page.inner_text("body")
