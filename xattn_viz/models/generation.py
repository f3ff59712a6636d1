"""The generation settings that a checkpoint brings: which of them are followed, and which are set aside, and why.

Only what is known here, with a value that it can have, is followed. So no search fails for what a file says, and none
does what the maps would not show.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from transformers import GenerationConfig

from xattn_viz.core.records import quoted

_CODE = "the library fetches code for it from the hub, which is never run"
# What changes an output and is not followed: the value that changes nothing, and why.
_SET_ASIDE: Mapping[str, tuple[object, str]] = {
    "do_sample": (False, "nothing is drawn by lot, so that a trace can be made again"),
    "num_beam_groups": (1, _CODE),
    "diversity_penalty": (0, _CODE),
    "constraints": (None, _CODE),
    "force_words_ids": (None, _CODE),
    "penalty_alpha": (0, _CODE),
    "dola_layers": (None, _CODE),
    "stop_strings": (None, "an output ends where the model ends it, or at its limit"),
    "token_healing": (False, "what an output begins with is kept as it was given"),
    "guidance_scale": (1, "each token would come of two passes, one of them without the source, and a map shows one"),
    "watermarking_config": (None, "tokens are chosen by what the model says alone"),
    "max_time": (None, "how much is written must not depend on how fast the machine is"),
}
# How something is computed or handed out, and what matters to sampling or to the number of beams only.
_OF_NO_MATTER = frozenset(
    (
        *("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"),
        *("num_beams", "num_return_sequences", "low_memory", "cache_implementation", "cache_config", "max_cache_len"),
        *("output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate"),
        *("is_assistant", "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold"),
        *("prompt_lookup_num_tokens", "max_matching_ngram_size", "assistant_early_exit", "assistant_lookbehind"),
        *("target_lookbehind", "assistant_ensemble_weight", "speculation_type", "prefill_chunk_size", "use_mtp"),
        *("compile_config", "disable_compile", "continuous_batching_config"),
        *("_from_model_config", "transformers_version"),
        # Arguments of a call, which the library refuses in a file.
        *("logits_processor", "stopping_criteria", "prefix_allowed_tokens_fn", "synced_gpus", "assistant_model"),
        *("streamer", "negative_prompt_ids", "negative_prompt_attention_mask"),
    )
)


def sift(said: Mapping[str, Any], vocabulary: float) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The settings of a file that are followed, and at most one note, for people, of those that are not.

    `vocabulary` is the count of ids that the model can write. What is no setting of generation, such as Whisper's
    languages, is left as it is.
    """
    followed, own = _followed(vocabulary), vars(GenerationConfig())
    kept: dict[str, Any] = {}
    aside: list[str] = []
    for name, value in said.items():
        if value is None or name in _OF_NO_MATTER or hasattr(GenerationConfig, name):
            continue
        neutral, why = _SET_ASIDE.get(name, (None, "it is not known here"))
        if name in followed:
            if followed[name](value):
                kept[name] = value
                continue
            why = "it cannot have this value"
        elif name not in own:
            kept[name] = value
            continue
        elif value == neutral:
            continue
        aside.append(f"{name} = {quoted(value)} ({why})")
    for name in ("forced_bos_token_id", "forced_eos_token_id"):
        forced = kept.get(name)
        wanted = forced if isinstance(forced, list) else [forced]
        if forced is not None and {*wanted} <= {*kept.get("suppress_tokens", ())}:
            aside.append(f"{name} = {quoted(kept.pop(name))} (it is suppressed as well)")
    return kept, (f"Set aside of the model's own generation settings: {', '.join(aside)}.",) if aside else ()


def _followed(vocabulary: float) -> dict[str, Callable[[Any], bool]]:
    """The settings that are followed, each with a check of its value."""

    def is_token(value: Any) -> bool:
        return _is_count(value) and value < vocabulary

    def are_tokens(value: Any) -> bool:
        return isinstance(value, list) and bool(value) and all(map(is_token, value))

    def is_end(value: Any) -> bool:
        return is_token(value) or are_tokens(value)

    def are_biases(value: Any) -> bool:
        return isinstance(value, list) and all(
            isinstance(one, list) and len(one) == 2 and are_tokens(one[0]) and _is_number(one[1]) for one in value
        )

    return {
        **dict.fromkeys(("max_length", "max_new_tokens"), lambda value: _is_count(value) and value > 0),
        **dict.fromkeys(("min_length", "min_new_tokens"), _is_count),
        **dict.fromkeys(("no_repeat_ngram_size", "encoder_no_repeat_ngram_size"), _is_count),
        **dict.fromkeys(("use_cache", "renormalize_logits", "remove_invalid_values"), _is_flag),
        **dict.fromkeys(("repetition_penalty", "encoder_repetition_penalty"), _is_positive),
        "early_stopping": lambda value: _is_flag(value) or value == "never",
        "length_penalty": _is_number,
        "exponential_decay_length_penalty": lambda value: (
            isinstance(value, list) and len(value) == 2 and _is_count(value[0]) and _is_positive(value[1])
        ),
        **dict.fromkeys(("pad_token_id", "bos_token_id", "decoder_start_token_id", "forced_bos_token_id"), is_token),
        **dict.fromkeys(("eos_token_id", "forced_eos_token_id"), is_end),
        **dict.fromkeys(("suppress_tokens", "begin_suppress_tokens"), _are_counts),
        "bad_words_ids": lambda value: isinstance(value, list) and bool(value) and all(map(are_tokens, value)),
        "sequence_bias": are_biases,
    }


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0
