"""Word alignments as files, in the formats of the field, and gold of others read from them.

- tsv: a line has source, target and links, between tabs; links as in Pharaoh.
- pharaoh: a line has the links of a pair, `0-0 1-2`, from 0; possible ones `1?2` or `1p2`.
- naacl: a line has one link: pair, source word and target word, from 1, then S or P and a confidence (Mihalcea and
  Pedersen 2003).
- json: one document, a list of pairs, from 0.
- xml: one document, `<s>` with both texts, `<sure>` and `<possible>`, from 1, as the Czech–English set of Mareček has.

The English–Portuguese gold of Graça et al. 2008 (Building a Golden Collection of Parallel Multi-Language Word
Alignment) is naacl, with sentences as `<s snum=1> … </s>`, and so are the sets of the shared tasks of 2003 and 2005.
Words are what stands between white space. Nothing that is read can run anything: XML with a document type, where
entities come from, is refused.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args
from xml.parsers import expat

from xattn_viz.core import files
from xattn_viz.core.evidence import Alignment
from xattn_viz.core.records import quoted
from xattn_viz.inputs import InputError

Format = Literal["tsv", "pharaoh", "naacl", "json", "xml"]
Links = frozenset[tuple[int, int]]
_LINK = re.compile(r"(\d{1,6})([-?p])(\d{1,6})", re.ASCII)
_NAACL = re.compile(r"(\d{1,9})\s+(\d{1,6})\s+(\d{1,6})(?:\s+([SP]))?(?:\s+([-+.eE\d]{1,30}))?", re.ASCII)
_SEGMENT = re.compile(r"<s\s+snum=\"?0*(\d{1,9})\"?\s*>(.*)</s>", re.ASCII)
_MOST_BYTES = 1 << 28
_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class LinkedPair:
    """Two texts in words, and the links between them that somebody made: (source index, target index), from 0.

    `sure` links are those that everybody would make, `possible` ones may or may not be there (Och and Ney 2003); none
    is both. `name` says which pair it is, for messages: its file and line.
    """

    source_words: tuple[str, ...]
    target_words: tuple[str, ...]
    sure: Links
    possible: Links = frozenset()
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "possible", self.possible - self.sure)
        for s, t in self.sure | self.possible:
            if not 0 <= s < len(self.source_words) or not 0 <= t < len(self.target_words):
                raise InputError(
                    f"{self.name or 'A pair'} links the words {s} and {t}, from 0, of "
                    f"{len(self.source_words)} source words and {len(self.target_words)} target words."
                )


def read_gold(
    path: str | Path | BinaryIO,
    format: Format | None = None,
    *,
    source: str | Path | None = None,
    target: str | Path | None = None,
    encoding: str = "utf-8",
) -> list[LinkedPair]:
    """Read pairs with links from a file, named or open; a format that nobody says is told from its first lines.

    Pharaoh and NAACL files hold links alone: `source` and `target` are then the files of the sentences, one a line (or
    `<s snum=1> … </s>`). `encoding` is that of all of them; older sets are in "latin-1".

    Raises InputError naming the file and the line of what is no such file, or does not fit.
    """
    name, text = _name(path), _text(path, encoding)
    kind = format or detect(text, name)
    if kind == "tsv":
        return list(_of_tsv(text, name))
    if kind == "json":
        return _of_json(text, name)
    if kind == "xml":
        return _of_xml(text, name)
    if kind not in ("pharaoh", "naacl"):
        raise InputError(f"There is no format {quoted(kind)}; there are {', '.join(get_args(Format))}.")
    if source is None or target is None:
        raise InputError(
            f"{name} holds links and no sentences: give the files of these too, as in "
            'read_gold(path, source="test.en", target="test.pt"), on the command line --source and --target.'
        )
    sentences = [_sentences(_text(each, encoding), _name(each)) for each in (source, target)]
    if len(sentences[0]) != len(sentences[1]):
        raise InputError(
            f"{_name(source)} has {len(sentences[0])} sentences, and {_name(target)} has "
            f"{len(sentences[1])}: one a line, the same line in both."
        )
    if sentences[0].keys() != sentences[1].keys():
        raise InputError(f"The sentences of {_name(source)} and {_name(target)} have different numbers.")
    links = _pharaoh_lines(text, name) if kind == "pharaoh" else _naacl_lines(text, name, list(sentences[0]))
    if len(links) != len(sentences[0]):
        raise InputError(f"{name} has links of {len(links)} pairs, and there are {len(sentences[0])} sentences.")
    return [
        LinkedPair(s, t, sure, possible, f"{name}, pair {number}")
        for number, (s, t, (sure, possible)) in enumerate(
            zip(sentences[0].values(), sentences[1].values(), links, strict=True), 1
        )
    ]


def read_links(text: str, name: str, format: Format) -> list[tuple[Links, Links]]:
    """The sure and the possible links of each pair in the text of a Pharaoh or NAACL file, which has no sentences.

    Those of a NAACL file are the pairs that it names, in their order. Raises InputError naming the file and the line.
    """
    if format == "pharaoh":
        return _pharaoh_lines(text, name)
    numbers = [int(line.split()[0]) for _, line in _lines(text) if _NAACL.fullmatch(line.strip())]
    return _naacl_lines(text, name, sorted(set(numbers)))


def read_pairs(path: str | Path | BinaryIO) -> list[tuple[str, str]]:
    """The texts of a file of pairs, named or open: source and target between tabs, whatever else stands behind them."""
    name, pairs = _name(path), []
    for number, line in _lines(_text(path)):
        cells = line.split("\t")
        if len(cells) < 2 or not cells[0].strip() or not cells[1].strip():
            raise InputError(f"{name}, line {number}: a source and a target stand between tabs: got {quoted(line)}.")
        pairs.append((cells[0], cells[1]))
    if not pairs:
        raise InputError(f"{name} holds no pair.")
    return pairs


def detect(text: str, name: str) -> Format:
    """The format of a file by its first lines. Raises InputError where they are of none."""
    begin = text.lstrip("\ufeff \t\r\n")
    if begin.startswith("<"):
        return "xml"
    if begin.startswith(("[", "{")):
        return "json"
    line = next((line for _, line in _lines(text)), "")
    if line.count("\t") >= 2 and not _NAACL.fullmatch(line.strip()):
        return "tsv"
    if _NAACL.fullmatch(line.strip()):
        return "naacl"
    if line.split() and all(map(_LINK.fullmatch, line.split())):
        return "pharaoh"
    raise InputError(
        f"{name} is no file of word links: a line is source, target and links between tabs, or 0-0 1-2, or pair, "
        f"source and target word by number. Its first line is {quoted(line)}."
    )


def pharaoh(linked: Alignment | LinkedPair) -> str:
    """One pair as Pharaoh (Moses, fast_align) has it: `0-0 1-2`, source first, from 0; `1?2` is possible only."""
    return " ".join(f"{s}{'-' if is_sure else '?'}{t}" for s, t, is_sure, _ in _links_of(linked))


def tsv(linked: Alignment | LinkedPair) -> str:
    """One pair as a line: the source's words, the target's, and the links as `pharaoh`, between tabs."""
    source, target = _words_of(linked)
    return f"{' '.join(source)}\t{' '.join(target)}\t{pharaoh(linked)}"


def naacl(linked: Alignment | LinkedPair, pair: int = 1) -> str:
    """One pair as lines of pair, source word, target word, S or P, and the weight; all numbers from 1."""
    return "\n".join(
        f"{pair} {s + 1} {t + 1} {'S' if is_sure else 'P'} {weight:.4f}" for s, t, is_sure, weight in _links_of(linked)
    )


def xml(linked: Alignment | LinkedPair, pair: int = 1) -> str:
    """One pair as an `<s>` with `<source>`, `<target>`, `<sure>` and `<possible>` links; all numbers from 1."""
    texts = (escape(_NOT_IN_XML.sub("\ufffd", " ".join(words)), quote=False) for words in _words_of(linked))
    sure, possible = (
        " ".join(f"{s + 1}-{t + 1}" for s, t, is_sure, _ in _links_of(linked) if is_sure == wanted)
        for wanted in (True, False)
    )
    tags = zip(("source", "target", "sure", "possible"), (*texts, sure, possible), strict=True)
    return f'<s id="{pair}">' + "".join(f"<{tag}>{said}</{tag}>" for tag, said in tags) + "</s>"


def as_json(linked: Alignment | LinkedPair) -> dict[str, Any]:
    """One pair as JSON values; of an alignment with characters, weights, and what the links were read off."""
    if isinstance(linked, LinkedPair):
        return {
            "source": list(linked.source_words),
            "target": list(linked.target_words),
            "links": sorted(map(list, linked.sure)),
            "possible": sorted(map(list, linked.possible)),
        }
    return {
        "source": [{"text": word.text, "span": word.span} for word in linked.source_words],
        "target": [{"text": word.text, "span": word.span} for word in linked.target_words],
        "links": [[s, t, round(weight, 6)] for s, t, weight in linked.links],
        "source_nulls": list(linked.source_nulls),
        "target_nulls": list(linked.target_nulls),
        "heads": [list(head) for head in linked.heads],
        "reverse_heads": [list(head) for head in linked.reverse_heads],
        "chosen": linked.chosen,
        "method": linked.method,
        "threshold": linked.threshold,
    }


def lines(pairs: Iterable[Alignment | LinkedPair], format: Format) -> Iterator[str]:
    """Pairs in a format, a piece of the file each, so that they can be written while they are made."""
    if format not in get_args(Format):
        raise InputError(f"Alignments are written as {', '.join(get_args(Format))}: got {quoted(format)}.")
    before, between, after = {"json": ("[\n", ",\n", "\n]\n"), "xml": ("<sentences>\n", "\n", "\n</sentences>\n")}.get(
        format, ("", "", "")
    )
    yield before
    for number, linked in enumerate(pairs, 1):
        if number > 1:
            yield between
        if format in ("pharaoh", "tsv"):
            yield f"{pharaoh(linked) if format == 'pharaoh' else tsv(linked)}\n"
        elif format == "naacl":
            yield f"{text}\n" if (text := naacl(linked, number)) else ""  # a pair without links has no line there
        else:
            yield json.dumps(as_json(linked), ensure_ascii=False) if format == "json" else xml(linked, number)
    yield after


def write(
    pairs: Alignment | LinkedPair | Iterable[Alignment | LinkedPair], path: str | Path, format: Format | None = None
) -> None:
    """Write one pair or many to a file, whole or not at all; its ending says the format where nothing else does.

    Raises InputError for an ending that says none, OSError where the file cannot be written.
    """
    endings: dict[str, Format] = {".tsv": "tsv", ".json": "json", ".xml": "xml", ".naacl": "naacl"}
    endings |= {".pharaoh": "pharaoh", ".align": "pharaoh"}
    kind = format or endings.get(Path(path).suffix.lower())
    if kind is None:
        raise InputError(f"{quoted(path)} says no format by its ending: {', '.join(endings)}; or say format=.")
    several = [pairs] if isinstance(pairs, Alignment | LinkedPair) else pairs
    files.write(path, "".join(lines(several, kind)))


def _words_of(linked: Alignment | LinkedPair) -> tuple[list[str], list[str]]:
    """Both texts in words; a blank inside of one, which would part it, is a low line."""
    source, target = (
        [re.sub(r"\s+", "_", word if isinstance(word, str) else word.text) for word in side]
        for side in (linked.source_words, linked.target_words)
    )
    return source, target


def _links_of(linked: Alignment | LinkedPair) -> list[tuple[int, int, bool, float]]:
    """Source and target word, whether the link is sure, and its weight: 1 of those that people made."""
    if isinstance(linked, Alignment):
        return [(s, t, True, weight) for s, t, weight in linked.links]
    every = [(s, t, True, 1.0) for s, t in linked.sure] + [(s, t, False, 1.0) for s, t in linked.possible]
    return sorted(every)


def _name(path: str | Path | BinaryIO) -> str:
    return Path(path if isinstance(path, str | Path) else str(getattr(path, "name", "the file"))).name


def _text(path: str | Path | BinaryIO, encoding: str = "utf-8") -> str:
    try:
        data = _bytes(path) if isinstance(path, str | Path) else path.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InputError(f"{_name(path)} has more than {_MOST_BYTES >> 20:,} MB: give it in parts.")
        return io.StringIO(data.decode(encoding), newline=None).read().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{_name(path)} is not in {encoding}: byte {error.start + 1} is none of it. Say which encoding it is in, "
            'such as encoding="latin-1", on the command line --encoding latin-1.'
        ) from error
    except LookupError as error:
        raise InputError(f"There is no encoding {quoted(encoding)}: there are utf-8, latin-1 and others.") from error
    except OSError as error:
        raise InputError(f"{quoted(path)} cannot be read: {error.strerror or error}.") from error


def _bytes(path: str | Path) -> bytes:
    files.check(path)
    with Path(path).open("rb") as file:
        return file.read(_MOST_BYTES + 1)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers from 1; a comment begins with # and holds no tab."""
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if line.strip() and not (line.startswith("#") and "\t" not in line):
            yield number, line


