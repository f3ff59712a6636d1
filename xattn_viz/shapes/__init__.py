"""Pictures whose truth is known: coloured shapes on paper, what they are called, and a judge that reads them back.

Charts are drawn too (`charts`), and questions asked about both, with the parts that an answer is about (`questions`).

The small image models are trained on these scenes and measured on them; the page lets people draw them.
"""

from xattn_viz.shapes.judge import Found, judge
from xattn_viz.shapes.scene import COLOURS, SHAPES, Scene, Thing, draw
from xattn_viz.shapes.sentence import caption, phrase

__all__ = ["COLOURS", "SHAPES", "Found", "Scene", "Thing", "caption", "draw", "judge", "phrase"]
