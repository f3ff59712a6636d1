"""BertViz's head view of a trace's cross-attention as one HTML file beside local copies of its libraries."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from tests.server import ROOT
from xattn_viz.core.trace import Trace

PEERS = Path(__file__).parent / "node_modules"
# What the page asks a foreign server for, and the npm copy that stands in for it.
_CDN = "https://cdnjs.cloudflare.com/ajax/libs"
_LIBRARIES = {
    f"{_CDN}/require.js/2.3.6/require.min.js": ("require.js", "requirejs/require.js"),
    f"{_CDN}/d3/5.7.0/d3.min": ("d3.min.js", "d3/dist/d3.min.js"),
    f"{_CDN}/jquery/2.0.0/jquery.min": ("jquery.min.js", "jquery/dist/jquery.min.js"),
}
#: Holds once the lines of the first layer are in the page; everything else of it is made in the same task.
DRAWN = "document.querySelector('svg #attention line[stroke-opacity]')"


def install() -> None:
    """Bring the libraries from npm where they are missing."""
    if not all((PEERS / source).is_file() for _, source in _LIBRARIES.values()):
        npm = [sys.executable, str(ROOT / "scripts" / "npm.py")]
        subprocess.run([*npm, "install", "--no-package-lock", "--ignore-scripts"], cwd=PEERS.parent, check=True)


def head_view(trace: Trace) -> str:
    """BertViz's own page for the cross map of a trace, with its default settings: all heads of the first layer."""
    import torch

    maps = trace.cross
    view = import_module("bertviz").head_view(
        cross_attention=list(torch.from_numpy(maps.weights.copy())[:, None]),
        encoder_tokens=[maps.keys.name(i) for i in range(len(maps.keys))],
        decoder_tokens=[maps.queries.name(i) for i in range(len(maps.queries))],
        html_action="return",
    )
    return str(view.data)


def write(page: str, file: Path) -> None:
    """Write the page, with the libraries' addresses replaced by files that are put beside it."""
    for address, (name, source) in _LIBRARIES.items():
        if address not in page:
            raise SystemExit(f"BertViz's page does not ask for {address}: bring this benchmark up to date.")
        shutil.copy(PEERS / source, file.parent / name)
        page = page.replace(address, name if address.endswith(".js") else name.removesuffix(".js"))
    file.write_text("<!doctype html><meta charset=utf-8>" + page, encoding="utf-8")