def _links(said: str, where: str) -> tuple[Links, Links]:
    sure: set[tuple[int, int]] = set()
    possible: set[tuple[int, int]] = set()
    for link in said.split():
        if not (found := _LINK.fullmatch(link)):
            raise InputError(f"{where}: a link is 0-0, or 0?0 where it is possible only: got {quoted(link)}.")
        (sure if found[2] == "-" else possible).add((int(found[1]), int(found[3])))
    return frozenset(sure), frozenset(possible)


def _of_tsv(text: str, name: str) -> Iterator[LinkedPair]:
    for number, line in _lines(text):
        cells, where = line.split("\t"), f"{name}, line {number}"
        if len(cells) < 3:
            raise InputError(f"{where}: source, target and links stand between tabs: got {quoted(line)}.")
        sure, possible = _links(cells[2], where)
        yield LinkedPair(tuple(cells[0].split()), tuple(cells[1].split()), sure, possible, where)


def _pharaoh_lines(text: str, name: str) -> list[tuple[Links, Links]]:
    every = text.split("\n")
    return [  # an empty line is a pair without links
        _links(line, f"{name}, line {number}") for number, line in enumerate(every[: -1 if not every[-1] else None], 1)
    ]


def _naacl_lines(text: str, name: str, pairs: Sequence[int]) -> list[tuple[Links, Links]]:
    """The links of each pair, by the numbers of the sentences."""
    found: dict[int, tuple[set[tuple[int, int]], set[tuple[int, int]]]] = {pair: (set(), set()) for pair in pairs}
    for number, line in _lines(text):
        where, said = f"{name}, line {number}", _NAACL.fullmatch(line.strip())
        if not said:
            raise InputError(f"{where}: pair, source word and target word are numbers from 1: got {quoted(line)}.")
        pair, s, t = (int(said[i]) for i in (1, 2, 3))
        if pair not in found:
            raise InputError(f"{where}: there is no sentence {pair}: there are {len(found)}, from {min(found)} on.")
        if s and t:  # 0 says that a word has no link
            found[pair][said[4] == "P"].add((s - 1, t - 1))
    return [(frozenset(sure), frozenset(possible)) for sure, possible in found.values()]


