"""A run of an encoder-decoder that writes: its source is encoded, an output searched, and any output made a trace.

A partial output, the chosen one and one that was given all become a trace in the same way: by a pass over it that
records the attention, unless the search recorded all of it already. A family says what its encoder reads, what stands
around an output, and what else is to be known of it.

Text is split into sentences first, or cut to what the model can read.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol

import sentencex  # type: ignore[import-untyped]
import torch
from torch import Tensor

from xattn_viz.attention.capture import Captured
from xattn_viz.attention.interventions import Misfit, Rows
from xattn_viz.core.interventions import Forced, Forcing, Intervention
from xattn_viz.core.maps import Alteration, MapKind
from xattn_viz.core.records import quoted
from xattn_viz.core.trace import Hypothesis, Trace
from xattn_viz.inputs import InputError
from xattn_viz.inputs.text import check_text
from xattn_viz.models.base import Adapter, Hooks, ModelCard, ModelError, OnStep, Outputs
from xattn_viz.models.engine.attribution import Inspection, TransformersInspection
from xattn_viz.models.engine.forcing import Reader, Reading, by_encoder, in_batches, read_runs
from xattn_viz.models.engine.network import Network, Run, Source, TransformersNetwork
from xattn_viz.models.engine.results import Tokens, attention_maps, steps
from xattn_viz.models.engine.search import Frame, Output
from xattn_viz.models.provenance import Head, Identity, Settings, provenance
from xattn_viz.models.resources import bytes_held, check_free, run_slot

MAX_MAP_BYTES = 1 << 30  # of all maps of one trace
LARGE = 1 << 26  # only before maps of more bytes is the free memory looked at
_MERGED = (
    "This model's decoder attends to the source and to what it has written in one softmax: a row of a cross-attention "
    "map sums to what goes to the source, and the rest of it is in the decoder's map."
)


class Vocabulary(Protocol):
    """From ids to text and what each of them covers."""

    def output(self, ids: Sequence[int], begin: Tokens = ...) -> Tokens:
        """The text of ids that a model chose, without the special ones; they begin with tokens that were given."""

    def plain(self, ids: Sequence[int]) -> str:
        """Only the text of ids."""

    def piece(self, token: int) -> str:
        """The tokenizer's own name of an id."""

    def readable(self, token: int) -> str:
        """What an id says to people."""


class EncoderDecoderAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    def __init__(self, card: ModelCard, identity: Identity, network: Network, text: Vocabulary, *parts: Any) -> None:
        """`parts` are modules and arrays that take memory, the network's own among them."""
        # The library's own attention neither ablates nor hands out q and k.
        self.card = replace(card, can=card.can - {"ablate", "project"}) if network.is_native else card
        self.identity, self.network, self.text, self.size = identity, network, text, network.size
        self.memory = bytes_held(*parts)

    @abstractmethod
    def _source(self, input: Any, settings: Settings) -> Source:
        """What the encoder reads of an input. Raises InputError."""

    @abstractmethod
    def _frame(self, encoded: Any, settings: Settings) -> Frame:
        """What stands around the tokens of an output."""

    @abstractmethod
    def _target(self, text: str, frame: Frame, settings: Settings) -> Tokens:
        """The tokens of a whole output, as the model would write it, whose text is given."""

    def _skip_search(self, run: Run) -> Trace | None:
        """The trace of a source from which nothing is to be written; None where something is."""
        return None

    def _complete(self, run: Run, trace: Trace, logits: Sequence[Tensor] | Tensor) -> Trace:
        """A trace with what else is known of it; `logits` `[query, id]` are those of the pass over its output."""
        return trace

    def _notes(self, run: Run, trace: Trace, ids: Sequence[int], given: int) -> list[str]:
        """What people should know of an output that was searched: that it did not end by itself."""
        limit = self.network.limit(run, given)
        is_cut = self.network.forces_end and len(ids) + 1 >= limit
        if ids[-1] in run.frame.ends and not is_cut:
            return []
        return [f"The model was stopped after {len(ids)} tokens, before it ended by itself."]

    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:
        """The maps of one segment.

        Probabilities are over the whole vocabulary, before any of the checkpoint's own rules of generation;
        `hypotheses` are the other beams, with the log-probability of what the search chose (what was given or forced
        counts as certain).
        """
        source = self._source(input, settings)
        with run_slot(hooks.on_step), torch.inference_mode():
            run = self._encode(source, settings, hooks)
            if (skipped := self._skip_search(run)) is not None:
                return skipped
            begin, is_whole = self._beginning(run)
            if is_whole:
                return self._make_trace(run, begin, Output(begin.ids))
            return self._finish(run, begin, self._search(run, begin, hooks))

    def plain(self, input: Any, **settings: Any) -> str:
        """Only the output, as `trace` writes it: nothing is recorded, and there are no probabilities."""
        asked = replace(self.check(**settings), kinds=())
        source = self._source(self.read_input(input), asked)
        with run_slot(), torch.inference_mode():
            run = self._encode(source, asked, Hooks())
            if (skipped := self._skip_search(run)) is not None:
                return skipped.output
            begin, is_whole = self._beginning(run)
            return begin.text if is_whole else self.text.plain(self._search(run, begin, Hooks())[0].ids)

    def forcing(self, trace: Trace, *, source: Trace | None = None) -> Forcing:
        """As `Adapter.forcing`."""
        ids = self._check_forced(trace, source or trace, ())
        scored = len(ids) if source else next((i for i, step in enumerate(trace.steps) if not step.forced), len(ids))
        row_bytes = 3 * 4 * len(ids) * self.size.vocabulary
        kept: list[Reading] = []  # that over the source as it is

        def reading(changed: Sequence[Intervention], hooks: Hooks) -> Reading:
            if kept and not changed:
                return kept[0]
            made = self.network.reading(self._encode_again(source or trace, hooks, Rows(changed)), ids, scored)
            if not changed:
                kept.append(made)
            return made

        def force(
            runs: Sequence[Sequence[Intervention]],
            base: Sequence[Intervention] = (),
            alternatives: int = 1,
            on_step: OnStep | None = None,
        ) -> Forced:
            every = [*base, *(one for run in runs for one in run)]
            self._check_forced(trace, source or trace, [(one.kind, one.layer, one.head) for one in every])
            rows = (row for one in every if one.kind != "encoder" for row in one.rows or ())
            if (wrong := next((row for row in rows if not 0 <= row < len(ids)), None)) is not None:
                raise InputError(f"There is no row {wrong}: this output has rows 0 to {len(ids) - 1}.")
            below = [one for one in base if one.kind == "encoder"]
            above = [one for one in base if one.kind != "encoder"]
            reader, hooks = Reader(len(runs), ids, alternatives), Hooks(on_step)
            with run_slot(on_step), torch.inference_mode(), _fitting():
                for changed, numbers in by_encoder([[*below, *run] for run in runs]):
                    scores = reading(changed, hooks)
                    rest = [[one for one in runs[number] if one.kind != "encoder"] for number in numbers]
                    batches = in_batches(rest, self.network.block, row_bytes, above)
                    read_runs(numbers, rest, batches, scores, reader, hooks)
            return reader.forced(self.text.readable)

        return force

    def force(
        self,
        trace: Trace,
        runs: Sequence[Sequence[Intervention]],
        *,
        source: Trace | None = None,
        alternatives: int = 1,
        on_step: OnStep | None = None,
    ) -> Forced:
        """As `Adapter.force`."""
        return self.forcing(trace, source=source)(runs, alternatives=alternatives, on_step=on_step)

    def head_outputs(self, trace: Trace, kind: MapKind = "cross", *, on_step: OnStep | None = None) -> Outputs:
        """As `Adapter.head_outputs`."""
        ids = self._check_forced(trace, trace, [(kind, 0, 0)])
        rows, hooks = Rows(keeps=True), Hooks(on_step)
        with run_slot(on_step), torch.inference_mode():
            hooks.report(0, 1)
            run = self._encode_again(trace, hooks, rows)
            if kind != "encoder":
                self.network.reading(run, ids, len(ids))(rows)
        layers = [rows.outputs[kind, layer] for layer in range(len(self.size.heads[kind]))]
        return torch.stack(layers).numpy()

    def _check_forced(self, trace: Trace, source: Trace, heads: Sequence[Head]) -> list[int]:
        """The ids of an output that can be read again. Raises as `force` does."""
        if "ablate" not in self.card.can:
            raise self._cannot_force()
        for one in (trace, source):
            if not one.steps or one.provenance.get("weights_sha256") != self.identity.weights_sha256:
                whose = quoted(one.model or "another program")
                raise InputError(f"This trace is of {whose}: give one that {self.card.title} made itself.")
        self._check_maps([*dict.fromkeys(head[0] for head in heads)] or ["cross"], heads)
        return [step.id for step in trace.steps]

    def _encode_again(self, trace: Trace, hooks: Hooks, rows: Rows, input: Any = None) -> Run:
        """The source of a trace of this model, or another `input`, with its options and the heads that were off."""
        given = ("target", "prefix", "num_beams", "hypothesis", "max_new_tokens", "keep_projections", "kinds", "ablate")
        options = {name: value for name, value in trace.settings.items() if name not in given}
        ablate = [(kind, layer, head) for kind, layer, head in trace.settings.get("ablate", ())]
        settings = replace(self.check(ablate=ablate, **options), kinds=())
        read = self.read_input(trace) if input is None else input
        return self._encode(self._source(read, settings), settings, hooks, rows)

    def inspect(self, trace: Trace, on_step: OnStep | None = None) -> Inspection:
        """What the output of a trace of this model's owes to its source; heads that were switched off stay so.

        `on_step` is told how far each of its methods is. Raises ModelError for a trace of other weights and for a model
        that cannot be taken apart; InputError for a trace without tokens.
        """
        self._check_inspected(trace)
        with run_slot(on_step), torch.inference_mode():
            run = self._encode_again(trace, Hooks(on_step), Rows())
        return self._inspection(run, [step.id for step in trace.steps], on_step)

    def _check_inspected(self, trace: Trace) -> None:
        """Raise what `inspect` raises for a trace."""
        if not trace.steps:
            raise InputError("This trace holds no tokens of an output whose log-probability could be looked at.")
        digest = str(trace.provenance.get("weights_sha256", self.identity.weights_sha256))
        if digest != self.identity.weights_sha256:
            raise ModelError(f"This trace was made with other weights of {self.card.title} (sha256 {digest[:12]}…).")

    def replayed(self, trace: Trace, kinds: Sequence[MapKind], on_step: OnStep | None = None) -> Trace:
        """The maps of these kinds for the output of a trace of this model's. Raises as `inspect` and `trace` do."""
        inspection = self.inspect(trace, on_step)
        self._check_maps(kinds, ())
        settings = replace(inspection.run.settings, kinds=tuple(kinds))
        ids = inspection.ids
        with run_slot(on_step), torch.inference_mode():
            run = self._encode(inspection.run.source, settings, Hooks(on_step))
            return self._make_trace(run, self.text.output(ids), Output(ids))

    def _inspection(self, run: Run, ids: Sequence[int], on_step: OnStep | None) -> Inspection:
        assert isinstance(self.network, TransformersNetwork)  # noqa: S101 - a family with another has its own
        return TransformersInspection(self.network, run, ids, on_step)

    def _encode(self, source: Source, settings: Settings, hooks: Hooks, rows: Rows | None = None) -> Run:
        """Encode a source."""
        self._check_memory(source, settings, 1)
        encoded, layers = self.network.encode(source, settings, hooks, rows)
        axis = source.pooled or source.axis
        altered: tuple[Alteration, ...] = ("aggregated",) if source.pooled else ()
        encoder = attention_maps("encoder", layers, axis, axis, None, settings, altered=altered) if layers else None
        return Run(settings, source, encoded, encoder, self._frame(encoded, settings))

    def _beginning(self, run: Run) -> tuple[Tokens, bool]:
        """The tokens that the output begins with, and whether they are all of it."""
        settings, frame, most = run.settings, run.frame, self.size.output
        if settings.target is not None:
            whole = self._target(check_text(settings.target, "target"), frame, settings)
            _check_length(whole.ids, "target", most)
            return whole, True
        most -= 2  # the start, and at least one token to write
        if isinstance(settings.prefix, str):
            begin = self._target(check_text(settings.prefix, "prefix"), frame, settings).part(0, -1)
            _check_length(begin.ids, "prefix", most)
            return begin, False
        prefix = settings.prefix
        ids = frame.prompt if prefix is None or prefix == frame.prompt[: len(prefix)] else prefix
        is_whole = bool(prefix) and frame.is_end(ids, len(ids) - 1)
        _check_length(ids, "prefix", most + 2 * is_whole)
        return self.text.output(ids), is_whole

    def _search(self, run: Run, begin: Tokens, hooks: Hooks) -> list[Output]:
        """The outputs that the search kept, best first; what is written meanwhile is shown as a trace."""
        plain = replace(run, settings=replace(run.settings, keep_projections=False))
        return self.network.search(
            run, begin.ids, hooks, lambda output: hooks.show(lambda: self._make_trace(plain, begin, output))
        )

    def _finish(self, run: Run, begin: Tokens, outputs: Sequence[Output]) -> Trace:
        """The trace of the output that was asked for, with the others as hypotheses."""
        others = list(outputs)
        best = others.pop(run.settings.hypothesis)
        hypotheses = tuple(
            Hypothesis(
                self.text.plain(other.ids), other.log_prob or 0.0, tuple(map(self.text.readable, other.ids)), other.ids
            )
            for other in others
        )
        trace = replace(self._make_trace(run, begin, best), hypotheses=hypotheses)
        return trace.with_notes(*self._notes(run, trace, best.ids, len(begin.ids)))

    def _make_trace(self, run: Run, begin: Tokens, output: Output) -> Trace:
        """The trace of an output that begins with tokens that were given, or is all of them."""
        settings, frame, count = run.settings, run.frame, len(output.ids)
        self._check_memory(run.source, settings, count)
        logits: Sequence[Tensor] | Tensor = ()
        scored = count - len(output.logits)
        if output.cross is not None:
            layers: dict[MapKind, list[Captured]] = {"cross": output.cross()}
        else:
            layers, logits = self.network.replay(run, output.ids, scored)
        tokens = begin if output.ids == begin.ids else self.text.output(output.ids, begin)
        forced = len(begin.ids) or int(frame.first is not None)
        written, read = tokens.axis(), tokens.read(frame.start, self.text.piece(frame.start)).axis()
        is_partial = self.network.is_merged or self.network.is_cropped
        maps = []
        for kind in settings.kinds:
            if kind == "encoder" and run.encoder is not None:
                maps.append(run.encoder)
                continue
            keys = read if kind == "decoder" else run.source.axis
            of_keys = self.network.is_merged or kind == "cross"
            altered: tuple[Alteration, ...] = ("cropped",) if is_partial and of_keys else ()
            maps.append(attention_maps(kind, layers[kind], written, keys, read, settings, altered=altered))
        trace = Trace(
            tuple(maps),
            run.source.shown,
            tokens.text,
            (
                *steps(logits, output.ids[:scored], forced, self.text.readable),
                *steps(output.logits, output.ids[scored:], forced - scored, self.text.readable, output.among),
            ),
            provenance=self._provenance(run),
        )
        merged = (_MERGED,) if self.network.is_merged else ()
        return self._complete(run, trace.with_notes(*self.identity.notes, *run.source.notes, *merged), logits)

    def _provenance(self, run: Run) -> dict[str, Any]:
        source, settings = run.source, run.settings
        return provenance(
            self.identity,
            {**settings.as_keywords(), **source.keywords},
            self.network.method(run),
            source.shown,
            self.network.libraries,
        )

    def _check_memory(self, source: Source, settings: Settings, output: int) -> None:
        """Raise InputError where the maps asked for would take more than `MAX_MAP_BYTES`, or than is free."""
        keys, pooled = len(source.axis), len(source.pooled or source.axis)
        cells = {"cross": output * keys, "encoder": pooled * pooled, "decoder": output * output}
        weights = [sum(self.size.heads[kind]) * cells[kind] for kind in settings.kinds]
        half = self.network.half_above
        needed = sum(count * (4 if half is None or count <= half else 2) for count in weights)
        what = f"The maps of {keys:,} source positions and {output:,} output tokens"
        instead = "give less to read, bound the output with max_new_tokens, or ask for fewer kinds of map"
        if needed > MAX_MAP_BYTES:
            allowed = f"more than the {MAX_MAP_BYTES / 1e9:.1f} GB allowed"
            raise InputError(f"{what} would take {needed / 1e9:.1f} GB, {allowed}: {instead}.")
        if needed > LARGE:
            what = f"Tracing {keys:,} source positions and {output:,} output tokens"
            check_free(3 * needed, what, instead, InputError)


