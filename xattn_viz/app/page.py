"""What every page begins with: the router, its heading and its guide, the look of the frame, text shown as it is."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import streamlit as st
from PIL import Image
from streamlit.components.v2.types import ComponentRenderer
from streamlit.navigation.page import Page

from xattn_viz import web
from xattn_viz.app import page_state
from xattn_viz.core.tokens import visible_text
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError

PAGES = Path("pages")
NAME = "xattn_viz"
#: What each page is, by its title; and the titles of those that have a kind.
SENTENCES = {
    "Translate": "Type a sentence and see which words a model reads while it writes each word of the translation.",
    "Speech": "Speak or choose a clip, and see for each written word the moment of sound that it was heard in.",
    "Images": "Give a picture and see where a model looks in it while it writes each word of a caption or an answer.",
    "Draw": "Watch a picture form out of noise from a prompt, and see which word went where.",
    "Layer": "Attention taken apart: change its numbers, and watch what follows.",
    "About": "What attention is, idea by idea, each with a small map to try it in.",
    "Stories": "Give a talk of views with captions: one that ships, or your own.",
}
_TITLES = {"text": "Translate", "audio": "Speech", "image": "Images", "prompt": "Draw"}
#: The key of the popover of what was seen before.
PAST = "past"
#: The script of the page of each kind.
SCRIPTS = {"text": "translate.py", "audio": "speech.py", "image": "images.py", "prompt": "draw.py"}
_WORDS_IN_TAB = 3

# Between these Streamlit finds links (`www.`, `https://`, `a@b.c`), icons and emoji (`:name:`), arrows and dashes
# (`->`, `--`, `>=`) in text whose escapes are gone.
_PARTED = re.compile(
    r"(?<=:)(?=//|[\w+-]+:)|(?<=www)(?=\.)|(?<=[-.\w+])(?=@)|(?<=[-<>=~])(?=[-<>=])",
    re.IGNORECASE,
)
_NOTHING = ":gray[]"

# The frame is kept thin, so that sentence, translation, overview and map fit one screen of 1280 × 720; on a very wide
# screen all grows. A primary button takes dark ink in the dark theme, where white on amber would be too faint. The
# page has a Stop button of its own, so Streamlit's does not show.
_CSS = """
<style>
html { font-size: max(16px, 0.4vw + 8px) !important; }
[data-testid="stMainBlockContainer"] { padding: 0.35rem clamp(0.75rem, 2vw, 2.5rem) 2rem; max-width: none; }
[data-testid="stHeader"] { min-height: 0; height: 2.9rem; background: transparent; }
[data-testid="stHeader"], [data-testid="stHeader"] * { pointer-events: none; } /* it lies over the controls */
[data-testid="stHeader"] :is(button, a, button *, a *) { pointer-events: auto; }
[data-testid="stMainBlockContainer"] [data-testid="stVerticalBlock"] { gap: 0.5rem; }
[data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] { gap: 0.35rem; }
[data-testid="stStatusWidget"]:has([data-testid="stStatusWidgetRunningIcon"]) { display: none; }
[data-testid="InputInstructions"] { display: none; }
/* What is on screen until a run ends dims at once: a fade would be painted sixty times a second, beside the model. */
[data-testid="stElementContainer"] { transition-duration: 0s !important; }
/* Its CSV would let a spreadsheet compute a label; ours does not. */
[data-testid="stElementToolbarButton"]:has([aria-label^="Download as CSV"]) { display: none; }
:is(button[kind="primaryFormSubmit"], button[kind="primary"]) p { color: light-dark(#fff, #0e0f13); }
[data-testid="stButtonGroup"] button[aria-checked="true"] p { color: light-dark(#853a00, #ffb454); } /* WCAG AA */
[data-testid="stCaptionContainer"] { opacity: 1; }
[data-testid="stCaptionContainer"] p { color: light-dark(#55524d, #b9b6ae); } /* Streamlit's is below WCAG AA */
[data-testid="stTopNav"] { flex: 1; justify-content: flex-end; } /* at the right, beside the row of controls */
[data-testid="stTopNav"] + div { flex: none; width: auto; min-width: 0; }
@media (max-width: 80rem) { /* six pages leave the heading its place */
  [data-testid="stTopNavLink"] { padding-inline: 0.3rem; }
  [data-testid="stTopNav"] { padding-inline-end: 0.25rem; }
}
/* The pages and the menu lie over the page: they leave with it when it is scrolled, else they have a ground. */
@supports (animation-timeline: scroll()) {
  :has(> [data-testid="stHeader"]) { timeline-scope: --page; }
  [data-testid="stMain"] { scroll-timeline: --page block; }
  [data-testid="stHeader"] {
    animation: leave linear both; animation-timeline: --page; animation-range: 0 2.9rem;
  }
  @keyframes leave { to { transform: translateY(-2.9rem); } }
}
@supports not (animation-timeline: scroll()) {
  [data-testid="stTopNav"] { background: light-dark(#fbfaf7, #0e0f13); border-radius: 0.5rem; }
}
.st-key-controls.st-key-controls, .st-key-beside-model { align-items: flex-start; gap: 0.5rem; }
.st-key-heading { padding-inline-end: 26rem; } /* beside the pages and the menu */
.st-key-heading > :has(h1) { flex: 0 1 auto; width: auto; min-width: 0; }
.st-key-heading.st-key-heading { flex-wrap: nowrap; }
.st-key-heading [data-testid="stHtml"] { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 0.75rem; }
.st-key-heading h1 { font-size: 1.25rem; font-weight: 650; line-height: 2rem; padding: 0; margin: 0; }
.st-key-heading p {
  margin: 0; font-size: clamp(0.8125rem, 1.14vw, 1rem); line-height: 1.3; color: light-dark(#55524d, #b9b6ae);
}
.st-key-past { flex: none; }
.st-key-past [data-testid="stPopoverButton"] { min-height: 1.75rem; padding: 0 0.6rem; border-radius: 1rem; }
.st-key-past [data-testid="stPopoverButton"] p { font-size: 0.8125rem; }
@media (max-width: 90rem) { /* its sign alone: what is tight is the heading */
  .st-key-past.st-key-past [data-testid="stPopoverButton"] p {
    display: block; width: 0.9em; overflow: hidden; white-space: nowrap;
  }
  .st-key-past [data-testid="stPopoverButton"] [aria-hidden] { display: none; }
}
@media (max-width: 70rem) { /* below the "?" */
  .st-key-heading { position: relative; }
  .st-key-past.st-key-past { position: absolute; inset: 1.95rem 26rem auto auto; width: auto; }
}
@media (max-width: 47.99rem) { /* where Streamlit folds the pages into a menu */
  [data-testid="stMainBlockContainer"] { padding-top: 0.5rem; }
  .st-key-heading { padding-inline: 2.5rem; min-height: 2.5rem; } /* between the arrows of the pages and the menu */
  .st-key-heading p { font-size: 0.75rem; line-height: 1.25; }
  .st-key-heading.st-key-heading { flex-wrap: nowrap; align-items: flex-start; gap: 0.25rem; }
  .st-key-heading h1 { line-height: 1.6rem; }
  .st-key-past.st-key-past { inset-inline-end: 2.5rem; }
  .st-key-heading > :has(h1) { flex: 1 1 0; min-width: 0; }
  .st-key-line { gap: 0.35rem 0.5rem; }
  [data-testid="stButtonGroup"] > div { flex-wrap: wrap; overflow: visible; } /* else its last choice is cut */
  [class*="st-key-slide-"] { gap: 0.5rem; }
  [class*="st-key-slide-"] > [class*="st-key-caption-"] { flex: 1 1 100%; } /* its buttons stand below it */
  .st-key-line [data-testid="stCaptionContainer"] p { font-size: 0.8125rem; line-height: 1.3; }
  /* A microphone and a button for a file, beside the others; what is recorded is shown while it is. */
  .st-key-recording.st-key-recording:has([aria-label="Record"]) { flex: 0 0 2.75rem; width: 2.75rem; }
  .st-key-recording [data-testid="stAudioInputActionButton"][aria-label="Record"] { margin: auto; }
  .st-key-upload.st-key-upload { flex: 0 1 auto; width: auto; min-width: 0; }
  .st-key-upload [data-testid="stFileUploaderDropzone"] { border: 0; padding: 0; background: none; }
  .st-key-upload [data-testid="stFileUploaderDropzone"]::after { content: none !important; }
  .st-key-controls :is(p, [role="combobox"]) { font-size: 0.875rem; }
  .st-key-controls [data-testid="stPopoverButton"] { padding-inline: 0.6rem; }
}
@media (max-width: 48rem) {
  [data-testid="stAudioInput"]:has([aria-label="Record"]) :is(
    [data-testid="stAudioInputWaveformTimeCode"], :has(> [data-testid="stAudioInputWaveSurfer"])
  ) { display: none; }
}
.st-key-recording { flex: 0 0 9rem; }
.st-key-recording [data-testid="stAudioInput"] > div { height: 2.5rem; padding-block: 0; }
:is(.st-key-upload, .st-key-file) { flex: 1 1 0; min-width: 11rem; }
:is(.st-key-upload, .st-key-file) [data-testid="stFileUploaderDropzone"] {
  min-height: 2.5rem; height: 2.5rem; padding-block: 0; display: flex; flex-flow: row nowrap; align-items: center;
}
:is(.st-key-upload, .st-key-file) [data-testid="stFileUploaderDropzoneInstructions"] { display: none; }
:is(.st-key-upload, .st-key-file) [data-testid="stFileUploaderDropzone"]::after {
  content: "or drop a sound file"; font-size: 0.875rem; opacity: 0.75;
  white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
}
:is(.st-key-upload, .st-key-file, .st-key-compare-items) {
  [data-testid="stFileChips"] { flex-flow: row nowrap; align-items: center; margin: 0; }
  [data-testid="stFileChip"] { padding: 0 0.5rem; max-width: 10rem; }
  [data-testid="stFileChip"] > :first-child { display: none; }
}
.st-key-panel-own [data-testid="stFileUploaderDropzone"]::after { content: "or drop a picture"; }
.st-key-file [data-testid="stFileUploaderDropzone"]::after { content: "a saved trace, or drop it on the page"; }
.st-key-panel-own [data-testid="stAlert"] p { font-size: 0.875rem; line-height: 1.35; }
.st-key-studio-explorer { flex: 1 1 20rem; min-width: min(100%, 20rem); }
.st-key-two-ways { flex: none; }
.st-key-two-ways p { font-size: 0.875rem; }
.st-key-two-ways { align-items: center; }
.st-key-two-ways button { min-height: 0; padding: 0.25rem 0.5rem; }
[data-testid="stLayoutWrapper"]:has(> :is(.st-key-history, .st-key-typing, .st-key-dropping)) { display: none; }
.xv-dropping [data-testid="stMain"] { outline: 3px dashed light-dark(#a34a00, #ffb454); outline-offset: -6px; }
/* As wide as what they say. */
.st-key-controls [data-testid="stElementContainer"]:has(> .stSelectbox) {
  flex: 0 1 auto; width: auto; max-width: min(100%, 26rem);
}
.st-key-controls > [data-testid="stElementContainer"], .st-key-two-ways { min-height: 2.5rem; align-content: center; }
.st-key-controls [role="combobox"] { field-sizing: content; min-width: 3rem; }
[data-testid="stSelectboxVirtualDropdown"] {
  width: max-content !important; min-width: var(--trigger-width); max-width: min(40rem, 96vw);
}
.st-key-controls > :has([data-testid="stForm"]) { flex: 1 1 0; min-width: min(100%, 24rem); }
.st-key-controls :has(> .st-key-text) { align-items: flex-start; gap: 0.5rem; }
.st-key-controls .st-key-text { flex: 1 1 0; min-width: min(100%, 14rem); }
.st-key-text textarea {
  field-sizing: content; height: auto !important; min-height: 2.4rem; max-height: 7.5rem; padding-block: 0.55rem;
}
.st-key-evidence-cards h4 { font-size: 1.3rem; padding: 0 0 1rem; line-height: 1.3; }
.st-key-evidence-cards [data-testid="stVerticalBlock"] { gap: 0.5rem; }
.st-key-shelf-items { gap: 0.1rem !important; width: min(42rem, 85vw); }
.st-key-shelf-items button { min-height: 1.75rem; padding: 0; text-align: start; }
.st-key-shelf-items [data-testid="stMarkdownContainer"] { margin-bottom: 0; }
.st-key-shelf-items [data-testid="stMarkdownContainer"] p { margin-bottom: 0; }
.st-key-shelf-items strong { display: block; padding-top: 0.9rem; font-size: 0.8125rem; letter-spacing: 0.06em; }
.st-key-shelf-items strong { text-transform: uppercase; }
.st-key-shelf-items button p { font-weight: 600; }
.st-key-shelf-items [data-testid="stCaptionContainer"] p { color: inherit; opacity: 0.85; font-size: 0.875rem; }
.st-key-compare-items.st-key-compare-items {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: 0.6rem 1rem;
  align-items: end; width: min(34rem, 84vw);
}
.st-key-compare-items > :is(:first-child, [class*="-text-"], [class*="-count-"], :has(> .st-key-compare-ends)) {
  grid-column: 1 / -1;
}
.st-key-compare-items > [class*="-count-"] { margin-top: -0.5rem; }
.st-key-compare-items [data-testid="stAudioInput"] > div { height: 2.5rem; padding-block: 0; }
.st-key-compare-items [data-testid="stFileUploaderDropzone"] {
  min-height: 2.5rem; height: 2.5rem; padding-block: 0; display: flex; flex-flow: row nowrap; align-items: center;
}
.st-key-compare-items [data-testid="stFileUploaderDropzoneInstructions"] { display: none; }
.st-key-compare-items > [class*="-file-"] [data-testid="stFileUploaderDropzone"]::after { content: "a saved trace"; }
.st-key-compare-items [data-testid="stFileUploaderDropzone"]:has([data-testid="stFileChip"])::after { content: none; }
.st-key-compare-items [data-testid="stFileUploaderDropzone"]::after {
  content: "or drop it here"; font-size: 0.875rem; opacity: 0.75; white-space: nowrap;
}
.st-key-compare-items > :has(.st-key-second-easel) { grid-row: span 3; align-self: start; }
.st-key-compare-items [data-testid="stCaptionContainer"] p { color: inherit; opacity: 0.85; font-size: 0.875rem; }
.st-key-strip.st-key-strip {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 0.75rem; align-items: start;
  width: min(47rem, 86vw); max-height: min(26rem, 60vh); overflow-y: auto;
}
[class*="st-key-seen-"] {
  position: relative; gap: 0.15rem !important; padding: 0.5rem; border-radius: 0.5rem;
  border: 1px solid color-mix(in srgb, currentColor 22%, transparent); /* a popover has no scheme of its own */
}
[class*="st-key-seen-"]:has(button:hover), .st-key-strip [class*="-on-screen"] { border-color: currentColor; }
[class*="st-key-seen-"] img {
  height: 5rem; width: 100%; object-fit: contain; object-position: left; image-rendering: pixelated; border-radius: 0;
}
[class*="st-key-return-"] button { min-height: 0; padding: 0; text-align: start; justify-content: start; }
[class*="st-key-return-"] button::after { content: ""; position: absolute; inset: 0; } /* all of its card */
[class*="st-key-return-"] button p { font-weight: 600; }
[class*="st-key-seen-"] [class*="st-key-compare-"] { z-index: 1; } /* above the button that is all of the card */
[class*="st-key-seen-"] [class*="st-key-compare-"] button { min-height: 1.6rem; padding: 0 0.5rem; }
[class*="st-key-seen-"] [class*="st-key-compare-"] button p { font-size: 0.8125rem; }
[class*="st-key-seen-"] :is(p, [data-testid="stMarkdownContainer"], [data-testid="stCaptionContainer"]) {
  margin: 0; font-size: 0.875rem; line-height: 1.3; overflow-wrap: anywhere; color: inherit;
}
[class*="st-key-seen-"] [data-testid="stCaptionContainer"] p { font-size: 0.8125rem; opacity: 0.8; }
.st-key-line, [class*="st-key-progress"], .st-key-writing { min-height: 1.9rem; }
:is(.st-key-line, [class*="st-key-progress"], .st-key-writing) button { min-height: 1.9rem; padding: 0 0.75rem; }
</style>
"""


def navigation() -> Page:
    """The pages and the one to run; for `app.py`."""
    translate = PAGES / "translate.py"
    pages = [
        # The default page lives at /, whatever its own path is; so that whoever asks for /translate finds it too, that
        # path is a page that the menu leaves out.
        st.Page(translate, title="Translate", url_path="start", default=True),
        st.Page(translate, title="Translate", url_path="translate", visibility="hidden"),
        st.Page(PAGES / "speech.py", title="Speech"),
        st.Page(PAGES / "images.py", title="Images"),
        # The other half of the same matter; its page and that one lead to each other.
        st.Page(PAGES / "draw.py", title="Images", visibility="hidden"),
        st.Page(PAGES / "layer.py", title="Layer"),
        st.Page(PAGES / "about.py", title="About"),
        st.Page(PAGES / "stories.py", title="Stories"),
    ]
    _declared().append(True)
    return st.navigation(pages, position="top")


def begin(what: page_state.Kind | None, title: str = "") -> None:
    """What every page begins with: what its models read, or else its title, the frame, its heading and its guide.

    Where the environment sets something that cannot be, the page says so and ends.

    Safe to call any number of times. On a fresh process Streamlit runs a page that an address names without the router;
    then the pages are declared here, and the script starts again with it.
    """
    if not _declared():
        navigation()
        st.rerun()
    page_state.enter(what)
    if to := page_state.visit().turn_to:
        page_state.visit().turn_to = ""
        st.switch_page(PAGES / SCRIPTS[to])
    title = _TITLES[what.name] if what else title
    _dress(" — ".join(filter(None, (_asked(what), title))) + f" · {NAME}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="heading"):
        st.html(f"<h1>{title}</h1><p>{SENTENCES[title]}</p>")
        if what is not None and (past := st.popover("\u21ba History", key=PAST, on_change="rerun")).open:
            from xattn_viz.app import history  # drawn once somebody opens it

            with past:
                history.show()
        _guide()(data={"page": what.name if what else title}, key="guide", width="content", height="content")
    try:
        registry.check_settings()
    except ModelError as error:
        st.error(literal(str(error)))
        st.stop()


def _asked(what: page_state.Kind | None) -> str:
    """The first words of what is asked on a page, for its tab."""
    if what is None:
        return ""
    asked = page_state.current().query
    words = visible_text(asked.input if asked.source == "text" else page_state.input_title(asked)).split()
    first = " ".join(words[:_WORDS_IN_TAB]) + (" …" if len(words) > _WORDS_IN_TAB else "")
    return shortened(first, 30)


def _dress(title: str) -> None:
    """Title, icon and look of the frame."""
    st.set_page_config(page_title=title, page_icon=_icon(), layout="wide")
    st.html(_CSS)


@cache
def _guide() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_guide", html='<div class="xv-aside"></div>', css=web.css("guide"), js=web.script("guide")
    )


@cache
def _declared() -> list[bool]:
    """Holds something once this process knows the pages."""
    return []


def _icon() -> Image.Image:
    """A small map with a diagonal. A named icon would be fetched from a foreign address."""
    icon = Image.new("RGB", (32, 32), "#0e0f13")
    for i in range(4):
        icon.paste("#ffb454", (8 * i, 8 * i, 8 * i + 8, 8 * i + 8))
    return icon


def literal(text: str) -> str:
    """Text of others as Markdown that shows it as it is, what cannot be seen made visible.

    Every character that Markdown, LaTeX or directives read is escaped, and white space that would begin a paragraph or
    a block of code is written as a reference. Links, arrows, dashes and icons are found in text that was parsed
    already, where no escape is left: an empty directive, which draws nothing, parts what they would be found by.
    """
    return _NOTHING.join(map(_escaped, _PARTED.split(visible_text(text))))


def _escaped(text: str) -> str:
    text = re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
    return re.sub(r"[^\S ]|^ | (?= )", lambda blank: f"&#{ord(blank[0])};", text)


def shortened(text: str, most: int = 60) -> str:
    """A text with its end left out where it is long."""
    return text if len(text) <= most else f"{text[: most - 2].rstrip()} …"


def tell_fault(fault: str | None, told: str = "") -> None:
    """Say above a map what is wrong with the model that it is of, if anything is; else what is told of it, if it is."""
    place = st.empty()  # there or not, what follows stays where it is
    if fault is not None:
        place.error(literal(fault))
    elif told:
        place.info(literal(told))
