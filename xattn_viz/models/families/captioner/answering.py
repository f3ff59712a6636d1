"""Small models that answer questions about pictures: a ViT behind convolutions and a GPT-2, and their traces.

Question and answer are one sequence of the decoder, so that each of their words has a row of cross-attention.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import VisionEncoderDecoderConfig, VisionEncoderDecoderModel

from xattn_viz.attention.capture import NAME
from xattn_viz.core.trace import Note
from xattn_viz.inputs import InputError
from xattn_viz.models import out_of_distribution
from xattn_viz.models.base import ModelCard, ModelError
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.engine.network import Source
from xattn_viz.models.engine.results import Tokens
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.families.captioner import QUESTION, asking
from xattn_viz.models.families.captioner.adapter import CaptionerAdapter, pieces
from xattn_viz.models.folder import Folder
from xattn_viz.models.out_of_distribution import Detector, Distribution
from xattn_viz.models.preprocessor import Preprocessor, processor
from xattn_viz.models.provenance import Settings
from xattn_viz.shapes import sentence
from xattn_viz.shapes.sentence import Word

#: Channels after the first and the second of the three strides.
CHANNELS = (24, 48)
#: The file of the weights in a folder.
WEIGHTS = "model.safetensors"

#: What such a model knows, for people who show it something else.
KNOWN = "coloured shapes and small charts that this package draws"
_MARKS = ("?", "%")
_SIGNS = re.compile("[?%]")
_ROWS = (
    "The question was given, not written. Rows are named for the token predicted: where a word of the question looked "
    "when it was read is its row among those named for the token read (Rows: Read), and the answer’s first word was "
    "chosen in the row that read “?”."
)


_UNMEASURED = "How far this picture lies from those that the model knows was not measured: its folder has no known.npz."


class Stem(nn.Module):
    """Convolutions instead of a linear map of patches of 8 × 8 pixels, before a ViT.

    They read letters far sooner (Xiao et al. 2021, "Early Convolutions Help Transformers See Better").
    """

    def __init__(self, width: int, channels: tuple[int, int] = CHANNELS) -> None:
        super().__init__()
        first, second = channels
        self.first, self.norm_first = nn.Conv2d(3, first, 3, 2, 1), nn.GroupNorm(1, first)
        self.second, self.norm_second = nn.Conv2d(first, second, 3, 2, 1), nn.GroupNorm(1, second)
        self.near, self.norm_near = nn.Conv2d(second, second, 3, 1, 1), nn.GroupNorm(1, second)
        self.third, self.norm_third = nn.Conv2d(second, width, 3, 2, 1), nn.GroupNorm(1, width)
        self.wide = nn.Conv2d(width, width, 3, 1, 1)

    @property
    def weight(self) -> Tensor:
        """What the ViT looks at to know in which numbers to compute."""
        return self.first.weight

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels `[batch, 3, row, column]` as states of places of 8 × 8 pixels, `[batch, width, row, column]`."""
        states = functional.gelu(self.norm_first(self.first(pixels)))
        states = functional.gelu(self.norm_second(self.second(states)))
        states = states + functional.gelu(self.norm_near(self.near(states)))
        states = functional.gelu(self.norm_third(self.third(states)))
        made: Tensor = states + self.wide(states)
        return made


def build(config: VisionEncoderDecoderConfig, attention: str | None = None) -> Any:
    """The network of a configuration, at random, with an attention implementation or the library's usual one."""
    said = {} if attention is None else {"attn_implementation": attention}
    return with_stem(VisionEncoderDecoderModel._from_config(config, **said))


def with_stem(model: Any) -> Any:
    """A ViT and GPT-2 with `Stem` in place of the ViT's linear map of patches; changed in place."""
    model.encoder.embeddings.patch_embeddings.projection = Stem(model.config.encoder.hidden_size)
    return model


