"""Llama 3.2 Vision (Mllama): a language model some of whose layers read the tiles of a picture by cross-attention.

Grattafiori et al. 2024, The Llama 3 Herd of Models, §7. A picture is fitted onto a canvas of up to four tiles; each is
cut into patches, with a position that stands for all of it. The prompt is read first, then the model goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import MllamaForConditionalGeneration

from xattn_viz.attention.capture import NAME, Captured
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import MapKind
from xattn_viz.inputs import InputError
from xattn_viz.inputs.images import Picture
from xattn_viz.models.base import ModelError
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.engine.network import Run, Source, TransformersNetwork
from xattn_viz.models.engine.probe import check_ends, loaded_card, probe, set_limits
from xattn_viz.models.engine.results import Tokens
from xattn_viz.models.engine.search import Frame
from xattn_viz.models.families.captioner import FAMILY, QUESTION, asking, card
from xattn_viz.models.families.captioner.adapter import ANSWER, CaptionerAdapter, set_ends
from xattn_viz.models.folder import configuration
from xattn_viz.models.preprocessor import processor
from xattn_viz.models.provenance import Identity, Settings

#: Which token stands for the picture in a prompt.
IMAGE = "<|image|>"
_TEMPLATE = "chat_template.json"
_SIDE = 100  # pixels of a picture that nobody sees, to try a model with


@dataclass(frozen=True)
class Canvas:
    """How a picture lies in tiles: `grid` are the rows and columns of these, `values` what the model takes of it."""

    grid: tuple[int, int]
    values: dict[str, Tensor]


class Tiles:
    """How a model looks at pictures: fitted onto a canvas of tiles, by its own image processor."""

    def __init__(self, look: Any) -> None:
        self._look = look
        #: Rows and columns of pixels of a tile.
        self.size = int(look.size["height"]), int(look.size["width"])

    def fit(self, picture: Picture) -> NDArray[np.uint8]:
        """The canvas as the model sees it, `[row, column, 3]`; one that has been fitted stays as it is."""
        if picture.is_resized:
            return picture.pixels
        made = self._look(Image.fromarray(picture.pixels), do_rescale=False, do_normalize=False, return_tensors="np")
        (rows, columns), (tall, wide) = self._grid(made), self.size
        tiles = np.asarray(made["pixel_values"])[0, 0, : rows * columns].reshape(rows, columns, 3, tall, wide)
        canvas = tiles.transpose(0, 3, 1, 4, 2).reshape(rows * tall, columns * wide, 3)
        return np.ascontiguousarray(np.rint(canvas), np.uint8)

    def canvas(self, picture: NDArray[np.uint8], model: Any) -> Canvas:
        """What a model takes of a canvas that `fit` gave."""
        made = self._look(Image.fromarray(picture), return_tensors="pt")
        names = ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")
        values = {name: torch.as_tensor(made[name]).to(model.device) for name in names}
        values["pixel_values"] = values["pixel_values"].to(model.dtype)
        return Canvas(self._grid(made), values)

    def _grid(self, made: Any) -> tuple[int, int]:
        from transformers.models.mllama.image_processing_pil_mllama import get_all_supported_aspect_ratios

        number = int(np.asarray(made["aspect_ratio_ids"]).ravel()[0])
        rows, columns = get_all_supported_aspect_ratios(self._look.max_image_tiles)[number - 1]
        return int(rows), int(columns)


class TiledNetwork(TransformersNetwork):
    """The model as the engine calls it: what is "encoded" are the tiles, which each pass of the library reads."""

    is_cropped = True  # tiles that are not used: what stands before the picture in a prompt reads them too

    @property
    def encoder(self) -> Any:
        """Hands the tiles on."""
        return self._handed_on

    @staticmethod
    def _handed_on(return_dict: bool = True, **read: Tensor) -> dict[str, Tensor]:
        return read

    def decoding(self, encoded: Any, ids: Tensor) -> dict[str, Any]:
        """What the model takes to read `ids` `[1, query]`: tokens before that of the picture do not look at it."""
        start = (ids == self.model.config.image_token_index).int().argmax(-1, keepdim=True)
        may = torch.arange(ids.shape[1], device=ids.device)[None] >= start
        mask = may[:, :, None, None] & encoded["aspect_ratio_mask"][:, None].bool()
        names = ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "cross_attention_mask": mask.long(),
            **{name: encoded[name] for name in names},
        }

    def replay(self, run: Run, output: Sequence[int], scored: int) -> tuple[dict[MapKind, list[Captured]], Tensor]:
        """As `TransformersNetwork.replay`, with the patches of all tiles in the order in which they lie."""
        layers, logits = super().replay(run, output, scored)
        if "cross" in layers:
            order = torch.from_numpy(order_of(self.model.config, _grid_of(run.source.axis)))
            layers["cross"] = [_ordered(layer, order) for layer in layers["cross"]]
        return layers, logits


def _grid_of(axis: Axis) -> tuple[int, int, int]:
    """The rows and columns of patches of a canvas, and of how many tiles it is: each has a special position."""
    rows, columns = axis.grid or (1, 1)
    return rows, columns, int(axis.is_special.sum())


def order_of(config: Any, grid: tuple[int, int, int]) -> NDArray[np.intp]:
    """Which of the model's positions each key of a map is, `[key]`: first what stands for a tile, then the patches.

    `grid` are rows and columns of patches and the number of tiles. The model has tile after tile, what stands for all
    of a tile first; tiles that are not used lie behind.
    """
    rows, columns, tiles = grid
    side = config.vision_config.image_size // config.vision_config.patch_size
    row, column = np.divmod(np.arange(rows * columns), columns)
    tile = row // side * (columns // side) + column // side
    patch = 1 + row % side * side + column % side
    length = side * side + 1
    return np.concatenate([np.arange(tiles) * length, tile * length + patch]).astype(np.intp)


def _ordered(layer: Captured, order: Tensor) -> Captured:
    keys, bias = layer.keys, layer.bias
    return replace(
        layer,
        weights=layer.weights[..., order],
        keys=None if keys is None else keys[:, :, order],
        bias=None if bias is None else bias.expand(*bias.shape[:-1], layer.weights.shape[-1])[..., order],
    )


class TiledAdapter(CaptionerAdapter):
    """One loaded model that goes on from a picture and a question (option `question`, text).

    Layers of the cross-attention are those few that the model has, by their own numbers from 0. Rows of the prompt are
    given; what stands in it before the picture does not look at it. Keys are the canvas's patches, row by row, behind a
    position for all of each tile.
    """

    preprocessor: Tiles  # type: ignore[assignment]  # a canvas has the proportions of its picture

    def _source(self, input: Any, settings: Settings) -> Source:
        if not (settings.choice(QUESTION) or "").strip():
            raise InputError("This model answers questions: give one, such as “what is in the picture?”.")
        shown, model = self.preprocessor.fit(input), self.network.model
        canvas = self.preprocessor.canvas(shown, model)
        return Source(canvas.values, axis_of(model.config, canvas.grid), shown, self._told(shown))

    def _frame(self, encoded: Any, settings: Settings) -> Frame:
        whole = self._prompt(settings.options[QUESTION].strip())
        return replace(Frame.of(self.network.writer), start=whole[0], prompt=tuple(whole[1:]))

    def _prompt(self, question: str) -> list[int]:
        """The ids of the picture's token and the question, as the model's own template has them where there is one."""
        words = self._tokenizer
        own = (str(sign) for sign in words.added_tokens_decoder.values())
        if sign := next((sign for sign in own if sign in question), None):
            raise InputError(f"The question says “{sign}”, a sign of the model’s own: leave it away.")
        if words.chat_template:
            said = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
            whole = words.apply_chat_template(said, add_generation_prompt=True, tokenize=False)
        else:
            whole = f"{IMAGE}{words.bos_token or ''}{question}"
        ids: list[int] = words(whole, add_special_tokens=False).input_ids
        if ids.count(words.convert_tokens_to_ids(IMAGE)) != 1:
            raise ModelError(f"{self.card.title}: its template of a conversation has no place for one picture.")
        if len(ids) > (most := self.size.output - ANSWER):
            raise InputError(
                f"The question has {len(ids)} tokens with what stands around it; at most {most} have a place."
            )
        return ids

    def _target(self, text: str, frame: Frame, settings: Settings) -> Tokens:
        ids = self._tokenizer(text, add_special_tokens=False).input_ids
        return self.text.output((*frame.prompt, *ids, frame.ends[0]))


def axis_of(config: Any, grid: tuple[int, int]) -> Axis:
    """The keys of a canvas of so many rows and columns of tiles."""
    side = config.vision_config.image_size // config.vision_config.patch_size
    rows, columns = grid
    return Axis.picture(rows * side, columns * side, [f"[tile {n + 1}]" for n in range(rows * columns)])


def load(found: Checkpoint, config: Any) -> TiledAdapter:
    """The adapter of a checkpoint. Raises ModelError where its files are damaged or do not fit each other."""
    tokenizer, look = found.tokenizer(), processor(found)
    if not tokenizer.chat_template and found.folder.has(_TEMPLATE):  # beside the image processor, as published first
        tokenizer.chat_template = configuration(found.folder, _TEMPLATE).get("chat_template")
    model = found.model(MllamaForConditionalGeneration, config, NAME)
    bare = TiledNetwork(model, is_masked=False)
    set_ends(bare.writer, is_blip=False)
    check_ends(found.name, bare.writer.generation_config)
    set_limits(bare.writer.generation_config)
    tiles = Tiles(look)
    canvas = tiles.canvas(np.zeros((_SIDE, _SIDE, 3), np.uint8), model)
    side = config.vision_config.image_size // config.vision_config.patch_size
    network = probe(found.name, bare, canvas.values, config.vision_config.max_num_tiles * (side * side + 1))
    known = replace(FAMILY.card_of(found.name) or card(found.name, Path(found.name).name), kinds=("cross", "decoder"))
    identity = Identity.of(model, found.name, found.commit, found.digest(), found.told(config))
    axis = axis_of(config, canvas.grid)
    # The library reads one picture for one output: runs with other heads cannot be put into one batch over it.
    known = asking(replace(loaded_card(known, network.size, ()), can=known.can - {"ablate"}))
    return TiledAdapter(known, identity, network, tokenizer, tiles, axis)  # type: ignore[arg-type]
