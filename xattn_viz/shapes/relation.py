"""How two things lie to each other: the words for it, and where each thing lies then."""

from __future__ import annotations

RELATIONS = ("above", "below", "left of", "right of")
#: Where the things of a pair lie along the relation, as shares of the paper's width.
NEAR, MIDDLE, FAR = 0.27, 0.5, 0.73

Place = tuple[float, float]


def places(relation: str) -> tuple[Place, Place]:
    """The middles (x, y) of the thing that is named first and of the other."""
    ahead, after = (NEAR, FAR) if relation in ("above", "left of") else (FAR, NEAR)
    if relation in ("above", "below"):
        return (MIDDLE, ahead), (MIDDLE, after)
    return (ahead, MIDDLE), (after, MIDDLE)
