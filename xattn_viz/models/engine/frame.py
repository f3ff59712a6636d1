"""What stands around the tokens of an output: where it starts and where it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from xattn_viz.models.base import ModelError
from xattn_viz.models.tokens import Tokens


@dataclass(frozen=True)
class Frame:
    """What stands around the tokens of an output: the token read first, one that must come first, and the ends."""

    start: int
    first: int | None
    ends: tuple[int, ...]

    @classmethod
    def of(cls, model: Any, language_id: int | None, labels: Sequence[int]) -> Frame:
        """The frame of a model. `labels` are those of a text: mBART's first models and PLBart put the language last."""
        settings, config = model.generation_config, model.config
        start = next(
            value
            for value in (
                settings.decoder_start_token_id,
                getattr(config, "decoder_start_token_id", None),
                settings.bos_token_id,
            )
            if value is not None
        )
        first = settings.forced_bos_token_id
        if language_id is not None:
            last = config.model_type in ("mbart", "plbart") and labels[-1] == language_id
            start, first = (language_id, None) if last else (start, language_id)
        ends = settings.eos_token_id
        return cls(int(start), first, tuple(ends) if isinstance(ends, list) else (int(ends),))

    def is_end(self, ids: Sequence[int], place: int) -> bool:
        """Whether the id at a place ends an output; BART's must begin with what ends others."""
        return ids[place] in self.ends and (place > 0 or ids[place] != self.first)

    def framed(self, labels: Tokens, piece: Callable[[int], str]) -> Tokens:
        """A target as the model would write it: the token that must come first, the text's own, one end.

        `piece` names a token.
        """
        columns = list(zip(labels.ids, labels.spans, labels.pieces, labels.special, strict=True))
        while columns and columns[-1][3] and columns[-1][0] not in self.ends:
            columns.pop()  # a language code behind the end
        read_first = len(columns) > 1 and columns[0][0] == self.start
        if read_first and (self.start not in self.ends or columns[1][0] == self.first):
            columns.pop(0)  # BERT's [CLS], SeamlessM4T's </s>
        if self.first is not None and (not columns or columns[0][0] != self.first):
            columns.insert(0, (self.first, (0, 0), piece(self.first), True))
        if not columns or columns[-1][0] not in self.ends:
            end = len(labels.text)
            columns.append((self.ends[0], (end, end), piece(self.ends[0]), True))
        ids, spans, pieces, special = zip(*columns, strict=True)
        return Tokens(labels.text, ids, spans, pieces, special)


def check_frame(name: str, generation_config: Any) -> None:
    """Raise ModelError for a checkpoint that nowhere says from which token an output starts, or which one ends it."""
    for setting, what in (
        ("decoder_start_token_id", "from which token an output starts"),
        ("eos_token_id", "which token ends an output"),
    ):
        if getattr(generation_config, setting) is None:
            raise ModelError(f"{name} cannot be shown: it does not say {what}. Add {setting} to its config.json.")
