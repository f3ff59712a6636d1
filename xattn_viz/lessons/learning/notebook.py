"""A training as a script for a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from xattn_viz.lessons.learning.training import Setting


def snippet(settings: Iterable[Setting]) -> str:
    """A script that trains what the settings say and prints of the last records what the page says of them."""
    return "\n".join(
        [
            "from xattn_viz.lessons.learning.training import Setting, Training",
            "",
            "settings = [",
            *(f"    {_written(setting)}," for setting in settings),
            "]",
            "for setting in settings:",
            "    for record in Training(setting):",
            "        pass  # record.weights: [layer, head, query, key] of one example",
            "    print(record.step, record.loss, record.outputs, record.on_path)",
        ]
    )


def _written(setting: Setting) -> str:
    """The setting as one would write it: its task, and what differs from the defaults."""
    plain = Setting()
    names = [field.name for field in fields(setting)]
    said = [name for name in names if name == "task" or getattr(setting, name) != getattr(plain, name)]
    return f"Setting({', '.join(f'{name}={getattr(setting, name)!r}' for name in said)})"
