"""Pix2Struct and its kin (DePlot, MatCha): pages and charts in patches of their proportions, headed by a question.

Lee et al. 2023, Pix2Struct: Screenshot Parsing as Pretraining for Visual Language Understanding. A picture is stretched
to as many whole patches as the model reads at most, so that its proportions stay; a question is drawn above it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFont
from torch import Tensor
from transformers import Pix2StructForConditionalGeneration

from xattn_viz.attention.capture import NAME
from xattn_viz.core.axis import Axis
from xattn_viz.inputs import InputError
from xattn_viz.inputs.images import Picture
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.engine.network import Source, TransformersNetwork
from xattn_viz.models.engine.probe import check_ends, loaded_card, probe, set_limits
from xattn_viz.models.families.captioner import FAMILY, QUESTION, asking, card
from xattn_viz.models.families.captioner.adapter import CaptionerAdapter, set_ends
from xattn_viz.models.preprocessor import MOST_OBLONG, fitting, processor
from xattn_viz.models.provenance import Identity, Settings

#: What DePlot is asked where nothing else is (Liu et al. 2023).
TABLE = "Generate underlying data table of the figure below:"
#: A picture of more pixels is made smaller first: the model reads at most a million or so.
MOST_PIXELS = 4_000_000


class Pages:
    """How a model looks at pictures: headed by a question where it reads one, and cut into patches."""

    def __init__(self, look: Any) -> None:
        self._look = look

    @property
    def is_headed(self) -> bool:
        """Whether a question is drawn above the picture."""
        return bool(self._look.is_vqa)

    def fit(self, picture: Picture, question: str) -> NDArray[np.uint8]:
        """The picture as the model sees it, `[row, column, 3]`, of any size; one that has been fitted stays as it is.

        Raises InputError for one that is far longer than high, or higher than long.
        """
        pixels = picture.pixels
        rows, columns = pixels.shape[:2]
        if max(rows, columns) > MOST_OBLONG * min(rows, columns):
            raise InputError(
                f"The picture has {columns:,} × {rows:,} pixels, and this model reads none that is more than "
                f"{MOST_OBLONG} times as long as wide: cut it into parts."
            )
        if picture.is_resized:
            return pixels
        if rows * columns > MOST_PIXELS:
            share = (MOST_PIXELS / (rows * columns)) ** 0.5
            size = max(int(columns * share), 1), max(int(rows * share), 1)
            pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
        if not self.is_headed:
            return pixels
        headed = self._look.render_header(pixels.transpose(2, 0, 1), question, font_bytes=font())
        return np.ascontiguousarray(headed.transpose(1, 2, 0), np.uint8)

    def values(self, picture: NDArray[np.uint8]) -> tuple[Tensor, tuple[int, int]]:
        """What the encoder takes of a picture that `fit` gave, `[1, patch, number]`, and the grid of its patches.

        Each patch begins with its row and column, from 1; what only fills up to the most patches is left away.
        """
        made = self._look(Image.fromarray(picture), is_vqa=False, return_tensors="pt")["flattened_patches"]
        places = made[0, :, :2]
        made = made[:, places[:, 0] > 0]
        rows, columns = (int(number) for number in places.max(0).values)
        return made, (rows, columns)


@cache
def font() -> bytes:
    """A font that comes with Pillow: the library would fetch Arial, in which the models learned to read headers."""
    font = ImageFont.load_default(36)
    return font.font_bytes if isinstance(font, ImageFont.FreeTypeFont) else b""


class PageAdapter(CaptionerAdapter):
    """One loaded model that reads a page or a chart, with a question above it where it reads one (option `question`).

    The input of a trace is the picture with the question; keys are its patches, row by row, as many of each as fit.
    """

    preprocessor: Pages  # type: ignore[assignment]  # pictures keep their proportions

    def _source(self, input: Any, settings: Settings) -> Source:
        question = settings.choice(QUESTION) or ""
        if self.preprocessor.is_headed and not question.strip():
            raise InputError("This model reads a question above its picture: give one, such as “what is the title?”.")
        shown = self.preprocessor.fit(input, question)
        values, grid = self.preprocessor.values(shown)
        model = self.network.model
        read = {"flattened_patches": values.to(device=model.device, dtype=model.dtype)}
        return Source(read, Axis.picture(*grid), shown, self._told(shown))

    def _asked(self, settings: Settings) -> tuple[int, ...]:
        return ()  # it is drawn


def load(found: Checkpoint, config: Any) -> PageAdapter:
    """The adapter of a checkpoint. Raises ModelError where its files are damaged or do not fit each other."""
    tokenizer, look = found.tokenizer(), processor(found)
    model = found.model(Pix2StructForConditionalGeneration, config, NAME)
    bare = TransformersNetwork(model, is_masked=False)
    set_ends(bare.writer, is_blip=False)
    check_ends(found.name, bare.writer.generation_config)
    set_limits(bare.writer.generation_config)
    with fitting(found.name):
        pages = Pages(look)
        values, grid = pages.values(np.zeros((64, 48, 3), np.uint8))
    read = {"flattened_patches": values.to(device=model.device, dtype=model.dtype)}
    network = probe(found.name, bare, read, values.shape[1])
    known = loaded_card(FAMILY.card_of(found.name) or card(found.name, Path(found.name).name), network.size, ())
    if pages.is_headed:
        known = asking(known, TABLE if "deplot" in Path(found.name).name.lower() else "")
    identity = Identity.of(model, found.name, found.commit, found.digest(), found.told(config))
    return PageAdapter(known, identity, network, tokenizer, pages, Axis.picture(*grid))  # type: ignore[arg-type]
