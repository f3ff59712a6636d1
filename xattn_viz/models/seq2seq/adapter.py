"""Traces from a text encoder-decoder of transformers: text in, text and attention maps out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from xattn_viz.axis import Axis
from xattn_viz.maps import AttentionMaps, MapKind
from xattn_viz.models.base import Adapter, Head, InputError, ModelCard, OnStep
from xattn_viz.models.gate import turn
from xattn_viz.models.segments import check_text, sentences
from xattn_viz.models.seq2seq.decoding import Frame, Written, decoder_positions, generate, length_limit, steps
from xattn_viz.models.seq2seq.languages import language_id, prompt
from xattn_viz.models.seq2seq.replay import Runner, attention_maps
from xattn_viz.models.seq2seq.settings import Identity, Settings, Size, check, provenance
from xattn_viz.models.seq2seq.source import check_maps, read_source
from xattn_viz.models.seq2seq.text import Text, Tokens
from xattn_viz.trace import Hypothesis, Trace


class Seq2SeqAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    def __init__(self, card: ModelCard, identity: Identity, runner: Runner, tokenizer: Any, size: Size) -> None:
        self.card, self.identity, self.runner, self.size = card, identity, runner, size
        self.text, self._tokenizer = Text(tokenizer), tokenizer
        self.memory = sum(p.numel() * p.element_size() for p in runner.model.parameters())
        self._two_sided = any(option.name == "source_language" for option in card.options)

    def trace(
        self,
        input: Any,
        *,
        target: str | None = None,
        prefix: str | None = None,
        num_beams: int = 1,
        kinds: Sequence[MapKind] = ("cross",),
        ablate: Sequence[Head] = (),
        keep_projections: bool = False,
        on_step: OnStep | None = None,
        **options: Any,
    ) -> Trace:
        """Run the model on one segment and return its maps; see `Adapter.trace`.

        Besides the card's options: `max_new_tokens` bounds the output (else as the checkpoint says), `hypothesis`
        picks another of the beams than the best (0). Probabilities are over the whole vocabulary, before any of the
        checkpoint's own rules of generation; `hypotheses` are the other beams, with the log-probability of what the
        search chose (what was given or forced counts as certain).

        Input beyond the model's positions is cut, and `provenance["notes"]` says so.
        """
        settings = check(
            self.card,
            self.size,
            self.runner.native,
            options,
            target=target,
            prefix=prefix,
            num_beams=num_beams,
            kinds=kinds,
            ablate=ablate,
            keep_projections=keep_projections,
        )
        source, notes = self._source(check_text(input), settings)
        given = self._given(settings)
        with turn(on_step), torch.inference_mode():
            return self._run(source, notes, settings, given, on_step)

    def traces(self, input: Any, *, whole_text: bool = False, **settings: Any) -> Iterator[Trace]:
        """Yield the trace of each sentence, or of the whole text as one segment when `whole_text`.

        Of a text the first 100 sentences are traced; the notes of the first trace say so. `settings` are those of
        `trace`.
        """
        text = check_text(input)
        language = str(settings.get("source_language") or self.card.source_language or "en")[:2]
        for segment in sentences(text, language, whole_text):
            yield segment.place(self.trace(text[segment.start : segment.end], **settings))

    def plain(self, input: str, *, num_beams: int = 1, **options: Any) -> str:
        """Only the output: generation with nothing recorded, no probabilities."""
        settings = Settings(num_beams=num_beams, options=options)
        source, _ = self._source(check_text(input), settings)
        with turn(), torch.inference_mode():
            ids = torch.tensor([source.ids], device=self.runner.model.device)
            encoded, _ = self.runner.encode(ids, Settings(kinds=()))
            found = generate(self.runner.model, ids, encoded, self._frame(settings), (), settings, None)
        return self.text.plain(found[0].ids)

    def _source(self, text: str, settings: Settings) -> tuple[Tokens, tuple[str, ...]]:
        marian = not self._two_sided
        language = settings.options.get("source_language") if self._two_sided else None
        start = prompt(settings.options, marian=marian)
        return read_source(self.text, text, self.runner.model.config, prompt=start, language=language)

    def _target_language(self, settings: Settings) -> str | None:
        return settings.options.get("target_language") if self._two_sided else None

    def _frame(self, settings: Settings) -> Frame:
        language = self._target_language(settings)
        code = None if language is None else language_id(self._tokenizer, language)
        labels = self.text.target("a", language=language).ids if code is not None else ()
        return Frame.of(self.runner.model, code, labels)

    def _given(self, settings: Settings) -> Tokens | None:
        """The tokens that the output is made of (`target`) or begins with (`prefix`), framed as the model writes."""
        text = settings.target if settings.target is not None else settings.prefix
        if text is None:
            return None
        name = "target" if settings.target is not None else "prefix"
        tokens = self.text.target(check_text(text, name), language=self._target_language(settings))
        framed = self._frame(settings).framed(tokens, self.text.piece)
        most = decoder_positions(self.runner.model)
        if len(framed.ids) > most:
            raise InputError(f"The {name} has {len(framed.ids):,} tokens; at most {most:,} can be scored.")
        return framed

    def _run(
        self,
        source: Tokens,
        notes: Sequence[str],
        settings: Settings,
        given: Tokens | None,
        on_step: OnStep | None,
    ) -> Trace:
        model, frame = self.runner.model, self._frame(settings)
        ids = torch.tensor([source.ids], device=model.device)
        encoded, encoder = self.runner.encode(ids, settings)
        if settings.target is not None and given is not None:
            outputs, forced, begin = [Written(list(given.ids))], len(given.ids), list[int]()
        else:
            begin = list(given.ids[:-1]) if given else []
            with self.runner.watch(settings):
                outputs = generate(model, ids, encoded, frame, begin, settings, on_step)
            outputs.insert(0, outputs.pop(settings.hypothesis))
            forced = len(begin) or int(frame.first is not None)
        limit = length_limit(model, settings, len(begin))
        best, *others = outputs
        check_maps(settings.kinds, self.size, len(source.ids), len(best.ids))
        seen, logits = self.runner.replay(encoded, best.ids, frame, settings)
        output = given if settings.target is not None and given else self.text.output(best.ids)
        written, read = output.axis(), self._read(output, frame)
        maps: list[AttentionMaps] = []
        for kind in settings.kinds:
            layers = encoder if kind == "encoder" else seen[kind]
            queries = source.axis() if kind == "encoder" else written
            keys = read if kind == "decoder" else source.axis()
            maps.append(attention_maps(kind, layers, queries, keys, None if kind == "encoder" else read, settings))
        end_note = self._end_note(best.ids, frame, settings, limit)
        return Trace(
            tuple(maps),
            source.text,
            output.text,
            steps(logits, output.ids, self.text, [i < forced for i in range(len(output.ids))]),
            tuple(Hypothesis(self.text.plain(other.ids), other.log_prob or 0.0) for other in others),
            provenance=provenance(self.identity, settings, self._decoding(settings), source.text, [*notes, *end_note]),
        )

    def _read(self, written: Tokens, frame: Frame) -> Axis:
        """The axis of the tokens read at each step: the start, then each token written but the last."""
        return Tokens(
            written.text,
            (frame.start, *written.ids[:-1]),
            ((0, 0), *written.spans[:-1]),
            (self.text.piece(frame.start), *written.pieces[:-1]),
            (True, *written.special[:-1]),
        ).axis()

    def _end_note(self, output: Sequence[int], frame: Frame, settings: Settings, limit: int) -> list[str]:
        """A note where the output did not end by itself; some checkpoints force an end at the limit."""
        own = self.runner.model.generation_config
        cut = own.forced_eos_token_id is not None and len(output) + 1 >= limit
        if settings.target is not None or (output[-1] in frame.ends and not cut):
            return []
        return [f"The model was stopped after {len(output)} tokens, before it ended by itself."]

    def _decoding(self, settings: Settings) -> dict[str, Any]:
        if settings.target is not None:
            return {"method": "none: the target was given"}
        own = self.runner.model.generation_config
        return {
            "method": "greedy" if settings.num_beams == 1 else "beam search",
            "max_length": length_limit(self.runner.model, settings, 0),
            "length_penalty": own.length_penalty,
            "no_repeat_ngram_size": own.no_repeat_ngram_size,
            "min_length": own.min_length,
        }
