"""The explorer's ES modules joined into the one script that a component or a page can hold.

The modules import each other by relative name and nothing else, so that joining them is putting them one after the
other without those lines, and without the comments about types; names are unique across them, which the browser itself
enforces.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

ENTRY = "explorer.js"
STYLES = ("explorer.css", "sound.css")
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)
# A third of the source is about types, for the reader and the checker; Streamlit sends the script with every change.
_TYPES = re.compile(r"^ */\*\*(?:[^*]|\*(?!/))*\*/\n", re.MULTILINE)


@cache
def script() -> str:
    """The whole script as one ES module; its default export mounts the explorer."""
    joined: dict[str, str] = {}
    _collect(ENTRY, joined)
    return "\n".join(joined.values())


@cache
def css() -> str:
    """The explorer's style sheets, joined."""
    return "\n".join(map(_read, STYLES))


def _collect(name: str, joined: dict[str, str]) -> None:
    if name in joined:
        return
    source = _read(name)
    for needed in _IMPORT.findall(source):
        _collect(needed, joined)
    joined[name] = _TYPES.sub("", _EXPORT.sub("", _IMPORT.sub("", source)))


def _read(name: str) -> str:
    return (files("xattn_viz.explorer") / name).read_text(encoding="utf-8")
