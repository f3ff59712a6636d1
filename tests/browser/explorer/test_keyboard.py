"""Everything with the keyboard alone, and a focus that can be seen."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.explorer.conftest import Explorer, views

# The app shows the explorer in a shadow tree, which has an active element of its own.
ACTIVE = "(document.activeElement?.shadowRoot ?? document).activeElement"


def tab_to(explorer: Explorer, selector: str, most: int = 60) -> None:
    """Press Tab until an element that the selector names has the focus, and see that the focus shows."""
    for _ in range(most):
        explorer.page.keyboard.press("Tab")
        if explorer.page.evaluate(f"selector => {ACTIVE}?.matches?.(selector) ?? false", selector):
            style, width = explorer.page.evaluate(
                f"""() => {{
                  const style = getComputedStyle({ACTIVE});
                  return [style.outlineStyle, parseFloat(style.outlineWidth)];
                }}"""
            )
            assert style != "none"
            assert width >= 1
            return
    raise AssertionError(f"No {selector} within {most} presses of Tab.")


def test_every_part_is_reached_with_tab(explorer: Explorer) -> None:
    for selector in (
        ".xv-columns .xv-text",
        ".xv-rows .xv-text",
        ".xv-play",
        '[data-value="words"]',
        '[data-value="input"]',
        ".xv-check-label input",
        '[data-value="common"]',
        ".xv-controls select",
        ".xv-line-controls input[type=checkbox]",
        ".xv-line-controls input[type=range]",
        '.xv-controls > .xv-button:not([data-help^="Save"])',
        '[data-help="Save the chosen map as PNG"]',
        ".xv-tiles button",
        '[aria-label="Chosen map"] .xv-stage',
        ".xv-details summary",
    ):
        tab_to(explorer, selector)


def test_arrows_choose_a_head(explorer: Explorer) -> None:
    names = views(explorer.maps)
    explorer.choose("1.1")
    for key, wanted in (
        ("ArrowRight", names[1]),
        ("ArrowRight", names[2]),
        ("ArrowLeft", names[1]),
        ("End", "max"),
        ("ArrowRight", "max"),
        ("ArrowLeft", "mean"),
        ("Home", "1.1"),
        ("ArrowLeft", "1.1"),
    ):
        explorer.page.keyboard.press(key)
        expect(explorer.root).to_have_attribute("data-head", wanted)
        assert explorer.page.evaluate(f"{ACTIVE}.dataset.view") == wanted
    down = set()
    for _ in range(6):
        explorer.page.keyboard.press("ArrowDown")
        down.add(explorer.data("head").split(".")[0])
    assert "2" in down
    assert explorer.data("head") in ("mean", "max")
    for _ in range(6):
        explorer.page.keyboard.press("ArrowUp")
    assert explorer.data("head") == "1.1"
    assert explorer.page.locator('.xv-tiles [aria-checked="true"]').count() == 1


def test_arrows_move_over_the_map_and_enter_shows_the_arithmetic(explorer: Explorer) -> None:
    explorer.choose("2.3")
    tab_to(explorer, '[aria-label="Chosen map"] .xv-stage')
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp"):
        explorer.page.keyboard.press(key)
    assert (explorer.data("row"), explorer.data("column")) == ("1", "2")
    explorer.page.keyboard.press("Enter")
    check = explorer.page.locator(".xv-check")
    expect(check).to_be_visible()
    explorer.page.keyboard.press("Escape")
    expect(check).to_be_hidden()
    for _ in range(len(explorer.maps.keys) + 3):
        explorer.page.keyboard.press("ArrowRight")
    assert explorer.data("column") == str(len(explorer.maps.keys) - 1)


def test_arrows_walk_along_the_sentences(explorer: Explorer) -> None:
    explorer.choose("2.3")
    tab_to(explorer, ".xv-columns .xv-text", 80)
    explorer.page.keyboard.press("ArrowRight")
    expect(explorer.root).to_have_attribute("data-column", "1")
    assert explorer.tints("output").any()
    explorer.page.keyboard.press("Tab")
    explorer.page.keyboard.press("ArrowRight")
    explorer.page.keyboard.press("ArrowRight")
    expect(explorer.root).to_have_attribute("data-row", "2")
    explorer.page.keyboard.press("Enter")
    explorer.page.keyboard.press("Tab")
    expect(explorer.root).to_have_attribute("data-row", "2")
    assert explorer.said().startswith("Predicting ")


def test_stepping_and_switches_work_from_the_keyboard(explorer: Explorer) -> None:
    tab_to(explorer, '[aria-label="Next"]', 80)
    explorer.page.keyboard.press("Enter")
    expect(explorer.page.locator(".xv-choices")).to_have_attribute("data-step", "0")
    tab_to(explorer, '[data-value="words"]')
    explorer.page.keyboard.press("Space")
    expect(explorer.page.locator('[data-value="words"]')).to_have_attribute("aria-pressed", "true")
    tab_to(explorer, ".xv-controls select")
    explorer.page.keyboard.press("ArrowDown")
    expect(explorer.page.get_by_label("Colour map")).to_have_value("viridis")
    tab_to(explorer, '.xv-controls > .xv-button:not([data-help^="Save"])')
    explorer.page.keyboard.press("Enter")
    expect(explorer.page.locator('[aria-label="Pinned map"]')).to_be_visible()


def test_the_focus_stays_when_the_overview_is_laid_out_anew(explorer: Explorer) -> None:
    explorer.choose("2.2")
    explorer.page.set_viewport_size({"width": 1000, "height": 640})
    explorer.page.wait_for_function(f"{ACTIVE}?.dataset.view === '2.2'")
    explorer.page.keyboard.press("ArrowRight")
    expect(explorer.root).to_have_attribute("data-head", "2.3")
