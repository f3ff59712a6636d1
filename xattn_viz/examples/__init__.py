"""Sentences, clips and scenes worth seeing, each with the head that makes it so.

The traces of sentences and clips ship and open at once; `python -m scripts.examples` remakes them. A missing one
costs only the time to trace it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

from xattn_viz.core.records import quoted
from xattn_viz.core.store import load_trace
from xattn_viz.core.trace import Trace
from xattn_viz.shapes import Scene, Thing


@dataclass(frozen=True)
class Example:
    """A sentence, the model to trace it with, the head to look at (both numbers from 0) and what to notice there.

    `phenomenon` is what it is an example of. Where `output` says what the model writes, a test holds it, and with it
    what else is claimed: `row` is the token of the output to look at first, from 0; `looks` are pairs of a token of the
    output and the token of the source that the head looks at most for it. Of what the model gets wrong, `fault` is a
    sentence, and `wrong` what it writes there and what would be right. Where another token in the place of `row` leads
    there, `mended` is that token and the output then.
    """

    slug: str
    model: str
    text: str
    layer: int
    head: int
    notice: str
    phenomenon: str = field(default="", kw_only=True)
    output: str = field(default="", kw_only=True)
    row: int | None = field(default=None, kw_only=True)
    looks: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    fault: str = field(default="", kw_only=True)
    wrong: tuple[str, str] | None = field(default=None, kw_only=True)
    mended: tuple[str, str] | None = field(default=None, kw_only=True)

    @property
    def said(self) -> str:
        """What to notice, what the model gets wrong, and what would mend it."""
        click = "Click “{}” in the bars, and the model goes on rightly." if self.mended else ""
        return " ".join(filter(None, [self.notice, self.fault, click.format(*self.mended or ())]))


@dataclass(frozen=True)
class PromptExample(Example):
    """What to draw. `token` is the token of the prompt to look at first, from 0, which is the start.

    Its trace is made in a moment, so none ships.
    """

    token: int


@dataclass(frozen=True)
class SpeechExample:
    """A clip by its name (`clips.find`), and as in `Example` its model, the head to look at and what to notice there.

    Its trace was made with `crop`, so its map has no padding and says "cropped", and its weights were rounded to
    float16, by at most 0.00025. Its `input`, the log-mel, is exact.
    """

    slug: str
    model: str
    layer: int
    head: int
    notice: str


@dataclass(frozen=True)
class SceneExample:
    """A scene, and as in `Example` the model to caption it with, the head to look at and what to notice there.

    `word` is the word of the caption to look at first, from 0, `options` are those of the model. Its trace is made in
    a moment, so none ships.
    """

    slug: str
    model: str
    scene: Scene
    layer: int
    head: int
    word: int
    notice: str
    options: tuple[tuple[str, str | bool], ...] = ()


@dataclass(frozen=True)
class QuestionExample:
    """A picture by its name (`shapes.asked`), a question about it, and the rest as in `SceneExample`."""

    slug: str
    model: str
    question: str
    layer: int
    head: int
    notice: str

    @property
    def options(self) -> tuple[tuple[str, str | bool], ...]:
        """Those of the model: the question."""
        return (("question", self.question),)

    @property
    def word(self) -> int:
        """The row that read the question's last word and chose the answer's first."""
        return len(self.question.split())


EXAMPLES: tuple[Example, ...] = (
    Example(
        "cat",
        "firefox-en-pt",
        "The cat sat on the mat.",
        layer=1,
        head=0,
        notice="This head aligns: each Portuguese word reads the English word that it translates.",
        phenomenon="To begin with",
    ),
    Example(
        "boat",
        "firefox-en-pt",
        "The little red boat belongs to my grandfather.",
        layer=1,
        head=0,
        notice="The lines cross: “barco vermelho” reads “boat” and “red”, in the order of Portuguese.",
        phenomenon="Word order",
    ),
    Example(
        "ships",
        "firefox-en-pt",
        "Three tall ships left the harbour at dawn.",
        layer=0,
        head=5,
        notice="One word late: “navios” reads “Three”. Name the rows for the token read, and this head aligns too.",
        phenomenon="To begin with",
    ),
    Example(
        "horses",
        "firefox-en-pt",
        "The white horses ran across the wet sand.",
        layer=1,
        head=2,
        notice="The articles read ahead: “Os” looks at “horse” and “a” at “sand”, the nouns that are still to come.",
        phenomenon="Agreement and gender",
    ),
    Example(
        "gato",
        "firefox-pt-en",
        "O gato dorme na cadeira.",
        layer=1,
        head=0,
        notice="This head aligns: “na” is two words in English, and both “in” and “the” read it.",
        phenomenon="To begin with",
    ),
    Example(
        "barco",
        "firefox-pt-en",
        "O barco vermelho do meu avô está no porto.",
        layer=1,
        head=0,
        notice="The phrase is turned round: “grandfather's” comes first in English, and its apostrophe reads “do”.",
        phenomenon="Word order",
    ),
    Example(
        "irma",
        "firefox-pt-en",
        "A minha irmã mais velha escreveu uma carta longa.",
        layer=0,
        head=6,
        notice="One word late: “wrote” reads “irmã”. Name the rows for the token read, and this head aligns too.",
        phenomenon="To begin with",
    ),
    Example(
        "peixe",
        "firefox-pt-en",
        "Comemos peixe e depois vimos o pôr do sol.",
        layer=1,
        head=0,
        notice="Portuguese leaves the pronoun out: “We” reads the ending of the verb, “emos” in “Comemos”.",
        phenomenon="Pronouns",
    ),
)

SPEECH: tuple[SpeechExample, ...] = (
    SpeechExample(
        "amiable",
        "whisper-tiny-en",
        layer=2,
        head=4,
        notice="This head follows the speech: each token listens to the moment at which it is spoken.",
    ),
    SpeechExample(
        "forward",
        "whisper-tiny-en",
        layer=2,
        head=4,
        notice="“ten” is spoken and 10 is written: the figure listens to the moment of the word.",
    ),
    SpeechExample(
        "spades",
        "whisper-tiny-en",
        layer=1,
        head=0,
        notice="This head listens ahead: “four” to the “clubs” that is said half a second later.",
    ),
)

SCENES: tuple[SceneExample, ...] = (
    SceneExample(
        "lantern",
        "caption-shapes",
        Scene((Thing("red", "circle", 0.36, 0.24, 0.1), Thing("blue", "star", 0.58, 0.66, 0.18))),
        layer=1,
        head=3,
        word=3,
        notice="This head finds shapes: “circle” and “star” put most of their weight on their own.",
    ),
    SceneExample(
        "row",
        "caption-shapes",
        Scene(
            (
                Thing("purple", "ring", 0.2, 0.3, 0.16),
                Thing("orange", "triangle", 0.52, 0.72, 0.17),
                Thing("green", "cross", 0.82, 0.36, 0.1),
            )
        ),
        layer=1,
        head=3,
        word=3,
        notice="Three things, and each word for a shape finds its own.",
    ),
    SceneExample(
        "unseen",
        "caption-shapes",
        Scene((Thing("yellow", "star", 0.72, 0.5, 0.18), Thing("brown", "square", 0.24, 0.56, 0.1))),
        layer=1,
        head=3,
        word=9,
        notice="The captioner saw no yellow star in training, only other stars and other yellow things.",
    ),
    SceneExample(
        "alone",
        "caption-shapes",
        Scene((Thing("pink", "cross", 0.68, 0.3, 0.17),)),
        layer=1,
        head=2,
        word=2,
        notice="“pink” puts most of its weight on the cross, “cross” a quarter: this head is one for colours.",
    ),
)

# The first scene in grey for the models that read a hint besides.
_TOLD = (("grey", True), ("hint", "the star is blue, the circle is red"))
HINTS: tuple[SceneExample, ...] = (
    SceneExample(
        "lantern",
        "hint-concatenated",
        SCENES[0].scene,
        layer=3,
        head=1,
        word=2,
        notice="The picture is grey: “red” and “blue” read the hint, “circle” and “star” the picture.",
        options=_TOLD,
    ),
    SceneExample(
        "lantern",
        "hint-separate",
        SCENES[0].scene,
        layer=3,
        head=3,
        word=2,
        notice="Layer 4 sees the hint only, and here “red” and “blue” read the same words of it.",
        options=_TOLD,
    ),
)

QUESTIONS: tuple[QuestionExample, ...] = (
    QuestionExample(
        "bar-2",
        "answer-shapes",
        "which bar is highest ?",
        layer=1,
        head=3,
        notice="The answer’s row puts most of its weight on the highest bar and the label below it.",
    ),
    QuestionExample(
        "scene-1",
        "answer-shapes",
        "what is above the yellow square ?",
        layer=1,
        head=2,
        notice="The answer was chosen with most of the weight on what lies above, not on the square that was named.",
    ),
    QuestionExample(
        "pie-1",
        "answer-shapes",
        "what share has eva ?",
        layer=2,
        head=0,
        notice="The answer’s row finds the slice by its label.",
    ),
)

PROMPTS: tuple[PromptExample, ...] = (
    PromptExample(
        "ring",
        "draw-shapes",
        "a purple ring",
        layer=6,
        head=2,
        notice="This head is for colours: “purple” goes where the ring is drawn.",
        token=2,
    ),
    PromptExample(
        "pair",
        "draw-shapes",
        "a blue circle above a yellow star",
        layer=6,
        head=2,
        notice="Each colour goes to its own thing.",
        token=2,
    ),
    PromptExample(
        "below",
        "draw-shapes",
        "a red triangle below a green ring",
        layer=4,
        head=0,
        notice="This head is for shapes: each shape word goes to its own.",
        token=3,
    ),
    PromptExample(
        "star",
        "draw-shapes",
        "a red star right of a purple circle",
        layer=4,
        head=0,
        notice="“star” goes where the star is drawn, to the right.",
        token=3,
    ),
)

ALL: tuple[Example | SpeechExample, ...] = (*EXAMPLES, *SPEECH)


def find(slug: str) -> Example | SpeechExample:
    """The example of that name. Raises ValueError, naming the examples there are, for one that is not."""
    for example in ALL:
        if example.slug == slug:
            return example
    raise ValueError(f"There is no example {quoted(slug)}: choose {', '.join(example.slug for example in ALL)}.")


def load(slug: str) -> Trace | None:
    """The precomputed trace of an example, or None where its file is missing.

    Raises ValueError for an example that is not there, or a damaged file.
    """
    file = files(__name__) / f"{find(slug).slug}.npz"
    return load_trace(file.read_bytes()) if file.is_file() else None


def load_speech(model: str, clip: str) -> Trace | None:
    """The precomputed trace that a model makes of a clip without options but `crop`, or None where none ships.

    Raises ValueError for a damaged file.
    """
    ships = any((example.model, example.slug) == (model, clip) for example in SPEECH)
    return load(clip) if ships else None


def load_about(name: str) -> Trace | None:
    """A precomputed trace of the page About, or None where its file is missing.

    "whole" is the first sentence with the self-attention of its encoder and the alignment of each head by
    `analysis.align`, "sources" the first of `HINTS`, a grey picture and a sentence about it, with the self-attention of
    the decoder.
    """
    file = files(__name__) / f"about-{name}.npz"
    return load_trace(file.read_bytes()) if file.is_file() else None
