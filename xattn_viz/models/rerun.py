"""Run a trace again from its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from xattn_viz.core.trace import Trace
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError


def rerun(trace: Trace) -> Trace:
    """Load the model that a trace names and trace its input again with the same settings.

    The result carries the first one's `offset` and notes. Raises ModelError when the provenance does not say enough,
    the model cannot be loaded, or its weights are not those that made the trace.
    """
    return _again(trace, {})


def with_projections(trace: Trace) -> Trace:
    """The same trace with the queries and keys behind its maps; of sound with all frames, padding too.

    Raises ModelError as `rerun` does, and where the model shows no more than its weights.
    """
    if all(maps.projections is not None for maps in trace.maps):
        return trace
    return _again(trace, {"keep_projections": True})


def _again(trace: Trace, changes: Mapping[str, Any]) -> Trace:
    try:
        name, digest = trace.provenance["model"], trace.provenance["weights_sha256"]
        settings = {**trace.provenance["settings"], **changes}
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"This trace cannot be run again: its provenance lacks {error}.") from error
    adapter = registry.load(name)
    if settings.get("keep_projections"):
        if not adapter.can_keep_projections:
            raise ModelError("This model shows its weights only, not the queries and keys behind them.")
        settings.pop("crop", None)  # they are kept of whole windows
    settings["kinds"] = tuple(settings["kinds"])
    settings["ablate"] = tuple((kind, layer, head) for kind, layer, head in settings["ablate"])
    again = adapter.trace(trace, **settings)
    if again.provenance["weights_sha256"] != digest:
        raise ModelError(f"This trace was made with other weights of {name} (sha256 {digest[:12]}…).")
    provenance = {**again.provenance, "notes": trace.provenance.get("notes", [])}
    return replace(again, offset=trace.offset, provenance=provenance)
