from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xattn_viz import examples
from xattn_viz.examples import EXAMPLES, Example
from xattn_viz.examples.__main__ import main, make
from xattn_viz.store import load_trace

by_slug = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)


@by_slug
def test_a_shipped_trace_is_what_the_model_makes_today(example: Example) -> None:
    shipped, fresh = examples.load(example.slug), make(example)
    assert shipped is not None
    assert (shipped.input, shipped.output) == (fresh.input, fresh.output) == (example.text, fresh.output)
    assert shipped.cross.keys == fresh.cross.keys
    assert shipped.cross.queries == fresh.cross.queries
    assert shipped.cross.read == fresh.cross.read
    # Another machine sums in another order: float32 weights then differ by some 1e-6, so 1e-4 leaves room.
    np.testing.assert_allclose(shipped.cross.weights, fresh.cross.weights, atol=1e-4)
    assert shipped.cross.projections is not None
    assert fresh.cross.projections is not None
    np.testing.assert_allclose(shipped.cross.projections.queries, fresh.cross.projections.queries, atol=1e-3)
    np.testing.assert_allclose(shipped.cross.projections.keys, fresh.cross.projections.keys, atol=1e-3)
    assert [(step.token, step.id) for step in shipped.steps] == [(step.token, step.id) for step in fresh.steps]
    assert [step.log_prob for step in shipped.steps] == pytest.approx([step.log_prob for step in fresh.steps], abs=1e-3)
    assert shipped.provenance["weights_sha256"] == fresh.provenance["weights_sha256"]


@by_slug
def test_a_shipped_trace_is_small_and_has_the_head_it_speaks_of(example: Example) -> None:
    path = Path(examples.__file__).with_name(f"{example.slug}.npz")
    assert path.stat().st_size < 100_000
    trace = examples.load(example.slug)
    assert trace is not None
    trace.cross.head(example.layer, example.head)
    assert example.notice.endswith(".")


def test_each_example_has_its_own_name() -> None:
    assert len({example.slug for example in EXAMPLES}) == len(EXAMPLES)


def test_a_missing_file_is_no_error_and_an_unknown_name_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(examples, "files", lambda _: tmp_path)
    assert examples.load(EXAMPLES[0].slug) is None
    with pytest.raises(ValueError, match="no example 'dog': choose cat"):
        examples.load("dog")


def test_remaking_writes_every_trace_so_that_it_reads_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == {example.slug for example in EXAMPLES}
    for example in EXAMPLES:
        assert load_trace(tmp_path / f"{example.slug}.npz").input == example.text
    assert EXAMPLES[0].text in capsys.readouterr().out
