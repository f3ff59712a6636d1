"""The page about attention itself: each idea in a few sentences, beside an explorer of a trace that ships.

Nothing is computed by a model here: opening the page loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import streamlit as st

from xattn_viz import examples
from xattn_viz.analysis.head_measures import surprises
from xattn_viz.app import explorer
from xattn_viz.app.page import PAGES, literal
from xattn_viz.app.page_state import query_of
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View, head_title
from xattn_viz.examples import EXAMPLES, HINTS, SPEECH

_CAT, _BOAT, _BARCO = (next(one for one in EXAMPLES if one.slug == slug) for slug in ("cat", "boat", "barco"))
_FORWARD = next(one for one in SPEECH if one.slug == "forward")
_CSS = """<style>
[data-testid="stHeading"] h2 { font-size: 1.5rem; padding: 1.5rem 0 0.75rem; }
[data-testid="stMainBlockContainer"] { max-width: 90rem; margin-inline: auto; }
</style>"""


def show() -> None:
    """All ideas, in order."""
    st.html(_CSS)
    for number, (title, draw) in enumerate(IDEAS.items(), 1):
        st.header(f"{number:d}. {title}", anchor=False)
        try:
            draw()
        except _NotThere:
            st.caption("The trace that is shown here is missing in this installation: `python -m scripts.examples`.")


class _NotThere(Exception):  # noqa: N818 - of the page alone
    """A trace that ships with the program is not there."""


@cache
def _trace(name: str) -> Trace:
    about, _, part = name.partition("about-")
    trace = examples.load_about(part) if part else examples.load(about)
    if trace is None:
        raise _NotThere(name)
    return trace


def _idea(paragraphs: str, picture: Callable[[], None], **links: tuple[str, dict[str, str], str]) -> None:
    """A few paragraphs beside an explorer; below them where to play with it: page, what its address says, label."""
    said, shown = st.columns([2, 3], gap="large")
    with said:
        st.markdown(paragraphs)
        for page, address, label in links.values():
            st.page_link(PAGES / f"{page}.py", label=f"▸ {label}", query_params=address)
    with shown:
        picture()


def _cross() -> None:
    _idea(
        "A model that translates writes one token at a time, a word or a piece of one. Before each it looks back at "
        "the sentence it was given and takes in a little of every token there. How much of each are its **weights**: "
        "numbers from 0 to 1 that add up to 1 in every row of the map. This is **cross-attention**, as one text looks "
        "across at another.\n\n"
        "Point at a word of the translation: the words that it looked at light up.",
        lambda: explorer.show_small(_trace("cat"), "about-cross", _view(_CAT)),
        own=("translate", _address(_CAT), "Type a sentence of your own"),
        speech=("speech", query_of(_FORWARD).address(), "The same over sound"),
    )


def _self() -> None:
    _idea(
        "A text also looks at itself, in **self-attention**. In the *encoder* every token of the source reads the "
        "whole source, so that *sat* can take in who sat. In most *decoders* every token that is written reads what "
        "was written before it, and then the source.\n\n"
        "This is the encoder of the same model: both sides of the map are the same words.",
        lambda: explorer.show_small(_trace("about-whole"), "about-self", View("encoder", 0, 1)),
        own=("translate", _address(_CAT) | {"map": "encoder", "self_attention": "true"}, "See it for any sentence"),
        layer=("layer", {"section": "self_vs_cross"}, "The same layer, used both ways"),
    )


def _qkv() -> None:
    _idea(
        "Where do weights come from? Each token is a list of numbers, a vector. Whoever looks makes a **query** of its "
        "vector (what am I looking for?), whoever is looked at a **key** (what have I to offer?) and a **value** (what "
        "is taken in): three tables of numbers that the model learned, one multiplication each. In self-attention "
        "all three are made of the same text. In cross-attention the query is made of what is being written, key and "
        "value of what is read.\n\n"
        "Query times key, summed up, is a score; a softmax turns the scores of a row into weights; the values, each "
        "times its weight, are what the token takes along. Click a cell: this very arithmetic stands below the map.",
        lambda: explorer.show_small(
            _trace("cat"),
            "about-qkv",
            _view(_CAT, query=1, key=1),
            parts=("cell",),
            state={"checked": {"row": 1, "column": 1}},
        ),
        layer=("layer", {"section": "steps"}, "Change the numbers, step by step"),
    )


def _scale() -> None:
    trace = _trace("cat")
    unscaled = replace(trace, maps=(_without_scale(trace.cross),))
    projections = trace.cross.projections
    wide = 0 if projections is None else projections.queries.shape[-1]
    peak, other = (float(one.cross.head(_CAT.layer, _CAT.head).max(-1).mean()) for one in (trace, unscaled))
    _idea(
        f"A score is a sum of {wide} products here, and the more there are, the larger it gets. Softmax of large "
        "numbers is nearly all or nothing: one word gets everything, and the model learns little from the others. So "
        f"scores are divided by √{wide} first.\n\n"
        f"The same head with and without that division: the largest weight of a row is {peak:.2f} on average, and "
        f"{other:.2f} without.",
        lambda: explorer.show_small(
            trace, "about-scale", _view(_CAT), beside=(unscaled, f"Divided by √{wide}", "Not divided")
        ),
        layer=("layer", {"section": "scale"}, "Turn the scale yourself"),
    )


def _without_scale(maps: AttentionMaps) -> AttentionMaps:
    """The same queries and keys through softmax without the division by √d_k."""
    if maps.projections is None:
        raise _NotThere("queries and keys")
    scores = np.einsum("lhqd,lhkd->lhqk", maps.projections.queries, maps.projections.keys, dtype=np.float64)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    weights = (powers / powers.sum(-1, keepdims=True)).astype(np.float32)
    return replace(maps, weights=weights, projections=replace(maps.projections, scale=1.0))


def _masks() -> None:
    _idea(
        "Not everything may be looked at. While a word is written, the words behind it do not exist yet; in training "
        "they do, and would give the answer away. A **mask** sets their scores to minus infinity, and their weights "
        "become 0: the empty corner of this map of a caption, whose words read the words before them. A second mask "
        "hides padding, which only fills sentences up to one length.",
        lambda: explorer.show_small(_trace("about-sources"), "about-masks", View("decoder", 0, 0)),
        layer=("layer", {"section": "masks"}, "Draw a mask and watch its rows"),
    )


def _heads() -> None:
    cross = _trace("about-whole").cross
    _idea(
        f"One layer looks with several **heads** at once, each with queries, keys and values of its own; this model "
        f"has {len(cross.layers)} layers with {cross.n_heads} heads that read the source. Every small map is one. "
        "Some follow the words, some run one word behind, some rest on a sign that says nothing, and many do what "
        "nobody has a name for. Choose one.",
        lambda: explorer.show_small(_trace("about-whole"), "about-heads", View("cross", 1, 0), parts=("heads",)),
        own=("translate", _address(_CAT) | {"head": "mean"}, "All heads, for any sentence"),
        layer=("layer", {"section": "shapes"}, "How the tensors are cut into heads"),
    )


def _sources() -> None:
    _idea(
        "What is read need not be one text. This model writes a caption and reads two **sources**: a picture, here in "
        "grey, and a sentence that tells the colours. Both stand in one row of keys, so that each word shares its "
        "weight out between them; other models give each source an attention of its own. Choose *red*, then *circle*.",
        lambda: explorer.show_small(_trace("about-sources"), "about-sources", _view(HINTS[0], query=HINTS[0].word)),
        own=("images", query_of(HINTS[0]).address(), "Give it a picture and a hint of your own"),
        layer=("layer", {"section": "two_sources"}, "Two sources, three ways"),
    )


def _cost() -> None:
    trace = _trace("boat")
    maps = trace.cross
    rows, columns = len(maps.queries), len(maps.keys)
    _idea(
        f"Every token written looks at every token read: here {rows} × {columns} weights, in {maps.n_heads} heads of "
        f"{len(maps.layers)} layers, {maps.weights.size:,} in all. With twice the words on both sides it is four "
        "times as many, and that is why long texts cost so much. Keys and values of what was read are kept, so that "
        "each new token adds one row and not a whole map.",
        lambda: explorer.show_small(trace, "about-cost", _view(_BOAT), parts=("steps",)),
        layer=("layer", {"section": "cost"}, "Count it for any size"),
    )


def _alignment() -> None:
    _idea(
        "Which word is the translation of which? That is **word alignment**, and one can read it off attention, with "
        "care: from a head that happens to align, and often one row late, as a token is taken in where it is read. The "
        "lines cross where the languages order their words differently.",
        lambda: explorer.show_small(
            _trace("barco"), "about-alignment", _view(_BARCO), state={"lines": True, "threshold": 0.4}
        ),
        own=("translate", _address(_BARCO) | {"tab": "evidence"}, "Alignments, measured"),
    )


def _limits() -> None:
    trace = _trace("cat")
    resting = next((one for one in surprises(trace) if "on </s>" in one.title), None)
    view = _view(_CAT) if resting is None else View(layer=resting.layer, head=resting.head or 0)
    said = "" if resting is None else f" {literal(resting.says)}"
    _idea(
        "Bright is where a head looked, not why a word was chosen. What was taken in there, the other heads and the "
        f"layers around them count as much. A head can rest where nothing is to be had.{said} To know what a head is "
        "good for, one takes it away and sees what becomes of the output; other methods ask for gradients, or leave "
        "words out.",
        lambda: explorer.show_small(trace, "about-limits", view),
        own=("translate", _address(_CAT) | {"tab": "evidence"}, f"Take heads away, {head_title(1, 0)} first"),
        layer=("layer", {"section": "limits"}, "What one cannot see in a map"),
    )


def _view(example: examples.Example | examples.SceneExample, **chosen: int) -> View:
    return replace(View(layer=example.layer, head=example.head), **chosen)  # type: ignore[arg-type]


def _address(example: examples.Example) -> dict[str, str]:
    return query_of(example).address() | _view(example).format()


#: What the page explains, by title.
IDEAS: dict[str, Callable[[], None]] = {
    "Cross-attention: one text looks at another": _cross,
    "Self-attention: a text looks at itself": _self,
    "Queries, keys and values": _qkv,
    "Scale": _scale,
    "Masks": _masks,
    "Heads": _heads,
    "Several sources": _sources,
    "Cost": _cost,
    "Alignment": _alignment,
    "What attention does not tell": _limits,
}
