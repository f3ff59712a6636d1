"""A hint on its way into a model: its words, the sentence that refuses what the model does not know, and its keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xattn_viz.core.axis import Axis
from xattn_viz.models.base import InputError
from xattn_viz.models.engine.tokens import Text, Tokens
from xattn_viz.models.families.captioner.hinted import HINT_PART, PICTURE_PART
from xattn_viz.shapes import prompts, sentence


class Hints:
    """What a model knows of hints: a tokenizer of whole words, and how many it can read. Threads share it."""

    def __init__(self, tokenizer: Any) -> None:
        self._text, self._most = Text(tokenizer), tokenizer.model_max_length
        self._words = sorted(word for word in tokenizer.get_vocab() if word.isalpha())

    def read(self, hint: str) -> Tokens:
        """The tokens of a hint, between a start and an end, in the form that the model learned (`normalised_hint`).

        Raises InputError for words that the model does not know, each with the nearest that it knows, and for too many.
        """
        if fault := sentence.too_long(hint, "The hint"):
            raise InputError(fault)
        words, faults = prompts.normalised_hint(hint), list[str]()
        if unknown := sentence.unknown((word for word in words if word.text != ","), self._words):
            faults.append(f"The hint says {unknown}, and this model knows only {', '.join(self._words)}.")
        if len(words) > self._most - 2:
            faults.append(f"The hint has {len(words)} words and commas, and this model reads at most {self._most - 2}.")
        if faults:
            raise InputError(" ".join(faults))
        return self._text.source(" ".join(word.text for word in words))

    def ids(self, tokens: Tokens) -> Tensor:
        """What the encoder takes, `[1, token]`."""
        return torch.tensor([tokens.ids])


def beside(patches: Axis, tokens: Tokens) -> Axis:
    """The keys of a picture and a hint: the positions of the picture, and behind them, as another part, the tokens."""
    words, start, end = tokens.axis(), len(patches), len(patches) + len(tokens.ids)
    return replace(
        patches,
        labels=(*(patches.labels or ("",) * start), *(words.labels or ())),
        special=(*patches.is_special.tolist(), *tokens.special),
        parts=((PICTURE_PART, 0, start), (HINT_PART, start, end)),
    )
