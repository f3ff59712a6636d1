"""Models that answer questions: words as rows, maps against eager attention, other pictures, bad input."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ViTImageProcessorPil

import xattn_viz as xv
from scripts.train import out_of_distribution, questions
from scripts.train.shared import word_tokenizer
from tests.checkpoints import spread
from tests.models.families.captioner_folders import picture
from xattn_viz.core.store import load_trace, save
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.families.captioner.answering import AnsweringAdapter, read, store
from xattn_viz.models.registry import rerun
from xattn_viz.shapes import asked, charts
from xattn_viz.shapes.questions import WORDS

TOLERANCE = 1e-5  # float32, the same softmax summed in another order
QUESTION = ("which", "bar", "is", "highest", "?")


def write(folder: Path) -> Path:
    """A small model with random weights, as the training stores it."""
    torch.manual_seed(5)
    words, model = word_tokenizer(WORDS), questions.untrained(word_tokenizer(WORDS))
    spread(model)
    store(model, folder)
    words.save_pretrained(folder)
    ViTImageProcessorPil(
        size={"height": charts.PIXELS, "width": charts.PIXELS}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("answering"))


@pytest.fixture
def adapter(folder: Path) -> AnsweringAdapter:
    loaded = registry.load(folder)
    assert isinstance(loaded, AnsweringAdapter)
    return loaded


def test_each_word_of_question_and_answer_has_the_row_that_read_it_or_chose_it(
    folder: Path, adapter: AnsweringAdapter, tmp_path: Path
) -> None:
    subject = asked.named("bar-2")
    trace = adapter.trace(subject.drawing.picture, question=" Which BAR is highest", kinds=adapter.card.kinds)
    given, ids = len(QUESTION), [step.id for step in trace.steps]
    assert tuple(step.token for step in trace.steps[:given]) == QUESTION
    assert [step.forced for step in trace.steps] == [True] * given + [False] * (len(ids) - given)
    # The oracle: the library's own attention, over the picture as the training sees it, given the very same ids.
    model = read(folder)
    model.set_attn_implementation("eager")
    pixels = torch.from_numpy(subject.drawing.picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        states = model.encoder(pixels).last_hidden_state
        ids_read = torch.tensor([[1, *ids[:-1]]])
        out = model.decoder(ids_read, encoder_hidden_states=states, output_attentions=True)
    for layer, weights in enumerate(out.cross_attentions):
        np.testing.assert_allclose(trace.cross.weights[layer], weights[0].numpy(), atol=TOLERANCE, rtol=0)
    assert trace.cross.weights.std() > 0.25 / 257  # far from even, so that a mix-up would show
    log_probs = out.logits[0].log_softmax(-1)
    written = [int(row.argmax()) for row in log_probs[given:]]
    assert ids[given:] == written  # each the likeliest behind what was read
    sums = sum(float(log_probs[row, token]) for row, token in enumerate(ids) if row >= given)
    (answer,) = trace.answers
    assert answer.probability == pytest.approx(math.exp(sums), rel=1e-3)
    assert (trace.output, answer.text) == (f"which bar is highest? {answer.text}".strip(), adapter.text.plain(written))
    # Row t predicted token t and read the one before it.
    assert trace.cross.read is not None
    names = [trace.cross.read.name(row) for row in range(len(ids))]
    assert names[1:] == [trace.cross.queries.name(row) for row in range(len(ids) - 1)]
    assert names[given] == "?"
    assert trace.cross.keys.grid == (16, 16)
    save(trace, tmp_path / "asked.npz")
    assert load_trace(tmp_path / "asked.npz") == trace == rerun(trace)


def test_an_answer_that_is_given_stands_behind_the_question(adapter: AnsweringAdapter) -> None:
    shown = asked.named("pie-1").drawing.picture
    given = adapter.trace(shown, question="what colour is eva?", target="red")
    assert [step.token for step in given.steps] == ["what", "colour", "is", "eva", "?", "red", "</s>"]
    assert given.answers[0].text == "red"
    begun = adapter.trace(shown, question="what is the title?", prefix="daily")
    assert [step.token for step in begun.steps[:6]] == ["what", "is", "the", "title", "?", "daily"]
    assert begun.answers[0].text.startswith("daily")


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("", "This model answers questions: give one"),
        (" ?? ", "This model answers questions: give one"),
        ("color of the March bar?", "“color” (nearest: “colour”), “march” (nearest: “mar”), which this model does not"),
        ("how many " * 6, "The question has 13 words and signs, and this model reads at most 11."),
        ("how " * 2000, "question has 8,000 characters"),
    ],
)
def test_a_question_that_cannot_be_read_is_told_by_what_is_wrong(
    adapter: AnsweringAdapter, question: str, said: str
) -> None:
    with pytest.raises(InputError) as error:
        adapter.trace(picture(1), question=question)
    assert said in str(error.value)


def test_a_picture_of_another_kind_is_told_by_its_measured_distance(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "model")
    assert "was not measured" in " ".join(xv.load(folder).trace(picture(1), question="how many bars?").remarks)
    monkeypatch.setattr(out_of_distribution, "FITTED", 6)
    monkeypatch.setattr(out_of_distribution, "SET", 2)
    out_of_distribution.fit_asked(tmp_path / "model")
    model = xv.load(tmp_path / "model")
    own = [model.trace(asked.named(f"{kind}-9").drawing.picture, question="how many bars?") for kind in asked.KINDS]
    noise = model.trace(picture(1), question="how many bars?").note("unfamiliar")
    assert sum(trace.note("unfamiliar") is not None for trace in own) <= 1
    assert noise is not None
    assert "coloured shapes and small charts" in noise
    (tmp_path / "model" / "known.npz").write_bytes(b"none")
    with pytest.raises(ModelError, match=r"known\.npz is damaged"):
        xv.load(tmp_path / "model")


def test_a_folder_that_lacks_a_parameter_says_which(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, tmp_path / "model")
    state = load_file(folder / "model.safetensors")
    del state["encoder.layernorm.weight"]
    save_file(state, tmp_path / "model" / "model.safetensors")
    with pytest.raises(ModelError, match=r"do not fit, such as 'encoder\.layernorm\.weight'"):
        xv.load(tmp_path / "model")
