"""The Hugging Face hub: how its models are called, and their files (`fetching`).

Importing this imports nothing heavy.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# An organisation and a name, as the hub spells them.
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}")
# What follows a model's name in the addresses of its pages and files.
_PAGES = frozenset(("tree", "blob", "resolve", "raw", "commit", "commits", "discussions", "edit", "blame"))
_SITES = ("huggingface.co/", "www.huggingface.co/", "hf.co/")


def could_be(name: str) -> bool:
    """Whether a name is spelled as that of a model on the hub is: "organisation/name"."""
    return bool(_NAME.fullmatch(name))


def name_in(address: str) -> str:
    """The model's name in an address of the hub: that of its page, its list of files, or one of its files.

    What is no address is returned as it is, and so is what follows the host where it names no model.
    """
    if "://" not in address:
        if not address.lower().startswith(_SITES):
            return address
        address = f"https://{address}"
    path = urlsplit(address).path.strip("/")
    parts = path.split("/")
    # Old models have no organisation: huggingface.co/t5-small/tree/main.
    end = next((i for i in (1, 2) if len(parts) > 2 and parts[i] in _PAGES), len(parts))
    return "/".join(parts[:end])
