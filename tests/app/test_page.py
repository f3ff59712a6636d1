"""Text of others on the pages: shown as it is, and nowhere as Markdown."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server import ROOT
from xattn_viz.app.page import literal
from xattn_viz.core.tokens import visible_text

# Widgets whose first argument Streamlit reads as Markdown, and the keywords that it reads as such everywhere.
_MARKDOWN = {
    *("markdown", "caption", "write", "error", "info", "warning", "success", "button", "checkbox", "toggle", "radio"),
    *("selectbox", "text_input", "text_area", "number_input", "popover", "expander", "metric", "spinner"),
    *("download_button", "form_submit_button", "segmented_control", "file_uploader", "audio_input", "slider", "header"),
    *("subheader", "title", "toast", "tabs", "pills", "badge", "link_button"),
}
_NO_WIDGETS = {"controls", "page_state", "sounds", "pictures", "heads"}
_KEYWORDS = {"help", "label", "caption"}
# What is made of the page's own words and of numbers alone.
_OWN_WORDS = {
    *("page_state.kind().action", "page_state.kind().own", "KIND.action", "kind.segment", "kind.action", "done"),
    *("view.title.capitalize()", "mean.title.capitalize()", "steps"),
    *("name", "name.capitalize()", "label"),  # constants that were named before
    *("title", "help_text"),  # of an option, through `literal`
    "paragraphs",  # of the page About, its own
    *("count", "_MOST_WORDS", "masking.REPLACEMENT"),
    "'  \\n'.join(lines)",  # heads with their names, each through `literal`
}
# A paragraph as the transforms of Streamlit 1.x see it: text nodes, with the escapes and references read.
_BREAK = ":gray[]"
_LIVE = (
    re.compile(r"(https?:\/\/|www(?=\.))([-.\w]+)([^ \t\r\n]*)", re.IGNORECASE),
    re.compile(r"[-.\w+]+@[-\w]+(?:\.[-\w]+)+"),
    re.compile(r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)"),
    re.compile(r":[\w+-]+:"),
)


def nodes(markdown: str) -> list[str]:
    """The text nodes of what `literal` wrote."""
    plain = [re.sub(r"&#(\d+);", lambda code: chr(int(code[1])), part) for part in markdown.split(_BREAK)]
    return [re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", part) for part in plain]


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/x",
        "HTTP://evil.example",
        "www.evil.example.png",
        "WWW.evil.example",
        "me+you@evil.example",
        "a -> b -- c <- d <-> e >= f <= g ~= h --- <--",
        ":material/home: :smile: :+1: :streamlit: ::smile:: :red[x] :a:b:",
        "**bold** _it_ `code` [a](b) ![a](b) <b>x</b> # h $x^2$ ~~x~~ | & &amp; \\",
        "    four blanks\n\nanother paragraph\n\tcode\r\n- list\n1. one",
    ],
)
def test_text_of_others_is_shown_as_it_is(text: str) -> None:
    parts = nodes(literal(text))
    assert "".join(parts) == text
    assert [(live.pattern, part) for live in _LIVE for part in parts if live.search(part)] == []


@given(st.text(alphabet=st.sampled_from("wW.:/@-<>=~a1 _+\n\\h"), max_size=30))
def test_no_text_is_live_and_every_text_stays_itself(text: str) -> None:
    parts = nodes(literal(text))
    assert "".join(parts) == text
    assert not any(live.search(part) for live in _LIVE for part in parts)
    assert not re.search(r"[\n\t]|^ |  ", literal(text))  # no paragraph and no block of code begins


@pytest.mark.parametrize("text", ["\ud800", "\x00", "a\u202eb", "\u2028", "\ufffe"])
def test_what_cannot_be_seen_is_made_visible(text: str) -> None:
    shown = literal(text)
    shown.encode()
    assert "\\u" in shown
    assert not set(text) - {"a", "b"} & set(shown)


def test_joined_emoji_stay_joined() -> None:
    assert visible_text("a\n👩‍👧\u200e") == "a\n👩‍👧\\u200e"


def calls(path: Path) -> Iterator[tuple[ast.Call, ast.expr]]:
    """The calls of widgets in a module, each with an argument that is read as Markdown."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MARKDOWN):
            continue
        if ast.unparse(node.func.value) not in _NO_WIDGETS:
            for value in (*node.args[:1], *(word.value for word in node.keywords if word.arg in _KEYWORDS)):
                yield node, value


def is_own(value: ast.expr) -> bool:
    """Whether an expression holds no text but the page's own, numbers, and what went through `literal`."""
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.JoinedStr):
        return all(is_own(part) for part in value.values)
    if isinstance(value, ast.FormattedValue):  # with a format of numbers, such as :.2f
        return value.format_spec is not None or is_own(value.value)
    if isinstance(value, ast.IfExp):
        return is_own(value.body) and is_own(value.orelse)
    if isinstance(value, ast.BoolOp):
        return all(map(is_own, value.values))
    if isinstance(value, ast.Name) and re.fullmatch("_?[A-Z_]+", value.id):
        return True
    if isinstance(value, ast.Call) and ast.unparse(value.func) in {"literal", "len"}:
        return True
    return ast.unparse(value) in _OWN_WORDS


@pytest.mark.parametrize("path", sorted((ROOT / "xattn_viz" / "app").rglob("*.py")), ids=lambda path: path.stem)
def test_no_widget_reads_text_of_others_as_markdown(path: Path) -> None:
    found = [f"line {call.lineno}: {ast.unparse(value)}" for call, value in calls(path) if not is_own(value)]
    assert found == []
