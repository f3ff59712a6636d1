"""A prompt on its way into the text encoder: the weights that it gives its words, its tokens, and an axis for the maps.

People write a weight as for other models that draw: "a (blue:1.5) circle".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from math import isinf, isnan, log
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor

from xattn_viz.core.axis import Axis
from xattn_viz.core.tokens import Span, word_spans
from xattn_viz.inputs import InputError
from xattn_viz.inputs.text import check_text
from xattn_viz.models.engine.results import Tokens
from xattn_viz.models.families.diffusion import MOST_WEIGHT
from xattn_viz.shapes import prompts, sentence

PADDING = "padding"
_MOST_LISTED = 10  # faults of a kind
_LONGEST = 24  # characters that a number may have
_SHOWN = 40  # characters of a weight in a sentence about it
_BARE = re.compile(r":[-+\u2212]?[.\d]\S{0,23}", re.ASCII)


@dataclass(frozen=True)
class WeightedPrompt:
    """A prompt as the model reads it, `plain`, and where each of its characters stands in what was typed.

    `factors` says how many times as much each character of `plain` weighs. `faults` are the weights that cannot be,
    each as it was typed and why.
    """

    plain: str
    places: tuple[int, ...]
    factors: tuple[float, ...]
    faults: tuple[str, ...] = ()

    def typed(self, spans: Sequence[Span]) -> tuple[Span, ...]:
        """Spans of `plain` as spans of what was typed, without the white space that a token begins or ends with."""
        return tuple(map(self._typed, spans))

    def _typed(self, span: Span) -> Span:
        start, end = span
        covered = self.plain[start:end]
        start, end = end - len(covered.lstrip()), start + len(covered.rstrip())
        return (self.places[start], self.places[end - 1] + 1) if end > start else (self.places[start],) * 2

    def factor(self, span: Span) -> float:
        """The factor of a token that covers a span of `plain`; 1 unless the prompt says otherwise."""
        return next((factor for factor in self.factors[slice(*span)] if factor != 1), 1.0)


@dataclass
class _Bracket:
    """Where a bracket opens, its last colon that is in no other one, and where it closes; -1 for what is missing."""

    start: int
    colon: int = -1
    end: int = -1
    is_around: bool = False  # another weight


def read_weights(text: str, *, has_brackets: bool = True) -> WeightedPrompt:
    """Read what was typed, each character once.

    Brackets with a number behind their last colon are a weight. All others are text where `has_brackets` says that the
    model reads such signs; where not, those with a colon are a weight that went wrong, and a number behind any other
    colon is one without brackets.
    """
    is_text = bytearray(b"\1") * len(text)
    weights: list[_Bracket] = []  # of those around each other the outermost
    for bracket in _brackets(text):
        is_weight = bracket.colon >= 0 and (not has_brackets or _number(text, bracket) is not None)
        if not is_weight or not is_text[bracket.start]:
            continue
        _strike(is_text, bracket.start, bracket.start + 1)
        _strike(is_text, bracket.colon, len(text) if bracket.end < 0 else bracket.end + 1)
        if weights and (weights[-1].end < 0 or bracket.start < weights[-1].end):
            weights[-1].is_around = True
        else:
            weights.append(bracket)
    factors, faults = [1.0] * len(text), list[str]()
    for weight in weights:
        if why := _fault(text, weight):
            faults.append(f"{_shown(text, weight.start, weight.end)}, {why}")
        else:
            factors[weight.start : weight.colon] = [_number(text, weight) or 0.0] * (weight.colon - weight.start)
    if not has_brackets:
        for bare in _BARE.finditer(text):
            if is_text[bare.start()]:
                faults.append(f"{bare[0]!r}, which stands in no brackets with its word")
                _strike(is_text, *bare.span())
    places = [*compress(range(len(text)), is_text)]
    plain, of_plain = "".join(text[i] for i in places), tuple(factors[i] for i in places)
    return WeightedPrompt(plain, (*places, len(text)), of_plain, tuple(faults))


def _strike(is_text: bytearray, start: int, end: int) -> None:
    is_text[start:end] = bytes(end - start)


def _brackets(text: str) -> list[_Bracket]:
    """All brackets that open, in their order."""
    found: list[_Bracket] = []
    still_open: list[_Bracket] = []
    for place, sign in enumerate(text):
        if sign == "(":
            found.append(_Bracket(place))
            still_open.append(found[-1])
        elif sign == ":" and still_open:
            still_open[-1].colon = place
        elif sign == ")" and still_open:
            still_open.pop().end = place
    return found


def _number(text: str, bracket: _Bracket) -> float | None:
    """What stands between the colon and the end, as a number; None where it is none."""
    if not 0 <= bracket.end - bracket.colon <= _LONGEST:
        return None
    try:
        return float(text[bracket.colon + 1 : bracket.end].replace("\u2212", "-").replace("\u221e", "inf"))
    except ValueError:
        return None


def _fault(text: str, weight: _Bracket) -> str:
    """Why a weight cannot be; empty where it can."""
    factor = _number(text, weight)
    if weight.end < 0:
        return "whose bracket is not closed"
    if weight.is_around:
        return "which stands around another weight"
    if factor is None or isnan(factor):
        return "which is no number"
    if isinf(factor):
        return "which is infinite"
    if not 0 <= factor <= MOST_WEIGHT:
        return "which is negative" if factor < 0 else "which is too much"
    has_word = any(not (sign.isspace() or sign in "(:)") for sign in text[weight.start : weight.colon])
    return "" if has_word else "which weighs no word"


def _shown(text: str, start: int, end: int) -> str:
    stop = len(text) if end < 0 else end + 1
    return repr(text[start:stop] if stop - start <= _SHOWN else f"{text[start : start + _SHOWN]}…")


@dataclass(frozen=True)
class Prompt:
    """A prompt that was read: its tokens without padding, and the ids `[1, token]` with it.

    `mask` `[1, token]` is 0 at padding, None where the model looks at padding as at everything else. `factors` says of
    each token how much more it shall weigh than it does, by what the prompt itself says. `note` says what the model
    read where that is not what was typed, `plain` is what was typed without such weights.
    """

    tokens: Tokens
    ids: Tensor
    mask: Tensor | None
    factors: tuple[float, ...]
    note: str = ""
    plain: str = ""

    @property
    def text(self) -> str:
        """What was typed."""
        return self.tokens.text

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

    def fold(self, weights: Tensor, put_together: Callable[..., Tensor]) -> Tensor:
        """Weights `[..., position]` as the axis has them: padding is one position, or left out where it is masked."""
        own, padding = weights[..., : self.count], weights[..., self.count :]
        return torch.cat([own, put_together(padding, -1, keepdim=True)], -1) if self.is_padded else own

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


@dataclass(frozen=True)
class Joined:
    """One prompt as several text encoders read it, their tokens one behind the other: each by its encoder's name.

    It does what a `Prompt` does; `text` is what was typed. Words are counted in each part anew, and a word's number
    means it in all of them.
    """

    parts: Mapping[str, Prompt]
    text: str

    @property
    def plain(self) -> str:
        """What was typed, without the weights of words."""
        return next(iter(self.parts.values())).plain

    @property
    def note(self) -> str:
        """As `Prompt.note`."""
        return next(iter(self.parts.values())).note

    @property
    def length(self) -> int:
        """How many positions there are, with padding."""
        return sum(part.ids.shape[1] for part in self.parts.values())

    def axis(self) -> Axis:
        """The tokens of all parts, padding as one position of each."""
        axes = {name: part.axis() for name, part in self.parts.items()}
        if len(axes) == 1:
            return next(iter(axes.values()))
        labels, words, special, stretches = list[str](), list[int](), list[bool](), list[tuple[str, int, int]]()
        for name, axis in axes.items():
            stretches.append((name, len(labels), len(labels) + len(axis)))
            words += [word + (words[-1] + 1 if words else 0) for word in (axis.words or ())]
            labels += [f"{name}: {label}" if label == PADDING else label for label in axis.labels or ()]
            special += axis.is_special.tolist()
        return Axis("text", tuple(labels), words=tuple(words), special=tuple(special), parts=tuple(stretches))

    def fold(self, weights: Tensor, put_together: Callable[..., Tensor]) -> Tensor:
        """As `Prompt.fold`, of each part."""
        pieces = torch.split(weights, [part.ids.shape[1] for part in self.parts.values()], -1)
        return torch.cat([p.fold(w, put_together) for p, w in zip(self.parts.values(), pieces, strict=True)], -1)

    def bias(self, weights: Mapping[int, float]) -> Tensor | None:
        """As `Prompt.bias`; a part that read nothing has no words to weigh."""
        found = [(part, part.bias(weights) if part.count else None) for part in self.parts.values()]
        if all(bias is None for _, bias in found):
            return None
        return torch.cat([torch.zeros(part.ids.shape[1]) if bias is None else bias for part, bias in found])


def unread(length: int) -> Prompt:
    """What stands for a text encoder that is not there: so many positions that hold nothing."""
    return Prompt(Tokens("", (), (), (), ()), torch.zeros(1, length, dtype=torch.long), None, ())


class Words:
    """A model's tokenizer, for its text encoder of `length` positions, of which `most` are for tokens of a prompt.

    `masked`: padding is not looked at.
    """

    def __init__(self, tokenizer: Any, length: int, *, masked: bool) -> None:
        self._tokenizer: Tokenizer = tokenizer.backend_tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True  # what someone types is text, even where it looks like a token
        self._pad, self._length, self._masked = int(tokenizer.pad_token_id), length, masked
        self.most = length - self._tokenizer.num_special_tokens_to_add(is_pair=False)
        # A tokenizer of whole words knows those of its list and no signs; any other reads whatever there is.
        known = self._tokenizer.get_vocab().keys() - {*tokenizer.all_special_tokens}
        self._known = sorted(known) if isinstance(self._tokenizer.model, WordLevel) else []

    def read(self, text: object, name: str = "prompt") -> Prompt:
        """Read a prompt, in which "(blue:1.5)" is the word blue, weighing more.

        For a model that knows whole words only, punctuation and capital letters count for nothing, and articles stand
        where it learned them, whatever was typed. Raises InputError where the prompt is empty or too long, or holds
        words that the model does not know or weights that cannot be: all of that at once.
        """
        typed = check_text(text, name)
        if fault := sentence.too_long(typed, f"The {name}"):
            raise InputError(fault)
        said = read_weights(typed, has_brackets=not self._known)
        words = self._words(said)
        tokens = self._tokens(said) if words is None else self._whole_words(words)
        if faults := [*self._faults(said, words, tokens, name)]:
            raise InputError(" ".join(faults))
        factors = tuple(map(said.factor, tokens.spans))
        read = self._padded(replace(tokens, text=typed, spans=said.typed(tokens.spans)), factors)
        return replace(read, note=_note(said, words), plain=said.plain)

    def read_without(self, text: object) -> Prompt:
        """Read what the picture shall not show, or nothing at all, to guide away from. Raises InputError as `read`."""
        if text != "":
            return self.read(text, "negative prompt")
        tokens = self._tokens(read_weights(""))
        return self._padded(tokens, (1.0,) * len(tokens.ids))

    def _tokens(self, said: WeightedPrompt) -> Tokens:
        """The tokens of a text as they come, special ones covering nothing."""
        found = self._tokenizer.encode(said.plain)
        special = tuple(bool(mark) for mark in found.special_tokens_mask)
        # A mark of a space that is a piece of its own covers nothing; tokenizers of T5 say the letter behind it.
        pairs = zip(found.tokens, found.offsets, strict=True)
        spans = tuple((start, start) if piece == "▁" else (start, end) for piece, (start, end) in pairs)
        return Tokens(said.plain, tuple(found.ids), spans, tuple(found.tokens), special)

    def _words(self, said: WeightedPrompt) -> list[sentence.Word] | None:
        """The words of a text as a model of whole words learned them; None where it reads any text."""
        if not self._known:
            return None
        words = sentence.words(said.plain)
        return prompts.with_articles(words) if {*prompts.PROMPT_WORDS} <= {*self._known} else words

    def _whole_words(self, words: Sequence[sentence.Word]) -> Tokens:
        """A token for each word. An article that was left out covers nothing and is special, as it was not typed."""
        known = {*self._known}
        read = [word.text if word.text in known else self._known[0] for word in words]  # those unknown are counted too
        found = self._tokens(read_weights(" ".join(read)))
        own = iter((word.start, word.end) for word in words)
        spans = tuple((0, 0) if special else next(own) for special in found.special)
        return replace(found, spans=spans, special=tuple(start == end for start, end in spans))

    def _faults(
        self, said: WeightedPrompt, words: Sequence[sentence.Word] | None, tokens: Tokens, name: str
    ) -> Iterator[str]:
        """All that is wrong with a prompt, a sentence for each kind of fault."""
        if unknown := sentence.unknown(words or (), self._known):
            known = ", ".join(self._known)
            yield f"The {name} holds words that this model does not know: {unknown}. It knows {known}."
        if said.faults:
            got = "; ".join(said.faults[:_MOST_LISTED])
            yield f"A word weighs from 0 to {MOST_WEIGHT:g} times as much: got {got}."
        own, typed = len(tokens.ids) - (self._length - self.most), sum(not special for special in tokens.special)
        if own > self.most:
            lacks = f", {own:,} with the articles that it lacks" if own > typed else ""
            yield f"The {name} has {typed:,} tokens{lacks}; this model reads at most {self.most}: shorten it."
        if all(tokens.special):
            yield f"The {name} holds nothing that the model can read: type at least one word."

    def _padded(self, tokens: Tokens, factors: tuple[float, ...]) -> Prompt:
        count = len(tokens.ids)
        ids = torch.full((1, self._length), self._pad)
        ids[0, :count] = torch.tensor(tokens.ids)
        mask = (torch.arange(self._length) < count).long()[None] if self._masked else None
        return Prompt(tokens, ids, mask, factors)


def _note(said: WeightedPrompt, words: Sequence[sentence.Word] | None) -> str:
    """What the model read, where articles were put in or changed."""
    read, typed = [word.text for word in words or ()], [word.text for word in sentence.words(said.plain)]
    return "" if words is None or read == typed else f"Articles are not as typed: the model read “{' '.join(read)}”."
