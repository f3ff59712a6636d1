"""Low-rank changes to a model that draws (LoRA, Hu et al. 2022), put into its weights once, when it is loaded.

Read from safetensors only, as diffusers writes them (`save_lora_weights`) and, of Stable Diffusion and SDXL, as kohya's
sd-scripts do: W + strength · α / r · B A for each module that the file names, where α is r unless the file says
otherwise.
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
_KEY = re.compile(
    r"(?P<module>.+)\.(?:(?P<a>lora_A|lora[._]down)|(?P<b>lora_B|lora[._]up))(?:\.default)?\.weight|(?P<of>.+)\.alpha"
)
# What kohya's scripts call the parts of a pipeline; a module's path follows, its dots written as underscores.
_KOHYA = {"lora_unet_": "unet", "lora_te_": "text_encoder", "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2"}
# SDXL is trained there under the names of its first publication: a block's parts by numbers, and a part's layers.
_BLOCK = re.compile(r"(input|middle|output)_block(?:s_(\d+))?_(\d+)_(.+)")
_LAYERS = {
    "in_layers_2": "conv1",
    "out_layers_3": "conv2",
    "emb_layers_1": "time_emb_proj",
    "skip_connection": "conv_shortcut",
}


def merge(networks: Mapping[str, Any], folder: Folder, lora: str | Path | None, strength: float) -> tuple[str, bytes]:
    """Add a LoRA to the weights of networks, by their parts' names; a note for people, and the file's sha256.

    `lora` is its file, or the folder with it; None means the one in the pipeline's own `folder`, if it has one (else
    both are empty). Raises ModelError where it cannot be read, or is not of these networks.
    """
    share = check_number(strength, "lora_strength", -10.0, 10.0)
    found, name = (folder, FILE) if lora is None else _find(Path(lora))
    if found is None or not found.has(name):
        if lora is None:
            return "", b""
        raise ModelError(
            f"There is no LoRA in {str(lora)!r}: it has to be a file in safetensors, or a folder with {FILE}."
        )
    try:
        with safe_open(found.file(name), "pt") as file:
            state, said = {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
        pairs = _pairs(state, json.loads(said.get("lora_adapter_metadata", "{}")), str(found))
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"The LoRA in {found} cannot be read: its file is damaged.") from error
    modules = {part: _by_name(network) for part, network in networks.items() if isinstance(network, nn.Module)}
    for module, (down, up, alpha) in pairs.items():
        weight = _weight(networks, modules, module)
        if weight is None or weight.numel() != len(up) * down[0].numel():
            raise ModelError(f"The LoRA is of another model: there is no {module} of its shape in this one.")
        change = (up.flatten(1).float() @ down.flatten(1).float()) * (alpha / len(down) * share)
        with torch.no_grad():
            weight += change.reshape(weight.shape).to(weight)
    note = f"A LoRA is in its weights, in {len(pairs)} modules with strength {share:g}."
    return note, found.sha256(name)


def _find(lora: Path) -> tuple[Folder | None, str]:
    """The folder and the name of a LoRA's file."""
    is_file = lora.suffix == ".safetensors"
    return find_folder(lora.parent if is_file else lora), lora.name if is_file else FILE


def _pairs(state: Mapping[str, Tensor], said: Mapping[str, Any], where: str) -> dict[str, tuple[Tensor, Tensor, float]]:
    """The factors A `[r, in]` and B `[out, r]` and α by module."""
    halves: dict[str, dict[str, Tensor]] = {}
    for key, tensor in state.items():
        if (match := _KEY.fullmatch(key)) is None:
            raise ModelError(
                f"The LoRA in {where} is neither as diffusers writes it nor as sd-scripts do ({key!r:.80}): load it in "
                "diffusers, and save it again by save_lora_weights."
            )
        if match["module"]:
            halves.setdefault(match["module"], {})["a" if match["a"] else "b"] = tensor
    if not halves or any(half.keys() != {"a", "b"} for half in halves.values()):
        raise ValueError("a LoRA has two factors for each module")
    found = {}
    for module, half in halves.items():
        rank = float(len(half["a"]))
        alpha = float(state.get(f"{module}.alpha", said.get(f"{module.partition('.')[0]}.lora_alpha", rank)))
        found[module] = (half["a"], half["b"], alpha)
    return found


def _by_name(network: nn.Module) -> dict[str, nn.Module]:
    """The modules of a network by their paths, and by these with underscores for dots, as kohya's scripts name them."""
    modules = dict(network.named_modules())
    return modules | {path.replace(".", "_"): module for path, module in modules.items()}


def _weight(networks: Mapping[str, Any], modules: Mapping[str, Mapping[str, nn.Module]], module: str) -> Tensor | None:
    """The weight of a module, by its part and path, or by its name in kohya's scripts; None where there is none.

    `modules` are those of each part that is a network, as `_by_name` gives them.
    """
    part, _, path = module.partition(".")
    for prefix, of in _KOHYA.items():
        if module.startswith(prefix):
            part, path = of, module.removeprefix(prefix)
    if (there := modules.get(part)) is None:
        return None
    # CLIP's modules were one level lower in older releases of transformers.
    names = (path, re.sub(r"^text_model[._]", "", path), _today(path, networks[part]))
    weight = next((getattr(there[name], "weight", None) for name in names if name in there), None)
    return weight if isinstance(weight, Tensor) else None


def _today(path: str, network: nn.Module) -> str:
    """What diffusers calls a module of SDXL's U-Net that has the name of its first publication; else as it is."""
    if (match := _BLOCK.fullmatch(path)) is None:
        return path
    side, at, part, rest = match[1], int(match[2] or 0), int(match[3]), match[4]
    for old, new in _LAYERS.items():
        rest = rest.replace(old, new)
    if side == "middle":
        return f"mid_block_attentions_0_{rest}" if part == 1 else f"mid_block_resnets_{part // 2}_{rest}"
    # A level's layers follow each other; going down a convolution that makes it smaller comes behind them.
    layers = int(network.config.layers_per_block) + 1  # type: ignore[union-attr, arg-type]
    level, layer = divmod(at - 1 if side == "input" else at, layers)
    blocks = f"{'down' if side == 'input' else 'up'}_blocks_{level}"
    if side == "input" and layer == layers - 1:
        return f"{blocks}_downsamplers_0_{rest.replace('op', 'conv')}"
    if rest == "conv":
        return f"{blocks}_upsamplers_0_conv"
    return f"{blocks}_{'attentions' if part else 'resnets'}_{layer}_{rest}"
