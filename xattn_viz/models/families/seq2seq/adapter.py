"""Traces from a text encoder-decoder of transformers: text in, text and attention maps out.

With the options that a checkpoint offers, languages and a task prefix, and what stands at the start of an output; and
the way from a hub name or a folder to an adapter, with one sentence for whatever goes wrong on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import BartConfig, BartForConditionalGeneration
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING as KNOWN

from xattn_viz.attention.capture import NAME, supports
from xattn_viz.inputs.text import iso_639_1
from xattn_viz.models.base import ModelCard, ModelError, Option
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.engine.adapter import TextAdapter
from xattn_viz.models.engine.network import TransformersNetwork
from xattn_viz.models.engine.probe import check_ends, loaded_card, probe, set_limits
from xattn_viz.models.engine.results import Text, Tokens
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.families.seq2seq import FAMILY, SHORT_NAMES, card
from xattn_viz.models.folder import Folder, find_folder
from xattn_viz.models.provenance import Identity, Settings
from xattn_viz.models.tiny import SMALL, marked_tokenizer, randomise

# mBART writes en_XX, NLLB eng_Latn. M2M100's __en__, SeamlessM4T's __eng__ and __cmn_Hant__ and PLBart's __java__ carry
# their code between underscores.
_CODE = re.compile(r"[a-z]{2,3}_(?:[A-Z]{2}|[A-Z][a-z]{3})")
_MARKED = re.compile(r"__([a-z]{2,3}(?:_[A-Z][a-z]{3})?)__")
_MARIAN_CODE = re.compile(r">>[\w-]+<<")
_ENGLISH = ("en", "eng", "eng_Latn", "en_XX")
_FRENCH = ("fr", "fra", "fra_Latn", "fr_XX")


def options_of(tokenizer: Any, model: Any) -> tuple[Option, ...]:
    """The options for the card of a loaded model; each choice is a name that the tokenizer knows."""
    codes = languages(tokenizer)
    if codes:
        # SeamlessM4T hears and reads more languages than it writes.
        writes = getattr(model.generation_config, "text_decoder_lang_to_code_id", None)
        targets = tuple(code for code in codes if not writes or code in writes) or codes
        own = [_bare(getattr(tokenizer, side)) for side in ("src_lang", "tgt_lang")]
        source = _first((own[0], *_ENGLISH), codes, codes[0])
        other = next((code for code in targets if code != source), source)
        target = _first((own[1], *_FRENCH), [code for code in targets if code != source], other)
        return (
            Option("source_language", "Source language", source, "The language that the text is in.", codes),
            Option("target_language", "Target language", target, "The language to translate into.", targets),
        )
    marian = tuple(sorted(code for code in tokenizer.get_vocab() if _MARIAN_CODE.fullmatch(code)))
    if marian:
        choices = tuple(code[2:-2] for code in marian)
        default = _first(("fra", "fr"), choices, choices[0])
        return (Option("target_language", "Target language", default, "The language to translate into.", choices),)
    if prefixes := task_prefixes(model.config):
        title = "Task, as the words before the text"
        return (Option("task_prefix", title, prefixes[0], "What the model is to do with the text.", prefixes, True),)
    return ()


def languages(tokenizer: Any) -> tuple[str, ...]:
    """The language codes of a tokenizer that marks both sides (mBART, M2M100, NLLB, SeamlessM4T, PLBart); else none."""
    if not hasattr(tokenizer, "src_lang"):
        return ()
    if hasattr(tokenizer, "lang_code_to_token"):
        vocabulary = tokenizer.get_vocab() | tokenizer.get_added_vocab() | tokenizer.lang_token_to_id
        return tuple(sorted(code for code, token in tokenizer.lang_code_to_token.items() if token in vocabulary))
    if ids := getattr(tokenizer, "lang_code_to_id", None):
        return tuple(sorted(map(_bare, ids)))
    added = tokenizer.get_added_vocab()
    return tuple(sorted(_bare(token) for token in added if _CODE.fullmatch(token) or _MARKED.fullmatch(token)))


def language_id(tokenizer: Any, language: str) -> int:
    """The token that stands for a language."""
    if hasattr(tokenizer, "get_lang_id"):
        return int(tokenizer.get_lang_id(language))
    marked = f"__{language}__"
    known = marked in (getattr(tokenizer, "lang_code_to_id", None) or tokenizer.get_added_vocab())
    return int(tokenizer.convert_tokens_to_ids(marked if known else language))


def task_prefixes(config: Any) -> tuple[str, ...]:
    """The task prefixes that a checkpoint's configuration names (T5), and none at all as the last choice."""
    tasks = getattr(config, "task_specific_params", None) or {}
    prefixes = [task["prefix"] for task in tasks.values() if isinstance(task, dict) and task.get("prefix")]
    if not prefixes and getattr(config, "model_type", "") not in ("t5", "mt5", "umt5", "longt5", "switch_transformers"):
        return ()
    return (*sorted(set(prefixes), key=prefixes.index), "")


