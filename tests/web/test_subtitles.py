"""What the script of the subtitles is given: each word with its number among all words, whatever is left out."""

from __future__ import annotations

import json

from tests.export.words import words
from xattn_viz.export.cues import SubtitleStyle, cues
from xattn_viz.web import subtitles


def test_words_keep_their_numbers_and_their_texts() -> None:
    made = words("Go <b>now</b>. Then 東京です。", begin=1.0)
    parted = cues(made[1:], 9, SubtitleStyle(width=10))
    numbers = list(range(1, len(made)))
    packed = subtitles.pack(parted, numbers, gaps=[" "] * len(numbers), player="p", edited=[2], speed=17, can_undo=True)
    assert packed == json.loads(json.dumps(packed))
    told = [word for cue in packed["cues"] for line in cue["lines"] for word in line]
    assert [(word["number"], word["text"], word["edited"]) for word in told] == [
        (i, made[i].text, i == 2) for i in numbers
    ]
    assert [(word["start"], word["end"]) for word in told] == [
        (round(word.start, 3), round(word.end, 3)) for word in made[1:]
    ]
    assert [(cue["start"], cue["end"]) for cue in packed["cues"]] == [(c.start / 1000, c.end / 1000) for c in parted]
    assert (packed["player"], packed["speed"], packed["can_undo"]) == ("p", 17, True)
