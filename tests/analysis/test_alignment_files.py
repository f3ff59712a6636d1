from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xattn_viz.analysis import alignment_files
from xattn_viz.analysis.alignment_files import Format, LinkedPair, detect, read_gold, read_pairs, write
from xattn_viz.analysis.alignment_heads import BY_HAND
from xattn_viz.core.evidence import Alignment, AlignmentLink, Word
from xattn_viz.inputs import InputError

CZECH = """<?xml version="1.0" encoding="utf-8" ?>
<sentences>
  <s id="a-s1">
    <english>Are the Days &amp; Nights & 3 < 4</english>
    <czech>Jsou dny</czech>
    <sure>1-1 3-2</sure>
    <possible>2-2 1-1</possible>
  </s>
  <s id="a-s2"><english>Yes</english><czech>Ano</czech><sure>1-1</sure><possible></possible></s>
</sentences>
"""


def cat() -> Alignment:
    source = (Word("the", (0, 3)), Word("black", (4, 9)), Word("cat", (10, 13)))
    target = (Word("o", (0, 1)), Word("gato", (2, 6)), Word("preto", (7, 12)), Word("!", (12, 13)))
    links = (AlignmentLink(0, 0, 0.9), AlignmentLink(1, 2, 0.75), AlignmentLink(2, 1, 0.5))
    return Alignment(source, target, links, np.zeros((4, 3)), (), (), "given", "threshold", 0.4)


def write_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_one_alignment_in_every_format() -> None:
    assert alignment_files.pharaoh(cat()) == "0-0 1-2 2-1"
    assert alignment_files.tsv(cat()) == "the black cat\to gato preto !\t0-0 1-2 2-1"
    assert alignment_files.naacl(cat(), 7) == "7 1 1 S 0.9000\n7 2 3 S 0.7500\n7 3 2 S 0.5000"
    said = alignment_files.as_json(cat())
    assert said["links"] == [[0, 0, 0.9], [1, 2, 0.75], [2, 1, 0.5]]
    assert said["source"][2] == {"text": "cat", "span": (10, 13)}
    assert said["target_nulls"] == [3]


@pytest.mark.parametrize("ending", [".tsv", ".json", ".naacl", ".pharaoh", ".align", ".xml"])
def test_what_is_written_reads_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"cat{ending}"
    write([cat(), cat()], path)
    sides: Any = {
        "source": write_text(tmp_path / "en", "the black cat\n" * 2),
        "target": write_text(tmp_path / "pt", "o gato preto !\n" * 2),
    }
    found = read_gold(path, **sides)
    wanted = (
        ("the", "black", "cat"),
        ("o", "gato", "preto", "!"),
        frozenset({(0, 0), (1, 2), (2, 1)}),
        frozenset[Any](),
    )
    assert [(pair.source_words, pair.target_words, pair.sure, pair.possible) for pair in found] == [wanted, wanted]


@pytest.mark.parametrize("kind", get_args(Format))
def test_gold_goes_from_one_format_to_another(tmp_path: Path, kind: Format) -> None:
    odd = LinkedPair(("a", "<&", "\x01"), ("x", "y"), frozenset({(0, 0)}), frozenset({(2, 1)}))
    pairs = [*read_gold(BY_HAND)[:3], odd, LinkedPair(("b",), ("z",), frozenset())]
    for side in ("source", "target"):
        words = (pair.source_words if side == "source" else pair.target_words for pair in pairs)
        write_text(tmp_path / side, "".join(f"{' '.join(each)}\n" for each in words))
    write(pairs, tmp_path / "gold", kind)
    found = read_gold(tmp_path / "gold", kind, source=tmp_path / "source", target=tmp_path / "target")
    assert [(pair.sure, pair.possible) for pair in found] == [(pair.sure, pair.possible) for pair in pairs]
    assert [pair.target_words for pair in found] == [pair.target_words for pair in pairs]
    assert found[3].source_words == ("a", "<&", "\ufffd" if kind == "xml" else "\x01")


def test_a_word_with_a_blank_inside_stays_one_word() -> None:
    assert alignment_files.tsv(LinkedPair(("New York",), ("Nova\u00a0Iorque",), frozenset({(0, 0)}))) == (
        "New_York\tNova_Iorque\t0-0"
    )
    assert "".join(alignment_files.lines([], "json")) == "[\n\n]\n"


