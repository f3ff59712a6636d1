"""Watch a picture form from a prompt, and see which word went where."""

from __future__ import annotations

from xattn_viz.app import kind, page, reading

page.begin(kind.PROMPT)
reading.show()
