"""From a sentence to the scene that it describes: "a red circle left of a small blue square"."""

from __future__ import annotations

from collections.abc import Sequence

from xattn_viz.shapes.link import MOST
from xattn_viz.shapes.relation import MIDDLE, RELATIONS, places
from xattn_viz.shapes.scene import COLOURS, SHAPES, Scene, Thing
from xattn_viz.shapes.wording import ARTICLES, Word, too_long, unknown, words

#: The radius that each size is drawn with: the middle of those that the models are trained on.
RADII = {"small": 0.09, "large": 0.17}

# Three things are listed from left to right; the middle one lies lower, so that three large ones don't touch.
_LISTED = ((0.2, 0.3), (0.5, 0.7), (0.8, 0.3))
_SIDES = ("left", "right")
_KNOWN = (*RADII, *COLOURS, *SHAPES, *ARTICLES, "and", "to", "of", *_SIDES, "above", "below")
_HOW = (
    "Say “a red circle left of a small blue square”, or list up to three: “a red star, a blue ring and a pink cross”."
)


def read(sentence: str) -> Scene:
    """The scene that a sentence describes: one thing, two and how they lie, or up to three from left to right.

    A thing is a colour and a shape, large unless it is called small. Two lie as the relation between them says (above,
    below, left of, right of). Punctuation, articles and capital letters count for nothing. Raises ValueError for a
    sentence of more than `MOST_CHARACTERS`, for words that it does not know, each with the nearest that it knows, for
    all things without colour or shape, and for more than three things.
    """
    if fault := too_long(sentence, "The sentence"):
        raise ValueError(fault)
    said = words(sentence)
    if faults := unknown(said, _KNOWN):
        listed = ", ".join((*RADII, *COLOURS, *SHAPES, *RELATIONS))
        raise ValueError(f"There is no {faults} in a scene: it knows {listed}.")
    named, relations = _parts(said)
    if len(named) > MOST:
        raise ValueError(f"This names {len(named)} things, and a scene holds at most three.")
    if relations and (len(named) != 2 or len(relations) != 1):
        raise ValueError(f"A relation stands between two things and no more. {_HOW}")
    if wrong := [part for part in named if _thing(part) is None]:
        listed = ", ".join(f"“{' '.join(word.text for word in part)}” is no thing" for part in wrong if part)
        raise ValueError(
            f"{listed or 'Something is missing'}: "
            "each is a colour and then a shape, such as “a red circle” or “a small blue ring”."
        )
    things = [thing for thing in map(_thing, named) if thing is not None]
    middles = _places(len(things), relations)
    return Scene(tuple(Thing(c, s, x, y, r) for (c, s, r), (x, y) in zip(things, middles, strict=True)))


def _parts(said: Sequence[Word]) -> tuple[list[list[Word]], list[str]]:
    """The words of each thing, which ends with its shape, "and" or a relation, and the relations."""
    parts: list[list[Word]] = [[]]
    relations: list[str] = []
    has_ended = False  # the thing before, so that "and" or a relation behind it begins no other one
    for place, word in enumerate(said):
        behind = said[place + 1].text if place + 1 < len(said) else ""
        before = said[place - 1].text if place else ""
        relation = f"{word.text} of" if word.text in _SIDES and behind == "of" else word.text
        if word.text == "of" and before in _SIDES:
            continue
        if word.text == "and" or relation in RELATIONS:
            relations += [relation] if relation in RELATIONS else []
            if not has_ended:
                parts.append([])
            has_ended = False
            continue
        has_ended = False
        parts[-1].append(word)
        if word.text in SHAPES:
            parts.append([])
            has_ended = True
    return (parts[:-1] if has_ended else parts), relations


def _thing(said: Sequence[Word]) -> tuple[str, str, float] | None:
    """The colour, the shape and the radius that words name; None where they name no thing."""
    named = [word.text for word in said if word.text not in ARTICLES]
    size = named.pop(0) if named and named[0] in RADII else "large"
    if len(named) != 2 or named[0] not in COLOURS or named[1] not in SHAPES:
        return None
    return named[0], named[1], RADII[size]


def _places(count: int, relations: Sequence[str]) -> tuple[tuple[float, float], ...]:
    if count == 1:
        return ((MIDDLE, MIDDLE),)
    return _LISTED if count == 3 else places(relations[0] if relations else "left of")
