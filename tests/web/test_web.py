"""The joined script of each component holds every module once and imports nothing."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from pygments.lexers import JavascriptLexer
from pygments.token import Comment

from xattn_viz import web

COMPONENTS = pytest.mark.parametrize("component", web.STYLES)


def sources(folder: str) -> dict[str, str]:
    """The modules of a folder and of the rooms in it."""
    modules = sorted(Path(str(files(f"xattn_viz.web.{folder}"))).rglob("*.js"))
    return {path.as_posix(): path.read_text(encoding="utf-8") for path in modules if path.name != "absent.js"}


@COMPONENTS
def test_the_script_imports_nothing_and_exports_one_thing(component: str) -> None:
    script = web.script(component)
    assert not re.search(r"\bimport [{*]", script)
    assert re.findall(r"\bexport .{28}", script) == ["export default function mount({data"]


@COMPONENTS
def test_every_module_of_the_folder_is_in_it_once(component: str) -> None:
    source = web.source(component)
    modules = sources(component)
    assert len(modules) > 3
    for module in modules.values():
        exported = re.findall(r"^export (?:async )?(?:function|const) (\w+)", module, re.MULTILINE)
        for name in exported:
            assert len(re.findall(rf"^(?:async )?(?:function|const) {name}\b", source, re.MULTILINE)) == 1, name


@pytest.mark.parametrize("component", [*web.STYLES, "page"])
def test_no_name_at_the_top_is_taken_twice(component: str) -> None:
    """A module's own names too: in the joined script a second one would be an error, and nothing would be shown."""
    source = web.source("explorer", "evidence/figure.js") if component == "page" else web.source(component)
    names = re.findall(r"^(?:export default )?(?:async )?(?:function|const|let|class) (\w+)", source, re.MULTILINE)
    assert len(names) > 20
    assert sorted(names) == sorted(set(names))


@COMPONENTS
def test_what_is_sent_is_the_source_without_comments_and_blanks(component: str) -> None:
    """By the lexer of Pygments, which knows literals, comments and expressions from each other."""
    source, script = web.source(component), web.script(component)
    told = [
        re.sub(r"\s", "", "".join(text for kind, text in JavascriptLexer().get_tokens(each) if kind not in Comment))
        for each in (source, script)
    ]
    assert told[0] == told[1]
    assert len(script) < 0.8 * len(source)
    assert "/**" not in script


def test_for_each_name_of_a_part_that_is_left_out_something_stands_in() -> None:
    """And for no other: `web.source` raises KeyError for one that is forgotten."""
    absent = (files("xattn_viz.web.explorer") / "absent.js").read_text(encoding="utf-8")
    stand_ins = set(re.findall(r"^export const (\w+)", absent, re.MULTILINE))
    taken: set[str] = set()
    for left_out in (*({part} for part in web.SELDOM), set(web.SELDOM)):
        source = web.source(without=frozenset(left_out))
        names = re.findall(r"^(?:export default )?(?:async )?(?:function|const|let|class) (\w+)", source, re.MULTILINE)
        assert sorted(names) == sorted(set(names))
        taken |= set(re.findall(r"^const (\w+)", source, re.MULTILINE)) & stand_ins
        paths = [path for part in left_out for path in web.SELDOM[part]]
        own = "".join(text for name, text in sources("explorer").items() if any(f"/{path}" in name for path in paths))
        functions = re.compile(r"^(?:export )?(?:async )?function (\w+)", re.MULTILINE)
        assert not set(functions.findall(own)) & set(functions.findall(source))
    assert taken == stand_ins
    assert ".xv-cursor" not in web.css(without=frozenset({"sound"}))


def test_a_component_uses_modules_of_another() -> None:
    assert "function isolated(" in web.script("stepper")
    assert "makeOverview" not in web.script("stepper")
    assert "--xv-ground:" in web.css("stepper")


def test_the_scripts_hold_no_address_but_that_of_svg() -> None:
    for component in web.STYLES:
        found = set(re.findall(r"https?://[^\s\"']+", web.script(component) + web.css(component)))
        assert found <= {"http://www.w3.org/2000/svg"}
