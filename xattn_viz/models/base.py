"""The contract between models and everything else: errors, cards, and the `Adapter` that traces."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.interventions import Forced, Forcing, Intervention
from xattn_viz.core.maps import MapKind
from xattn_viz.core.records import quoted
from xattn_viz.core.trace import Note, Trace
from xattn_viz.inputs import InputError, audio, images
from xattn_viz.inputs.audio import Sound
from xattn_viz.inputs.images import Picture
from xattn_viz.inputs.text import check_text, check_texts, iso_639_1, language_note
from xattn_viz.models.coverage import notes_of_text
from xattn_viz.models.provenance import Head, Settings, Size, check_prefix
from xattn_viz.shapes.sentence import too_long

#: What a model reads, in words, by the `input_kind` of its card.
READS = {"text": "text", "audio": "sounds", "image": "pictures"}

#: Called with (steps done, most steps there can be), and with 0 of 0 while a run waits or reads its input; returning
#: False cancels the run. It may also raise.
OnStep = Callable[[int, int], bool | None]
#: Called with the trace of what is written so far, while the model writes. It may raise to give up.
OnPartial = Callable[[Trace], object]
#: The least time between two calls of `OnPartial`.
PARTIAL_SECONDS = 0.25
#: The note of a trace that `OnPartial` is called with.
UNFINISHED = "The model had not finished writing."
#: Called with (bytes done, bytes in all) while a model is fetched. It may raise to give up.
OnProgress = Callable[[int, int], object]
#: What heads say: `[layer, head, query, d_v]`.
Outputs = NDArray[np.float32]
#: What a model can do, as its card declares it (`ModelCard.can`).
Capability = Literal["write", "align", "time", "draw", "begin", "ablate", "project", "compare"]


class ModelError(Exception):
    """A model cannot be had or cannot do what was asked; the message is one sentence for the page."""


class NeedsConsent(ModelError):  # noqa: N818 - what is to be done about it
    """A model cannot be had unless somebody agrees: its weights are a pickle. `load` takes `allow_pickle=True` then."""


class ModelWarning(UserWarning):
    """A model was loaded that does not do what it should; the message is one sentence (see `Adapter.fault`)."""


class Cancelled(Exception):  # noqa: N818 - not an error: the caller asked for it
    """The run was cancelled by `on_step`."""


@dataclass(frozen=True)
class Option:
    """A setting of `trace` that the page offers: its keyword, a title and explanation for people, default and choices.

    A boolean default makes it a switch; `choices` otherwise lists what may be chosen, and without any it is a text.
    With `is_open` the choices are suggestions, and any other text may be given; with `between` any number between these
    two, or a text that says one, and only whole ones where the two are.
    """

    name: str
    title: str
    default: bool | str
    help: str = ""
    choices: tuple[str, ...] = ()
    is_open: bool = False
    between: tuple[float, float] | None = None

    def check(self, value: Any, model: str) -> str | bool | float:
        """A value that was given for it. Raises ModelError where it cannot have that; `model` names whose option it is.

        A text that is too long raises InputError.
        """
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise ModelError(f"{self.name} is True or False: got {quoted(value)}.")
            return value
        if self.between is not None:
            return check_number(value, self.name, *self.between)
        if self.choices and not self.is_open and value not in self.choices:
            some = ", ".join(self.choices[:12]) + (", …" if len(self.choices) > 12 else "")
            raise ModelError(f"{model} has no {self.title.lower()} {quoted(value)}; there are {some}.")
        if not isinstance(value, str):
            raise ModelError(f"{self.name} is a text: got {quoted(value)}.")
        if said := too_long(value, self.name):
            raise InputError(said)
        return value


@dataclass(frozen=True)
class ModelCard:
    """What people should know about a model before they choose it.

    `name` is what `load` takes; `source_language` and `target_language` are ISO 639-1 codes, or None where the model
    has no fixed one; `kinds` are the attention maps that it can show; `download_mb` is how much has to be fetched
    before the first use, in megabytes of 10⁶ bytes, None where nothing has; `most_beams` is the most that its search
    can keep, 1 where it is greedy only. `output_kind` is what it makes: text, or a picture. `at_once` are the kinds of
    map that a page shows without being asked for them.

    `can` is what the model can do: "write" its output token by token, "align" the words of it with those that it read,
    place them in "time", "draw" pictures and "begin" these as a picture; "ablate" heads, "project", which is to hand
    out the queries and keys behind its maps, and "compare" its sources where it has several (`Adapter.drops`). One that
    `knows` "shapes" learned nothing but coloured shapes on paper, of which the truth is known (`xattn_viz.shapes`).
    `most_tokens` is how many tokens it reads at most besides those that it adds itself, where the page is to say so.
    """

    name: str
    title: str
    family: str
    licence: str = "see the model's own page or folder"
    credit: str = "the authors of the checkpoint"
    source_language: str | None = None
    target_language: str | None = None
    input_kind: Literal["text", "audio", "image"] = "text"
    kinds: tuple[MapKind, ...] = ("cross",)
    options: tuple[Option, ...] = ()
    download_mb: int | None = None
    most_beams: int = 1
    output_kind: Literal["text", "image"] = "text"
    at_once: tuple[MapKind, ...] = ("cross",)
    can: frozenset[Capability] = frozenset(("write", "align", "ablate", "project"))
    knows: Literal["anything", "shapes"] = "anything"
    most_tokens: int | None = None

    def language(self, side: Literal["source", "target"], options: Mapping[str, object]) -> str | None:
        """What it reads or writes with these options, as an ISO 639-1 code; None where that is not known.

        An option of that name counts before what is fixed.
        """
        default = next((option.default for option in self.options if option.name == f"{side}_language"), None)
        if default is None:
            return self.source_language if side == "source" else self.target_language
        return iso_639_1(str(options.get(f"{side}_language", default)))


class Hooks:
    """What a run tells whoever asked for it: how far it is, and what is written so far. Each run has its own."""

    def __init__(self, on_step: OnStep | None = None, on_partial: OnPartial | None = None) -> None:
        self.on_step, self._on_partial = on_step, on_partial
        self._due = time.monotonic() + PARTIAL_SECONDS

    def report(self, done: int, total: int) -> None:
        """Say how far the run is. Raises Cancelled when it shall not go on."""
        report(self.on_step, done, total)

    def show(self, make: Callable[[], Trace]) -> None:
        """Call `make` for the trace of what is written so far and show it, if somebody wants it and it is due.

        The next is due after `PARTIAL_SECONDS`, or after as long as this one took where that is longer: showing takes
        at most half of the time.
        """
        begin = time.monotonic()
        if self._on_partial is None or begin < self._due:
            return
        self._on_partial(make().with_notes(UNFINISHED))
        end = time.monotonic()
        self._due = end + max(PARTIAL_SECONDS, end - begin)


class Adapter(ABC):
    """A loaded model that makes traces. One instance serves all threads: a run keeps its state to itself."""

    card: ModelCard
    #: How many layers and heads it has, which `check` goes by.
    size: Size
    #: What the loaded model takes, in bytes (`models.resources.bytes_held`); the registry bounds the sum.
    memory: int
    #: What the files hold that it was loaded from, as one sha256; empty where these never change.
    content: str = ""
    #: Keywords that `trace` takes besides those of every model and the options of the card.
    further: tuple[str, ...] = ()
    #: Why it has no maps of a kind that models like it have, in one sentence each.
    lacks: ClassVar[Mapping[MapKind, str]] = {}
    #: What its self-check found wrong with it when it was loaded, in one sentence for the page; None where nothing is.
    fault: str | None = None

    def trace(
        self,
        input: Any,
        *,
        sampling_rate: Any = None,
        target: str | None = None,
        prefix: str | Sequence[int] | None = None,
        num_beams: int = 1,
        kinds: Sequence[MapKind] = ("cross",),
        ablate: Sequence[Head] = (),
        keep_projections: bool = False,
        on_step: OnStep | None = None,
        on_partial: OnPartial | None = None,
        **options: Any,
    ) -> Trace:
        """Run the model on one segment and return its maps.

        `input` is what the model reads, in whatever form people have it: a string for one that reads text; what
        `inputs.audio.read` takes for one that hears, with the `sampling_rate` of an array, in samples a second; what
        `inputs.images.read` takes for one that sees. A `Trace` stands for what its model read.

        `target` is an output to score instead of generating one, `prefix` the start of the output to generate: text,
        or token ids as `Step.id` gives them, those of forced tokens included. To choose another token at step t is
        `prefix=[*(step.id for step in trace.steps[:t]), alternative.id]`; ids that end in `</s>` are a whole output.
        `kinds` are the maps wanted, `ablate` heads to switch off, `keep_projections` keeps the queries and keys behind
        the maps; `options` are those of the card, and for a model that writes `max_new_tokens`, the most tokens that it
        writes, and `hypothesis`, which of the `num_beams` outputs is traced (0, the best).

        `on_partial` is called while the model writes, at most every `PARTIAL_SECONDS`, with the trace of what is
        written so far: maps of the kinds wanted, without projections. Of several beams it shows the one that leads
        among those that are still written.

        Raises InputError for input that cannot be traced, ModelError for something that this model cannot do, and
        Cancelled when `on_step` returned False.
        """
        settings = self.check(
            target=target,
            prefix=prefix,
            num_beams=num_beams,
            kinds=kinds,
            ablate=ablate,
            keep_projections=keep_projections,
            **options,
        )
        read = self.read_input(input, sampling_rate, on_step)
        hooks = Hooks(on_step, on_partial and (lambda partial: on_partial(self._with_fault(partial))))
        return self._with_fault(self._with_notes(self._trace(read, settings, hooks), read, settings))

    def most_bytes(self, input: Any, **options: Any) -> int | None:
        """How many bytes the maps of a run take at most, as `trace` is asked; None where that is not known before.

        Raises as `trace` does.
        """
        return None

    def check(
        self,
        *,
        target: str | None = None,
        prefix: str | Sequence[int] | None = None,
        num_beams: int = 1,
        kinds: Sequence[MapKind] = ("cross",),
        ablate: Sequence[Head] = (),
        keep_projections: bool = False,
        hypothesis: int = 0,
        max_new_tokens: int | None = None,
        **options: Any,
    ) -> Settings:
        """The keywords of `trace` as settings. A family that takes others checks these itself.

        Raises ModelError with one sentence about what this model cannot do, InputError for what is no prefix.
        """
        card = self.card
        if "write" not in card.can:
            given = {
                "target": (target, None),
                "prefix": (prefix, None),
                "num_beams": (num_beams, 1),
                "hypothesis": (hypothesis, 0),
                "max_new_tokens": (max_new_tokens, None),
            }
            for name, (value, neutral) in given.items():
                if value not in (neutral, ""):
                    does = "draws" if "draw" in card.can else "answers at once"
                    raise InputError(f"{card.title} {does} and writes no text: leave {name} away.")
        self._check_maps(kinds, ablate)
        if keep_projections and "project" not in card.can:
            raise ModelError(f"{card.title} shows its weights only, not the queries and keys behind them.")
        if card.most_beams == 1 != num_beams:
            many = f"{quoted(num_beams)} beams are not to be had"
            raise ModelError(f"{card.title} decodes greedily, with one beam: {many}.")
        beams = int(check_number(num_beams, "num_beams", 1, card.most_beams))
        begin = check_prefix(prefix, self.size.vocabulary)
        if target is not None and begin:
            raise ModelError("Give a target or a prefix, not both: a target is the whole output.")
        return Settings(
            target,
            begin,
            beams,
            tuple(kinds),
            tuple(sorted({(kind, layer, head) for kind, layer, head in ablate})),
            keep_projections,
            int(check_number(hypothesis, "hypothesis", 0, beams - 1)),
            None if max_new_tokens is None else int(check_number(max_new_tokens, "max_new_tokens", 1, 100_000)),
            self._check_options(options),
        )

    def _check_maps(self, kinds: Sequence[MapKind], ablate: Sequence[Head]) -> None:
        """Raise ModelError where a kind of map or a head to ablate is none of the model's."""
        if isinstance(kinds, str) or not kinds or len(set(kinds)) != len(kinds):
            raise ModelError(f"Ask for one or more kinds of map, each once, such as ('cross',): got {quoted(kinds)}.")
        for given in ablate:
            if len(given) != 3 or not all(isinstance(number, int) for number in given[1:]):
                such = "(kind, layer, head), such as ('cross', 0, 2)"
                raise ModelError(f"A head to ablate is {such}: got {quoted(given)}.")
        for kind in (*kinds, *(head[0] for head in ablate)):
            if kind not in self.card.kinds:
                has = ", ".join(self.card.kinds)
                raise ModelError(self.lacks.get(kind, f"There is no kind of map {quoted(kind)}; this model has {has}."))
        if ablate and "ablate" not in self.card.can:
            raise ModelError(f"{self.card.title} shows its maps only: its heads cannot be ablated.")
        for kind, layer, head in ablate:
            heads = self.size.heads[kind]
            if not 0 <= layer < len(heads):
                there = f"{kind} layers are 0 to {len(heads) - 1} and heads 0 to {max(heads) - 1}"
            elif not 0 <= head < heads[layer]:
                there = f"layer {layer} has heads 0 to {heads[layer] - 1}"
            else:
                continue
            raise ModelError(f"There is no {kind} head ({layer}, {head}) to ablate: {there}.")

    def _check_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A value for each option of the card; ModelError for one that is none of them, or of its choices."""
        offered = {option.name: option for option in self.card.options}
        if unknown := given.keys() - offered.keys():
            writes = ("hypothesis", "max_new_tokens") if "write" in self.card.can else ()
            known = ", ".join([*offered, *self.further, *writes])
            raise ModelError(f"{self.card.title} has no option {quoted(min(unknown))}; its options: {known}.")
        return {
            name: option.check(given.get(name, option.default), self.card.title) for name, option in offered.items()
        }

    def traces(self, input: Any, *, sampling_rate: Any = None, **settings: Any) -> Iterator[Trace]:
        """Split a long input into segments and yield the trace of each, with its `offset` in the whole.

        Each of a list of texts is one segment, whatever sentences it holds. `settings` are those of `trace`, and those
        that say how to split.
        """
        if self.card.input_kind == "text" and isinstance(input, list | tuple):
            settings.pop("whole_text", None)
            for text in check_texts(input):
                yield self.trace(text, **settings)
            return
        yield from self._traces(self.read_input(input, sampling_rate, settings.get("on_step")), **settings)

    def read_input(self, input: Any, sampling_rate: Any = None, on_step: OnStep | None = None) -> Any:
        """What people have as what `_trace` takes: a string, a `Sound` or a `Picture`.

        An array that is what a trace of a model that hears shows as its input (`_is_features`) stays as it is. While a
        file is decoded `on_step` is told of 0 steps of 0. Raises InputError.
        """
        kind, is_seen = self.card.input_kind, isinstance(input, Trace)
        source = input.input if is_seen else input
        if is_seen and isinstance(source, str) != (kind == "text"):
            raise InputError(f"This trace is not of {READS[kind]}, which is what {self.card.title} reads.")
        if kind != "audio" and sampling_rate is not None:
            raise InputError(f"Only sounds have a sampling_rate, and {self.card.title} reads {READS[kind]}.")
        if kind == "text":
            return check_text(source)
        if kind == "image":
            picture = images.read(source)
            return replace(picture, is_resized=True) if is_seen else picture
        if isinstance(source, np.ndarray) and sampling_rate is None and (is_seen or self._is_features(source)):
            return Sound(source) if source.ndim == 1 else source
        return audio.read(source, sampling_rate, on_read=lambda seconds: report(on_step, 0, 0))

    def _with_notes(self, trace: Trace, read: object, settings: Settings) -> Trace:
        """With what people should know of how an input was read; a sound keeps its notes itself, window by window."""
        if isinstance(read, str) and trace.steps:
            language = self.card.language("source", settings.options)
            other = language and language_note(read, language, self.card.title)
            trace = trace.with_notes(*([Note(other, "language")] if other else []))
            if any(maps.kind == "cross" for maps in trace.maps):
                target = self.card.language("target", settings.options)
                trace = trace.with_notes(*notes_of_text(trace, language, target))
            return trace
        return trace.with_notes(*read.notes) if isinstance(read, Picture) and read.notes else trace

    def _with_fault(self, trace: Trace) -> Trace:
        return trace if self.fault is None else trace.with_notes(Note(self.fault, "fault"))

    def _is_features(self, array: NDArray[Any]) -> bool:
        """Whether an array without a sampling rate is what a trace of this model shows as its input: a log-mel."""
        return False

    def drops(self, trace: Trace) -> dict[str, NDArray[np.float64]]:
        """By how much the log-probability of each written token falls without a source, by the part's name, `[query]`.

        What is written stays the same. `trace` is one of this model's. Raises ModelError for a model of one source.
        """
        raise ModelError(f"{self.card.title} has one source, and nothing to compare it with.")

    def force(
        self,
        trace: Trace,
        runs: Sequence[Sequence[Intervention]],
        *,
        source: Trace | None = None,
        alternatives: int = 1,
        on_step: OnStep | None = None,
    ) -> Forced:
        """Read the output of a trace again, once for each of `runs`: what the model thinks of its tokens meanwhile.

        Each run is the interventions in it, none for the output as it is. `trace` is one of this model's. Its source is
        read, or that of `source`, also one of this model's, with the trace's own settings. The log-probabilities are
        over what those of the trace's steps are over; with another `source` over the whole vocabulary, because each
        source has a shortlist of its own. `alternatives` is how many of the likeliest tokens each place has.

        Runs whose interventions are in the decoder are computed together, and only from the first block on that is
        changed; each with one in the encoder is a pass of its own. `on_step` is told how many runs are done.

        Raises InputError for a trace of another model and for values that do not fit, ModelError for a head that the
        model does not have and for a model whose heads cannot be changed, and Cancelled when `on_step` returned False.
        """
        raise self._cannot_force()

    def forcing(self, trace: Trace, *, source: Trace | None = None) -> Forcing:
        """`force` of one trace for many calls: its source is encoded once, and kept as long as what is returned.

        `base` are interventions in every run, whose work runs share. Raises InputError and ModelError as `force` does.
        """
        raise self._cannot_force()

    def head_outputs(self, trace: Trace, kind: MapKind = "cross", *, on_step: OnStep | None = None) -> Outputs:
        """What each head says while the output of a trace is read, before W_O: `[layer, head, query, d_v]`, float32.

        `trace` is one of this model's. Raises InputError and ModelError as `force` does.
        """
        raise self._cannot_force()

    def _cannot_force(self) -> ModelError:
        if "ablate" not in self.card.can:
            return ModelError(f"{self.card.title} shows its maps only: its heads cannot be changed.")
        return ModelError(f"{self.card.title} writes no text, so there is no output to read again.")

    def inspect(self, trace: Trace, on_step: OnStep | None = None) -> Any:
        """What the output of a trace of this model's owes to its source (`engine.attribution.Inspection`).

        Raises ModelError for a model whose output is no text, or that reads pictures.
        """
        raise ModelError(f"{self.card.title}: what an output owes to its source is told of text and sound only.")

    @abstractmethod
    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:
        """What `trace` does, of what `read_input` gave and `check` let through."""

    def _traces(self, input: Any, **settings: Any) -> Iterator[Trace]:
        """What `traces` does, of what `read_input` gave: the one trace of what is never split."""
        yield self.trace(input, **settings)


def report(on_step: OnStep | None, done: int, total: int) -> None:
    """Tell `on_step` how far the run is. Raises Cancelled when it returns False."""
    if on_step is not None and on_step(done, total) is False:
        raise Cancelled(f"Cancelled after {done} of at most {total} steps.")


def check_number(value: object, name: str, least: float, most: float) -> float:
    """A number from `least` to `most`, or what a text says to be one; a whole one where these two are.

    Raises ModelError, which says what was given under which `name`.
    """
    is_whole = isinstance(least, int) and isinstance(most, int)
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        number = None
    if number is None or not least <= number <= most or (is_whole and number != int(number)):
        kind, form = ("whole number", ",") if is_whole else ("number", "g")
        raise ModelError(f"{name} must be a {kind} from {least:{form}} to {most:{form}}: got {quoted(value)}.")
    return int(number) if is_whole else number
