"""A setting or a real head as what the component's script reads: JSON, where null stands for minus infinity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.lessons.real_head import RealHead
from xattn_viz.lessons.steps import INPUTS, LARGEST, Setting, Steps


def pack_setting(setting: Setting, identity: str) -> dict[str, Any]:
    """A setting. The script takes its numbers where the identity is another one than before, else only its switches."""
    return {
        "kind": "own",
        "id": identity,
        "queries": list(setting.queries),
        "keys": list(setting.keys),
        "inputs": {name: getattr(setting, name).tolist() for name in INPUTS},
        "switches": {
            "n_heads": setting.n_heads,
            "scaled": setting.scaled,
            "padding": list(setting.padding),
            "causal": setting.causal,
        },
        "largest": LARGEST,
    }


def pack_head(head: RealHead) -> dict[str, Any]:
    """One head of a model; its identity is a digest of all that is sent."""
    plain = ("row", "column", "scale", "others")
    arrays = ("q", "k", "captured", "bias", "others_scaled", "others_captured")
    sent = {
        "kind": "real",
        "queries": list(head.queries),
        "keys": list(head.keys),
        **{name: getattr(head, name) for name in plain},
        **{name: _finite(getattr(head, name)) for name in arrays},
    }
    return {**sent, "id": hashlib.sha256(json.dumps(sent).encode()).hexdigest()[:16]}


def read_setting(said: Mapping[str, Any], base: Setting) -> Setting:
    """The setting that the script says it shows; `base` has its labels.

    What comes from a browser may be anything: raises ValueError where it is no setting with these labels.
    """
    try:
        inputs: dict[str, Any] = {
            name: np.clip(np.array(said["inputs"][name], np.float64), -LARGEST, LARGEST) for name in INPUTS
        }
        switches = said["switches"]
        return replace(
            base,
            **inputs,
            n_heads=int(switches["n_heads"]),
            scaled=bool(switches["scaled"]),
            padding=tuple(bool(padding) for padding in switches["padding"]),
            causal=bool(switches["causal"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError("This is no setting.") from error


def difference(computed: Steps, results: Mapping[str, Any]) -> float:
    """The largest difference between what the layer computed and the script's own numbers, over every matrix.

    Infinite where one masks what the other does not. Raises ValueError where a matrix is missing or of another shape.
    """
    largest = 0.0
    for name, ours in vars(computed).items():
        try:
            theirs = np.array(results[name], np.float64)  # null, which stands for minus infinity, becomes NaN
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{name} is missing, or no matrix.") from error
        if theirs.shape != ours.shape:
            raise ValueError(f"{name} must be {ours.shape}: got {theirs.shape}.")
        finite = np.isfinite(ours)
        if not np.array_equal(finite, np.isfinite(theirs)):
            return float("inf")
        largest = max(largest, float(np.abs(ours[finite] - theirs[finite]).max(initial=0.0)))
    return largest


def _finite(array: NDArray[np.float64] | None) -> list[Any] | None:
    if array is None:
        return None
    written = array.astype(object)
    written[~np.isfinite(array)] = None
    numbers: list[Any] = written.tolist()
    return numbers
