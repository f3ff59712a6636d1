"""Which files of the package one visit goes through: a sentence is typed on the page Translate, and traced anew.

A file counts where a function of it runs (its imports do not). `python -m scripts.visit` prints three lists: before the
model is asked, inside the model, and on the way to the screen, with how many of those are of the page.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "xattn_viz"
PHASES = ("before the model is asked", "inside the model", "on the way to the screen")
_ASKED = {"trace", "traces"}  # the methods of an adapter that run a model
FIRST, SENTENCE = "A small dog slept near the door.", "My old friend sold the red boat."


class Watch:
    """The files of the package in which functions run, by phase; for `threading.setprofile`."""

    def __init__(self) -> None:
        self.files: dict[str, set[str]] = defaultdict(set)
        self._is_asked = False
        self._inside = threading.local()  # how many calls deep this thread is in a model

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Note one call or return."""
        code = frame.f_code
        if event not in ("call", "return") or not code.co_filename.startswith(str(PACKAGE)):
            return
        name = Path(code.co_filename).relative_to(PACKAGE).as_posix()
        depth = getattr(self._inside, "depth", 0)
        is_model = name.startswith("models/") and code.co_name in _ASKED
        if event == "return":
            self._inside.depth = depth - is_model
            return
        self._inside.depth = depth + is_model
        self._is_asked |= is_model
        if code.co_flags & inspect.CO_OPTIMIZED:  # a function: modules and classes run when they are imported
            is_inside = depth + is_model and not name.startswith("app/")  # a page may be told how far it is
            self.files[PHASES[1 if is_inside else 2 if self._is_asked else 0]].add(name)


def visit(first: str = FIRST, sentence: str = SENTENCE) -> dict[str, list[str]]:
    """The files that tracing a typed sentence goes through, by phase; another one before it warms the model up."""
    app = AppTest.from_file(ROOT / "app.py", default_timeout=300).run()
    _translate(app, first)
    watch = Watch()
    threading.setprofile(watch)
    try:
        _translate(app, sentence)
    finally:
        threading.setprofile(None)
    if app.exception:
        raise RuntimeError(f"The page failed: {app.exception}")
    return {phase: sorted(watch.files[phase]) for phase in PHASES}


def _translate(app: AppTest, text: str) -> None:
    app.text_area(key="text").set_value(text)
    next(button for button in app.button if button.label == "Translate").click().run()


def main() -> int:
    """Print the lists and their lengths."""
    found = visit()
    for phase, files in found.items():
        page = sum(name.startswith("app/") for name in files)
        print(f"{phase}: {len(files)} files{f', {page} of them of the page' if page else ''}")
        print("".join(f"  {name}\n" for name in files))
    return 0


if __name__ == "__main__":
    sys.exit(main())
