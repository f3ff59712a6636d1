"""Who may import whom: the rules that keep models, maps and pages apart, held over every import in the source.

    axis, maps, trace, tokens, layer, …  <-  models, analysis, figures, explorer, …  <-  export  <-  ui  <-  pages, app

A module imports from its own level or from those to its left. Imports inside functions count too.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

VALUES = {
    *("additive", "axis", "capture", "colours", "files", "frozen", "layer", "masks", "steps"),
    *("map_checks", "maps", "projections", "records", "scenes", "selection", "tokens", "trace"),
    *("inputs", "weights"),
}
# A module named nowhere here makes or reads maps: level 1, as models, analysis, figures and explorer are.
# Lessons stand above: some take a layer out of a model.
LEVELS = dict.fromkeys(VALUES, 0) | {
    **{"export": 2, "lessons": 2, "many": 2, "webpage": 2},
    **{"": 3, "ui": 4, "__main__": 4, "doctor": 4, "examples": 4},
}
PAGES_LEVEL = 5

# Who may import what is heavy. Everything else reads maps, and must do without.
ALLOWED = {
    "streamlit": ("xattn_viz.ui", "pages", "app"),
    "torch": tuple(
        f"xattn_viz.{name}"
        for name in (
            *("additive", "capture", "inputs", "layer", "masks", "steps", "weights"),
            *("doctor", "learning", "lessons", "models"),
        )
    ),
    "transformers": ("xattn_viz.models", "xattn_viz.capture"),
    "plotly": ("xattn_viz.figures", "xattn_viz.ui", "pages"),
}
# Modules of xattn_viz.models that are no model family.
SHARED_BY_MODELS = {
    *("base", "checkpoint", "encoder_decoder", "folder", "formats", "gate"),
    *("generation", "hub", "memory", "outside", "partial", "provenance", "tokenizer_files", "unread"),
    *("recorded", "registry", "rerun", "scores", "segments", "self_check", "settings", "sight", "tiny", "tokens"),
}


def test_the_source_holds_the_rules() -> None:
    sources = {name: path.read_text(encoding="utf-8") for name, path in source_files(ROOT)}
    assert "xattn_viz.maps" in sources
    assert violations(sources) == []


@pytest.mark.parametrize(
    ("module", "statement", "words"),
    [
        ("xattn_viz.figures", "import streamlit as st", "streamlit"),
        ("xattn_viz.__main__", "from streamlit.web import cli", "streamlit"),
        ("xattn_viz.analysis.heads", "def f():\n    import torch", "torch"),
        ("xattn_viz.maps", "from torch import nn", "torch"),
        ("xattn_viz.ui.page", "import torch.nn", "torch"),
        ("xattn_viz.export", "from transformers import AutoModel", "transformers"),
        ("xattn_viz.export", "import plotly.graph_objects as go", "plotly"),
        ("xattn_viz.maps", "from xattn_viz.models import base", "level"),
        ("xattn_viz.maps", "from . import figures", "level"),
        ("xattn_viz.figures", "from xattn_viz import export", "level"),
        ("xattn_viz.figures", "import xattn_viz as xv", "level"),
        ("xattn_viz.export", "from xattn_viz.ui.page import begin", "level"),
        ("xattn_viz.models.firefox", "from xattn_viz.models.whisper import load", "family"),
        ("xattn_viz.models.firefox.decoder", "from ..whisper import load", "family"),
        ("xattn_viz.models.base", "def f():\n    from xattn_viz.models import firefox", "family"),
        ("xattn_viz.analysis.heads", "from xattn_viz.models.base import Adapter", "model"),
        ("xattn_viz.models.firefox", "from xattn_viz.figures import heatmap", "model"),
        ("xattn_viz.ui.page", "import pages.translate", "page"),
        ("pages.speech", "from pages import translate", "page"),
        ("app", "import pages.translate", "page"),
        ("pages.speech", "import app", "page"),
    ],
)
def test_a_planted_import_is_found(module: str, statement: str, words: str) -> None:
    others = ["figures", "export", "models", "models.base", "models.firefox", "models.whisper", "ui.page"]
    sources = {f"xattn_viz.{name}": "" for name in others} | {"xattn_viz": "", "app": "", "pages.translate": ""}
    found = violations({**sources, module: statement})
    assert len(found) == 1
    assert module in found[0]
    assert words in found[0]


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        (
            "xattn_viz.models.firefox.model",
            "import torch\nfrom xattn_viz.layer import CrossAttention\nfrom . import words",
        ),
        (
            "xattn_viz.models.firefox.model",
            "from xattn_viz.models.base import Adapter\nfrom xattn_viz.models.formats import marian",
        ),
        (
            "xattn_viz.ui.page",
            "import streamlit\nfrom xattn_viz import export, figures\nfrom xattn_viz.maps import AttentionMaps",
        ),
        ("pages.speech", "import streamlit\nfrom xattn_viz.ui import page"),
        ("app", "import streamlit"),
        ("xattn_viz.export", "from xattn_viz.explorer import bundle"),
    ],
)
def test_what_the_rules_allow_is_allowed(module: str, statement: str) -> None:
    assert (
        violations(
            {module: statement, "xattn_viz.models.firefox.words": "", "xattn_viz.export": ""} | {module: statement}
        )
        == []
    )


def test_the_package_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "plotly", "streamlit", "pandas")
    code = f"import sys, xattn_viz; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def source_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Every module of the app and the package, by its dotted name."""
    for path in sorted([*root.glob("xattn_viz/**/*.py"), *root.glob("pages/**/*.py"), *root.glob("app.py")]):
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def violations(sources: dict[str, str]) -> list[str]:
    """One sentence for every import that breaks a rule."""
    packages = {name.rpartition(".")[0] for name in sources} | {"xattn_viz"}
    found: list[str] = []
    for module, source in sources.items():
        package = module if module in packages else module.rpartition(".")[0]
        for target in imports(ast.parse(source), package, set(sources)):
            found.extend(f"{module} imports {target}: {why}" for why in broken_rules(module, target))
    return found


