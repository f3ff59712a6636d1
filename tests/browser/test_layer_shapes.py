"""The layer's page: shapes, self or cross, additive attention, two sources. What is shown is held against torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from tests.browser.translate import PATIENCE, expect_rest, said, serious
from xattn_viz.attention.layer import CrossAttention
from xattn_viz.lessons import dot_or_additive, two_sources
from xattn_viz.models import registry

# Numbers are sent as float64 and are drawn from float32 at most.
TOLERANCE = 1e-6


def open_section(page: Page, url: str, section: str, **chosen: str) -> None:
    page.goto(f"{url}/layer?{urlencode({'section': section, **chosen})}")
    expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=PATIENCE)
    expect_rest(page)


_READ = """plot => plot._fullLayout && ({
    notes: (plot._fullLayout.annotations ?? []).map(note => note.text),
    frames: plot._fullLayout.shapes.filter(shape => shape.type === "rect").map(({y0, y1}) => [y0, y1]),
    z: plot._fullData[0].z ? Array.from(plot._fullData[0].z, row => Array.from(row)) : null,
    curves: plot._fullData.map(({x, y}) => [Array.from(x ?? []), Array.from(y ?? [])]),
})"""


def figure(page: Page, key: str) -> Any:
    """A figure's notes, frames and first matrix or curves, as Plotly itself holds them.

    While a figure is replaced, the one before lies hidden beside it and the new one may be empty.
    """
    for _ in range(50):
        if found := page.locator(f".st-key-{key} .js-plotly-plot:visible").first.evaluate(_READ):
            return found
        page.wait_for_timeout(100)
    raise AssertionError(f"The figure {key} stays empty.")


def cells(page: Page, key: str) -> NDArray[np.float64]:
    return np.array(figure(page, key)["z"], np.float64)


def fits(page: Page) -> None:
    """Nothing scrolls sideways, and whoever cannot see the page can use it."""
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
    assert serious(page) == []


def slide(page: Page, key: str) -> None:
    """One step to the right, by keyboard."""
    page.locator(f".st-key-{key}").get_by_role("slider").press("ArrowRight")


def wait_for(page: Page, read: Callable[[], Any], wanted: Any) -> Any:
    """What is read once it is what is wanted, or after five seconds."""
    for _ in range(50):
        if read() == wanted:
            break
        page.wait_for_timeout(100)
    return read()


def close(page: Page, key: str, expected: NDArray[Any], tolerance: float = TOLERANCE) -> None:
    """Wait until a drawn matrix has these numbers: a figure is drawn a moment after the words above it."""
    for _ in range(50):
        shown = cells(page, key)
        if shown.shape == expected.shape and np.allclose(shown, expected, rtol=0, atol=tolerance):
            return
        page.wait_for_timeout(100)
    np.testing.assert_allclose(shown, expected, atol=tolerance)


def shown_shapes(page: Page) -> dict[str, list[int]]:
    plain = [re.sub(r"<[^>]+>|[\u2068\u2069]", "", note.split("<br>")[0]) for note in figure(page, "shapes")["notes"]]
    found = [re.fullmatch(r"(.+?)  ([\d × ]+)", note) for note in plain]
    return {match[1]: [int(size) for size in match[2].split(" × ")] for match in found if match}


def test_every_shown_shape_is_torchs_own_and_the_output_is_as_long_as_the_queries(page: Page, app_url: str) -> None:
    open_section(page, app_url, "shapes", shapes_queries="3", shapes_keys="11", shapes_width="24", shapes_heads="3")
    for heads, queries, keys in ((3, 3, 11), (3, 4, 11), (4, 4, 11)):
        layer = CrossAttention(24, heads, d_context=32)
        x, context = torch.zeros(1, queries, 24), torch.zeros(1, keys, 32)
        q, (k, v), result = (
            layer.project_queries(x),
            layer.project_context(context),
            layer(x, context, return_scores=True),
        )
        expected = {"x": x, "context": context, "q": q, "k": k, "v": v, "scores": result.scores}
        expected |= {"weights": result.weights, "output": result.output}
        expect(page.get_by_text(f"The output is {queries} × 24: {queries} queries")).to_be_visible()
        expect(page.get_by_text(re.compile(rf"{heads} × {24 // heads} = 24\."))).to_be_visible()
        wanted = {name: list(tensor.shape[1:]) for name, tensor in expected.items()}
        assert wait_for(page, lambda: {name: shown_shapes(page)[name] for name in wanted}, wanted) == wanted  # noqa: B023
        slide(page, "shapes_queries" if queries == 3 else "shapes_heads")
    expect(page.get_by_text("d_model 24 cannot be split into 5 heads of equal width.")).to_be_visible()
    assert said(page)["shapes_heads"] == "5"
    slide(page, "shapes_heads")
    expect(page.get_by_text("6 × 4 = 24.")).to_be_visible()
    fits(page)


def test_the_lit_rows_and_the_words_about_them_are_the_models_own(page: Page, app_url: str) -> None:
    model = registry.load("firefox-en-pt")
    open_section(page, app_url, "self_vs_cross")
    trace = model.trace("He sat on the bank of the river.", kinds=("cross", "encoder"))
    own, cross = trace.encoder.weights[1].mean(0), trace.cross.to_words().weights[1].mean(0)
    close(page, "self_vs_cross-own", own)
    close(page, "self_vs_cross-cross", cross)
    reader = int(cross[:-1, 4].argmax())
    frames = {"self_vs_cross-own": [[3.5, 4.5]], "self_vs_cross-cross": [[reader - 0.5, reader + 0.5]]}
    assert wait_for(page, lambda: {key: figure(page, key)["frames"] for key in frames}, frames) == frames
    expect(page.get_by_text(f"“margem”: its weights are “bank” {cross[reader, 4]:.2f}")).to_be_visible()
    expect(page.get_by_text(f"“river” {own[4, 7]:.2f}")).to_be_visible()
    fits(page)

    field = page.get_by_role("combobox", name="Sentence", exact=False)
    field.fill("The *bat* flew out of the cave.")
    field.press("Enter")
    page.get_by_role("radio", name="bat", exact=True).click()
    typed = model.trace("The *bat* flew out of the cave.", kinds=("cross", "encoder"))
    expect(page.get_by_text(f"In “{typed.output}” the word that attends to “bat” most is")).to_be_visible(
        timeout=PATIENCE
    )
    slide(page, "self_vs_cross_layer")
    expect(page.get_by_text("(layer 3, mean over heads)")).to_be_visible()
    words = typed.encoder.to_words()
    close(page, "self_vs_cross-own", words.weights[2].mean(0))
    off = model.trace(typed.input, ablate=[("encoder", 2, head) for head in range(8)]).output
    wanted = "the translation stays the same" if off == typed.output else f"the translation becomes “{off}”"
    expect(page.get_by_text(f"with self-attention of layer 3 switched off, {wanted}.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("(layer 3, mean over heads)")).to_be_visible(timeout=PATIENCE)
    assert page.get_by_role("radio", name="bat", exact=True).is_checked()


@pytest.mark.parametrize(("text", "words"), [(" ", "The text is empty"), ("word " * 30, "at most 24 words and marks")])
def test_a_sentence_that_cannot_be_shown_gets_one_of_its_own(page: Page, app_url: str, text: str, words: str) -> None:
    page.goto(f"{app_url}/layer?{urlencode({'section': 'self_vs_cross', 'self_vs_cross_text': text})}")
    expect(page.get_by_test_id("stAlert")).to_contain_text(words, timeout=PATIENCE)


def test_both_kinds_of_attention_show_what_they_learned_and_what_they_need(page: Page, app_url: str) -> None:
    open_section(page, app_url, "additive", additive_d_k="4")
    for d_k in (4, 8):
        for key, kind in (("dot-product", "dot product"), ("additive", "additive")):
            found = dot_or_additive.learned(kind, d_k)
            expect(page.get_by_text(f"{kind} {found.on_path:.2f}").first).to_be_visible()
            # Training is not the same to the last bit in every process: sums are taken in another order.
            close(page, f"additive-{key}", found.weights, 1e-3)
        slide(page, "additive_d_k")
    needs = [dot_or_additive.needs(kind, 8, 6, 6) for kind in dot_or_additive.KINDS]
    row = page.get_by_role("row").filter(has_text="tanh")
    expect(row).to_contain_text(f"0 / {needs[1].tanhs:,}")
    fits(page)


def test_one_softmax_is_shared_and_two_are_not(page: Page, app_url: str) -> None:
    open_section(page, app_url, "two_sources", two_sources_words="3")
    for patches in (6, 7):
        setting = two_sources.Setting(patches, 3)
        layer, (x, image, text) = two_sources.layer(), two_sources.vectors(setting)
        together = layer(x, torch.cat([image, text], 1)).weights[0, 0].detach().numpy()
        share = together[:, :patches].sum(-1).mean()
        expect(
            page.get_by_text(f"{patches} patches get {share:.2f} of the weight and 3 words {1 - share:.2f}")
        ).to_be_visible()
        close(page, "two_sources-together", together)
        apart = cells(page, "two_sources-apart")
        np.testing.assert_allclose(apart[:, :patches].sum(-1), 1, atol=TOLERANCE)
        np.testing.assert_allclose(apart[:, patches:].sum(-1), 1, atol=TOLERANCE)
        slide(page, "two_sources_patches")
    page.get_by_role("radio", name="Louder patches").click()

    def where_both_are_alike() -> float:
        xs, ys = figure(page, "two_sources-curves")["curves"][0]
        return float(ys[xs.index(1.0)])

    wanted = pytest.approx(two_sources.shared(two_sources.Setting(8, 3)).share[0], abs=TOLERANCE)
    assert wait_for(page, where_both_are_alike, wanted) == wanted
    fits(page)
