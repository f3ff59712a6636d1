"""Traces from a Firefox Translations model: text in, translation and attention maps out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import sentencepiece
import torch
from torch import Tensor, nn

from xattn_viz.attention.capture import Captured
from xattn_viz.attention.interventions import Rows
from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.models.base import Hooks, ModelCard
from xattn_viz.models.engine.adapter import TextAdapter
from xattn_viz.models.engine.forcing import Scores
from xattn_viz.models.engine.network import GIVEN, Network, Run, Source
from xattn_viz.models.engine.results import Tokens
from xattn_viz.models.engine.search import Frame, OnOutput, Output
from xattn_viz.models.families.firefox.network import Capture, Memory, Student
from xattn_viz.models.families.firefox.vocabulary import END, START, UNKNOWN, Shortlist, Vocabulary
from xattn_viz.models.provenance import Identity
from xattn_viz.models.settings import Settings, Size

MAX_TOKENS = 512  # of one segment, </s> among them; a map of 512 x 1,280 tokens is 42 MB
LENGTH_FACTOR = 2.5  # Marian's max-length-factor: output tokens for each source token


class FirefoxAdapter(TextAdapter):
    """One loaded model. Nothing in it changes during a run, so threads share it.

    The option `shortlist` (True) restricts the choice of tokens as Firefox does. Tokens of a `target` or `prefix` are
    scored over the whole vocabulary. Of a longer input the first `MAX_TOKENS` are read.
    """

    lacks: ClassVar[Mapping[MapKind, str]] = {
        "decoder": "This model has no decoder self-attention: its decoder is recurrent (an SSRU)."
    }
    text: Vocabulary
    network: FirefoxNetwork

    def __init__(
        self,
        card: ModelCard,
        student: Student,
        source: Vocabulary,
        target: Vocabulary,
        shortlist: Shortlist | None,
        weights_sha256: str,
    ) -> None:
        """`source` and `target` are the vocabularies of the two sides."""
        identity = Identity(card.name, None, weights_sha256, "float32", "cpu")
        arrays = () if shortlist is None else (shortlist.offsets, shortlist.ids)
        super().__init__(card, identity, FirefoxNetwork.of(student, shortlist), target, student, *arrays)
        self.source = source

    def _encoded(self, text: str, settings: Settings) -> Tokens:
        return self.source.encode(text)

    def _target(self, text: str, frame: Frame, settings: Settings) -> Tokens:
        return self.text.encode(text)

    def _frame(self, encoded: Any, settings: Settings) -> Frame:
        return Frame(START, None, (END,))

    def _notes(self, run: Run, trace: Trace, ids: Sequence[int], given: int) -> list[str]:
        notes = super()._notes(run, trace, ids, given)
        if run.settings.options["shortlist"] and self.network.shortlist is None:
            notes.append("This model has no shortlist, so every token of its vocabulary was scored.")
        return notes


@dataclass(frozen=True)
class FirefoxNetwork(Network):
    """A student and the shortlist of the words that its lexicon suggests, of a certain size."""

    model: Student
    shortlist: Shortlist | None
    size: Size
    is_compact: bool = False
    libraries: Sequence[ModuleType] = (torch, np, sentencepiece)

    @classmethod
    def of(cls, student: Student, shortlist: Shortlist | None) -> FirefoxNetwork:
        """That of a student."""
        own = student.size
        heads: dict[MapKind, tuple[int, ...]] = {
            "cross": (own.n_heads,) * own.decoder_layers,
            "encoder": (own.n_heads,) * own.encoder_layers,
        }
        most = int(MAX_TOKENS * LENGTH_FACTOR) + 2  # a start and an end
        return cls(student, shortlist, Size(heads, own.target_vocabulary, MAX_TOKENS, most))

    def encode(
        self, source: Source, settings: Settings, hooks: Hooks, rows: Rows | None = None
    ) -> tuple[Memory, list[Captured]]:
        """The keys and values of each decoder layer, and what the encoder's layers did where that is wanted."""
        layers: list[Captured] = []
        record = _recorder(layers, settings) if "encoder" in settings.kinds else None
        ids, ablated = source.read["input_ids"], settings.ablated("encoder")
        encoded = self.model.encode(ids, ablated=ablated, capture=record, rows=rows)
        return self.model.memory(encoded), layers

    def search(self, run: Run, begin: Sequence[int], hooks: Hooks, on_output: OnOutput) -> list[Output]:
        """Greedily: the likeliest token of those that may be chosen at each step, until `</s>` or the limit."""
        choice = Choice.of(self.model, self._allowed(run))
        ablated, most = run.settings.ablated("cross"), self.limit(run, 0) - 1
        state, read = self.model.start(), [run.frame.start, *begin]
        ids: list[int] = []
        logits: list[Tensor] = []
        while len(ids) < most and (not ids or ids[-1] != END):
            hooks.report(len(ids), most)
            if ids:
                on_output(Output((*begin, *ids), logits=logits, among=choice.ids))
            position = len(begin) + len(ids) + 1 - len(read)
            hidden, state = self.model.decode(
                torch.tensor([read]), run.encoded, ablated, state=state, position=position
            )
            logits.append(torch.addmv(choice.bias, choice.weight, hidden[0, -1]))  # [allowed]
            best = int(logits[-1].argmax())
            ids.append(best if choice.ids is None else int(choice.ids[best]))
            read = ids[-1:]
        return [Output((*begin, *ids), logits=logits, among=choice.ids)]

    def replay(self, run: Run, output: Sequence[int], scored: int) -> tuple[dict[MapKind, list[Captured]], Tensor]:
        """What the layers of the decoder did in one pass over an output, and the logits of its first tokens."""
        layers: list[Captured] = []
        read = torch.tensor([[run.frame.start, *output[:-1]]])
        ablated = run.settings.ablated("cross")
        hidden, _ = self.model.decode(read, run.encoded, ablated, _recorder(layers, run.settings))
        return {"cross": layers}, self.model.output(hidden[0, :scored])

    def force(
        self, run: Run, output: Sequence[int], scored: int, batches: Iterable[Rows]
    ) -> Iterator[Sequence[Scores]]:
        """As `Network.force`: what the search chose among is the shortlist."""
        choice, read = Choice.of(self.model, self._allowed(run)), torch.tensor([[run.frame.start, *output[:-1]]])
        for rows in batches:
            hidden, _ = self.model.decode(read, run.encoded, run.settings.ablated("cross"), rows=rows)
            own = nn.functional.linear(hidden[:, scored:], choice.weight, choice.bias)  # [row, place, allowed]
            yield [Scores(self.model.output(hidden[:, :scored])), Scores(own, choice.ids)]

    def limit(self, run: Run, given: int) -> int:
        """As asked for, else so many times the length of the source."""
        length: int = run.source.read["input_ids"].shape[1]
        return 1 + given + (run.settings.max_new_tokens or int(LENGTH_FACTOR * length))

    def method(self, run: Run) -> dict[str, Any]:
        """Greedy, over the shortlist or all tokens."""
        if run.settings.target is not None:
            return {**GIVEN, "scored_over": "the whole vocabulary"}
        over = "the shortlist" if run.settings.options["shortlist"] else "the whole vocabulary"
        return {"method": "greedy", "max_length_factor": LENGTH_FACTOR, "suppressed": ["<unk>"], "scored_over": over}

    def _allowed(self, run: Run) -> Tensor | None:
        if self.shortlist is None or not run.settings.options["shortlist"]:
            return None
        ids = run.source.read["input_ids"][0].tolist()
        return torch.from_numpy(self.shortlist.allowed(ids, self.model.size.target_vocabulary))


@dataclass(frozen=True)
class Choice:
    """The output tokens that may be chosen: `ids` `[allowed]` (None: all), and the output layer cut to them.

    `<unk>` has a bias of -inf, so it is never chosen and has no probability.
    """

    ids: Tensor | None
    weight: Tensor
    bias: Tensor

    @classmethod
    def of(cls, student: Student, ids: Tensor | None) -> Choice:
        """The choice among `ids`, or among all tokens."""
        weight: Tensor = student.output.weight
        bias: Tensor = student.output.bias
        if ids is None:
            unknown = torch.arange(len(bias)) == UNKNOWN
        else:
            weight, bias, unknown = weight[ids], bias[ids], ids == UNKNOWN
        return cls(ids, weight, bias.masked_fill(unknown, float("-inf")))


def _recorder(layers: list[Captured], settings: Settings) -> Capture:
    """Keeps what each layer does in `layers`, with queries and keys where these are wanted."""

    def record(layer: int, q: Tensor, k: Tensor, weights: Tensor) -> None:
        kept = (q, k, None, q.shape[-1] ** -0.5) if settings.keep_projections else ()
        layers.append(Captured(weights, *kept))

    return record
