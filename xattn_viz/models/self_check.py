"""Whether a model that comes with the package computes here what it computed when it was tested.

Such a model is asked one probe after it is loaded: an input whose output, log-probability and maps lie in
`self_check.json` beside this file. A release of a library, weights that were exchanged or an unusual processor may
change what a model does without any error; its maps would then be shown as true, and are not.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.trace import Trace
from xattn_viz.models.base import Adapter

_LOG = logging.getLogger(__name__)

FILE = Path(__file__).with_suffix(".json")
#: The most that a log-probability, a number of `fingerprint` and one of a picture's mean colours (0 to 255) may be away
#: from what is expected: at least twice what half precision does (0.044, 0.0044 and 1 at most, in bfloat16 and float16,
#: which some devices compute in). In float32 neither a second thread nor a processor's other kernels do 0.0001.
LOG_PROBABILITY, MAPS, PICTURE = 0.1, 0.01, 2.0
_CLIPS = Path(__file__).parents[1] / "examples" / "clips"
_GOLDEN = (1 + math.sqrt(5)) / 2
_BLOCKS = 4  # a picture is summed up by the mean colours of so many parts in each direction


@cache
def probes() -> Mapping[str, Mapping[str, Any]]:
    """For each model by its name the `probe` (input, options, kinds of maps) and what is `expected`, as `measure`."""
    found: Mapping[str, Mapping[str, Any]] = json.loads(FILE.read_bytes())["models"]
    return found


def versions() -> Mapping[str, str]:
    """The versions of the libraries with which what is expected was measured."""
    found: Mapping[str, str] = json.loads(FILE.read_bytes())["versions"]
    return found


def find_fault(adapter: Adapter) -> str | None:
    """What is wrong with a model, in a sentence; None where it does what is expected, and where nothing is expected."""
    name = adapter.card.name
    if name not in probes():
        return None
    try:
        differs = difference(measure(adapter, probes()[name]["probe"]), probes()[name]["expected"])
    except Exception as error:  # whatever a library raises that does not fit any more
        _LOG.exception("The self-check of %s failed", name)
        differs = f"it fails with {type(error).__name__}"
    if differs is None:
        return None
    return (
        f"{name} does not compute here what it did when it was tested: {differs}. Its output and maps may be wrong; "
        "the command “xattn-viz doctor” says what to do."
    )


def measure(adapter: Adapter, probe: Mapping[str, Any]) -> dict[str, Any]:
    """What a model answers to a probe, as JSON values.

    The first of the probe's `kinds` of maps are recorded while the model answers as it always does, the others while it
    reads that answer again.
    """
    first, *others = (tuple(kinds) for kinds in probe["kinds"])
    given, options = _input(probe), probe["options"]
    answer = adapter.trace(given, kinds=first, **options)
    again = (adapter.trace(given, kinds=kinds, target=answer.output, **options) for kinds in others)
    maps = [
        trace.of_kind(kind) for trace, kinds in zip([answer, *again], probe["kinds"], strict=True) for kind in kinds
    ]
    found = {
        "weights_sha256": answer.provenance["weights_sha256"],
        "output": answer.output,
        "maps": {each.kind: np.round(fingerprint(each.weights), 4).tolist() for each in maps},
    }
    if answer.pictures:
        found["picture"] = np.round(_summary(answer.pictures[-1])).astype(int).tolist()
    else:
        found["log_probability"] = round(_log_probability(answer), 4)
    return found


def difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str | None:
    """How an answer differs from the expected one by more than rounding, in words; None where it does not."""
    differs = _difference(found, expected)
    if differs is None or found["weights_sha256"] == expected["weights_sha256"]:
        return differs
    return f"{differs}, and its weights are not those that it was tested with"


def _difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str | None:
    if found["output"] != expected["output"]:
        return f"to a probe it answers “{found['output']:.80}” and not “{expected['output']:.80}”"
    if "picture" in expected and not _are_close(found["picture"], expected["picture"], PICTURE):
        return "for a probe it draws another picture"
    said, wanted = found.get("log_probability", 0.0), expected.get("log_probability", 0.0)
    if not _are_close(said, wanted, LOG_PROBABILITY):
        return f"to a probe it answers with log-probability {said:.2f} and not {wanted:.2f}"
    other = [kind for kind, maps in expected["maps"].items() if not _are_close(found["maps"][kind], maps, MAPS)]
    return f"for a probe its {' and '.join(other)} attention is another" if other else None


def fingerprint(weights: NDArray[Any]) -> NDArray[np.float64]:
    """Two numbers for each head of `weights` `[layer, head, query, key]`, `[layer, head, 2]`: how spread, and where.

    The first is the mean entropy of a row as a share of the largest there can be, from 0 to 1. In the second, from -1
    to 1, each weight counts by a factor of its own row and column, so that weights which change places change it.
    """
    weights = weights.astype(np.float64)
    queries, keys = weights.shape[2:]
    logs = np.log2(weights, out=np.zeros_like(weights), where=weights > 0)
    spread = -(weights * logs).sum((2, 3)) / (queries * math.log2(keys))
    # The square of a position times an irrational number: no two neighbours are alike, nor any two rows.
    factors = np.cos(np.arange(queries * keys, dtype=np.float64) ** 2 * _GOLDEN).reshape(queries, keys)
    return np.stack([spread, (weights * factors).sum((2, 3)) / queries], -1)


def _input(probe: Mapping[str, Any]) -> str | bytes | NDArray[np.uint8]:
    kind, value = next(iter(probe["input"].items()))
    if kind == "clip":
        return (_CLIPS / str(value)).read_bytes()
    if kind == "scene":
        from xattn_viz.shapes.scene import draw, from_link

        return draw(from_link(value))
    if kind == "asked":
        from xattn_viz.shapes.asked import named

        return named(value).drawing.picture
    return str(value)


def _log_probability(trace: Trace) -> float:
    """Of all that was written; of a model that answers at once, of all its answers."""
    if trace.steps:
        return sum(step.log_prob for step in trace.steps)
    return sum(math.log(answer.probability) for answer in trace.answers)


def _summary(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean colours of a picture's parts, `[row, column, 3]`."""
    side = len(picture) // _BLOCKS
    blocks: NDArray[np.float64] = picture.reshape(_BLOCKS, side, _BLOCKS, side, 3).mean((1, 3))
    return blocks


def _are_close(found: Any, expected: Any, most: float) -> bool:
    a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return a.shape == b.shape and bool((np.abs(a - b) <= most).all())  # a NaN is close to nothing
