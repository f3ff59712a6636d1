"""Which language a text is in, where that is plainly another one than is wanted.

By py3langid, naive Bayes over short stretches of bytes (Lui and Baldwin 2012, langid.py), which runs offline. What is
no evidence is left out before it looks: names, figures, addresses.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

# Those that hardly anybody types here (Latin, Esperanto, the smaller neighbours of larger languages) are left out: they
# would only draw sentences full of names to themselves.
_LANGUAGES = (
    "af:Afrikaans am:Amharic ar:Arabic as:Assamese az:Azerbaijani be:Belarusian bg:Bulgarian bn:Bengali "
    "ca:Catalan cs:Czech cy:Welsh da:Danish de:German el:Greek en:English es:Spanish et:Estonian eu:Basque "
    "fa:Persian fi:Finnish fr:French ga:Irish gu:Gujarati ha:Hausa he:Hebrew hi:Hindi hr:Croatian "
    "hu:Hungarian hy:Armenian id:Indonesian ig:Igbo is:Icelandic it:Italian ja:Japanese ka:Georgian kk:Kazakh "
    "km:Khmer kn:Kannada ko:Korean ky:Kyrgyz lo:Lao lt:Lithuanian lv:Latvian mg:Malagasy mk:Macedonian "
    "ml:Malayalam mn:Mongolian mr:Marathi ms:Malay my:Burmese ne:Nepali nl:Dutch no:Norwegian or:Odia pa:Punjabi "
    "pl:Polish ps:Pashto pt:Portuguese ro:Romanian ru:Russian si:Sinhala sk:Slovak sl:Slovene so:Somali "
    "sq:Albanian sr:Serbian sv:Swedish sw:Swahili ta:Tamil te:Telugu th:Thai tl:Tagalog tr:Turkish uk:Ukrainian "
    "ur:Urdu uz:Uzbek vi:Vietnamese xh:Xhosa yo:Yoruba zh:Chinese zu:Zulu"
)
#: The languages that are told apart: ISO 639-1 codes and names.
NAMES = dict(pair.split(":") for pair in _LANGUAGES.split())
#: Nothing is said of a text with fewer letters, in bytes of UTF-8: of 20 Latin ones, 7 Chinese ones.
LEAST_BYTES = 20
# The other language has to be the likeliest and at least so likely, and the one wanted at most so likely. Chosen, and
# their errors on both sides measured, in docs/languages.md.
_LIKELY, _UNLIKELY = 0.3, 0.01
_MOST_CHARACTERS = 10_000
_NO_WORD = frozenset("@/\\_<>{}=")
_ENDS = frozenset(".!?…。！？:")


def language_note(text: str, wanted: str, reader: str) -> str | None:
    """A sentence for people where a text is plainly in another language than `reader`, the name of a model, reads."""
    found = other_language(text, wanted)
    return found and f"This text looks like {NAMES[found]}, and {reader} reads {NAMES[wanted]}."


@lru_cache(maxsize=1024)
def other_language(text: str, wanted: str) -> str | None:
    """The language of a text as a code of `NAMES`, where it is plainly another than `wanted`; else None.

    None too where `wanted` is a language that is not told apart. The first 10,000 characters are looked at.

    >>> other_language("O gato dorme na cadeira da cozinha.", "en")
    'pt'
    >>> other_language("The cat sleeps on the kitchen chair.", "en")
    """
    evidence = _evidence(text[:_MOST_CHARACTERS])
    if wanted not in NAMES or sum(len(sign.encode()) for sign in evidence if sign.isalpha()) < LEAST_BYTES:
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


@cache
def _identifier() -> Any:
    """The model: read in about a second, 75 MB in memory."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

    found = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    found.set_languages(NAMES)
    return found
