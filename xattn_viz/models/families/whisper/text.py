"""Token ids to text and back, with the characters that each token covers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from tokenizers import Tokenizer

from xattn_viz.models.engine.offsets import BROKEN, bare, decoded_spans
from xattn_viz.models.engine.tokens import Tokens

_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
#: Written without spaces between words, so that a text does not begin with one either (OpenAI's own list).
UNSPACED = frozenset(("zh", "ja", "th", "lo", "my", "yue"))


class Text:
    """The tokenizer of one model. Threads share it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.encode_special_tokens = True  # what someone types is text, also where it looks like a special token
        self._tokenizer = tokenizer
        #: The special tokens and timestamps by name.
        self.special: Mapping[str, int] = {
            str(token.content): i for i, token in tokenizer.get_added_tokens_decoder().items()
        }
        self._special_ids = frozenset(self.special.values())
        self.readable = lru_cache(maxsize=20_000)(self._readable)

    def languages(self) -> dict[str, int]:
        """The tokens of the languages by their code, such as `en`."""
        return {m[1]: i for name, i in self.special.items() if (m := _LANGUAGE.fullmatch(name))}

    def encode(self, text: str, *, space: bool) -> tuple[int, ...]:
        """The ids of a text without special ones; Whisper begins a text with a `space` in most languages."""
        ids = self._tokenizer.encode((" " if space else "") + text.strip(), add_special_tokens=False).ids
        return tuple(ids)

    def output(self, ids: Sequence[int]) -> Tokens:
        """The text of ids, without the special ones and white space around it, and what each covers in it.

        Tokens that make one character only together (bytes) each cover that character.
        """
        text, spans = decoded_spans(ids, self._decode)
        left, right = len(text) - len(text.lstrip()), len(text.rstrip())
        cut = tuple((_clip(a, left, right) - left, _clip(b, left, right) - left) for a, b in spans)
        special = tuple(i in self._special_ids for i in ids)
        return Tokens(text.strip(), tuple(ids), cut, tuple(self.piece(i) for i in ids), special)

    def plain(self, ids: Sequence[int]) -> str:
        """Only the text of ids, without the special ones and white space around it."""
        return self._decode(ids).strip()

    def piece(self, token: int) -> str:
        """The tokenizer's own name of an id."""
        return self._tokenizer.id_to_token(token) or f"<{token}>"

    def _decode(self, ids: Sequence[int]) -> str:
        own = [i for i in ids if i not in self._special_ids and self._tokenizer.id_to_token(i) is not None]
        return str(self._tokenizer.decode(own, skip_special_tokens=False))

    def _readable(self, token: int) -> str:
        """What an id says to people: its text, or its piece where it has none by itself."""
        text = self._decode([token]).strip()
        return text if text and BROKEN not in text else bare(self.piece(token)) or " "


def _clip(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))
