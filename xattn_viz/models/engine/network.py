"""How the engine calls a model: encode what is read, search an output, read one again with its attention recorded."""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import ModuleType
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache
from transformers.generation import LogitsProcessor

from xattn_viz.attention.capture import Captured, Site, compact, recording
from xattn_viz.attention.interventions import Rows
from xattn_viz.core.axis import Axis
from xattn_viz.core.interventions import Intervention
from xattn_viz.core.maps import AttentionMaps, MapKind
from xattn_viz.core.trace import Note
from xattn_viz.models.base import Hooks
from xattn_viz.models.engine.forcing import Reading, Scores, watch_blocks
from xattn_viz.models.engine.results import HALF_ABOVE, LIBRARIES
from xattn_viz.models.engine.search import Frame, OnOutput, Output, generate
from xattn_viz.models.provenance import Settings, Size


@dataclass(frozen=True)
class Source:
    """What an encoder reads, as its keywords `read`, and what people are `shown` of it, with notes.

    `axis` is that of its positions; of the encoder's own map, where several positions are one in it, `pooled` is.
    `keywords` are what `trace` needs besides `shown` and its settings to read the same again.
    """

    read: Mapping[str, Tensor]
    axis: Axis
    shown: str | NDArray[Any]
    notes: tuple[str | Note, ...] = ()
    pooled: Axis | None = None
    keywords: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A source that was encoded, with the run's settings, the map of its encoder, and the frame of an output."""

    settings: Settings
    source: Source
    encoded: Any
    encoder: AttentionMaps | None
    frame: Frame


class Network(ABC):
    """A loaded model as the engine calls it. Nothing in it changes during a run, so threads share it."""

    size: Size
    #: Whether its decoder attends to the source and to what it has written in one softmax, of which two maps are made.
    is_merged: bool = False
    #: Whether positions of the source that hold nothing of it are no keys of its maps, so that rows may lack a part.
    is_cropped: bool = False
    #: Whether maps of many weights are kept in float16.
    is_compact: bool = True
    libraries: Sequence[ModuleType] = LIBRARIES

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return torch.device("cpu")

    @property
    def half_above(self) -> int | None:
        """The most weights that maps of one kind have in float32; None for any number."""
        return HALF_ABOVE if self.is_compact else None

    @property
    def is_native(self) -> bool:
        """Whether maps come from the library's own attention, which hands out no more than its weights."""
        return False

    @property
    def forces_end(self) -> bool:
        """Whether an output is ended by force at its limit."""
        return False

    @abstractmethod
    def encode(
        self, source: Source, settings: Settings, hooks: Hooks, rows: Rows | None = None
    ) -> tuple[Any, list[Captured]]:
        """What the encoder makes of a source, and what each of its layers did where its map is wanted.

        The interventions at the base of `rows` change its heads.
        """

    @abstractmethod
    def search(self, run: Run, begin: Sequence[int], hooks: Hooks, on_output: OnOutput) -> list[Output]:
        """The outputs that the search kept, best first, each with the ids that it was to `begin` with.

        `on_output` hears before each step but the first what is written: of several beams, the likeliest that goes on.
        """

    @abstractmethod
    def replay(self, run: Run, output: Sequence[int], scored: int) -> tuple[dict[MapKind, list[Captured]], Tensor]:
        """What the layers did in one pass over an output, by kind, and logits `[query, id]` of its first `scored`."""

    @abstractmethod
    def reading(self, run: Run, output: Sequence[int], scored: int) -> Reading:
        """What reads an output once for each batch of runs: logits of all its places, in parts one behind the other.

        The first `scored` are scored over the whole vocabulary, the others over what the search chose among. What all
        batches need of the source is made here, once.
        """

    def block(self, one: Intervention) -> int:
        """In which of the decoder's blocks an intervention is, from 0."""
        return one.layer

    @abstractmethod
    def limit(self, run: Run, given: int) -> int:
        """How long an output may get, its start token and the `given` ones included."""

    @abstractmethod
    def method(self, run: Run) -> dict[str, Any]:
        """How its search chooses what is not given (`GIVEN`), as JSON values."""


