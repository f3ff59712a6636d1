"""What an output owes to its source: the output forced on altered sources, its gradients, and its layers taken apart.

Everything is teacher-forced: the tokens stay those of a trace, and what changes is their natural-log probability over
the whole vocabulary, or what a layer makes of them. A model is never touched: hooks and exchanged parts are those of a
copy that shares its parameters and is one caller's alone. What the numbers mean is told in `analysis.attribution`.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache

from xattn_viz.attention.capture import Captured, Recording, Site, recording
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import MapKind
from xattn_viz.models.base import ModelError, OnStep, report
from xattn_viz.models.engine.network import BlockSparse, Run, TransformersNetwork
from xattn_viz.models.resources import run_slot

#: Of one batch: sources, and logits that it may make, each 4 bytes and several times that with gradients; and numbers
#: of points on the way of integrated gradients.
MOST_TEXTS, MOST_SOUNDS, MOST_LOGITS, MOST_POINTS = 32, 4, 1 << 24, 1 << 25
#: Steps of integrated gradients: at first, and at most where the sum is off by more than `COMPLETE`. They lie evenly,
#: in the middle of equal parts of the way: a token comes in one stretch of it, where Gauss-Legendre, dense at both
#: ends, has fewer. Of six tokens of Whisper 24 even steps were enough for all, and 24 of the other for two.
FIRST_STEPS, MOST_STEPS = 32, 512
#: By how much integrated gradients may miss the difference that they explain: a share of it, or so many nats.
COMPLETE, COMPLETE_NATS = 0.01, 0.005
_AT_ONCE = 1 << 24  # numbers of transformed vectors that are measured at once
_NO_CAPTUM = (
    "Integrated gradients need the package captum, which is not installed: pip install 'xattn-viz[evidence]'. "
    "The other methods do without it."
)

Array = NDArray[np.float64]
#: For rows of the output, from 0: the id whose log-probability is asked about, and the id that it is held against.
Pairs = Mapping[int, tuple[int, int | None]]


@dataclass(frozen=True, eq=False)
class Way:
    """The straight way of integrated gradients from nothing to the source, in the parts that stand for the source.

    `nothing` and `source` are its ends, `[1, …, key, width]` each part. `logits` are those of `[n, …]` points: of one
    row `[n, id]`, of all where it is None `[n, query, id]`.
    """

    nothing: tuple[Tensor, ...]
    source: tuple[Tensor, ...]
    logits: Callable[[tuple[Tensor, ...], int | None], Tensor]

    def points(self, shares: Tensor) -> tuple[Tensor, ...]:
        """The points where each position has gone `shares` `[n, key]` of the way.

        Gradients at the shares are those at all that a position has, times how far it is from nothing.
        """
        ends = zip(self.nothing, self.source, strict=True)
        return tuple(a + (b - a) * shares.reshape(len(shares), *[1] * (a.dim() - 3), -1, 1) for a, b in ends)


@dataclass(frozen=True, eq=False)
class Sublayer:
    """One attention sublayer in one pass: what it read, and what the rest of its layer makes of it. No batch axis.

    `weights` is `[head, query, key]`. `transformed` `[head, key, d_model]` is f(x) of Kobayashi et al. 2020: each key's
    value, brought through the head's part of the output projection without its bias. `attended` `[query, d_model]` is
    what the sublayer gave, bias included, and `read` the stream that it was added to; `norm` is the layer norm that
    read the sum. `output` `[query, d_model]` is that of the whole layer; `finish` gives it anew where `attended` is
    changed by `[n, query, d_model]`.
    """

    weights: Tensor
    transformed: Tensor
    attended: Tensor
    read: Tensor
    norm: nn.Module
    output: Tensor
    finish: Callable[[Tensor], Tensor]

    def zeroed(self, groups: Sequence[Sequence[int]], *, per_head: bool, on_chunk: Callable[[], None]) -> Tensor:
        """How far the layer's output turns where the values of a group of keys are zero, `[head, query, group]`.

        The distance is 1 - cos (Mohebbi et al. 2023, Quantifying Context Mixing in Transformers). With `per_head` it
        is one head's values that are zero, else those of all heads, `[1, query, group]`. Weights stay as they were.
        """
        heads, query, _ = self.weights.shape
        width = self.attended.shape[-1]
        rows = []
        for keys in groups:  # [head, query, key of the group] @ [head, key of the group, d_model]
            lost = self.weights[..., list(keys)] @ self.transformed[:, list(keys)]
            rows.append(lost if per_head else lost.sum(0, keepdim=True))
        lost = torch.stack(rows, 1).flatten(0, 1)  # [head * group, query, d_model]
        found = []
        for part in torch.split(lost, max(1, _AT_ONCE // (16 * query * width))):
            changed = self.finish(-part)
            found.append(1 - nn.functional.cosine_similarity(changed, self.output.expand_as(changed), dim=-1))
            on_chunk()
        distances = torch.cat(found).reshape(heads if per_head else 1, len(groups), query)
        return distances.transpose(1, 2).clamp(min=0)  # [head, query, group]

    def contributions(self, *, is_self: bool, on_chunk: Callable[[], None]) -> Tensor:
        """The share of each key in a row of the sum behind this sublayer, and last that of the stream, each row to 1.

        The sum is split into one vector a key and the stream's own, each brought through the norm that reads it (with
        its mean and deviation taken as constants), and a vector counts as far as the L1 norm of the whole falls without
        it: Ferrando et al. 2022 (Measuring the Mixing of Contextual Information in the Transformer, eq. 8–10). Of
        self-attention (`is_self`) the stream is part of the row's own key, and the last column is 0. `[query, key + 1]`
        """
        _, count, keys = self.weights.shape
        width = self.attended.shape[-1]
        at_once = max(1, _AT_ONCE // (keys * width))
        found = []
        for start in range(0, count, at_once):
            rows = slice(start, start + at_once)
            parts = torch.einsum("hqk,hkd->qkd", self.weights[:, rows], self.transformed)
            stream = self.read[rows].unsqueeze(1)
            if is_self:
                own = torch.arange(start, start + len(parts))
                parts[own - start, own] += stream[:, 0]
                stream = torch.zeros_like(stream)
            whole = (self.read + self.attended)[rows]
            parts = _through(self.norm, torch.cat([parts, stream], 1), whole)
            after = self.norm(whole).unsqueeze(1)  # [query, 1, d_model]
            counts = (after.abs().sum(-1) - (after - parts).abs().sum(-1)).clamp(min=0)
            if is_self:
                counts[:, -1] = 0
            found.append(counts / counts.sum(-1, keepdim=True).clamp(min=torch.finfo(counts.dtype).tiny))
            on_chunk()
        return torch.cat(found)


def _through(norm: nn.Module, vectors: Tensor, whole: Tensor) -> Tensor:
    """Parts `[query, part, d]` of a sum `whole` `[query, d]` through a norm whose statistics are those of the sum.

    Of an affine map's parts only the linear part is had: the bias belongs to the sum alone.
    """
    weight: Any = getattr(norm, "weight", None)
    epsilon = float(getattr(norm, "eps", getattr(norm, "variance_epsilon", 1e-6)))
    if isinstance(norm, nn.LayerNorm):
        deviation = (whole.var(-1, unbiased=False, keepdim=True) + epsilon).sqrt()
        vectors = vectors - vectors.mean(-1, keepdim=True)
    else:  # an RMS norm, of T5 and its kin
        deviation = (whole.square().mean(-1, keepdim=True) + epsilon).sqrt()
    vectors = vectors / deviation.unsqueeze(1)
    return vectors if weight is None else vectors * weight


class Inspection(ABC):
    """An output forced on its source, and on what becomes of the source where parts of it are taken away.

    `ids` are the tokens of the output. Positions are those of the trace's source. One is had from `Adapter.inspect`.
    A family says which id fills up shorter texts, where nothing attends to it, and of how many ids there are logits.
    """

    _pad: int
    _vocabulary: int

    def __init__(self, run: Run, ids: Sequence[int], on_step: OnStep | None = None) -> None:
        self.run, self.ids, self.on_step = run, tuple(ids), on_step
        self.is_sound = run.source.axis.kind == "audio"

    @property
    def axis(self) -> Axis:
        """The positions of the source."""
        return self.run.source.axis

    @abstractmethod
    def _leaf(self) -> Tensor:
        """What gradients are taken with respect to, `[1, …]`: the embeddings of the source, or its sound."""

    def _nothing(self, leaf: Tensor) -> Tensor:
        """What there is of the leaf where there is no source: zero, of a log-mel its floor, which is silence."""
        return leaf.min() if leaf.dim() == 3 and self.is_sound else leaf.new_zeros(())

    @abstractmethod
    def _logits(self, read: Mapping[str, Tensor], leaf: Tensor | None, rows: Tensor | None) -> Tensor:
        """`[n, query, id]` of a batch of sources; with `rows` `[n]` those of one row each, `[n, 1, id]`."""

    @abstractmethod
    def _sublayers(self, kind: MapKind) -> Iterator[Sublayer]:
        """Each attention sublayer of a kind in the pass over the source and the output."""

    def log_probs(self) -> Array:
        """The natural-log probability of each token of the output, `[query]`."""
        (found,) = self.without([[]])
        return np.asarray(found)

    def without(self, groups: Sequence[Sequence[int]], pairs: Pairs | None = None) -> Array:
        """The same where a group of positions is taken away from the source, for each group, `[group, row]`.

        Tokens of a text are removed, so that those behind them move up; stretches of sound are silenced. Special tokens
        should be in no group. `pairs` are the rows wanted, as `gradients` has them; all rows, each with its own token,
        where it is None. Raises ModelError where nothing would be left to read.
        """
        pairs = {row: (token, None) for row, token in enumerate(self.ids)} if pairs is None else pairs
        rows, chosen = torch.tensor(list(pairs)), torch.tensor([a for a, _ in pairs.values()])
        others = torch.tensor([-1 if b is None else b for _, b in pairs.values()])
        found: list[Array] = []
        with self._running():
            at_once = self._at_once(len(self.ids))
            for start in range(0, len(groups), at_once):
                report(self.on_step, start, len(groups))
                read = self._altered(groups[start : start + at_once])
                log_probs = self._logits(read, None, None)[:, rows].float().log_softmax(-1)  # [group, row, id]
                each = torch.arange(len(rows))
                against = torch.where(others >= 0, log_probs[:, each, others.clamp(min=0)].cpu(), torch.zeros(()))
                found.append((log_probs[:, each, chosen].cpu() - against).double().numpy())
            report(self.on_step, len(groups), len(groups))
        return np.concatenate(found)

    def gradients(self, pairs: Pairs, *, integrated: bool = False) -> tuple[Array, Array, Array]:
        """Gradient × input of rows of the output, or integrated gradients, `[row, key]`.

        `pairs` says of each row whose token's log-probability is explained, and against which other's (None for none).
        The input is the embedding of each source token above nothing, or the sound above its silence: a log-mel above
        its floor. Nothing is zero, to which positions are added all the same; where an encoder reads directions alone
        (T5's), so that there is no way from zero, it is the embedding of padding. Besides, `[row]` each: the score of
        the input, and that of nothing at all, whose difference integrated gradients sum up to.

        Of sound integrated gradients are those at what the encoder hands to the decoder, on the way from what it hands
        over of silence: at the frames that the cross-attention reads, padding too. One step of a way through the
        encoder takes twenty times as long, and there are as many ways as tokens.

        Source of the latter: Sundararajan et al. 2017 (Axiomatic Attribution for Deep Networks), as captum has it.
        Raises ModelError where captum is not installed.
        """
        if integrated:
            return self._integrated(pairs)
        with self._running(gradients=True):
            leaf = self._leaf().detach().clone()
            nothing = self._nothing(leaf)
            above = (leaf - nothing).requires_grad_()
            log_probs = self._logits(self._repeated(1), above + nothing, None)[0].float().log_softmax(-1)
            scores = _scores(log_probs, pairs)
            rows: list[Array] = []
            for number in range(len(pairs)):
                report(self.on_step, number, len(pairs))
                (slope,) = torch.autograd.grad(scores[number], above, retain_graph=number + 1 < len(pairs))
                rows.append(self._by_position((slope * above).detach()[0].double().cpu()))
            report(self.on_step, len(pairs), len(pairs))
            with torch.no_grad():
                empty = self._logits(self._repeated(1), nothing.expand_as(leaf), None)[0].float().log_softmax(-1)
        full, nothing_left = (_scores(each, pairs).detach().double().cpu().numpy() for each in (log_probs, empty))
        return np.stack(rows), full, nothing_left

    def _integrated(self, pairs: Pairs) -> tuple[Array, Array, Array]:
        try:
            from captum.attr import IntegratedGradients  # type: ignore[import-untyped]  # heavy, for these alone
        except ImportError:
            raise ModelError(_NO_CAPTUM) from None
        with self._running(gradients=True):
            way = self._way()
            with torch.no_grad():
                ends = (way.logits(point, None)[0].float().log_softmax(-1) for point in (way.source, way.nothing))
                full, empty = (_scores(found, pairs).double().cpu().numpy() for found in ends)
            numbers = sum(part.numel() for part in way.source)
            at_once = max(1, min(MOST_TEXTS, MOST_POINTS // numbers, MOST_LOGITS // self._vocabulary))
            rows: list[Array] = []
            for number, (row, pair) in enumerate(pairs.items()):

                def score(shares: Tensor, done: int = number, row: int = row, pair: Any = pair) -> Tensor:
                    report(self.on_step, done, len(pairs))
                    log_probs = way.logits(way.points(shares), row).float().log_softmax(-1)
                    return log_probs[:, pair[0]] - (0 if pair[1] is None else log_probs[:, pair[1]])

                wanted = float(full[number] - empty[number])
                rows.append(_integrated(IntegratedGradients(score), way, wanted, at_once))
            report(self.on_step, len(pairs), len(pairs))
        return np.stack(rows), full, empty

    def _way(self) -> Way:
        """The way of integrated gradients: that of the embeddings of a text."""
        leaf = self._leaf().detach().clone()

        def logits(points: tuple[Tensor, ...], row: int | None) -> Tensor:
            count = len(points[0])
            rows = None if row is None else torch.full((count,), row, device=leaf.device)
            found = self._logits(self._repeated(count), points[0], rows)
            return found if row is None else found[:, 0]

        return Way((self._nothing(leaf).expand_as(leaf).clone(),), (leaf,), logits)

    def value_norms(self) -> Array:
        """‖f(x)‖ of each source position as each head of the cross-attention reads it, `[layer, head, key]`."""
        with self._running():
            found = [layer.transformed.norm(dim=-1).double().cpu().numpy() for layer in self._sublayers("cross")]
        return np.stack(found)

    def value_zeroing(self, groups: Sequence[Sequence[int]], *, per_head: bool = True) -> Array:
        """`Sublayer.zeroed` of each layer of the cross-attention, `[layer, head, query, group]`."""
        with self._running():
            layers = list(self._sublayers("cross"))
            found = []
            for number, layer in enumerate(layers):
                at = (number, len(layers))
                tell = lambda at=at: report(self.on_step, *at)  # noqa: E731
                found.append(layer.zeroed(groups, per_head=per_head, on_chunk=tell).double().cpu().numpy())
        return np.stack(found)

    def contributions(self, kind: MapKind) -> Array:
        """`Sublayer.contributions` of each layer of a kind of attention, `[layer, query, key + 1]`."""
        with self._running():
            found = []
            for layer in self._sublayers(kind):
                tell = lambda: report(self.on_step, 0, 0)  # noqa: E731
                made = layer.contributions(is_self=kind != "cross", on_chunk=tell)
                found.append(made.double().cpu().numpy())
        return np.stack(found)

    @contextmanager
    def _running(self, *, gradients: bool = False) -> Iterator[None]:
        """A place among the runs, with or without gradients."""
        how: AbstractContextManager[Any] = torch.enable_grad() if gradients else torch.inference_mode()
        with run_slot(self.on_step), how:
            yield

    def _at_once(self, rows: int) -> int:
        """How many sources make a batch, where `rows` rows of logits of each are wanted."""
        most = MOST_SOUNDS if self.is_sound else MOST_TEXTS
        return max(1, min(most, MOST_LOGITS // (rows * self._vocabulary)))

    def _repeated(self, count: int) -> dict[str, Tensor]:
        return {name: each.expand(count, *each.shape[1:]) for name, each in self.run.source.read.items()}

    def _altered(self, groups: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """The encoder's keywords for the source without each of these groups, as one batch."""
        if self.is_sound:
            ((name, values),) = self.run.source.read.items()
            batch = values.repeat(len(groups), *[1] * (values.dim() - 1))
            floor = values.min() if values.dim() == 3 else 0  # of a log-mel digital silence, of samples as well
            at = self._position_of(values.shape[-1])
            for number, group in enumerate(groups):
                batch[number][..., torch.isin(at, torch.tensor(list(group), dtype=at.dtype)).to(values.device)] = floor
            return {name: batch}
        ids = self.run.source.read["input_ids"][0]
        kept = [[i for i in range(len(ids)) if i not in set(group)] for group in groups]
        if not all(kept):
            raise ModelError("Nothing would be left of this source: the model marks neither its start nor its end.")
        longest = max(map(len, kept))
        batch = ids.new_full((len(kept), longest), self._pad)
        mask = torch.zeros_like(batch)
        for number, places in enumerate(kept):
            batch[number, : len(places)], mask[number, : len(places)] = ids[places], 1
        return {"input_ids": batch, "attention_mask": mask}

    def _position_of(self, count: int) -> Tensor:
        """Which position of the source each of so many frames or samples lies in, `[frame]`."""
        return torch.arange(count) * len(self.axis) // count

    def _by_position(self, attributed: Tensor) -> Array:
        """What was found of each number of the leaf, summed over each position of the source, `[key]`."""
        if not self.is_sound:
            summed: Array = attributed.sum(-1).numpy()
            return summed
        each = attributed.reshape(-1, attributed.shape[-1]).sum(0)
        return np.bincount(self._position_of(len(each)).numpy(), each.numpy(), len(self.axis)).astype(np.float64)


def _scores(log_probs: Tensor, pairs: Pairs) -> Tensor:
    """The scores of rows, `[row]`, of log-probabilities `[query, id]`."""
    found = [log_probs[row, a] - (0 if b is None else log_probs[row, b]) for row, (a, b) in pairs.items()]
    return torch.stack(found)


def _integrated(method: Any, way: Way, wanted: float, at_once: int) -> Array:
    """Integrated gradients of each position, with as many steps as they need to sum up to what is `wanted`."""
    steps, start = FIRST_STEPS, way.source[0].new_zeros(1, way.source[0].shape[-2], dtype=torch.float32)
    while True:
        shares = method.attribute(start + 1, start, n_steps=steps, method="riemann_middle", internal_batch_size=at_once)
        found: Array = shares[0].detach().double().cpu().numpy()
        off = abs(float(found.sum()) - wanted)
        if off <= max(COMPLETE * abs(wanted), COMPLETE_NATS) or 2 * steps > MOST_STEPS:
            return found
        steps *= 2


class TransformersInspection(Inspection):
    """The same of a model of transformers."""

    def __init__(
        self, network: TransformersNetwork, run: Run, ids: Sequence[int], on_step: OnStep | None = None
    ) -> None:
        super().__init__(run, ids, on_step)
        self._network, self._vocabulary = network, network.size.vocabulary
        pad = getattr(network.model.config, "pad_token_id", None)
        self._pad = pad if isinstance(pad, int) and pad >= 0 else 0
        shared = {id(tensor): tensor for tensor in (*network.model.parameters(), *network.model.buffers())}
        self._model = copy.deepcopy(network.model, shared)
        names = {module: name for name, module in network.model.named_modules()}
        own = dict(self._model.named_modules())
        self._sites: dict[nn.Module, Site] = {own[names[module]]: site for module, site in network.sites.items()}
        own_encoder = self._model.get_encoder()
        self._encoder: Any = BlockSparse(own_encoder) if BlockSparse.is_one(own_encoder) else own_encoder
        self._replaced: Tensor | None = None
        self._read: list[Tensor] = []
        self._rows: Tensor | None = None
        if not self.is_sound:
            for part in self._encoder.parts if isinstance(self._encoder, BlockSparse) else (own_encoder,):
                part.get_input_embeddings().register_forward_hook(self._exchange)
        self._is_picking = (layer := self._model.get_output_embeddings()) is not None
        if layer is not None:
            layer.register_forward_pre_hook(self._pick)

    def _exchange(self, module: nn.Module, inputs: object, output: Tensor) -> Tensor | None:
        self._read.append(output.detach())
        return self._replaced

    def _pick(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if self._rows is None or not inputs[0].is_floating_point():
            return None
        return (inputs[0][torch.arange(len(self._rows)), self._rows].unsqueeze(1), *inputs[1:])

    def _leaf(self) -> Tensor:
        if self.is_sound:
            (values,) = self.run.source.read.values()
            return values
        return self._embedded(self.run.source.read)

    def _embedded(self, read: Mapping[str, Tensor]) -> Tensor:
        """The embeddings of a text, `[1, key, width]`. Raises ModelError where they are not one a token."""
        self._read.clear()
        with torch.no_grad():
            self._encoder(**read, return_dict=True)
        if len(self._read) != 1 or self._read[0].shape[:2] != read["input_ids"].shape:
            raise ModelError("This model does not begin with one embedding a source token: it has no gradients here.")
        return self._read.pop()

    def _nothing(self, leaf: Tensor) -> Tensor:
        if not self.is_sound and self._jumps(leaf):
            read = self.run.source.read
            return self._embedded({**read, "input_ids": torch.full_like(read["input_ids"], self._pad)})
        return super()._nothing(leaf)

    def _jumps(self, leaf: Tensor) -> bool:
        """Whether what the encoder makes of a hundredth of its embeddings is far from what it makes of none.

        Such is one without positions behind an RMS norm, T5 and its kin: it reads directions, and zero has none.
        """
        with torch.no_grad():
            none, little, whole = (
                self._encode(self.run.source.read, leaf * share).last_hidden_state for share in (0.0, 0.01, 1.0)
            )
        return bool((little - none).norm() > 0.5 * (whole - none).norm())

    def _encode(self, read: Mapping[str, Tensor], leaf: Tensor | None) -> Any:
        self._replaced = leaf
        try:
            return self._encoder(**read, return_dict=True)
        finally:
            self._replaced = None
            self._read.clear()

    def _at_once(self, rows: int) -> int:
        # Attention in blocks pads a batch in ways of its own, where its sources are not equally long.
        return 1 if self._network.is_native else super()._at_once(rows)

    def _way(self) -> Way:
        """Of sound the way of the keys and values that the decoder has of it, which are linear in what is encoded.

        Raises ModelError where the decoder keeps none.
        """
        if not self.is_sound:
            return super()._way()
        ((name, values),) = self.run.source.read.items()
        with torch.no_grad(), self._watched():
            silence = self._nothing(values).expand_as(values)
            encoded = [self._encode({name: each}, None) for each in (silence, values)]
            caches = [self._network.source_cache(replace(self.run, encoded=one)) for one in encoded]
        if not all(caches):
            raise ModelError(_UNKNOWN)
        ((kept, cache),) = caches[1].items()
        nothing, source = (
            tuple(part for layer in each[kept].layers for part in (layer.keys, layer.values)) for each in caches
        )

        def logits(points: tuple[Tensor, ...], row: int | None) -> Tensor:
            own = copy.copy(cache)
            own.layers = [copy.copy(layer) for layer in cache.layers]
            for layer, key, value in zip(own.layers, points[::2], points[1::2], strict=True):
                layer.keys, layer.values = key, value
            # What comes behind a row does not matter to it.
            count, length = len(points[0]), len(self.ids) if row is None else row + 1
            keywords = self._network.decoding(encoded[1], self._given(length, count))
            state = {"use_cache": True, kept: EncoderDecoderCache(DynamicCache(), own)}
            with self._watched():
                found = self._written(keywords | state, None if row is None else torch.full((count,), row))
            return found if row is None else found[:, 0]

        return Way(nothing, source, logits)

    def _decode(self, read: Mapping[str, Tensor], encoded: Any, rows: Tensor | None) -> Tensor:
        count = len(encoded.last_hidden_state)
        keywords = self._network.decoding(encoded, self._given(len(self.ids), count))
        if self._network.is_masked and "attention_mask" in read:
            keywords["attention_mask"] = read["attention_mask"]
        return self._written(keywords | {"use_cache": False}, rows)

    def _given(self, length: int, count: int) -> Tensor:
        """The first `length` tokens that the decoder reads, `[count, length]`."""
        given = [self.run.frame.start, *self.ids[:-1]][:length]
        return torch.tensor([given], device=self._network.device).expand(count, -1)

    def _written(self, keywords: Mapping[str, Any], rows: Tensor | None) -> Tensor:
        """The decoder's logits, `[n, query, id]`; with `rows` `[n]` those of one row each, `[n, 1, id]`."""
        self._rows = rows
        try:
            logits: Tensor = self._model(**keywords, return_dict=True).logits
        finally:
            self._rows = None
        return logits if rows is None or self._is_picking else logits[torch.arange(len(rows)), rows].unsqueeze(1)

    def _logits(self, read: Mapping[str, Tensor], leaf: Tensor | None, rows: Tensor | None) -> Tensor:
        if leaf is not None and self.is_sound:
            (name,) = read
            read, leaf = {name: leaf}, None
        with self._watched():
            return self._decode(read, self._encode(read, leaf), rows)

    def _watched(self, kinds: Sequence[MapKind] = ()) -> AbstractContextManager[Recording]:
        return recording(self._sites, kinds, ablate=self.run.settings.ablate, values=bool(kinds))

    def _sublayers(self, kind: MapKind) -> Iterator[Sublayer]:
        if self._network.is_native or self._network.is_merged:
            raise ModelError(_UNKNOWN)
        names = {module: name for name, module in self._model.named_modules()}
        seen = {site: _Seen.of(module, names[module], self._model) for module, site in self._sites.items()}
        seen = {site: seen[site] for site in sorted(seen) if site.kind == kind}
        with self._watched((kind,)) as recorded:
            handles = [handle for site, one in seen.items() for handle in one.follow(recorded.captured, site)]
            try:
                encoded = self._encoder(**self.run.source.read, return_dict=True)
                if kind != "encoder":
                    self._decode(self.run.source.read, encoded, None)
            finally:
                for handle in handles:
                    handle.remove()
        for site, one in seen.items():
            with self._watched():
                yield one.sublayer(recorded.captured[site][-1])


@dataclass
class _Seen:
    """One attention sublayer of a model of transformers as hooks saw it, each with a batch of one.

    `layer` is the module that holds it with all else of its layer, called with `inputs` and `keywords`. The output
    projection is the first part that is given what the heads made, the norm the next that is given as much as that made
    (the sum with the stream, `whole`): so no architecture is known here by the names of its parts.
    """

    module: nn.Module
    layer: nn.Module
    inputs: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    projection: nn.Module | None = None
    projected: Tensor | None = None
    returned: Any = None
    norm: nn.Module | None = None
    whole: Tensor | None = None
    output: Tensor | None = None

    @classmethod
    def of(cls, module: nn.Module, name: str, model: nn.Module) -> _Seen:
        """That of an attention module, in the outermost list of layers that it is in."""
        parts, path = dict(model.named_modules()), name.split(".")
        above = (".".join(path[:length]) for length in range(1, len(path) + 1))
        listed = (one for one in above if isinstance(parts[one.rpartition(".")[0]], nn.ModuleList))
        return cls(module, parts[next(listed, name)])

    def follow(self, captured: Mapping[Site, Sequence[Captured]], site: Site) -> list[Any]:
        """Hook what stands around it; what the hooks return to is to be removed."""

        def enter(layer: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any]) -> None:
            self.inputs, self.keywords = inputs, dict(keywords)

        def leave(layer: nn.Module, inputs: object, output: Any) -> None:
            self.output = _first(output)

        def leave_part(part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            if part is self.module:
                self.returned = output
            given = inputs[0] if inputs and isinstance(inputs[0], Tensor) else None
            if given is None or site not in captured:
                return
            if self.projection is None:
                heads = captured[site][-1].heads
                if (
                    heads is not None
                    and heads.numel() == given.numel()
                    and torch.equal(given.flatten(), heads.flatten())
                ):
                    self.projection, self.projected = part, output
            elif self.norm is None and _is_norm(part) and given.shape == _first(self.projected).shape:
                self.norm, self.whole = part, given

        parts = [part for part in self.layer.modules() if part is not self.layer]
        return [
            self.layer.register_forward_pre_hook(enter, with_kwargs=True),
            self.layer.register_forward_hook(leave),
            *(part.register_forward_hook(leave_part) for part in parts),
        ]

    def sublayer(self, captured: Captured) -> Sublayer:
        """What is known of it. Raises ModelError where it is built in a way that is not followed."""
        projection, projected, norm, whole, output = (
            self.projection,
            self.projected,
            self.norm,
            self.whole,
            self.output,
        )
        if projection is None or projected is None or norm is None or whole is None or output is None:
            raise ModelError(_UNKNOWN)
        if (values := captured.values) is None:
            raise ModelError(_UNKNOWN)
        heads, keys, width = values.shape[1:]
        slots = projected.new_zeros(heads, keys, heads, width)  # each head's values alone among those of all heads
        for head in range(heads):
            slots[head, :, head] = values[0, head].to(slots)
        nothing = projection(projected.new_zeros(1, 1, heads * width))
        transformed = (projection(slots.flatten(2)) - nothing).float()
        attended, stream = projected[0].float(), (whole - projected)[0].float()
        if stream.norm() < 1e-3 * attended.norm():  # a norm of the sublayer's output alone, before the sum
            raise ModelError(_UNKNOWN)
        weights = captured.weights[0].float().to(projected.device)
        made = Sublayer(weights, transformed, attended, stream, norm, output[0].float(), self._finish)
        again = self._finish(torch.zeros_like(attended)[None])[0]
        if not torch.allclose(again, made.output, atol=1e-3, rtol=1e-3):
            raise ModelError(_UNKNOWN)
        return made

    def _finish(self, change: Tensor) -> Tensor:
        """What the layer gives where the projection gives something else, `[n, query, d_model]`."""
        given, stub = self.projected + change.to(self.projected), self.projection  # type: ignore[operator]
        answer: Any = given
        if any(part is self.projection for part in self.module.modules()):  # then keys need not be projected anew
            stub = self.module
            answer = (given, *self.returned[1:]) if isinstance(self.returned, tuple) else given
        assert stub is not None  # noqa: S101 - `sublayer` has looked
        stub.forward = lambda *inputs, **keywords: answer
        try:
            many = len(change)
            found = self.layer(
                *(_many(value, many) for value in self.inputs),
                **{name: _many(value, many) for name, value in self.keywords.items()},
            )
        finally:
            del stub.forward
        return _first(found).float()


def _is_norm(part: nn.Module) -> bool:
    return "norm" in type(part).__name__.lower()


_UNKNOWN = "The layers of this model are built in a way that this method cannot follow: only its weights are to be had."


def _first(found: Any) -> Tensor:
    out: Tensor = found[0] if isinstance(found, tuple) else found
    return out


def _many(value: Any, count: int) -> Any:
    """A tensor of a batch of one for a batch of `count`; anything else as it is."""
    if isinstance(value, Tensor) and value.dim() > 1 and value.shape[0] == 1:
        return value.expand(count, *value.shape[1:])
    return value
