"""One small layer of cross-attention, step by step: what goes in, each matrix on the way, what comes out.

>>> from xattn_viz.lessons.steps import from_words, steps
>>> shown = steps(from_words("gato preto", "the black cat"))
>>> shown.weights.shape  # [head, query, key]
(1, 2, 3)
>>> shown.weights[0].argmax(axis=1).tolist()  # "gato" reads "cat", "preto" reads "black"
[2, 1]

Every number is computed by `layer.CrossAttention` itself.
"""

from __future__ import annotations

from xattn_viz.lessons.steps.compute import Steps, steps
from xattn_viz.lessons.steps.real import Given, given
from xattn_viz.lessons.steps.script import snippet
from xattn_viz.lessons.steps.setting import Setting
from xattn_viz.lessons.steps.words import from_words

__all__ = ["Given", "Setting", "Steps", "from_words", "given", "snippet", "steps"]