def prompt(options: Mapping[str, object], *, marian: bool) -> str:
    """What is put before the source text: a task, or Marian's >>language<<."""
    if marian and "target_language" in options:
        return f">>{options['target_language']}<< "
    return str(options.get("task_prefix", ""))


def _bare(token: str | None) -> str:
    """A code without the underscores around it."""
    return (token or "").removeprefix("__").removesuffix("__")


def _first(wanted: Sequence[str], among: Sequence[str], otherwise: str) -> str:
    return next((code for code in wanted if code in among), otherwise)


class Seq2SeqAdapter(TextAdapter):
    """One loaded model that reads text, with its tokenizer of transformers."""

    text: Text
    network: TransformersNetwork

    def __init__(self, card: ModelCard, identity: Identity, network: TransformersNetwork, tokenizer: Any) -> None:
        super().__init__(card, identity, network, Text(tokenizer), network.model)
        self._tokenizer = tokenizer
        self._two_sided = any(option.name == "source_language" for option in card.options)

    def _encoded(self, text: str, settings: Settings) -> Tokens:
        language = settings.choice("source_language") if self._two_sided else None
        return self.text.source(text, prompt=prompt(settings.options, marian=not self._two_sided), language=language)

    def _target_language(self, settings: Settings) -> str | None:
        return settings.choice("target_language") if self._two_sided else None

    def _target(self, text: str, frame: Frame, settings: Settings) -> Tokens:
        return frame.framed(self.text.target(text, language=self._target_language(settings)), self.text.piece)

    def _frame(self, encoded: Any, settings: Settings) -> Frame:
        language = self._target_language(settings)
        code = None if language is None else language_id(self._tokenizer, language)
        labels = self.text.target("a", language=language).ids if code is not None else ()
        return Frame.of(self.network.model, code, labels)


_OPUS_MT = re.compile(r"^opus-mt-([a-z]{2})-([a-z]{2})$")
_SOURCE = 7  # tokens of the run that finds the attention modules


def load(name_or_folder: str | Folder, **options: Any) -> Seq2SeqAdapter:
    """The adapter of a model on the hub or in a folder; see the family's `load`. Raises ModelError."""
    found = Checkpoint.find(
        find_folder(name_or_folder) or SHORT_NAMES.get(str(name_or_folder), str(name_or_folder)), **options
    )
    config = _config(found)
    tokenizer = found.tokenizer()
    network = KNOWN[type(config)]
    model = found.model(network, config, attention(found.name, network, config))
    return assemble(found.name, model, tokenizer, found.digest(), found.commit, found.told(config))


def _config(found: Checkpoint) -> Any:
    config = found.config()
    kind = getattr(config, "model_type", "unknown")
    if not getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"{found.name} is a {kind} model, which has one stack that reads and writes: it has no cross-attention "
            "between an encoder and a decoder to show."
        )
    if type(config) not in KNOWN:
        raise ModelError(f"{found.name} is a {kind} model, which does not turn text into text.")
    return config


