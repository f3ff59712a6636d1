"""Train `answer-shapes`, which answers questions about scenes and charts that the package draws.

    python -m scripts.train.questions [--out FOLDER] [--steps N] [--state FILE] [--minutes M]

A ViT behind convolutions reads the picture, a GPT-2 with cross-attention reads the question and writes the answer, in
one sequence. So that the encoder learns to read before it is asked, a layer that is thrown away afterwards tells at
each place what lies there (`scripts.train.placed_truth`): which part, its word, colour, value, whether it is highest.
So that the decoder learns to look up what a question names before it compares, two more such layers tell, behind its
first and its second layer, where the thing lies that a word names, and how the thing named before lies to it.
A picture is encoded once and asked several questions at once: they are one sequence of the decoder, each apart from
the others by the mask. With --state, all that is needed to go on is kept in that file every five minutes. Weights are
stored in float16 with the evaluation beside them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from transformers import PreTrainedTokenizerFast, ViTImageProcessor

from scripts.train import out_of_distribution, questions_evaluation
from scripts.train import placed_truth as placed
from scripts.train.shared import vit_gpt2, waves, word_tokenizer, write_down
from xattn_viz.models.families.captioner.answering import build, store
from xattn_viz.shapes import Scene
from xattn_viz.shapes.charts import PIXELS, draw_chart, random_chart
from xattn_viz.shapes.questions import SCENE_KINDS, WORDS, ask, draw_things, random_things

SEED, UNSEEN = 17, 1_000_003
BATCH, QUESTIONS, LONGEST = 24, 6, 14
WIDTH, HEADS, READERS, WRITERS = 128, 4, 3, 3
RATE, WARM_UP, STEPS, FALLING = 1e-3, 400, 10_000, 0.2  # the last 20 % of the steps at falling rates
#: From a step on, which share of the pictures are charts, and which kinds of questions are asked about scenes: charts
#: are read first; questions that need two looks come late, and are asked more often then.
COURSE = (
    (0, 0.7, SCENE_KINDS),
    (4050, 0.45, SCENE_KINDS),
    (4850, 0.25, (*SCENE_KINDS, "relation", "relation", "beside", "beside", "count alike", "exists")),
)
HELP = 1.0  # how much the questions about places and names count
FOLLOW_FROM = 6756  # the step from which it is asked where the things are that a question names
WRITTEN = torch.tensor([placed.PARTS.index(part) for part in ("label", "title", "tick")])
KEPT, MEASURED = 300, 500  # seconds between two states; steps between two measurements
FOLDER = Path(__file__).parents[2] / "xattn_viz/models/families/captioner/answer-shapes"


class Pictures(IterableDataset[dict[str, Tensor]]):
    """Batches without end, each of pictures, answers about their places, and questions; `first` is its number."""

    def __init__(self, first: int, seed: int = SEED) -> None:
        self.first, self.seed = first, seed
        self.ids = word_tokenizer(WORDS).get_vocab()

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        torch.set_num_threads(1)
        number = self.first
        while True:
            _, charts, kinds = next(part for part in reversed(COURSE) if number >= part[0])
            yield batch(np.random.default_rng((self.seed, number)), self.ids, charts, kinds)[0]
            number += 1


def batch(
    chance: np.random.Generator,
    ids: dict[str, int],
    charts: float = 0.5,
    kinds: Sequence[str] = SCENE_KINDS,
    size: int = BATCH,
) -> tuple[dict[str, Tensor], list[Any]]:
    """A batch with a share of charts, and what was drawn and asked: (truth, drawing, questions) of each picture.

    `kinds` are those of the questions about scenes, one of them twice as likely if it is named twice.
    """
    made: list[Any] = []
    for _ in range(size):
        one = random_chart(chance) if chance.random() < charts else random_things(chance)
        drawing = draw_things(one) if isinstance(one, Scene) else draw_chart(one)
        about = kinds if isinstance(one, Scene) else ()
        made.append((one, drawing, ask(one, drawing, QUESTIONS, chance, about)))
    told = [placed.truth(one, drawing) for one, drawing, _ in made]
    read = np.zeros((size, QUESTIONS, LONGEST), np.int64)
    wanted = np.full_like(read, placed.NONE)
    followed = np.full((*read.shape, len(placed.FOLLOWED)), placed.NONE)
    for row, (one, _, questions) in enumerate(made):
        for column, question in enumerate(questions):
            words = [ids["<s>"], *(ids[word] for word in f"{question.text} {question.answer}".split()), ids["</s>"]]
            read[row, column, : len(words)] = words
            asked = 1 + len(question.text.split())
            wanted[row, column, asked - 1 : len(words) - 1] = words[asked:]
            if isinstance(one, Scene):
                followed[row, column, 1:asked] = placed.followed(one, question)
    arrays = {
        "pictures": np.stack([drawing.picture for _, drawing, _ in made]),
        "places": np.stack([answers for answers, _ in told]),
        "beside": np.stack([beside for _, beside in told]),
        "read": read,
        "wanted": wanted,
        "followed": followed,
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, made


def untrained(words: PreTrainedTokenizerFast) -> Any:
    """The model before training."""
    config = vit_gpt2(
        words,
        pixels=PIXELS,
        patch=placed.PLACE,
        width=WIDTH,
        heads=HEADS,
        layers=(READERS, WRITERS),
        longest=LONGEST,
        initializer_range=0.04,
    )
    config.decoder.activation_function = "gelu"
    model = build(config)
    with torch.no_grad():
        model.encoder.embeddings.position_embeddings[0, 1:] = 0.5 * waves(placed.SIDE, WIDTH)
    return model


def answered(model: Any, states: Tensor, read: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Logits `[picture, question, token, word]` for ids `[picture, question, token]`, each question by itself.

    And what each layer of the decoder hands to the next, `[picture, question, token, width]`.
    """
    size, count, length = read.shape
    apart = torch.kron(torch.eye(count), torch.ones(length, length).tril()).bool()
    positions = torch.arange(length).repeat(count)[None].expand(size, -1)
    said = model.decoder(
        input_ids=read.flatten(1),
        position_ids=positions,
        attention_mask=apart[None, None].expand(size, 1, -1, -1),
        encoder_hidden_states=states,
        use_cache=False,
        output_hidden_states=True,
    )
    logits, *layers = (state.view(size, count, length, -1) for state in (said.logits, *said.hidden_states[1:-1]))
    return logits, tuple(layers)


