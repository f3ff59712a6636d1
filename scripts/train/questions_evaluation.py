"""What a model that answers questions can do, on pictures that it has never seen, apart by kind of question.

Also how much it knows without the picture (of another picture instead), and where its answers look.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoTokenizer

from scripts.train.placed_truth import owners
from xattn_viz.models.families.captioner.answering import read
from xattn_viz.shapes.charts import CHART_KINDS, Drawing, draw_chart, random_chart
from xattn_viz.shapes.questions import Question, ask, draw_things, random_things

UNSEEN, COUNT, QUESTIONS, MOST_WORDS = 1_000_033, 300, 8, 4


@dataclass(frozen=True)
class Asked:
    """A picture of a kind, a scene's being "scene", and the questions asked about it."""

    kind: str
    drawing: Drawing
    questions: list[Question]


def unseen(count: int = COUNT) -> list[Asked]:
    """So many pictures of each kind, always the same."""
    chance, found = np.random.default_rng(UNSEEN), list[Asked]()
    for _ in range(count):
        scene = random_things(chance)
        drawing = draw_things(scene)
        found.append(Asked("scene", drawing, ask(scene, drawing, QUESTIONS, chance)))
        for kind in CHART_KINDS:
            chart = random_chart(chance, kind)
            drawing = draw_chart(chart)
            found.append(Asked(kind, drawing, ask(chart, drawing, QUESTIONS, chance)))
    return found


def measured(folder: Path, count: int = COUNT) -> dict[str, Any]:
    """Accuracy by kind of picture and of question, the same with another picture, and the pointing of each head."""
    model, words = read(folder), AutoTokenizer.from_pretrained(folder)
    model.decoder.set_attn_implementation("eager")
    right, blind, every = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list), unseen(count)
    hits, areas = defaultdict[str, list[NDArray[np.bool_]]](list), defaultdict[str, list[float]](list)
    others = {id(one): other for one, other in zip(every, [*every[4:], *every[:4]], strict=True)}  # of the same kind
    for one in every:
        states, other = (seen(model, each.drawing) for each in (one, others[id(one)]))
        where = owners(one.drawing)
        for question in one.questions:
            answer, weights = answer_of(model, words, states, question.text)
            is_right = answer == question.answer
            is_known = answer_of(model, words, other, question.text)[0] == question.answer
            own, every_one = f"{one.kind}: {question.kind}", "scenes" if one.kind == "scene" else "charts"
            for name in (own, every_one):
                right[name].append(is_right)
                blind[name].append(is_known)
            places = {
                own: question.about,
                every_one: question.about,
                f"{own}, or its label": _with_labels(one, question),
            }
            for name, parts in places.items():
                inside = np.isin(where, parts)
                if is_right and inside.any():
                    hits[name].append(inside[weights.argmax(-1)])
                    areas[name].append(float(inside.mean()))
    heads = {name: _best_head(found) for name, found in hits.items()}
    return {
        "unseen_pictures_of_each_kind": count,
        "right": _means(right),
        "right_with_another_picture": _means(blind),
        "pointing": {name: {**heads[name], "area": round(float(np.mean(areas[name])), 3)} for name in sorted(heads)},
    }


def _with_labels(one: Asked, question: Question) -> tuple[int, ...]:
    """The parts that a chart's colour is asked of, and the labels of these: reading one, an encoder may carry it there.

    None for other questions, which are about labels too where there are any.
    """
    if question.kind != "colour" or one.kind in ("scene", "line"):
        return ()
    marks = {one.drawing.parts[number].mark for number in question.about}
    labels = (number for number, part in enumerate(one.drawing.parts) if part.kind == "label" and part.mark in marks)
    return (*question.about, *labels)


def _best_head(hits: list[NDArray[np.bool_]]) -> dict[str, Any]:
    """The head, numbers from 1, that is inside most often in every second answer; and how often it is in the others."""
    chosen_on = np.mean(hits[::2], 0)
    layer, head = np.unravel_index(chosen_on.argmax(), chosen_on.shape)
    return {"head": [int(layer) + 1, int(head) + 1], "inside": round(float(np.mean(hits[1::2], 0)[layer, head]), 3)}


def _means(found: dict[str, list[float]]) -> dict[str, float]:
    return {name: round(float(np.mean(found[name])), 3) for name in sorted(found)}


@torch.inference_mode()
def seen(model: Any, drawing: Drawing) -> Tensor:
    """What the encoder makes of a picture, `[1, position, width]`."""
    pixels = torch.from_numpy(drawing.picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    states: Tensor = model.encoder(pixels).last_hidden_state
    return states


@torch.inference_mode()
def answer_of(model: Any, words: Any, states: Tensor, question: str) -> tuple[str, NDArray[np.float32]]:
    """The answer, its likeliest word one after the other, and where its first looked, `[layer, head, place]`.

    That is the row that chose it, over the places without the position that stands for all.
    """
    ids = words(question).input_ids[:-1]
    asked, weights = len(ids), np.zeros(0, np.float32)
    while len(ids) < asked + MOST_WORDS:
        made = model.decoder(
            input_ids=torch.tensor([ids]),
            encoder_hidden_states=states,
            use_cache=False,
            output_attentions=len(ids) == asked,
        )
        if len(ids) == asked:
            weights = torch.stack(made.cross_attentions)[:, 0, :, -1, 1:].numpy()
        chosen = int(made.logits[0, -1].argmax())
        if chosen == words.eos_token_id:
            break
        ids.append(chosen)
    return " ".join(words.convert_ids_to_tokens(ids[asked:])), weights
