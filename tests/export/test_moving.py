"""Moving pictures: read back by others, frame by frame against the map's own colours, and as XML."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import av
import numpy as np
import pytest
from PIL import Image

import xattn_viz as xv
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import short_label
from xattn_viz.export import moving
from xattn_viz.plots import colours

SVG = "{http://www.w3.org/2000/svg}"
SIZE = (640, 360)
NEAR = 12  # of 255: what 256 colours of a GIF are off by; a film has half the resolution in colour besides
VIEW = xv.View(layer=1, head=0)


@pytest.fixture(scope="module")
def trace() -> xv.Trace:
    return xv.load("firefox-en-pt").trace("The cat sat on the mat.")


@pytest.fixture(scope="module")
def steps(trace: xv.Trace) -> xv.Animation:
    return xv.animate(trace, VIEW, size=SIZE)


def rows_of(svg: str) -> list[tuple[float, float, float, float]]:
    """Where each row of a map lies in a frame: left, top, and the width and height of its cells."""
    found = re.findall(r'transform="translate\(([\d.]+) ([\d.]+)\) scale\(([\d.]+) ([\d.]+)\)"', svg)
    return [tuple(map(float, one)) for one in found]  # type: ignore[misc]


def wanted(weights: Any, dark: bool) -> Any:
    levels = np.rint(weights / weights.max() * 255).astype(int)
    return colours.table("magma", dark=dark)[levels].astype(int)


def cells(picture: Any, places: list[tuple[float, float, float, float]], columns: int) -> Any:
    """The colours in the middle of the cells of rows, `[row, column, 3]`."""
    return np.array(
        [
            [picture[round(y + h / 2), round(x + (column + 0.5) * w)] for column in range(columns)]
            for x, y, w, h in places
        ]
    ).astype(int)


def test_the_kth_frame_shows_k_rows_in_the_colours_of_the_map(trace: xv.Trace, steps: xv.Animation) -> None:
    weights = trace.cross.head(1, 0)
    everything, columns = wanted(weights, dark=True), weights.shape[1]
    places = rows_of(steps.frame(steps.count - 1))
    assert steps.count == len(places) == len(weights)
    for number, picture in enumerate(steps.pictures()):
        assert picture.shape == (*SIZE[::-1], 3)
        assert len(rows_of(steps.frame(number))) == number + 1
        seen = cells(picture, places, columns)
        assert (seen[: number + 1] == everything[: number + 1]).all()
        ground = np.array([0x0E, 0x0F, 0x13])
        assert (seen[number + 1 :] == ground).all()


def test_others_read_what_was_written(trace: xv.Trace, steps: xv.Animation, tmp_path: Path) -> None:
    weights = trace.cross.head(1, 0)
    everything, places = wanted(weights, dark=True), rows_of(steps.frame(steps.count - 1))
    for ending in (".gif", ".webm", ".mp4"):
        steps.save(tmp_path / f"talk{ending}")
        with av.open(str(tmp_path / f"talk{ending}")) as film:
            frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        held = 0 if ending == ".gif" else moving.HOLD - 1
        assert len(frames) == steps.count + held
        assert frames[0].shape == (*SIZE[::-1], 3)
        off = np.abs(cells(frames[steps.count - 1], places, weights.shape[1]) - everything)
        assert off.mean() < NEAR
    with Image.open(tmp_path / "talk.gif") as gif:
        assert (gif.n_frames, gif.size, gif.info["loop"]) == (steps.count, SIZE, 0)  # type: ignore[attr-defined]
        assert gif.info["duration"] == 1000


def test_the_svg_says_every_token_and_moves_as_the_frames_do(trace: xv.Trace, steps: xv.Animation) -> None:
    root = ET.fromstring(steps.svg())  # noqa: S314 - our own
    said = {"".join(text.itertext()) for text in root.iter(f"{SVG}text")}
    for axis in (trace.cross.queries, trace.cross.keys):
        assert {short_label(axis.name(i)) for i in range(len(axis))} <= said
    total = steps.count - 1 + moving.HOLD
    for number in range(steps.count):
        at, seen = (number + 0.5) / total, 0
        for group in root.iter(f"{SVG}g"):
            if group.find(f"{SVG}g/{SVG}path") is None or group.get("clip-path"):
                continue
            shown = "visible"
            for moves in group.findall(f"{SVG}animate"):
                times, values = moves.attrib["keyTimes"].split(";"), moves.attrib["values"].split(";")
                assert list(map(float, times)) == sorted(map(float, times))
                shown = [value for time, value in zip(times, values, strict=True) if float(time) <= at][-1]
            seen += shown == "visible" and group.find(f"{SVG}path") is None
        assert seen == number + 1


def test_labels_can_be_read_from_the_last_row(trace: xv.Trace) -> None:
    for what in ("steps", "heads"):
        made = xv.animate(trace, VIEW, what)
        sizes = [float(text.attrib["font-size"]) for text in made.drawing.iter("text")]
        assert min(sizes) >= 20


def test_a_tour_goes_through_all_heads(trace: xv.Trace) -> None:
    made = xv.animate(trace, VIEW, "heads", size=SIZE, dark=False)
    assert made.count == 16
    for number in (0, 13):
        layer, head = divmod(number, 8)
        frame = made.frame(number)
        assert f"layer {layer + 1}, head {head + 1}" in frame
        seen = cells(next(p for i, p in enumerate(made.pictures()) if i == number), rows_of(frame), 8)
        assert (seen == wanted(trace.cross.head(layer, head), dark=False)).all()


def test_a_picture_forms_step_by_step() -> None:
    generator, words = np.random.default_rng(0), ("a", "red", "circle")
    places = xv.Axis.picture(4, 4)
    spans = ((0, 1), (2, 5), (6, 12))
    keys = xv.Axis("text", labels=words, spans=spans)
    maps = [
        AttentionMaps(
            generator.dirichlet(np.ones(3), (1, 2, 16)).astype(np.float32), places, keys, "cross", (0,), step=s
        )
        for s in (0, 1, 2, None)
    ]
    pictures = [np.full((16, 16, 3), 80 * number, np.uint8) for number in range(3)]
    trace = xv.Trace(tuple(maps), "a red circle", "", pictures=tuple(pictures))
    made = xv.animate(trace, xv.View(layer=None, head="mean", key=2), size=SIZE)
    assert (made.what, made.count) == ("denoising", 3)
    for number, picture in enumerate(made.pictures()):
        box = re.findall(r'<image x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', made.frame(number))
        assert len(box) == 2
        x, y, w, h = map(float, box[0])
        assert (picture[round(y + h / 2), round(x + w / 2)] == 80 * number).all()
        assert "circle" in made.frame(number)
        assert f"denoising step {number + 1} of 3" in made.frame(number)
    with pytest.raises(xv.InputError, match="places of a picture"):
        xv.animate(trace, what="steps")


def test_texts_are_data() -> None:
    evil = ["<b>", "&amp;\x00", "\u202e]]>"]
    weights = np.full((1, 1, 3, 3), 1 / 3, np.float32)
    trace = xv.from_attention(weights, target=evil, source=evil)
    root = ET.fromstring(xv.animate(trace, size=SIZE).svg())  # noqa: S314 - our own
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "g", "path", "rect", "text", "tspan", "animate", "animateTransform", "clipPath"
    }  # fmt: skip


def test_what_cannot_be_is_said(
    trace: xv.Trace, steps: xv.Animation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for wrong, said in (
        ({"what": "all"}, "What moves is one of"),
        ({"size": (641, 360)}, "two even numbers"),
        ({"seconds": 0}, "0.04 to 60 seconds"),
        ({"what": "denoising"}, "no picture that forms"),
    ):
        given: Any = wrong
        with pytest.raises(xv.InputError, match=said):
            xv.animate(trace, **given)
    with pytest.raises(xv.InputError, match=r"\.gif, \.webm, \.mp4, \.svg"):
        steps.save(tmp_path / "talk.avi")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(xv.InputError, match=r"xattn-viz\[speech\]"):
        steps.webm()
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    moving._rasteriser.cache_clear()
    with pytest.raises(xv.InputError, match=r"xattn-viz\[moving\]"):
        steps.gif()
    assert io.StringIO(steps.svg()).read(4) == "<svg"
