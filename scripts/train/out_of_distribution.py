"""Fit what the models of coloured shapes count as pictures of their kind, by the encoder of `caption-shapes`.

    python -m scripts.train.out_of_distribution

Of a model that answers questions (`scripts.train.questions`), with its folder behind: by its own encoder, of scenes and
charts as it was trained on.

    python -m scripts.train.out_of_distribution FOLDER

Scenes in all the ways in which they come: by chance as in training, placed by hand as on the easel, where they may lie
over each other, in grey, as JPEG, and of other sizes. The limit is set on pictures that were not fitted.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from scripts.train.captioner import PIXELS
from xattn_viz.models.checkpoint import Checkpoint
from xattn_viz.models.families.captioner import answering
from xattn_viz.models.folder import Folder
from xattn_viz.models.out_of_distribution import FILE, FOLDER, WITHIN, Distribution, Encoder, encoder, summary
from xattn_viz.models.preprocessor import Preprocessor, processor
from xattn_viz.shapes import COLOURS, SHAPES, Scene, Thing, charts, draw
from xattn_viz.shapes.charts import CHART_KINDS, draw_chart, random_chart
from xattn_viz.shapes.questions import draw_things, random_things
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


def asked_about(count: int, random: Random) -> Iterator[Picture]:
    """So many scenes, and so many charts of each kind, in each of the ways in which they come: as drawn, and worse."""
    ways: tuple[Callable[[Picture], Picture], ...] = (
        lambda picture: picture,
        lambda picture: jpeg(picture, int(random.integers(40, 91))),
        lambda picture: stretched(picture, 300, 200),
    )
    for kind in (None, *CHART_KINDS):
        for way in ways:
            for _ in range(count):
                drawing = draw_things(random_things(random)) if kind is None else draw_chart(random_chart(random, kind))
                yield stretched(way(drawing.picture), charts.PIXELS, charts.PIXELS)


def fit(states: Encoder, every: Callable[[int, Random], Iterator[Picture]], file: Path) -> None:
    """Fit the mean and the directions of pictures as an encoder sees them, set the limit on others, and store them."""
    random = np.random.default_rng(SEED)
    known = Distribution.of(np.stack([summary(states(picture)) for picture in every(FITTED, random)]), DIRECTIONS)
    distances = [known.distance(states(picture)) for picture in every(SET, random)]
    limit = np.quantile(distances, WITHIN / 1_000)
    replace(known, limit=np.array([limit], np.float32)).write(file)
    print(f"limit {limit:.3f}, median {np.median(distances):.3f} of {len(distances):,} pictures")


def fit_asked(folder: Path) -> None:
    """Fit what the model in a folder counts as pictures of its kind, and store it beside the weights."""
    found = Checkpoint.find(Folder(folder), ("safetensors",))
    fit(answering.encoder(answering.read(found), Preprocessor(processor(found))), asked_about, folder / FILE)


def main() -> None:
    """Fit the pictures of `caption-shapes`, or those of the model in the folder that the command line names."""
    torch.set_num_threads(1)
    if sys.argv[1:]:
        fit_asked(Path(sys.argv[1]))
    else:
        fit(encoder(), pictures, FOLDER / FILE)


if __name__ == "__main__":
    main()
