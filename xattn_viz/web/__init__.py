"""What runs in the browser: the ES modules of a component, joined into the one script that a page can hold.

The modules import each other by relative name and nothing else, so that joining them is putting them one after the
other without those lines; names are unique across them, which the browser itself enforces. What is sent has no comments
and no indentation (`rjsmin`, `rcssmin`). A component is a folder of this package, with what packs its data; it may use
modules of another one.

A page whose data never changes can be given the explorer without the parts that only other data need (`SELDOM`). In
their place stands what `explorer/absent.js` says of each name that the rest takes from them.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from importlib.resources import files

import rcssmin
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
    "subtitles": (_BASE, "subtitles/subtitles.css"),
    "stepper": (_BASE, "explorer/talk.css", "stepper/stepper.css"),
}
#: Parts of the explorer that few traces need, each with the beginnings of its files.
SELDOM = {
    "beams": ("explorer/controls/beams.js",),
    "comparison": ("explorer/text/changes.js",),
    "picture": ("explorer/picture/",),
    "sound": ("explorer/sound/",),
    "steps": ("explorer/controls/stepping.js",),
    "story": ("explorer/controls/story.js",),
}
_ABSENT = "explorer/absent.js"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.\.?/[\w/.-]+\.js)";\n', re.MULTILINE)
_STANDS_IN = re.compile(r"^export (const (\w+) = .*?;\n)(?=\n|\Z)", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


@cache
def script(component: str = "explorer", *more: str, without: frozenset[str] = frozenset()) -> str:
    """The whole script of a component as one ES module; its default export mounts it. `more` are other modules.

    `without` names parts of the explorer (`SELDOM`) to leave out. Half of the source is about types, for the reader and
    the checker, or indentation; Streamlit sends the script with every change.
    """
    minified: str = rjsmin.jsmin(source(component, *more, without=without))
    return minified


def source(component: str = "explorer", *more: str, without: frozenset[str] = frozenset()) -> str:
    """The same as people wrote it. Raises KeyError where nothing stands in for a name of a part that is left out."""
    joined: dict[str, str] = {}
    missing: set[str] = set()
    for path in (f"{component}/{component}.js", *more):
        _collect(path, joined, missing, _left_out(without))
    if missing:
        stands_in = {name: text for text, name in _STANDS_IN.findall(_read(_ABSENT))}
        joined = {name: stands_in[name] for name in sorted(missing | {"missing"})} | joined
    return "\n".join(joined.values())


@cache
def css(component: str = "explorer", *, without: frozenset[str] = frozenset()) -> str:
    """The style sheets of a component, joined, without comments and blanks."""
    sheets = (path for path in STYLES[component] if not path.startswith(_left_out(without)))
    return "\n".join(rcssmin.cssmin(_read(path)) for path in sheets)  # Streamlit takes one line for a file's name


def _left_out(without: frozenset[str]) -> tuple[str, ...]:
    return tuple(path for part in sorted(without) for path in SELDOM[part])


def _collect(path: str, joined: dict[str, str], missing: set[str], left_out: tuple[str, ...]) -> None:
    """Put a module behind all those that it imports; names that it takes from modules left out are `missing`."""
    if path in joined:
        return
    text = _read(path)
    for names, relative in _IMPORT.findall(text):
        needed = posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))
        if needed.startswith(left_out):
            missing.update(re.findall(r"\w+", names))
        else:
            _collect(needed, joined, missing, left_out)
    joined[path] = _EXPORT.sub("", _IMPORT.sub("", text))


def _read(path: str) -> str:
    return (files("xattn_viz.web") / path).read_text(encoding="utf-8")
