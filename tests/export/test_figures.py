"""Figures for papers, read back from their files: what is drawn is what the trace holds, as large as was asked for."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pypdfium2 as pdfium
import pytest
import typst
import yaml
from PIL import Image, ImageFont
from pypdf import PdfReader

import xattn_viz as xv
from tests.plots.test_svg import drawn_levels
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.core.view import View
from xattn_viz.export import figures
from xattn_viz.export.shown import shown
from xattn_viz.plots import colours
from xattn_viz.plots.paper import tex_text
from xattn_viz.plots.svg import Cells, Text

ROOT = Path(__file__).parents[2]
NS = {"s": "http://www.w3.org/2000/svg"}
CM = 72 / 2.54
#: Words that no other holds, in writing that is shaped, goes from right to left, or has wide signs.
WORDS = {"Arabic": "مرحبا", "Hebrew": "שלום", "CJK": "漢字仮名", "Hangul": "한국어", "Latin": "garçonnière"}
WORDS |= {"Devanagari": "क्षत्रिय", "Tamil": "மொழி", "Bengali": "ক্রিয়া"}


def example(name: str) -> Trace:
    return xv.load_trace(ROOT / "xattn_viz" / "examples" / f"{name}.npz")


def planted(n: int, labels: tuple[str, ...] | None = None) -> Trace:
    """Weights of two layers and two heads between `n` words on each side."""
    weights = np.random.default_rng(n).dirichlet(np.full(n, 0.2), (2, 2, n)).astype(np.float32)
    keys = Axis("text", labels=labels or tuple(f"key{i}" for i in range(n)))
    queries = Axis("text", labels=labels or tuple(f"row{i}" for i in range(n)))
    return Trace((AttentionMaps(weights, queries, keys, "cross", (0, 3)),), "a source", "a target")


@pytest.fixture(scope="module")
def cat() -> Trace:
    trace = example("about-whole")
    return trace.with_evidence(xv.align(trace))


def texts(root: ET.Element) -> list[str]:
    return [(element.text or "").strip("\u2068\u2069") for element in root.iterfind(".//s:text", NS)]


def fonts(pdf: bytes) -> Iterator[Any]:
    for font in PdfReader(io.BytesIO(pdf)).pages[0]["/Resources"]["/Font"].values():  # type: ignore[index]
        one = font.get_object()
        yield one["/DescendantFonts"][0].get_object()["/FontDescriptor"] if "/DescendantFonts" in one else one


def text_of(pdf: bytes) -> str:
    """What a browser's reader of PDF finds, in the order of reading, without blanks: turned text has some between."""
    return "".join(pdfium.PdfDocument(pdf)[0].get_textpage().get_text_range().split())


KINDS: list[tuple[figures.What, str, View, list[str]]] = [
    (
        "map",
        "cat",
        View(layer=1),
        ["O", "gato", "The", "mat", "word being written", "source word being read", "weight"],
    ),
    ("heads", "cat", View(layer=1), ["Layer 2, head 8", "gato", "weight"]),
    ("grid", "cat", View(), ["head", "layer", "1", "8", "weight"]),
    ("alignment", "cat", View(), ["cat", "gato", "tapete."]),
    ("alignment-matrix", "cat", View(), ["cat", "gato", "source word", "weight"]),
    (
        "sound",
        "forward",
        View(layer=2, head=4),
        ["forward", "meters.", "0", "sound being heard, in seconds, 0.00 to 2.80"],
    ),
    ("picture", "about-sources", View(layer=1), ["weight"]),
    ("evidence", "cat", View(), ["head", "layer", "8", "F1"]),
]


