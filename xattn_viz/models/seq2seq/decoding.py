"""What the decoder reads and writes: where an output starts and ends, generation, and scores of what came out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList
from transformers.generation import LogitsProcessor, StoppingCriteria, StoppingCriteriaList

from xattn_viz.models.base import OnStep, report
from xattn_viz.models.seq2seq.settings import Settings
from xattn_viz.models.seq2seq.text import Text, Tokens
from xattn_viz.trace import Alternative, Step

OnWritten = Callable[[Sequence[int]], object]

ALTERNATIVES = 5
DEFAULT_NEW_TOKENS = 256  # where a checkpoint says nothing of its own
MOST_TOKENS = 4096
_LIBRARY_DEFAULT = 20  # transformers' max_length where nobody chose one: too short for a sentence


@dataclass(frozen=True)
class Frame:
    """What stands around the tokens of an output: the token read first, one that must come first, and the ends."""

    start: int
    first: int | None
    ends: tuple[int, ...]

    @classmethod
    def of(cls, model: Any, language_id: int | None, labels: Sequence[int]) -> Frame:
        """The frame of a model. `labels` are those of some text: mBART's first models put the language last there."""
        settings, config = model.generation_config, model.config
        start = next(
            value
            for value in (settings.decoder_start_token_id, config.decoder_start_token_id, settings.bos_token_id)
            if value is not None
        )
        first = settings.forced_bos_token_id
        if language_id is not None:
            last = config.model_type == "mbart" and labels[-1] == language_id
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
        if columns and columns[0][0] == self.start and columns[0][0] not in self.ends:
            columns.pop(0)  # BERT's [CLS], which is read first
        if self.first is not None and (not columns or columns[0][0] != self.first):
            columns.insert(0, (self.first, (0, 0), piece(self.first), True))
        if not columns or columns[-1][0] not in self.ends:
            end = len(labels.text)
            columns.append((self.ends[0], (end, end), piece(self.ends[0]), True))
        ids, spans, pieces, special = zip(*columns, strict=True)
        return Tokens(labels.text, ids, spans, pieces, special)


class _Steps(LogitsProcessor):  # type: ignore[misc]
    """Tells the caller of each step, and what is written before it; changes no score."""

    def __init__(self, on_step: OnStep | None, on_written: OnWritten | None, limit: int) -> None:
        self.on_step, self.on_written, self.limit = on_step, on_written, limit

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        written = input_ids.shape[1] - 1
        report(self.on_step, written, self.limit)
        if self.on_written is not None and written:
            self.on_written(input_ids[0, 1:].tolist())  # a search sorts its beams, the best first
        return scores


class _Forget(StoppingCriteria):  # type: ignore[misc]
    """Frees the scores of each step, which the search keeps for its caller although it uses only their sums.

    They are [beam, id] a step: a gigabyte for a long output of a large vocabulary. Stops nothing.
    """

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        if scores:
            scores[-1].untyped_storage().resize_(0)
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


@dataclass(frozen=True)
class Written:
    """An output as ids behind the start token, `</s>` included, and the log-probability of what the search chose.

    Tokens that were given or forced count as certain there; a search with one beam keeps no score.
    """

    ids: list[int]
    log_prob: float | None = None


