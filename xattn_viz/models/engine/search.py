"""The library's own search: what stands around an output, how long it may get, progress meanwhile, what came out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, GenerationMixin, LogitsProcessorList
from transformers.generation import LogitsProcessor, StoppingCriteria, StoppingCriteriaList

from xattn_viz.attention.capture import Captured
from xattn_viz.models.base import Hooks
from xattn_viz.models.engine.results import Tokens
from xattn_viz.models.provenance import Settings


@dataclass(frozen=True)
class Frame:
    """What stands around the tokens of an output.

    `start` is read first, `first` is what the search makes every output begin with, `prompt` what is given before it
    begins, `ends` are what an output ends with.
    """

    start: int
    first: int | None
    ends: tuple[int, ...]
    prompt: tuple[int, ...] = ()

    @classmethod
    def of(cls, model: Any, language_id: int | None = None, labels: Sequence[int] = ()) -> Frame:
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


@dataclass(frozen=True)
class Output:
    """An output as ids behind the start token, what was given and the end included.

    A search with several beams gives the log-probability of what it chose (what was given or forced counts as certain).
    `logits` are those of its last tokens, where the search kept them, each `[id]`, before the checkpoint's own rules;
    `among` `[id]` are the ids that they belong to, None for all. `cross` gives what each layer's cross-attention
    did meanwhile, once, where that was recorded.
    """

    ids: tuple[int, ...]
    log_prob: float | None = None
    logits: Sequence[Tensor] = ()
    among: Tensor | None = None
    cross: Callable[[], list[Captured]] | None = None


#: Called with what is written so far.
OnOutput = Callable[[Output], object]


class _Steps(LogitsProcessor):  # type: ignore[misc]
    """Tells the caller of each step, and what is written before it; changes no score."""

    def __init__(self, given: int, limit: int, hooks: Hooks, on_output: OnOutput) -> None:
        self.given, self.limit, self.hooks, self.on_output = given, limit, hooks, on_output

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        done = input_ids.shape[1] - self.given
        self.hooks.report(done, self.limit - self.given)
        if done:
            self.on_output(Output(tuple(input_ids[0, 1:].tolist())))  # a search sorts its beams, the best first
        return scores


class _Forget(StoppingCriteria):  # type: ignore[misc]
    """Frees the scores of each step, which the search keeps for its caller although it uses only their sums.

    They are [beam, id] a step: a gigabyte for a long output of a large vocabulary. Stops nothing.
    """

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        if scores:
            scores[-1].untyped_storage().resize_(0)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def generate(
    model: Any,
    read: Mapping[str, Any],
    frame: Frame,
    given: int,
    settings: Settings,
    limit: int,
    hooks: Hooks,
    on_output: OnOutput,
    *,
    keeps_logits: bool,
    processors: Sequence[LogitsProcessor] = (),
) -> list[Output]:
    """The outputs that the search kept, best first.

    `read` are the model's keywords: what the encoder made, and the start token with the `given` many ids that the
    output begins with. It gets at most to a length of `limit`. `on_output` hears before each step but the first what is
    written: of several beams, the likeliest that goes on. A search with a single beam can keep its logits. Everything
    else is as the checkpoint's generation settings say.
    """
    wanted = _configuration(model, frame, settings, limit, keeps_logits)
    # The library's own search without the wrappers around it, which would encode again and hide the prompt (Whisper).
    found = GenerationMixin.generate(
        model,
        **read,
        generation_config=wanted,
        logits_processor=LogitsProcessorList([_Steps(1 + given, limit, hooks, on_output), *processors]),
        stopping_criteria=StoppingCriteriaList([_Forget()]),
    )
    outputs = [_trimmed(ids, frame, given) for ids in found.sequences[:, 1:].tolist()]
    if settings.num_beams == 1:
        (ids,) = outputs
        return [Output(ids, logits=tuple(row[0] for row in (found.logits or ())[: len(ids) - given]))]
    # The search divides the sum of log-probabilities by a power of the count of tokens that it wrote.
    penalty = 1.0 if wanted.length_penalty is None else wanted.length_penalty
    scores = found.sequences_scores.tolist()
    return [
        Output(ids, min(score * (len(ids) - given) ** penalty, 0.0)) for ids, score in zip(outputs, scores, strict=True)
    ]


def _configuration(model: Any, frame: Frame, settings: Settings, limit: int, keeps_logits: bool) -> GenerationConfig:
    """The checkpoint's own generation settings with this run's beams, length and language; nothing is sampled."""
    wanted = copy.deepcopy(model.generation_config)
    wanted.update(
        num_beams=settings.num_beams,
        num_return_sequences=settings.num_beams,
        max_length=limit,
        min_length=min(wanted.min_length or 0, limit),
        do_sample=False,
        temperature=None,
        top_k=None,
        top_p=None,
        decoder_start_token_id=frame.start,
        forced_bos_token_id=frame.first,
        num_beam_groups=None,
        return_dict_in_generate=True,
        output_scores=settings.num_beams > 1,
        # Spares the output layer in the pass that captures. Of several beams there would be too much to keep.
        output_logits=keeps_logits and settings.num_beams == 1,
    )
    return wanted


def _trimmed(ids: Sequence[int], frame: Frame, given: int) -> tuple[int, ...]:
    """An output up to its end; behind it a batch holds padding. An end among the given tokens is none."""
    for i in range(len(ids)):
        if i >= given and frame.is_end(ids, i):
            return tuple(ids[: i + 1])
    return tuple(ids)
