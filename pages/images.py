"""See what a captioner looks at in a picture while it writes each word."""

from __future__ import annotations

from xattn_viz.app import picture_page, trace_page

trace_page.show(picture_page.KIND)
