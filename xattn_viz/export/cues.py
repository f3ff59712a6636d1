"""Words in time parted into cues, each of few lines, as people who make subtitles part them.

Where guides agree (Netflix, BBC, TED; see `PRESETS`): sentences apart, a break behind a mark of punctuation or before a
conjunction or a preposition, none behind an article, lines of even length. A cue is chosen together with all others, by
the cheapest way to part the words, after Knuth and Plass, Breaking Paragraphs into Lines (1981).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from types import MappingProxyType

import regex

from xattn_viz.analysis.timing import SHORTEST, TimedWord, in_order
from xattn_viz.inputs import InputError

PAUSE = 0.8  # seconds: one as long ends a cue
# What things cost where words are parted; the least sum wins. A sentence that begins inside of a cue is dear; one cue
# more is cheaper than a line that ends with an article, dearer than any other break.
_SENTENCE_INSIDE, _CUE, _UNREAD, _UNEVEN = 40.0, 10.0, 1.0, 12.0
_AT_CLAUSE, _BEFORE_PHRASE, _ANYWHERE, _BOUND = 1.0, 3.0, 5.0, 14.0
_SENTENCE_ENDS, _CLAUSE_ENDS = (".", "!", "?", "…", "。", "！", "？"), (",", ";", ":", "–", "—", ")", "、", "，")
_QUOTES = "\"'”’»"
_CLOSING = _QUOTES + ")"
_CONTROLS = regex.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]|\p{Noncharacter_Code_Point}")
_FRAME = round(SHORTEST * 1000)


@dataclass(frozen=True)
class SubtitleStyle:
    """How words are parted into cues, and how long a cue is shown.

    A line has at most `width` characters and `words_per_line` words, a cue at most so many `lines`; only a word that is
    longer than a line stands in one alone. A cue is shown for `min_duration` seconds at least, where the words leave so
    much time, and for `max_duration` at most; between two lie `min_gap` seconds, or half of the time until the next
    where that is less. Where there is time, it stays until it can be read at `reading_speed` (characters a second,
    blanks among them) and at `words_per_minute`. None sets no bound. Words that the model repeated in a loop
    (`TimedWord.is_repeated`) are left out unless `keep_repeated`.

    The durations and the gap of the default are ours; 20 characters a second is what viewers kept up with (Szarkowska
    and Gerber-Morón 2018, Viewers can keep up with fast subtitles). Raises InputError for a value that cannot be.
    """

    width: int = 42
    lines: int = 2
    max_duration: float = 6.0
    min_duration: float = 0.7
    min_gap: float = 0.0
    words_per_line: int | None = None
    reading_speed: float | None = 20.0
    words_per_minute: float | None = None
    keep_repeated: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in BOUNDS.items():
            value, is_whole = getattr(self, name), name in _WHOLE
            if value is None and name in _MAY_LACK:
                continue
            is_number = isinstance(value, int if is_whole else int | float) and not isinstance(value, bool)
            if not is_number or not low <= value <= high:
                raise InputError(
                    f"Subtitles cannot have {name}={value!r}: it is a {'whole ' * is_whole}number "
                    f"from {low:g} to {high:g}."
                )
        if self.min_duration > self.max_duration:
            raise InputError(
                f"A subtitle that is shown for {self.min_duration:g} s at least cannot be gone after "
                f"{self.max_duration:g} s: raise max_duration, or lower min_duration."
            )


_WHOLE, _MAY_LACK = {"width", "lines", "words_per_line"}, {"words_per_line", "reading_speed", "words_per_minute"}
#: What each option of a style may be, from and to.
BOUNDS = MappingProxyType(
    {
        "width": (4, 1000),
        "lines": (1, 20),
        "max_duration": (0.1, 600),
        "min_duration": (0, 60),
        "min_gap": (0, 10),
        "words_per_line": (1, 100),
        "reading_speed": (1, 1000),
        "words_per_minute": (10, 10_000),
    }
)
DEFAULT = SubtitleStyle()
#: Conventions by who published them, with the numbers that the guide states; for English, where it has several. What it
#: says nothing of is as in the default, and no bound on reading where it has none. Netflix: English Template Timed Text
#: Style Guide (5/6 s to 7 s; a gap of 2 frames, here of 24 a second). BBC: Subtitle Guidelines (37 fixed-width
#: characters, 160 to 180 words a minute). TED: TED Translators cheat-sheet.
PRESETS = MappingProxyType(
    {
        "default": DEFAULT,
        "netflix": SubtitleStyle(42, 2, 7.0, 5 / 6, 2 / 24, reading_speed=17),
        "bbc": SubtitleStyle(37, 2, reading_speed=None, words_per_minute=180),
        "ted": SubtitleStyle(42, 2, 7.0, 1.0, reading_speed=21),
    }
)

# Articles, other words that announce a noun, prepositions and conjunctions: a line ends before one, not behind it.
# Closed classes, a few dozen in each language. First those in the middle of a phrase, then those that open one.
_FUNCTION_WORDS = {
    "en": (
        "a an the my your his her its our their this that these those every each no some any such",
        "and or but nor so yet if when while because although though since unless until whether as than who "
        "which whose where why how of in on at by for with from to into onto over under about after before "
        "between through during against without within toward towards upon across along behind beyond near "
        "per via",
    ),
    "de": (
        "der die das den dem des ein eine einen einem einer eines kein keine keinen mein meine dein deine "
        "sein seine ihr ihre unser unsere euer eure dieser diese dieses diesen diesem jeder jede jedes",
        "und oder aber denn sondern dass daß ob weil wenn als wie während obwohl damit bevor nachdem in im an "
        "am auf aus bei beim mit nach von vom zu zum zur über unter vor für durch gegen ohne um bis seit "
        "zwischen hinter neben wegen",
    ),
    "fr": (
        "le la les un une des du mon ma mes ton ta tes son sa ses notre nos votre vos leur leurs ce cet cette "
        "ces chaque au aux",
        "et ou mais donc car ni or que qui dont où si quand lorsque comme puisque parce quoique de à en dans "
        "par pour avec sans sous sur vers chez entre contre depuis pendant avant après",
    ),
    "es": (
        "el la los las un una unos unas mi mis tu tus su sus nuestro nuestra nuestros nuestras este esta "
        "estos estas ese esa cada del al",
        "y e o u pero sino ni que si cuando mientras porque aunque como pues donde quien cual de a en con por "
        "para sin sobre entre desde hasta hacia contra según durante ante bajo tras",
    ),
    "pt": (
        "o a os as um uma uns umas meu minha meus minhas teu tua seu sua seus suas nosso nossa nossos nossas "
        "este esta esse essa aquele aquela cada do da dos das no na nos nas ao aos à às pelo pela num numa",
        "e ou mas nem que se quando enquanto porque embora como pois onde quem cujo de em com por para sem "
        "sobre entre desde até contra segundo durante ante sob após",
    ),
    "it": (
        "il lo la i gli le un uno una mio mia miei mie tuo tua suo sua suoi sue nostro nostra loro questo "
        "questa questi queste quel quella ogni del dello della dei degli delle al allo alla ai agli alle nel "
        "nella nei nelle sul sulla dal dalla",
        "e ed o ma né che se quando mentre perché anche come poiché dove chi cui di a da in con su per tra "
        "fra senza sopra sotto verso contro durante dopo prima",
    ),
    "nl": (
        "de het een geen mijn jouw zijn haar ons onze jullie hun deze dit die dat elke elk",
        "en of maar want dus als dan toen terwijl omdat hoewel zodat voordat nadat wie waar van in op aan bij "
        "met naar uit voor door over onder tegen zonder om tot sinds tussen achter naast",
    ),
}
_LEAST_SHARE = 0.12  # of words that are in a language's list, for it to be this language


@dataclass(frozen=True)
class Cue:
    """Words that are shown together, from `start` to `end` in whole milliseconds.

    `breaks` says which words begin a line, behind the first, by their place in `words`.
    """

    start: int
    end: int
    words: tuple[TimedWord, ...]
    breaks: tuple[int, ...] = ()

    @property
    def lines(self) -> tuple[tuple[TimedWord, ...], ...]:
        """The words of each line."""
        return tuple(self.words[a:b] for a, b in pairwise((0, *self.breaks, len(self.words))))

    @property
    def text(self) -> str:
        """The words as they are written, a line each: with a space where the output had one."""
        return "\n".join(
            "".join(
                (gap(before, word) if i else "") + plain(word.text) for i, (before, word) in enumerate(behind(line))
            )
            for line in self.lines
        )


def cues(words: Sequence[TimedWord], duration: float, style: SubtitleStyle = DEFAULT) -> list[Cue]:
    """The words of a sound of `duration` seconds in cues that can be read, in order and none over another.

    All words stand once, inside the sound, but those of a loop (`SubtitleStyle.keep_repeated`). First no cue is shown
    too short: it reaches into the pause behind or before it, or takes in the sentence beside it. Then sentences and
    pauses part them, breaks are good ones, and cues are few and even. Raises ValueError as `in_order` does.
    """
    heard = [word for word in in_sound(words, duration) if style.keep_repeated or not word.is_repeated]
    return _Parting(heard, duration, style).found()


class _Parting:
    """The cheapest way to part words into cues, by how many of the first words are parted."""

    def __init__(self, words: Sequence[TimedWord], duration: float, style: SubtitleStyle) -> None:
        self.words, self.style = words, style
        self.starts = [*(milliseconds(word.start) for word in words), int(duration * 1000)]
        self.ends = [milliseconds(word.end) for word in words]
        self.gaps = [len(gap(before, word)) for before, word in behind(words)]
        self.sizes = [len(regex.findall(r"\X", plain(word.text))) for word in words]
        self.until = [0, *accumulate(g + size for g, size in zip(self.gaps, self.sizes, strict=True))]
        self.sentences = list(accumulate((_is_end(a, b) for a, b in pairwise(words)), initial=0))
        self.prices = [0.0, *_prices(words), 0.0]  # of a break before a word
        self.least, self.most, self.gap = (
            round(seconds * 1000) for seconds in (style.min_duration, style.max_duration, style.min_gap)
        )

    def found(self) -> list[Cue]:
        """The cues."""
        costs: list[tuple[float, float]] = [(0, 0.0)]  # milliseconds that cues are shown too short, and all else
        lasts = [(0, 0, 0)]  # start, end, first word
        for stop in range(1, len(self.words) + 1):
            best: tuple[tuple[float, float], tuple[int, int, int]] | None = None
            for first, is_much in self._firsts(stop):
                start, end = self._shown(first, stop, lasts[first][1])
                too_short = costs[first][0] + max(0, self.least - (end - start))
                cost = costs[first][1] + self._cost(first, stop, end - start)
                if best is not None and (too_short, cost) >= best[0]:
                    continue  # lines would only add to it
                cost += 0.0 if is_much else self._lines(first, stop)[0]
                if best is None or (too_short, cost) < best[0]:
                    best = (too_short, cost), (start, end, first)
            if best is None:  # never: one word alone is always allowed
                raise AssertionError
            costs.append(best[0])
            lasts.append(best[1])
        parted, stop = list[Cue](), len(self.words)
        while stop:
            start, end, first = lasts[stop]
            parted.append(Cue(start, end, tuple(self.words[first:stop]), self._lines(first, stop)[1]))
            stop = first
        return parted[::-1]

    def _firsts(self, stop: int) -> Iterator[tuple[int, bool]]:
        """The words that a cue can begin with which ends before the word `stop`, from the last on.

        Of what was spoken inside of one frame more goes into a cue than there is room for: that is the second value.
        """
        lines, length, count = 1, 0, 0
        for first in reversed(range(stop)):
            size = self.sizes[first] + (self.gaps[first + 1] if count else 0)
            if count and (length + size > self.style.width or count == self.style.words_per_line):
                lines, length, count, size = lines + 1, 0, 0, self.sizes[first]
            length, count = length + size, count + 1
            spoken = self.ends[stop - 1] - self.starts[first]
            is_much = lines > self.style.lines or spoken > self.most
            if is_much and first < stop - 1 and spoken >= _FRAME:
                return
            yield first, is_much

    def _shown(self, first: int, stop: int, before: int) -> tuple[int, int]:
        """From when to when a cue is shown behind one that ends at `before`."""
        begin, following = self.starts[first], self.starts[stop]
        if stop < len(self.words):
            following = max(following - self.gap, (begin + following + 1) // 2)
        wanted = max(self.least, math.ceil(self._reading(first, stop) * 1000))
        end = min(max(self.ends[stop - 1], begin + wanted), following, begin + self.most)
        return max(min(begin, end - self.least), min(before + self.gap, begin) if first else 0), end

    def _letters(self, first: int, stop: int) -> int:
        return self.until[stop] - self.until[first] - self.gaps[first]

    def _reading(self, first: int, stop: int) -> float:
        """How many seconds a cue takes to read."""
        style = self.style
        return max(
            self._letters(first, stop) / (style.reading_speed or math.inf),
            (stop - first) * 60 / (style.words_per_minute or math.inf),
        )

    def _cost(self, first: int, stop: int, shown: int) -> float:
        """What a cue costs, without its lines."""
        letters, reading = self._letters(first, stop), self._reading(first, stop)
        unread = letters * max(0.0, 1 - shown / 1000 / reading) if reading else 0.0
        inside = self.sentences[stop - 1] - self.sentences[first]
        uneven = (letters / (self.style.width * self.style.lines)) ** 2
        return _CUE + _SENTENCE_INSIDE * inside + _UNREAD * unread + _UNEVEN * uneven + self.prices[stop]

    def _lines(self, first: int, stop: int) -> tuple[float, tuple[int, ...]]:
        """What the best way to break a cue into the fewest lines costs, and the words that begin those, from 0."""
        width, most = self.style.width, self.style.words_per_line or stop - first
        if self._letters(first, stop) <= width and stop - first <= most:
            return 0.0, ()
        # By the word that a line ends before: how many lines there are so far, what they cost, where the last began.
        best: dict[int, tuple[int, float, int]] = {first: (0, 0.0, first)}
        for end in range(first + 1, stop + 1):
            for begin in reversed(range(max(first, end - most), end)):
                letters = self._letters(begin, end)
                if letters > width and begin < end - 1:
                    break
                lines, cost, _ = best[begin]
                cost += _UNEVEN * (letters / width) ** 2 + (self.prices[begin] if begin > first else 0.0)
                if end not in best or (lines + 1, cost) < best[end][:2]:
                    best[end] = (lines + 1, cost, begin)
        breaks, at = list[int](), best[stop][2]
        while at > first:
            breaks.append(at - first)
            at = best[at][2]
        count = len(breaks) + 1
        even = count * (self._letters(first, stop) / count / width) ** 2
        return best[stop][1] - _UNEVEN * even, tuple(breaks[::-1])


def _prices(words: Sequence[TimedWord]) -> list[float]:
    """What a break between each two words costs."""
    bare = [word.text.strip().strip("¿¡([{«“„\"'").casefold() for word in words]
    binding, opening = _function_words(bare)
    found = list[float]()
    for (one, other), (text, following) in zip(pairwise(words), pairwise(bare), strict=True):
        if _is_end(one, other):
            found.append(0.0)
        elif text.rstrip(_QUOTES).endswith(_CLAUSE_ENDS):
            found.append(_AT_CLAUSE)
        elif text in binding or text in opening or text.endswith(("l'", "l’", "d'", "d’")):
            found.append(_BOUND)
        else:
            found.append(_BEFORE_PHRASE if following in opening else _ANYWHERE)
    return found


def _function_words(bare: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The words that announce others and those that open a phrase, of the language that most of the words are in."""
    lists = [tuple(frozenset(part.split()) for part in parts) for parts in _FUNCTION_WORDS.values()]
    counts = [sum(word in binding or word in opening for word in bare) for binding, opening in lists]
    if not bare or max(counts) < _LEAST_SHARE * len(bare):
        return frozenset(), frozenset()
    binding, opening = lists[counts.index(max(counts))]
    return binding, opening


