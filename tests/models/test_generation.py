"""Generation settings of a checkpoint: what is followed, and what is set aside with a word about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import GenerationConfig

from tests.models.families import captioner_folders, seq2seq_folders, whisper_folders
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.generation import sift

# What the library refuses, cannot do without its tokenizer or code of others, or does beside what the maps show.
REFUSED: dict[str, Any] = {
    "num_beam_groups": 2,
    "diversity_penalty": 0.5,
    "penalty_alpha": 0.6,
    "dola_layers": "high",
    "stop_strings": ["a", "."],
    "token_healing": True,
    "guidance_scale": 1.5,
    "constraints": [1],
    "force_words_ids": [[5]],
    "watermarking_config": {"bias": 1.0},
    "max_time": 1e-4,
    "do_sample": True,
    "early_stopping": "x",
    "repetition_penalty": -1,
    "no_repeat_ngram_size": "a",
    "length_penalty": "a",
    "bad_words_ids": [["a"]],
    "sequence_bias": {"a": 1},
    "forced_bos_token_id": 99_999,
    "pad_token_id": -5,
    "bos_token_id": "x",
    "max_new_tokens": 0,
}
UNSEEN: dict[str, Any] = {
    "num_return_sequences": 3,
    "cache_implementation": "nonsense",
    "compile_config": {"a": 1},
    "low_memory": True,
    "prompt_lookup_num_tokens": 3,
    "use_mtp": True,
    "is_assistant": True,
    "assistant_early_exit": 1,
    "continuous_batching_config": {"a": 1},
    "temperature": 0.5,
    "top_k": "a",
    "streamer": 1,
    "validate": 3,
}
NEUTRAL: dict[str, Any] = {"num_beam_groups": 1, "guidance_scale": 1.0, "do_sample": False, "penalty_alpha": 0.0}


def test_each_setting_is_followed_set_aside_with_a_reason_or_of_no_matter() -> None:
    followed: dict[str, Any] = {
        "max_length": 9,
        "early_stopping": "never",
        "length_penalty": -1.0,
        "repetition_penalty": 1.2,
        "no_repeat_ngram_size": 3,
        "bad_words_ids": [[5], [6, 7]],
        "sequence_bias": [[[5], -2.0]],
        "suppress_tokens": [],
        "eos_token_id": [1, 2],
        "decoder_start_token_id": 0,
        "exponential_decay_length_penalty": [3, 1.1],
        "lang_to_id": {"<|en|>": 5},  # Whisper's own
    }
    kept, (note,) = sift({**followed, **REFUSED, **UNSEEN, "max_length": 9, "eos_token_id": [1, 2]}, 100)
    assert {name: value for name, value in kept.items() if name not in REFUSED} == {
        name: value for name, value in followed.items() if name not in REFUSED
    }
    assert not {*REFUSED, *UNSEEN} & {*kept}
    for name in REFUSED:
        assert f"{name} = " in note
    assert not any(f"{name} = " in note for name in {*UNSEEN, *followed} - {*REFUSED})
    kept, notes = sift({**followed, **NEUTRAL, **UNSEEN}, 100)
    assert (kept, notes) == (followed, ())
    GenerationConfig(**kept)


def test_no_setting_of_the_library_is_left_to_chance() -> None:
    """A setting that a new version of the library brings is set aside with a word, until somebody looks at it."""
    given = {name: "x" for name in vars(GenerationConfig()) if not name.startswith("_")}
    kept, (note,) = sift(given, 100)
    assert kept == {}
    assert "it is not known here" not in note


def test_what_is_followed_is_never_refused_by_the_library() -> None:
    values: tuple[Any, ...] = (
        None,
        True,
        0,
        1,
        -1,
        7,
        10**12,
        0.5,
        -0.0,
        "x",
        "never",
        [],
        [7],
        [[7]],
        [[]],
        [[7], 1.0],
        [3, 1.1],
        {},
        {"a": 1},
    )
    names = [name for name in vars(GenerationConfig()) if name != "_from_model_config"]
    for value in values:
        for name in names:
            GenerationConfig(**sift({"suppress_tokens": [7], name: value}, 100)[0])
        GenerationConfig(**sift(dict.fromkeys(names, value), 100)[0])
    kept, (note,) = sift({"suppress_tokens": [7, 8], "forced_bos_token_id": 7, "forced_eos_token_id": [7, 9]}, 100)
    assert "forced_bos_token_id = 7 (it is suppressed as well)" in note
    assert kept == {"suppress_tokens": [7, 8], "forced_eos_token_id": [7, 9]}


@pytest.mark.parametrize(
    ("write", "kind", "made"),
    [
        (seq2seq_folders.write, "t5", lambda: "The cat sat."),
        (whisper_folders.write, "multilingual", lambda: whisper_folders.sound(1, 1.5)),
        (captioner_folders.write, "donut", lambda: captioner_folders.picture(1, 40, 56)),
    ],
    ids=["text", "sound", "picture"],
)
def test_a_checkpoint_runs_whatever_it_asks_for_and_says_what_is_set_aside(
    write: Callable[..., Path], kind: str, made: Callable[[], Any], tmp_path: Path
) -> None:
    folder = write(tmp_path / "plain", kind)
    read: dict[str, Any] = {"sampling_rate": 16_000} if write is whisper_folders.write else {}
    plain = registry.load(folder).trace(made(), num_beams=1, **read)
    file = write(tmp_path / "asking", kind) / "generation_config.json"
    said = json.loads(file.read_text())
    file.write_text(json.dumps({**said, **{name: REFUSED[name] for name in REFUSED if name not in said}, **UNSEEN}))
    asking = registry.load(file.parent)
    trace = asking.trace(made(), num_beams=1, **read)
    assert trace.steps == plain.steps
    np.testing.assert_array_equal(trace.cross.weights, plain.cross.weights)
    (note,) = {*trace.remarks} - {*plain.remarks}
    for name in ("num_beam_groups = 2 (", "stop_strings = ['a', '.'] (", "guidance_scale = 1.5 (", "token_healing"):
        assert name in note
    assert asking.trace(made(), num_beams=2, **read).steps  # where groups of beams would have been asked for
    file.write_text("{")
    with pytest.raises(ModelError, match=r"its generation_config\.json is damaged"):
        registry.load(file.parent)


def test_older_checkpoints_say_it_in_their_configuration(tmp_path: Path) -> None:
    folder = seq2seq_folders.write(tmp_path, "bert2bert")
    (folder / "generation_config.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    config |= {"max_length": 6, "stop_strings": ["a"]}
    config["decoder"] |= {"num_beam_groups": 4, "max_length": 9}
    (folder / "config.json").write_text(json.dumps(config))
    trace = registry.load(folder).trace("The cat.", num_beams=2)
    assert trace.provenance["decoding"]["max_length"] == 6
    assert "num_beam_groups = 4" in trace.remarks[0]
    assert "stop_strings = ['a']" in trace.remarks[0]


def test_an_output_that_nowhere_starts_or_ends_is_refused(tmp_path: Path) -> None:
    folder = seq2seq_folders.write(tmp_path, "bert2bert")
    (folder / "generation_config.json").unlink()
    config = json.loads((folder / "config.json").read_text())
    del config["decoder_start_token_id"]
    config["decoder"].pop("bos_token_id", None)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="does not say from which token an output starts"):
        registry.load(folder)
