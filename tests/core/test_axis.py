from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xattn_viz.core.axis import Axis


def pieces() -> Axis:
    """ "kitty sat </s>" in four pieces."""
    return Axis(
        "text",
        labels=("kit", "ty", "sat", "</s>"),
        spans=((0, 3), (3, 5), (6, 9), (9, 9)),
        words=(0, 0, 1, 2),
        special=(False, False, False, True),
        times=((0.0, 0.1), (0.1, 0.3), (0.5, 0.6), (0.6, 0.6)),
    )


def test_an_axis_knows_its_length_and_names_positions_by_what_it_has() -> None:
    assert len(pieces()) == 4
    assert pieces().name(1) == "ty"
    assert Axis("audio", times=((0.0, 0.02), (1.5, 1.52))).name(1) == "1.50–1.52 s"
    patches = Axis("image", grid=(2, 3))
    assert len(patches) == 6
    assert patches.name(4) == "row 2, column 2"
    assert Axis("latent", special=(False, True)).name(1) == "1"


def test_special_positions() -> None:
    assert pieces().is_special.tolist() == [False, False, False, True]
    assert Axis("image", grid=(1, 2)).is_special.tolist() == [False, False]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "nothing names its positions"),
        ({"labels": ("a", "b"), "special": (True,)}, r"disagree about its length: \{'labels': 2, 'special': 1\}"),
        ({"labels": ("a",), "grid": (2, 2)}, "disagree"),
        ({"words": (1, 2)}, r"start at 0 and rise by 0 or 1: \(1, 2\)"),
        ({"words": (0, 2)}, "rise by 0 or 1"),
        ({"words": (0, 1, 0)}, "rise by 0 or 1"),
    ],
)
def test_fields_that_do_not_fit_are_refused(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Axis("text", **fields)  # type: ignore[arg-type]


def test_words_join_labels_spans_and_times_and_are_special_only_as_a_whole() -> None:
    words = pieces().to_words()
    assert words == Axis(
        "text",
        labels=("kitty", "sat", "</s>"),
        spans=((0, 5), (6, 9), (9, 9)),
        words=(0, 1, 2),
        special=(False, False, True),
        times=((0.0, 0.3), (0.5, 0.6), (0.6, 0.6)),
    )
    assert words.to_words() == words
    half = Axis("text", words=(0, 0), special=(True, False))
    assert half.to_words().special == (False,)


def test_an_axis_without_words_says_so() -> None:
    with pytest.raises(ValueError, match="This image axis of 6 positions carries no words"):
        Axis("image", grid=(2, 3)).to_words()


def test_taking_positions_renumbers_words_and_names_patches() -> None:
    assert pieces().take([1, 3]).words == (0, 1)
    assert pieces().take([1, 3]).labels == ("ty", "</s>")
    assert pieces().take([]).words == ()
    assert Axis("image", grid=(2, 2)).take([3]) == Axis("image", labels=("row 2, column 2",))


def test_a_picture_has_its_special_positions_outside_the_grid() -> None:
    axis = Axis.picture(2, 3, ("[CLS]",))
    assert len(axis) == 7
    assert [axis.name(i) for i in (0, 1, 6)] == ["[CLS]", "row 1, column 1", "row 2, column 3"]
    assert axis.patches.tolist() == [1, 2, 3, 4, 5, 6]
    assert axis.take(axis.patches) == Axis.picture(2, 3) == Axis("image", grid=(2, 3))
    assert axis.take(range(7)) == axis
    assert axis.take([0, 6]) == Axis("image", labels=("[CLS]", "row 2, column 3"), special=(True, False))
    answered = Axis("image", labels=("", "red star", "", ""), grid=(2, 2))
    assert [answered.name(i) for i in range(2)] == ["row 1, column 1", "row 1, column 2 (red star)"]
    assert answered.take(range(4)) == answered
    assert answered.take([1]) == Axis("image", labels=("row 1, column 2 (red star)",))
    with pytest.raises(ValueError, match="'labels': 2, 'grid': 6"):
        Axis("image", labels=("a", "b"), grid=(2, 3))


@st.composite
def word_axes(draw: st.DrawFn) -> Axis:
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    words = tuple(word for word, size in enumerate(sizes) for _ in range(size))
    return Axis("text", labels=tuple(f"{i}," for i in range(len(words))), words=words)


@given(word_axes(), st.data())
def test_what_is_taken_in_order_keeps_which_neighbours_share_a_word(axis: Axis, data: st.DataObject) -> None:
    chosen = sorted(data.draw(st.sets(st.integers(0, len(axis) - 1))))
    taken = axis.take(chosen)
    assert axis.words is not None
    assert taken.words is not None
    for a in range(len(chosen)):
        for b in range(len(chosen)):
            assert (taken.words[a] == taken.words[b]) == (axis.words[chosen[a]] == axis.words[chosen[b]])


@given(word_axes())
def test_groups_list_every_position_once_in_order(axis: Axis) -> None:
    assert [position for group in axis.word_groups() for position in group] == list(range(len(axis)))
    assert "".join(axis.to_words().labels or ()) == "".join(axis.labels or ())


def test_a_word_is_not_named_for_the_space_before_it() -> None:
    words = Axis("text", labels=("a", " ", "b", "c", " "), words=(0, 1, 1, 1, 2)).to_words()
    assert words.labels == ("a", "bc", " ")


def test_words_may_stand_behind_a_picture_as_a_part_of_their_own() -> None:
    labels = ("[CLS]", "", "", "the", "red", "</s>")
    special = (True, False, False, False, False, True)
    parts = (("picture", 0, 3), ("hint", 3, 6))
    axis = Axis("image", labels=labels, special=special, grid=(1, 2), parts=parts)
    assert [axis.name(i) for i in range(6)] == ["[CLS]", "row 1, column 1", "row 1, column 2", "the", "red", "</s>"]
    assert axis.patches.tolist() == [1, 2]
    assert axis.take(range(6)) == axis
    own = axis.take([1, 2, 3, 4])  # without special positions
    assert (own.grid, own.parts) == ((1, 2), (("picture", 0, 2), ("hint", 2, 4)))
    assert own.name(3) == "red"
    assert axis.take([2, 4]) == Axis("image", labels=("row 1, column 2", "red"))
    assert axis.take([4, 1, 2]).grid is None
    with pytest.raises(ValueError, match="'labels': 6, 'special': 6, 'grid': 4"):
        Axis("image", labels=labels, special=special, grid=(1, 2))


def test_only_frames_of_sound_with_their_moments_are_timed() -> None:
    assert Axis("audio", times=((0.0, 0.02), (0.02, 0.04))).is_timed
    assert not Axis("text", labels=("a", "b")).is_timed
    assert not Axis.picture(2, 2).is_timed
