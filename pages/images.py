"""See what a captioner looks at in a picture while it writes each word."""

from __future__ import annotations

from xattn_viz.app import kind, page, reading

page.begin(kind.IMAGE)
reading.show()
