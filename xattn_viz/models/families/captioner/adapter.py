"""Traces from a model that reads a picture: pixels in, text and attention maps out; and how such a model is loaded.

Whatever goes wrong on the way from a name or a folder to an adapter is said in one sentence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    BlipForConditionalGeneration,
    GPT2Config,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessorPil,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_MAPPING

from xattn_viz.attention.capture import NAME, supports
from xattn_viz.attention.interventions import Rows
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import MapKind
from xattn_viz.core.records import quoted
from xattn_viz.core.trace import Answer, Note, Trace
from xattn_viz.inputs import InputError
from xattn_viz.inputs.images import Picture
from xattn_viz.models import out_of_distribution
from xattn_viz.models.base import Hooks, ModelCard, ModelError, OnStep, Option
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.engine.adapter import EncoderDecoderAdapter
from xattn_viz.models.engine.network import Run, Source, TransformersNetwork
from xattn_viz.models.engine.probe import check_ends, loaded_card, probe, set_limits
from xattn_viz.models.engine.results import Text, Tokens
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.families.captioner import (
    ANSWERING,
    ARCHITECTURES,
    FAMILY,
    JOINS,
    PACKAGED,
    QUESTION,
    STEM,
    asking,
    card,
)
from xattn_viz.models.folder import Folder
from xattn_viz.models.preprocessor import Preprocessor, fitting, processor
from xattn_viz.models.provenance import Identity, Settings
from xattn_viz.models.tiny import marked_tokenizer, randomise

#: Between these tokens a Donut reads a question, and behind the last it answers, in so many tokens at the least.
OPENS, CLOSES, ANSWER = "<s_question>", "</s_question><s_answer>", 8
#: The name of the option that says what a model of several tasks (Donut) shall do.
TASK = "task_prompt"
#: What stands before the patches, in this order: ViT has the first, DeiT both, Swin neither.
SPECIAL = ("[CLS]", "[DIST]")


class CaptionerAdapter(EncoderDecoderAdapter):
    """One loaded model that reads pictures.

    The input of a trace is the picture as the model saw it. Keys are its patches, row by row, behind positions for all
    of it that are special.
    """

    text: Text
    network: TransformersNetwork

    def __init__(
        self,
        card: ModelCard,
        identity: Identity,
        network: TransformersNetwork,
        tokenizer: Any,
        preprocessor: Preprocessor,
        axis: Axis,
    ) -> None:
        super().__init__(card, identity, network, Text(tokenizer), network.model)
        self.preprocessor, self._axis, self._tokenizer = preprocessor, axis, tokenizer

    def _source(self, input: Any, settings: Settings) -> Source:
        picture, model = self.preprocessor.fit(input), self.network.model
        values = self.preprocessor.values(picture, model)
        return Source({"pixel_values": values}, self._axis, picture, self._told(picture))

    def _told(self, picture: NDArray[np.uint8]) -> tuple[str | Note, ...]:
        """What people should know of a picture, as the model sees it."""
        return out_of_distribution.notes(self.card, picture)

    def _frame(self, encoded: Any, settings: Settings) -> Frame:
        frame = replace(Frame.of(self.network.writer), prompt=self._asked(settings))
        task = settings.choice(TASK)
        return frame if task is None else replace(frame, start=int(self._tokenizer.convert_tokens_to_ids(task)))

    def _asked(self, settings: Settings) -> tuple[int, ...]:
        """The ids that ask a question before the answer is written; none where nothing is asked in this way.

        A Donut reads a question between two tokens of its own, behind that of its task. Raises InputError.
        """
        if OPENS not in self._tokenizer.get_vocab() or not (question := settings.choice(QUESTION)):
            return ()
        if sign := next(
            (sign for sign in self._tokenizer.added_tokens_decoder.values() if str(sign) in question), None
        ):
            raise InputError(f"The question says {quoted(str(sign))}, a sign of the model’s own: leave it away.")
        # The task stands before it, as in training: some tokenizers put a space where a text begins.
        whole = f"{settings.choice(TASK) or ''}{OPENS}{question.strip()}{CLOSES}"
        ids = self._tokenizer(whole, add_special_tokens=False).input_ids[settings.choice(TASK) is not None :]
        if len(ids) > self.size.output - ANSWER:
            raise InputError(
                f"The question has {len(ids)} tokens, and at most {self.size.output - ANSWER} have a place."
            )
        return tuple(ids)

    def inspect(self, trace: Trace, on_step: OnStep | None = None) -> Any:
        """What the output of a trace of this model's owes to places of its picture (`covering.PictureInspection`).

        Raises InputError for a trace without tokens, ModelError for one of other weights, and where the output does not
        read the picture itself.
        """
        from xattn_viz.models.families.captioner.covering import PictureInspection  # nobody who only traces waits

        self._check_inspected(trace)
        if trace.cross.keys.grid is None:
            raise ModelError(f"{self.card.title}: its answer reads the question, and no place of the picture itself.")
        return PictureInspection(self, trace, on_step)

    def replayed(self, trace: Trace, kinds: Sequence[MapKind], on_step: OnStep | None = None) -> Trace:
        """Raises ModelError: maps of pictures are traced anew."""
        raise ModelError(f"{self.card.title} reads pictures: trace it with the kinds of map that are wanted.")

    def read_again(self, trace: Trace, picture: NDArray[np.uint8], ids: Sequence[int]) -> NDArray[np.float64]:
        """Log-probabilities `[row, id]` of an output, read over another picture in the size of a trace's own."""
        run = self._encode_again(trace, Hooks(), Rows(), Picture(picture, is_resized=True))
        _, logits = self.network.replay(run, ids, len(ids))
        found: NDArray[np.float64] = logits.double().log_softmax(-1).cpu().numpy()
        return found

    def _target(self, text: str, frame: Frame, settings: Settings) -> Tokens:
        """As the model would write it, without the start that its tokenizer puts before any text."""
        tokens = self.text.target(text)
        while tokens.ids and tokens.special[0] and tokens.spans[0] == (0, 0):
            tokens = tokens.part(1)
        written = frame.framed(tokens, self.text.piece)
        return self.text.output((*frame.prompt, *written.ids)) if frame.prompt else written

    def _complete(self, run: Run, trace: Trace, logits: Sequence[Tensor] | Tensor) -> Trace:
        """With what was answered, and the probability of all its tokens, where a question was asked."""
        ids, asked = [step.id for step in trace.steps], run.frame.prompt
        if not run.settings.choice(QUESTION) or tuple(ids[: len(asked)]) != asked:  # or another beginning was given
            return trace
        probability = math.exp(sum(step.log_prob for step in trace.steps[len(asked) :]))
        return replace(trace, answers=(Answer(self.text.plain(ids[len(asked) :]), probability),))