def generate(
    model: Any,
    source: Tensor,
    encoded: Any,
    frame: Frame,
    given: Sequence[int],
    settings: Settings,
    on_step: OnStep | None = None,
    on_written: OnWritten | None = None,
) -> list[Written]:
    """The outputs that the search kept, best first.

    `source` `[1, key]` are the ids read, `encoded` what the encoder made of them, `given` ids that the output begins
    with. `on_written` hears before each step what is written: of several beams, the likeliest that goes on. Everything
    else is as the checkpoint's generation settings say.
    """
    limit = length_limit(model, settings, len(given))
    wanted = configuration(model, frame, settings, limit)
    found = model.generate(
        source,
        attention_mask=torch.ones_like(source),
        encoder_outputs=fresh(encoded),  # generate() expands it in place
        decoder_input_ids=torch.tensor([[frame.start, *given]], device=source.device),
        generation_config=wanted,
        logits_processor=LogitsProcessorList([_Steps(on_step, on_written, limit)]),
        stopping_criteria=StoppingCriteriaList([_Forget()]),
    )
    outputs = [_trimmed(ids, frame, len(given)) for ids in found.sequences[:, 1:].tolist()]
    if settings.num_beams == 1:
        return [Written(ids) for ids in outputs]
    # The search divides the sum of log-probabilities by a power of the count of tokens that it wrote.
    penalty = 1.0 if wanted.length_penalty is None else wanted.length_penalty
    scores = found.sequences_scores.tolist()
    return [
        Written(ids, min(score * (len(ids) - len(given)) ** penalty, 0.0))
        for ids, score in zip(outputs, scores, strict=True)
    ]


def fresh(encoded: Any) -> Any:
    """The encoder's result in an object of its own, without its attention."""
    return type(encoded)(**{name: value for name, value in encoded.items() if "attentions" not in name})


def configuration(model: Any, frame: Frame, settings: Settings, limit: int) -> GenerationConfig:
    """The checkpoint's own generation settings with this run's beams, length and language; nothing is sampled."""
    wanted = copy.deepcopy(model.generation_config)
    wanted.update(
        num_beams=settings.num_beams,
        num_return_sequences=settings.num_beams,
        max_length=limit,
        max_new_tokens=None,
        min_new_tokens=None,
        do_sample=False,
        temperature=None,
        top_k=None,
        top_p=None,
        decoder_start_token_id=frame.start,
        forced_bos_token_id=frame.first,
        num_beam_groups=None,
        return_dict_in_generate=True,
        output_scores=settings.num_beams > 1,
    )
    return wanted


def length_limit(model: Any, settings: Settings, given: int) -> int:
    """How long an output may get, its start token and the `given` ones included.

    As asked for, else as the checkpoint says; never more than the decoder has positions.
    """
    own = model.generation_config
    if (new := settings.max_new_tokens or own.max_new_tokens) is not None:
        limit = 1 + new + given
    elif own.max_length not in (None, _LIBRARY_DEFAULT):
        limit = own.max_length + given
    else:
        limit = 1 + DEFAULT_NEW_TOKENS + given
    return min(int(limit), decoder_positions(model))


def decoder_positions(model: Any) -> int:
    """How many tokens the decoder can read; a bound of our own where it has no positions to run out of."""
    positions = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    return min(positions or MOST_TOKENS, MOST_TOKENS)


def _trimmed(ids: list[int], frame: Frame, given: int) -> list[int]:
    """An output up to its end; behind it a batch holds padding. An end among the given tokens is none."""
    for i in range(len(ids)):
        if i >= given and frame.is_end(ids, i):
            return ids[: i + 1]
    return ids


def steps(logits: Tensor, chosen: Sequence[int], text: Text, forced: Sequence[bool]) -> tuple[Step, ...]:
    """Log-probability and likeliest alternatives of each token over the whole vocabulary; `logits` `[query, id]`."""
    log_probs = logits.float().log_softmax(-1)
    own = log_probs.gather(1, torch.tensor(chosen, device=logits.device).unsqueeze(1)).squeeze(1).tolist()
    top = log_probs.topk(min(ALTERNATIVES, log_probs.shape[1]))
    return tuple(
        Step(
            text.readable(token),
            token,
            min(log_prob, 0.0),
            tuple(Alternative(text.readable(i), i, min(p, 0.0)) for i, p in zip(others, values, strict=True)),
            was_forced,
        )
        for token, log_prob, others, values, was_forced in zip(
            chosen, own, top.indices.tolist(), top.values.tolist(), forced, strict=True
        )
    )
