"""How often a scene is taken for a picture of another kind, and such a picture for a scene: the docs' tables.

    python -m benchmarks.out_of_distribution [FOLDER ...]

Scenes come in all the ways of `scripts.train.out_of_distribution`, from another seed. Pictures of other kinds are drawn
here by chance, but for photographs and paintings, which are those of scikit-image, scikit-learn and matplotlib where
they are installed (they are in `benchmarks/requirements.txt`), and all that lie in the folders given: the docs' table
has those of Debian's packages lomiri-wallpapers-16.04 and -20.04, mate-backgrounds, plasma-workspace-wallpapers and
ukui-wallpapers.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from scripts.train.out_of_distribution import OWN, Picture, Random, by_hand, jpeg, seen
from xattn_viz.inputs import InputError, images
from xattn_viz.models import out_of_distribution
from xattn_viz.shapes import Scene, draw
from xattn_viz.shapes.scene import PAPER

SEED, COUNT, CROPS = 90_021, 500, 4
#: Where packages have pictures.
SHIPPED = {"skimage": "data", "sklearn": "datasets/images", "matplotlib": "mpl-data/sample_data"}
_SIDE = 400  # pixels: larger files are read smaller


def files(folders: list[str]) -> Iterator[Picture]:
    """Every picture file of the packages and folders."""
    found = [Path(folder) for folder in folders]
    for package, folder in SHIPPED.items():
        spec = importlib.util.find_spec(package)
        found += [Path(spec.origin).parent / folder] if spec and spec.origin else []
    for path in sorted(path for folder in found for path in folder.rglob("*.*")):
        if path.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif"):
            continue
        try:
            picture = Image.fromarray(images.read(path).pixels)
        except InputError as error:
            print(f"{path}: {error}", file=sys.stderr)
            continue
        picture.thumbnail((_SIDE, _SIDE))
        yield np.asarray(picture)


def crop(picture: Picture, random: Random) -> Picture:
    """A square part of a picture, by chance."""
    rows, columns = picture.shape[:2]
    side = max(1, int(min(rows, columns) * random.uniform(0.3, 0.9)))
    top, left = random.integers(rows - side + 1), random.integers(columns - side + 1)
    return picture[top : top + side, left : left + side]


def _colour(random: Random, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in random.integers(low, high, 3))
    return red, green, blue


def noise(random: Random) -> Picture:
    """Every pixel by chance, all over the range or a little around the paper."""
    if random.random() < 0.5:
        return random.integers(0, 256, (96, 96, 3), dtype=np.uint8)
    around = np.array(PAPER) + random.normal(0, random.uniform(8, 40), (96, 96, 3))
    return around.clip(0, 255).astype(np.uint8)


def gradient(random: Random) -> Picture:
    """From one colour to another in any direction."""
    angle, place = random.uniform(0, 2 * np.pi), np.linspace(-0.5, 0.5, 96)
    share = (np.add.outer(np.sin(angle) * place, np.cos(angle) * place) + 0.5).clip(0, 1)[..., None]
    one, other = np.array(_colour(random)), np.array(_colour(random))
    return np.asarray(one * (1 - share) + other * share, np.uint8)


def page(random: Random) -> Picture:
    """Lines of letters on white, as many as there are."""
    picture = Image.new("RGB", (600, 800), (255, 255, 255))
    pen, size = ImageDraw.Draw(picture), float(random.uniform(14, 40))
    for line in range(int(random.integers(1, int(700 / (1.4 * size))))):
        letters = "".join(" abcdefghijklmnopqrstuvwxyz"[i] for i in random.integers(0, 27, 60))
        pen.text((30, 30 + 1.4 * size * line), letters, fill=(20, 20, 20), font=ImageFont.load_default(size))
    return np.asarray(picture)


def screenshot(random: Random) -> Picture:
    """A bar, a side panel, lines of text and buttons."""
    picture = Image.new("RGB", (1280, 800), _colour(random, 200))
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(18)
    pen.rectangle((0, 0, 1280, 60), fill=_colour(random))
    pen.rectangle((0, 60, int(random.integers(100, 300)), 800), fill=_colour(random, 180, 250))
    for _ in range(random.integers(5, 25)):
        at = (int(random.integers(300, 900)), int(random.integers(80, 780)))
        pen.text(at, "Lorem ipsum dolor sit amet", "black", font)
    for _ in range(random.integers(1, 5)):
        x, y = (int(value) for value in random.integers((300, 80), (1_000, 600)))
        width, height = (int(value) for value in random.integers((60, 30), (250, 150)))
        pen.rounded_rectangle((x, y, x + width, y + height), 8, fill=_colour(random))
    return np.asarray(picture)


def drawing(random: Random) -> Picture:
    """Strokes of a pen on paper."""
    picture = Image.new("RGB", (300, 300), PAPER)
    for _ in range(random.integers(3, 25)):
        points = [(int(x), int(y)) for x, y in random.integers(0, 300, (random.integers(2, 6), 2))]
        ImageDraw.Draw(picture).line(points, _colour(random, 0, 160), int(random.integers(1, 9)))
    return np.asarray(picture)


def chart(random: Random) -> Picture:
    """Bars between two axes."""
    picture, count, ink = Image.new("RGB", (400, 300), (255, 255, 255)), int(random.integers(4, 12)), _colour(random)
    pen, wide = ImageDraw.Draw(picture), 330 / count
    pen.line((40, 20, 40, 260, 380, 260), fill=(0, 0, 0), width=2)
    for bar in range(count):
        high = 260 - int(random.integers(20, 220))
        pen.rectangle((50 + bar * wide, high, 50 + (bar + 0.7) * wide, 260), fill=ink)
    return np.asarray(picture)


#: Pictures of other kinds that can be made by chance.
OTHER: Mapping[str, Callable[[Random], Picture]] = {
    "noise, strong or a little around the paper": noise,
    "gradients": gradient,
    "pages of text": page,
    "screenshots": screenshot,
    "line drawings": drawing,
    "bar charts": chart,
    "one colour": lambda random: np.full((96, 96, 3), _colour(random), np.uint8),
    "shapes on dark paper": lambda random: draw(Scene(by_hand(random).things, paper=(20, 22, 28))),
    "four to six shapes": lambda random: draw(
        Scene(tuple(thing for _ in range(random.integers(4, 7)) for thing in by_hand(random).things[:1]))
    ),
}


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    random, detector = np.random.default_rng(SEED), out_of_distribution.detector()
    print(f"| {COUNT} scenes each | taken for another kind | distance, median | largest |\n|---|---:|---:|---:|")
    for name, make in OWN.items():
        far = np.array([detector.distance(seen(make(random))) for _ in range(COUNT)])
        print(f"| {name} | {(far > 1).mean():.1%} | {np.median(far):.2f} | {far.max():.2f} |", flush=True)
    print("\n| other pictures | how many | taken for scenes | distance, median | smallest |\n|---|---:|---:|---:|---:|")
    shipped = list(files(sys.argv[1:]))
    kinds: dict[str, list[Picture]] = {
        "photographs, paintings, micrographs": shipped,
        "parts of them": [crop(picture, random) for picture in shipped for _ in range(CROPS)],
        "the same as JPEG of quality 30, grey": [
            np.repeat(jpeg(picture, 30).mean(2, keepdims=True), 3, 2).astype(np.uint8) for picture in shipped
        ],
    }
    for name, make in OTHER.items():
        kinds[name] = [make(random) for _ in range(COUNT)]
    for name, pictures in kinds.items():
        far = np.array([detector.distance(seen(picture)) for picture in pictures])
        missed = f"{(far <= 1).mean():.1%} | {np.median(far):.1f} | {far.min():.2f}"
        print(f"| {name} | {len(far)} | {missed} |", flush=True)


if __name__ == "__main__":
    main()
