"""What the slides of a story show: each query's trace, from what ships or from its model, each of them once.

Nothing here draws: the command line makes traces of a story in the same way as the page does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from xattn_viz import examples
from xattn_viz.analysis.alignment import align
from xattn_viz.analysis.alignment_files import LinkedPair
from xattn_viz.analysis.head_costs import head_costs
from xattn_viz.analysis.head_measures import grid_of, linked_sums, quotient
from xattn_viz.analysis.timing import words_and_path
from xattn_viz.app import runner
from xattn_viz.app.runner import Query, Task
from xattn_viz.core.records import quoted
from xattn_viz.core.story import Slide
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.examples import clips
from xattn_viz.export.story import Found
from xattn_viz.inputs import InputError, images
from xattn_viz.inputs.audio import Sound
from xattn_viz.inputs.images import Picture
from xattn_viz.models import registry
from xattn_viz.models.base import READS, Adapter, ModelError
from xattn_viz.shapes.scene import from_link
from xattn_viz.web.explorer.beside import check_beside
from xattn_viz.web.explorer.sound import Playback

#: From the name of a model to the model. Raises ModelError where it is not there or may not be loaded.
Load = Callable[[str], Adapter]
_KINDS = {"text": "text", "sound": "audio", "picture": "image", "scene": "image"}
#: What two slides have in common that show one trace.
Key = tuple[tuple[tuple[str, str], ...], str]


def key_of(slide: Slide) -> Key:
    """What a slide's trace follows from: its query, and what is measured."""
    return tuple(sorted(slide.query)), slide.measure


def needs_model(slide: Slide) -> bool:
    """Whether a model has to run before a slide can be shown."""
    try:
        query, segment = _asked(slide)
        asked = [query, *filter(None, [_compared(slide, query)])]
        return bool(slide.measure or segment) or any(runner.shipped(Task(one)) is None for one in asked)
    except ValueError:  # what is wrong with it `find` says, and no model
        return False


def found(slides: Iterable[Slide], load: Load) -> Iterator[Found]:
    """What each slide shows, in order; where that cannot be had, the sentence that says why."""
    kept: dict[Key, Found] = {}
    for slide in slides:
        key = key_of(slide)
        if key not in kept:
            kept[key] = find(slide, load)
        yield kept[key]


def find(slide: Slide, load: Load) -> Found:
    """What one slide shows; where that cannot be had, the sentence that says why.

    Whatever else goes wrong is a fault of the program, and is raised as it is.
    """
    try:
        query, segment = _asked(slide)
        named = _named(query)
    except ValueError as error:  # what the slide itself says wrongly
        return str(error)
    try:
        return _found(slide, query, segment, named, load)
    except (ModelError, InputError) as error:
        return str(error)


def _asked(slide: Slide) -> tuple[Query, int]:
    """The query of a slide, and which segment of it, from 0."""
    said, source = slide.asked, slide.source
    names = None if source == "text" else {source: lambda _: True}
    query = runner.parse_query(said, {"": Query(said["model"])}, lambda _: True, names)  # type: ignore[arg-type]
    number = said.get("sentence", said.get("window", "1"))
    if not (number.isascii() and number.isdigit() and 0 < len(number) < 4 and int(number)):
        raise ValueError(f"Sentences and windows count from 1: got {quoted(number)}.")
    return query, int(number) - 1


def _compared(slide: Slide, query: Query) -> Query | None:
    """What the query of a slide is compared with, if anything."""
    names: runner.Names = {source: lambda _: True for source in _KINDS if source != "text"}  # type: ignore[misc]
    return runner.parse_compared(slide.asked, query, lambda _: True, names)


def _found(slide: Slide, query: Query, segment: int, named: Sound | Picture | None, load: Load) -> Found:
    trace = next(iter(() if segment else runner.shipped(Task(query)) or ()), None)
    if trace is None or slide.measure:
        model = load(query.model)
        if (given := _KINDS[query.source]) != (kind := model.card.input_kind):
            # A model that hears or sees would take a text for the name of a file, and open it.
            raise InputError(f"{query.model} reads {READS[kind]}, and this slide gives it {READS[given]}.")
        trace = trace or _traced(model, query, segment, named)
        if "cost" in slide.measure:
            trace = trace.with_evidence(head_costs(model, trace).grid())
        if "alignment" in slide.measure:
            trace = trace.with_evidence(_alignment(model, trace, load))
    if (other := _compared(slide, query)) is not None:
        heard = _named(other)
        beside = next(iter(runner.shipped(Task(other)) or ()), None) or _traced(
            load(other.model), other, segment, heard
        )
        check_beside(trace, beside)
        if isinstance(named, Sound) and isinstance(heard, Sound):
            return trace, beside, _played(trace, named), _played(beside, heard)
        return trace, beside
    if isinstance(named, Sound):
        return trace, _played(trace, named)
    return trace


def _played(trace: Trace, sound: Sound) -> Playback:
    return Playback.of(trace, sound.samples, *words_and_path(trace))


def _alignment(model: Adapter, trace: Trace, load: Load) -> HeadGrid:
    """How well each head links words, held against the links of a model that translates the other way.

    That one reads the output and is forced to the input, and its own heads alone make the links: those that are judged
    here have no part in them. Raises InputError where there is no such model, or no two texts.
    """
    name = registry.opposite(model.card)
    if name is None or not isinstance(trace.input, str):
        raise InputError(f"No model here translates {trace.model} back, so its heads cannot be held against one.")
    made = align(load(name).trace(trace.output, target=trace.input), words="axis")
    source, target = (tuple(word.text for word in side) for side in (made.target_words, made.source_words))
    links = LinkedPair(source, target, frozenset((t, s) for s, t in made.pairs))
    values = quotient(linked_sums(trace, gold=links)["alignment"])
    return grid_of("alignment", ("cross", trace.cross.layers), values, "Over this text", {"links": name})


def _named(query: Query) -> Sound | Picture | None:
    """The sound or picture that a query only names. Raises ValueError where nobody has it but one visit."""
    if query.source == "sound":
        return clips.sound(query.input)
    if query.source == "scene":
        return images.read(from_link(query.input))
    if query.source == "picture":
        scene = next((example.scene for example in examples.SCENES if example.slug == query.input), None)
        if scene is None:
            raise ValueError("This picture was of one visit: a story can show scenes, those that ship and drawn ones.")
        return images.read(scene)
    return None


def _traced(model: Adapter, query: Query, segment: int, named: Sound | Picture | None) -> Trace:
    best: Trace | None = None
    for number, trace in enumerate(Task(query.best, named=named).traces(model)):
        if number == segment:
            best = trace
            break
    if best is None:
        raise InputError(f"There is no part {segment + 1} of this input.")
    if query.output.is_best:
        return best
    return next(iter(replace(Task.of_output(query, best), named=named).traces(model)))
