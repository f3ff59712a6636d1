"""How many tokens a prompt or a hint has, counted in the browser while it is typed, beside how many the model reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz.app import models
from xattn_viz.shapes import SHAPES
from xattn_viz.shapes.prompts import DRAWN_COLOURS, DRAWN_SHAPES, LONGEST
from xattn_viz.shapes.sentence import ARTICLES

#: What a CLIP text encoder reads, and our models of hints, without start and end.
MOST_OF_CLIP, MOST_OF_A_HINT = 75, 19
#: How words become tokens: those `dropped` are none, those that `open` a phrase, unless one that `joins` stands before,
#: bring an article with them, and a `comma` where something stands before.
_PROMPT = {"dropped": ARTICLES, "opens": (*DRAWN_COLOURS, *DRAWN_SHAPES), "joins": DRAWN_COLOURS, "comma": False}
_HINT = {"dropped": (*ARTICLES, "and"), "opens": SHAPES, "joins": (), "comma": True}

# The field is React's own, so the script listens to the page. What it shows is a number of its own, never the text.
_SCRIPT = r"""
const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*(?:['’][\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*)*/gu;
const SIDES = ["left", "right"];

function count(text, rule) {
  const plain = text.slice(0, 2000).replace(/\(([^():]*):[^():]*\)/g, "$1").normalize("NFKC").toLowerCase();
  const words = (plain.match(WORD) ?? []).map((word) => word.replace(/\p{Cf}/gu, ""));
  if (!rule) return words.length;
  let tokens = 0;
  let before = "";
  words.forEach((word, i) => {
    if (word === "to" && words[i + 1] === "the" && SIDES.includes(words[i + 2])) return;
    if (rule.dropped.includes(word)) return;
    if (rule.opens.includes(word) && !rule.joins.includes(before)) tokens += rule.comma && before ? 2 : 1;
    tokens += 1;
    before = word;
  });
  return tokens;
}

export default function ({ data, parentElement }) {
  const shown = parentElement.querySelector("output");
  const inField = (target) => target instanceof Element && target.closest(`.st-key-${data.key}`);
  const show = (text) => {
    const tokens = count(text, data.rule);
    shown.value = `${data.rule ? "" : "at least "}${tokens} of ${data.most} tokens`;
    shown.className = tokens > data.most ? "over" : "";
  };
  const typed = (event) => inField(event.target) && show(event.target.value);
  document.addEventListener("input", typed);
  show(document.querySelector(`.st-key-${data.key} input`)?.value ?? data.text);
  return () => document.removeEventListener("input", typed);
}
"""
_CSS = """
output { font: 0.8125rem system-ui, sans-serif; white-space: nowrap; color: light-dark(#55524d, #b9b6ae); }
output.over { color: light-dark(#b3261e, #ff8f86); font-weight: 600; }
"""


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_counting", html='<output aria-live="polite"></output>', css=_CSS, js=_SCRIPT
    )


def of_prompt(key: str, model: str, text: str) -> None:
    """The count of the prompt in the field of this key; of a model that cuts words into pieces, the least it can be."""
    if models.knows_shapes(model):
        _show(key, text, LONGEST, _PROMPT)
    else:
        _show(key, text, MOST_OF_CLIP, None)


def of_hint(key: str, text: str) -> None:
    """The count of the hint in the field of this key."""
    _show(key, text, MOST_OF_A_HINT, _HINT)


def _show(key: str, text: str, most: int, rule: Mapping[str, Any] | None) -> None:
    data = {"key": key, "text": text, "most": most, "rule": rule}
    _component()(data=data, key=f"count-{key}", width="content", height="content")
