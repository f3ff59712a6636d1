"""A speech recogniser as the engine calls it: its encoder in turns, the language it hears, its tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers.generation import LogitsProcessor

from xattn_viz.attention.capture import Captured, recording
from xattn_viz.attention.interventions import Rows
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import MapKind
from xattn_viz.core.tokens import bare
from xattn_viz.inputs import InputError
from xattn_viz.models.base import Hooks
from xattn_viz.models.engine.network import Run, Source, TransformersNetwork
from xattn_viz.models.engine.offsets import BROKEN, decoded_spans
from xattn_viz.models.engine.results import Tokens
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.provenance import Settings

#: How many neighbouring frames are one position of an encoder map: 0.1 s of Whisper's 0.02 s.
POOLED_FRAMES = 5
_ENCODER_BYTES = 1 << 28  # of encoder maps that lie in memory before they are pooled
_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")
_HOOKS: ContextVar[Hooks | None] = ContextVar("hooks", default=None)


@dataclass(frozen=True)
class SpeechNetwork(TransformersNetwork):
    """Whisper or Moonshine. `never` are ids that the checkpoint rules out, `never_first` those not to come first."""

    never: tuple[int, ...] = ()
    never_first: tuple[int, ...] = ()
    is_masked: bool = False
    # Nearly every output begins with a prompt, of which the search keeps nothing: a pass over all of it tells all.
    is_recorded_once: bool = False
    is_compact: bool = False

    @cached_property
    def convolutions(self) -> tuple[nn.Conv1d, ...]:
        """Those that the encoder begins with."""
        return tuple(module for module in self.encoder.modules() if isinstance(module, nn.Conv1d))

    def frames(self, length: int) -> int:
        """How many positions the encoder makes of so many frames of a log-mel, or samples."""
        for each in self.convolutions:
            (kernel,), (stride,), (padding,) = each.kernel_size, each.stride, cast(tuple[int], each.padding)
            length = (length + 2 * padding - kernel) // stride + 1
        return length

    def encode(
        self, source: Source, settings: Settings, hooks: Hooks, rows: Rows | None = None
    ) -> tuple[Any, list[Captured]]:
        """What the encoder makes of a window, and its attention in pools of `POOLED_FRAMES` where that is wanted.

        Whole, it would take 9 MB a head. So the encoder runs as often as it needs to keep few layers at a time. Before
        each layer, which can take seconds, `hooks` hear of 0 steps of 0.

        Raises InputError where heads of the encoder are switched off and all layers would be needed at once.
        """
        wanted = [(module, site) for module, site in self.sites.items() if site.kind == "encoder"]
        frames = len(source.axis)
        together = max(1, _ENCODER_BYTES // (4 * max(self.size.heads["encoder"]) * frames * frames))
        kinds: tuple[MapKind, ...] = ("encoder",)
        pooled: dict[int, Captured] = {}
        token = _HOOKS.set(hooks)
        try:
            if "encoder" not in settings.kinds:
                with self.watch(settings, rows=rows):
                    return self.encoder(**source.read, return_dict=True), []
            if any(kind == "encoder" for kind, _, _ in settings.ablate):
                if len(wanted) > 4 * together:
                    raise InputError("This encoder is too large to show its maps while heads of it are switched off.")
                together = len(wanted)
            for start in range(0, len(wanted), together):
                some = dict(wanted[start : start + together])
                with recording(some, kinds, ablate=settings.ablate) as recorded:
                    encoded = self.encoder(**source.read, return_dict=True)
                for site in some.values():
                    weights = pool(recorded.captured.pop(site)[-1].weights[0].numpy())
                    pooled[site.layer] = Captured(torch.from_numpy(weights)[None])
            return encoded, [pooled[layer] for layer in sorted(pooled)]
        finally:
            _HOOKS.reset(token)

    def processors(self, frame: Frame, begin: Sequence[int]) -> Sequence[LogitsProcessor]:
        """What rules out the tokens that the checkpoint does not want."""
        # What may not come first may come behind a beginning.
        first = () if len(begin) > len(frame.prompt) else self.never_first
        return [_Suppress(self.never, first, 1 + len(begin))]

    def limit(self, run: Run, given: int) -> int:
        """As asked for; else as the checkpoint says, where that leaves a token to write."""
        if run.settings.max_new_tokens is not None:
            return super().limit(run, given)
        return min(max(int(self.model.generation_config.max_length), 2 + given), self.size.output)

    def language(self, encoded: Any, start: int, languages: Mapping[str, int]) -> tuple[str, float]:
        """The language that the decoder thinks likeliest as the first token, and its probability among `languages`."""
        read = torch.tensor([[start]], device=self.device)
        logits = self.model(**self.decoding(encoded, read), use_cache=False, return_dict=True).logits[0, 0]
        codes = list(languages)
        shares = logits[[languages[code] for code in codes]].float().softmax(-1)
        best = int(shares.argmax())
        return codes[best], float(shares[best])


def tell_of_layers(model: Any) -> None:
    """Let the hooks of a run hear before each layer of a loaded model's encoder. To be called once a model."""
    for layer in model.get_encoder().layers:
        layer.register_forward_pre_hook(_tell)


def _tell(layer: nn.Module, inputs: object) -> None:
    if (hooks := _HOOKS.get()) is not None:
        hooks.report(0, 0)


class _Suppress(LogitsProcessor):  # type: ignore[misc]
    """Rules out the tokens that the checkpoint never wants, and those that it does not want first.

    transformers' own two do the same by searching the whole vocabulary at each step, a sixth of Whisper tiny's time.
    """

    def __init__(self, always: Sequence[int], first: Sequence[int], begin: int) -> None:
        self.always, self.first, self.begin = list(always), list(first), begin

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The scores `[beam, id]` with those tokens at -inf."""
        scores = scores.clone()
        scores[:, self.always] = float("-inf")
        if input_ids.shape[1] == self.begin:
            scores[:, self.first] = float("-inf")
        return scores


def pool(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[head, query, key]` in pools of `POOLED_FRAMES`: weights into a pool are summed, rows of a pool averaged."""
    starts = np.arange(0, weights.shape[-1], POOLED_FRAMES)
    counts = np.diff([*starts, weights.shape[-1]]).astype(np.float32)
    keys = np.add.reduceat(weights, starts, axis=2)
    pooled: NDArray[np.float32] = np.add.reduceat(keys, starts, axis=1)
    pooled /= counts[:, None]
    return pooled


def pooled_axis(frames: Axis) -> Axis:
    """The axis of the pools of `POOLED_FRAMES` frames."""
    times, special = frames.times or (), frames.special
    firsts = range(0, len(times), POOLED_FRAMES)
    lasts = [min(i + POOLED_FRAMES, len(times)) - 1 for i in firsts]
    return Axis(
        "audio",
        times=tuple((times[a][0], times[b][1]) for a, b in zip(firsts, lasts, strict=True)),
        special=special and tuple(special[i] for i in firsts),
    )


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

    def output(self, ids: Sequence[int], begin: Tokens | None = None) -> Tokens:
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
