"""A loaded speech recogniser, as its runs need it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from xattn_viz.models.families.whisper.replay import Runner
from xattn_viz.models.families.whisper.text import Text
from xattn_viz.models.provenance import Identity

_NO_SPEECH_TOKENS = ("<|nospeech|>", "<|nocaptions|>")


@dataclass(frozen=True)
class Model:
    """A loaded model with its tokenizer: how it runs, which one it is, how many samples a frame of its encoder is.

    `never` are ids that the checkpoint rules out, `never_first` those that must not come first. `alignment_heads` are
    the (layer, head) pairs, from 0, that it names as those that follow the words in time; none where it names none.
    """

    runner: Runner
    text: Text
    identity: Identity
    samples_per_frame: int
    multilingual: bool
    never: tuple[int, ...]
    never_first: tuple[int, ...]
    alignment_heads: tuple[tuple[int, int], ...] = ()

    @property
    def no_speech_token(self) -> int | None:
        """The id that the decoder writes first where nobody speaks; None for a model that has no word for it."""
        return next((i for name in _NO_SPEECH_TOKENS if (i := self.text.special.get(name)) is not None), None)

    def no_speech(self, logits: Tensor) -> float | None:
        """The probability, in the decoder's own words, that nobody speaks; None for a model that has no word for it."""
        token = self.no_speech_token
        return None if token is None else float(logits[0].float().softmax(-1)[token])
