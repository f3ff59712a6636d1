"""The address in the browser: what it says, and the visitor's steps back and forth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz.core import view

_KEY = "address"
# Streamlit would begin the page anew at a step back or forth, so that its fields are emptied: on the same page the step
# is handled here. What is looked at is the explorer's own, which alone hears of a step that changes nothing else.
_SCRIPT = """
let leave = () => {};

export default function ({ data, setTriggerValue }) {
  leave();
  const place = location.pathname;
  const looks = new Set(data.looks);
  const asked = () => JSON.stringify([...new URLSearchParams(location.search)].filter(([name]) => !looks.has(name)));
  if (data.said !== null) history.replaceState(history.state, "", data.said ? `?${data.said}` : place);
  let last = asked();
  const moved = (event) => {
    if (location.pathname !== place) return;
    event.stopImmediatePropagation();
    if (asked() === last) window.dispatchEvent(new Event("xv-moved"));
    else setTriggerValue("moved", location.search || "?");
    last = asked();
  };
  window.addEventListener("popstate", moved, true);
  leave = () => window.removeEventListener("popstate", moved, true);
  return leave;
}
"""


def read() -> dict[str, str]:
    """What the address says."""
    return st.query_params.to_dict()


def write(said: Mapping[str, str]) -> None:
    """Make the address say this: a step in the browser's history, where it said something else."""
    st.query_params.from_dict(dict(said))


def follow(
    moved: Callable[[dict[str, str]], None], state: Mapping[str, str], said: Mapping[str, str] | None = None
) -> None:
    """Call `moved` with what the address says when the visitor goes back or forth without leaving the page.

    `state` is what an address says of the page: with every act of the visitor the script looks anew where it is. `said`
    is what the address is to say from now on without a step in the history, None where it is right.
    """
    data: dict[str, Any] = {"looks": view.PARAMETERS, "state": urlencode(dict(state))}
    data["said"] = None if said is None else urlencode(dict(said))

    def heard() -> None:
        search = (st.session_state.get(_KEY) or {}).get("moved")
        if isinstance(search, str):
            moved(dict(parse_qsl(search.removeprefix("?"))))

    with st.container(key="history"):
        _component()(data=data, key=_KEY, on_moved_change=heard)


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("xattn_viz_address", js=_SCRIPT)