@pytest.mark.parametrize(("what", "name", "view", "wanted"), KINDS, ids=[kind[0] for kind in KINDS])
def test_every_kind_is_whole_in_every_format(
    what: figures.What, name: str, view: View, wanted: list[str], cat: Trace, tmp_path: Path
) -> None:
    trace = cat if name == "cat" else example(name)
    for width, points in (("8.5cm", 8.5 * CM), ("page", 17.5 * CM)):
        figure = figures.save(trace, tmp_path / "f.pdf", view=view, what=what, width=width)
        pdf = (tmp_path / "f.pdf").read_bytes()
        page = PdfReader(io.BytesIO(pdf)).pages[0].mediabox
        assert abs(float(page.width) - points) < 0.1 / 25.4 * 72  # a tenth of a millimetre
        assert (float(page.width), float(page.height)) == pytest.approx(figure.size, abs=0.01)
        assert all("/FontFile2" in font or "/FontFile3" in font for font in fonts(pdf))
        assert figure.sheet.smallest == 7
        for mark in figure.sheet.marks:  # nothing lies outside; of text the point that it hangs on
            assert -1 <= mark.x <= points + 1 if not hasattr(mark, "points") else True
        root = ET.fromstring(figure.svg())  # noqa: S314 - our own text
        assert root.get("width") == f"{points:.3f}".rstrip("0").rstrip(".") + "pt"
        assert set(wanted) <= set(texts(root))
        joined = text_of(pdf)
        assert not [word for word in wanted if word.replace(" ", "") not in joined]
    about = PdfReader(io.BytesIO(pdf)).metadata
    assert about is not None
    assert (about.title, about.subject) == (figure.sheet.title, figure.caption)
    assert figure.caption.startswith(("Cross-attention", "Word alignment", "Alignment, in F1"))
    assert trace.model in figure.caption
    assert figure.caption.endswith(rf"\cite{{{figures.KEY}}}.")
    assert figure.path == tmp_path / "f.pdf"
    figures.save(trace, tmp_path / "f.tex", view=view, what=what)
    check_tikz((tmp_path / "f.tex").read_text(encoding="utf-8"), tmp_path, set(wanted))


