"""A caption marked against the scene that it is of: right to the last word, or which words are not."""

from __future__ import annotations

from difflib import SequenceMatcher

from xattn_viz.shapes.caption import caption, is_clear
from xattn_viz.shapes.scene import Scene

_UNCLEAR = "The things overlap or lie so level that no scene of the training was like it."


def mark(written: str, scene: Scene, expected: str | None = None) -> str:
    """What is right and wrong about a caption of a scene of one to three things, in one or two sentences.

    It is compared, word by word in order, with what is `expected`: unless said, with the caption that `caption-shapes`
    was trained to write.
    """
    wanted = caption(scene) if expected is None else expected
    said, true = (text.replace(",", " ,").split() for text in (written, wanted))
    wrong = [
        _difference(said[a:b], true[c:d])
        for tag, a, b, c, d in SequenceMatcher(None, said, true, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    verdict = f"Not quite: {'; '.join(wrong)}." if wrong else "Right to the last word."
    return verdict if _is_like_training(scene) else f"{verdict} {_UNCLEAR}"


def _difference(said: list[str], true: list[str]) -> str:
    ours, theirs = (" ".join(words).replace(" ,", ",") for words in (said, true))
    if not said:
        return f"“{theirs}” is missing"
    return f"“{ours}” stands for “{theirs}”" if true else f"“{ours}” is too much"


def _is_like_training(scene: Scene) -> bool:
    things = scene.things
    apart = all(
        (one.x - other.x) ** 2 + (one.y - other.y) ** 2 > (one.radius + other.radius) ** 2
        for i, one in enumerate(things)
        for other in things[i + 1 :]
    )
    return apart and is_clear(scene)
