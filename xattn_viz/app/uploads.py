"""What the visitor gave to hear or to see, by a digest of its bytes: the last few, and what is in view."""

from __future__ import annotations

import hashlib
from typing import Any

import streamlit as st

#: How many of a visitor's own are kept of each kind.
_KEPT = 3


def keep(store: str, data: bytes, given: Any) -> str:
    """Keep what was made of these bytes in that part of the state; its name there. Older ones go, not that in view."""
    name = hashlib.sha256(data).hexdigest()[:16]
    kept: dict[str, Any] = st.session_state.setdefault(store, {})
    kept.setdefault(name, given)
    shown = st.session_state.get("shown_for")
    needed = {name, *(shown.named.values() if shown else ())}
    spare = [one for one in kept if one not in needed]
    for one in spare[: max(len(kept) - _KEPT, 0)]:
        del kept[one]
    return name
