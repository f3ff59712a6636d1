"""Translate a sentence and see which source words each output token looked at."""

from __future__ import annotations

from xattn_viz.app import text_page, trace_page

trace_page.show(text_page.KIND)
