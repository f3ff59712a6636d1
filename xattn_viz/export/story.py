"""A story as one page that needs no network: its slides, each trace once, in the explorer's talk mode.

What a caption says in braces is computed here from the map that is on the slide, by the function of that name in
`NUMBERS`; a number that cannot be had there is an error and no blank.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xattn_viz.analysis.heads import entropy
from xattn_viz.analysis.localization import Share, share
from xattn_viz.analysis.timing import TimedWord, timed_words
from xattn_viz.core.records import quoted
from xattn_viz.core.story import Slide, Story
from xattn_viz.core.tokens import visible, visible_text
from xattn_viz.core.trace import HeadGrid, Trace, probability
from xattn_viz.core.view import head_title
from xattn_viz.export import webpage
from xattn_viz.export.shown import ShownMap, shown
from xattn_viz.shapes.judge import judge
from xattn_viz.shapes.sentence import named
from xattn_viz.web.explorer import about, identity, pack
from xattn_viz.web.explorer.sound import Playback

#: In a caption: the name of what is computed, in braces.
_NAMED = re.compile(r"\{(\w{1,40})\}", re.ASCII)
#: What a slide says whose model has yet to run.
AWAITED = "The model runs for this slide …"
#: What a slide shows: a trace, with its sound where it has one or with the trace that it is compared with, then both
#: sounds; or a sentence that says why there is none.
Found = Trace | tuple[Trace, Playback | Trace] | tuple[Trace, Trace, Playback, Playback] | str


def caption(slide: Slide, trace: Trace) -> str:
    """A slide's caption with its numbers. Raises ValueError, in a sentence, where one of them cannot be had."""
    return _caption(slide, trace, shown(trace, slide.view))


def _caption(slide: Slide, trace: Trace, said: ShownMap) -> str:
    def number(found: re.Match[str]) -> str:
        if found[1] not in NUMBERS:
            raise ValueError(f"There is no number {quoted(found[0])} for a caption: choose {', '.join(NUMBERS)}.")
        return NUMBERS[found[1]](trace, said)

    return _NAMED.sub(number, slide.caption)


