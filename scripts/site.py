"""Whether a built site is whole: each link leads somewhere, and nothing is asked of a foreign host.

`python -m scripts.site build/site`, the last step of `make docs`. Sphinx checks the links of pages that it knows; this
reads what came out, so also those in HTML, frames, pictures, scripts and styles. A link that a reader follows may lead
elsewhere; what a browser fetches by itself may not.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FETCHED = {"src", "srcset", "poster", "data"}  # a browser asks for these itself; of `link` its href too
_STYLE_URL = re.compile(r"url\(\s*[\"']?(?!data:|#)([^\"')]+)|@import\s+[\"']([^\"']+)")


class Page(HTMLParser):
    """The anchors of a page, and what it leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = {""}
        self.links: list[tuple[str, bool]] = []  # address; whether it is fetched unasked
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids and addresses."""
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif name == "href" and tag in ("a", "area"):
                self.links.append((value or "", False))
            elif name in _FETCHED or (name == "href" and tag == "link"):
                self.links.append((value or "", True))


def faults(site: Path) -> list[str]:
    """What is wrong with a site, a sentence each."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found: list[str] = []
    for path, page in pages.items():
        found += [
            f"{path.relative_to(site.resolve())}: {fault}"
            for link in page.links
            if (fault := _fault(path, *link, pages))
        ]
    for path in site.rglob("*.css"):
        for match in _STYLE_URL.finditer(path.read_text(encoding="utf-8")):
            if fault := _fault(path.resolve(), match[1] or match[2], True, pages):
                found.append(f"{path.relative_to(site)}: {fault}")
    return found


def _fault(path: Path, address: str, is_fetched: bool, pages: dict[Path, Page]) -> str:
    parts = urlsplit(address)
    if parts.scheme == "data":
        return ""
    if parts.scheme or parts.netloc:
        return f"{address} is fetched from a foreign host." if is_fetched else ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return f"{address} leads nowhere."
    if target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return f"{address} has no such place."
    return ""


if __name__ == "__main__":
    told = faults(Path(sys.argv[1]))
    print(*told, sep="\n", end="\n" if told else "")
    sys.exit(bool(told))