@contextmanager
def _fitting() -> Iterator[None]:
    """A block in which values for heads that do not fit are bad input."""
    try:
        yield
    except Misfit as error:
        raise InputError(str(error)) from error


def _check_length(ids: Sequence[int], name: str, most: int) -> None:
    if len(ids) > most:
        raise InputError(f"The {name} has {len(ids):,} tokens; at most {most:,} have a place.")


MAX_SENTENCES = 100


class TextAdapter(EncoderDecoderAdapter):
    """One loaded model that reads text. What it cannot read is cut, and a note says so."""

    @abstractmethod
    def _encoded(self, text: str, settings: Settings) -> Tokens:
        """The tokens of a source text as the encoder reads them."""

    def _traces(self, input: Any, *, whole_text: bool = False, **settings: Any) -> Iterator[Trace]:
        """Yield the trace of each sentence, or of the whole text as one segment when `whole_text`.

        Of a text the first `MAX_SENTENCES` are traced; the notes of the first trace say so. `settings` are those of
        `trace`.
        """
        text = check_text(input)
        bounds = [(0, len(text))]
        if not whole_text:
            found = sentencex.get_sentence_boundaries(self.card.language("source", settings) or "en", text)
            bounds = [(sentence["start_index"], sentence["end_index"]) for sentence in found]
        bounds = [(start, end) for start, end in bounds if text[start:end].strip()]
        for number, (start, end) in enumerate(bounds[:MAX_SENTENCES]):
            sentence = text[start:end]
            offset = start + len(sentence) - len(sentence.lstrip())
            trace = replace(self.trace(sentence.strip(), **settings), offset=offset)
            is_first_of_more = number == 0 and len(bounds) > MAX_SENTENCES
            note = f"Only the first {MAX_SENTENCES:,} of {len(bounds):,} sentences were traced."
            yield trace.with_notes(note) if is_first_of_more else trace

    def _source(self, input: Any, settings: Settings) -> Source:
        tokens, note = self.read(check_text(input), settings)
        length = len(tokens.ids)
        # An encoder that attends from every token to all others: a bias or the weights of a layer, in float32, and what
        # comes of them on the way.
        needed = 3 * 4 * max(self.size.heads.get("encoder", (0,))) * length * length
        if needed > LARGE:
            check_free(needed, f"Reading {length:,} source positions", "shorten the text", InputError)
        ids = torch.tensor([tokens.ids], device=self.network.device)
        read = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return Source(read, tokens.axis(), tokens.text, (note,) if note else ())

    def read(self, text: str, settings: Settings) -> tuple[Tokens, str]:
        """The tokens of a text, and a note for people where more than `size.source` would have to be read.

        The text is cut with them, at the end of a word where there is one, so that tracing what is left gives the same
        tokens again. Raises InputError for text that leaves no tokens.
        """
        limit, tokens = self.size.source, self._encoded(text, settings)
        whole = count = _own(tokens)
        most = limit - (len(tokens.ids) - count)
        while len(tokens.ids) > limit:
            tokens = self._encoded(_cut(tokens, most), settings)
            count = _own(tokens)
            most -= 1  # the shorter text may need one token more
        if count == 0:
            raise InputError("The text holds nothing that the model can read: type at least one word.")
        return tokens, f"Only the first {count:,} of {whole:,} tokens were read." if count < whole else ""


def _own(tokens: Tokens) -> int:
    return sum(not special for special in tokens.special)


def _cut(tokens: Tokens, count: int) -> str:
    ends = [end for (_, end), special in zip(tokens.spans, tokens.special, strict=True) if not special]
    end = ends[max(count, 1) - 1]
    text = tokens.text[:end]
    word_end = len(text.rstrip()) if tokens.text[end : end + 1].isspace() else text.rfind(" ")
    return text[:word_end] if word_end > end // 2 else text
