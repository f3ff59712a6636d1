"""A prompt on its way into the text encoder: as tokens, padded, with an axis for the maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Any

import torch
from tokenizers import Tokenizer, normalizers
from torch import Tensor

from xattn_viz.axis import Axis
from xattn_viz.models.base import InputError
from xattn_viz.models.diffusion.weighing import weighed
from xattn_viz.models.segments import check_text
from xattn_viz.models.tokens import Tokens
from xattn_viz.tokens import word_spans

PADDING = "padding"


@dataclass(frozen=True)
class Prompt:
    """A prompt that was read: its tokens without padding, and the ids `[1, token]` with it.

    `mask` `[1, token]` is 0 at padding, None where the model looks at padding as at everything else. `factors` says of
    each token how much more it shall weigh than it does, by what the prompt itself says.
    """

    tokens: Tokens
    ids: Tensor
    mask: Tensor | None
    factors: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many tokens there are before the padding."""
        return len(self.tokens.ids)

    @property
    def is_padded(self) -> bool:
        """Whether the model looks at padding behind the tokens."""
        return self.mask is None and self.ids.shape[1] > self.count

    def axis(self) -> Axis:
        """The tokens as the keys of maps; all padding that is looked at is one special key behind them."""
        tokens = self.tokens
        if not self.is_padded:
            return tokens.axis()
        end = (len(tokens.text), len(tokens.text))
        return Tokens(
            tokens.text,
            (*tokens.ids, int(self.ids[0, -1])),
            (*tokens.spans, end),
            (*tokens.pieces, PADDING),
            (*tokens.special, True),
        ).axis()

    def bias(self, weights: Mapping[int, float]) -> Tensor | None:
        """What to add to the scores `[token]`, so that each of these words weighs as many times as much as it did.

        Words are counted from 0. What the prompt itself says is multiplied with it. Raises InputError for a word that
        the prompt does not have.
        """
        if not weights and set(self.factors) <= {1.0}:
            return None
        words = word_spans(self.tokens.text)
        bias = torch.zeros(self.ids.shape[1])
        bias[: self.count] = torch.tensor(self.factors).log()
        for word, factor in weights.items():
            if not 0 <= word < len(words):
                raise InputError(f"There is no word {word} to weigh: the prompt has words 0 to {len(words) - 1}.")
            start, end = words[word]
            for token, (a, b) in enumerate(self.tokens.spans):
                if a < end and b > start and not self.tokens.special[token]:
                    bias[token] += log(factor) if factor else -torch.inf
        return bias


class Words:
    """A model's tokenizer, for its text encoder of `length` positions; `masked`: padding is not looked at."""

    def __init__(self, tokenizer: Any, length: int, *, masked: bool) -> None:
        self._tokenizer: Tokenizer = tokenizer.backend_tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True  # what someone types is text, even where it looks like a token
        self._pad, self._length, self._masked = int(tokenizer.pad_token_id), length, masked
        special = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}
        self._unknown = None if tokenizer.unk_token_id in special else tokenizer.unk_token_id
        self._names = {*tokenizer.all_special_tokens}
        if self._unknown is not None:  # its words are few, and written small
            self._tokenizer.normalizer = normalizers.Lowercase()

    def read(self, text: object, name: str = "prompt") -> Prompt:
        """Read a prompt, in which "(blue:1.5)" is the word blue, weighing more.

        Raises InputError where it is empty, too long, or holds words that the model does not know.
        """
        typed = check_text(text, name)
        said = weighed(typed)
        read = self._read(said.plain, name)
        tokens = replace(read.tokens, text=typed, spans=said.typed(read.tokens.spans))
        factors = tuple(
            1.0 if special else said.factor(span)
            for span, special in zip(read.tokens.spans, tokens.special, strict=True)
        )
        return replace(read, tokens=tokens, factors=factors)

    def read_without(self, text: object) -> Prompt:
        """Read what the picture shall not show, or nothing at all, to guide away from. Raises InputError as `read`."""
        return self._read("", "") if text == "" else self.read(text, "negative prompt")

    def _read(self, text: str, name: str) -> Prompt:
        found = self._tokenizer.encode(text)
        special = tuple(bool(mark) for mark in found.special_tokens_mask)
        own = len(found.ids) - sum(special)
        if text and not own:
            raise InputError(f"The {name} holds nothing that the model can read: type at least one word.")
        if len(found.ids) > self._length:
            most = self._length - sum(special)
            raise InputError(f"The {name} has {own:,} tokens; this model reads at most {most}: shorten it.")
        self._check_known(text, name, found)
        ids = torch.full((1, self._length), self._pad)
        ids[0, : len(found.ids)] = torch.tensor(found.ids)
        mask = (torch.arange(self._length) < len(found.ids)).long()[None] if self._masked else None
        tokens = Tokens(text, tuple(found.ids), tuple(found.offsets), tuple(found.tokens), special)
        return Prompt(tokens, ids, mask, (1.0,) * len(tokens.ids))

    def _check_known(self, text: str, name: str, found: Any) -> None:
        unknown = dict.fromkeys(
            text[start:end]
            for token, (start, end) in zip(found.ids, found.offsets, strict=True)
            if token == self._unknown
        )
        if unknown:
            known = sorted(self._tokenizer.get_vocab().keys() - self._names)
            some = ", ".join(repr(word[:40]) for word in list(unknown)[:10]) + (", …" if len(unknown) > 10 else "")
            raise InputError(
                f"The {name} holds words that this model does not know: {some}. It knows {', '.join(known)}."
            )
