"""Random traces that are valid, of every kind and at every extreme that a field allows, for hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from xattn_viz.core.axis import Axis
from xattn_viz.core.evidence import Alignment, AlignmentHead, AlignmentLink, Deletion, DeletionCurve, LinkMethod, Word
from xattn_viz.core.maps import Alteration, AttentionMaps, MapKind, Projections
from xattn_viz.core.trace import Alternative, Answer, HeadGrid, Hypothesis, Layer, Note, Speech, Step, Subject, Trace

NASTY = [
    *(
        "",
        " ",
        "\x00",
        "\ud800",
        "\udfff a",
        "\ufffe",
        "\u202e",
        "\n",
        "\r",
        "\t=1",
        "</script>",
        "<!--",
        "]]>",
        "&amp;",
    ),
    *(
        "=1+1",
        "+1",
        "-1",
        "@SUM(1)",
        " =1",
        "＝1",
        "'=1",
        '"',
        "NaN",
        "a,b;c",
        "$x$",
        "%{x}",
        "<b>x",
        "e\u0301",
        "👩‍👧",
    ),
    *("שלום", "नमस्ते", "\u1100\u1161", "x" * 300, "\\", "{0}", "…", "The end. A new one! 好。", "\u2028", "\u200b"),
]
texts = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=()), max_size=12))
# Every number that a field of a trace can hold and a file can keep.
whole = st.integers(-(2**63), 2**63 - 1)
counted = st.one_of(st.integers(0, 20), st.integers(0, 2**63 - 1))
log_probs = st.one_of(
    st.sampled_from([0, -0.0, 1e-7, float("-inf"), float("inf"), -(10**18), 10**18, 1.7e308, -5e-324]),
    st.floats(allow_nan=False),
)
plain = st.recursive(
    st.none() | st.booleans() | texts | st.floats() | st.integers(-(10**400), 10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
provenances = st.dictionaries(
    st.sampled_from(["model", "notes", "layers", "alignment_heads", "device", "pieces"]) | texts, plain, max_size=4
)


@st.composite
def text_axes(draw: Callable[..., Any], size: int) -> Axis:
    """Tokens, with or without spans, words, special ones and parts."""
    labels = tuple(draw(st.lists(texts, min_size=size, max_size=size)))
    ends = sorted(draw(st.lists(st.one_of(st.integers(0, 30), counted), min_size=2 * size, max_size=2 * size)))
    rises = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    special = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    cut = draw(st.integers(0, size))
    return Axis(
        "text",
        labels=labels,
        spans=draw(st.sampled_from([None, tuple(zip(ends[::2], ends[1::2], strict=True))])),
        words=draw(st.sampled_from([None, tuple(int(i) for i in np.cumsum([0, *rises[1:]]))])),
        special=draw(st.sampled_from([None, tuple(special)])),
        parts=draw(st.sampled_from([None, ((labels[0], 0, cut), ("b", cut, size))])),
    )


@st.composite
def sound_axes(draw: Callable[..., Any], size: int) -> Axis:
    """Frames of any length, padding at their end."""
    start = draw(st.sampled_from([0, 0.0, 5.0, -3.0, 1e-300, 1e9, 1e300]))
    frame = draw(st.sampled_from([0.0, 1e-9, 0.02, 1, 3600.0, 1e12]))
    own = draw(st.integers(0, size))
    return Axis(
        "audio",
        times=tuple((start + i * frame, start + (i + 1) * frame) for i in range(size)),
        special=draw(st.sampled_from([None, tuple(i >= own for i in range(size))])),
    )


@st.composite
def picture_axes(draw: Callable[..., Any], size: int) -> Axis:
    """Patches, with or without a class token or labels."""
    wide = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    if size == wide or draw(st.booleans()):
        return Axis("image", grid=(size // wide, wide), labels=draw(st.sampled_from([None, (draw(texts),) * size])))
    return Axis.picture(1, size - 1, (draw(texts),))


def axes(kind: str, size: int) -> st.SearchStrategy[Axis]:
    latents = st.lists(texts, min_size=size, max_size=size).map(lambda names: Axis("latent", labels=tuple(names)))
    return {"text": text_axes(size), "audio": sound_axes(size), "image": picture_axes(size), "latent": latents}[kind]


@st.composite
def maps_of(
    draw: Callable[..., Any], kind: MapKind, queries: Axis, keys: Axis, layers: tuple[int, ...], heads: int
) -> AttentionMaps:
    """Weights of any spread, altered or not, with or without the projections behind them."""
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    shape = (len(layers), heads, len(queries))
    weights: NDArray[Any] = random.dirichlet(np.full(len(keys), draw(st.sampled_from([1e-2, 1.0, 100.0]))), shape)
    altered: tuple[Alteration, ...] = tuple(draw(st.lists(st.sampled_from(get_args(Alteration)), unique=True)))
    if altered:
        weights[:, :, 0] = 0
    if {"cropped", "aggregated", "ablated"} & set(altered):
        weights = weights * draw(st.sampled_from([0.0, 1e-30, 0.5, 1.0]))
    q, k = random.normal(size=(*shape, 3)).astype("f4"), random.normal(size=(*shape[:2], len(keys), 3)).astype("f4")
    bias = draw(st.sampled_from([None, np.zeros((1, 1, len(queries), len(keys)), np.float32)]))
    scale = draw(st.sampled_from([0.5, 1, 0.0, 1e300]))
    return AttentionMaps(
        weights.astype(draw(st.sampled_from(["float16", "float32"]))),
        queries,
        keys,
        kind,
        layers,
        read=draw(st.none() | axes(queries.kind, len(queries))),
        projections=draw(st.sampled_from([None, Projections(q, k, scale, bias)])),
        altered=altered,
    )


@st.composite
def traces(draw: Callable[..., Any]) -> Trace:
    """A trace of text, sound, a picture that is read or drawn, or of latents."""
    sizes = st.integers(1, 6)
    rows, columns = draw(
        st.sampled_from(
            [("text", k) for k in ("text", "audio", "image", "latent")]
            + [("image", "text"), ("latent", "image"), ("latent", "latent"), ("image", "latent")]
        )
    )
    queries, keys = draw(axes(rows, draw(sizes))), draw(axes(columns, draw(sizes)))
    layers = tuple(draw(st.lists(st.integers(0, 3) | counted, min_size=1, max_size=2, unique=True)))
    heads = draw(st.integers(1, 2))
    maps = [draw(maps_of("cross", queries, keys, layers, heads))]
    if draw(st.booleans()):
        maps.append(draw(maps_of("encoder", keys, keys, layers, heads)))
    if draw(st.booleans()):
        maps.append(draw(maps_of("decoder", queries, queries, layers, 1)))
    alternatives = st.lists(st.builds(Alternative, texts, whole, log_probs), max_size=2).map(tuple)
    steps = st.builds(Step, texts, whole, log_probs, alternatives, st.booleans())
    return Trace(
        tuple(maps),
        draw(inputs(columns)),
        draw(texts),
        tuple(draw(st.lists(steps, min_size=len(queries), max_size=len(queries)))) if draw(st.booleans()) else (),
        tuple(draw(st.lists(st.builds(Hypothesis, texts, log_probs, few(texts), few(whole)), max_size=2))),
        draw(st.sampled_from([0, 7, 12.5, -1, 1e300])),
        draw(provenances),
        tuple(np.full((draw(sizes), draw(sizes), 3), i, np.uint8) for i in range(draw(st.integers(0, 2)))),
        draw(few(st.builds(Note, texts, st.sampled_from(get_args(Subject))))),
        draw(few(st.builds(Answer, texts, st.floats()))),
        draw(few(st.builds(Layer, texts, st.tuples(counted, counted)))),
        draw(few(st.tuples(st.integers(0, 3), counted))),
        draw(st.none() | st.builds(Speech, st.none() | texts, st.none() | st.floats(), st.none() | st.floats())),
        draw(few(grids())),
        draw(st.none() | alignments()),
        draw(st.none() | deletions()),
    )


@st.composite
def grids(draw: Callable[..., Any]) -> HeadGrid:
    """Evidence about heads with gaps, with or without rows and intervals."""
    layers, heads = tuple(draw(st.lists(counted, min_size=1, max_size=2))), draw(st.integers(1, 2))
    number = st.sampled_from([float("nan"), 0.0, -0.0, 1e-45, 3.4e38, -2.0])
    values = np.array([[draw(number) for _ in range(heads)] for _ in layers], np.float32)
    rows = draw(st.none() | st.integers(0, 3).map(lambda count: np.zeros((*values.shape, count), np.float32)))
    ends = (values, values) if draw(st.booleans()) else (None, None)
    kind = draw(st.sampled_from(get_args(MapKind)))
    return HeadGrid(draw(texts), draw(texts), draw(texts), kind, layers, values, draw(texts), rows, *ends)


@st.composite
def alignments(draw: Callable[..., Any]) -> Alignment:
    """Links between words, some of which stand nowhere in a text."""
    words = st.builds(Word, texts, st.none() | st.tuples(counted, counted))
    source, target = (draw(st.lists(words, min_size=1, max_size=2).map(tuple)) for _ in range(2))
    numbers = st.sampled_from([0.0, 0.37, 1.0, 5e-324])
    links = st.builds(
        AlignmentLink, st.integers(0, len(source) - 1), st.integers(0, len(target) - 1), numbers | st.just(1)
    )
    heads = few(st.builds(AlignmentHead, counted, counted, st.integers(0, 1)))
    weights = np.full((len(target), len(source)), draw(numbers))
    method = draw(st.sampled_from(get_args(LinkMethod)))
    agreement = draw(st.none() | numbers)
    own, reverse = draw(heads), draw(heads)
    return Alignment(source, target, draw(few(links)), weights, own, reverse, draw(texts), method, 0.37, agreement)


@st.composite
def deletions(draw: Callable[..., Any]) -> Deletion:
    """Curves of one length, those of random orders beside them."""
    fractions = np.linspace(0, 1, draw(st.integers(2, 4)))
    number = st.sampled_from([0.0, -0.25, -1e30])
    curves = st.builds(
        lambda name, value: DeletionCurve(name, (1, 0), fractions, np.full(len(fractions), value)), texts, number
    )
    some = st.lists(curves, min_size=1, max_size=2).map(tuple)
    return Deletion(draw(some), draw(some), ((0,), (1, 2)))


def few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """At most two of these."""
    return st.lists(values, max_size=2).map(tuple)


def inputs(columns: str) -> st.SearchStrategy[Any]:
    """What a trace was made of: a text, a spectrogram or samples, a picture, or an array of another kind."""
    numbers = st.sampled_from([0.0, 1.0, -1e30, float("nan"), float("inf"), 1e300])
    mel = st.builds(lambda n, value, kind: _filled((4, n), value, kind), st.integers(0, 9), numbers, KINDS)
    samples = st.builds(lambda n, value, kind: _filled((n,), value, kind), st.integers(0, 900), numbers, KINDS)
    pixels = st.builds(lambda h, w: np.zeros((h, w, 3), np.uint8), st.integers(1, 9), st.integers(1, 9))
    other = st.sampled_from([np.zeros((1, 2, 3, 4), np.float32), np.zeros((), np.int64), np.zeros((2, 2), bool)])
    return texts | mel | samples | other if columns == "audio" else texts | pixels | other


def _filled(shape: tuple[int, ...], value: float, kind: str) -> NDArray[Any]:
    with np.errstate(over="ignore"):  # too large for half floats: infinity
        return np.full(shape, value).astype(kind)


KINDS = st.sampled_from(["f2", "f4", "f8"])
