from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from scripts.train import placed_truth as placed
from scripts.train import questions as training
from scripts.train import questions_evaluation as evaluation
from scripts.train.shared import word_tokenizer
from xattn_viz.models.families.captioner.answering import read, store
from xattn_viz.shapes import COLOURS, SHAPES
from xattn_viz.shapes.charts import draw_chart, random_chart
from xattn_viz.shapes.questions import NUMBERS, WORDS, ask, draw_things, random_things
from xattn_viz.shapes.scene import RELATIONS


def test_questions_in_one_sequence_are_answered_as_each_by_itself_and_as_stored(tmp_path: Path) -> None:
    torch.manual_seed(0)
    words = word_tokenizer(WORDS)
    model = training.untrained(words).eval()
    given, made = training.batch(np.random.default_rng(0), words.get_vocab(), size=2)
    with torch.inference_mode():
        pixels = given["pictures"].permute(0, 3, 1, 2).float() / 127.5 - 1
        together, _ = training.answered(model, model.encoder(pixels).last_hidden_state, given["read"])
    store(model, tmp_path)
    words.save_pretrained(tmp_path)
    stored = read(tmp_path)
    stored.decoder.set_attn_implementation("eager")  # the library's own attention
    for row, (_, drawing, questions) in enumerate(made):
        for column, question in enumerate(questions):
            asked = 1 + len(question.text.split())
            ids = given["read"][row, column, :asked]
            states = evaluation.seen(stored, drawing)
            with torch.inference_mode():
                alone = stored.decoder(input_ids=ids[None], encoder_hidden_states=states).logits[0]
            # float16 rounds weights by 5e-4 of their size
            torch.testing.assert_close(together[row, column, :asked], alone, atol=0.02, rtol=0.02)
            _, weights = evaluation.answer_of(stored, words, states, question.text)
            assert weights.shape == (training.WRITERS, training.HEADS, placed.SIDE**2)
            assert (weights.sum(-1) <= 1 + 1e-5).all()
            # what is learned: the answer and the end, each at the word before it
            learned = given["wanted"][row, column]
            learned = learned[learned != placed.NONE]
            assert words.convert_ids_to_tokens(learned.tolist()) == [*question.answer.split(), "</s>"]


def test_what_is_asked_of_a_place_is_the_truth_of_the_pixels_there() -> None:
    chance = np.random.default_rng(2)
    names, colours = [*placed.ASKED], [*COLOURS]
    for _ in range(30):
        chart = random_chart(chance)
        drawing = draw_chart(chart)
        answers, beside = placed.truth(chart, drawing)
        assert (beside == -1).all()
        for place, said in enumerate(answers):
            row, column = (8 * number for number in divmod(place, placed.SIDE))
            owner = drawing.owner[row : row + 8, column : column + 8]
            numbers, pixels = np.unique(owner[owner >= 0], return_counts=True)
            if said[0] == 0:
                assert not len(numbers)
            elif said[0] > 0:
                part = drawing.parts[numbers[pixels.argmax()]]
                assert pixels.max() >= 16  # a quarter of 64
                assert placed.PARTS[said[0]] == part.kind
                if part.mark is not None:
                    mark = chart.marks[part.mark]
                    read_there = dict(zip(names, said.tolist(), strict=True))
                    assert placed.READ[read_there["word"]] == mark.label.lower()
                    assert colours[read_there["colour"]] == mark.colour
                    assert NUMBERS[read_there["number"]] == chart.value(mark)
                    high = max(other.tenths for other in chart.marks)
                    assert (read_there["extreme"] == 1) == (mark.tenths == high)


def test_training_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    words, file = word_tokenizer(WORDS), tmp_path / "state.pt"
    asked = training.parsed(["--steps", "1", "--state", str(file)])
    _, step, _ = training.train(asked, words)
    assert step == 1
    asked = training.parsed(["--steps", "2", "--state", str(file)])
    model, step, _ = training.train(asked, words)
    assert step == torch.load(file, weights_only=True)["step"] == 2
    kept = torch.load(file, weights_only=True)["model"]
    torch.testing.assert_close(kept["0.encoder.layernorm.weight"], model.encoder.layernorm.weight.data)


def test_words_that_name_a_thing_are_followed_to_it_and_from_one_to_the_other() -> None:
    chance = np.random.default_rng(3)
    relations = 0
    for _ in range(60):
        scene = random_things(chance)
        for question in ask(scene, draw_things(scene), 6, chance, ("relation", "colour", "exists", "beside")):
            words, answers = question.text.split(), placed.followed(scene, question)
            named = np.flatnonzero(answers[:, 0] != placed.NONE)
            assert all(words[at] in SHAPES for at in named)
            if question.kind in ("relation", "colour"):
                lies_at = [(int(16 * scene.things[i].y), int(16 * scene.things[i].x)) for i in question.about]
                assert [tuple(answers[at, :2]) for at in named] == lies_at
            is_said = " ".join(words[named[0] + 1 : -1]) if question.kind == "relation" else ""
            if question.answer == "yes" and is_said:
                relations += 1
                assert is_said.startswith(RELATIONS[answers[named[1], 2]])
            if question.kind in ("colour", "beside", "exists"):
                assert (answers[:, 2] == placed.NONE).all()
            if question.answer == "no" and question.kind == "exists":
                assert not len(named)
    assert relations > 20
