"""What the address says: model, options, input, segment, output. The explorer's script writes the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

#: A longer text stays out of the address: browsers and chat programs cut long ones.
LONGEST_TEXT = 1000

# Which sentence of a text or window of a sound, from 1.
_SEGMENTS = ("sentence", "window")
_OUTPUT = ("hypothesis", "target", "prefix", "beside")
_INPUT = ("text", "sound", "picture", "scene")
_PAGE = ("model", "whole", *_INPUT, *_SEGMENTS, *_OUTPUT)
# Written by the explorer's script (state.js). They speak of the trace that was shown, so another one drops them.
_TRACE = ("head", "row", "column", "noise", "map", "pinned")
# Before the name of an option of the model, so that none can be mistaken for something else.
_OPTION = "option."

# Streamlit puts every change of the address into the browser's history, and does nothing when the visitor goes back.
# The handler is a property, so that setting it again (Streamlit calls a script again at will) leaves one handler.
_SCRIPT = """
export default function ({ setTriggerValue }) {
  window.onpopstate = () => setTriggerValue("moved", true);
  return () => { window.onpopstate = null; };
}
"""


@dataclass(frozen=True)
class Request:
    """What the visitor asked for: a model, what it is to read, and options other than the model's defaults.

    A text is traced `whole` or in sentences; a sound or a picture is meant by its name (`ui/sounds.py`,
    `ui/pictures.py`), a scene by its characters (`scenes/link.py`). `select` is what to show of it at first; it does
    not make it another request.
    """

    model: str
    text: str = ""
    whole: bool = False
    options: tuple[tuple[str, str | bool], ...] = ()
    select: Mapping[str, Any] = field(default_factory=dict, compare=False)
    sound: str = ""
    picture: str = ""
    scene: str = ""

    def reading(self, *, sound: str = "", picture: str = "", scene: str = "") -> Request:
        """The same for another sound, picture or scene; no text."""
        return replace(self, text="", sound=sound, picture=picture, scene=scene)

    @property
    def named(self) -> dict[str, str]:
        """What it reads, where that is no text, by the name that the address has for it; empty for a text."""
        said = {"sound": self.sound, "picture": self.picture, "scene": self.scene}
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True)
class Output:
    """Which output of a segment to show: the model's best, another hypothesis of its search, or one of the visitor's.

    `target` is a whole output, `prefix` the token ids that one begins with. `beside` says that it stands beside the
    model's best; it does not make it another output.
    """

    hypothesis: int = 0
    target: str = ""
    prefix: tuple[int, ...] = ()
    beside: bool = field(default=False, compare=False)

    @property
    def is_best(self) -> bool:
        """Whether it is what the model writes by itself."""
        return self == Output()

    def settings(self) -> dict[str, Any]:
        """The keywords of `Adapter.trace` that make it."""
        said = {"hypothesis": self.hypothesis, "target": self.target, "prefix": list(self.prefix)}
        return {name: value for name, value in said.items() if value}


def read(
    defaults: Mapping[str, Request],
    is_model: Callable[[str], bool],
    is_here: Mapping[str, Callable[[str], bool]] | None = None,
) -> Request:
    """The request that the address holds; where it names no input, the default of its model, or the first one of all.

    `is_model` says which names without a default may be models. `is_here` tells, on a page whose input has names, for
    each such part of the address which names there are.
    """
    said = st.query_params
    first = next(iter(defaults.values()))
    name, text = said.get("model", ""), said.get("text", "")
    if is_here is not None:
        known = name in defaults or is_model(name)
        default = defaults.get(name, first)
        wanted = next(({part: said[part]} for part, here in is_here.items() if here(said.get(part, ""))), None)
        options = _options(said) or (default.options if wanted is None else ())
        request = Request(name if known else first.model, options=options, select=default.select)
        return request.reading(**(wanted or default.named))
    if name not in defaults and is_model(name):
        return Request(name, text if text.strip() else first.text, said.get("whole") == "true", _options(said))
    default = defaults.get(name, first)
    if not text.strip():
        return default
    # A text of one's own begins with the head that the first example shows: one worth seeing.
    return Request(default.model, text, said.get("whole") == "true", _options(said), default.select)


def says_something() -> bool:
    """Whether the address names a model or what it is to read."""
    return any(name in st.query_params for name in ("model", *_INPUT))


def read_segment() -> int:
    """Which sentence of the text, or window of the sound, the address names, from 1."""
    said = st.query_params
    return next((number for name in _SEGMENTS if (number := _number(said.get(name, ""), 3))), 1)


def read_output() -> Output:
    """Which output of the segment the address names."""
    said = st.query_params
    prefix = [_number(part, 7) for part in said.get("prefix", "").split(".")]
    return Output(
        hypothesis=_number(said.get("hypothesis", ""), 2) or 0,
        target=said.get("target", "")[:LONGEST_TEXT].strip(),
        prefix=tuple(part for part in prefix if part is not None),
        beside=said.get("beside") == "true",
    )


def write(request: Request, segment: int = 1, output: Output | None = None, *, same_head: bool = True) -> None:
    """Make the address say the request, and what to show of it where that is not what was shown before."""
    dropped = {*_PAGE, "row", "column"} if same_head else {*_PAGE, *_TRACE}
    kept = {
        name: value for name, value in st.query_params.items() if name not in dropped and not name.startswith(_OPTION)
    }
    said = {"model": request.model}
    said |= {_OPTION + name: written(value) for name, value in request.options}
    if request.named:
        said |= request.named | _within("window", segment, output)
    elif len(request.text) < LONGEST_TEXT:
        said |= {"text": request.text} | ({"whole": "true"} if request.whole else {})
        said |= _within("sentence", segment, output)
    if not same_head:
        said |= request.select
    st.query_params.from_dict({**kept, **said})


def written(value: str | bool) -> str:
    """The value of an option as the address writes it."""
    return value if isinstance(value, str) else str(value).lower()


def follow(moved: Callable[[], None]) -> None:
    """Call `moved` when the visitor goes back or forth in the browser's history."""
    with st.container(key="history"):
        _component()(key="address", on_moved_change=moved)


def _options(said: Mapping[str, str]) -> tuple[tuple[str, str | bool], ...]:
    switches: dict[str, str | bool] = {"true": True, "false": False}
    named = {name.removeprefix(_OPTION): value for name, value in said.items() if name.startswith(_OPTION)}
    return tuple(sorted((name, switches.get(value, value)) for name, value in named.items()))


def _within(name: str, segment: int, output: Output | None) -> dict[str, str]:
    return ({name: str(segment)} if segment > 1 else {}) | _said(output or Output())


def _said(output: Output) -> dict[str, str]:
    said = {name: str(value) for name, value in output.settings().items() if name != "prefix"}
    if output.prefix:
        said["prefix"] = ".".join(map(str, output.prefix))
    if output.beside and said:
        said["beside"] = "true"
    return said if len(said.get("target", "")) < LONGEST_TEXT else {}


def _number(text: str, digits: int) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component("xattn_viz_address", js=_SCRIPT)
