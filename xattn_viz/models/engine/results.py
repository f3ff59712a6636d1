"""Between ids and what people see: tokens and the text they are of, maps of what layers did, steps with probabilities.

Tokenizers of transformers hold settings (languages, side) and are not safe to share between threads, so one lock guards
each.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import tokenizers
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor
from transformers import FSMTTokenizer

from xattn_viz.attention.capture import Captured
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import Alteration, AttentionMaps, MapKind, Projections
from xattn_viz.core.tokens import Span, bare, span_labels, whole_graphemes, word_indices
from xattn_viz.core.trace import Alternative, Step
from xattn_viz.models.engine.offsets import (
    BROKEN,
    decoded_spans,
    followed_spans,
    in_order,
    moses_spans,
    sentencepiece_spans,
)
from xattn_viz.models.provenance import Settings

#: What a checkpoint of transformers runs on.
LIBRARIES: tuple[ModuleType, ...] = (torch, transformers, tokenizers, np)


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


def attention_maps(
    kind: MapKind,
    layers: list[Captured],
    queries: Axis,
    keys: Axis,
    read: Axis | None,
    settings: Settings,
    *,
    altered: Sequence[Alteration] = (),
) -> AttentionMaps:
    """What the layers did with the one item of the batch, as maps. Empties `layers`: none is ever held twice.

    `altered` is what was done to their weights already. Weights that were put together have no queries and keys.
    """
    kept = projections(layers) if layers[0].queries is not None else None
    numbers = tuple(range(len(layers)))
    first = layers[0].weights[0].numpy()
    weights = np.empty((len(layers), *first.shape), first.dtype)
    for number in numbers:
        weights[number] = layers.pop(0).weights[0].numpy()
    weights.flags.writeable = False  # else the maps would copy it
    is_ablated = any(head[0] == kind for head in settings.ablate)
    return AttentionMaps(
        weights,
        queries,
        keys,
        kind,
        numbers,
        read=read,
        projections=kept,
        altered=(*altered, *(("ablated",) if is_ablated else ())),
    )


def projections(layers: Sequence[Captured]) -> Projections:
    """The queries and keys of the one item of the batch, and what was added to their products."""
    q, k = (np.stack([_array(getattr(layer, name)) for layer in layers]) for name in ("queries", "keys"))
    return Projections(q, k, layers[0].scale, _biases(layers))


def _biases(layers: Sequence[Captured]) -> NDArray[np.float32] | None:
    """What was added to the scores, to be broadcast to `[layer, head, query, key]`; None where it was nothing."""
    if all(layer.bias is None for layer in layers):
        return None
    each = [torch.zeros(1, 1, 1) if layer.bias is None else layer.bias for layer in layers]
    # A mask of causality alone is [query, key], another [batch, head, query, key].
    alike = [bias[0] if bias.dim() == 4 else bias.reshape(1, *bias.shape[-2:]) for bias in each]
    return np.stack(np.broadcast_arrays(*(bias.numpy() for bias in alike)))


def _array(tensor: Tensor | None) -> NDArray[np.float32]:
    assert tensor is not None  # noqa: S101 - projections were asked for
    return tensor[0].numpy()


ALTERNATIVES = 5
#: Maps of one kind with more weights than this are kept in float16.
HALF_ABOVE = 16_000_000


def steps(
    logits: Iterable[Tensor],
    chosen: Sequence[int],
    forced: int,
    readable: Callable[[int], str],
    among: Tensor | None = None,
) -> tuple[Step, ...]:
    """The step of each token chosen; of `logits` each is `[id]`, over the whole vocabulary or the ids `among` `[id]`.

    The first `forced` tokens were given; `readable` is what an id says to people. One row at a time is looked at, so
    memory does not grow with their number.
    """
    return tuple(
        _step(row.float().log_softmax(-1), token, place < forced, readable, among)
        for place, (row, token) in enumerate(zip(logits, chosen, strict=True))
    )


def _step(log_probs: Tensor, token: int, forced: bool, readable: Callable[[int], str], among: Tensor | None) -> Step:
    top = log_probs.topk(min(ALTERNATIVES, len(log_probs)))
    ids = top.indices if among is None else among[top.indices]
    column = token if among is None else int(torch.searchsorted(among, token))
    alternatives = zip(ids.tolist(), top.values.tolist(), strict=True)
    return Step(
        readable(token),
        token,
        min(float(log_probs[column]), 0.0),
        # What is ruled out has no probability, and is no alternative.
        tuple(Alternative(readable(i), i, min(p, 0.0)) for i, p in alternatives if p > float("-inf")),
        forced,
    )