def _mean_loss(logits: Tensor, right: Tensor) -> Tensor:
    """The mean loss of the places that were asked; 0 where none was."""
    loss = functional.cross_entropy(logits, right, ignore_index=placed.NONE, reduction="sum")
    return loss / (right >= 0).sum().clamp(1)


class Asker(nn.Module):
    """Asks each place what lies there, and where something does, all that `placed_truth` knows of it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.part = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, len(placed.PARTS))
        self.rest = nn.Linear(WIDTH, sum(placed.ASKED.values()) - len(placed.PARTS) + placed.BESIDE)

    def forward(self, states: Tensor, given: dict[str, Tensor]) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """The loss for states `[picture, place, width]`, and what was answered and wanted, by question."""
        states, wanted = self.norm(states).flatten(0, 1), given["places"].flatten(0, 1)
        said = {"part": (self.part(states).float(), wanted[:, 0])}
        there = wanted[:, 0] > 0  # something lies there
        wanted, so = wanted[there, 1:], given["beside"].flatten(0, 1)[there]
        sizes = [*list(placed.ASKED.values())[1:], placed.BESIDE]
        *parts, beside = torch.split(self.rest(states[there]).float(), sizes, 1)
        said |= {
            name: (part, wanted[:, column])
            for column, (name, part) in enumerate(zip([*placed.ASKED][1:], parts, strict=True))
        }
        losses = [_mean_loss(part, right) for part, right in said.values()]
        # Written words cover far fewer places than the marks that they name, and are read first.
        is_written = torch.isin(said["part"][1][there], WRITTEN)
        losses.append(3 * _mean_loss(said["word"][0], said["word"][1].where(is_written, placed.NONE)))
        known = (so >= 0).float()
        each = functional.binary_cross_entropy_with_logits(beside, so.clamp(0).float(), reduction="none")
        losses.append(4 * (each * known).sum() / known.sum().clamp(1))
        return torch.stack(losses).sum(), {**said, "beside": (beside, so)}


class Follower(nn.Module):
    """Asks words that name things, behind each layer of the decoder but the last, what `placed_truth.followed` knows.

    How two things lie to each other is asked behind the second layer only: the first finds one thing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(WRITERS - 1))
        self.heads = nn.ModuleList(nn.Linear(WIDTH, sum(placed.FOLLOWED.values())) for _ in range(WRITERS - 1))

    def forward(self, layers: Sequence[Tensor], wanted: Tensor) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """The loss for states `[picture, question, token, width]`, and what was answered and wanted, by question."""
        losses, said = [], {}
        for number, (norm, head, states) in enumerate(zip(self.norms, self.heads, layers, strict=True)):
            parts = torch.split(head(norm(states)).float(), [*placed.FOLLOWED.values()], -1)
            for column, (name, part) in enumerate(zip(placed.FOLLOWED, parts, strict=True)):
                if name != "relation" or number:
                    said[f"{name} {number + 1}"] = part.flatten(0, 2), wanted[..., column].flatten()
                    losses.append(_mean_loss(*said[f"{name} {number + 1}"]))
        return torch.stack(losses).sum(), said