def attention(name: str, network: Any, config: Any) -> str:
    """The attention to load a model with: ours where all of it runs with that, else the library's own.

    Raises ModelError for two models that cannot be put together.
    """
    parts = [network]
    if config.model_type == "encoder-decoder":
        try:
            parts = [MODEL_MAPPING[type(config.encoder)], MODEL_FOR_CAUSAL_LM_MAPPING[type(config.decoder)]]
        except KeyError as error:
            raise ModelError(f"{name} is put together from parts that transformers cannot join.") from error
    return NAME if all(map(supports, parts)) else "eager"


def assemble(
    name: str, model: Any, tokenizer: Any, digest: str, commit: str | None = None, notes: tuple[str, ...] = ()
) -> Seq2SeqAdapter:
    """The adapter of a loaded model. Raises ModelError where it has no cross-attention to show."""
    _set_ends(model, tokenizer)
    check_ends(name, model.generation_config)
    set_limits(model.generation_config)
    if model.config.model_type == "fsmt":
        mask_the_future(model)
    source = torch.full((1, _SOURCE), 5, device=model.device)
    read = {"input_ids": source, "attention_mask": torch.ones_like(source)}
    network = probe(name, TransformersNetwork(model), read, _SOURCE)
    source_language, target_language = _pair(name, model.config)
    own = card(name, Path(name).name, source_language=source_language, target_language=target_language)
    known = loaded_card(FAMILY.card_of(name) or own, network.size, options_of(tokenizer, model))
    return Seq2SeqAdapter(known, Identity.of(model, name, commit, digest, notes), network, tokenizer)


def _pair(name: str, config: Any) -> tuple[str | None, str | None]:
    """The ISO 639-1 codes of a model that goes from one language into one other: FSMT says it, OPUS-MT's names do."""
    said = getattr(config, "langs", None)
    if isinstance(said, list | tuple) and len(said) == 2 and config.model_type == "fsmt":
        return iso_639_1(str(said[0])), iso_639_1(str(said[1]))
    named = _OPUS_MT.search(Path(name).name)
    return (named[1], named[2]) if named else (None, None)


def _set_ends(model: Any, tokenizer: Any) -> None:
    """Say where outputs start and end in one place, which some leave to their configuration or tokenizer."""
    own, config = model.generation_config, model.config
    text = config.get_text_config(decoder=True)
    starts = (own.decoder_start_token_id, getattr(config, "decoder_start_token_id", None), own.bos_token_id)
    ends = (own.eos_token_id, getattr(text, "eos_token_id", None), tokenizer.eos_token_id, tokenizer.sep_token_id)
    own.decoder_start_token_id = next((start for start in starts if start is not None), None)
    own.eos_token_id = next((end for end in ends if end is not None), None)


def mask_the_future(model: Any) -> None:
    """Make a loaded FSMT's decoder causal however it is called. To be called once a model.

    transformers gives it a causal mask only in a pass without a cache that is handed the source's ids as well. Several
    tokens read at once, a beginning that is given or an output that is known, would else see those behind them.
    """
    model.get_decoder().register_forward_pre_hook(_with_mask, with_kwargs=True)


def _with_mask(decoder: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
    count = inputs[0].shape[1]
    if count == 1 or named.get("decoder_causal_mask") is not None:
        return inputs, named
    cached = named.get("cache", named.get("past_key_values"))  # its name before transformers 5.24
    before = cached.get_seq_length() if cached is not None else 0
    # [query, key]: a token attends to itself and to those before it.
    everything = torch.full((count, before + count), float("-inf"), device=inputs[0].device, dtype=inputs[1].dtype)
    return inputs, {**named, "decoder_causal_mask": everything.triu(1 + before)}


def tiny() -> Seq2SeqAdapter:
    """The tiny model: BART with 2 + 2 layers of 4 heads and 320 byte-level pieces; always the same."""
    tokenizer = marked_tokenizer(320)
    config = BartConfig(vocab_size=len(tokenizer), max_position_embeddings=256, **SMALL)
    model = BartForConditionalGeneration._from_config(config, attn_implementation=NAME)
    randomise(model)
    model.generation_config.max_length = 40
    return assemble("seq2seq-example", model, tokenizer, digest="random")
