"""What a model family must offer, and the errors that it raises: the contract between models and everything else.

A family is one module or package in this folder, named for it. It imports nothing heavy when it is imported and has:

- `CARDS`, a tuple of `ModelCard`: the models that it knows by name;
- `recognises(folder)`: whether a folder holds a model of this family;
- `downloads(name)`: whether it could fetch a model of that name; it then takes `on_progress` in `load`;
- `load(name_or_folder, **options)`: the `Adapter`, raising `ModelError`;
- `example()`: a tiny adapter with random weights, for the contract test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError as InputError
from xattn_viz.inputs import audio, images
from xattn_viz.inputs.audio import Sound
from xattn_viz.inputs.images import Picture
from xattn_viz.inputs.language import iso_639_1, language_note
from xattn_viz.inputs.text import check_text, check_texts
from xattn_viz.models.unread import notes_of_text

if TYPE_CHECKING:
    from xattn_viz.models.folder import Folder

#: What a model reads, in words, by the `input_kind` of its card.
_READS = {"text": "text", "audio": "sounds", "image": "pictures"}

#: Called with (steps done, most steps there can be), and with 0 of 0 while a run waits or reads its input; returning
#: False cancels the run. It may also raise.
OnStep = Callable[[int, int], bool | None]
#: Called with the trace of what is written so far, while the model writes. It may raise to give up.
OnPartial = Callable[[Trace], object]
#: The least time between two calls of `OnPartial`.
PARTIAL_SECONDS = 0.25
#: Called with (bytes done, bytes in all) while a model is fetched. It may raise to give up.
OnProgress = Callable[[int, int], object]
#: An attention head to switch off: (kind of map, layer, head), layer and head from 0.
Head = tuple[MapKind, int, int]


class ModelError(Exception):
    """A model cannot be had or cannot do what was asked; the message is one sentence for the page."""


class ModelWarning(UserWarning):
    """A model was loaded that does not do what it should; the message is one sentence (see `Adapter.fault`)."""


class Cancelled(Exception):  # noqa: N818 - not an error: the caller asked for it
    """The run was cancelled by `on_step`."""


@dataclass(frozen=True)
class Option:
    """A setting of `trace` that the page offers: its keyword, a title and explanation for people, default and choices.

    A boolean default makes it a switch; `choices` otherwise lists what may be chosen, and without any it is a text.
    """

    name: str
    title: str
    default: bool | str
    help: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelCard:
    """What people should know about a model before they choose it.

    `name` is what `load` takes; `source_language` and `target_language` are ISO 639-1 codes, or None where the model
    has no fixed one; `kinds` are the attention maps that it can show; `download_mb` is how much has to be fetched
    before the first use, in megabytes of 10⁶ bytes, None where nothing has; `most_beams` is the most that its search
    can keep, 1 where it is greedy only. `output_kind` is what it makes: text, or a picture. `at_once` are the kinds of
    map that a page shows without being asked for them.
    """

    name: str
    title: str
    family: str
    licence: str
    credit: str
    source_language: str | None = None
    target_language: str | None = None
    input_kind: Literal["text", "audio", "image"] = "text"
    kinds: tuple[MapKind, ...] = ("cross",)
    options: tuple[Option, ...] = ()
    download_mb: int | None = None
    most_beams: int = 1
    output_kind: Literal["text", "image"] = "text"
    at_once: tuple[MapKind, ...] = ("cross",)

    def language(self, side: Literal["source", "target"], options: Mapping[str, object]) -> str | None:
        """What it reads or writes with these options, as an ISO 639-1 code; None where that is not known.

        An option of that name counts before what is fixed.
        """
        default = next((option.default for option in self.options if option.name == f"{side}_language"), None)
        if default is None:
            return self.source_language if side == "source" else self.target_language
        return iso_639_1(str(options.get(f"{side}_language", default)))


class Adapter(ABC):
    """A loaded model that makes traces. One instance serves all threads: a run keeps its state to itself."""

    card: ModelCard
    #: What the loaded model takes, in bytes (`models.resources.held`); the registry bounds the sum.
    memory: int
    #: What the files hold that it was loaded from, as one sha256; empty where these never change.
    content: str = ""
    #: Whether `trace` takes `keep_projections`; not where a model shows no more than its weights.
    can_keep_projections: bool = True
    #: Whether it makes its output token by token; a trace of one that does not has no steps, and no outputs but one.
    writes: bool = True
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
        the maps; `options` are those of the card.

        `on_partial` is called while the model writes, at most every `PARTIAL_SECONDS`, with the trace of what is
        written so far: maps of the kinds wanted, without projections. Of several beams it shows the one that leads
        among those that are still written.

        Raises InputError for input that cannot be traced, ModelError for something that this model cannot do, and
        Cancelled when `on_step` returned False.
        """
        read = self.read_input(input, sampling_rate, on_step)
        trace = self._trace(
            read,
            target=target,
            prefix=prefix,
            num_beams=num_beams,
            kinds=kinds,
            ablate=ablate,
            keep_projections=keep_projections,
            on_step=on_step,
            on_partial=on_partial and (lambda partial: on_partial(self._with_fault(partial))),
            **options,
        )
        return self._with_fault(self._with_notes(trace, read, options))

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

        An array that is what a trace of a model that hears shows as its input (`_is_heard`) stays as it is. While a
        file is decoded `on_step` is told of 0 steps of 0. Raises InputError.
        """
        kind, is_seen = self.card.input_kind, isinstance(input, Trace)
        source = input.input if is_seen else input
        if is_seen and isinstance(source, str) != (kind == "text"):
            raise InputError(f"This trace is not of {_READS[kind]}, which is what {self.card.title} reads.")
        if kind != "audio" and sampling_rate is not None:
            raise InputError(f"Only sounds have a sampling_rate, and {self.card.title} reads {_READS[kind]}.")
        if kind == "text":
            return check_text(source)
        if kind == "image":
            picture = images.read(source)
            return replace(picture, is_seen=True) if is_seen else picture
        if isinstance(source, np.ndarray) and sampling_rate is None and (is_seen or self._is_heard(source)):
            return Sound(source) if source.ndim == 1 else source
        return audio.read(source, sampling_rate, on_read=lambda seconds: report(on_step, 0, 0))

    def _with_notes(self, trace: Trace, read: object, options: Mapping[str, object]) -> Trace:
        """With what people should know of how an input was read; a sound keeps its notes itself, window by window."""
        if isinstance(read, str) and trace.steps:
            language = self.card.language("source", options)
            other = language and language_note(read, language, self.card.title)
            trace = trace.with_notes(*([other] if other else []))
            if any(maps.kind == "cross" for maps in trace.maps):
                trace = trace.with_notes(*notes_of_text(trace, language, self.card.language("target", options)))
            return trace
        return trace.with_notes(*read.notes) if isinstance(read, Picture) and read.notes else trace

    def _with_fault(self, trace: Trace) -> Trace:
        return trace if self.fault is None else trace.with_fault(self.fault)

    def _is_heard(self, array: NDArray[Any]) -> bool:
        """Whether an array without a sampling rate is what a trace of this model shows as its input: a log-mel."""
        return False

    @abstractmethod
    def _trace(
        self,
        input: Any,
        *,
        target: str | None,
        prefix: str | Sequence[int] | None,
        num_beams: int,
        kinds: Sequence[MapKind],
        ablate: Sequence[Head],
        keep_projections: bool,
        on_step: OnStep | None,
        on_partial: OnPartial | None,
        **options: Any,
    ) -> Trace:
        """What `trace` does, of what `read_input` gave."""

    def _traces(self, input: Any, **settings: Any) -> Iterator[Trace]:
        """What `traces` does, of what `read_input` gave: the one trace of what is never split."""
        yield self.trace(input, **settings)


class Family(Protocol):
    """A module of this folder that declares models."""

    CARDS: tuple[ModelCard, ...]

    def recognises(self, folder: Path) -> bool:
        """Whether a folder holds a model of this family, judged by its file names."""

    def downloads(self, name: str) -> bool:
        """Whether a name on no card could be that of a model that this family fetches from elsewhere."""

    def load(self, name_or_folder: str | Folder, **options: Any) -> Adapter:
        """Load a model by its name, or from a folder."""

    def example(self) -> Adapter:
        """A tiny model with random weights that runs anywhere."""


def report(on_step: OnStep | None, done: int, total: int) -> None:
    """Tell `on_step` how far the run is. Raises Cancelled when it returns False."""
    if on_step is not None and on_step(done, total) is False:
        raise Cancelled(f"Cancelled after {done} of at most {total} steps.")