def places_right(said: dict[str, tuple[Tensor, Tensor]]) -> dict[str, float]:
    """How many answers about places are right, by question."""
    found = {}
    for name, (part, wanted) in said.items():
        guess = (part > 0).long() if name == "beside" else part.argmax(1)
        if (asked := wanted >= 0).any():
            found[name] = (guess == wanted)[asked].float().mean().item()
    if "part" in said and (is_label := said["part"][1][said["part"][1] > 0] == placed.PARTS.index("label")).any():
        guess, wanted = said["word"][0].argmax(1), said["word"][1]
        found["label"] = (guess == wanted)[is_label].float().mean().item()
    return found


def forward(model: Any, asker: Asker, follower: Follower, given: dict[str, Tensor]) -> tuple[Any, Any, Tensor]:
    """What `Asker` and `Follower` give, and logits of the answers' words `[picture, question, token, word]`."""
    pixels = given["pictures"].permute(0, 3, 1, 2).float() / 127.5 - 1
    states = model.encoder(pixels).last_hidden_state
    logits, layers = answered(model, states, given["read"][:, :, :-1])
    return asker(states[:, 1:], given), follower(layers, given["followed"][:, :, :-1]), logits


@torch.inference_mode()
def accuracy(
    model: Any, asker: Asker, follower: Follower, number: int, ids: dict[str, int], batches: int = 8
) -> dict[str, float]:
    """The share of unseen questions whose answer is right to the last word, by kind; of places and names, by question.

    An answer is right if each of its words, and the end, is the likeliest behind the right ones: then it is what is
    written.
    """
    model.eval()
    found: dict[str, list[float]] = defaultdict(list)
    for turn in range(batches):
        given, made = batch(np.random.default_rng((UNSEEN, number, turn)), ids)
        about, named, logits = forward(model, asker, follower, given)
        wanted = given["wanted"][:, :, :-1]
        right = ((logits.argmax(-1) == wanted) | (wanted == placed.NONE)).all(-1)
        for row, (one, _, questions) in enumerate(made):
            for column, question in enumerate(questions):
                found[f"{getattr(one, 'kind', 'scene')}: {question.kind}"].append(float(right[row, column]))
        for of, said in (("place", about[1]), ("name", named[1])):
            for name, share in places_right(said).items():
                found[f"{of}: {name}"].append(share)
    model.train()
    return {name: round(float(np.mean(found[name])), 3) for name in sorted(found)}