#: How a target came about.
GIVEN = {"method": "none: the target was given"}
NO_SIZE = Size({})


@dataclass(frozen=True)
class TransformersNetwork(Network):
    """A model of transformers and where its attention modules are; none where it runs with the library's attention."""

    model: Any
    sites: Mapping[nn.Module, Site] = field(default_factory=dict)
    size: Size = NO_SIZE
    is_merged: bool = False
    #: Whether its decoder must be told that all positions of the source are to be read: not of pictures and sound.
    is_masked: bool = True
    #: Whether the search of a single beam keeps its logits, and the cross-attention where it wrote all tokens itself.
    is_recorded_once: bool = True
    is_compact: bool = True
    #: In which block of the decoder each of its attention modules is.
    blocks: Mapping[Site, int] = field(default_factory=dict)

    def prepared(self, sites: Mapping[nn.Module, Site], size: Size, *, is_merged: bool) -> Self:
        """The same with what was found of it, its output layer ready to compute fewer logits than tokens are read."""
        if (layer := self.writer.get_output_embeddings()) is not None:
            layer.register_forward_pre_hook(_only_the_first)
        blocks = watch_blocks(self.writer, sites)
        return replace(self, sites=sites, size=size, is_merged=is_merged, blocks=blocks)

    @cached_property
    def encoder(self) -> Any:
        """The part that reads."""
        encoder = self.model.get_encoder()
        return BlockSparse(encoder) if BlockSparse.is_one(encoder) else encoder

    @property
    def writer(self) -> Any:
        """The part that writes: it is called with `decoding`, and searches."""
        return self.model

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        found: torch.device = self.model.device
        return found

    @property
    def forces_end(self) -> bool:
        """Whether the checkpoint says so."""
        return self.writer.generation_config.forced_eos_token_id is not None

    @property
    def is_native(self) -> bool:
        """Whether maps come from the library's own attention (`output_attentions`)."""
        return not self.sites

    def decoding(self, encoded: Any, ids: Tensor) -> dict[str, Any]:
        """What the writer takes to read `ids` `[1, query]` over what the encoder made."""
        # In an object of its own, which a search expands in place, and without its attention.
        own = type(encoded)(**{name: value for name, value in encoded.items() if "attentions" not in name})
        read: dict[str, Any] = {"encoder_outputs": own, "decoder_input_ids": ids}
        if self.is_masked:
            shape = encoded.last_hidden_state.shape[:2]
            read["attention_mask"] = torch.ones(shape, dtype=torch.long, device=ids.device)
        return read

    def processors(self, frame: Frame, begin: Sequence[int]) -> Sequence[LogitsProcessor]:
        """What rules out tokens besides the checkpoint's own settings."""
        return ()

    def encode(
        self, source: Source, settings: Settings, hooks: Hooks, rows: Rows | None = None
    ) -> tuple[Any, list[Captured]]:
        """What the encoder makes of a source, as the library gives it, and what its layers did where that is wanted."""
        wanted = "encoder" in settings.kinds
        if self.is_native:
            out = self.encoder(**source.read, output_attentions=wanted, return_dict=True)
            return out, reported(out.attentions, self.half_above) if wanted else []
        with self.watch(settings, ("encoder",) if wanted else (), rows=rows) as recorded:
            out = self.encoder(**source.read, return_dict=True)
        return out, recorded.layers("encoder")

    def watch(
        self, settings: Settings, kinds: Sequence[MapKind] = (), *, stepwise: bool = False, rows: Rows | None = None
    ) -> Any:
        """A block in which the maps of these kinds are recorded (`capture.recording`) and the heads switched off."""
        return recording(
            self.sites,
            kinds,
            ablate=settings.ablate,
            projections=settings.keep_projections,
            half_above=self.half_above,
            stepwise=stepwise,
            rows=rows,
        )

    def search(self, run: Run, begin: Sequence[int], hooks: Hooks, on_output: OnOutput) -> list[Output]:
        """The outputs that the library's search kept.

        A single beam's cross-attention is recorded meanwhile: its rows are those that a pass over the output would
        compute anew. The rows of several beams are not those of the one chosen, and a beginning's logits are not known.
        """
        settings, frame = run.settings, run.frame
        is_whole = self.is_recorded_once and settings.num_beams == 1 and not begin
        once = is_whole and not self.is_native and self.writer.generation_config.use_cache
        wanted = once and "cross" in settings.kinds and "decoder" not in settings.kinds
        ids = torch.tensor([[frame.start, *begin]], device=self.device)
        # Some rules of a search look at what the encoder has read, and none at pixels or frames.
        read = {**(run.source.read if self.is_masked else {}), **self.decoding(run.encoded, ids)}
        with self.watch(settings, ("cross",) if wanted else (), stepwise=True) as recorded:
            found = generate(
                self.writer,
                read,
                frame,
                len(begin),
                settings,
                self.limit(run, len(begin)),
                hooks,
                on_output,
                keeps_logits=self.is_recorded_once,
                processors=self.processors(frame, begin),
            )
        return [replace(found[0], cross=lambda: recorded.layers("cross"))] if wanted else found

    def replay(self, run: Run, output: Sequence[int], scored: int) -> tuple[dict[MapKind, list[Captured]], Tensor]:
        """What the decoder's layers did, and logits: the output layer, a small model's largest, computes no more."""
        kinds: list[MapKind] = [kind for kind in run.settings.kinds if kind != "encoder"]
        read = torch.tensor([[run.frame.start, *output[:-1]]], device=self.device)
        with self.watch(run.settings, kinds) as recorded, _scoring(scored):
            out = self.writer(
                **self.decoding(run.encoded, read),
                use_cache=False,
                return_dict=True,
                **({"output_attentions": True} if self.is_native and kinds else {}),
            )
        logits = out.logits[0, :scored]
        if not self.is_native:
            return {kind: recorded.layers(kind) for kind in kinds}, logits
        native = {"cross": out.cross_attentions, "decoder": own_attentions(out)}
        rest = {"cross": native["decoder"], "decoder": native["cross"]} if self.is_merged else {}
        return {kind: reported(native[kind], self.half_above, rest.get(kind)) for kind in kinds}, logits

    def reading(self, run: Run, output: Sequence[int], scored: int) -> Reading:
        """As `Network.reading`, always over the whole vocabulary; keys and values of the source are made once."""
        read = self.decoding(run.encoded, torch.tensor([[run.frame.start, *output[:-1]]], device=self.device))
        of_source = self.source_cache(run)

        def logits(rows: Rows) -> Sequence[Scores]:
            cache = {name: EncoderDecoderCache(DynamicCache(), made) for name, made in of_source.items()}
            with self.watch(run.settings, rows=rows):
                return [Scores(self.writer(**read, use_cache=bool(cache), return_dict=True, **cache).logits)]

        return logits

    def block(self, one: Intervention) -> int:
        """Where `watch_blocks` found it."""
        return self.blocks[Site(one.kind, one.layer)]

    def source_cache(self, run: Run) -> dict[str, DynamicCache]:
        """The keys and values of each layer of cross-attention, under the name that the writer has for a cache.

        Nothing where its layers keep none: what they make of the source is then made for each run.
        """
        name = "cache" if "cache" in inspect.signature(self.writer.forward).parameters else "past_key_values"
        made = EncoderDecoderCache(DynamicCache(), DynamicCache())
        first = torch.tensor([[run.frame.start]], device=self.device)
        with self.watch(run.settings):
            self.writer(**self.decoding(run.encoded, first), use_cache=True, return_dict=True, **{name: made})
        layers = made.cross_attention_cache.layers
        is_whole = bool(layers) and all(layer.is_initialized and layer.keys.numel() for layer in layers)
        return {name: made.cross_attention_cache} if is_whole else {}

    def limit(self, run: Run, given: int) -> int:
        """As asked for, else as the checkpoint says; never more than the decoder has positions."""
        new = run.settings.max_new_tokens
        limit = self.writer.generation_config.max_length if new is None else 1 + new
        return min(int(limit) + given, self.size.output)

    def method(self, run: Run) -> dict[str, Any]:
        """Greedy or with beams, and the checkpoint's own rules."""
        if run.settings.target is not None:
            return GIVEN
        own = self.writer.generation_config
        return {
            "method": "greedy" if run.settings.num_beams == 1 else "beam search",
            "max_length": self.limit(run, 0),
            "length_penalty": own.length_penalty,
            "no_repeat_ngram_size": own.no_repeat_ngram_size,
            "min_length": own.min_length,
        }


