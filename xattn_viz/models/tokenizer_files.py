"""Which files a tokenizer is read from, and one sentence where they are not there, or cannot be read.

transformers makes a tokenizer without a vocabulary of nothing at all: to it every text is a row of unknown tokens.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from transformers import TokenizersBackend
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES, tokenizer_class_from_name

_WHOLE = "tokenizer.json"
# What tokenizers may have besides their vocabulary.
_OPTIONAL = {"tokenizer_file", "tokenizer_config_file", "target_vocab_file", "normalizer_file"}
# What other vocabularies lie in.
_VOCABULARIES = (".model", ".spm", ".tokenizer", ".codes")


def class_of(settings: Mapping[str, Any], config: Mapping[str, Any]) -> Any | None:
    """The class of a tokenizer by what its tokenizer_config.json and the config.json beside it say; None if nothing."""
    names = (settings.get("tokenizer_class"), config.get("tokenizer_class"))
    parts = config["encoder"] if isinstance(config.get("encoder"), dict) else {}  # two models put together
    kind = parts.get("model_type", config.get("model_type"))
    by_kind = TOKENIZER_MAPPING_NAMES.get(kind) if isinstance(kind, str) else None
    for name in (*names, by_kind):
        if isinstance(name, str) and (found := tokenizer_class_from_name(name)) is not None:
            return found
    return None


def lacking(made_by: Any, names: Collection[str]) -> str | None:
    """What to say of a tokenizer of a class whose vocabulary is not among the files `names`; None where it is.

    >>> from transformers import T5Tokenizer
    >>> lacking(T5Tokenizer, ["spiece.model"])
    >>> lacking(T5Tokenizer, ["vocab.json"])
    'its tokenizer (T5Tokenizer) is read from tokenizer.json or from spiece.model, and neither is there'
    """
    files = getattr(made_by, "vocab_files_names", None) or {}
    needed = [file for key, file in files.items() if key not in _OPTIONAL]
    is_fast = issubclass(made_by, TokenizersBackend)
    missing = [file for file in needed if file not in names]
    if (is_fast and _WHOLE in names) or (needed and not missing) or not files:
        return None
    where = " or from ".join([*([_WHOLE] if is_fast else []), *([_listed(needed)] if needed else [])])
    if is_fast and len(missing) == len(needed):
        what = "neither is there" if needed else "it is not there"
    else:
        what = f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} not there"
    others = [name for name in sorted(names) if name.endswith(_VOCABULARIES) and name not in needed]
    more = (
        f" ({_listed(others)} would be read where tokenizer_config.json says the tokenizer_class that it belongs to)"
        if others
        else ""
    )
    return f"its tokenizer ({made_by.__name__}) is read from {where}, and {what}{more}"


def package(error: Exception) -> str | None:
    """The package that a library asks for in an error, if it does."""
    if not isinstance(error, ImportError):
        return None
    asked = re.search(r"pip install ([\w-]+)|install (\w+) to use|requires the (\w+) library", str(error))
    return next(filter(None, asked.groups()), None) if asked else error.name


def _listed(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"{', '.join(files[:-1])} and {files[-1]}"
