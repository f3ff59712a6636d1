"""BLIP for questions: the words of the question read the picture, and those of the answer read the question.

Li et al. 2022, BLIP: Bootstrapping Language-Image Pre-training for Unified Vision-Language Understanding and
Generation, figure 5.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import BlipForQuestionAnswering

from xattn_viz.attention.interventions import Rows
from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Trace
from xattn_viz.inputs import InputError
from xattn_viz.models.base import Hooks, ModelError
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.engine.network import Run, Source, reported
from xattn_viz.models.engine.probe import check_ends, loaded_card, probe, set_limits
from xattn_viz.models.engine.results import Text, Tokens, attention_maps
from xattn_viz.models.engine.search import Output
from xattn_viz.models.families.captioner import FAMILY, QUESTION, QUESTION_KINDS, asking, card
from xattn_viz.models.families.captioner.adapter import BlipNetwork, CaptionerAdapter, picture_axis, set_ends
from xattn_viz.models.preprocessor import Preprocessor, fitting, processor
from xattn_viz.models.provenance import Identity, Settings

#: The kind of the map in which the question reads the picture.
READS: MapKind = "text-to-image"
_PROBED = "what is in this picture?"  # any question
_NOTE = (
    "The answer reads the question, and the question reads the picture: cross-attention is over the question’s tokens, "
    "and how these read the picture is the other map."
)


class QuestionNetwork(BlipNetwork):
    """The three parts of the model; what is encoded is the question, which has read the picture."""

    @property
    def encoder(self) -> Any:
        """Reads the picture, and the question over it, with its attention."""
        return self._encoded

    def _encoded(self, pixel_values: Tensor, input_ids: Tensor, **_: Any) -> Any:
        seen = self.model.vision_model(pixel_values=pixel_values).last_hidden_state
        return self.model.text_encoder(
            input_ids=input_ids,
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones(seen.shape[:2], dtype=torch.long, device=seen.device),
            output_attentions=True,
            return_dict=True,
        )


class QuestionAdapter(CaptionerAdapter):
    """One loaded BLIP that answers a question about a picture (option `question`, text).

    Of the kinds, "cross" are the answer's tokens that read those of the question, "text-to-image" the question's tokens
    that read patches of the picture, "encoder" the question's that read each other, "decoder" the answer's.
    """

    def _source(self, input: Any, settings: Settings) -> Source:
        tokens, seen = self._question(settings.options[QUESTION]), super()._source(input, settings)
        ids = torch.tensor([tokens.ids], device=self.network.device)
        return replace(seen, read={**seen.read, "input_ids": ids}, axis=tokens.axis(), notes=(*seen.notes, _NOTE))

    def _asked(self, settings: Settings) -> tuple[int, ...]:
        return ()  # the question is read by another part

    def _question(self, question: str) -> Tokens:
        """Its tokens. Raises InputError where there is none, or too many."""
        if not question.strip():
            raise InputError("This model answers questions: give one, such as “what is in the picture?”.")
        tokens, most = self.text.source(question.strip()), self.network.model.config.text_config.max_position_embeddings
        if len(tokens.ids) > most:
            raise InputError(f"The question has {len(tokens.ids)} tokens, and this model reads at most {most}.")
        return tokens

    def _encode(self, source: Source, settings: Settings, hooks: Hooks, rows: Rows | None = None) -> Run:
        return replace(super()._encode(source, _without(settings), hooks, rows), settings=settings)

    def _make_trace(self, run: Run, begin: Tokens, output: Output) -> Trace:
        made = super()._make_trace(replace(run, settings=_without(run.settings)), begin, output)
        maps = {one.kind: one for one in made.maps}
        if READS in run.settings.kinds:
            layers = reported(run.encoded.cross_attentions, self.network.half_above)
            maps[READS] = attention_maps(READS, layers, run.source.axis, self._axis, None, run.settings)
        found = tuple(maps[kind] for kind in run.settings.kinds)
        return replace(made, maps=found, provenance=self._provenance(run))


def _without(settings: Settings) -> Settings:
    return replace(settings, kinds=tuple(kind for kind in settings.kinds if kind != READS))


def load(found: Checkpoint, config: Any) -> QuestionAdapter:
    """The adapter of a checkpoint. Raises ModelError where its files are damaged or do not fit each other."""
    tokenizer, look = found.tokenizer(), processor(found)
    model = found.model(BlipForQuestionAnswering, config, "eager")
    if not config.text_config.is_decoder:
        raise ModelError(f"{found.name} cannot be shown: its text encoder has no cross-attention (is_decoder).")
    bare = QuestionNetwork(model, is_masked=False)
    set_ends(bare.writer, is_blip=True)
    check_ends(found.name, bare.writer.generation_config)
    set_limits(bare.writer.generation_config)
    with fitting(found.name), torch.inference_mode():
        preprocessor = Preprocessor(look)
        values = preprocessor.values(preprocessor.plain((0, 0, 0)), model)
        positions = model.vision_model(pixel_values=values).last_hidden_state.shape[1]
        axis = picture_axis(config.vision_config, preprocessor.size, positions)
    ids = torch.tensor([Text(tokenizer).source(_PROBED).ids], device=model.device)
    network = probe(found.name, bare, {"pixel_values": values, "input_ids": ids}, ids.shape[1])
    reading = (config.text_config.num_attention_heads,) * config.text_config.num_hidden_layers
    network = replace(network, size=replace(network.size, heads={**network.size.heads, READS: reading}))
    known = FAMILY.card_of(found.name) or card(found.name, Path(found.name).name)
    known = replace(known, kinds=QUESTION_KINDS, at_once=("cross", READS))
    identity = Identity.of(model, found.name, found.commit, found.digest(), found.told(config))
    return QuestionAdapter(
        asking(loaded_card(known, network.size, ())), identity, network, tokenizer, preprocessor, axis
    )
