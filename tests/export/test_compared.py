"""A comparison as every kind of file: the numbers are those of the comparison."""

from __future__ import annotations

import base64
import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import xattn_viz as xv
from tests.analysis.test_compare import AFTER, BEFORE
from tests.browser.explorer.pictured import captioned, drawn, moved
from tests.web.explorer.packed import unpacked
from xattn_viz import export
from xattn_viz.core.view import View
from xattn_viz.export import webpage
from xattn_viz.plots import colours
from xattn_viz.web.explorer import pack

FOUND = xv.compare(BEFORE, AFTER)
APART = FOUND.difference[0, 0]


def test_json_and_csv_hold_both_maps_and_their_difference() -> None:
    value = json.loads(export.json(FOUND))
    for name, array in (("a", FOUND.a), ("b", FOUND.b), ("difference", FOUND.difference)):
        np.testing.assert_array_equal(np.array(value[name], np.float32), array)
    assert value["rows"][2] == [None, [2, "droit"]]
    assert value["changes"] == [change.says for change in FOUND.changes()]
    assert np.shape(json.loads(export.json(FOUND, View()))["a"]) == APART.shape
    rows = list(csv.DictReader(io.StringIO(export.csv(FOUND))))
    read = np.array([float(row["difference"] or "nan") for row in rows]).reshape(APART.shape)
    np.testing.assert_array_equal(read.astype(np.float32), APART)
    assert (rows[4]["query_label"], rows[4]["key_label"]) == ("le", "town → water")


def test_a_drawing_has_the_colour_of_each_difference_and_says_what_changed(tmp_path: Path) -> None:
    export.write(FOUND, tmp_path / "a.svg", View(head=0))
    root = ET.fromstring((tmp_path / "a.svg").read_text(encoding="utf-8"))  # noqa: S314 - our own text
    said = " ".join(text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "B \u2212 A: layer 1, head 1" in said
    assert "bord now reads by: .50, was .30." in said
    assert "Only in B: old, droit." in said
    table = ["#" + bytes(colour).hex() for colour in colours.diverging(dark=False)]
    paths = {path.get("fill"): path.get("d") or "" for path in root.iter("{http://www.w3.org/2000/svg}path")}
    top = np.nanmax(np.abs(APART))
    for row, column in np.argwhere(~np.isnan(APART)):
        level = round((float(APART[row, column]) / float(top) + 1) / 2 * 255)
        assert any(f"M{c} {row}h" in paths[table[level]] for c in range(column + 1)), (row, column)
    export.write(FOUND, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 500
    figure = xv.figures.draw(FOUND)
    assert "blue" not in figure.caption
    assert figure.caption.startswith("B \u2212 A: mean over all heads, of m. A: the bank by town → le bord. B: ")
    with pytest.raises(ValueError, match=r"ends in none of \.html"):
        export.write(FOUND, tmp_path / "a.npz")
    with pytest.raises(xv.InputError, match="a trace or a comparison".capitalize()):
        export.json("text")  # type: ignore[arg-type]
    with pytest.raises(xv.InputError, match="not grid"):
        xv.figures.draw(FOUND, what="grid")


def test_a_drawing_of_two_pictures_shows_both_and_what_changed_over_the_second() -> None:
    for trace, is_drawn in ((captioned(), False), (drawn(), True)):
        other = moved(trace, is_drawn)
        found = xv.compare(trace, other, View(layer=1, head=0))
        root = ET.fromstring(export.svg(found))  # noqa: S314 - our own text
        texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
        said = [text.strip("\u2068\u2069") for text in texts]
        images = [image.get("href", "") for image in root.iter("{http://www.w3.org/2000/svg}image")]
        pixels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(each.partition(",")[2])))) for each in images]
        for shown, whose in zip(pixels, (trace, other), strict=False):
            assert np.array_equal(shown, np.asarray(whose.picture))
        changes, (before, after) = found.changes(), found.maps()
        words = list(dict.fromkeys(change.key if is_drawn else change.query for change in changes))[:3]
        assert said[1:3] == ["A", "B"]
        assert said[3 : 3 + len(words)] == [
            found.column_labels[w][0] if is_drawn else found.row_labels[w][0] for w in words
        ]
        axis = found.traces[0].cross.queries if is_drawn else found.traces[0].cross.keys
        lines = (after - before).T[words] if is_drawn else (after - before)[words]
        grids = lines[:, axis.patches].reshape(len(words), *axis.grid)  # type: ignore[misc]
        top = float(np.abs(grids).max())
        assert any(f"Blue below 0, red above, up to {top:.2f}." in line for line in said)
        for grid, shown in zip(grids, pixels[2:], strict=False):
            wanted = colours.overlay(np.asarray(other.picture), grid, top, side=400, apart=True)
            assert np.array_equal(shown, wanted)
        figure = xv.figures.draw(found, what="picture", words=words[:1])
        assert f"Over B, 75 % opaque: difference, B \u2212 A, of “{said[3]}”." in figure.caption
        with pytest.raises(xv.InputError, match="There is no word 99"):
            xv.figures.draw(found, what="picture", words=[99])
    with pytest.raises(xv.InputError, match="hold no pictures"):
        xv.figures.draw(FOUND, what="picture")


def test_a_page_and_a_notebook_have_both_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []

    def keep(*given: Any, **more: Any) -> bytes:
        sent.append(pack(*given, **more))
        return sent[-1]

    monkeypatch.setattr(webpage, "pack", keep)
    two = xv.compare(BEFORE, BEFORE, (View(), View(head="mean")), names=("one", "mean"))
    assert "srcdoc" in two._repr_mimebundle_()["text/html"]
    header, _ = unpacked(sent[0])
    assert header["beside"]["names"] == ["one", "mean"]
    assert header["select"]["other"] == "1.mean"
