"""A trace as a moving picture: its steps one by one, its heads one after the other, or a drawing as it forms.

All frames are drawn once, as one SVG document in which every part knows the frames that it is seen in. Animated, it is
what a slide or a web page takes; frame by frame it is drawn to pixels (resvg) for GIF (Pillow), WebM and MP4 (PyAV).
Map, colours, title and words are those of the view, as in every other file (`export.shown`). Texts are data.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.core import files
from xattn_viz.core.records import quoted
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.export.frames import (
    SHIFT,
    WHEN,
    Picture,
    Stage,
    copied,
    draw_denoising,
    draw_heads,
    draw_steps,
    still,
)
from xattn_viz.inputs import InputError
from xattn_viz.plots.svg import FONTS

What = Literal["steps", "heads", "denoising"]
#: What a moving picture can be written as, by the ending of its file.
ENDINGS = (".gif", ".webm", ".mp4", ".svg")
#: The sides of a frame, in pixels.
SIDES = 320, 3840
#: How many frames long the last one stays.
HOLD = 3


@dataclass(frozen=True, eq=False)
class Animation:
    """A moving picture of `count` frames, each `seconds` long and `size` (width, height) pixels, the last held.

    `what` says what moves. `drawing` is the document that all frames are parts of; `svg`, `frame` and the other methods
    turn it into files.
    """

    what: What
    size: tuple[int, int]
    seconds: float
    count: int
    drawing: ET.Element

    def svg(self) -> str:
        """All frames as one SVG picture that moves by itself (SMIL), over and over; no script, no network."""
        return ET.tostring(self._animated(self.drawing), encoding="unicode")

    def frame(self, number: int) -> str:
        """One frame, from 0, as an SVG picture that stands still."""
        return ET.tostring(still(self.drawing, range(self.count)[number]), encoding="unicode")

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """The frames as pixels, `[row, column, 3]`. Raises InputError where resvg, or a font, is missing."""
        draw = _rasteriser()
        for number in range(self.count):
            yield draw(self.frame(number))

    def gif(self) -> bytes:
        """The frames as a GIF that runs over and over, in 256 colours that all of them share."""
        frames = [Image.fromarray(picture) for picture in self.pictures()]
        # Colours are chosen from three frames side by side: what is there in the others is there in these.
        samples = [frames[number] for number in sorted({0, len(frames) // 2, len(frames) - 1})]
        together = Image.new("RGB", (self.size[0], self.size[1] * len(samples)))
        for number, sample in enumerate(samples):
            together.paste(sample, (0, number * self.size[1]))
        palette = together.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        made = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
        lasting = [round(1000 * self.seconds)] * (self.count - 1) + [round(1000 * HOLD * self.seconds)]
        out = io.BytesIO()
        made[0].save(out, "GIF", save_all=True, append_images=made[1:], duration=lasting, loop=0, optimize=True)
        return out.getvalue()

    def webm(self) -> bytes:
        """The frames as a WebM film (VP9). Raises InputError where PyAV is missing."""
        return self._film("webm", "libvpx-vp9", {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5"})

    def mp4(self) -> bytes:
        """The frames as an MP4 film (H.264). Raises InputError where PyAV is missing or cannot write it."""
        return self._film("mp4", "libx264", {"crf": "18", "preset": "medium", "tune": "animation"})

    def to_bytes(self, ending: str) -> bytes:
        """The file that ends so, one of `ENDINGS`. Raises InputError for another ending."""
        made: str | bytes = getattr(self, check_ending(ending)[1:])()
        return made.encode() if isinstance(made, str) else made

    def save(self, path: str | Path) -> None:
        """Write the file, in the format that its name ends in, whole or not at all. Raises InputError and OSError."""
        files.write(path, self.to_bytes(check_ending(path)))

    def _repr_svg_(self) -> str:
        return self.svg()

    def _film(self, kind: str, codec: str, options: dict[str, str]) -> bytes:
        try:
            import av  # an extra, and slow to load
        except ImportError:
            raise InputError(_MISSING.format("Films", "av", "speech")) from None
        if codec not in av.codecs_available:
            raise InputError(f"This build of PyAV writes no {kind} ({codec}): choose another of {', '.join(ENDINGS)}.")
        out, rate = io.BytesIO(), Fraction(1 / self.seconds).limit_denominator(1000)
        with av.open(out, "w", kind) as film:
            stream: Any = film.add_stream(codec, rate=rate, options=options)
            stream.width, stream.height, stream.pix_fmt = *self.size, "yuv420p"
            context = stream.codec_context  # HD as players read it; untold, some guess other colours
            context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
            last = None
            for picture in self.pictures():
                last = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(
                    format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
                )
                film.mux(stream.encode(last))
            for _ in range(HOLD - 1):
                assert last is not None  # noqa: S101 - there is a frame at least
                last.pts = None
                film.mux(stream.encode(last))
            film.mux(stream.encode())
        return out.getvalue()

    def _animated(self, element: ET.Element) -> ET.Element:
        made = copied(element)
        total = self.count - 1 + HOLD
        common = {"dur": f"{total * self.seconds:g}s", "calcMode": "discrete", "repeatCount": "indefinite"}
        if (when := element.get(WHEN)) is not None:
            first, last = map(int, when.split())
            made.set("visibility", "visible" if last == self.count - 1 else "hidden")
            changes = {0: "hidden", first: "visible"} | ({} if last == self.count - 1 else {last + 1: "hidden"})
            if changes != {0: "visible"}:
                times = ";".join(f"{frame / total:.6g}" for frame in changes)
                values = {"attributeName": "visibility", "values": ";".join(changes.values()), "keyTimes": times}
                ET.SubElement(made, "animate", values | common)
        if (shift := element.get(SHIFT)) is not None:
            heights = shift.split()
            made.set("transform", f"translate(0 {heights[-1]})")
            times = ";".join(f"{frame / total:.6g}" for frame in range(self.count))
            values = {"attributeName": "transform", "type": "translate", "keyTimes": times}
            values["values"] = ";".join(f"0 {height}" for height in heights)
            ET.SubElement(made, "animateTransform", values | common)
        made.extend(self._animated(child) for child in element)
        return made


def animate(
    trace: Trace,
    view: View | None = None,
    what: What | None = None,
    *,
    size: tuple[int, int] = (1280, 720),
    seconds: float = 1.0,
    dark: bool = True,
) -> Animation:
    """A moving picture of a trace: `animate(trace).save("talk.gif")`, or .webm, .mp4, .svg.

    - "steps": the map of the view grows row by row, as the output is written, with the source in the colours of what
      each token read;
    - "heads": the maps of all heads of the view's kind, one after the other; of more than `MOST_HEADS` those of the
      layer in view;
    - "denoising": a picture as it forms, with where the chosen word of the prompt (`view.key`) is read meanwhile.

    Without `what` it is the denoising of a drawing, else the steps. `view` is the first head unless given, of a
    drawing the mean over all. `size` is (width, height) in even pixels; type grows with it. Raises InputError for what
    a trace does not have, and for a size or a time that cannot be, ValueError for a kind, layer or head that is not
    there.
    """
    what = what or ("denoising" if trace.pictures else "steps")
    if what not in get_args(What):
        raise InputError(f"What moves is one of {', '.join(get_args(What))}: got {quoted(what)}.")
    least, most = SIDES
    if any(not isinstance(side, int) or not least <= side <= most or side % 2 for side in size) or len(size) != 2:
        raise InputError(
            f"A size is two even numbers of pixels from {least} to {most:,}, as in (1280, 720): got {size}."
        )
    if not 0.04 <= seconds <= 60:
        raise InputError(f"A frame lasts from 0.04 to 60 seconds: got {quoted(seconds)}.")
    view = view or (View(layer=None, head="mean") if what == "denoising" else View(layer=trace.cross.layers[0]))
    stage = Stage(size, dark=dark)
    draw = {"steps": draw_steps, "heads": draw_heads, "denoising": draw_denoising}[what]
    count = draw(stage, trace, view)
    return Animation(what, size, float(seconds), count, stage.root)


def check_ending(path: str | Path) -> str:
    """What a path ends in, one of `ENDINGS`. Raises InputError that lists them for another ending."""
    ending = str(path) if path in ENDINGS else Path(path).suffix
    if ending not in ENDINGS:
        raise InputError(f"A moving picture ends in one of {', '.join(ENDINGS)}: got {quoted(str(path))}.")
    return ending


_MISSING = "{} need the library {}: pip install 'xattn-viz[{}]'. A moving SVG does without."


@cache
def _rasteriser() -> Callable[[str], Picture]:
    """What draws an SVG picture to pixels. Raises InputError where it is missing, or there is no font to write with."""
    try:
        import resvg_py  # an extra
    except ImportError:
        raise InputError(_MISSING.format("Moving pictures", "resvg_py", "moving")) from None

    def draw(svg: str) -> Picture:
        made: Picture = np.asarray(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg)))).convert("RGB"))
        return made

    probe = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><rect width="20" height="20" fill="#fff"/>'
    if draw(f'{probe}<text x="4" y="16" font-family="{FONTS}" font-size="16">x</text></svg>').min() > 200:
        raise InputError("This machine has no font to write with: install DejaVu Sans, say. A moving SVG does without.")
    return draw