class BlockSparse:
    """A BigBird's encoder, to be called as itself, which stays what it is.

    It reads long texts with block-sparse attention and short ones with full attention. transformers' own switches to
    full attention for good when it reads something short, and whatever it reads after that comes out otherwise than
    from the model as it was loaded. Here a copy reads what is short; the two share all parameters.
    """

    def __init__(self, encoder: Any) -> None:
        shared = {id(tensor): tensor for tensor in (*encoder.parameters(), *encoder.buffers())}
        self._sparse, self._full = encoder, copy.deepcopy(encoder, shared)
        self._full.set_attention_type("original_full")
        config = encoder.config
        # Two blocks that all attend to, three beside each other and the random ones, which the library counts twice.
        self._most_in_full = (5 + 2 * config.num_random_blocks) * config.block_size

    @property
    def parts(self) -> tuple[Any, Any]:
        """The encoder that reads long texts, and its copy that reads short ones."""
        return self._sparse, self._full

    @staticmethod
    def is_one(encoder: Any) -> bool:
        """Whether an encoder is to be wrapped."""
        return bool(getattr(encoder, "attention_type", None) == "block_sparse")

    def __call__(self, input_ids: Tensor, **rest: Any) -> Any:
        """What the encoder makes of ids `[1, position]`."""
        return (self._full if input_ids.shape[1] <= self._most_in_full else self._sparse)(input_ids=input_ids, **rest)


