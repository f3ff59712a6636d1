"""A trace as one web page that needs nothing else: the explorer, its data and a policy that lets nothing foreign in."""

from __future__ import annotations

import base64
import hashlib
import html as markup
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from xattn_viz import web
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.export.shown import shown
from xattn_viz.web.evidence import kept
from xattn_viz.web.explorer import about, pack, seldom_used
from xattn_viz.web.explorer.sound import Playback

if TYPE_CHECKING:
    from xattn_viz.analysis.compare import Comparison

_ENTRY = re.compile(r"\bexport default function (\w+)\(")

# The page's two looks, by the names that the explorer's own style takes its colours from.
_CSS = """
:root {
  color-scheme: dark; font: 16px/1.5 system-ui, "Noto Sans", sans-serif;
  --st-background-color: #0e0f13; --st-text-color: #ece9e2; --st-primary-color: #ffb454;
  background: var(--st-background-color); color: var(--st-text-color);
}
@media (prefers-color-scheme: light) { :root {
  color-scheme: light;
  --st-background-color: #fbfaf7; --st-text-color: #1d1b18; --st-primary-color: #a34a00;
} }
body { margin: 0; padding: 1rem clamp(0.75rem, 2vw, 2rem); background: inherit; }
.fault { margin: 0 0 1rem; padding: 0.75rem 1rem; border: 2px solid #e5484d; border-radius: 0.5rem; }
.measured { margin-top: 2rem; }
.measured h2 { font-size: 1.25rem; margin: 0 0 0.25rem; }
.measured p { margin: 0 0 0.75rem; }
footer { margin-top: 1.5rem; font-size: 0.875rem; overflow-wrap: anywhere; }
"""

# Four bytes take five characters so, a sixteenth less than in base 64. They are those of `base64.b85encode`, but for
# what means something to HTML or to programs that make pages of notebooks.
_HARMLESS = str.maketrans("&<>{$`", ",./:[]")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~".translate(_HARMLESS)

# Unpacks the data and, beside it, the explorer's script and style, which take a third of their size when packed. Both
# are let in by their own digests, as if they stood in the page.
_START = """
const digits = new Uint8Array(128);
[..."DIGITS"].forEach((digit, value) => { digits[digit.charCodeAt(0)] = value; });
const unpacked = (id) => {
  const text = document.getElementById(id).textContent;
  const words = Math.ceil(text.length / 5);
  const codes = new TextEncoder().encode(text.padEnd(5 * words, "~"));
  const packed = new DataView(new ArrayBuffer(4 * words));
  for (let word = 0, at = 0; word < words; word++) {
    let value = 0;
    for (const end = at + 5; at < end; at++) value = value * 85 + digits[codes[at]];
    packed.setUint32(4 * word, value);
  }
  const bytes = packed.buffer.slice(0, Math.floor((4 * text.length) / 5));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")));
};
window.payload = unpacked("payload").arrayBuffer();
const style = document.createElement("style");
style.textContent = await unpacked("style").text();
document.head.append(style);
const script = document.createElement("script");
script.type = "module";
script.textContent = await unpacked("code").text();
document.body.append(script);
""".replace("DIGITS", _DIGITS)

# Mounts the explorer, and mounts it again (which only repaints) when the reader's theme changes. Where it stands inside
# of another page, that one is told what is looked at, and how high this one is.
_MOUNT = """
const data = new Uint8Array(await window.payload);
const isInside = window.parent !== window;
const setStateValue = (name, value) => isInside && window.parent.postMessage({ xattnViz: name, value }, "*");
new ResizeObserver(() => setStateValue("height", document.documentElement.scrollHeight)).observe(document.body);
const show = () => ENTRY({ data, parentElement: document.getElementById("explorer"), setStateValue });
show();
matchMedia("(prefers-color-scheme: light)").addEventListener("change", show);
"""

# Draws what was measured of the trace below the explorer. The two styles share names, so each figure has its own root.
_MEASURED = """
const style = new CSSStyleSheet();
style.replaceSync(STYLE);
for (const place of document.querySelectorAll("[data-figure]")) {
  const root = document.createElement("div");
  root.className = "xv";
  const shadow = place.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [style];
  shadow.append(root);
  let leave = () => {};
  const draw = () => {
    leave();
    leave = drawFigure(JSON.parse(place.dataset.figure), root, readTheme(root, "magma"), () => {});
  };
  draw();
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", draw);
}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{css}</style>
</head>
<body>
{fault}<main id="explorer"><div class="xv"></div></main>
{measured}<noscript>This page draws its maps with a script, and scripts are switched off.</noscript>
<footer>{footer}</footer>
<script type="application/octet-stream" id="payload">{payload}</script>
<script type="application/octet-stream" id="style">{style}</script>
<script type="application/octet-stream" id="code">{code}</script>
<script type="module">{start}</script>
</body>
</html>
"""

#: What every map needs said.
CAVEAT = "Attention weights show where a head read from, not why the model chose a token."


