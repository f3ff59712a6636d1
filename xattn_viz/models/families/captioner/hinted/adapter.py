"""Traces from a model that reads a picture and a hint."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.trace import Note, Trace
from xattn_viz.inputs.images import Picture
from xattn_viz.models import outside
from xattn_viz.models.base import InputError, ModelCard
from xattn_viz.models.engine.network import Runner
from xattn_viz.models.engine.run import Source
from xattn_viz.models.families.captioner.adapter import CaptionerAdapter
from xattn_viz.models.families.captioner.hinted import HINT_PART, PICTURE_PART, Join
from xattn_viz.models.families.captioner.hinted.hint import Hints, beside
from xattn_viz.models.provenance import Identity
from xattn_viz.models.settings import Settings, Size
from xattn_viz.models.sight import Eyes
from xattn_viz.shapes.draw import in_grey
from xattn_viz.shapes.prompts import GREY, HINT
from xattn_viz.shapes.scene import PAPER

_TWO = "Each layer of the decoder has two cross-attentions, one after the other: layers 1 and 2, then 3 and 4 here."
_NOTES = {
    "concatenated": f"{_TWO} Each has one softmax over picture and hint.",
    "separate": f"{_TWO} 1 and 3 look at the picture only, 2 and 4 at the hint only, each with a softmax of its own.",
}


class HintedAdapter(CaptionerAdapter):
    """One loaded model that reads a picture and a hint (option `hint`, text; `grey` takes the picture's colours away).

    Keys are the positions of the picture and, as another part of the axis, the tokens of the hint. Each layer of the
    decoder has two cross-attentions, which are layers of their own in the map: 0 and 1 are those of its first layer, 2
    and 3 those of its second. Where they are separate, 0 and 2 have zeros on the hint, 1 and 3 on the picture.
    """

    def __init__(
        self,
        card: ModelCard,
        identity: Identity,
        runner: Runner,
        tokenizer: Any,
        size: Size,
        eyes: Eyes,
        patches: Axis,
        hints: Hints,
        join: Join,
    ) -> None:
        super().__init__(card, identity, runner, tokenizer, size, eyes, patches)
        self._hints, self._notes = hints, (_NOTES[join],)

    def _source(self, input: Any, settings: Settings) -> tuple[Source, tuple[str | Note, ...]]:
        seen = self.eyes.see(input)
        picture = in_grey(seen) if settings.options[GREY] else seen
        hint, model = self._hints.read(settings.choice(HINT) or ""), self.runner.model
        values = self.eyes.values(picture).to(device=model.device, dtype=model.dtype)
        read = {"pixel_values": values, "hint": self._hints.ids(hint).to(model.device)}
        return Source(read, beside(self._axis, hint), picture), (*outside.notes(self.card, picture), *self._notes)

    def drops(self, trace: Trace) -> dict[str, NDArray[np.float64]]:
        """As `Adapter.drops`: without the hint is with an empty one, without the picture on plain paper.

        Raises InputError for a trace that is not over a picture and a hint.
        """
        if trace.picture is None or HINT not in trace.settings:
            raise InputError("This trace is not of a picture with a hint.")
        said = trace.settings[HINT]
        without = {PICTURE_PART: (self.eyes.plain(PAPER), said), HINT_PART: (trace.picture, "")}
        before = log_probs(trace)
        again = {part: log_probs(self._again(trace, *sources)) for part, sources in without.items()}
        return {part: before - after[: len(before)] for part, after in again.items()}

    def _again(self, trace: Trace, picture: NDArray[np.uint8], hint: str) -> Trace:
        """The same tokens, and an end where there is none, scored over other sources, with the same heads off."""
        ids, ends = [step.id for step in trace.steps], self._frame(self.check()).ends
        ablate = [(kind, layer, head) for kind, layer, head in trace.settings["ablate"]]
        sources: dict[str, Any] = {HINT: hint, "ablate": ablate}
        return self.trace(
            Picture(picture, is_resized=True), prefix=[*ids, *([] if ids[-1] in ends else ends[:1])], **sources
        )


def log_probs(trace: Trace) -> NDArray[np.float64]:
    """The natural-log probability of each token, `[query]`."""
    return np.array([step.log_prob for step in trace.steps])
