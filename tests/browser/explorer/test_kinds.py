"""Cross-attention, encoder and decoder self-attention in one explorer, each with its own axes."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.explorer.conftest import PRINTED, Explorer, assert_painted, views, weights_of, written
from tests.browser.explorer.harness import show
from tests.browser.explorer.planted import planted
from tests.web.explorer.packed import texts
from xattn_viz import export
from xattn_viz.analysis.alignment_files import LinkedPair
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import visible
from xattn_viz.core.view import View
from xattn_viz.foreign.other_tools import from_links
from xattn_viz.web.explorer import pack

KINDS = {"Cross": "cross", "Encoder": "encoder", "Decoder": "decoder"}


@pytest.fixture
def kinds(harness: Page) -> Explorer:
    """An explorer of all three kinds."""
    trace = texts()
    show(harness, pack(trace))
    return Explorer(harness, trace, "harness")


def labels(maps: AttentionMaps) -> tuple[list[str], list[str]]:
    queries, keys = ([visible(axis.name(i)) for i in range(len(axis))] for axis in (maps.queries, maps.keys))
    return queries, keys


@pytest.mark.parametrize("face", KINDS)
def test_each_kind_shows_its_own_maps_and_texts(kinds: Explorer, face: str) -> None:
    maps = kinds.trace.of_kind(KINDS[face])  # type: ignore[arg-type]
    kinds.press(face)
    shown = kinds.page.locator(".xv-tiles button").evaluate_all("all => all.map(tile => tile.dataset.view)")
    assert shown == views(maps)
    for view in ("1.2", "2.mean", "max"):
        kinds.choose(view)
        rows, columns, table = kinds.table()
        assert (rows, columns) == labels(maps)
        np.testing.assert_allclose(table, weights_of(maps, view), atol=PRINTED)
        weights = weights_of(maps, view)
        assert_painted(kinds.pixels(), weights, float(weights.max()))
    trace = kinds.trace
    source, output = ((trace.input, trace.output), (trace.input, trace.input), (trace.output, trace.output))[
        list(KINDS).index(face)
    ]
    expect(kinds.tokens("source")).to_have_text(written(maps.keys, source))
    expect(kinds.tokens("output")).to_have_text(written(maps.queries, output))
    title = {"Cross": "Cross-attention", "Encoder": "Encoder self-attention", "Decoder": "Decoder self-attention"}
    expect(kinds.page.locator('[aria-label="Chosen map"] h3')).to_have_text(f"{title[face]}, maximum over all heads")


def test_each_kind_is_read_out_in_its_own_words(kinds: Explorer) -> None:
    for face, kind in KINDS.items():
        maps = kinds.trace.of_kind(kind)  # type: ignore[arg-type]
        queries, keys = labels(maps)
        weights = weights_of(maps, "2.1")
        kinds.press(face)
        kinds.choose("2.1")
        for row in range(len(queries)):
            kinds.token("output", row).hover()
            expect(kinds.root).to_have_attribute("data-row", str(row))
            first, second = np.argsort(-weights[row])[:2]
            on = {"cross": "on", "encoder": "of", "decoder": "on its own earlier"}[kind]
            if kind == "decoder" and first == 0:
                on = "on"  # the start token was written by nobody
            start = f"Building the representation of {queries[row]}, this head read"
            start = start if kind == "encoder" else f"Predicting {queries[row]}, this head put"
            wanted = f"{start} {weights[row, first]:.2f} {on} {keys[first]}"
            if weights[row, second] >= 0.055:
                then = "of" if kind == "encoder" else "on"
                wanted += f", {weights[row, second]:.2f} {then} {keys[second]}"
            elif weights[row, second] >= 0.045:
                continue  # on the edge of being said
            said = kinds.said()
            assert _begins(said, wanted), (said, wanted)


def _begins(said: str, wanted: str) -> bool:
    """Whether a sentence begins as wanted, its numbers within their rounding."""
    number = re.compile(r"\d\.\d\d")
    numbers = zip(number.findall(said), number.findall(wanted), strict=False)
    off = [abs(float(a) - float(b)) for a, b in numbers]
    return number.sub("#", said).startswith(number.sub("#", wanted)) and max(off) < 2 * PRINTED


def test_other_ways_of_looking_are_not_called_attention(harness: Page, tmp_path: Path) -> None:
    trace = texts()
    cross = trace.cross
    shares = cross.weights.mean((0, 1), keepdims=True)
    whole = replace(cross, weights=shares, layers=(0,), kind="occlusion", contrast="x rather than y", projections=None)
    norms = replace(cross, kind="value-norms", projections=None)
    explorer = Explorer(harness, trace.with_maps(whole, norms), "harness")
    show(harness, pack(explorer.trace))
    explorer.press("Occlusion")
    assert explorer.data("kind") == "occlusion"
    title = harness.locator('[aria-label="Chosen map"] h3')
    expect(title).to_have_text("Occlusion (x rather than y), whole model")
    expect(harness.locator(".xv-tiles button")).to_have_count(1)
    expect(harness.locator(".xv-tiles .xv-layer")).to_have_text(["Whole model"])
    queries, keys = labels(whole)
    best = int(shares[0, 0, 1].argmax())
    explorer.token("output", 1).hover()
    expect(explorer.root).to_have_attribute("data-row", "1")
    put = f"occlusion (x rather than y) put {shares[0, 0, 1, best]:.2f} of its total on {keys[best]}"
    wanted = f"Predicting {queries[1]}, {put}"
    assert _begins(explorer.said(), wanted), explorer.said()
    assert_painted(explorer.pixels(), shares[0, 0], float(shares.max()))
    with harness.expect_download() as download:
        harness.get_by_role("button", name="SVG", exact=True).click()
    assert download.value.suggested_filename == f"{export.file_name(explorer.trace, View(kind='occlusion'))}.svg"
    download.value.save_as(tmp_path / "map.svg")
    said = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert "No attention weights" in said
    assert "Weights:" not in said
    explorer.press("Norms")
    explorer.choose("2.1")
    expect(title).to_have_text("Value-weighted norms, layer 2, head 1")
    explorer.token("output", 0).hover()
    expect(explorer.root).to_have_attribute("data-row", "0")
    assert explorer.said().startswith(f"Predicting {queries[0]}, value-weighted norms of this head put")


def test_what_is_no_attention_goes_by_its_title(harness: Page) -> None:
    pair = LinkedPair(("the", "black", "cat"), ("gato", "preto"), frozenset({(2, 0)}), frozenset({(1, 1)}))
    trace = from_links(pair)
    show(harness, pack(trace))
    one = Explorer(harness, trace, "harness")
    expect(harness.locator('[aria-label="Chosen map"] h3')).to_have_text("Links that somebody made")
    one.token("output", 1).hover()
    said = harness.locator(".xv").inner_text()
    assert "In the row of preto, links that somebody made put 0.50 on black." in " ".join(said.split())
    assert "the maximum of this map" in said
    assert not re.search(r"ttention|whole model|[Hh]ead\b.*\d|Surprises|looked", said)
    assert_painted(one.pixels(), trace.cross.weights[0, 0], 1.0)


def test_steps_and_probabilities_belong_to_what_was_decoded(harness: Page) -> None:
    show(harness, pack(planted()))
    expect(harness.get_by_role("group", name="Attention", exact=True)).to_be_hidden()
    expect(harness.locator(".xv-play")).to_be_visible()
    expect(harness.locator('[aria-label="Chosen map"] h3')).to_have_text("Layer 1, head 1")


def test_a_chosen_row_goes_along_where_the_kinds_share_it(kinds: Explorer) -> None:
    kinds.token("output", 3).click()
    kinds.press("Decoder")
    assert (kinds.data("kind"), kinds.data("row"), kinds.data("column")) == ("decoder", "3", "-1")
    kinds.press("Cross")
    kinds.token("source", 5).click()
    kinds.press("Encoder")  # what was the column of the source token is now the row that built it
    assert (kinds.data("kind"), kinds.data("row")) == ("encoder", "5")
    kinds.press("Cross")
    assert (kinds.data("row"), kinds.data("column")) == ("-1", "5")
    kinds.press("Encoder")
    kinds.press("Decoder")  # which share nothing
    assert (kinds.data("row"), kinds.data("column")) == ("0", "-1")


def test_a_pinned_map_of_another_kind_stands_beside_with_its_own_axes(kinds: Explorer) -> None:
    kinds.choose("2.1")
    kinds.press("Pin")
    kinds.press("Decoder")
    kinds.choose("1.2")
    cross, decoder, encoder = kinds.trace.cross, kinds.trace.decoder, kinds.trace.encoder
    for panel, weights in (
        ("Chosen map", weights_of(decoder, "1.2")),
        ("Pinned map", weights_of(cross, "2.1")),
    ):
        assert_painted(kinds.pixels(panel), weights, float(weights.max()))
    focused = '[aria-label="{}"] .xv-{}-labels .xv-focus'
    kinds.token("output", 2).hover()
    for panel in ("Chosen map", "Pinned map"):
        expect(kinds.page.locator(focused.format(panel, "row"))).to_have_text(labels(cross)[0][2])
    # Where the pointer is in the pinned map, that one is spoken of; its columns are none of the decoder's.
    kinds.to_cell(1, 4, "Pinned map")
    expect(kinds.page.locator(focused.format("Pinned map", "column"))).to_have_text(labels(cross)[1][4])
    expect(kinds.page.locator(focused.format("Chosen map", "row"))).to_have_text(labels(cross)[0][1])
    expect(kinds.page.locator(focused.format("Chosen map", "column"))).to_have_count(0)
    assert kinds.said().startswith(f"Predicting {labels(cross)[0][1]}, this head put ")
    assert kinds.said().endswith(f" on {labels(cross)[1][4]}.")
    kinds.press("Encoder")
    kinds.token("output", 8).hover()  # a row of the encoder is a column of the cross-attention
    expect(kinds.page.locator(focused.format("Chosen map", "row"))).to_have_text(labels(encoder)[0][8])
    expect(kinds.page.locator(focused.format("Pinned map", "column"))).to_have_text(labels(cross)[1][8])
    kinds.to_cell(1, 4, "Pinned map")
    kinds.page.mouse.down()
    kinds.page.mouse.up()
    kinds.page.mouse.move(1, 1)
    assert (kinds.data("kind"), kinds.data("row")) == ("encoder", "4")
    expect(kinds.page.locator(".xv-check")).to_be_hidden()


def test_the_arithmetic_is_that_of_the_kind(kinds: Explorer) -> None:
    for face, kind in KINDS.items():
        maps = kinds.trace.of_kind(kind)  # type: ignore[arg-type]
        kinds.press(face)
        kinds.choose("2.2")
        kinds.click_cell(4, 2)
        numbers: dict[str, str] = kinds.page.locator(".xv-check dl").evaluate("list => ({ ...list.dataset })")
        assert float(numbers["captured"]) == pytest.approx(float(maps.weights[1, 1, 4, 2]), abs=1e-7)
        assert float(numbers["off"]) < 1e-5
        kinds.page.mouse.move(1, 1)


def test_the_address_names_the_kind_and_nonsense_is_ignored(open_page: Callable[..., Page], tmp_path: Path) -> None:
    trace = texts()
    file = tmp_path / "page.html"
    file.write_text(export.html(trace), encoding="utf-8")
    page = open_page()
    page.goto(file.as_uri())
    explorer = Explorer(page, trace, "export")
    explorer.press("Decoder")
    explorer.choose("1.2")
    explorer.press("Pin")
    explorer.press("Encoder")
    explorer.choose("3.1")
    said = {"map": ["encoder"], "head": ["3.1"], "pinned": ["decoder.1.2"]}
    page.wait_for_url(lambda address: said.items() <= parse_qs(urlsplit(address).query).items(), timeout=5_000)
    other = open_page()
    other.goto(page.url)
    again = Explorer(other, trace, "export")
    expect(again.root).to_have_attribute("data-kind", "encoder")
    assert again.data("head") == "3.1"
    expect(other.locator('[aria-label="Pinned map"] h3')).to_have_text("Decoder self-attention, layer 1, head 2")
    for nonsense in ("map=<b>", "map=encoders&pinned=encoder.9.9", "pinned=cross.1.1&map=", "map=decoder.1"):
        other.goto(f"{file.as_uri()}?{nonsense}")
        expect(again.root).to_have_attribute("data-kind", "cross")
        expect(other.locator('[aria-label="Pinned map"]')).to_be_hidden()


def test_a_saved_picture_says_its_kind(kinds: Explorer, tmp_path: Path) -> None:
    kinds.press("Encoder")
    with kinds.page.expect_download() as download:
        kinds.press("SVG")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == f"{export.file_name(kinds.trace, View('encoder', 0, 0))}.svg"
    said = ["".join(node.itertext()) for node in ElementTree.parse(path).iter() if node.tag.endswith("text")]  # noqa: S314
    assert "Encoder self-attention, layer 1, head 1" in said
    assert any(
        text.startswith("Rows: source word being represented. Columns: source word being read. ") for text in said
    )


def test_layers_on_demand_are_those_of_the_kind(harness: Page) -> None:
    trace = texts()
    asked: list[dict[str, object]] = []

    def answer(wanted: dict[str, object]) -> str:
        asked.append(wanted)
        return base64.b64encode(pack(trace, full_limit=10, **wanted)).decode()  # type: ignore[arg-type]

    harness.expose_function("answer", answer)
    show(harness, pack(trace, full_limit=10))
    explorer = Explorer(harness, trace, "harness")
    for face, kind, view in (("Encoder", "encoder", "1.2"), ("Cross", "cross", "2.1"), ("Decoder", "decoder", "max")):
        explorer.press(face)
        explorer.choose(view)
        expect(harness.locator('[aria-label="Chosen map"] .xv-cells')).to_be_visible()
        weights = weights_of(trace.of_kind(kind), view)  # type: ignore[arg-type]
        assert_painted(explorer.pixels(), weights, float(weights.max()))
    assert {"kind": "encoder", "layer": 0} in asked
    assert {"kind": "decoder", "layer": 1} in asked
    explorer.press("Encoder")
    explorer.choose("1.1")  # which came along and was kept
    before = len(asked)
    expect(harness.locator('[aria-label="Chosen map"] .xv-cells')).to_be_visible()
    assert len(asked) == before
