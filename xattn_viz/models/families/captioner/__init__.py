"""Models that look at a picture and write: captioners and readers of text (ViT-GPT2, TrOCR, Donut, BLIP).

A small one, `caption-shapes`, lies beside this file, with two built on it that read a hint too (`hinted`). Both have a
text encoder for the hint beside its ViT and a second cross-attention in each layer of the decoder. In the one, both
cross-attentions look at picture and hint as one sequence of keys under one softmax; in the other the first looks at the
picture and the second at the hint. Nothing else is different.

Other models come from the Hugging Face hub or from a folder that transformers' `save_pretrained` wrote. Code in a
checkpoint is never run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from xattn_viz.core.maps import MapKind
from xattn_viz.models.base import Capability, ModelCard, Option
from xattn_viz.models.family import Family
from xattn_viz.shapes.prompts import GREY, HINT

if TYPE_CHECKING:
    from xattn_viz.models.families.captioner.adapter import CaptionerAdapter

KINDS: tuple[MapKind, ...] = ("cross", "encoder", "decoder")
#: More would take memory and show little.
MOST_BEAMS = 16
#: The architectures, as a checkpoint's config.json names them.
ARCHITECTURES = ("vision-encoder-decoder", "blip")
#: The model that lies in a folder of this name beside this file.
PACKAGED = "caption-shapes"
#: How the words of a caption look at picture and hint.
Join = Literal["concatenated", "separate"]
#: The models that read a hint, by name; the weights of each lie in a folder of that name beside `caption-shapes`.
JOINS: dict[str, Join] = {"hint-concatenated": "concatenated", "hint-separate": "separate"}
#: The parts of the keys.
PICTURE_PART, HINT_PART = "picture", "hint"


def card(
    name: str,
    title: str,
    licence: str = "see the model's own page or folder",
    credit: str = "the authors of the checkpoint",
    language: str | None = None,
    *,
    kinds: tuple[MapKind, ...] = KINDS,
    options: tuple[Option, ...] = (),
    download_mb: int | None = None,
    knows: Literal["anything", "shapes"] = "anything",
) -> ModelCard:
    """The card of a model of this family; `language` is the one that it writes."""
    can: set[Capability] = {"write", "ablate", "project"}
    return ModelCard(
        name,
        title,
        "captioner",
        licence,
        credit,
        None,
        language,
        "image",
        kinds,
        options,
        download_mb,
        MOST_BEAMS,
        can=frozenset(can | ({"compare"} if options else set())),
        knows=knows,
    )


_OURS = ("MIT", "xattn_viz, trained on scenes that the repository draws", "en")
_WITH_A_HINT = (
    Option(HINT, "Hint", "", "The colour of each shape, such as: the circle is red, the star is blue"),
    Option(GREY, "Shades of grey", False, "The picture without its colours, which only a hint can then tell."),
)

CARDS = (
    card(PACKAGED, "Captions of coloured shapes (small ViT-GPT2)", *_OURS, knows="shapes"),
    *(
        card(
            name,
            f"Captions with a hint, {how}",
            *_OURS,
            kinds=("cross", "decoder"),
            options=_WITH_A_HINT,
            knows="shapes",
        )
        for name, how in zip(JOINS, ("one sequence of keys", "two cross-attentions"), strict=True)
    ),
    card(
        "nlpconnect/vit-gpt2-image-captioning",
        "Captions of photographs (ViT-GPT2)",
        "Apache-2.0",
        "NLP Connect",
        "en",
        download_mb=982,
    ),
    card(
        "microsoft/trocr-small-printed",
        "Reads a line of print (TrOCR small)",
        "see the model's own page",
        "Microsoft: Li et al. 2021, TrOCR: Transformer-based Optical Character Recognition with Pre-trained Models",
        "en",
        download_mb=246,
    ),
    card(
        "Salesforce/blip-image-captioning-base",
        "Captions of photographs (BLIP base)",
        "BSD-3-Clause",
        "Salesforce: Li et al. 2022, BLIP: Bootstrapping Language-Image Pre-training",
        "en",
        download_mb=990,
    ),
    card(
        "naver-clova-ix/donut-base-finetuned-cord-v2",
        "Reads a receipt into fields (Donut)",
        "MIT",
        "NAVER Clova: Kim et al. 2021, OCR-free Document Understanding Transformer",
        kinds=("cross", "decoder"),
        download_mb=811,
    ),
)


# A name on the hub says somewhere what it is: nlpconnect/vit-gpt2-image-captioning, microsoft/trocr-small-printed.
FAMILY: Family[CaptionerAdapter] = Family(
    __name__, CARDS, architectures=ARCHITECTURES, hub_names="trocr|donut|blip|captioning|vit-gpt2"
)
