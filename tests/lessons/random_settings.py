"""Settings drawn at random: every shape, mask and size of number that a page can show."""

from __future__ import annotations

import numpy as np

from xattn_viz.lessons.steps import Setting


def draw(chance: np.random.Generator) -> Setting:
    """One setting; in some of them rows have no key left, or numbers are large."""
    n_heads = int(chance.choice([1, 2, 4]))
    queries, keys, d_context = (int(chance.integers(1, 9)) for _ in range(3))
    d_model = n_heads * int(chance.integers(1, 8 // n_heads + 1))
    size = float(chance.choice([1.0, 1.0, 100.0]))
    padding = chance.random(keys) < chance.choice([0.0, 0.4, 1.0], p=[0.5, 0.4, 0.1])

    def matrix(rows: int, columns: int, largest: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return chance.uniform(-largest, largest, (rows, columns)).round(2)

    return Setting(
        tuple(f"q{i}" for i in range(queries)),
        tuple(f"k{i}" for i in range(keys)),
        matrix(queries, d_model, size),
        matrix(keys, d_context, size),
        matrix(d_model, d_model, 2.0),
        matrix(d_context, d_model, 2.0),
        matrix(d_context, d_model, 2.0),
        matrix(d_model, d_model, 2.0),
        n_heads=n_heads,
        scaled=bool(chance.random() < 0.6),
        padding=tuple(bool(one) for one in padding),
        causal=bool(chance.random() < 0.3),
    )