def test_possible_links_are_read_in_every_format(tmp_path: Path) -> None:
    sides: Any = {"source": write_text(tmp_path / "en", "a b\n"), "target": write_text(tmp_path / "pt", "x y\n")}
    files = {
        "tsv": "a b\tx y\t0-0 1?1 0p1 1-0 0?0\n",
        "pharaoh": "0-0 1?1 0p1 1-0 0?0\n",
        "naacl": "1 1 1 S\n1 2 2 P 0.5\n0001 1 2 P\n1 2 1\n1 0 2\n1 1 1 P\n",
        "json": json.dumps(
            {"pairs": [{"source": "a b", "target": ["x", "y"], "sure": [[0, 0], [1, 0]], "possible": [[1, 1], [0, 1]]}]}
        ),
        "xml": "<all><s><a>a b</a><b>x y</b><sure>1-1 2-1</sure><possible>2-2 1-2 1-1</possible></s></all>",
    }
    for name, text in files.items():
        path = write_text(tmp_path / "gold", text)
        assert detect(text, "gold") == name
        (found,) = read_gold(path, **sides)
        assert (found.sure, found.possible) == (frozenset({(0, 0), (1, 0)}), frozenset({(1, 1), (0, 1)})), name


def test_the_xml_of_the_czech_english_set(tmp_path: Path) -> None:
    first, second = read_gold(write_text(tmp_path / "cz.wa", CZECH))
    assert first.source_words == ("Are", "the", "Days", "&", "Nights", "&", "3", "<", "4")
    assert first.target_words == ("Jsou", "dny")
    assert (first.sure, first.possible) == (frozenset({(0, 0), (2, 1)}), frozenset({(1, 1)}))
    assert second == LinkedPair(("Yes",), ("Ano",), frozenset({(0, 0)}), name=second.name)


def test_sentences_marked_as_in_the_shared_tasks(tmp_path: Path) -> None:
    sides: Any = {
        "source": write_text(tmp_path / "e", "<s snum=0001> a b </s>\n<s snum=0002> c </s>\n"),
        "target": write_text(tmp_path / "f", "<s snum=0001> x </s>\r\n<s snum=0002> y </s>\n"),
    }
    found = read_gold(write_text(tmp_path / "gold", "1 2 1\n2 1 1 S\n"), **sides)
    assert [(pair.source_words, pair.sure) for pair in found] == [
        (("a", "b"), frozenset({(1, 0)})),
        (("c",), frozenset({(0, 0)})),
    ]


def test_sentences_have_the_numbers_that_they_are_marked_with(tmp_path: Path) -> None:
    sides: Any = {
        "source": write_text(tmp_path / "e", "<s snum=7>a</s>\n<s snum=9>b</s>\n"),
        "target": write_text(tmp_path / "f", "<s snum=7>x</s>\n<s snum=9>y</s>\n"),
    }
    gold = write_text(tmp_path / "gold", "9 1 1\n")
    assert [(pair.source_words, len(pair.sure)) for pair in read_gold(gold, **sides)] == [(("a",), 0), (("b",), 1)]
    write_text(tmp_path / "f", "<s snum=7>x</s>\n<s snum=8>y</s>\n")
    with pytest.raises(InputError, match="have different numbers"):
        read_gold(gold, **sides)


@given(st.text(alphabet="0123456789-?pSP<>s/[]{}\"':,.&; \t\n\\aé\x00", max_size=60), st.sampled_from(get_args(Format)))
def test_any_text_is_read_or_told_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: str, kind: Format
) -> None:
    folder = tmp_path_factory.getbasetemp()
    sides: Any = {"source": write_text(folder / "en", "a\nb\n"), "target": write_text(folder / "pt", "x\ny\n")}
    for format_said in (kind, None):
        with suppress(InputError):
            read_gold(write_text(folder / "any", text), format_said, **sides)


