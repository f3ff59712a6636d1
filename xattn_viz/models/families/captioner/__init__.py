"""Models that look at a picture and write: captioners, readers of text and what answers questions about a picture.

These are ViT-GPT2, TrOCR, Donut, BLIP, Pix2Struct (DePlot, MatCha) and Mllama (Llama 3.2 Vision) of transformers.

A small one, `caption-shapes`, lies beside this file, with two built on it that read a hint too (`hinted`). Both have a
text encoder for the hint beside its ViT and a second cross-attention in each layer of the decoder. In the one, both
cross-attentions look at picture and hint as one sequence of keys under one softmax; in the other the first looks at the
picture and the second at the hint. Nothing else is different.

`answer-shapes` answers questions about such scenes and about charts (`answering`).

Other models come from the Hugging Face hub or from a folder that transformers' `save_pretrained` wrote. Code in a
checkpoint is never run.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from xattn_viz.core.maps import MapKind
from xattn_viz.models.base import ModelCard, Option
from xattn_viz.models.engine import KINDS, MOST_BEAMS
from xattn_viz.models.registry import Family
from xattn_viz.shapes.prompts import GREY, HINT

if TYPE_CHECKING:
    from xattn_viz.models.families.captioner.adapter import CaptionerAdapter

#: The architectures, as a checkpoint's config.json names them.
ARCHITECTURES = ("vision-encoder-decoder", "blip", "pix2struct", "mllama")
#: The model that lies in a folder of this name beside this file.
PACKAGED = "caption-shapes"
#: The model that answers questions, whose folder lies there too, and the option that asks.
ANSWERING, QUESTION = "answer-shapes", "question"
#: A parameter that only networks such as its have (`answering.Stem`).
STEM = "encoder.embeddings.patch_embeddings.projection.first.weight"
#: The maps of a model whose answer reads the question, which reads the picture.
QUESTION_KINDS: tuple[MapKind, ...] = ("cross", "text-to-image", "encoder", "decoder")
#: How the words of a caption look at picture and hint.
Join = Literal["concatenated", "separate"]
#: The models that read a hint, by name; the weights of each lie in a folder of that name beside `caption-shapes`.
JOINS: dict[str, Join] = {"hint-concatenated": "concatenated", "hint-separate": "separate"}
#: The parts of the keys.
PICTURE_PART, HINT_PART = "picture", "hint"


#: The card of a model of this family.
card = partial(
    ModelCard,
    family="captioner",
    input_kind="image",
    kinds=KINDS,
    most_beams=MOST_BEAMS,
    can=frozenset(("write", "ablate", "project")),
)


_OURS = partial(
    card,
    licence="MIT",
    credit="xattn_viz, trained on scenes that the repository draws",
    target_language="en",
    knows="shapes",
)
_HINTED = partial(
    _OURS,
    kinds=("cross", "decoder"),
    options=(
        Option(HINT, "Hint", "", "The colour of each shape, such as: the circle is red, the star is blue"),
        Option(GREY, "Shades of grey", False, "The picture without its colours, which only a hint can then tell."),
    ),
    can=frozenset(("write", "ablate", "project", "compare")),
)


def asking(known: ModelCard, usual: str = "") -> ModelCard:
    """The card of a model that is asked a question about its picture, `usual` where nothing is typed."""
    help_text = "What is asked about the picture, such as: what is left of the star?"
    question = Option(QUESTION, "Question", usual, help_text)
    return replace(known, options=(*known.options, question))


CARDS = (
    _OURS(PACKAGED, "Captions of coloured shapes (small ViT-GPT2)"),
    asking(_OURS(ANSWERING, "Answers about shapes and charts (small ViT-GPT2)")),
    *(
        _HINTED(name, f"Captions with a hint, {how}")
        for name, how in zip(JOINS, ("one sequence of keys", "two cross-attentions"), strict=True)
    ),
    card(
        "nlpconnect/vit-gpt2-image-captioning",
        "Captions of photographs (ViT-GPT2)",
        licence="Apache-2.0",
        credit="NLP Connect",
        target_language="en",
        download_mb=982,
    ),
    card(
        "microsoft/trocr-small-printed",
        "Reads a line of print (TrOCR small)",
        licence="see the model's own page",
        credit="Microsoft: Li et al. 2021, TrOCR: Transformer-based Optical Character Recognition with Pre-trained "
        "Models",
        target_language="en",
        download_mb=246,
    ),
    card(
        "Salesforce/blip-image-captioning-base",
        "Captions of photographs (BLIP base)",
        licence="BSD-3-Clause",
        credit="Salesforce: Li et al. 2022, BLIP: Bootstrapping Language-Image Pre-training",
        target_language="en",
        download_mb=990,
    ),
    card(
        "Salesforce/blip-vqa-base",
        "Answers about photographs (BLIP base)",
        licence="BSD-3-Clause",
        credit="Salesforce: Li et al. 2022, BLIP: Bootstrapping Language-Image Pre-training",
        kinds=QUESTION_KINDS,
        at_once=("cross", "text-to-image"),
        target_language="en",
        download_mb=1540,
    ),
    card(
        "google/deplot",
        "Reads a chart into a table (DePlot)",
        licence="Apache-2.0",
        credit="Google: Liu et al. 2023, DePlot: One-shot visual language reasoning by plot-to-table translation",
        target_language="en",
        download_mb=1130,
    ),
    card(
        "naver-clova-ix/donut-base-finetuned-docvqa",
        "Answers about a document (Donut)",
        licence="MIT",
        credit="NAVER Clova: Kim et al. 2021, OCR-free Document Understanding Transformer",
        kinds=("cross", "decoder"),
        download_mb=811,
    ),
    card(
        "naver-clova-ix/donut-base-finetuned-cord-v2",
        "Reads a receipt into fields (Donut)",
        licence="MIT",
        credit="NAVER Clova: Kim et al. 2021, OCR-free Document Understanding Transformer",
        kinds=("cross", "decoder"),
        download_mb=811,
    ),
)


# A name on the hub says somewhere what it is: nlpconnect/vit-gpt2-image-captioning, microsoft/trocr-small-printed.
FAMILY: Family[CaptionerAdapter] = Family(
    __name__,
    CARDS,
    architectures=ARCHITECTURES,
    hub_names=r"trocr|donut|blip|captioning|vit-gpt2|pix2struct|deplot|matcha|llama-3\.2-.*vision",
)
