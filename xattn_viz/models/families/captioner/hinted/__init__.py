"""Two small models that read a picture and a hint, and differ in how their words look at both.

Both are `caption-shapes` with a text encoder for the hint beside its ViT and a second cross-attention in each layer of
the decoder. In the one, both cross-attentions look at picture and hint as one sequence of keys under one softmax; in
the other the first looks at the picture and the second at the hint. Nothing else is different.
"""

from __future__ import annotations

from typing import Literal

#: How the words of a caption look at picture and hint.
Join = Literal["concatenated", "separate"]
#: The models of this kind by name; the weights of each lie in a folder of that name beside `caption-shapes`.
JOINS: dict[str, Join] = {"hint-concatenated": "concatenated", "hint-separate": "separate"}
#: The parts of the keys.
PICTURE_PART, HINT_PART = "picture", "hint"