def store(model: Any, folder: Path) -> None:
    """Write the configuration and the weights, in float16, of a network."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    state = {name: value.detach().half().contiguous() for name, value in model.named_parameters()}
    save_file(state, folder / WEIGHTS)


def read(folder: Path | Checkpoint, attention: str | None = None) -> Any:
    """The network in a folder that `store` wrote, in float32; see `build`.

    Raises ModelError where its files are missing or damaged, or its weights do not fit.
    """
    found = folder if isinstance(folder, Checkpoint) else Checkpoint.find(Folder(folder), ("safetensors",))
    config = found.config()
    if not isinstance(config, VisionEncoderDecoderConfig):
        raise ModelError(f"{found.name} is a {config.model_type} model, which does not turn pictures into text.")
    model = build(config, attention).float()
    found.fill(model)
    return model.eval().requires_grad_(False)


class Questions:
    """How a model reads questions: a tokenizer of whole words, and how many it can read. Threads share it."""

    def __init__(self, tokenizer: Any, most: int) -> None:
        """`most` is how many words and signs a question may have."""
        self._ids, self.most = dict(tokenizer.get_vocab()), most
        self.words = tuple(word for word in self._ids if word not in tokenizer.all_special_tokens)

    def ids(self, question: str) -> tuple[int, ...]:
        """The words of a question as ids, in small letters, with a question mark at the end and no other sign than %.

        Raises InputError where there is none, or too many, and for words that the model does not know, by name.
        """
        if fault := sentence.too_long(question, "The question"):
            raise InputError(fault)
        words = self._split(question)
        if all(word.text in _MARKS for word in words):
            raise InputError("This model answers questions: give one, such as “what is the title?” of a chart.")
        known = [word for word in self.words if word not in _MARKS]
        if unknown := sentence.unknown((word for word in words if word.text not in _MARKS), known):
            raise InputError(
                f"The question says {unknown}, which this model does not know: it knows {len(self.words)} words, those "
                "of coloured shapes and of the charts that it was trained on."
            )
        if len(words) > self.most:
            raise InputError(
                f"The question has {len(words)} words and signs, and this model reads at most {self.most}."
            )
        return tuple(self._ids[word.text] for word in words)

    def check_answer(self, answer: str) -> None:
        """Raise InputError for words of an answer that the model does not know, by name."""
        if unknown := sentence.unknown(self._split(answer, ""), self.words):
            raise InputError(f"The answer says {unknown}, which this model does not know.")

    def _split(self, text: str, end: str = "?") -> list[Word]:
        """Words, and signs of which the model knows some; `end` stands last, once."""
        signs = [Word(match[0], *match.span()) for match in _SIGNS.finditer(text) if match[0] != end]
        # As typed: "to the left of" is none of the forms that the model learned.
        found = sorted([*sentence.words(text), *signs], key=lambda word: word.start)
        known = [word for word in found if word.text != "%" or word.text in self._ids]
        return [*known, *([Word(end, len(text), len(text))] if end else [])]


class AnsweringAdapter(CaptionerAdapter):
    """One loaded model that answers a question about a picture (option `question`, text).

    The decoder reads the question, which is given, and writes the answer behind it: the trace's `output` is both, and
    its `answers` hold what was written, with the probability of all its words and the end. Row t of a map predicted
    token t of that sequence and read the one before it (`AttentionMaps.read`).
    """

    def __init__(self, card: ModelCard, *parts: Any, known: Detector | None = None) -> None:
        """`parts` are those of a captioner, `known` tells pictures of another kind than it was trained on."""
        super().__init__(replace(asking(card), knows="shapes"), *parts)
        self._known = known
        # Behind the question there is room for an answer of three words and the end.
        self.questions = Questions(self._tokenizer, self.size.output - 5)

    def _source(self, input: Any, settings: Settings) -> Source:
        self.questions.ids(settings.options[QUESTION])  # no picture is looked at for a question that cannot be read
        return super()._source(input, settings)

    def _told(self, picture: out_of_distribution.Picture) -> tuple[str | Note, ...]:
        return (*((_UNMEASURED,) if self._known is None else self._known.notes(picture)), _ROWS)

    def _asked(self, settings: Settings) -> tuple[int, ...]:
        """The words of the question. Raises as `Questions.ids`."""
        return self.questions.ids(settings.options[QUESTION])

    def _target(self, text: str, frame: Frame, settings: Settings) -> Tokens:
        """As the model would write it: the answer that is given, behind the question."""
        self.questions.check_answer(text)
        return super()._target(text, frame, settings)


def load(found: Checkpoint) -> AnsweringAdapter:
    """The adapter of a checkpoint of this network. Raises ModelError where its files are damaged or do not fit."""
    model, tokenizer, look = read(found, NAME), found.tokenizer(), processor(found)
    known = detector(found, model, Preprocessor(look))
    return AnsweringAdapter(*pieces(found.name, model, tokenizer, look, found.digest()), known=known)


def detector(found: Checkpoint, model: Any, preprocessor: Preprocessor) -> Detector | None:
    """What tells pictures of another kind than the network was trained on; None where its folder does not say.

    Raises ModelError where what it says is damaged.
    """
    if not found.folder.has(out_of_distribution.FILE):
        return None
    try:
        known = Distribution.read(found.folder.file(out_of_distribution.FILE))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{found.name} cannot be loaded: its {out_of_distribution.FILE} is damaged.") from error
    return Detector(encoder(model, preprocessor), known, KNOWN)


def encoder(model: Any, preprocessor: Preprocessor) -> out_of_distribution.Encoder:
    """What the ViT of a network makes of a picture in its size, `[position, width]`, the class token first."""

    def states(picture: out_of_distribution.Picture) -> out_of_distribution.Numbers:
        with torch.inference_mode():
            made = model.encoder(preprocessor.values(picture, model)).last_hidden_state[0]
        numbers: out_of_distribution.Numbers = made.float().cpu().numpy()
        return numbers

    return states
