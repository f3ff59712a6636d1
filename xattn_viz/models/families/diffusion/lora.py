"""Low-rank changes to a model that draws (LoRA, Hu et al. 2022), put into its weights once, when it is loaded.

Read as diffusers writes them (`save_lora_weights`), from safetensors only: W + strength · α / r · B A for each module
that the file names, where α is r unless the file says otherwise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from xattn_viz.models.base import ModelError, check_number
from xattn_viz.models.folder import Folder, find_folder

#: What diffusers calls the file; in the folder of a pipeline it belongs to that.
FILE = "pytorch_lora_weights.safetensors"
_KEY = re.compile(r"(?P<module>.+)\.(?:(?P<a>lora_A|lora\.down)|(?P<b>lora_B|lora\.up))(?:\.default)?\.weight")


def merge(networks: Mapping[str, Any], folder: Folder, lora: str | Path | None, strength: float) -> tuple[str, bytes]:
    """Add a LoRA to the weights of networks, by their parts' names; a note for people, and the file's sha256.

    `lora` is a folder with it; None means the one in the pipeline's own `folder`, if it has one (else both are empty).
    Raises ModelError where it cannot be read, or is not of these networks.
    """
    share = check_number(strength, "lora_strength", -10.0, 10.0)
    found = folder if lora is None else find_folder(lora)
    if found is None or (lora is not None and not found.has(FILE)):
        raise ModelError(
            f"There is no LoRA in {str(lora)!r}: it has to be a folder with {FILE}, as diffusers writes it."
        )
    if not found.has(FILE):
        return "", b""
    try:
        with safe_open(found.file(FILE), "pt") as file:
            state, said = {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
        pairs = _pairs(state, json.loads(said.get("lora_adapter_metadata", "{}")), str(found))
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"The LoRA in {found} cannot be read: its file is damaged.") from error
    for name, (down, up, alpha) in pairs.items():
        part, _, path = name.partition(".")
        _add(
            networks.get(part),
            path,
            (up.flatten(1).float() @ down.flatten(1).float()) * (alpha / len(down) * share),
            name,
        )
    note = f"A LoRA is in its weights, in {len(pairs)} modules with strength {share:g}."
    return note, found.sha256(FILE)


def _pairs(state: Mapping[str, Tensor], said: Mapping[str, Any], where: str) -> dict[str, tuple[Tensor, Tensor, float]]:
    """The factors A `[r, in]` and B `[out, r]` and α by module."""
    halves: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        if (match := _KEY.fullmatch(key)) is not None:
            halves.setdefault(match["module"], {})["a" if match["a"] else "b"] = tensor
        elif not key.endswith(".alpha"):
            raise ModelError(
                f"The LoRA in {where} is not as diffusers writes it ({key!r:.80}): load it there, and save it "
                "again by save_lora_weights."
            )
    if not halves or any(half.keys() != {"a", "b"} for half in halves.values()):
        raise ValueError("a LoRA has two factors for each module")
    found = {}
    for module, half in halves.items():
        rank = float(len(half["a"]))
        alpha = float(state.get(f"{module}.alpha", said.get(f"{module.partition('.')[0]}.lora_alpha", rank)))
        found[module] = (half["a"], half["b"], alpha)
    return found


def _add(network: Any, path: str, change: Tensor, name: str) -> None:
    try:
        module = network.get_submodule(path) if isinstance(network, nn.Module) else None
    except AttributeError:
        module = None
    weight = getattr(module, "weight", None)
    if weight is None or weight.numel() != change.numel():
        raise ModelError(f"The LoRA is of another model: there is no {name} of its shape in this one.")
    with torch.no_grad():
        weight += change.reshape(weight.shape).to(weight)
