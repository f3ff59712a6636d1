"""What the explorer shows of a picture: its pixels, those after each denoising step, and the maps of the single steps.

Pixels are sent as they are, red, green and blue, so that the script needs no decoder and paints them at once; large
pictures are sent smaller.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import all_steps
from xattn_viz.web.explorer.axes import Axes
from xattn_viz.web.explorer.data import Data
from xattn_viz.web.explorer.sheets import Limits, sheet

#: The largest side of a picture that is sent, in pixels.
SIDE = 640
#: The most bytes that the pictures after the denoising steps take together.
STEPS_BYTES = 2_000_000


def pack_pictures(trace: Trace, axes: Axes, data: Data, limit: int | None) -> dict[str, Any]:
    """The header's part about pictures: `picture`, the one that the patches lie in, and what was drawn step by step.

    `drawn` holds a picture a denoising step. `noise` holds the maps of the steps, in their order, heads only: of maps
    that would take more than `limit` bytes (None: no limit) none is sent. `modules` says of each layer which module
    it is and on which grid it works itself, where the trace knows. Nothing where the trace has no picture.
    """
    if trace.picture is None:
        return {}
    packed: dict[str, Any] = {"picture": _picture(trace.picture, SIDE, data)}
    if modules := _modules(trace.provenance.get("layers")):
        packed["modules"] = modules
    if len(trace.pictures) > 1:
        height, width = trace.picture.shape[:2]
        most = (STEPS_BYTES / len(trace.pictures) / 3 * max(width, height) / min(width, height)) ** 0.5
        packed["drawn"] = [_picture(picture, min(SIDE, int(most)), data) for picture in trace.pictures]
    chosen = {id(maps) for maps in all_steps(trace)}
    single = sorted((maps for maps in trace.maps if id(maps) not in chosen), key=lambda maps: maps.step or 0)
    if single and (limit is None or sum(maps.weights.size for maps in single) <= limit):
        whole = Limits(None, 0, None, means=False)
        steps = [sheet(maps, (trace.output, trace.input), axes, data, whole) | {"step": maps.step} for maps in single]
        packed["noise"] = steps
    return packed


def _modules(layers: Any) -> list[list[Any]]:
    """The module and grid of each layer, [name, rows, columns]; none where the provenance says anything else."""
    modules: list[list[Any]] = []
    for layer in layers if isinstance(layers, list) else ():
        match layer:
            case {"module": str(name), "grid": [int(rows), int(columns)]}:
                modules.append([visible(name), rows, columns])
            case _:
                return []
    return modules


def _picture(pixels: NDArray[np.uint8], side: int, data: Data) -> dict[str, int]:
    """A picture `[row, column, 3]`, averaged down until neither side is longer than `side`."""
    smaller = -(-max(pixels.shape[:2]) // max(side, 1))
    if smaller > 1:
        pixels = np.asarray(Image.fromarray(pixels).reduce(smaller))
    return {"at": data.add(pixels), "width": pixels.shape[1], "height": pixels.shape[0]}
