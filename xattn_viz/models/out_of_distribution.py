"""How far a picture lies outside of those that the models of coloured shapes know.

They answer whatever they are shown. What the encoder of `caption-shapes`, a ViT that learned nothing but such scenes,
makes of a picture is summed up as numbers; those of scenes have a mean and directions in which they vary. The distance
is the Mahalanobis distance from that mean (Lee et al. 2018, "A Simple Unified Framework for Detecting
Out-of-Distribution Samples and Adversarial Attacks"), in which all directions but the strongest count alike (Moghaddam
and Pentland 1997, "Probabilistic Visual Learning for Object Representation").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xattn_viz.core.trace import Note
from xattn_viz.models.base import ModelCard

#: Where the model lies whose encoder looks, and beside its weights what it knows.
FOLDER = Path(__file__).parent / "families" / "captioner" / "caption-shapes"
FILE = "known.npz"
#: Of so many scenes in a thousand the distance is at most the limit.
WITHIN = 998

Numbers = NDArray[np.float32]
Picture = NDArray[np.uint8]
Encoder = Callable[[Picture], Numbers]


def summary(states: Numbers) -> Numbers:
    """What the ViT made of a picture, `[position, width]`, in a row: class token, mean and spread of the patches."""
    return np.concatenate([states[0], states[1:].mean(0), states[1:].std(0)])


@dataclass(frozen=True)
class Distribution:
    """The pictures that are known, as the ViT sums them up (`summary`).

    `mean` `[number]`; `directions` `[direction, number]`, of which each gives a number of variance 1; `rest` `[1]`, the
    variance in any direction at right angles to these; `limit` `[1]`, the distance up to which a picture counts as one
    of them.
    """

    mean: Numbers
    directions: Numbers
    rest: Numbers
    limit: Numbers

    @classmethod
    def of(cls, summaries: Numbers, directions: int) -> Distribution:
        """Those of which the summaries `[picture, number]` are, without a limit yet."""
        mean = summaries.mean(0)
        variances, axes = np.linalg.eigh(np.cov(summaries.T.astype(np.float64)))
        kept, rest = slice(len(mean) - directions, None), max(float(variances[:-directions].mean()), 1e-9)
        scaled = (axes[:, kept] / np.sqrt(variances[kept])).T
        return cls(mean, scaled.astype(np.float32), np.array([rest], np.float32), np.array([np.inf], np.float32))

    @classmethod
    def read(cls, file: Path) -> Distribution:
        """Those that `write` stored. Raises OSError or ValueError where the file is missing or damaged."""
        with np.load(file, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name].astype(np.float32) for name in arrays.files})

    def write(self, file: Path) -> None:
        """Store it, in half the bytes where nothing is lost by that."""
        arrays = asdict(self)
        np.savez_compressed(file, **{**arrays, "directions": arrays["directions"].astype(np.float16)})

    def distance(self, states: Numbers) -> float:
        """How far a picture lies from the mean, by what the ViT made of it, `[position, width]`: about 1 at home."""
        away = summary(states) - self.mean
        along = self.directions @ away
        # Each direction is as long as its spread is small, so that what they span of `away` can be taken off.
        spanned = (along / (self.directions**2).sum(1)) @ self.directions
        beside = float(((away - spanned) ** 2).sum()) / float(self.rest[0])
        return float(np.sqrt((float((along**2).sum()) + beside) / len(away)))


class Detector:
    """Says of pictures, as the models see them, whether they are scenes. Threads share it."""

    def __init__(self, encoder: Encoder, known: Distribution, name: str = "coloured shapes on paper") -> None:
        """`name` is what the model knows, for people."""
        self._encoder, self.known, self._name = encoder, known, name

    def states(self, picture: Picture) -> Numbers:
        """What the ViT makes of a picture in its size, `[position, width]`, the class token first."""
        return self._encoder(picture)

    def distance(self, picture: Picture) -> float:
        """How far a picture lies outside, 1 at the limit."""
        return self.known.distance(self.states(picture)) / float(self.known.limit[0])

    def notes(self, picture: Picture) -> tuple[Note, ...]:
        """A sentence about a picture that is no scene; none about one that is."""
        distance = self.distance(picture)
        if distance <= 1:
            return ()
        said = (
            f"This model knows only {self._name}, and this picture is of another kind: to its encoder it "
            f"lies {distance:,.1f} times as far from such pictures as {WITHIN} of 1,000 of them lie at most. What it "
            "answers says nothing about this picture."
        )
        return (Note(said, "unfamiliar"),)


def notes(card: ModelCard, picture: Picture) -> tuple[Note, ...]:
    """A sentence about a picture, as a model sees it, that is no scene where the model knows nothing else."""
    return detector().notes(picture) if card.knows == "shapes" else ()


@cache
def detector() -> Detector:
    """The detector that comes with the package."""
    return Detector(encoder(), Distribution.read(FOLDER / FILE))


def encoder() -> Encoder:
    """The ViT of `caption-shapes`: what it makes of a picture `[96, 96, 3]`, `[position, width]`, class token first."""
    import torch  # what only asks whether a picture was told to be of another kind needs neither
    from transformers import VisionEncoderDecoderModel

    from xattn_viz.models.checkpoint import Checkpoint
    from xattn_viz.models.folder import Folder

    # Not by its name: a root that who serves the app sets need not hold what was installed.
    found = Checkpoint.find(Folder(FOLDER, links_anywhere=True), ("safetensors",))
    vit = found.model(VisionEncoderDecoderModel, found.config(), "eager", dtype=torch.float32).encoder

    def states(picture: Picture) -> Numbers:
        values = torch.from_numpy(picture.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
        with torch.inference_mode():
            made: Numbers = vit(values.to(vit.device)).last_hidden_state[0].cpu().numpy()
        return made

    return states
