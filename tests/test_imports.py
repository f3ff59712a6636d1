"""Who may import whom: the floors that keep models, maps and pages apart, held over every import in the source.

A room, a folder of the package, imports only from its own floor and from those below it. Imports inside functions count
too. Of modules in a room none needs another that needs it: which of them is imported first would then matter.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from scripts.rooms import FLOOR, ROOT, arrows, at_the_top, imports, package_of, parsed, reached, room, source_files

# Who may import what is heavy. Everything else reads maps, and must do without.
ALLOWED = {
    "streamlit": ("xattn_viz.app", "pages", "app"),
    "torch": tuple(f"xattn_viz.{name}" for name in ("attention", "inputs", "lessons", "models", "doctor")),
    "transformers": ("xattn_viz.models", "xattn_viz.attention.capture"),
    "plotly": ("xattn_viz.plots", "xattn_viz.app", "pages"),
}


def test_the_source_holds_the_rules() -> None:
    sources = {name: path.read_text(encoding="utf-8") for name, path in source_files()}
    assert "xattn_viz.core.maps" in sources
    assert violations(sources) == []
    assert circles(arrows(sources)) == []
    assert circles(at_import(sources)) == []


@pytest.mark.parametrize(
    ("module", "statement", "words"),
    [
        ("xattn_viz.plots", "import streamlit as st", "streamlit"),
        ("xattn_viz.cli", "from streamlit.web import cli", "streamlit"),
        ("xattn_viz.analysis.heads", "def f():\n    import torch", "torch"),
        ("xattn_viz.core.maps", "from torch import nn", "torch"),
        ("xattn_viz.app.page", "import torch.nn", "torch"),
        ("xattn_viz.export", "from transformers import AutoModel", "transformers"),
        ("xattn_viz.export", "import plotly.graph_objects as go", "plotly"),
        ("xattn_viz.core.maps", "from xattn_viz.models import base", "floor"),
        ("xattn_viz.core.maps", "from .. import plots", "floor"),
        ("xattn_viz.plots", "from xattn_viz import export", "floor"),
        ("xattn_viz.plots", "import xattn_viz as xv", "floor"),
        ("xattn_viz.export", "from xattn_viz.app.page import begin", "floor"),
        ("xattn_viz.models.families.firefox", "from xattn_viz.models.families.whisper import load", "family"),
        ("xattn_viz.models.families.firefox.decoder", "from ...families.whisper import load", "family"),
        ("xattn_viz.models.base", "def f():\n    from xattn_viz.models.families import firefox", "family"),
        ("xattn_viz.analysis.heads", "from xattn_viz.models.base import Adapter", "model"),
        ("xattn_viz.models.families.firefox", "from xattn_viz.plots import heatmap", "model"),
        ("xattn_viz.app.page", "import pages.translate", "page"),
        ("pages.speech", "from pages import translate", "page"),
        ("app", "import pages.translate", "page"),
        ("pages.speech", "import app", "page"),
    ],
)
def test_a_planted_import_is_found(module: str, statement: str, words: str) -> None:
    others = [
        "plots",
        "export",
        "models",
        "models.base",
        "models.families.firefox",
        "models.families.whisper",
        "app.page",
    ]
    sources = {f"xattn_viz.{name}": "" for name in others} | {"xattn_viz": "", "app": "", "pages.translate": ""}
    found = violations({**sources, module: statement})
    assert len(found) == 1
    assert module in found[0]
    assert words in found[0]


@pytest.mark.parametrize(
    ("module", "statement"),
    [
        (
            "xattn_viz.models.families.firefox.model",
            "import torch\nfrom xattn_viz.attention.layer import CrossAttention\nfrom . import words",
        ),
        (
            "xattn_viz.models.families.firefox.model",
            "from xattn_viz.models.base import Adapter\nfrom xattn_viz.models.formats import marian",
        ),
        (
            "xattn_viz.app.page",
            "import streamlit\nfrom xattn_viz import export, plots\nfrom xattn_viz.core.maps import AttentionMaps",
        ),
        ("pages.speech", "import streamlit\nfrom xattn_viz.app import page"),
        ("app", "import streamlit"),
        ("xattn_viz.export", "from xattn_viz.web.explorer import pack"),
    ],
)
def test_what_the_rules_allow_is_allowed(module: str, statement: str) -> None:
    assert (
        violations(
            {module: statement, "xattn_viz.models.families.firefox.words": "", "xattn_viz.export": ""}
            | {module: statement}
        )
        == []
    )


def test_a_planted_circle_is_found() -> None:
    sources = {"xattn_viz.a": "from xattn_viz import b", "xattn_viz.b": "from . import c", "xattn_viz.d": ""}
    sources |= {"xattn_viz": "", "xattn_viz.c": "try:\n    import xattn_viz.d, xattn_viz.a\nfinally:\n    pass"}
    assert circles(at_import(sources)) == [{"xattn_viz.a", "xattn_viz.b", "xattn_viz.c"}]
    later = "def f():\n    import xattn_viz.a\nif typing.TYPE_CHECKING:\n    import xattn_viz.a\n"
    assert circles(at_import(sources | {"xattn_viz.c": later})) == []
    assert circles(at_import(sources | {"xattn_viz.c": f"{later}else:\n    import xattn_viz.a"})) != []


def test_the_package_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "plotly", "streamlit", "pandas")
    code = f"import sys, xattn_viz; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def violations(sources: dict[str, str]) -> list[str]:
    """One sentence for every import that breaks a rule."""
    found: list[str] = []
    for module, source in sources.items():
        for target in imports(ast.walk(parsed(source)), package_of(module, set(sources)), set(sources)):
            found.extend(f"{module} imports {target}: {why}" for why in broken_rules(module, target))
    return found


def at_import(sources: dict[str, str]) -> dict[str, set[str]]:
    """The modules that each module needs before it is there: what its functions import comes later."""
    return {
        module: set(imports(at_the_top(parsed(source)), package_of(module, set(sources)), set(sources))) - {module}
        for module, source in sources.items()
    }


def circles(found: dict[str, set[str]]) -> list[set[str]]:
    """Rooms or modules that import each other, directly or by way of others."""
    within_reach = {one: reached(one, found) for one in found}
    round_trips = [
        {one, *(other for other in within_reach[one] if one in within_reach.get(other, ()))} for one in found
    ]
    return [group for n, group in enumerate(round_trips) if len(group) > 1 and group not in round_trips[:n]]


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
    if floor(target) > floor(module):
        yield f"floor {floor(target)} stands above floor {floor(module)}."
        return
    mine, other = family(module), family(target)
    if other and other != mine and within(module, "xattn_viz.models"):
        yield f"the model family {other} belongs to itself and to the registry, which finds it by its folder."
    elif {room(module), room(target)} == {"models", "analysis"}:
        yield "a model makes maps and analysis reads them: neither knows the other."


def floor(module: str) -> int:
    """Where a module stands: 1 for the values that everything speaks, up to the pages. KeyError for an unknown room."""
    return FLOOR[room(module)]


def family(module: str) -> str | None:
    """The model family that a module belongs to, if any."""
    parts = module.split(".")
    return parts[3] if parts[:3] == ["xattn_viz", "models", "families"] and len(parts) > 3 else None


def within(module: str, place: str) -> bool:
    """Whether a module is a place or inside it."""
    return module == place or module.startswith(f"{place}.")