def packed(story: Story, found: Sequence[Found | None], *, talks: bool = False, is_whole: bool = False) -> bytes:
    """The bytes from which the explorer's script shows a story.

    `found` holds what each slide shows, in order, None where the page can be asked for it.
    Layout: u32 header length (little-endian), the header as UTF-8 JSON, then the traces as `web.explorer.pack` packs
    them, each once however many slides show it. `talks` says whether the page begins in talk mode. A slide whose view
    or caption does not fit its trace says so in its place; where the story has to be shown `is_whole`, that is an
    error. Raises ValueError for that, naming the slide, and where there are not as many as slides.
    """
    parts: list[bytes] = []
    places: dict[tuple[int, int], int] = {}
    slides: list[dict[str, Any]] = []
    for number, (slide, one) in enumerate(zip(story.slides, found, strict=True), 1):
        if one is None:
            slides.append({"missing": AWAITED, "awaited": True})
            continue
        trace, *more = one if isinstance(one, tuple) else (one,)
        sounds = [each for each in more if isinstance(each, Playback)]
        beside = next((each for each in more if isinstance(each, Trace)), None)
        try:
            if isinstance(trace, str):
                raise ValueError(trace)
            said = shown(trace, slide.view)
            told = _caption(slide, trace, said)
        except ValueError as error:
            if is_whole:
                raise ValueError(f"Slide {number} cannot be shown: {error}") from None
            slides.append({"missing": visible_text(str(error))})
            continue
        both = id(trace), id(beside)
        if both not in places:
            places[both] = len(parts)
            playback, other = (*sounds, None, None)[:2]
            both_sounds: dict[str, Any] = {"playback": playback, "beside_playback": other}
            parts.append(pack(trace, beside=beside, full_limit=None, means=False, **both_sounds))
        whose = identity(trace) + (identity(beside) if beside is not None else "")
        shows = {"part": places[both], "trace": whose, "select": said.view.format()}
        slides.append(shows | {"caption": visible_text(told)})
    ends = np.cumsum([len(part) for part in parts], dtype=int).tolist()
    header = {
        "story": visible(story.title),
        "slides": slides,
        "parts": [[end - len(part), end] for part, end in zip(parts, ends, strict=True)],
        "talks": talks,
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join([len(text).to_bytes(4, "little"), text, *parts])


def html(story: Story, found: Sequence[Found]) -> str:
    """The story in one HTML file, which begins as a talk, needs no network and sends nothing anywhere (`webpage.html`).

    `found` as in `packed`. Raises ValueError, naming the slide, where one of them cannot be shown.
    """
    if not story.slides:
        raise ValueError("This story has no slides, so there is nothing to show.")
    traces = [one[0] if isinstance(one, tuple) else one for one in found]
    models = dict.fromkeys(about(trace)["model"] for trace in traces if isinstance(trace, Trace))
    return webpage.page(
        packed(story, found, talks=True, is_whole=True),
        title=visible(story.title) or "Cross-attention",
        footer=f"Models: {', '.join(filter(None, models)) or 'unnamed'}. {webpage.CAVEAT}",
    )


def _row(said: ShownMap) -> int:
    if said.row is None:
        raise ValueError("the view of this slide chooses no row, and its caption speaks of one.")
    return said.row


def _weights(said: ShownMap) -> NDArray[np.float64]:
    """Those of the chosen row."""
    row: NDArray[np.float64] = said.selected.weights[_row(said)].astype(np.float64)
    return row


def _row_label(_: Trace, said: ShownMap) -> str:
    return visible(said.selected.queries.name(_row(said)))


def _column_label(_: Trace, said: ShownMap) -> str:
    if said.column is None:
        raise ValueError("the view of this slide chooses no column, and its caption speaks of one.")
    return visible(said.selected.keys.name(said.column))


def _weight(_: Trace, said: ShownMap) -> str:
    """Of the chosen cell; where only a row is chosen, its largest."""
    weights = _weights(said)
    return f"{weights.max() if said.column is None else weights[said.column]:.2f}"


def _most(_: Trace, said: ShownMap) -> str:
    """The column of the chosen row's largest weight."""
    return visible(said.selected.keys.name(int(_weights(said).argmax())))


def _parked(_: Trace, said: ShownMap) -> str:
    """How much of the chosen row's weight rests on special tokens."""
    return f"{_weights(said)[said.selected.keys.is_special].sum():.2f}"


def _one_head(said: ShownMap) -> tuple[int, int]:
    if not said.view.is_head:
        raise ValueError("the view of this slide is of no single head, and its caption speaks of one.")
    return said.view.layer or 0, int(said.view.head)


def _entropy(trace: Trace, said: ShownMap) -> str:
    maps, (layer, head) = said.view.shown(trace), _one_head(said)
    return f"{entropy(maps)[maps.layer_index(layer), head].mean():.2f}"


def _grid(name: Literal["alignment", "cost"], trace: Trace, said: ShownMap) -> HeadGrid:
    """What was measured of each head (`app.slides`)."""
    found = trace.grid(name, said.view.kind)
    if found is None:
        raise ValueError(f'{name} is measured where a slide says "measure": "{name}", and this one does not.')
    if np.isnan(found.values).all():
        raise ValueError(f"nothing can be said here of {name}, and its caption speaks of it.")
    return found


def _at(name: Literal["alignment", "cost"], trace: Trace, said: ShownMap) -> float:
    return _grid(name, trace, said).at(*_one_head(said))


def _left(trace: Trace, said: ShownMap) -> str:
    """Of the probability of a token, what is left without the head."""
    return f"{probability(-_at('cost', trace, said)):.0%}"


def _ranked(trace: Trace, said: ShownMap, place: int) -> str:
    """The head at a place in the order of costs."""
    return head_title(*_grid("cost", trace, said).ranked()[place])


def _aligner(trace: Trace, said: ShownMap) -> str:
    """The head that aligns best; where several do so equally well, all of them."""
    grid = _grid("alignment", trace, said)
    ranked = grid.ranked()
    return " and ".join(head_title(*one) for one in ranked if grid.at(*one) == grid.at(*ranked[0]))


def _peak(_: Trace, said: ShownMap) -> str:
    """The second of the chosen row's largest weight."""
    times = said.selected.keys.times
    if times is None:
        raise ValueError("this map is not over a sound, and the caption speaks of a second of it.")
    return f"{sum(times[int(_weights(said).argmax())]) / 2:.2f}"


def _word(trace: Trace, said: ShownMap) -> TimedWord:
    row = _row(said)
    if said.selected.keys.times is None:
        raise ValueError("this map is not over a sound, and the caption speaks of a second of it.")
    found = next((word for word in timed_words(trace) if word.rows[0] <= row <= word.rows[1]), None)
    if found is None:
        raise ValueError("the chosen row belongs to no word, and the caption speaks of its time.")
    return found


def _share(trace: Trace, said: ShownMap) -> Share:
    """Of the chosen word, how much of its weight lies on the thing that it names, as code finds it in the drawing."""
    axis, view = trace.cross.keys, said.view
    if not trace.pictures or said.column is None:
        raise ValueError("no word of a drawing is chosen on this slide, and its caption speaks of one.")
    things = named([axis.name(i) for i in range(len(axis))], judge(trace.pictures[-1]))
    thing = next((thing for place, thing in things if place == said.column), None)
    if thing is None:
        raise ValueError("the chosen word names nothing that is found in the drawing.")
    head = view.head if isinstance(view.head, int) else None
    return share(view.maps(trace), view.layer, head, said.column, thing.box)


#: What a caption can say in braces, each computed from the trace and the map on the slide.
NUMBERS: dict[str, Callable[[Trace, ShownMap], str]] = {
    "head": lambda trace, said: said.view.title,
    "row": _row_label,
    "column": _column_label,
    "weight": _weight,
    "most": _most,
    "parked": _parked,
    "entropy": _entropy,
    "alignment": lambda trace, said: f"{_at('alignment', trace, said):.2f}",
    "aligner": _aligner,
    "cost": lambda trace, said: f"{_at('cost', trace, said):.2f}",
    "left": _left,
    "dearest": lambda trace, said: _ranked(trace, said, 0),
    "cheapest": lambda trace, said: _ranked(trace, said, -1),
    "peak": _peak,
    "start": lambda trace, said: f"{_word(trace, said).start:.2f}",
    "end": lambda trace, said: f"{_word(trace, said).end:.2f}",
    "word": lambda trace, said: visible(_word(trace, said).text),
    "inside": lambda trace, said: f"{_share(trace, said).weight:.0%}",
    "area": lambda trace, said: f"{_share(trace, said).area:.0%}",
}