def check_tikz(text: str, folder: Path, wanted: set[str]) -> None:
    """It has its ends, balanced braces, every text escaped in a node, every colour that it names, and its pictures."""
    bare = re.sub(r"\\[\\{}$&#%_]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.startswith("\\begin{tikzpicture}")
    assert bare.endswith("\\end{tikzpicture}\n")
    assert not set("&#%~\u2068") & set(bare)
    nodes = set(re.findall(r"\\node\[.*?\] at \(.*?\) \{(.*)\};", text))
    assert {tex_text(word) for word in wanted} <= nodes
    named = set(re.findall(r"\\definecolor\{(xv\d+)\}\{HTML\}\{[0-9A-F]{6}\}", text))
    assert set(re.findall(r"[\[=](xv\d+)", text)) == named
    for name in re.findall(r"includegraphics\[.*?\]\{(.*?)\}", text):
        Image.open(folder / name).verify()


def test_cells_have_the_colours_of_the_weights_in_svg_and_in_pixels() -> None:
    trace, view = planted(12), View(layer=3, head=1)
    figure = figures.draw(trace, view, width="100mm", colours="viridis")
    weights = shown(trace, view).selected.weights
    table = colours.table("viridis", dark=False)
    pixels = np.asarray(Image.open(io.BytesIO(figure.png(600))).convert("RGB")).astype(int)
    (cells,) = [mark for mark in figure.sheet.marks if isinstance(mark, Cells)]
    for (row, column), weight in np.ndenumerate(weights):
        x, y = (
            (at + 0.5) * side + start
            for at, side, start in ((column, cells.width, cells.x), (row, cells.height, cells.y))
        )
        wanted = table[round(float(weight / weights.max()) * 255)].astype(int)
        found = pixels[round(y * 600 / 72), round(x * 600 / 72)]
        assert np.abs(found - wanted).max() <= 3, (row, column)  # neighbouring colours of the table differ by as much
    magma = ET.fromstring(figures.draw(trace, view).svg())  # noqa: S314 - our own text
    levels = drawn_levels(magma, weights.shape)
    np.testing.assert_allclose(levels / 255 * weights.max(), weights, atol=1.6 / 255)


def test_png_has_its_size_its_resolution_and_its_ground(cat: Trace, tmp_path: Path) -> None:
    for dpi, ground in ((300, "white"), (600, "transparent")):
        figure = figures.save(cat, tmp_path / "f.png", dpi=dpi, ground=ground)  # type: ignore[arg-type]
        with Image.open(tmp_path / "f.png") as picture:
            assert np.abs(np.subtract(picture.size, np.multiply(figure.size, dpi / 72))).max() <= 1
            assert picture.info["dpi"] == pytest.approx((dpi, dpi), abs=0.01)
            assert np.asarray(picture.convert("RGBA"))[0, 0, 3] == (255 if ground == "white" else 0)


def test_labels_thin_out_and_type_keeps_its_size(cat: Trace) -> None:
    figure = figures.draw(planted(60), size=6)
    assert figure.sheet.smallest == 6
    assert {mark.size for mark in figure.sheet.marks if isinstance(mark, Text)} == {6}
    sizes = {float(size) for size in re.findall(r" ([\d.]+) Tf", content(figure.pdf()))}
    assert sizes == {6}
    labels = [text for text in texts(ET.fromstring(figure.svg())) if text.startswith("key")]  # noqa: S314
    step = 60 // len(labels) + (60 % len(labels) > 0)
    assert labels == [f"key{i}" for i in range(0, 60, step)]
    assert step == 3
    assert "Every 3rd column is labelled." in figure.caption
    assert "is labelled" not in figures.caption(cat)


def content(pdf: bytes) -> str:
    return PdfReader(io.BytesIO(pdf)).pages[0].get_contents().get_data().decode("latin1")  # type: ignore[union-attr]


def test_writing_of_every_kind_is_text_in_the_pdf() -> None:
    pdf = figures.draw(planted(len(WORDS), tuple(WORDS.values())), width="page").pdf()
    found = text_of(pdf)
    for script, word in WORDS.items():
        assert found.count(word) == 2, script
    names = " ".join(str(font["/FontName"]) for font in fonts(pdf))
    assert "NotoSansArabic" in names
    assert "NotoSansHebrew" in names
    assert "Serif" not in names


def test_letters_stand_as_far_apart_as_harfbuzz_sets_them() -> None:
    """Where several glyphs make one letter, some libraries take the width of one of them."""
    paths = {font.family: font.path for font in typst.Fonts().fonts() if font.weight == 400}
    figure = figures.draw(planted(len(WORDS), tuple(WORDS.values())), size=12, width="page")
    pixels = np.asarray(Image.open(io.BytesIO(figure.png(600))).convert("L"))
    (cells,) = [mark for mark in figure.sheet.marks if isinstance(mark, Cells)]
    scale = 600 / 72
    for row, script in enumerate(WORDS):
        if script not in ("Devanagari", "Tamil", "Bengali"):
            continue
        font = ImageFont.truetype(str(paths[f"Noto Sans {script}"]), 12 * scale, layout_engine=ImageFont.Layout.RAQM)
        first, _, last, _ = font.getbbox(WORDS[script])
        top = cells.y + row * cells.height
        band = pixels[
            round(top * scale) : round((top + cells.height) * scale), round(30 * scale) : round((cells.x - 2) * scale)
        ]
        ink = np.flatnonzero((band < 128).any(axis=0))
        # Pillow hints letters, which is 3 % here; where one glyph's width is taken it is 13 % and more.
        assert ink[-1] - ink[0] == pytest.approx(last - first, rel=0.05), script


def test_values_titles_and_bars_are_there_on_demand(cat: Trace) -> None:
    view = View(layer=1, head=0, query=1, key=1)
    figure = figures.draw(cat, view, width="page", values=True, title=True, bar=False)
    written = texts(ET.fromstring(figure.svg()))  # noqa: S314 - our own text
    weights = shown(cat, view).selected.weights
    assert written[0] == "Cross-attention, layer 2, head 1"
    numbers = [f"{weight:.2f}".removeprefix("0") for weight in weights.ravel()]
    assert [text for text in written if re.fullmatch(r"1?\.\d\d", text)] == numbers
    assert "weight" not in written
    assert f"Selected: gato → cat, {weights[1, 1]:.2f}." in figure.caption
    assert "weight" in texts(ET.fromstring(figures.draw(cat, view).svg()))  # noqa: S314 - our own text


def test_maps_of_heads_have_one_scale_unless_each_is_to_have_its_own(cat: Trace) -> None:
    both = [(0, 1), (1, 0)]
    weights = [cat.cross.weights[layer, head] for layer, head in both]
    top = max(float(one.max()) for one in weights)
    for scale, tops in (("", [top, top]), ("head", [float(one.max()) for one in weights])):
        figure = figures.draw(cat, View(scale=scale), "heads", heads=both)  # type: ignore[arg-type]
        drawn = [mark.levels for mark in figure.sheet.marks if isinstance(mark, Cells)]
        for levels, one, end in zip(drawn, weights, tops, strict=True):
            np.testing.assert_allclose(levels / 255 * end, one, atol=1 / 255)
    assert "heads 1.2, 2.1 (layer.head, both from 1)" in figure.caption
    grid = figures.draw(cat, None, "grid")
    assert len([mark for mark in grid.sheet.marks if isinstance(mark, Cells)]) == 16


def test_an_alignment_has_a_line_for_each_link_and_goes_the_way_of_its_writing(cat: Trace) -> None:
    from xattn_viz.plots.svg import Line

    assert cat.alignment is not None
    figure = figures.draw(cat, None, "alignment")
    lines = [mark for mark in figure.sheet.marks if isinstance(mark, Line)]
    assert len(lines) == len(cat.alignment.links)
    at = {mark.text.strip("\u2068\u2069"): mark.x for mark in figure.sheet.marks if isinstance(mark, Text)}
    ends = {(line.points[0][0], line.points[1][0]) for line in lines}
    assert (at["cat"], at["gato"]) in ends
    assert at["The"] < at["cat"] < at["sat"]
    words = [
        replace(word, text="שלום"[: i % 3 + 1] + "אבגדהוזח"[i]) for i, word in enumerate(cat.alignment.target_words)
    ]
    turned = figures.draw(replace(cat, alignment=replace(cat.alignment, target_words=tuple(words))), None, "alignment")
    at = {mark.text.strip("\u2068\u2069"): mark.x for mark in turned.sheet.marks if isinstance(mark, Text)}
    assert [at[word.text] for word in words] == sorted((at[word.text] for word in words), reverse=True)


def test_evidence_has_its_number_in_each_cell_and_colours_both_ways_from_nothing(cat: Trace) -> None:
    values = np.array([[0.5, -0.25, np.nan], [0.0, -0.004, 1.25]], np.float32)
    grid = HeadGrid("cost", "Costs", "nats a token", "cross", (0, 1), values, "Planted.")
    figure = figures.draw(cat.with_evidence(grid), View(by="cost"), "evidence", width="page")
    written = texts(ET.fromstring(figure.svg()))  # noqa: S314 - our own text
    assert [text for text in written if "." in text or text == "–"][:6] == [".5", "−.2", "–", ".0", ".0", "1.2"]
    (cells,) = [mark for mark in figure.sheet.marks if isinstance(mark, Cells)]
    np.testing.assert_allclose(cells.levels / 255 * 2.5 - 1.25, np.nan_to_num(values), atol=2.5 / 255)
    assert "Costs, in nats a token" in figure.caption
    ten = replace(grid, values=np.array([[10.0, 0.5], [-0.5, 0.04]], np.float32))
    written = texts(ET.fromstring(figures.draw(cat.with_evidence(ten), View(by="cost"), "evidence").svg()))  # noqa: S314
    assert {"10.0", ".5", "−.5", ".0", "−10.0"} <= set(written)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"path": "f.gif"}, r"ends in one of \.pdf, \.svg, \.png, \.tex: got 'f.gif'"),
        ({"width": "8"}, "A width is such as"),
        ({"width": "8.5 km"}, "A width is such as"),
        ({"width": 8.5}, "A width is such as"),
        ({"width": "0.5cm"}, "from 2 to 60 cm wide"),
        ({"width": "9000mm"}, "from 2 to 60 cm wide"),
        ({"width": "2.5cm"}, r"leave no room for the map at 2\.5 cm in type of 7 pt: it takes about"),
        ({"size": 5}, "from 6 to 24 points"),
        ({"path": "f.png", "dpi": 3}, "from 72 to 1,200 dots"),
        ({"ground": "pink"}, '"white" or "transparent"'),
        ({"colours": "jet"}, "no colour map 'jet'"),
        ({"what": "pie"}, "one of map, heads"),
        ({"values": True, "width": "3.5cm", "size": 6}, "no room|too small for their values"),
        ({"values": True, "what": "grid"}, "Values stand in the cells"),
        ({"heads": [(0, 0)]}, "`heads` are chosen for a figure of heads, not for map"),
        ({"what": "heads", "heads": [(0, 99)]}, "no head 99"),
        ({"view": View(layer=7)}, "no layer 7"),
        ({"view": View("encoder")}, "no encoder maps"),
        ({"what": "alignment"}, "holds no alignment: add one, as in"),
        ({"what": "alignment-matrix"}, "holds no alignment"),
        ({"what": "sound"}, "holds no sound"),
        ({"what": "picture"}, "holds no picture"),
        ({"what": "evidence", "view": View(by="love")}, "no evidence 'love' about these heads: name one"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence_and_nothing_is_written(
    changed: dict[str, Any], words: str, tmp_path: Path
) -> None:
    given = {"path": "f.svg", **changed}
    path = given.pop("path")
    with pytest.raises(ValueError, match=words) as caught:
        figures.save(planted(8), tmp_path / path if path != "f.gif" else path, **given)
    assert str(caught.value).endswith(".")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values", [False, True])
def test_the_width_that_is_said_to_be_needed_is_enough(values: bool) -> None:
    trace = planted(20)
    with pytest.raises(xv.InputError) as caught:
        figures.draw(trace, width="3cm", values=values)
    if values and "values" not in str(caught.value):
        with pytest.raises(xv.InputError, match="values") as caught:
            figures.draw(trace, width="6cm", values=values)
    found = re.search(r"about ([\d.]+) cm", str(caught.value))
    assert found is not None
    figures.draw(trace, width=f"{float(found[1]) + 0.1:.1f}cm", values=values)


def test_without_its_library_pdf_and_png_say_what_to_install(
    cat: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    figures._typst.cache_clear()
    for ending in ("pdf", "png"):
        with pytest.raises(
            xv.InputError,
            match=r"files need the library typst: pip install 'xattn-viz\[paper\]'",
        ):
            figures.save(cat, tmp_path / f"f.{ending}")
    figures.save(cat, tmp_path / "f.svg")
    figures.save(cat, tmp_path / "f.tex")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.svg", "f.tex"]


def test_the_citation_says_what_the_repository_says() -> None:
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    entry = figures.citation()
    assert entry.startswith(f"@software{{{figures.KEY},")
    assert entry.count("{") == entry.count("}")
    assert said["title"].replace("_", r"\_") in entry
    assert said["authors"][0]["name"].replace("_", r"\_") in entry
    assert f"version = {{{said['version']}}}" in entry
    assert said["version"] == xv.__version__
    assert said["license"] in entry
