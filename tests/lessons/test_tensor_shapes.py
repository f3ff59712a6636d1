from __future__ import annotations

import itertools
from typing import Any

import pytest

from xattn_viz.lessons import tensor_shapes
from xattn_viz.lessons.tensor_shapes import Setting

SETTINGS = [
    Setting(n_heads, queries, keys, d_model, d_context)
    for d_model in (8, 24, 64)
    for n_heads in tensor_shapes.heads_of(d_model)
    for queries, keys, d_context in itertools.product((1, 5), (3, 12), (8, 40))
]


def test_the_output_has_the_length_and_width_of_the_queries() -> None:
    for setting in SETTINGS:
        found = tensor_shapes.forward(setting).tensors
        assert found["output"] == found["x"] == {"query": setting.queries, "d_model": setting.d_model}
        assert found["context"] == {"key": setting.keys, "d_context": setting.d_context}
        assert found["scores"] == {"head": setting.n_heads, "query": setting.queries, "key": setting.keys}
        assert found["q"]["head"] * found["q"]["d_k"] == setting.d_model


def test_what_the_context_is_moves_neither_output_nor_queries() -> None:
    shown = [tensor_shapes.forward(Setting(4, 5, keys, 24, width)).tensors for keys in (1, 9) for width in (8, 64)]
    for name in ("x", "q", "weights · v", "joined", "output"):
        assert len({tuple(found[name].items()) for found in shown}) == 1
    for name in ("k", "v", "scores", "weights"):
        assert len({tuple(found[name].items()) for found in shown}) == 2  # by the length alone


@pytest.mark.parametrize("d_context", [8, 64])
def test_heads_do_not_move_the_number_of_parameters(d_context: int) -> None:
    counted = tensor_shapes.forward(Setting(2, 3, 4, 24, d_context)).parameters
    assert list(counted) == [1, 2, 3, 4, 6, 8]
    # W_q and W_o are d_model × d_model, W_k and W_v d_context × d_model, and each has a bias.
    assert set(counted.values()) == {2 * 24 * 24 + 2 * 24 * d_context + 4 * 24}


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="d_model 48 cannot be split into 5 heads"):
        tensor_shapes.forward(Setting(n_heads=5))


@pytest.mark.parametrize("setting", [Setting(), Setting(8, 2, 11, 64, 8)])
def test_the_snippet_prints_the_shapes_that_are_shown(setting: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    code = tensor_shapes.snippet(setting)
    assert len(code.splitlines()) <= 15
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102 - our own script
    shown = tensor_shapes.forward(setting)
    for line in capsys.readouterr().out.splitlines()[:3]:
        name, printed = line.split(maxsplit=1)
        assert printed == str((1, *shown.tensors[name].values()))
    assert sum(p.numel() for p in scope["layer"].parameters()) == shown.parameters[setting.n_heads]