def test_comments_empty_lines_and_line_ends_are_no_pairs(tmp_path: Path) -> None:
    path = write_text(tmp_path / "gold.tsv", "\ufeff# said\r\n\r\n# \ta\t0-0\r\nb\tc\t0-0\r\n")
    assert [pair.source_words for pair in read_gold(path)] == [("#",), ("b",)]
    assert [pair.name for pair in read_gold(path)] == ["gold.tsv, line 3", "gold.tsv, line 4"]
    assert read_pairs(path) == [("# ", "a"), ("b", "c")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\t0-0\nc\td\n", "gold, line 2: source, target and links stand between tabs"),
        ("a\tb\t0-0 0:1\n", "gold, line 1: a link is 0-0, or 0\\?0 where it is possible only: got '0:1'"),
        ("a\tb\t0-1\n", "gold, line 1 links the words 0 and 1, from 0, of 1 source words and 1 target words"),
        ("a\tb\t-1-0\n", "gold, line 1: a link is"),
        ("hello\n", "gold is no file of word links"),
        ("", "gold is no file of word links"),
        ("0-0\nx\n", "gold, line 2: a link is"),
        ("0-0\n0-0\n0-0\n", "gold has links of 3 pairs, and there are 2 sentences"),
        ("1 1 1\n3 1 1\n", "gold, line 2: there is no sentence 3: there are 2, from 1 on"),
        ("1 1 1\nx\n", "gold, line 2: pair, source word and target word are numbers from 1"),
        ("[1]", "gold, pair 1: a pair is"),
        ('[{"source": "a", "target": "b", "links": [[0, 0.0]]}]', "gold, pair 1: a pair is"),
        ('{"a": 1}', "gold: JSON with links is a list of pairs"),
        ('[\n{"source": }]', "gold, line 2: this is no JSON"),
        ("[" * 100_000, "gold.*: this is no JSON"),
        ("<a><s></a>", "gold, line 1: this is no XML: mismatched tag"),
        ("<a>\n<s><e>a</e></s></a>", "gold, line 2: <s> holds two texts"),
        ("<a/>", "gold: this XML holds no <s>"),
        ("<a><s><e>a</e><f>b</f>\n<sure>1-2</sure></s></a>", "gold, line 2 links the words 0 and 1"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "gold, line 1: XML with a document type is not read"),
        ("<a>&b;</a>", "gold, line 1: this is no XML: undefined entity"),
    ],
)
def test_what_is_no_such_file_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    sides: Any = {"source": write_text(tmp_path / "en", "a\nb\n"), "target": write_text(tmp_path / "pt", "x\ny\n")}
    with pytest.raises(InputError, match=message):
        read_gold(write_text(tmp_path / "gold", text), **sides)


def test_files_that_do_not_fit_or_cannot_be_read_are_told(tmp_path: Path) -> None:
    gold = write_text(tmp_path / "gold", "0-0\n")
    with pytest.raises(InputError, match="gold holds links and no sentences: give the files of these too"):
        read_gold(gold)
    one, two = write_text(tmp_path / "one", "a\n"), write_text(tmp_path / "two", "a\nb\n")
    with pytest.raises(InputError, match="one has 1 sentences, and two has 2"):
        read_gold(gold, source=one, target=two)
    marked = write_text(tmp_path / "marked", "<s snum=1> a </s>\nb\n")
    with pytest.raises(InputError, match="marked, line 2: a sentence stands between"):
        read_gold(gold, source=marked, target=two)
    with pytest.raises(InputError, match="no format 'csv'; there are tsv"):
        read_gold(gold, "csv")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_gold(tmp_path / "none")
    (tmp_path / "latin").write_bytes(b"a\t\xe9\t0-0\n")
    assert read_gold(tmp_path / "latin", encoding="latin-1")[0].target_words == ("é",)
    with pytest.raises(InputError, match="no encoding 'klingon'"):
        read_gold(gold, encoding="klingon")
    with pytest.raises(InputError, match=r"latin is not in utf-8: byte 3.*encoding=.latin-1"):
        read_gold(tmp_path / "latin")
    with pytest.raises(InputError, match="two, line 1: a source and a target stand between tabs"):
        read_pairs(two)
    with pytest.raises(InputError, match="empty holds no pair"):
        read_pairs(write_text(tmp_path / "empty", "# nothing\n"))
    with pytest.raises(InputError, match="says no format by its ending"):
        write(cat(), tmp_path / "cat.txt")
    with pytest.raises(InputError, match="Alignments are written as tsv, pharaoh, naacl, json, xml: got 'csv'"):
        write(cat(), tmp_path / "cat.txt", "csv")  # type: ignore[arg-type]


def test_the_pairs_that_come_with_the_package() -> None:
    pairs = read_gold(BY_HAND)
    assert len(pairs) == 62
    assert len({pair.source_words for pair in pairs}) == 62
    cat = next(pair for pair in pairs if "chased" in pair.source_words)
    links = {(cat.source_words[s], cat.target_words[t]) for s, t in cat.sure}
    assert {("white", "branco"), ("cat", "gato"), ("the", "o"), ("The", "O")} <= links
    assert all(pair.sure for pair in pairs)
    linked = [{s for s, _ in pair.sure | pair.possible} for pair in pairs]
    assert all(len(own) == len(pair.source_words) for own, pair in zip(linked, pairs, strict=True))
    assert "no gold standard" in BY_HAND.read_text(encoding="utf-8").splitlines()[1]
