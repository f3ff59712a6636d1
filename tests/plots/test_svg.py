from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.speech import FRAME, START, encoder_maps, speech_maps
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.plots import colours
from xattn_viz.plots.svg import round_seconds, svg, thinned

NS = {"s": "http://www.w3.org/2000/svg"}
NASTY = ("<script>alert(1)</script>", "&", "\x00", "\ufffe", "\ud800", "\u202egato", "猫", "]]>", "שלום", "")


def maps_of(queries: int = 10, keys: int = 10) -> AttentionMaps:
    weights = np.random.default_rng(1).dirichlet(np.ones(keys) * 0.2, (1, 2, queries)).astype(np.float32)
    rows, columns = (Axis("text", labels=tuple(NASTY[i % 10] for i in range(n))) for n in (queries, keys))
    return AttentionMaps(weights, rows, columns, "cross", (4,))


def parsed(picture: str) -> ET.Element:
    """The picture as a reader of the file sees it: UTF-8 must hold it, and an XML parser take it."""
    return ET.fromstring(picture.encode())  # noqa: S314 - our own text


def drawn_levels(root: ET.Element, shape: tuple[int, int]) -> np.ndarray:
    """The colour number of each cell, read back from the paths; -1 where nothing was drawn."""
    table = ["#" + bytes(colour).hex() for colour in colours.table("magma", dark=False)]
    levels = np.full(shape, -1)
    for path in root.iterfind(".//s:path", NS):
        for column, row, length, back in re.findall(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z", path.attrib["d"]):
            assert length == back
            cells = levels[int(row), int(column) : int(column) + int(length)]
            assert (cells == -1).all()
            cells[:] = table.index(path.attrib["fill"])
    return levels


@pytest.mark.parametrize(("queries", "keys"), [(10, 10), (1, 1), (60, 1500)])
def test_every_cell_is_drawn_once_in_the_colour_of_its_weight(queries: int, keys: int) -> None:
    maps = maps_of(queries, keys)
    levels = drawn_levels(parsed(svg(maps, layer=4, head=1)), (queries, keys))
    weights = maps.weights[0, 1]
    # 256 colours: at most half a step from the weight; neighbouring stops of the table can round to one colour.
    np.testing.assert_allclose(levels / 255 * weights.max(), weights, atol=1.6 / 255)


def test_labels_of_every_kind_make_valid_xml_and_stay_literal() -> None:
    picture = svg(maps_of())
    root = parsed(picture)
    texts = [element.text or "" for element in root.iterfind(".//s:text", NS)]
    shown = [text for text in texts if text.startswith("\u2068")]
    assert len(shown) == 20
    assert "\u2068<script>alert(1)</scrip…\u2069" in shown
    assert "\u2068\\u202egato\u2069" in shown
    assert {element.tag.removeprefix("{" + NS["s"] + "}") for element in root.iter()} == {
        *("svg", "title", "rect", "text", "g", "path")
    }


def test_title_axes_and_colour_scale_are_named() -> None:
    root = parsed(svg(maps_of(), layer=4, head=1, colour_map="cividis", scale="common"))
    texts = " | ".join(element.text or "" for element in root.iterfind(".//s:text", NS))
    assert "Cross-attention, layer 5, head 2 (counted from 1)" in texts
    assert "Rows: word being written. Columns: source word being read." in texts
    assert "source word being read | word being written" in texts
    assert "weight: cividis, reversed, up to the maximum of all heads" in texts
    assert f"{maps_of().weights.max():.2f}" in texts


def test_labels_thin_out_where_they_would_overlap() -> None:
    root = parsed(svg(maps_of(60, 1500)))
    turned = [element for element in root.iterfind(".//s:text", NS) if "transform" in element.attrib]
    places = [float(element.attrib["x"]) for element in turned]
    assert len(turned) > 10
    assert min(np.diff(places)) >= 13  # a line of text apart


def test_a_head_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no head 2"):
        svg(maps_of(), head=2)


def test_frames_of_sound_are_named_by_round_seconds_at_their_place() -> None:
    maps = speech_maps(rows=5, frames=1500, sounding=1400)
    root = parsed(svg(maps, layer=1, head=2))
    assert (drawn_levels(root, (5, 1400)) >= 0).all()
    left, _, width, _ = cells_at(root)
    assert width == 1  # a frame is never thinner than a pixel
    middle = [e for e in root.iterfind(".//s:text[@text-anchor='middle']", NS) if (e.text or "").isdecimal()]
    ruler = {float(e.text or ""): float(e.attrib["x"]) for e in middle}
    assert list(ruler) == list(range(6, 33, 2))
    np.testing.assert_allclose(list(ruler.values()), [left + (s - START) / FRAME * width for s in ruler], atol=0.1)
    texts = [element.text or "" for element in root.iterfind(".//s:text", NS)]
    assert any("Columns: sound being heard, in seconds (padding left out, with " in text for text in texts)
    between = parsed(svg(encoder_maps(60, 50)))
    _, top, _, height = cells_at(between)
    rows = {float(e.text or ""): float(e.attrib["y"]) for e in between.iterfind(".//s:text[@text-anchor='end']", NS)}
    middles = [top + (s - START) / FRAME * height for s in rows]
    np.testing.assert_allclose(np.array(list(rows.values())) - middles, 0.35 * 13, atol=0.1)  # the letters' own middle


def cells_at(root: ET.Element) -> tuple[float, ...]:
    """Where the cells lie: left, top, and the width and height of one."""
    group = root.find(".//s:g[@transform]", NS)
    assert group is not None
    return tuple(map(float, re.findall(r"[\d.]+", group.attrib["transform"])))


@pytest.mark.parametrize(("count", "most"), [(0, 5), (1, 5), (5, 5), (6, 5), (1500, 60)])
def test_thinned_positions_fit_and_begin_at_the_first(count: int, most: int) -> None:
    positions = thinned(count, most)
    assert len(positions) <= most
    assert positions[:1] == list(range(count))[:1]
    assert len(set(np.diff(positions).tolist())) <= 1


@pytest.mark.parametrize(
    ("start", "end", "most", "wanted"),
    [
        (0, 11, 12, list(range(12))),
        (28.746, 55.106, 15, list(range(30, 56, 2))),
        (5.0, 5.16, 5, [5.0, 5.05, 5.1, 5.15]),
        (0, 30, 5, [0, 10, 20, 30]),
        (3.0, 3.0, 5, [3.0]),
    ],
)
def test_round_seconds_fit_and_lie_inside(start: float, end: float, most: int, wanted: list[float]) -> None:
    assert round_seconds(start, end, most) == wanted
