"""What the decoder reads and writes: the prompt, generation, the language, and scores of what came out."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig, GenerationMixin, LogitsProcessorList
from transformers.generation import LogitsProcessor

from xattn_viz.models.families.whisper.settings import Settings
from xattn_viz.models.families.whisper.text import UNSPACED, Text

DETECT = "detect"
_LIBRARY_DEFAULT = 20  # transformers' max_length where nobody chose one: too short for half a minute


@dataclass(frozen=True)
class Frame:
    """What stands around the tokens of an output: the token read first, the prompt behind it, and the end.

    `space` says whether a text begins with a space, `language` what is written, None where the model knows only one.
    """

    start: int
    prompt: tuple[int, ...]
    end: int
    space: bool
    language: str | None = None


@dataclass(frozen=True)
class Written:
    """An output as ids behind the start token, the prompt and the end included, and what the search says of it.

    `log_prob` sums over what the search chose; a search with one beam keeps no score.
    """

    ids: list[int]
    log_prob: float | None = None


def frame(model: Any, text: Text, settings: Settings, language: str | None) -> Frame:
    """The prompt of a checkpoint: for Whisper language, task and "no timestamps"; for Moonshine nothing."""
    own = model.generation_config
    start = own.decoder_start_token_id
    start = model.config.decoder_start_token_id if start is None else start
    ends = model.config.eos_token_id if own.eos_token_id is None else own.eos_token_id
    end = ends[0] if isinstance(ends, list) else ends
    prompt: list[int] = []
    if language is not None:
        prompt += [text.languages()[language], text.special[f"<|{settings.options['task']}|>"]]
    if (silent := text.special.get("<|notimestamps|>")) is not None:
        prompt.append(silent)
    space = model.config.model_type == "whisper" and language not in UNSPACED
    return Frame(int(start), tuple(prompt), int(end), space, language)


def detect(model: Any, encoded: Any, start: int, languages: Mapping[str, int]) -> tuple[str, float]:
    """The language that the decoder thinks likeliest as the first token, and its probability among the languages."""
    read = torch.tensor([[start]], device=model.device)
    logits = model(encoder_outputs=encoded, decoder_input_ids=read, use_cache=False, return_dict=True).logits[0, 0]
    codes = list(languages)
    shares = logits[[languages[code] for code in codes]].float().softmax(-1)
    best = int(shares.argmax())
    return codes[best], float(shares[best])


def generate(
    model: Any,
    encoded: Any,
    frame: Frame,
    begin: Sequence[int],
    settings: Settings,
    processors: Sequence[LogitsProcessor],
) -> list[Written]:
    """The outputs that the search kept, best first.

    `begin` are the ids behind the start that the output begins with: the prompt, and what was given. Everything else is
    as the checkpoint's generation settings say. transformers' own search is called, without Whisper's wrapper around
    it, which would encode again and hide the prompt.
    """
    limit = length_limit(model, settings, len(begin))
    wanted = _configuration(model, frame, settings, limit)
    found = GenerationMixin.generate(
        model,
        encoder_outputs=type(encoded)(last_hidden_state=encoded.last_hidden_state),  # it expands it in place
        decoder_input_ids=torch.tensor([[frame.start, *begin]], device=model.device),
        generation_config=wanted,
        logits_processor=LogitsProcessorList(processors),
    )
    outputs = [_trimmed(ids, frame.end, len(begin)) for ids in found.sequences[:, 1:].tolist()]
    if settings.num_beams == 1:
        return [Written(ids) for ids in outputs]
    # The search divides the sum of log-probabilities by a power of the count of tokens that it wrote.
    penalty = 1.0 if wanted.length_penalty is None else wanted.length_penalty
    scores = found.sequences_scores.tolist()
    return [
        Written(ids, min(score * (len(ids) - len(begin)) ** penalty, 0.0))
        for ids, score in zip(outputs, scores, strict=True)
    ]


def _configuration(model: Any, frame: Frame, settings: Settings, limit: int) -> GenerationConfig:
    """The checkpoint's own generation settings with this run's beams and length; nothing is sampled."""
    wanted = copy.deepcopy(model.generation_config)
    wanted.update(
        num_beams=settings.num_beams,
        num_return_sequences=settings.num_beams,
        max_length=limit,
        max_new_tokens=None,
        do_sample=False,
        temperature=None,
        top_k=None,
        top_p=None,
        decoder_start_token_id=frame.start,
        eos_token_id=frame.end,
        return_dict_in_generate=True,
        output_scores=settings.num_beams > 1,
    )
    return wanted


def length_limit(model: Any, settings: Settings, begin: int) -> int:
    """How long an output may get, its start token and the `begin` ones included.

    As asked for, else as the checkpoint says, else all positions that the decoder has.
    """
    most, own = positions(model), model.generation_config.max_length
    if settings.max_new_tokens is not None:
        return min(1 + begin + settings.max_new_tokens, most)
    return most if own in (None, _LIBRARY_DEFAULT) else min(max(int(own), 2 + begin), most)


def positions(model: Any) -> int:
    """How many tokens the decoder can read."""
    own = getattr(model.config, "max_target_positions", None) or model.config.max_position_embeddings
    return int(own)


def _trimmed(ids: list[int], end: int, begin: int) -> list[int]:
    """An output up to its end; behind it a batch holds padding."""
    return ids[: ids.index(end, begin) + 1] if end in ids[begin:] else ids
