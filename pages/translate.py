"""Translate a sentence and see which source words each output token looked at."""

from __future__ import annotations

from xattn_viz.app import kind, page, reading

page.begin(kind.TEXT)
reading.show()
