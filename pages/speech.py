"""Hear speech written down, and see for each word the moment of sound that it came from."""

from __future__ import annotations

from xattn_viz.app import sound_page, trace_page

trace_page.show(sound_page.KIND)
