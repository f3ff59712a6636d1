"""The language of a text: said where it is plainly another, and not said of names, figures and short texts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from xattn_viz.inputs.text import (
    LANGUAGES,
    LEAST_BYTES,
    _identifier,
    iso_639_1,
    language_note,
    other_language,
    prepare_languages,
)

SENTENCES = Path(__file__).parents[1] / "models"
OTHERS = {
    "de": "Der Großvater verkaufte das rote Boot noch vor dem Winter.",
    "fr": "Le petit chat dort sur la chaise de la cuisine.",
    "es": "El abuelo vendió la barca roja antes del invierno.",
    "it": "Il nonno ha venduto la barca rossa prima dell'inverno.",
    "ru": "Дедушка продал лодку до зимы.",
    "el": "Η γάτα κοιμάται πάνω στην καρέκλα.",
    "ar": "القطة تنام على الكرسي في المطبخ",
    "hi": "बिल्ली रसोई की कुर्सी पर सो रही है।",
    "zh": "猫在厨房的椅子上睡觉。",
    "ja": "猫は台所の椅子で寝ています。",
    "ko": "고양이가 부엌 의자에서 자고 있다.",
}
# What is English for all the names, figures, addresses and foreign words in it, and what is no language.
ENGLISH = [
    "Maria João da Silva lives in São Paulo.",
    "João Gonçalves e Irmãos Ltda.",
    "José Saramago wrote Ensaio sobre a Cegueira in 1995.",
    "Angela Merkel met Emmanuel Macron in Baden-Baden.",
    "Rua das Flores 123, 1200-195 Lisboa",
    "Mail joao.gonçalves@exemplo.com.br or see https://www.publico.pt/politica/noticia/um-titulo-qualquer",
    "C:\\Users\\Meus_Documentos\\relatorio_do_ano.docx",
    "He said “saudade” and left.",
    "1,000.50 EUR + 3.5 %, +55 11 98765-4321",
    "def f(x): return x + 1",
    "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
    "Juventus, Inter, Lazio, Fiorentina, Napoli, Torino",
    "😀😀😀😀😀😀😀😀",
]
PORTUGUESE = [
    "O meu smartphone tem um display OLED e Wi-Fi.",
    "O filme Gone with the Wind é de 1939.",
    "William Shakespeare nasceu em Stratford-upon-Avon.",
    "A banda The Rolling Stones tocou “Paint It Black”.",
    "Friedrich Nietzsche escreveu Also sprach Zarathustra.",
    "La Coruña, Buenos Aires, Santiago de Chile",
]


def lines(code: str) -> list[str]:
    return (SENTENCES / f"sentences.{code}.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(("right", "more"), [("en", ENGLISH), ("pt", PORTUGUESE)])
def test_nothing_is_said_of_the_right_language(right: str, more: list[str]) -> None:
    assert [text for text in (*lines(right), *more) if other_language(text, right)] == []


@pytest.mark.parametrize(("other", "wanted"), [("pt", "en"), ("en", "pt")])
def test_most_sentences_in_the_other_language_are_found(other: str, wanted: str) -> None:
    texts = [text for text in lines(other) if len(text) >= 40]
    found = [other_language(text, wanted) for text in texts]
    assert found.count(other) >= 0.85 * len(texts)
    assert sum(one not in (other, None) for one in found) <= 1


@pytest.mark.parametrize("other", OTHERS)
def test_sentences_of_other_languages_are_named(other: str) -> None:
    assert other_language(OTHERS[other], "en") == other
    assert other_language(OTHERS[other], other) is None
    assert language_note(OTHERS[other], "en", "English → Portuguese") == (
        f"This text looks like {LANGUAGES[other]}, and English → Portuguese reads English."
    )


@pytest.mark.parametrize("text", ["", " ", "Olá!", "Bom dia.", "gato preto", "你好", "Não me lembro.", "?!…", "\ud800"])
def test_nothing_is_said_of_a_short_text(text: str) -> None:
    assert sum(len(sign.encode("utf-8", "replace")) for sign in text if sign.isalpha()) < LEAST_BYTES
    assert other_language(text, "en") is None
    assert language_note(text, "en", "a model") is None


@pytest.mark.parametrize("wanted", ["", "gl", "la", "xx", "eng", "EN"])
def test_nothing_is_said_where_the_wanted_language_is_not_told_apart(wanted: str) -> None:
    assert other_language(OTHERS["fr"], wanted) is None


@pytest.mark.parametrize("text", ["a" * 100_000, "A b. " * 20_000, "." * 100_000, "é" * 100_000])
def test_a_very_long_text_is_looked_at_in_no_time(text: str) -> None:
    other_language(OTHERS["fr"], "en")  # the model is read
    start = time.perf_counter()
    other_language(text, "en")
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        *(("pt", "pt"), ("pt_XX", "pt"), ("por", "pt"), ("por_Latn", "pt"), ("cmn_Hant", "zh"), ("zho_Hans", "zh")),
        *(
            ("arb", "ar"),
            ("nb", "no"),
            ("nob_Latn", "no"),
            ("gl", "gl"),
            ("glg_Latn", None),
            ("java", None),
            ("", None),
        ),
    ],
)
def test_languages_have_the_code_of_two_letters_however_they_are_named(code: str, wanted: str | None) -> None:
    assert iso_639_1(code) == wanted


def test_the_model_is_read_once_whoever_asks_first() -> None:
    for _ in range(3):
        prepare_languages()
    assert other_language(OTHERS["de"], "pt") == "de"
    assert _identifier() is _identifier()