class BlipNetwork(TransformersNetwork):
    """BLIP: its own `generate` only runs these two parts, and shows no attention."""

    @property
    def encoder(self) -> Any:
        """The part that reads the picture."""
        return self.model.vision_model

    @property
    def writer(self) -> Any:
        """The part that writes, a language model over the picture."""
        return self.model.text_decoder

    def decoding(self, encoded: Any, ids: Tensor) -> dict[str, Any]:
        """What the decoder takes to read `ids` `[1, query]` over what the encoder made."""
        states = encoded.last_hidden_state
        everywhere = torch.ones(states.shape[:2], dtype=torch.long, device=ids.device)
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "encoder_hidden_states": states,
            "encoder_attention_mask": everywhere,
        }


def picture_axis(config: Any, size: tuple[int, int], positions: int) -> Axis:
    """The axis of an encoder's output, from its configuration, the rows and columns of pixels and how many there are.

    Raises ValueError where they are no patches of a picture.
    """
    patch = getattr(config, "patch_size", None)
    if patch is None:
        raise ValueError("its encoder reads no patches")
    sides = (patch, patch) if isinstance(patch, int) else tuple(patch)
    # Swin merges two by two patches between its stages, and fills up what is left over.
    merged = 2 ** (len(getattr(config, "depths", None) or (1,)) - 1)
    rows, columns = (-(-pixels // (side * merged)) for pixels, side in zip(size, sides, strict=True))
    special = positions - rows * columns
    if not 0 <= special <= len(SPECIAL):
        raise ValueError(f"its encoder has {positions} positions, and {rows} × {columns} patches were expected")
    return Axis.picture(rows, columns, SPECIAL[:special])


_FOLDERS = {name: Path(__file__).with_name(name) for name in (PACKAGED, ANSWERING)}
_CAPTIONS, ANSWERS = "BlipForConditionalGeneration", "BlipForQuestionAnswering"
_FIELD = re.compile(r"<s_(.+)>")  # what opens a field in Donut's output; a task has no token that closes it


class _Joined(VisionEncoderDecoderModel):  # type: ignore[misc]
    """Without a part of ViT that no decoder reads, and that TrOCR's checkpoints lack."""

    _keys_to_ignore_on_load_missing = (r"^encoder\.pooler\.",)


def load(name_or_folder: str | Folder, **options: Any) -> CaptionerAdapter:
    """The adapter of a model by its card's name, in a folder or on the hub; see the family's `load`."""
    if name_or_folder in JOINS:
        from xattn_viz.models.families.captioner import hinted  # which builds on this module

        return hinted.load(str(name_or_folder))
    found = Checkpoint.find(name_or_folder, packaged=_FOLDERS, **options)
    config = found.config()
    if config.model_type not in ARCHITECTURES:
        raise ModelError(f"{found.name} is a {config.model_type} model, which does not turn pictures into text.")
    if STEM in found.names():
        from xattn_viz.models.families.captioner import answering  # which builds on this module

        return answering.load(found)
    if config.model_type == "pix2struct":
        from xattn_viz.models.families.captioner import documents

        return documents.load(found, config)
    if config.model_type == "mllama":
        from xattn_viz.models.families.captioner import tiles

        return tiles.load(found, config)
    if config.model_type == "blip" and ANSWERS in (config.architectures or ()):
        from xattn_viz.models.families.captioner import blip_questions

        return blip_questions.load(found, config)
    return assemble(found.name, *_parts(found, config), found.digest(), found.commit, found.told(config))


def packaged() -> tuple[Checkpoint, Any, Any, Any]:
    """The model that comes with the package, for what is built on it: its checkpoint, model, tokenizer, processor."""
    found = Checkpoint.find(PACKAGED, packaged=_FOLDERS)
    return found, *_parts(found, found.config())


def _parts(found: Checkpoint, config: Any) -> tuple[Any, Any, Any]:
    """Model, tokenizer and image processor of a checkpoint."""
    tokenizer, look = found.tokenizer(), processor(found)
    model = _blip(found, config) if config.model_type == "blip" else _encoder_decoder(found, config)
    return model, tokenizer, look


def _encoder_decoder(found: Checkpoint, config: Any) -> Any:
    try:
        encoder, decoder = MODEL_MAPPING[type(config.encoder)], MODEL_FOR_CAUSAL_LM_MAPPING[type(config.decoder)]
    except KeyError as error:
        raise ModelError(f"{found.name} is put together from parts that transformers cannot join.") from error
    # A decoder's own attention, where ours does not fit in, is recorded by the library itself, and then all of it.
    parts = {"encoder": NAME if supports(encoder) else "eager", "decoder": NAME}
    attention = parts if supports(decoder) else "eager"
    # What we ship is stored in half the bytes; computing in them would be slower.
    dtype = torch.float32 if found.name == PACKAGED else "auto"
    return found.model(_Joined, config, attention, dtype=dtype)


def _blip(found: Checkpoint, config: Any) -> Any:
    made_for = config.architectures or [_CAPTIONS]
    if _CAPTIONS not in made_for:
        raise ModelError(f"{found.name} is a {made_for[0]}, which writes no captions.")
    return found.model(BlipForConditionalGeneration, config, "eager")


def assemble(
    name: str,
    model: Any,
    tokenizer: Any,
    processor: Any,
    digest: str,
    commit: str | None = None,
    notes: tuple[str, ...] = (),
) -> CaptionerAdapter:
    """The adapter of a loaded model. Raises ModelError where it has no patches or no cross-attention to show."""
    return CaptionerAdapter(*pieces(name, model, tokenizer, processor, digest, commit, notes))


def pieces(
    name: str,
    model: Any,
    tokenizer: Any,
    processor: Any,
    digest: str,
    commit: str | None = None,
    notes: tuple[str, ...] = (),
) -> tuple[ModelCard, Identity, TransformersNetwork, Any, Preprocessor, Axis]:
    """What the adapter of a loaded model is made of, in the order of its arguments. Raises as `assemble` does."""
    is_blip = model.config.model_type == "blip"
    bare = (BlipNetwork if is_blip else TransformersNetwork)(model, is_masked=False)
    set_ends(bare.writer, is_blip)
    check_ends(name, bare.writer.generation_config)
    set_limits(bare.writer.generation_config)
    with fitting(name), torch.inference_mode():
        preprocessor = Preprocessor(processor)
        values = preprocessor.values(preprocessor.plain((0, 0, 0)), model)
        positions = bare.encoder(pixel_values=values, return_dict=True).last_hidden_state.shape[1]
        part = model.config.vision_config if is_blip else model.config.encoder
        axis = picture_axis(part, preprocessor.size, positions)
    network = probe(name, bare, {"pixel_values": values}, positions)
    options = () if is_blip else _tasks(model, tokenizer)
    known = loaded_card(FAMILY.card_of(name) or card(name, Path(name).name), network.size, options)
    if options and OPENS in tokenizer.get_vocab():
        known = asking(known)
    identity = Identity.of(model, name, commit, digest, notes)
    return known, identity, network, tokenizer, preprocessor, axis


def set_ends(writer: Any, is_blip: bool) -> None:
    """Say where outputs begin and end: old checkpoints leave it to their parts, BLIP to its own `generate`."""
    own, config = writer.generation_config, writer.config
    text = config.get_text_config(decoder=True)
    if is_blip:
        own.bos_token_id, own.eos_token_id, own.pad_token_id = text.bos_token_id, text.sep_token_id, text.pad_token_id
    for setting, fallback in (
        ("decoder_start_token_id", "bos_token_id"),
        ("eos_token_id", "eos_token_id"),
        ("pad_token_id", "pad_token_id"),
    ):
        if getattr(own, setting) is None:
            said = getattr(config, setting, None)
            setattr(own, setting, getattr(text, fallback, None) if said is None else said)


def _tasks(model: Any, tokenizer: Any) -> tuple[Option, ...]:
    """The tasks of a Donut, which its first token names; the one that it was trained for last comes first."""
    if "donut" not in model.config.encoder.model_type:
        return ()
    added = {str(token.content): int(number) for number, token in tokenizer.added_tokens_decoder.items()}
    names = [name for name in added if (m := _FIELD.fullmatch(name)) and f"</s_{m[1]}>" not in added]
    if not names:
        return ()
    names.sort(key=lambda name: -added[name])
    start = model.generation_config.decoder_start_token_id
    chosen = next((name for name in names if added[name] == start), names[0])
    return (Option(TASK, "Task", chosen, "What is to be read, as the model's first token says it.", tuple(names)),)


def tiny() -> CaptionerAdapter:
    """The tiny model: ViT and GPT-2 with 2 layers of 4 heads each, 4 × 4 patches, 320 byte-level pieces."""
    tokenizer = marked_tokenizer(320)
    encoder = ViTConfig(
        image_size=32,
        patch_size=8,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
    )
    decoder = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=128,
        n_embd=32,
        n_layer=2,
        n_head=4,
        add_cross_attention=True,
        is_decoder=True,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=1,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 0, 1, 2
    model = VisionEncoderDecoderModel._from_config(config, attn_implementation=NAME)
    randomise(model)
    model.generation_config.max_length = 40
    processor = ViTImageProcessorPil(size={"height": 32, "width": 32})
    return assemble("captioner-example", model, tokenizer, processor, digest="random")
