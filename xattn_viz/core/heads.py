"""What a head is called where people read or type it, and how the names of its files begin.

Layers and heads count from 0 in Python and from 1 here: page, address, command line and file names. Every place that
names a head asks these functions. In all of them `layer` is None for all layers together, and `head` a number, or how
the heads are brought into one: "mean" (also None) or "max".
"""

from __future__ import annotations

import re
from typing import Literal

from xattn_viz.core.messages import quoted
from xattn_viz.core.trace import Trace

#: How several heads are brought into one map.
Reduction = Literal["mean", "max"]

_WORDS, _LONGEST_WORD = 2, 24  # of a text, in the name of a file
_ARTICLES = ("a", "an", "the")  # which say nothing there
_KEY = re.compile(r"(?:(\d{1,4})\.)?(\d{1,4}|mean|max)", re.ASCII)


def title(layer: int | None, head: int | Reduction | None) -> str:
    """In words that stand inside a sentence: "layer 2, head 1", "layer 2, mean over heads", "mean over all heads"."""
    reduced = {"mean": "mean over", "max": "maximum over"}
    if layer is None:
        return f"{reduced[_reduction(head)]} all heads"
    last = f"head {head + 1}" if isinstance(head, int) else f"{reduced[_reduction(head)]} heads"
    return f"layer {layer + 1}, {last}"


def key(layer: int | None, head: int | Reduction | None) -> str:
    """As an address and the command line have it: "2.1", "2.mean", "mean", "max"."""
    if layer is None:
        return _reduction(head)
    return f"{layer + 1}.{head + 1 if isinstance(head, int) else _reduction(head)}"


def slug(layer: int | None, head: int | Reduction | None) -> str:
    """As the name of a file has it: "L2H1", "L2mean", "mean", "max"."""
    if layer is None:
        return _reduction(head)
    return f"L{layer + 1}{f'H{head + 1}' if isinstance(head, int) else _reduction(head)}"


def parse(text: str) -> tuple[int | None, int | Reduction]:
    """The layer and the head, from 0, that a `key` names. Raises ValueError, in a sentence, for what names none."""
    found = _KEY.fullmatch(text)
    layer, last = found.groups() if found else (None, "")
    if not found or (layer is None and last.isdigit()):
        raise ValueError(f"{quoted(text)} names no head: give layer.head, such as 2.1 (layer 2, head 1).")
    if 0 in (int(number) for number in (layer, last) if number and number.isdigit()):
        raise ValueError(f"Layers and heads count from 1, so {quoted(text)} names none.")
    return (int(layer) - 1 if layer else None), _head(last)


def _head(text: str) -> int | Reduction:
    if text.isdigit():
        return int(text) - 1
    return "max" if text == "max" else "mean"


def _reduction(head: int | Reduction | None) -> Reduction:
    if isinstance(head, int):
        raise ValueError(f"Head {head} is one of a layer's heads: name the layer too.")
    return head or "mean"


def file_stem(trace: Trace) -> str:
    """How the files of a trace begin: its model and the first words of its text, "en-pt_cat-sat"."""
    folder = re.split(r"[/\\]", trace.model)[-1]  # the last of a path, which may be private
    name = re.sub(r"^[a-z]+-(?=[a-z]{2}-[a-z]{2}$)", "", folder)
    text = trace.input if isinstance(trace.input, str) else trace.output
    words = [word[:_LONGEST_WORD] for word in re.findall(r"[^\W_]+", text.casefold())]
    if len(words) > 1 and words[0] in _ARTICLES:
        del words[0]
    parts = ("-".join(re.findall(r"[\w.]+", name)), "-".join(words[:_WORDS]))
    return "_".join(filter(None, parts)) or "attention"
