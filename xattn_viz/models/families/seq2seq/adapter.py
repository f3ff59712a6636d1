"""Traces from a text encoder-decoder of transformers: text in, text and attention maps out.

With the options that a checkpoint offers, languages and a task prefix, and what stands at the start of an output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from xattn_viz.models.base import ModelCard, Option
from xattn_viz.models.engine.adapter import TextAdapter
from xattn_viz.models.engine.network import TransformersNetwork
from xattn_viz.models.engine.results import Text, Tokens
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.provenance import Identity
from xattn_viz.models.settings import Settings

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
