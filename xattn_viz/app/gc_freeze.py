"""Streamlit collects garbage after each run of a page, in full, and meanwhile no other thread runs.

With PyTorch and transformers loaded that takes 0.2 s each time, in which nothing is sent and nothing computed. Their
objects stay for as long as the process, so they are left out.
"""

from __future__ import annotations

import gc
import sys

from xattn_viz.models import registry
from xattn_viz.models.resources import release

_seen: list[object] = []


def settle() -> None:
    """Leave what is held now out of later collections, where modules or models were loaded since the last time.

    What has become garbage since then, a model that had to go among it, is freed first. For the end of a page.
    """
    held = (len(sys.modules), frozenset(registry.loaded()))
    if _seen[-1:] == [held]:
        return
    _seen[:] = [held]
    gc.unfreeze()
    release()
    gc.freeze()
