"""Whatever people have in hand: each kind reads as the file of it does, and what could be two things is refused."""

from __future__ import annotations

import array
import doctest
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from tests.sounds import chirp, wave_file
from xattn_viz import inputs
from xattn_viz.inputs import InputError, audio, images, text
from xattn_viz.inputs.audio import RATE, Sound
from xattn_viz.shapes import Scene, Thing, draw

TONE = chirp(RATE)
WHOLE = (TONE * 32767).astype(np.int16)
FILE = wave_file(WHOLE)
STEREO = np.stack([TONE, TONE / 2])
RGB = np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8)
SCENE = Scene((Thing("red", "circle", 0.3, 0.5, 0.2),))
MODULES = [audio, images, text, inputs, text]


def png(picture: Any) -> bytes:
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_examples_run(module: Any) -> None:
    assert doctest.testmod(module).failed == 0


class Unseekable(io.BytesIO):
    """A pipe, say."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: Any) -> int:
        raise io.UnsupportedOperation


def at_its_end(data: bytes) -> io.BytesIO:
    """A file that was just written into memory."""
    file = io.BytesIO()
    file.write(data)
    return file


def decoder(samples: Any, rate: int) -> Any:
    """As newer datasets of Hugging Face hold a sound (torchcodec)."""
    return SimpleNamespace(get_all_samples=lambda: SimpleNamespace(data=torch.from_numpy(samples), sample_rate=rate))


SOUNDS: dict[str, Callable[[Path], tuple[Any, ...]]] = {
    "path as text": lambda path: (str(path),),
    "path": lambda path: (path,),
    "bytes": lambda _: (FILE,),
    "bytearray": lambda _: (bytearray(FILE),),
    "memoryview": lambda _: (memoryview(FILE),),
    "memoryview with steps": lambda _: (memoryview(bytes(byte for byte in FILE for _ in range(2)))[::2],),
    "file in memory, at its end": lambda _: (at_its_end(FILE),),
    "stream without a way back": lambda _: (Unseekable(FILE),),
    "float64": lambda _: (TONE.astype(np.float64), RATE),
    "float16": lambda _: (TONE.astype(np.float16), RATE),
    "the other byte order": lambda _: (TONE.astype(">f4"), RATE),
    "int16": lambda _: (WHOLE, RATE),
    "int32": lambda _: (WHOLE.astype(np.int32) << 16, RATE),
    "uint8": lambda _: (np.uint8(np.rint(TONE * 127) + 128), RATE),
    "list": lambda _: (TONE.tolist(), RATE),
    "tuple": lambda _: (tuple(TONE.tolist()), RATE),
    "array of the library": lambda _: (array.array("f", TONE.tolist()), RATE),
    "tensor": lambda _: (torch.from_numpy(TONE), RATE),
    "tensor with gradients": lambda _: (torch.from_numpy(TONE).requires_grad_(), torch.tensor(RATE)),
    "tensor of bfloat16": lambda _: (torch.from_numpy(TONE).bfloat16(), RATE),
    "[channel, sample]": lambda _: (np.stack([TONE, TONE]), RATE),
    "[sample, channel]": lambda _: (np.stack([TONE, TONE], axis=1), RATE),
    "[1, sample]": lambda _: (TONE[None], RATE),
    "of scipy": lambda _: ((RATE, WHOLE),),
    "of soundfile": lambda _: ((TONE, float(RATE)),),
    "of datasets": lambda _: ({"path": "gone.wav", "array": TONE, "sampling_rate": RATE},),
    "of a pipeline": lambda _: ({"raw": TONE, "sampling_rate": RATE}, RATE),
    "bytes of datasets": lambda _: ({"bytes": FILE, "path": "gone.wav"},),
    "path of datasets": lambda path: ({"bytes": None, "path": str(path)},),
    "decoder of datasets": lambda _: (decoder(TONE[None], RATE),),
    "sound": lambda _: (Sound(TONE), RATE),
}


@pytest.mark.parametrize("kind", SOUNDS)
def test_every_kind_of_sound_reads_as_its_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(FILE)
    sound = audio.read(*SOUNDS[kind](path))
    coarse = 1 / 100 if kind in ("uint8", "tensor of bfloat16") else 1 / 1000
    np.testing.assert_allclose(sound.samples, TONE, atol=coarse)
    assert sound.notes == ()


def test_an_open_file_stays_open_and_reads_twice(tmp_path: Path) -> None:
    (tmp_path / "tone.wav").write_bytes(FILE)
    (tmp_path / "picture.png").write_bytes(png(RGB))
    with (tmp_path / "tone.wav").open("rb") as file:
        for _ in range(2):
            assert len(audio.read(file).samples) == len(TONE)
    with (tmp_path / "picture.png").open("rb") as file:
        for _ in range(2):
            np.testing.assert_array_equal(images.read(file).pixels, RGB)


def test_channels_of_an_array_are_averaged_as_those_of_a_file() -> None:
    for given in ((STEREO, RATE), (STEREO.T, RATE), (wave_file(STEREO.T.copy(), channels=2, kind=3),)):
        np.testing.assert_allclose(audio.read(*given).samples, 0.75 * TONE, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((TONE,), r"model\.trace\(samples, sampling_rate=16000\)"),
        ((torch.from_numpy(TONE),), r"sampling_rate=16000"),
        (({"array": TONE},), r"sampling_rate=16000"),
        ((STEREO,), r"sampling_rate=16000"),
        ((np.zeros((2, 2)), RATE), r"\(2, 2\) could be .*mean\(axis=0\)"),
        ((np.zeros((30, 60)), RATE), "could be"),
        ((np.zeros((200, 300)), RATE), "could be"),
        ((np.zeros((2, 3, 4)), RATE), r"\(2, 3, 4\)"),
        ((np.float32(0.5), RATE), r"shape of \(\)"),
        (([], RATE), "There are no samples"),
        ((np.zeros((2, 0)), RATE), "There are no samples"),
        ((np.where(np.arange(9999) == 7, np.nan, 0), RATE), "NaN or infinity"),
        ((np.where(np.arange(9999) == 7, np.inf, 0), RATE), "NaN or infinity"),
        ((np.full(9999, 1e300), RATE), "NaN or infinity"),
        ((TONE * 10, RATE), "reach 5, and full scale is 1"),
        ((WHOLE.astype(np.float32), RATE), "full scale is 1"),
        ((WHOLE.tolist(), RATE), r"int64.*np\.asarray\(samples, np\.int16\)"),
        ((WHOLE.astype(np.uint16), RATE), "uint16"),
        ((TONE.astype(complex), RATE), "complex128"),
        ((TONE > 0, RATE), "bool"),
        ((["one.wav", "two.wav"],), "one file at a time.*trace_many"),
        (([FILE, FILE],), "one file at a time"),
        (([[0.1, 0.2], [0.3]], RATE), "equally long"),
        (([object()], RATE), "object"),
        ((TONE, 0), "got 0"),
        ((TONE, "16000"), "got '16000'"),
        ((TONE, True), "got True"),
        ((TONE, float("nan")), "got nan"),
        ((TONE, 16000.5), r"got 16000\.5"),
        (({"array": TONE, "sampling_rate": 8000}, RATE), "8000 samples a second"),
        ((FILE, RATE), "leave sampling_rate away"),
        (({},), '"array" and "sampling_rate", "bytes" or "path"'),
        (({"bytes": None, "path": None},), '"bytes" or "path"'),
        ((SimpleNamespace(get_all_samples=lambda: 1 / 0),), "cannot be decoded"),
        ((None,), "got NoneType"),
        ((3,), "got int"),
        ((iter([0.1]), RATE), "got list_iterator"),
        (("https://example.org/talk.wav",), "is an address, and nothing is fetched"),
        (("data:audio/wav;base64,UklGR",), "is an address"),
        ((Path("https://example.org/talk.wav"),), "is an address"),
        (("\0",), "no name of a file"),
        (("\ud800.wav",), "no name of a file"),
        (("",), "path is empty"),
        (("x" * 5000,), "cannot be read"),
        (("/",), "Is a directory"),
        ((io.StringIO("RIFF"),), r"open\(path, \"rb\"\)"),
    ],
)
def test_what_is_no_sound_or_could_be_two_is_refused_in_a_sentence(given: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        audio.read(*given)
    assert len(str(caught.value)) < 300
    assert str(caught.value).count(". ") == 0


def test_a_file_that_is_closed_or_only_written_to_is_named(tmp_path: Path) -> None:
    file = (tmp_path / "a.wav").open("wb")
    with pytest.raises(InputError, match="open file cannot be read"):
        audio.read(file)
    file.close()
    with pytest.raises(InputError, match="open file cannot be read"):
        images.read(file)


def test_an_array_is_bounded_before_anything_is_made_of_it() -> None:
    with pytest.raises(InputError, match="longer than 2 hours"):
        audio.read(np.broadcast_to(np.float32(0), 3 * 3600 * RATE), RATE)


IMAGES: dict[str, Callable[[Path], Any]] = {
    "path as text": str,
    "path": lambda path: path,
    "bytes": lambda _: png(RGB),
    "bytearray": lambda _: bytearray(png(RGB)),
    "file in memory, at its end": lambda _: at_its_end(png(RGB)),
    "stream without a way back": lambda _: Unseekable(png(RGB)),
    "image of PIL": lambda _: Image.fromarray(RGB),
    "image of PIL not loaded yet": Image.open,
    "array": lambda _: RGB,
    "[channel, row, column]": lambda _: RGB.transpose(2, 0, 1),
    "floats": lambda _: RGB / 255,
    "tensor": lambda _: torch.from_numpy(RGB),
    "tensor [channel, row, column] of floats": lambda _: torch.from_numpy(RGB).permute(2, 0, 1) / 255,
    "float16": lambda _: (RGB / 255).astype(np.float16),
    "opaque": lambda _: np.dstack([RGB, np.full((20, 30), 255, np.uint8)]),
    "bytes of datasets": lambda _: {"bytes": png(RGB), "path": "gone.png"},
    "path of datasets": lambda path: {"bytes": None, "path": str(path)},
    "picture": lambda _: images.Picture(RGB),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_every_kind_of_picture_reads_as_its_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(png(RGB))
    given = IMAGES[kind](path)
    picture = images.read(given)
    np.testing.assert_array_equal(picture.pixels, RGB)
    assert picture.notes == ()
    if isinstance(given, Image.Image):
        assert given.getpixel((3, 4)) == tuple(RGB[4, 3])  # it is whole after that, and its own
        given.close()


def test_values_made_by_hand_hold_what_they_say() -> None:
    assert Sound(TONE.astype(np.float64)).samples.dtype == np.float32
    sounds: tuple[Any, ...] = (STEREO, WHOLE, np.float32(0.5))
    for wrong in sounds:
        with pytest.raises(InputError, match=r"audio\.read makes one"):
            Sound(wrong)
    with pytest.raises(InputError, match="NaN"):
        audio.read(Sound(np.full(9, np.nan, np.float32)))
    pictures: tuple[Any, ...] = (RGB / 255, RGB[..., 0], RGB[..., :2], RGB[:0])
    for wrong in pictures:
        with pytest.raises(InputError, match=r"images\.read makes one"):
            images.Picture(wrong)


def test_grey_arrays_and_scenes() -> None:
    grey = RGB[..., 0]
    for given in (grey, grey[None], grey[..., None], grey.tolist(), grey / 255):
        if isinstance(given, list):  # whole numbers of no type of their own
            with pytest.raises(InputError, match="astype"):
                images.read(given)
        else:
            np.testing.assert_array_equal(images.read(given).pixels, np.repeat(grey[..., None], 3, 2))
    np.testing.assert_array_equal(images.read(SCENE).pixels, draw(SCENE))


def test_transparent_pixels_show_white_and_that_is_said() -> None:
    layer = np.dstack([RGB, np.full((20, 30), 255, np.uint8)])
    layer[:10, :, 3] = 0
    for given in (layer, layer.transpose(2, 0, 1), layer / 255, Image.fromarray(layer), png(layer)):
        picture = images.read(given)
        assert (picture.pixels[:10] == 255).all()
        np.testing.assert_array_equal(picture.pixels[10:], RGB[10:])
        assert picture.notes == ("What is transparent in the picture is shown on white.",)


MODES = [
    "1",
    "L",
    "P",
    "RGB",
    "RGBA",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "LA",
    "PA",
    "RGBX",
    "RGBa",
    "La",
    "I;16",
]


@pytest.mark.parametrize("mode", MODES)
def test_an_image_of_pil_of_any_mode(mode: str) -> None:
    """Half of it is white and half of it black, which every mode can hold."""
    plain = Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 8, axis=1).repeat(6, axis=0))
    if mode == "LAB":
        screen, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(plain.convert("RGB"), screen, lab, outputMode="LAB")
    elif mode in ("RGBa", "La", "PA"):
        image = plain.convert({"RGBa": "RGBA", "La": "LA", "PA": "P"}[mode]).convert(mode)
    elif mode == "I;16":
        image = Image.fromarray(np.asarray(plain).astype(np.uint16) * 257)
    else:
        image = plain.convert("RGB").convert(mode)
    assert image is not None
    assert image.mode == mode
    np.testing.assert_allclose(images.read(image).pixels, np.repeat(np.asarray(plain)[..., None], 3, 2), atol=1)


def test_samples_of_32_bits_say_what_was_taken_for_white() -> None:
    ramp = np.array([[0, 100, 200]])
    for samples, white, expected in (
        ((ramp / 200).astype(np.float32), "1", [0, 128, 255]),
        (ramp.astype(np.float32), "255", [0, 100, 200]),
        (ramp.astype(np.int32), "255", [0, 100, 200]),
        (ramp.astype(np.int32) * 256, "65,535", [0, 100, 200]),
    ):
        picture = images.read(Image.fromarray(samples))
        np.testing.assert_array_equal(picture.pixels[0, :, 0], expected)
        assert picture.notes == (f"The picture’s samples are numbers of 32 bits: {white} was taken for white.",)


def test_a_photograph_in_a_tiff_is_turned_upright_once() -> None:
    upright = RGB
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright).copy()).save(file, "TIFF", exif=exif)
    np.testing.assert_array_equal(images.read(file).pixels, upright)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.zeros((3, 9, 3), np.uint8), r"could be .*PIL\.Image\.fromarray\(array\)"),
        (np.zeros((1, 3, 20, 30), np.uint8), r"model\.trace\(array\[0\]\)"),
        (np.float32(0.5), r"shape of \(\)"),
        ([], r"shape of \(0,\)"),
        (["one.png", "two.png"], "one file at a time"),
        ([Image.fromarray(RGB)] * 2, r"model\.trace\(array\[0\]\)"),
        ([[0.1, 0.2], [0.3]], "equally long"),
        (torch.randn(3, 20, 30) + 5, "0 to 1 is what can be read"),
        (RGB.astype(np.float32), r"from 0 to 255.*astype\(np\.uint8\)"),
        (np.full((5, 5), np.inf), "NaN or infinity"),
        (RGB.astype(np.int64), "int64"),
        (np.zeros((5, 5), complex), "complex128"),
        (np.zeros((0, 5), np.uint8), "empty"),
        (Image.new("RGB", (0, 5)), "empty"),
        (Image.new("I", (3, 3), -1), "not known which is white"),
        ({}, '"bytes" or "path"'),
        ("https://example.org/cat.png", "is an address"),
        ("\0", "no name of a file"),
        ("x" * 5000, "cannot be read"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_picture_or_could_be_two_is_refused_in_a_sentence(given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        images.read(given)
    assert len(str(caught.value)) < 300
    assert str(caught.value).count(". ") == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"The cat.", r"data\.decode\(\)"),
        (["The cat."], r"model\.traces takes a list"),
        (None, "NoneType"),
        (" \n", "is empty"),
        ("half \ud83d", "half of a character"),
        ("a" + " \n\u3000" * 400 + "b", r"holds 1,200 blanks in a row: at most 1,000 are read\. Take them out\."),
    ],
)
def test_what_is_no_text_is_refused_in_a_sentence(given: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        text.check_text(given)


def test_a_list_of_texts_names_the_one_that_is_none() -> None:
    assert text.check_texts(("a", "b")) == ["a", "b"]
    with pytest.raises(InputError, match=r'empty: give one or more, as in model\.traces\(\["'):
        text.check_texts([])
    with pytest.raises(InputError, match="text at place 1 of the list is empty"):
        text.check_texts(["a", " "])