def in_sound(words: Sequence[TimedWord], duration: float) -> list[TimedWord]:
    """The words with times that lie inside the sound and follow each other. Raises ValueError as `in_order` does."""
    times = in_order([(word.start, word.end) for word in words], end=duration)
    return [replace(word, start=start, end=end) for word, (start, end) in zip(words, times, strict=True)]


def _is_end(before: TimedWord, word: TimedWord) -> bool:
    """Whether a sentence ends between two words, or somebody pauses."""
    return word.start - before.end >= PAUSE or before.text.rstrip(_CLOSING).endswith(_SENTENCE_ENDS)


def behind(words: Sequence[TimedWord]) -> Iterator[tuple[TimedWord | None, TimedWord]]:
    """Each word with the one before it."""
    return zip((None, *words), words, strict=False)


def gap(before: TimedWord | None, word: TimedWord) -> str:
    """What is written between two words: nothing where the output had nothing (they may be of two windows)."""
    return "" if before is None or word.span[0] == before.span[1] else " "


def plain(text: str) -> str:
    """A word in one line: white space is a blank, and what no file of text can hold is the replacement character."""
    return _CONTROLS.sub("\ufffd", " ".join(text.split())) or "\ufffd"


def milliseconds(seconds: float) -> int:
    """Whole milliseconds."""
    return round(seconds * 1000)
