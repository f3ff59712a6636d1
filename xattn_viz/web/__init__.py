"""What runs in the browser: the ES modules of a component, joined into the one script that a page can hold.

The modules import each other by relative name and nothing else, so that joining them is putting them one after the
other without those lines; names are unique across them, which the browser itself enforces. What is sent has no comments
and no indentation (`rjsmin`). A component is a folder of this package, with what packs its data; it may use modules of
another one.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from importlib.resources import files

import rjsmin

_BASE = "explorer/core/base.css"
#: The components, each the folder of its entry `<folder>.js`, and their style sheets.
STYLES = {
    "easel": (_BASE, "easel/easel.css"),
    "evidence": (_BASE, "evidence/evidence.css"),
    "explorer": (
        _BASE,
        "explorer/explorer.css",
        "explorer/sound/sound.css",
        "explorer/picture/picture.css",
        "explorer/talk.css",
    ),
    "guide": (_BASE, "guide/guide.css"),
    "stepper": (_BASE, "explorer/talk.css", "stepper/stepper.css"),
}
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.\.?/[\w/.-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


@cache
def script(component: str = "explorer", *more: str) -> str:
    """The whole script of a component as one ES module; its default export mounts it. `more` are other modules.

    Half of the source is about types, for the reader and the checker, or indentation; Streamlit sends the script with
    every change.
    """
    minified: str = rjsmin.jsmin(source(component, *more))
    return minified


def source(component: str = "explorer", *more: str) -> str:
    """The same as people wrote it."""
    joined: dict[str, str] = {}
    for path in (f"{component}/{component}.js", *more):
        _collect(path, joined)
    return "\n".join(joined.values())


@cache
def css(component: str = "explorer") -> str:
    """The style sheets of a component, joined."""
    return "\n".join(map(_read, STYLES[component]))


def _collect(path: str, joined: dict[str, str]) -> None:
    if path in joined:
        return
    text = _read(path)
    for needed in _IMPORT.findall(text):
        _collect(posixpath.normpath(posixpath.join(posixpath.dirname(path), needed)), joined)
    joined[path] = _EXPORT.sub("", _IMPORT.sub("", text))


def _read(path: str) -> str:
    return (files("xattn_viz.web") / path).read_text(encoding="utf-8")