def own_attentions(out: Any) -> Any:
    """A decoder's self-attention in what the library reports; one that stands alone calls it just attention."""
    return out.get("decoder_attentions") or out.get("attentions")


_SCORED: ContextVar[int | None] = ContextVar("scored", default=None)


@contextmanager
def _scoring(count: int) -> Iterator[None]:
    """A block in which the output layer sees only the first tokens; as all that is of a run, it is the caller's."""
    token = _SCORED.set(count)
    try:
        yield
    finally:
        _SCORED.reset(token)


def _only_the_first(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    count = _SCORED.get()
    # FSMT's is the embedding of what its decoder reads as well, which is called with ids: of these all are needed.
    if count is None or not inputs[0].is_floating_point():
        return None
    return (inputs[0][:, :count], *inputs[1:])


def reported(layers: Sequence[Tensor], half_above: int | None, rest: Sequence[Tensor] | None = None) -> list[Captured]:
    """What the library reports of each layer, `[batch, head, query, key]`; `rest` is of the same softmaxes."""
    found = []
    for number, weights in enumerate(layers):  # those of half precision do not quite sum to 1
        exact = weights[:1].float().cpu()
        if weights.dtype != torch.float32:
            parts = (exact, *([rest[number][:1].float().cpu()] if rest else []))
            exact = exact / sum(part.sum(-1, keepdim=True) for part in parts)
        found.append(Captured(compact(exact, len(layers), half_above)))
    return found
