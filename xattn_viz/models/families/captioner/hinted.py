"""Two small models that read a picture and a hint: how they look at both, their traces, and how they are loaded."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.modeling_outputs import BaseModelOutput

from xattn_viz.attention.capture import NAME
from xattn_viz.core.axis import Axis
from xattn_viz.core.trace import Note, Trace
from xattn_viz.inputs import InputError
from xattn_viz.inputs.images import Picture
from xattn_viz.models import out_of_distribution
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.engine.network import Source, TransformersNetwork
from xattn_viz.models.engine.probe import probe, set_limits
from xattn_viz.models.engine.results import Text, Tokens
from xattn_viz.models.families.captioner import CARDS, HINT_PART, JOINS, PICTURE_PART, Join
from xattn_viz.models.families.captioner.adapter import CaptionerAdapter, packaged, picture_axis
from xattn_viz.models.folder import Folder
from xattn_viz.models.preprocessor import Preprocessor
from xattn_viz.models.provenance import Identity, Settings
from xattn_viz.shapes import prompts, sentence
from xattn_viz.shapes.prompts import GREY, HINT
from xattn_viz.shapes.scene import PAPER, in_grey


class PictureAndHint(nn.Module):
    """Two encoders whose outputs stand one behind the other: the captioner's own ViT, and a BERT for the hint."""

    main_input_name = "pixel_values"

    def __init__(self, picture: Any, hint: Any) -> None:
        super().__init__()
        self.picture, self.hint, self.config = picture, hint, picture.config

    def forward(self, pixel_values: Tensor, hint: Tensor, return_dict: bool = True) -> BaseModelOutput:
        """What stands for pixels `[batch, 3, row, column]` and ids `[batch, token]`: `[batch, position, width]`."""
        states = [self.picture(pixel_values).last_hidden_state, self.hint(hint).last_hidden_state]
        return BaseModelOutput(last_hidden_state=torch.cat(states, 1))