def imports(tree: ast.AST, package: str, modules: set[str]) -> Iterator[str]:
    """The full name of every module imported anywhere in a tree. `from a import b` means a.b where that is a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, *([base] if base else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                known = name in modules or any(other.startswith(f"{name}.") for other in modules)
                yield name if known else base


def broken_rules(module: str, target: str) -> Iterator[str]:
    """Why a module may not import another; nothing where it may."""
    library = target.partition(".")[0]
    if library in ALLOWED and not any(within(module, place) for place in ALLOWED[library]):
        yield f"{library} belongs only in {', '.join(ALLOWED[library])}."
    if library in {"pages", "app"}:
        yield "nothing imports a page."
    elif library == "xattn_viz":
        yield from _inside(module, target)


def _inside(module: str, target: str) -> Iterator[str]:
    if level(target) > level(module):
        yield f"level {level(target)} stands above level {level(module)}."
        return
    mine, other = family(module), family(target)
    if other and other != mine and within(module, "xattn_viz.models"):
        yield f"the model family {other} belongs to itself and to the registry, which finds it by its file."
    elif level(module) == level(target) == 1 and within(module, "xattn_viz.models") != within(
        target, "xattn_viz.models"
    ):
        yield "a model makes maps and everything else at this level reads them: neither knows the other."


def level(module: str) -> int:
    """Where a module stands: 0 for the values that everything speaks, up to the pages."""
    if module.partition(".")[0] != "xattn_viz":
        return PAGES_LEVEL
    return LEVELS.get([*module.split("."), ""][1], 1)


def family(module: str) -> str | None:
    """The model family that a module belongs to, if any."""
    parts = module.split(".")
    is_family = parts[:2] == ["xattn_viz", "models"] and len(parts) > 2 and parts[2] not in SHARED_BY_MODELS
    return parts[2] if is_family else None


def within(module: str, place: str) -> bool:
    """Whether a module is a place or inside it."""
    return module == place or module.startswith(f"{place}.")
