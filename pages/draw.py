"""Watch a picture form from a prompt, and see which word went where."""

from __future__ import annotations

from xattn_viz.app import drawing_page, trace_page

trace_page.show(drawing_page.KIND)