def html(
    trace: Trace | Comparison,
    view: View | None = None,
    *,
    beside: Trace | None = None,
    name: str = "A",
    beside_name: str = "B",
    languages: tuple[str, str] = ("", ""),
    playback: Playback | None = None,
    beside_playback: Playback | None = None,
) -> str:
    """The explorer with this trace in one HTML file, which opens offline and sends nothing anywhere.

    `view` is what it shows first, in all that it says; without one, what the explorer begins with. `beside` is another
    trace to show beside this one and to compare with it, under the names `beside_name` and `name`; a comparison
    (`analysis.compare`) brings both along. `languages` are
    the names of what is read and what is written, such as "English", "" where they are not known. `playback` is the
    sound of the trace, to be played in the page, `beside_playback` that of `beside` where it is of another sound.

    Its content policy allows the page's own script and style, by their sha256, and pictures and sound from the page
    itself. Needs a browser of 2023 or later (DecompressionStream). Raises ValueError for a kind, layer or head that is
    not there and for a `playback` of another trace, InputError for a `beside` that has nothing to compare.
    """
    if not isinstance(trace, Trace):
        view, (name, beside_name) = trace.first_view(view), trace.names
        trace, beside = trace.traces
    said = None if view is None else shown(trace, view)
    select = {} if said is None else said.view.format()
    packed = pack(
        trace,
        select=select,
        beside=beside,
        name=name,
        beside_name=beside_name,
        languages=languages,
        playback=playback,
        beside_playback=beside_playback,
        full_limit=None,
        means=False,
    )
    answer = visible(trace.output) if trace.cross.queries.kind == "latent" else ""  # no row of a map says it
    made_by = about(trace)["model"]
    parts = [
        answer and f"Answer: {answer}.",
        made_by and f"Model: {made_by}.",
        CAVEAT if not trace.cross.title else " ".join(trace.remarks),
    ]
    if said is not None:
        parts += [
            f"Shown first: {said.title}. {said.caption} {said.choice if beside is None else ''}",
            f"Saved from {said.origin}.",
        ]
    return page(
        packed,
        title=f"Cross-attention: {visible(trace.output)[:80]}",
        footer=" ".join(filter(None, parts)),
        fault=visible(trace.fault) if trace.fault else "",
        measured=kept(trace),
    )


def page(packed: bytes, *, title: str, footer: str, fault: str = "", measured: Sequence[Mapping[str, Any]] = ()) -> str:
    """The page whose explorer shows these packed bytes; `title`, `footer` and what is said as a `fault` are text.

    `measured` is what stands below the explorer, as `web.evidence.kept` gives it.
    """
    header = 4 + int.from_bytes(packed[:4], "little")
    without = frozenset(web.SELDOM) - seldom_used(packed)
    script, css = _script(without, has_figures=bool(measured)), web.css(without=without)
    policy = (
        f"default-src 'none'; script-src '{_digest(_START)}' '{_digest(script)}'; "
        f"style-src '{_digest(_CSS)}' '{_digest(css)}'; "
        "img-src data: blob:; media-src blob:; base-uri 'none'; form-action 'none'"
    )
    return _PAGE.format(
        policy=policy,
        title=markup.escape(title),
        css=_CSS,
        fault=f'<p class="fault" role="alert">{markup.escape(fault)}</p>\n' if fault else "",
        measured="".join(map(_section, measured)),
        footer=markup.escape(footer),
        payload=_packed(packed[:header], packed[header:]),
        style=_packed(css.encode()),
        code=_packed(script.encode()),
        start=_START,
    )


def _section(found: Mapping[str, Any]) -> str:
    title, said = (markup.escape(visible(found[name])) for name in ("title", "said"))
    figure = markup.escape(json.dumps(found["figure"], ensure_ascii=False, allow_nan=False))
    return f'<section class="measured"><h2>{title}</h2><p>{said}</p><div data-figure="{figure}"></div></section>\n'


def _script(without: frozenset[str], *, has_figures: bool) -> str:
    explorer = web.script("explorer", *(("evidence/figure.js",) if has_figures else ()), without=without)
    entry = _ENTRY.search(explorer)
    if entry is None:
        raise ValueError("The explorer's script has no line 'export default function NAME'.")
    figures = _MEASURED.replace("STYLE", json.dumps(web.css("evidence"))) if has_figures else ""
    return explorer + _MOUNT.replace("ENTRY", entry[1]) + figures


def _packed(*parts: bytes) -> str:
    """Parts in order, deflated as one, each in the way that takes least, as text.

    Weights have few stretches that come twice, and take less where only long ones are looked for.
    """
    ends = [zlib.Z_SYNC_FLUSH] * (len(parts) - 1) + [zlib.Z_FINISH]
    deflated = (
        min((_deflated(part, strategy, end) for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)), key=len)
        for part, end in zip(parts, ends, strict=True)
    )
    return in_base_85(b"".join(deflated))


def in_base_85(data: bytes) -> str:
    """As `base64.b85encode`, with digits that are harmless in HTML, and twenty times as fast.

    Each four bytes, the last ones filled up with zeros, are a number of five digits; of those that only came about by
    the zeros none are left.
    """
    filled = -len(data) % 4
    words = np.frombuffer(data + bytes(filled), ">u4").astype(np.uint32)
    places = words[:, None] // 85 ** np.arange(4, -1, -1, dtype=np.uint32) % 85
    text: str = np.frombuffer(_DIGITS.encode(), np.uint8)[places].tobytes().decode()
    return text[: len(text) - filled]


def _deflated(part: bytes, strategy: int, end: int) -> bytes:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS, memLevel=zlib.DEF_MEM_LEVEL + 1, strategy=strategy)
    return packer.compress(part) + packer.flush(end)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
