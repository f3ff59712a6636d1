"""The network of a small model that answers questions about pictures: a ViT behind convolutions, and a GPT-2.

Question and answer are one sequence of the decoder, so that each of their words has a row of cross-attention.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import VisionEncoderDecoderConfig, VisionEncoderDecoderModel

#: Channels after the first and the second of the three strides.
CHANNELS = (24, 48)
#: The file of the weights in a folder.
WEIGHTS = "model.safetensors"


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


def build(config: VisionEncoderDecoderConfig) -> Any:
    """The network of a configuration, at random."""
    return with_stem(VisionEncoderDecoderModel(config))


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


def read(folder: Path) -> Any:
    """The network in a folder that `store` wrote, in float32. Raises what safetensors and torch raise."""
    model = build(VisionEncoderDecoderConfig.from_pretrained(folder))
    wanted = {name for name, _ in model.named_parameters()}
    missing, unexpected = model.load_state_dict(load_file(folder / WEIGHTS), strict=False)
    if wrong := wanted & set(missing) | set(unexpected):
        raise ValueError(f"The weights in {folder.name} do not fit, such as {min(wrong)!r}.")
    return model.float().eval().requires_grad_(False)
