"""What attention is, idea by idea, each with a small explorer to try it in."""

from __future__ import annotations

from xattn_viz.app import about, page

page.begin(None, "About")
about.show()
