"""Traces from a Firefox Translations model: text in, translation and attention maps out.

Its tokens are SentencePiece pieces with the characters that each covers. Characters such as "@" or "€" are `<unk>` to
these models, so what a token stands for is read from its place in the text, never from its piece alone. A lexical
shortlist names the outputs that are likely for a source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, cast

import numpy as np
import sentencepiece
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xattn_viz.attention.capture import Captured
from xattn_viz.attention.interventions import Rows
from xattn_viz.attention.layer import CrossAttention
from xattn_viz.core.maps import MapKind
from xattn_viz.core.tokens import Span
from xattn_viz.core.trace import Trace
from xattn_viz.models.base import Hooks, ModelCard, OnStep
from xattn_viz.models.engine.adapter import TextAdapter
from xattn_viz.models.engine.attribution import Inspection, Sublayer
from xattn_viz.models.engine.forcing import Reading, Scores
from xattn_viz.models.engine.network import GIVEN, Network, Run, Source
from xattn_viz.models.engine.results import Tokens
from xattn_viz.models.engine.search import Frame, OnOutput, Output
from xattn_viz.models.families.firefox.network import Capture, DecoderLayer, EncoderLayer, Memory, Student
from xattn_viz.models.formats import ByteReader, FormatError
from xattn_viz.models.provenance import Identity, Settings, Size

_SHORTLIST_MAGIC = 0xF11A48D5013417F5


@dataclass(frozen=True)
class Shortlist:
    """Which output ids a source token makes likely: `ids[offsets[s]:offsets[s + 1]]` for the source id `s`.

    `first` is how many of the most frequent output ids are always allowed.
    """

    first: int
    offsets: NDArray[np.uint64]
    ids: NDArray[np.uint32]

    def allowed(self, source: list[int], n_target: int) -> NDArray[np.int64]:
        """The sorted output ids allowed for a source sentence, of `n_target` there are.

        As marian-dev does: the most frequent ids, those of each source token, then more from `first` upward until
        their number divides by 8.
        """
        chosen = set(range(min(self.first, n_target)))
        for token in set(source):
            chosen.update(self.ids[int(self.offsets[token]) : int(self.offsets[token + 1])].tolist())
        spare = (i for i in range(self.first, n_target) if i not in chosen)
        chosen.update([next(spare) for _ in range(min(-len(chosen) % 8, n_target - len(chosen)))])
        return np.array(sorted(chosen))


def read_shortlist(data: bytes, n_source: int, n_target: int) -> Shortlist:
    """Read a binary lexical shortlist between vocabularies of the given sizes.

    Raises FormatError where the bytes are not such a file, are damaged, or belong to other vocabularies.
    """
    reader = ByteReader(data)
    magic, _checksum, first, _best, n_offsets, n_ids = (reader.u64("the header") for _ in range(6))
    if magic != _SHORTLIST_MAGIC:
        raise FormatError("This is no Marian shortlist: its first eight bytes are not the right ones.")
    if n_offsets != n_source + 1:
        raise FormatError(f"The shortlist is for {n_offsets - 1} source tokens, the vocabulary has {n_source}.")
    offsets = reader.array("<u8", n_offsets, "the offsets").astype(np.uint64)
    ids = reader.array("<u4", n_ids, "the ids").astype(np.uint32)
    reader.end()
    if offsets[0] != 0 or offsets[-1] != len(ids) or (offsets[1:] < offsets[:-1]).any():
        raise FormatError("The shortlist's offsets do not fit its ids, so it is damaged.")
    if len(ids) and ids.max() >= n_target:
        raise FormatError(f"The shortlist names the output token {ids.max()}, the vocabulary has {n_target}.")
    return Shortlist(int(first), offsets, ids)


END, UNKNOWN = 0, 1  # the ids of </s> and <unk> in every model of this family
START = -1  # stands for the zero vector that the decoder reads first, which has no piece of its own
_NOTHING = Tokens("", (), (), (), ())


class Vocabulary:
    """The vocabulary of one side. Raises FormatError when the bytes are no SentencePiece model for this family."""

    def __init__(self, data: bytes) -> None:
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=data)
        except (RuntimeError, ValueError) as error:
            raise FormatError("This is no SentencePiece vocabulary, or it is damaged.") from error
        ends = (self._processor.eos_id(), self._processor.unk_id())
        if ends != (END, UNKNOWN):
            raise FormatError(f"This vocabulary numbers </s> and <unk> as {ends}, not {(END, UNKNOWN)}.")

    def __len__(self) -> int:
        return int(self._processor.vocab_size())

    def encode(self, text: str) -> Tokens:
        """The tokens of a text, with `</s>` behind them."""
        found = self._processor.encode(text, return_type="offset_mapping")
        return _tokens(text, (*found["ids"], END), found["offsets"], found["pieces"])

    def output(self, ids: Sequence[int], begin: Tokens = _NOTHING) -> Tokens:
        """The text of ids. They begin with tokens that were given, whose text stays as it was typed."""
        own = ids[:-1] if ids and ids[-1] == END else ids
        found = self._processor.decode([*own], return_type="offset_mapping")
        text, spans, pieces = found["text"], found["offsets"], found["pieces"]
        count = len(begin.ids)
        start = spans[count - 1][1] if count else 0
        shift = len(begin.text) - start
        moved = [(a + shift, b + shift) for a, b in spans[count:]]
        return _tokens(begin.text + text[start:], ids, (*begin.spans, *moved), (*begin.pieces, *pieces[count:]))

    def plain(self, ids: Sequence[int]) -> str:
        """Only the text of ids."""
        return str(self._processor.decode([i for i in ids if i != END]))

    def piece(self, token: int) -> str:
        """The piece of an id."""
        return "<s>" if token == START else str(self._processor.id_to_piece(token))

    def readable(self, token: int) -> str:
        """The piece of an id as people read it: without its sign for a space; a space where there is nothing else."""
        return self.piece(token).replace("▁", " ").strip() or " "


def _tokens(text: str, ids: Sequence[int], spans: Sequence[Span], pieces: Sequence[str]) -> Tokens:
    """The tokens of a text, of which an end has neither span nor piece yet."""
    if len(ids) > len(spans):
        spans, pieces = (*spans, (len(text), len(text))), (*pieces, "</s>")
    return Tokens(text, tuple(ids), tuple(spans), tuple(pieces), tuple(token == END for token in ids))


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

    def _inspection(self, run: Run, ids: Sequence[int], on_step: OnStep | None) -> FirefoxInspection:
        return FirefoxInspection(self.network.model, run, ids, on_step)

    def _notes(self, run: Run, trace: Trace, ids: Sequence[int], given: int) -> list[str]:
        notes = super()._notes(run, trace, ids, given)
        if run.settings.options["shortlist"] and self.network.shortlist is None:
            notes.append("This model has no shortlist, so every token of its vocabulary was scored.")
        return notes


class FirefoxInspection(Inspection):
    """What an output of a student owes to its source."""

    def __init__(self, model: Student, run: Run, ids: Sequence[int], on_step: OnStep | None = None) -> None:
        super().__init__(run, ids, on_step)
        self._model, self._pad, self._vocabulary = model, END, model.size.target_vocabulary

    def _leaf(self) -> Tensor:
        return self._model.embed_source[self.run.source.read["input_ids"]]

    def _logits(self, read: Mapping[str, Tensor], leaf: Tensor | None, rows: Tensor | None) -> Tensor:
        padding = read["attention_mask"] == 0
        embedded = self._model.embed_source[read["input_ids"]] if leaf is None else leaf
        encoded = self._model.encode_embedded(embedded, padding, self.run.settings.ablated("encoder"))
        given = torch.tensor([[self.run.frame.start, *self.ids[:-1]]]).expand(len(encoded), -1)
        memory = self._model.memory(encoded, padding)
        hidden, _ = self._model.decode(given, memory, self.run.settings.ablated("cross"))
        picked = hidden if rows is None else hidden[torch.arange(len(hidden)), rows].unsqueeze(1)
        logits: Tensor = self._model.output(picked)
        return logits

    def _sublayers(self, kind: MapKind) -> Iterator[Sublayer]:
        ablated = self.run.settings.ablated(kind)
        if kind == "encoder":
            x = self._model.embedded_source(self._leaf())
            for number, each in enumerate(self._model.encoder):
                layer, off = cast(EncoderLayer, each), ablated.get(number, ())
                yield _sublayer(layer.attention, layer.attention_norm, layer.ffn, x, x, off)
                x = layer(x, None, off, None)
            return
        x = self._model.embedded_target(torch.tensor([[self.run.frame.start, *self.ids[:-1]]]))
        encoded = self._model.encode(self.run.source.read["input_ids"], None, self.run.settings.ablated("encoder"))
        memory = self._model.memory(encoded)
        for number, (each, start) in enumerate(zip(self._model.decoder, self._model.start(), strict=True)):
            decoder, off = cast(DecoderLayer, each), ablated.get(number, ())
            stream, _ = decoder.ssru(x, start)
            yield _sublayer(decoder.context, decoder.context_norm, decoder.ffn, stream, encoded, off)
            x, _ = decoder(x, start, memory.keys_values[number], None, off, None)


def _sublayer(
    attention: CrossAttention, norm: nn.Module, ffn: nn.Module, stream: Tensor, context: Tensor, off: Sequence[int]
) -> Sublayer:
    """What attention from a stream `[1, query, d_model]` to a context did, where the norm and `ffn` are all behind."""
    _, values = attention.project_context(context)
    found = attention(stream, context, ablate=off)
    # The columns of the output projection that belong to a head: [head, d_k, d_model].
    out = attention.out_proj.weight.T.reshape(attention.n_heads, attention.d_k, -1)

    def finish(change: Tensor) -> Tensor:
        changed: Tensor = ffn(norm(stream + found.output + change))
        return changed

    nothing = torch.zeros(1, *stream.shape[1:])
    return Sublayer(found.weights[0], values[0] @ out, found.output[0], stream[0], norm, finish(nothing)[0], finish)


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

    def reading(self, run: Run, output: Sequence[int], scored: int) -> Reading:
        """As `Network.reading`: what the search chose among is the shortlist."""
        choice, read = Choice.of(self.model, self._allowed(run)), torch.tensor([[run.frame.start, *output[:-1]]])

        def logits(rows: Rows) -> Sequence[Scores]:
            hidden, _ = self.model.decode(read, run.encoded, run.settings.ablated("cross"), rows=rows)
            own = nn.functional.linear(hidden[:, scored:], choice.weight, choice.bias)  # [row, place, allowed]
            return [Scores(self.model.output(hidden[:, :scored])), Scores(own, choice.ids)]

        return logits

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
