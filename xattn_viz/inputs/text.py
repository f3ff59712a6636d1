"""Text from outside: a string that a model can read, or a list of them, and the language it is plainly in.

The language is told by py3langid, naive Bayes over short stretches of bytes (Lui and Baldwin 2012, langid.py), which
runs offline. What is no evidence is left out before it looks: names, figures, addresses.
"""

from __future__ import annotations

import re
import threading
from functools import cache, lru_cache
from typing import Any

from xattn_viz.inputs import InputError

#: A longer text is refused before anything reads it.
MAX_CHARACTERS = 100_000
#: More white space without a break is no text, and some tokenizers of others take time with its square.
MAX_BLANKS = 1_000
_CALL = 'model.trace("The cat sat on the mat.")'


def check_text(text: object, name: str = "text") -> str:
    """The text itself. Raises InputError when it is no text, is too long or blank, or holds what no model can read.

    That is half a character, and a long run of blanks.

    >>> check_text("The cat.")
    'The cat.'
    """
    if isinstance(text, bytes | bytearray | memoryview):
        raise InputError(f"The {name} must be a string, not {type(text).__name__}: decode it, as in data.decode().")
    if isinstance(text, list | tuple):
        raise InputError(
            f"The {name} must be a string, not a {type(text).__name__}: model.traces takes a list of them."
        )
    if not isinstance(text, str):
        raise InputError(f"The {name} must be a string, not {type(text).__name__}, as in {_CALL}.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"The {name} has {len(text):,} characters: at most {MAX_CHARACTERS:,} are read at once. Give it in parts."
        )
    if not text.strip():
        raise InputError(f"The {name} is empty: type at least one word.")
    if (blanks := max(map(len, re.findall(r"\s+", text)), default=0)) > MAX_BLANKS:
        raise InputError(
            f"The {name} holds {blanks:,} blanks in a row: at most {MAX_BLANKS:,} are read. Take them out."
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(f"The {name} holds half of a character (a lone surrogate), which no model can read.")
    return text


def check_texts(texts: Any) -> list[str]:
    """The texts of a list. Raises InputError where it is empty, and where one of them is none, by its place from 0."""
    if not len(texts):
        raise InputError('The list of texts is empty: give one or more, as in model.traces(["One cat.", "Two cats."]).')
    return [check_text(text, f"text at place {place} of the list") for place, text in enumerate(texts)]


# ISO 639-1 codes, other codes that checkpoints use, names. Languages that hardly anybody types here (Latin, Esperanto,
# the smaller neighbours of larger ones) are left out: they would only draw sentences full of names to themselves.
_CODES_AND_NAMES = (
    "af/afr:Afrikaans am/amh:Amharic ar/arb/ara:Arabic as/asm:Assamese az/azj/aze:Azerbaijani be/bel:Belarusian "
    "bg/bul:Bulgarian bn/ben:Bengali ca/cat:Catalan cs/ces:Czech cy/cym:Welsh da/dan:Danish de/deu:German "
    "el/ell:Greek en/eng:English es/spa:Spanish et/est:Estonian eu/eus:Basque fa/pes/fas:Persian fi/fin:Finnish "
    "fr/fra:French ga/gle:Irish gu/guj:Gujarati ha/hau:Hausa he/heb:Hebrew hi/hin:Hindi hr/hrv:Croatian "
    "hu/hun:Hungarian hy/hye:Armenian id/ind:Indonesian ig/ibo:Igbo is/isl:Icelandic it/ita:Italian ja/jpn:Japanese "
    "ka/kat:Georgian kk/kaz:Kazakh km/khm:Khmer kn/kan:Kannada ko/kor:Korean ky/kir:Kyrgyz lo/lao:Lao "
    "lt/lit:Lithuanian lv/lvs/lav:Latvian mg/plt:Malagasy mk/mkd:Macedonian ml/mal:Malayalam mn/khk:Mongolian "
    "mr/mar:Marathi ms/zsm/msa:Malay my/mya:Burmese ne/npi:Nepali nl/nld:Dutch no/nob/nor/nb:Norwegian or/ory:Odia "
    "pa/pan:Punjabi pl/pol:Polish ps/pbt:Pashto pt/por:Portuguese ro/ron:Romanian ru/rus:Russian si/sin:Sinhala "
    "sk/slk:Slovak sl/slv:Slovene so/som:Somali sq/als/sqi:Albanian sr/srp:Serbian sv/swe:Swedish "
    "sw/swh/swa:Swahili ta/tam:Tamil te/tel:Telugu th/tha:Thai tl/tgl:Tagalog tr/tur:Turkish uk/ukr:Ukrainian "
    "ur/urd:Urdu uz/uzn:Uzbek vi/vie:Vietnamese xh/xho:Xhosa yo/yor:Yoruba zh/zho/cmn:Chinese zu/zul:Zulu"
)
_ENTRIES = [(codes.split("/"), name) for codes, name in (entry.split(":") for entry in _CODES_AND_NAMES.split())]
#: The languages that are told apart: ISO 639-1 codes and names.
LANGUAGES = {codes[0]: name for codes, name in _ENTRIES}
_ISO_639_1 = {code: codes[0] for codes, _ in _ENTRIES for code in codes}
#: Nothing is said of a text with fewer letters, in bytes of UTF-8: of 20 Latin ones, 7 Chinese ones.
LEAST_BYTES = 20
# The other language has to be the likeliest and at least so likely, and the one wanted at most so likely. Chosen, and
# their errors on both sides measured, in docs/languages.md.
_LIKELY, _UNLIKELY = 0.3, 0.01
_MOST_CHARACTERS = 10_000
_CODE = re.compile(r"[a-z]{2,3}(?![A-Za-z])")
_NO_WORD = frozenset("@/\\_<>{}=")
_ENDS = frozenset(".!?…。！？:")
_loading = threading.Lock()


def iso_639_1(code: str) -> str | None:
    """The two-letter code of a language, however a checkpoint names it; None where that is not known.

    >>> [iso_639_1(code) for code in ("pt", "pt_XX", "por", "por_Latn", "java")]
    ['pt', 'pt', 'pt', 'pt', None]
    """
    found = _CODE.match(code)
    short = found[0] if found else ""
    return _ISO_639_1.get(short, short if len(short) == 2 else None)


def prepare_languages() -> None:
    """Begin to read the model in a thread of its own, for who will soon ask."""
    threading.Thread(target=_identifier, daemon=True).start()


def language_note(text: str, wanted: str, reader: str) -> str | None:
    """A sentence for people where a text is plainly in another language than `reader`, the name of a model, reads."""
    found = other_language(text, wanted)
    return found and f"This text looks like {LANGUAGES[found]}, and {reader} reads {LANGUAGES[wanted]}."


@lru_cache(maxsize=64)  # texts are as long as visitors make them
def other_language(text: str, wanted: str) -> str | None:
    """The language of a text as a code of `NAMES`, where it is plainly another than `wanted`; else None.

    None too where `wanted` is a language that is not told apart. The first 10,000 characters are looked at.

    >>> other_language("O gato dorme na cadeira da cozinha.", "en")
    'pt'
    >>> other_language("The cat sleeps on the kitchen chair.", "en")
    """
    evidence = _evidence(text[:_MOST_CHARACTERS])
    if wanted not in LANGUAGES or sum(len(sign.encode()) for sign in evidence if sign.isalpha()) < LEAST_BYTES:
        return None
    chances = dict(_identifier().rank(evidence))
    likeliest = max(chances, key=chances.__getitem__)
    is_other = likeliest != wanted and chances[likeliest] >= _LIKELY and chances[wanted] <= _UNLIKELY
    return str(likeliest) if is_other else None


def _evidence(text: str) -> str:
    """The words of a text without those that look the same in any language: names, figures, addresses."""
    if text.isupper():
        text = text.lower()
    kept, begins = [], True
    for word in text.split():
        inside = word.strip("\"'“”‘’«»„().,;:!?…")
        is_name = not begins and inside[:1].isupper()
        if inside and not (is_name or "." in inside or any(sign.isdigit() or sign in _NO_WORD for sign in word)):
            kept.append(word)
        begins = word[-1] in _ENDS
    return " ".join(kept)


def _identifier() -> Any:
    """The model: read in about a second, once; 75 MB in memory."""
    with _loading:
        return _load_identifier()


@cache
def _load_identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(LANGUAGES)
    return found