class TwoCrossAttentions(nn.Module):
    """Two cross-attentions of one layer, one after the other: the second asks with what the first has read.

    Both look at all keys, or the first only at those of the picture and the second only at those of the hint, each
    with a softmax of its own: a decoupled cross-attention, as IP-Adapter has it (Ye et al. 2023, "IP-Adapter: Text
    Compatible Image Prompt Adapter for Text-to-Image Diffusion Models", §3.2.2; there side by side, with shared
    queries). Each of two apart gets all keys and a mask over the other's, so that both have one axis of keys.
    """

    def __init__(self, first: Any, width: int, positions: int | None) -> None:
        """`first` is the layer's own cross-attention; the second begins alike, with keys and values at random.

        `positions` is how many keys are the picture's where the two look at one part each, None where at everything.
        """
        super().__init__()
        self.first, self.second, self.norm = first, copy.deepcopy(first), nn.LayerNorm(width)
        self.positions = positions
        nn.init.normal_(self.second.c_attn.weight, std=0.02)

    def forward(
        self,
        hidden_states: Tensor,
        *,
        encoder_hidden_states: Tensor,
        encoder_attention_mask: Tensor | None = None,
        **_: Any,
    ) -> tuple[Tensor, None]:
        """As `GPT2Attention` over `encoder_hidden_states` `[batch, key, width]`, with a boolean mask over them.

        Whatever else a block hands over is left out, above all the cache of a generation, whose name changes between
        releases of the library: it has one place a layer, and two attentions must not share that. Keys are made anew
        at each step.
        """
        first, second = self._masks(encoder_hidden_states, encoder_attention_mask)
        one, _ = self.first(hidden_states, encoder_hidden_states=encoder_hidden_states, encoder_attention_mask=first)
        two, _ = self.second(
            self.norm(hidden_states + one), encoder_hidden_states=encoder_hidden_states, encoder_attention_mask=second
        )
        return one + two, None

    def _masks(self, states: Tensor, known: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Which keys each of the two may look at, `[batch, head, query, key]`; None for all."""
        if self.positions is None:
            return known, known
        picture = (torch.arange(states.shape[1], device=states.device) < self.positions)[None, None, None]
        return (picture, ~picture) if known is None else (picture & known, ~picture & known)


def with_hint(model: Any, config: BertConfig, join: Join) -> Any:
    """A captioner (ViT and GPT-2) turned into one that reads a hint too; changed in place.

    `config` is that of the hint's encoder, as wide as the captioner's own. What is new begins at random.
    """
    reader = BertModel._from_config(config, attn_implementation=NAME, add_pooling_layer=False)
    model.encoder = PictureAndHint(model.encoder, reader)
    positions = 1 + model.encoder.picture.embeddings.patch_embeddings.num_patches if join == "separate" else None
    for block in model.decoder.transformer.h:
        block.crossattention = TwoCrossAttentions(block.crossattention, model.config.decoder.n_embd, positions)
    return model.eval()


def is_learned(name: str) -> bool:
    """Whether a parameter of this name is trained: not the ViT, nor the decoder's self-attention and feed-forward."""
    return not (name.startswith("encoder.picture.") or ".attn." in name or ".mlp." in name)


_TWO = "Each layer of the decoder has two cross-attentions, one after the other: layers 1 and 2, then 3 and 4 here."
_NOTES = {
    "concatenated": f"{_TWO} Each has one softmax over picture and hint.",
    "separate": f"{_TWO} 1 and 3 look at the picture only, 2 and 4 at the hint only, each with a softmax of its own.",
}


class HintedAdapter(CaptionerAdapter):
    """One loaded model that reads a picture and a hint (option `hint`, text; `grey` takes the picture's colours away).

    Keys are the positions of the picture and, as another part of the axis, the tokens of the hint. Each layer of the
    decoder has two cross-attentions, which are layers of their own in the map: 0 and 1 are those of its first layer, 2
    and 3 those of its second. Where they are separate, 0 and 2 have zeros on the hint, 1 and 3 on the picture.
    """

    def __init__(self, *parts: Any, hints: Hints, join: Join) -> None:
        """`parts` are those of a captioner."""
        super().__init__(*parts)
        self._hints, self._join = hints, join

    def _source(self, input: Any, settings: Settings) -> Source:
        seen = self.preprocessor.fit(input)
        picture = in_grey(seen) if settings.options[GREY] else seen
        hint, model = self._hints.read(settings.choice(HINT) or ""), self.network.model
        values = self.preprocessor.values(picture, model)
        read = {"pixel_values": values, "hint": self._hints.ids(hint).to(model.device)}
        notes: tuple[str | Note, ...] = (*out_of_distribution.notes(self.card, picture), _NOTES[self._join])
        return Source(read, beside(self._axis, hint), picture, notes)

    def drops(self, trace: Trace) -> dict[str, NDArray[np.float64]]:
        """As `Adapter.drops`: without the hint is with an empty one, without the picture on plain paper.

        Raises InputError for a trace that is not over a picture and a hint.
        """
        if trace.picture is None or HINT not in trace.settings:
            raise InputError("This trace is not of a picture with a hint.")
        said = trace.settings[HINT]
        without = {PICTURE_PART: (self.preprocessor.plain(PAPER), said), HINT_PART: (trace.picture, "")}
        before = log_probs(trace)
        again = {part: log_probs(self._again(trace, *sources)) for part, sources in without.items()}
        return {part: before - after[: len(before)] for part, after in again.items()}

    def _again(self, trace: Trace, picture: NDArray[np.uint8], hint: str) -> Trace:
        """The same tokens, and an end where there is none, scored over other sources, with the same heads off."""
        ids, ends = [step.id for step in trace.steps], self._frame(None, self.check()).ends
        ablate = [(kind, layer, head) for kind, layer, head in trace.settings["ablate"]]
        sources: dict[str, Any] = {HINT: hint, "ablate": ablate}
        return self.trace(
            Picture(picture, is_resized=True), prefix=[*ids, *([] if ids[-1] in ends else ends[:1])], **sources
        )


def log_probs(trace: Trace) -> NDArray[np.float64]:
    """The natural-log probability of each token, `[query]`."""
    return np.array([step.log_prob for step in trace.steps])


class Hints:
    """What a model knows of hints: a tokenizer of whole words, and how many it can read. Threads share it."""

    def __init__(self, tokenizer: Any) -> None:
        self._text, self._most = Text(tokenizer), tokenizer.model_max_length
        self._words = sorted(word for word in tokenizer.get_vocab() if word.isalpha())

    def read(self, hint: str) -> Tokens:
        """The tokens of a hint, between a start and an end, in the form that the model learned (`normalised_hint`).

        Raises InputError for words that the model does not know, each with the nearest that it knows, and for too many.
        """
        if fault := sentence.too_long(hint, "The hint"):
            raise InputError(fault)
        words, faults = prompts.normalised_hint(hint), list[str]()
        if unknown := sentence.unknown((word for word in words if word.text != ","), self._words):
            faults.append(f"The hint says {unknown}, and this model knows only {', '.join(self._words)}.")
        if len(words) > self._most - 2:
            faults.append(f"The hint has {len(words)} words and commas, and this model reads at most {self._most - 2}.")
        if faults:
            raise InputError(" ".join(faults))
        return self._text.source(" ".join(word.text for word in words))

    def ids(self, tokens: Tokens) -> Tensor:
        """What the encoder takes, `[1, token]`."""
        return torch.tensor([tokens.ids])


def beside(patches: Axis, tokens: Tokens) -> Axis:
    """The keys of a picture and a hint: the positions of the picture, and behind them, as another part, the tokens."""
    words, start, end = tokens.axis(), len(patches), len(patches) + len(tokens.ids)
    return replace(
        patches,
        labels=(*(patches.labels or ("",) * start), *(words.labels or ())),
        special=(*patches.is_special.tolist(), *tokens.special),
        parts=((PICTURE_PART, 0, start), (HINT_PART, start, end)),
    )


def base() -> tuple[Any, Any, Preprocessor]:
    """What both models are built on: the model of `caption-shapes`, its tokenizer, and how it looks at pictures."""
    _, model, tokenizer, processor = packaged()
    return model, tokenizer, Preprocessor(processor)


def load(name: str, folder: Path | None = None) -> HintedAdapter:
    """One of the two models by its name; its weights lie in `folder`, with the package unless said.

    Raises ModelError where its files are damaged.
    """
    place = Folder(folder or Path(__file__).with_name(name), links_anywhere=True)
    found = Checkpoint.find(place, ("safetensors",))
    below, model, tokenizer, processor = packaged()
    preprocessor, hints = Preprocessor(processor), Hints(found.tokenizer())
    model = with_hint(model, found.config(), JOINS[name])
    found.fill(model, is_learned)
    values = preprocessor.values(preprocessor.plain(PAPER)).to(model.device)
    patches = picture_axis(
        model.config.encoder, preprocessor.size, model.encoder.picture(values).last_hidden_state.shape[1]
    )
    set_limits(model.generation_config)
    read = {"pixel_values": values, "hint": hints.ids(hints.read("")).to(model.device)}
    network = probe(name, TransformersNetwork(model, is_masked=False), read, len(patches) + read["hint"].shape[1])
    digest = hashlib.sha256((below.digest() + found.digest()).encode()).hexdigest()
    identity = Identity.of(model, name, None, digest)
    card = next(card for card in CARDS if card.name == name)
    return HintedAdapter(card, identity, network, tokenizer, preprocessor, patches, hints=hints, join=JOINS[name])
