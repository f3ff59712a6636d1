"""Hear speech written down, and see for each word the moment of sound that it came from."""

from __future__ import annotations

from xattn_viz.ui import kind, page, reading

page.begin(kind.AUDIO)
reading.show()
