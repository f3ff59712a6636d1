"""Tokens with the text that they are of: from text to ids and back, and which characters each token covers.

Tokenizers of transformers hold settings (languages, side) and are not safe to share between threads, so one lock
guards each.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from transformers import FSMTTokenizer

from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import Span, span_labels, whole_graphemes, word_indices
from xattn_viz.models.engine.offsets import (
    BROKEN,
    bare,
    decoded_spans,
    followed_spans,
    in_order,
    moses_spans,
    sentencepiece_spans,
)


@dataclass(frozen=True)
class Tokens:
    """A text with its token ids and, for each, what it covers (start, end), its piece, and whether it is special."""

    text: str
    ids: tuple[int, ...]
    spans: tuple[Span, ...]
    pieces: tuple[str, ...]
    special: tuple[bool, ...]

    def axis(self) -> Axis:
        """The tokens as an axis, labelled with what they cover in the text."""
        spans = whole_graphemes(self.text, self.spans)
        return Axis(
            "text",
            labels=span_labels(self.text, spans, (bare(piece) or " " for piece in self.pieces)),
            spans=spans,
            words=word_indices(self.text, spans, self.special),
            special=self.special,
        )

    def read(self, start: int, piece: str) -> Tokens:
        """The tokens read at each step: the start, whose piece is given, then each of these but the last."""
        return Tokens(
            self.text,
            (start, *self.ids[:-1]),
            ((0, 0), *self.spans[:-1]),
            (piece, *self.pieces[:-1]),
            (True, *self.special[:-1]),
        )

    def part(self, start: int, end: int | None = None) -> Tokens:
        """Some of the tokens, with all of the text."""
        some = slice(start, end)
        return Tokens(self.text, self.ids[some], self.spans[some], self.pieces[some], self.special[some])

    def behind(self, prompt: int) -> Tokens:
        """The same with text and spans counted from behind a prompt of so many characters, whose tokens are special."""
        if not prompt:
            return self
        spans = tuple((max(a - prompt, 0), max(b - prompt, 0)) for a, b in self.spans)
        special = tuple(own or b <= prompt for own, (_, b) in zip(self.special, self.spans, strict=True))
        return Tokens(self.text[prompt:], self.ids, spans, self.pieces, special)


class Text:
    """The tokenizer of one model."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer, self._lock = tokenizer, threading.Lock()
        self._of_target = _of_target(tokenizer)
        # M2M100 and PLBart do not always count their languages as special.
        self._languages = frozenset(
            (*getattr(tokenizer, "id_to_lang_token", ()), *getattr(tokenizer, "id_to_lang_code", ()))
        )
        # A model often has more outputs than its tokenizer has tokens, to round their number up.
        self._known = 1 + max(*self._of_target.get_vocab().values(), *self._languages)
        self.readable = lru_cache(maxsize=20_000)(self._readable)

    def source(self, text: str, *, prompt: str = "", language: str | None = None) -> Tokens:
        """The tokens of a source text as the encoder reads them; `prompt` (a task, say) stands before it.

        The tokens of the prompt are special and cover nothing of the text.
        """
        with self._lock:
            if language is not None:
                self._tokenizer.src_lang = language
            tokens = self._encode(prompt + text)
        return tokens.behind(len(prompt))

    def target(self, text: str, *, language: str | None = None) -> Tokens:
        """The tokens of a target text as labels, special ones included."""
        with self._lock:
            if language is not None:
                self._tokenizer.tgt_lang = language
            return self._encode(text, target=True)

    def output(self, ids: Sequence[int], begin: Tokens | None = None) -> Tokens:
        """The text of ids that a model chose, without the special ones, and what each covers in it."""
        with self._lock:
            text, spans = decoded_spans(ids, lambda some: self._decode(some, skip=True))
        return Tokens(text, tuple(ids), tuple(spans), tuple(map(self.piece, ids)), self._special(ids))

    def plain(self, ids: Sequence[int]) -> str:
        """Only the text of ids, without the special ones."""
        with self._lock:
            return self._decode(ids, skip=True)

    def piece(self, token: int) -> str:
        """The tokenizer's own name of an id; its number where it has none."""
        return str(self._tokenizer.convert_ids_to_tokens(token)) if token < self._known else f"#{token}"

    def _readable(self, token: int) -> str:
        """What an id says to people: its text, or its piece where it has none by itself."""
        with self._lock:
            text = self._decode([token], skip=False).strip()
        return text if text and BROKEN not in text else bare(self.piece(token)) or " "

    def _decode(self, ids: Sequence[int], *, skip: bool) -> str:
        ids = [i for i in ids if i < self._known and not (skip and i in self._languages)]
        return str(self._tokenizer.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=False))

    def _special(self, ids: Sequence[int]) -> tuple[bool, ...]:
        special = {*self._tokenizer.all_special_ids, *self._languages} - {self._tokenizer.unk_token_id}
        return tuple(i in special for i in ids)

    def _encode(self, text: str, *, target: bool = False) -> Tokens:
        tokenizer = self._of_target if target else self._tokenizer
        side: dict[str, Any] = {"text_target" if target else "text": text, "truncation": False, "verbose": False}
        if tokenizer.is_fast:
            found = tokenizer(**side, return_offsets_mapping=True, return_special_tokens_mask=True)
            ids, added = found["input_ids"], [bool(mark) for mark in found["special_tokens_mask"]]
            pieces = tokenizer.convert_ids_to_tokens(ids)
            # A lone mark of a space is reported to cover the character behind it as well.
            pairs = zip(found["offset_mapping"], pieces, strict=True)
            spans = [(start, end if bare(piece) else start) for (start, end), piece in pairs]
        else:
            ids = tokenizer(**side)["input_ids"]
            target = target and hasattr(tokenizer, "_switch_to_target_mode")
            if target:
                tokenizer._switch_to_target_mode()
            try:
                pieces, spans, added = _follow(tokenizer, text, ids)
            finally:
                if target:
                    tokenizer._switch_to_input_mode()
        special = tuple(a or b for a, b in zip(added, self._special(ids), strict=True))
        return Tokens(text, tuple(ids), tuple(in_order(spans, added, len(text))), tuple(map(str, pieces)), special)


