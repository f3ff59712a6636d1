"""What is sent of a picture: its pixels, its patches' grid, and the picture and the heads of each denoising step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.browser.explorer.pictured import GRID, PROMPT, STEPS, captioned, drawn
from tests.web.explorer.packed import ROUNDING, unpacked, weights_of
from xattn_viz.web.explorer import seeing
from xattn_viz.web.explorer.payload import pack


def test_a_captioners_picture_comes_back_with_the_grid_of_its_patches() -> None:
    trace = captioned()
    header, data = unpacked(pack(trace))
    sent = header["picture"]
    pixels = np.frombuffer(data, np.uint8, 3 * sent["width"] * sent["height"], sent["at"])
    assert np.array_equal(pixels.reshape(sent["height"], sent["width"], 3), np.asarray(trace.picture))
    keys = header["keys"]
    assert (tuple(keys["grid"]), keys["special"].index(True), sum(keys["special"])) == (GRID, 0, 1)
    assert (keys["labels"][0], keys["labels"][1], keys["labels"][-1]) == ("[CLS]", "row 1, column 1", "row 8, column 8")
    assert "grid" not in header["queries"]
    for view in header["sheets"][0]["views"]:
        if view["head"] is not None:
            exact = trace.cross.weights[view["layer"], view["head"]]
            assert view["inside"] == pytest.approx(exact[:, 1:].max())
            assert np.abs(weights_of(view, data, exact.shape) - exact).max() <= ROUNDING * view["scale"] + 1e-7
            rests = np.frombuffer(data, np.uint8, exact.size, view["fine"]).reshape(exact.shape) / 255 - 0.5
            whole = weights_of(view, data, exact.shape) + rests * view["scale"] / 255
            assert np.abs(whole - exact).max() <= ROUNDING * view["scale"] / 255 + 1e-7
    assert [sheet["kind"] for sheet in header["sheets"]] == ["cross", "encoder"]


def test_every_step_of_a_drawing_comes_with_its_picture_and_its_heads() -> None:
    trace = drawn()
    header, data = unpacked(pack(trace))
    assert [sheet["kind"] for sheet in header["sheets"]] == ["cross"]
    assert (tuple(header["queries"]["grid"]), header["keys"]["labels"]) == (GRID, list(PROMPT))
    assert [sheet["step"] for sheet in header["noise"]] == list(range(STEPS))
    for sheet, maps, picture, drawing in zip(
        header["noise"], trace.maps[1:], header["drawn"], trace.pictures, strict=True
    ):
        assert len(sheet["views"]) == 4
        for view in sheet["views"]:
            exact = maps.weights[view["layer"], view["head"]]
            assert np.abs(weights_of(view, data, exact.shape) - exact).max() <= ROUNDING * view["scale"] + 1e-7
        pixels = np.frombuffer(data, np.uint8, drawing.size, picture["at"])
        assert np.array_equal(pixels.reshape(drawing.shape), drawing)


def test_what_would_be_large_is_sent_smaller_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = drawn()
    monkeypatch.setattr(seeing, "STEPS_BYTES", STEPS * 3 * 24 * 24)
    monkeypatch.setattr(seeing, "SIDE", 24)
    steps = sum(maps.weights.size for maps in trace.maps[1:])
    header, data = unpacked(pack(trace, full_limit=steps - 1))
    assert "noise" not in header
    halved = np.asarray(trace.pictures[0]).reshape(24, 2, 24, 2, 3).mean((1, 3))
    sent = header["drawn"][0]
    assert (sent["width"], sent["height"]) == (24, 24)
    pixels = np.frombuffer(data, np.uint8, halved.size, sent["at"]).reshape(halved.shape)
    assert np.abs(pixels - halved).max() <= 0.5 + 1e-6  # the mean of four, rounded
    assert len(unpacked(pack(trace, full_limit=steps))[0]["noise"]) == STEPS


def test_layers_say_their_own_grid_where_the_trace_knows() -> None:
    layers = [{"module": "down.<b>", "grid": [4, 4]}, {"module": "up", "grid": [8, 8]}]
    header, _ = unpacked(pack(replace(drawn(), provenance={"layers": layers})))
    assert header["modules"] == [["down.<b>", 4, 4], ["up", 8, 8]]
    assert "modules" not in unpacked(pack(drawn()))[0]
