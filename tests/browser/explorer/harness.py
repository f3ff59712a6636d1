"""A page that mounts the explorer's script by hand, and keeps what the script tells (`window.told`)."""

from __future__ import annotations

import base64
from pathlib import Path

from playwright.sync_api import Page

from xattn_viz import web

# Counts what is listened to and observed, so that nothing piles up and nothing stays.
COUNT = """
  window.counted = { listeners: 0, observers: 0 };
  const listen = EventTarget.prototype.addEventListener;
  EventTarget.prototype.addEventListener = function (...all) { counted.listeners++; return listen.apply(this, all); };
  const { observe, disconnect } = ResizeObserver.prototype;
  ResizeObserver.prototype.observe = function (...all) { counted.observers++; return observe.apply(this, all); };
  ResizeObserver.prototype.disconnect = function () { counted.observers--; return disconnect.call(this); };
"""
PAGE = """<!doctype html><meta charset="utf-8"><style>{css}</style>
<style>:root {{ color-scheme: dark }} body {{ background: #0e0f13; margin: 0 }}</style>
<div id="parent"><div class="xv"></div></div><script type="module">{script}
window.told = [];
window.show = (packed) => {{
  const data = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const tell = (name, value) => {{
    told.push([name, value]);
    if (name === "layer") window.answer?.(value).then(window.show);
  }};
  window.leave = mount({{ data, parentElement: document.getElementById("parent"), setStateValue: tell }});
}};
</script>"""


def open_harness(page: Page, folder: Path) -> Page:
    """The empty page, from a file in a folder."""
    file = folder / "harness.html"
    file.write_text(PAGE.format(css=web.css(), script=web.script()), encoding="utf-8")
    page.add_init_script(COUNT)
    page.goto(file.as_uri())
    return page


def show(page: Page, packed: bytes) -> None:
    """Hand packed bytes to the script."""
    page.evaluate("packed => window.show(packed)", base64.b64encode(packed).decode())