def _follow(tokenizer: Any, text: str, ids: Sequence[int]) -> tuple[list[str], list[Span], list[bool]]:
    """Pieces, spans and which tokens the tokenizer added by itself, where it does not say."""
    pieces: list[str] = tokenizer.tokenize(text)
    own = tokenizer.convert_tokens_to_ids(pieces)
    added_ids = range(max(len(ids) - len(own), 0) + 1)  # few: what the tokenizer puts around a text
    before = next((i for i in added_ids if list(ids[i : i + len(own)]) == own), 0)
    after = len(ids) - before - len(own)
    names = [*tokenizer.convert_ids_to_tokens(list(ids[:before])), *pieces]
    names += tokenizer.convert_ids_to_tokens(list(ids[len(ids) - after :])) if after else []
    added = [*[True] * before, *[False] * len(own), *[True] * after]
    return names, [*[(0, 0)] * before, *_own_spans(tokenizer, text, pieces), *[(0, 0)] * after], added


def _own_spans(tokenizer: Any, text: str, pieces: Sequence[str]) -> list[Span]:
    processor = getattr(tokenizer, "current_spm", None) or getattr(tokenizer, "sp_model", None)
    found: list[tuple[str, Span]] = []
    if processor is not None:
        found = sentencepiece_spans(tokenizer, processor, text)
    elif isinstance(tokenizer, FSMTTokenizer):
        found = moses_spans(tokenizer, text)
    if found and [piece for piece, _ in found] == list(pieces):
        return [span for _, span in found]
    return followed_spans(text, pieces, tokenizer.convert_tokens_to_string)


def _of_target(tokenizer: Any) -> Any:
    """The tokenizer of the text that is written: FSMT's reads with the source's vocabulary and writes with another."""
    if not isinstance(tokenizer, FSMTTokenizer):
        return tokenizer
    target = copy.copy(tokenizer)
    target.encoder = {piece: i for i, piece in tokenizer.decoder.items()}
    target.src_lang = tokenizer.tgt_lang
    return target