def _sentences(text: str, name: str) -> dict[int, tuple[str, ...]]:
    """The sentences of a file by their numbers: those that they are marked with, else their lines, from 1."""
    rows = text.split("\n")
    rows = rows[: -1 if not rows[-1] else None]
    marked = [_SEGMENT.fullmatch(row.strip()) for row in rows]
    if any(marked):
        if not all(marked):
            number = marked.index(None) + 1
            raise InputError(f"{name}, line {number}: a sentence stands between <s snum=…> and </s> here.")
        return {int(found[1]): tuple(found[2].split()) for found in marked if found}
    return {number: tuple(row.split()) for number, row in enumerate(rows, 1)}


def _of_json(text: str, name: str) -> list[LinkedPair]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{name}{line}: this is no JSON that can be read.") from error
    if isinstance(said, dict):
        said = said.get("pairs")
    if not isinstance(said, list):
        raise InputError(f'{name}: JSON with links is a list of pairs, or one under "pairs".')
    return [_json_pair(pair, f"{name}, pair {number}") for number, pair in enumerate(said, 1)]


def _json_pair(pair: Any, where: str) -> LinkedPair:
    try:
        texts = [_json_words(pair[side]) for side in ("source", "target")]
        sure, possible = (
            frozenset((_index(link[0]), _index(link[1])) for link in links)
            for links in (pair.get("links", pair.get("sure", ())), pair.get("possible", ()))
        )
    except (TypeError, KeyError, IndexError, ValueError, AttributeError) as error:
        raise InputError(
            f'{where}: a pair is {{"source": text or words, "target": …, "links": [[0, 0], …], "possible": […]}}.'
        ) from error
    return LinkedPair(texts[0], texts[1], sure, possible, where)


