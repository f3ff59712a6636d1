"""Fit what the models of coloured shapes count as pictures of their kind, by the encoder of `caption-shapes`.

    python -m scripts.train.out_of_distribution

Scenes in all the ways in which they come: by chance as in training, placed by hand as on the easel, where they may lie
over each other, in grey, as JPEG, and of other sizes. The limit is set on pictures that were not fitted.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from scripts.train.captioner import PIXELS
from xattn_viz.models.out_of_distribution import FILE, FOLDER, WITHIN, Distribution, encoder, summary
from xattn_viz.shapes import COLOURS, SHAPES, Scene, Thing, draw
from xattn_viz.shapes.scene import in_grey, random_scene
from xattn_viz.shapes.sentence import RADII

SEED, FITTED, SET = 21, 300, 300
DIRECTIONS = 48

Picture = NDArray[np.uint8]
Random = np.random.Generator


def by_hand(random: Random) -> Scene:
    """A scene as it may be made on the easel: one to three things anywhere, also over each other."""
    return Scene(tuple(_thing(random) for _ in range(random.integers(1, 4))))


def _thing(random: Random) -> Thing:
    radius = list(RADII.values())[random.integers(len(RADII))]
    x, y = (float(value) for value in random.uniform(radius + 0.01, 0.99 - radius, 2))
    return Thing(list(COLOURS)[random.integers(len(COLOURS))], SHAPES[random.integers(len(SHAPES))], x, y, radius)


def jpeg(picture: Picture, quality: int) -> Picture:
    """A picture as it comes back from a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def stretched(picture: Picture, width: int, height: int) -> Picture:
    """A picture in another size and form."""
    return np.asarray(Image.fromarray(picture).resize((width, height)))


def few_colours(picture: Picture) -> Picture:
    """A picture as it comes back from a GIF of 16 colours."""
    return np.asarray(Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE, colors=16).convert("RGB"))


#: The ways in which scenes come, each with a picture of its kind by chance.
OWN: Mapping[str, Callable[[Random], Picture]] = {
    "as in training": lambda random: draw(random_scene(random)),
    "placed by hand, also over each other": lambda random: draw(by_hand(random)),
    "in shades of grey": lambda random: in_grey(draw(by_hand(random))),
    "JPEG of quality 20 to 90, 96 × 96": lambda random: jpeg(draw(by_hand(random)), int(random.integers(20, 91))),
    "JPEG of quality 20 to 90, up to 600 × 600": lambda random: jpeg(
        draw(by_hand(random), int(random.integers(100, 601))), int(random.integers(20, 91))
    ),
    "grey JPEG, 200 × 200": lambda random: in_grey(jpeg(draw(by_hand(random), 200), 50)),
    "from 40 × 40 pixels": lambda random: draw(by_hand(random), 40),
    "stretched to 3 : 2": lambda random: stretched(draw(by_hand(random), 200), 300, 200),
    "GIF of 16 colours": lambda random: few_colours(draw(by_hand(random), 200)),
    "on white paper": lambda random: draw(replace(by_hand(random), paper=(255, 255, 255))),
}


def pictures(count: int, random: Random) -> Iterator[Picture]:
    """So many pictures of each kind, in the size in which models see them."""
    for make in OWN.values():
        for _ in range(count):
            yield seen(make(random))


def seen(picture: Picture) -> Picture:
    """A picture as the models of coloured shapes see it."""
    return np.asarray(Image.fromarray(picture).resize((PIXELS, PIXELS), Image.Resampling.BILINEAR))


def main() -> None:
    """Fit the mean and the directions, set the limit, and store them."""
    torch.set_num_threads(1)
    random, states = np.random.default_rng(SEED), encoder()
    known = Distribution.of(np.stack([summary(states(picture)) for picture in pictures(FITTED, random)]), DIRECTIONS)
    distances = [known.distance(states(picture)) for picture in pictures(SET, random)]
    limit = np.quantile(distances, WITHIN / 1_000)
    replace(known, limit=np.array([limit], np.float32)).write(FOLDER / FILE)
    print(f"limit {limit:.3f}, median {np.median(distances):.3f} of {len(distances):,} pictures")


if __name__ == "__main__":
    main()
