"""What an output owes to the places of a picture: its log-probabilities where some of them are covered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from xattn_viz.core.trace import Trace
from xattn_viz.inputs.images import covered
from xattn_viz.models.base import ModelError, OnStep, report
from xattn_viz.models.resources import run_slot

if TYPE_CHECKING:
    from xattn_viz.models.families.captioner.adapter import CaptionerAdapter

_ONLY = "Of a picture only occlusion can be asked: places that are covered. Gradients and norms are for text and sound."


class PictureInspection:
    """The output of a trace, read again over its picture with places covered. As `engine.attribution.Inspection`."""

    def __init__(self, adapter: CaptionerAdapter, trace: Trace, on_step: OnStep | None = None) -> None:
        self._adapter, self._trace, self._on_step = adapter, trace, on_step
        self._ids = [step.id for step in trace.steps]

    def without(
        self, groups: Sequence[Sequence[int]], pairs: Mapping[int, tuple[int, int | None]]
    ) -> NDArray[np.float64]:
        """Scores `[group, row]` of the rows of `pairs`, where the patches of each group are in the median colour.

        A score is the natural-log probability of the pair's first id, less that of the second where there is one.
        """
        found, rows = np.zeros((len(groups), len(pairs))), list(pairs)
        keys = self._trace.cross.keys
        with run_slot(self._on_step), torch.inference_mode():
            for number, group in enumerate(groups):
                report(self._on_step, number, len(groups))
                patches = np.flatnonzero(np.isin(keys.patches, list(group)))
                picture = covered(np.asarray(self._trace.input, np.uint8), keys.grid or (1, 1), patches.tolist())
                log_probs = self._adapter.read_again(self._trace, picture, self._ids)
                firsts, others = zip(*pairs.values(), strict=True)
                found[number] = log_probs[rows, list(firsts)]
                found[number] -= [
                    0 if other is None else log_probs[row, other] for row, other in zip(rows, others, strict=True)
                ]
            report(self._on_step, len(groups), len(groups))
        return found

    def gradients(self, *_: Any, **__: Any) -> NoReturn:
        """Raises ModelError: none of these are to be had of a picture."""
        raise ModelError(_ONLY)

    value_norms = value_zeroing = contributions = gradients
