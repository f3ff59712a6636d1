from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import xattn_viz as xv
from scripts.examples import main
from xattn_viz import examples
from xattn_viz.analysis import timing
from xattn_viz.core.store import load_trace
from xattn_viz.core.trace import Trace
from xattn_viz.examples import ALL, EXAMPLES, SPEECH, Example, SpeechExample, clips

by_slug = pytest.mark.parametrize("example", ALL, ids=lambda example: example.slug)
# What halves are off by where the largest weights lie (half a step of 2^-11), and once more for another machine's sums.
HALVES = 2**-11


@pytest.fixture(scope="module")
def remade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every example traced anew."""
    folder = tmp_path_factory.mktemp("examples")
    main(folder)
    return folder


@by_slug
def test_a_shipped_trace_is_what_the_model_makes_today(example: Example | SpeechExample, remade: Path) -> None:
    shipped, fresh = examples.load(example.slug), load_trace(remade / f"{example.slug}.npz")
    assert shipped is not None
    assert shipped.output == fresh.output
    assert shipped.cross.keys == fresh.cross.keys
    assert shipped.cross.queries == fresh.cross.queries
    assert shipped.cross.read == fresh.cross.read
    assert shipped.cross.altered == fresh.cross.altered
    # Another machine sums in another order: float32 weights then differ by some 1e-6, so 1e-4 leaves room.
    atol = 1e-4 if isinstance(example, Example) else HALVES
    np.testing.assert_allclose(shipped.cross.weights, fresh.cross.weights, rtol=0, atol=atol)
    if isinstance(example, Example):
        assert shipped.input == fresh.input == example.text
        _assert_same_projections(shipped, fresh)
    else:
        np.testing.assert_allclose(shipped.input, fresh.input, atol=1e-4)  # type: ignore[arg-type]
    assert [(step.token, step.id) for step in shipped.steps] == [(step.token, step.id) for step in fresh.steps]
    assert [step.log_prob for step in shipped.steps] == pytest.approx([step.log_prob for step in fresh.steps], abs=1e-3)
    assert shipped.provenance["weights_sha256"] == fresh.provenance["weights_sha256"]
    assert shipped.provenance["settings"] == fresh.provenance["settings"]


def _assert_same_projections(shipped: Trace, fresh: Trace) -> None:
    assert shipped.cross.projections is not None
    assert fresh.cross.projections is not None
    np.testing.assert_allclose(shipped.cross.projections.queries, fresh.cross.projections.queries, atol=1e-3)
    np.testing.assert_allclose(shipped.cross.projections.keys, fresh.cross.projections.keys, atol=1e-3)


@pytest.mark.parametrize("example", SPEECH, ids=lambda example: example.slug)
def test_shipped_speech_says_what_a_run_without_options_says(example: SpeechExample) -> None:
    """Less padding and rounder weights change neither the words' times nor a weight on sound."""
    shipped = examples.load_speech(example.model, example.slug)
    plain = xv.load(example.model).trace(clips.sound(example.slug))
    assert shipped is not None
    assert shipped.cross.altered == ("cropped",)
    for ours, theirs in zip(timing.timed_words(shipped), timing.timed_words(plain), strict=True):
        assert (ours.text, ours.span, ours.rows) == (theirs.text, theirs.span, theirs.rows)
        # Sums in another order (more threads, another machine) may tip a path by a frame; here none moved.
        assert (ours.start, ours.end) == pytest.approx((theirs.start, theirs.end), abs=0.021)
        assert ours.confidence == pytest.approx(theirs.confidence, abs=1e-3)
    own = np.flatnonzero(~plain.cross.keys.is_special)
    assert shipped.cross.keys == plain.cross.keys.take(own)
    np.testing.assert_allclose(shipped.cross.weights, plain.cross.weights[..., own], rtol=0, atol=HALVES)
    again = xv.rerun(shipped)  # its log-mel is exact, so the model hears the very same
    assert again.provenance["input_sha256"] == shipped.provenance["input_sha256"]
    np.testing.assert_allclose(again.cross.weights, shipped.cross.weights, rtol=0, atol=HALVES)


@by_slug
def test_a_shipped_trace_is_small_and_has_the_head_it_speaks_of(example: Example | SpeechExample) -> None:
    path = Path(examples.__file__).with_name(f"{example.slug}.npz")
    assert path.stat().st_size < (100_000 if isinstance(example, Example) else 900_000)
    trace = examples.load(example.slug)
    assert trace is not None
    trace.cross.head(example.layer, example.head)
    assert example.notice.endswith(".")


def test_speech_ships_for_its_model_and_clips_only() -> None:
    for model, clip in (("firefox-en-pt", "cat"), ("openai/whisper-tiny", "amiable"), ("whisper-tiny-en", "muted")):
        assert examples.load_speech(model, clip) is None
    assert {example.slug for example in SPEECH} <= {clip.slug for clip in clips.CLIPS}
    assert SPEECH[0].slug == clips.CLIPS[0].slug  # what a page shows at first


def test_each_example_has_its_own_name() -> None:
    assert len({example.slug for example in ALL}) == len(ALL)


def test_a_missing_file_is_no_error_and_an_unknown_name_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(examples, "files", lambda _: tmp_path)
    assert examples.load(EXAMPLES[0].slug) is None
    with pytest.raises(ValueError, match="no example 'dog': choose cat"):
        examples.load("dog")


def test_remaking_writes_every_trace(remade: Path) -> None:
    assert {path.stem for path in remade.iterdir()} == {example.slug for example in ALL} | {
        "about-whole",
        "about-sources",
    }
