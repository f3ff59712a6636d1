"""A hint on its way into a model: its words, the sentence that refuses what the model does not know, and its keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from xattn_viz.axis import Axis
from xattn_viz.models.base import InputError
from xattn_viz.models.captioner.hinted import HINT_PART, PICTURE_PART
from xattn_viz.models.encoder_decoder.text import Text
from xattn_viz.models.tokens import Tokens


class Hints:
    """What a model knows of hints: a tokenizer of whole words, and how many it can read. Threads share it."""

    def __init__(self, tokenizer: Any) -> None:
        self._text, self._unknown, self._most = Text(tokenizer), tokenizer.unk_token_id, tokenizer.model_max_length
        self._words = sorted(word for word in tokenizer.get_vocab() if word.isalpha())

    def read(self, hint: str) -> Tokens:
        """The tokens of a hint, between a start and an end, in small letters and without the full stop behind it.

        Raises InputError for words that the model does not know, naming those that it knows, and for too many.
        """
        tokens = self._text.source(hint.strip().rstrip(". ").lower())
        unknown = [tokens.text[a:b] for (a, b), i in zip(tokens.spans, tokens.ids, strict=True) if i == self._unknown]
        if unknown:
            listed = ", ".join(f"“{word}”" for word in dict.fromkeys(unknown))
            raise InputError(f"The hint says {listed:.200}, and this model knows only {', '.join(self._words)}.")
        if len(tokens.ids) > self._most:
            raise InputError(
                f"The hint has {len(tokens.ids) - 2} words and commas, and this model reads at most {self._most - 2}."
            )
        return tokens

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
