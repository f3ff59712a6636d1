"""What the documentation is made of holds together: links, contents, names of the API. `make docs` makes the site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import xattn_viz as xv
from tests.server import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"!?\[(?:[^][]|\[[^][]*\])*\]\(([^()\s]+)\)|<img src=\"([^\"]+)\"")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Those of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_each_link_leads_somewhere(path: Path) -> None:
    for said in LINK.finditer(prose(path)):
        address = said[1] or said[2]
        if re.match(r"[a-z]+:", address):
            continue
        file, _, anchor = address.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.is_file(), f"{path.name}: {address}"
        assert not anchor or anchor in anchors(target), f"{path.name}: {address}"


def test_the_contents_list_each_page_once() -> None:
    lists = re.findall(r"^```\{toctree\}\n(.*?)^```$", (DOCS / "index.md").read_text(encoding="utf-8"), re.M | re.S)
    listed = [line for one in lists for line in one.splitlines() if line and not line.startswith(":")]
    files = {
        path.relative_to(DOCS).with_suffix("").as_posix()
        for ending in ("md", "ipynb")
        for path in DOCS.rglob(f"*.{ending}")
    }
    assert sorted(listed) == sorted(files - {"index"})


def test_the_api_page_has_each_public_name_once() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    names = re.findall(r"^\.\. auto(?:function|class):: (\w+)$", text, re.MULTILINE)
    modules = re.findall(r"^### xv\.(\w+)\n\n```\{eval-rst\}\n\.\. automodule:: (\S+)$", text, re.MULTILINE)
    assert sorted([*names, *(name for name, _ in modules)]) == sorted(xv.__all__)
    assert all(module == f"xattn_viz.{xv._HOMES[name]}" for name, module in modules)
