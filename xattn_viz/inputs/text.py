"""Text from outside: a string that a model can read, or a list of them."""

from __future__ import annotations

import re
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