def _json_words(side: Any) -> tuple[str, ...]:
    if isinstance(side, str):
        return tuple(side.split())
    words = tuple(word["text"] if isinstance(word, dict) else word for word in side)
    if not all(isinstance(word, str) for word in words):
        raise TypeError("words are texts")
    return words


def _index(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("numbers of words are whole")
    return value


def _of_xml(text: str, name: str) -> list[LinkedPair]:
    """The pairs of `<s>` elements: the first two inside that are no links are the source and the target."""
    pairs: list[LinkedPair] = []
    parts: list[tuple[str, str]] = []
    open_tags: list[str] = []
    said: list[str] = []

    def where() -> str:
        return f"{name}, line {parser.CurrentLineNumber}"

    def refuse(*_: object) -> None:
        raise InputError(f"{where()}: XML with a document type is not read, as entities could hold anything.")

    def begin(tag: str, _: dict[str, str]) -> None:
        open_tags.append(tag)
        said.clear()
        if tag == "s":
            parts.clear()

    def end(tag: str) -> None:
        open_tags.pop()
        if tag == "s":
            pairs.append(_xml_pair(parts, where()))
        elif open_tags[-1:] == ["s"]:
            parts.append((tag, "".join(said)))

    # The Czech–English set holds & and < as they were typed.
    typed = re.sub(r"&(?!#?\w{1,10};)", "&amp;", re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, said.append
    try:
        parser.Parse(re.sub(r"<(?=[\s\d=<])", "&lt;", typed), True)
    except expat.ExpatError as error:
        raise InputError(f"{name}, line {error.lineno}: this is no XML: {expat.ErrorString(error.code)}.") from error
    if not pairs:
        raise InputError(f"{name}: this XML holds no <s> with two texts, <sure> and <possible>.")
    return pairs


def _xml_pair(parts: Sequence[tuple[str, str]], where: str) -> LinkedPair:
    texts = [said for tag, said in parts if tag not in ("sure", "possible")]
    if len(texts) != 2:
        raise InputError(f"{where}: <s> holds two texts, <sure> and <possible>: this one holds {len(texts)} texts.")
    found = {tag: said for tag, said in parts if tag in ("sure", "possible")}
    sure, possible = (
        frozenset((s - 1, t - 1) for s, t in _links(found.get(tag, ""), where)[0]) for tag in ("sure", "possible")
    )
    return LinkedPair(tuple(texts[0].split()), tuple(texts[1].split()), sure, possible, where)
