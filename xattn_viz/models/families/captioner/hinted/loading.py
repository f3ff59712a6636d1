"""From a name to a loaded model that reads a picture and a hint: `caption-shapes`, and over it what was trained."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from xattn_viz.models.base import ModelError
from xattn_viz.models.checkpoint import Checkpoint, line
from xattn_viz.models.engine.limits import set_limits
from xattn_viz.models.engine.probing import probe
from xattn_viz.models.families.captioner import CARDS
from xattn_viz.models.families.captioner.grid import picture_axis
from xattn_viz.models.families.captioner.hinted import JOINS
from xattn_viz.models.families.captioner.hinted.adapter import HintedAdapter
from xattn_viz.models.families.captioner.hinted.hint import Hints
from xattn_viz.models.families.captioner.hinted.network import is_learned, with_hint
from xattn_viz.models.families.captioner.loading import packaged
from xattn_viz.models.families.captioner.runners import PictureRunner
from xattn_viz.models.folder import Folder
from xattn_viz.models.provenance import Identity
from xattn_viz.models.sight import Eyes
from xattn_viz.shapes.scene import PAPER


def base() -> tuple[Any, Any, Eyes]:
    """What both models are built on: the model of `caption-shapes`, its tokenizer, and how it looks at pictures."""
    _, model, tokenizer, processor = packaged()
    return model, tokenizer, Eyes(processor)


def load(name: str, folder: Path | None = None) -> HintedAdapter:
    """One of the two models by its name; its weights lie in `folder`, with the package unless said.

    Raises ModelError where its files are damaged.
    """
    place = Folder(folder or Path(__file__).parents[1] / name, links_anywhere=True)
    found = Checkpoint.find(place, ("safetensors",))
    below, model, tokenizer, processor = packaged()
    eyes, hints = Eyes(processor), Hints(found.tokenizer())
    model = with_hint(model, found.config(), JOINS[name])
    _fill(model, found)
    values = eyes.values(eyes.plain(PAPER)).to(model.device)
    patches = picture_axis(model.config.encoder, eyes.size, model.encoder.picture(values).last_hidden_state.shape[1])
    set_limits(model.generation_config)
    read = {"pixel_values": values, "hint": hints.ids(hints.read("")).to(model.device)}
    runner, size = probe(name, PictureRunner(model, {}), read, len(patches) + read["hint"].shape[1])
    digest = hashlib.sha256((below.digest() + found.digest()).encode()).hexdigest()
    identity = Identity.of(model, name, None, digest)
    card = next(card for card in CARDS if card.name == name)
    return HintedAdapter(card, identity, runner, tokenizer, size, eyes, patches, hints, JOINS[name])


def _fill(model: Any, found: Checkpoint) -> None:
    """Read the trained parameters into a model. Raises ModelError where they do not fit."""
    try:
        missing, unexpected = model.load_state_dict(found.state(), strict=False)
    except ModelError:
        raise
    except Exception as error:  # safetensors and torch each raise their own
        raise ModelError(f"{found.name} cannot be loaded: its weights are damaged ({line(error)}).") from error
    own = {name for name, _ in model.named_parameters()}
    if wrong := sorted({name for name in missing if name in own and is_learned(name)} | set(unexpected)):
        raise ModelError(f"{found.name} cannot be loaded: its weights do not fit, such as {wrong[0]!r}.")
    model.eval().requires_grad_(False)