def share_of_rate(step: int, steps: int) -> float:
    """The share of the learning rate: up in a line, level, and down in a line over the last steps."""
    return min((step + 1) / WARM_UP, 1.0, max(0.0, (steps - step) / (FALLING * steps)))


def train(asked: argparse.Namespace, words: PreTrainedTokenizerFast) -> tuple[Any, int, float]:
    """The trained model, the steps it had and the minutes that took."""
    torch.manual_seed(SEED)
    model = untrained(words)
    asker, follower = Asker(), Follower()
    every = nn.ModuleList([model, asker, follower])
    optimizer = torch.optim.AdamW(every.parameters(), lr=RATE, weight_decay=0.02, betas=(0.9, 0.98), fused=True)
    step, spent = 0, 0.0
    if asked.state and asked.state.exists():
        kept = torch.load(asked.state, weights_only=True)
        every.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        step, spent = kept["step"], kept["seconds"]
    ids = words.get_vocab()
    source = iter(DataLoader(Pictures(step), batch_size=None, num_workers=1, prefetch_factor=8))
    began = kept_at = time.monotonic()
    before = spent
    losses: list[tuple[float, float]] = []
    every.train()
    while step < asked.steps and (asked.minutes is None or time.monotonic() - began < 60 * asked.minutes):
        given = next(source)
        for group in optimizer.param_groups:
            group["lr"] = RATE * share_of_rate(step, asked.steps)
        about, named, logits = forward(model, asker, follower, given)
        wanted = given["wanted"][:, :, :-1]
        said = functional.cross_entropy(logits.float().flatten(0, 2), wanted.flatten(), ignore_index=placed.NONE)
        helped = (about[0] + (step >= FOLLOW_FROM) * named[0]) / 4
        optimizer.zero_grad()
        (said + HELP * helped).backward()
        torch.nn.utils.clip_grad_norm_(every.parameters(), 1.0)
        optimizer.step()
        step += 1
        losses.append((said.item(), helped.item()))
        now = time.monotonic()
        spent = before + now - began
        if step % 50 == 0:
            said_now, helped_now = np.mean(losses, 0)
            losses.clear()
            print(f"step {step}: answers {said_now:.3f}, places {helped_now:.3f}, {spent:.0f} s", flush=True)
        if step % MEASURED == 0:
            print(json.dumps({"step": step, **accuracy(model, asker, follower, step, ids)}), flush=True)
        if asked.state and (now - kept_at > KEPT or step == asked.steps):
            keep(asked.state, every, optimizer, step, spent)
            kept_at = now
    if asked.state:
        keep(asked.state, every, optimizer, step, spent)
    return model.eval(), step, spent / 60


def keep(file: Path, every: nn.Module, optimizer: torch.optim.Optimizer, step: int, seconds: float) -> None:
    """Write what is needed to go on, whole or not at all."""
    said = {"model": every.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "seconds": seconds}
    torch.save({**said, "seed": SEED}, file.with_suffix(".new"))
    file.with_suffix(".new").replace(file)


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--minutes", type=float)
    return parser.parse_args(words)


def main() -> None:
    """Train until the steps or the minutes are over, keep the state, store, load what was stored, and measure it."""
    asked = parsed()
    words = word_tokenizer(WORDS)
    model, step, minutes = train(asked, words)
    store(model, asked.out)
    words.save_pretrained(asked.out)
    look = {"size": {"height": PIXELS, "width": PIXELS}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    ViTImageProcessor(**look).save_pretrained(asked.out)
    out_of_distribution.fit_asked(asked.out)
    trained = {"seed": SEED, "steps": step, "pictures": step * BATCH, "minutes": round(minutes, 1)}
    write_down(asked.out, {**trained, **questions_evaluation.measured(asked.out)})


if __name__ == "__main__":
    main()
