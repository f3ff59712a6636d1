"""What every page begins with: the router, the look of the frame around it, and text that is shown as it is."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st
from PIL import Image
from streamlit.navigation.page import Page

PAGES = Path("pages")

# The frame is kept thin, so that sentence, translation, overview and map fit one screen of 1280 × 720. A primary button
# takes dark ink in the dark theme, where white on amber would be too faint.
_CSS = """
<style>
[data-testid="stMainBlockContainer"] { padding: 0.75rem clamp(0.75rem, 2vw, 2.5rem) 2rem; max-width: none; }
[data-testid="stHeader"] { min-height: 0; height: 2.25rem; background: transparent; }
[data-testid="stMainBlockContainer"] [data-testid="stVerticalBlock"] { gap: 0.5rem; }
[data-testid="stForm"] { border: 0; padding: 0; }
[data-testid="InputInstructions"] { display: none; }
button[kind="primaryFormSubmit"] p, button[kind="primary"] p { color: var(--st-background-color, #0e0f13); }
</style>
"""


def navigation() -> Page:
    """The pages and the one to run. `app.py` calls it, and so does every page, see `begin`."""
    return st.navigation([st.Page(PAGES / "translate.py", title="Translate", default=True)], position="top")


def begin() -> None:
    """Set a page up; safe to call any number of times.

    On a fresh process a deep link can run a page once without `app.py`; declaring the same navigation here keeps the
    menu right.
    """
    st.set_page_config(page_title="xattn_viz", page_icon=_icon(), layout="wide")
    st.html(_CSS)


def _icon() -> Image.Image:
    """A small map with a diagonal. A named icon would be fetched from a foreign address."""
    icon = Image.new("RGB", (32, 32), "#0e0f13")
    for i in range(4):
        icon.paste("#ffb454", (8 * i, 8 * i, 8 * i + 8, 8 * i + 8))
    return icon


def literal(text: str) -> str:
    """Text as Markdown that shows it as it is: every character that Markdown, LaTeX or emoji codes read is escaped."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
