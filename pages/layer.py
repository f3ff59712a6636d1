"""Change cross-attention and watch what follows: one page of small lessons, each computed by the layer itself."""

from __future__ import annotations

from xattn_viz.app import page
from xattn_viz.app.layer import sections

page.begin(None)
sections.show()
