"""Two short sequences as a setting: words, each with a vector of its own, or rows of numbers.

The vectors are not learnt. Those of the first example were chosen by hand so that its map can be read; any other word
gets numbers that depend on its letters alone.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xattn_viz.lessons.steps.setting import Setting

#: What the page begins with.
QUERIES, KEYS = "gato preto", "the black cat"
#: The longest sequences and the widest vectors that a page can show in full.
MOST_POSITIONS = 8
MOST_WIDTH = 8
#: The largest number of a vector or a weight matrix.
LARGEST = 100.0
_WIDTH = 4  # of a word's vector unless asked otherwise
_NUMBER = r"[-+−]?(?:\d+(?:\.\d*)?|\.\d+)"
_NUMBERS = re.compile(rf"\s*{_NUMBER}(?:[\s,;]+{_NUMBER})*[\s;]*")

# Columns: an animal, a colour, a word that only points, how much it is about size.
_CHOSEN = {
    **dict.fromkeys(("gato", "cat"), (1.4, 0.1, 0.0, -0.3)),
    **dict.fromkeys(("preto", "black"), (0.1, 1.4, 0.1, 0.2)),
    **dict.fromkeys(("o", "the"), (0.2, -0.1, 1.1, 0.0)),
}


def from_words(
    queries: str,
    keys: str,
    *,
    d_model: int | None = None,
    n_heads: int = 1,
    scaled: bool = True,
    padding: tuple[bool, ...] = (),
    causal: bool = False,
) -> Setting:
    """A setting of two sequences, each of words ("gato preto") or of rows of numbers ("1 0 0 0; 0 1 0 0").

    A word has the same vector wherever it stands. `d_model` is the width of words, 4 unless given; numbers have the
    width of their rows. The weight matrices are near a multiple of the identity, so that alike vectors attend to each
    other. All numbers have two decimals at most.

    Raises ValueError for a sequence that is empty, longer or wider than a page can show, or of uneven rows.
    """
    if d_model is not None and not 1 <= d_model <= MOST_WIDTH:
        raise ValueError(f"d_model must be from 1 to {MOST_WIDTH}: got {d_model}.")
    query_labels, x = _sequence(queries, "queries", "q", d_model or _WIDTH)
    key_labels, context = _sequence(keys, "keys", "k", d_model or _WIDTH)
    wide, other = x.shape[1], context.shape[1]
    return Setting(
        query_labels,
        key_labels,
        x,
        context,
        w_q=_weights("w_q", wide, wide, 1.6),
        w_k=_weights("w_k", other, wide, 1.6),
        w_v=_weights("w_v", other, wide, 1.0),
        w_o=_weights("w_o", wide, wide, 1.0),
        n_heads=n_heads,
        scaled=scaled,
        padding=padding,
        causal=causal,
    )


def _sequence(text: str, name: str, letter: str, width: int) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    if _NUMBERS.fullmatch(text):
        return _numbers(text, name, letter)
    words = tuple(text.split())
    _check_length(len(words), name)
    return words, np.array([_vector(word, width) for word in words])


def _numbers(text: str, name: str, letter: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    split = [re.findall(_NUMBER, row) for row in text.replace("−", "-").split(";")]
    rows = [[float(number) for number in row] for row in split if row]
    _check_length(len(rows), name)
    widths = sorted({len(row) for row in rows})
    if len(widths) > 1:
        raise ValueError(
            f"Every row of the {name} must have as many numbers: got rows of {widths[0]} and {widths[-1]}."
        )
    if widths[0] > MOST_WIDTH:
        raise ValueError(f"A row of the {name} can have {MOST_WIDTH} numbers at most: got {widths[0]}.")
    if max(abs(number) for row in rows for number in row) > LARGEST:
        raise ValueError(f"The numbers of the {name} must be from −{LARGEST:g} to {LARGEST:g}.")
    return tuple(f"{letter}{i + 1}" for i in range(len(rows))), np.array(rows).round(2) + 0.0


def _check_length(length: int, name: str) -> None:
    if not length:
        raise ValueError(f"There are no {name}: type a word, or a row of numbers such as 1 0 0 0.")
    if length > MOST_POSITIONS:
        raise ValueError(f"There is room for {MOST_POSITIONS} {name} at most: got {length}.")


@cache
def _vector(word: str, width: int) -> tuple[float, ...]:
    chosen = _CHOSEN.get(word.lower())
    return chosen if chosen and width == _WIDTH else tuple(_drawn(f"word {word}", width).tolist())


def _weights(name: str, rows: int, columns: int, diagonal: float) -> NDArray[np.float64]:
    noise = 0.2 * _drawn(name, rows * columns).reshape(rows, columns)
    return (np.eye(rows, columns) * diagonal + noise).round(2) + 0.0


def _drawn(name: str, count: int) -> NDArray[np.float64]:
    """Numbers from −1 to 1 with two decimals that depend on a name alone."""
    digest = hashlib.shake_256(name.encode()).digest(4 * count)
    return (np.frombuffer(digest, "<u4") / 2**31 - 1).round(2) + 0.0
