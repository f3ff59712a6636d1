"""Self-attention beside cross-attention on the same words: what a word reads in its own sentence, and who reads it.

Both are read off one trace that holds the kinds `cross` and `encoder`, of whatever model.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.records import quoted
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace

#: Each has a word of several meanings, which is looked at first.
EXAMPLES = {
    "He sat on the bank of the river.": "bank",
    "He took the money to the bank.": "bank",
    "The bat flew out of the cave.": "bat",
    "He hit the ball with the bat.": "bat",
}

Weight = tuple[str, float]


@dataclass(frozen=True, eq=False)
class Comparison:
    """One word of the source: its row of the encoder's self-attention, and the row of the translation that reads it.

    `self_attention` `[source word, source word]` and `cross_attention` `[target word, source word]` are whole maps.
    `word` is the word's row of the one, and `reader` that of the other where the most weight lies on the word, special
    tokens left out.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    self_attention: NDArray[np.float64]
    cross_attention: NDArray[np.float64]
    word: int
    reader: int

    def strongest_in_self(self, count: int = 3) -> list[Weight]:
        """The words that the word itself reads most, in its own sentence."""
        return _largest(self.self_attention[self.word], self.source, count)

    def strongest_in_cross(self, count: int = 3) -> list[Weight]:
        """The source words that its reader in the translation reads most."""
        return _largest(self.cross_attention[self.reader], self.source, count)


def source_words(trace: Trace) -> tuple[str, ...]:
    """The source's words and marks, `</s>` last. A word that comes again has its number behind it: each is unique."""
    return _names(trace.encoder.to_words().keys)


def first_choice(trace: Trace) -> str:
    """The word to look at first: an example's own, else the longest word."""
    words = source_words(trace)
    usual = EXAMPLES.get(trace.input) if isinstance(trace.input, str) else None
    return usual if usual in words else max(words[:-1] or words, key=len)


def compare(trace: Trace, word: str, layer: int, head: int | None = None) -> Comparison:
    """What `word` of `source_words` reads in one encoder layer and head, and its reader in the last decoder layer.

    Layers and heads count from 0; `head=None` is the mean over the heads, as it is for the decoder. Raises ValueError
    on a word, layer or head that is not there.
    """
    words = source_words(trace)
    if word not in words:
        raise ValueError(f"The sentence has no word {quoted(word)}; it has {', '.join(words)}.")
    own, cross = trace.encoder.to_words(), trace.cross.to_words().mean()
    weights = own.mean().head(layer, 0) if head is None else own.head(layer, head)
    reads, row = cross.head(-1, 0), words.index(word)
    readers = np.where(cross.queries.is_special, -1.0, reads[:, row])
    target = _names(cross.queries)
    return Comparison(words, target, weights.astype(np.float64), reads.astype(np.float64), row, int(readers.argmax()))


def snippet(text: str, word: str, layer: int, head: int | None) -> str:
    """A script that prints the weights of a word in its own sentence, and those of its reader in the translation."""
    return f"""import xattn_viz as xv
from xattn_viz.lessons import self_vs_cross

trace = xv.load("firefox-en-pt").trace({text!r}, kinds=("cross", "encoder"))
print(trace.output)
found = self_vs_cross.compare(trace, {word!r}, layer={layer}, head={head})  # counted from 0
for word, weight in zip(found.source, found.self_attention[found.word]):
    print("self", word, weight)
print(found.target[found.reader], "reads")
for word, weight in zip(found.source, found.cross_attention[found.reader]):
    print("cross", word, weight)
"""


def _names(axis: Axis) -> tuple[str, ...]:
    counts: Counter[str] = Counter()
    named = []
    for label in (visible(axis.name(i)) for i in range(len(axis))):
        counts[label] += 1
        named.append(label if counts[label] == 1 else f"{label} ({counts[label]})")
    return tuple(named)


def _largest(row: NDArray[np.float64], names: tuple[str, ...], count: int) -> list[Weight]:
    return [(names[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:count]]
