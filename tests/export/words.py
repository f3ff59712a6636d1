"""Words in time for tests: plain ones, and any that a model could write at any times."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from xattn_viz.analysis.timing import TimedWord, spoken_spans
from xattn_viz.export.cues import SubtitleStyle


def words(text: str, *, begin: float = 0.5, each: float = 0.4, pause: float = 0.0) -> list[TimedWord]:
    return [
        TimedWord(text[a:b], begin + i * (each + pause), begin + i * (each + pause) + each, 0.5, (a, b), (i, i))
        for i, (a, b) in enumerate(spoken_spans(text))
    ]


def joined(made: Sequence[TimedWord]) -> str:
    """The words as a text: with a blank where their spans leave room, and what cannot be written replaced."""
    parts: list[str] = []
    for i, word in enumerate(made):
        parts += ["" if not i or word.span[0] == made[i - 1].span[1] else " ", written(word.text)]
    return "".join(parts)


def written(text: str) -> str:
    """A word on one line; controls, halves of surrogate pairs and noncharacters have no place in a file of text."""
    plain = "".join(
        "\ufffd"
        if ord(c) < 32
        or 127 <= ord(c) < 160
        or 0xD800 <= ord(c) < 0xE000
        or 0xFDD0 <= ord(c) < 0xFDF0
        or ord(c) & 0xFFFE == 0xFFFE
        else c
        for c in " ".join(text.split())
    )
    return plain or "\ufffd"


texts = st.text(
    st.one_of(
        st.characters(), st.sampled_from('<i>{}\\nN/an8&;-"= \n\r\t\0\x1c\x85\u2028\ud800\ufdd0\uffff.,!?♪[]0\u0301')
    )
)
times = st.one_of(st.floats(-5, 50), st.floats(allow_nan=False), st.sampled_from([0.0, 1.0, 1.02, 3.0, -0.0, 30.0]))


@st.composite
def any_words(draw: st.DrawFn) -> list[TimedWord]:
    """Words of any text at any times, each behind the other in an output or next to it, some of a second window."""
    made, at = list[TimedWord](), 0
    for text, start, end, gap in draw(
        st.lists(st.tuples(texts, times, times, st.sampled_from([0, 1, 1, 1, -1])), max_size=15)
    ):
        at = 0 if gap < 0 else at + gap
        made.append(TimedWord(text, start, end, draw(st.floats(0, 1)), (at, at + len(text)), (0, 0)))
        at += len(text)
    return made


durations = st.one_of(st.floats(0.1, 40), st.sampled_from([0.1, 1.0, 0.7, 30.0, 6.0005]))
styles = st.builds(
    SubtitleStyle,
    width=st.sampled_from([4, 10, 37, 42]),
    lines=st.integers(1, 3),
    max_duration=st.sampled_from([3.0, 6.0, 7.0]),
    min_duration=st.sampled_from([0.0, 0.7, 5 / 6, 1.0]),
    min_gap=st.sampled_from([0.0, 2 / 24, 0.5]),
    words_per_line=st.sampled_from([None, 1, 3]),
    reading_speed=st.sampled_from([None, 12.0, 20]),
    words_per_minute=st.sampled_from([None, 180]),
)
