"""Change cross-attention and watch what follows: one page of small lessons, each computed by the layer itself."""

from __future__ import annotations

from xattn_viz.app import layer, page

page.begin(None, "Layer")
layer.show()
