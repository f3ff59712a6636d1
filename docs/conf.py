"""The documentation as a site: `make docs` makes build/site of this folder, by Sphinx. Every warning is an error.

Pages are Markdown, notebooks are run, and the API is read from docstrings. The directive `run` is all that is our own:
it runs Python and shows the lines with what they wrote, so that no figure and no explorer can differ from its lines.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PYTHONPATH"] = str(ROOT)  # for the kernels of notebooks

import xattn_viz as xv  # noqa: E402 - from here, installed or not

project = "xattn_viz"
author = "The xattn_viz authors"
version = release = xv.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
root_doc = "index"
exclude_patterns = ["requirements.txt", "Thumbs.db", "**/.ipynb_checkpoints"]
highlight_language = "text"

# Anchors of headings are those of GitHub, so that a link works in both places.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "html_image"]
# Notebooks are run anew each time. Where a widget says how it looks without a kernel, that is shown: widgets themselves
# would ask a foreign host for their script.
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

# In docstrings, what stands in single backticks is code, and a link where it is a name of the API (`linked`).
default_role = "code"
add_module_names = False
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
# Types stand as in the source, and not as NumPy spells out its arrays.
autodoc_type_aliases = {
    "NDArray": "numpy.typing.NDArray",
    "Matrix": "NDArray[np.float64]",  # of `lessons.steps`
    "Outputs": "NDArray[np.float32]",  # of `models.base`
}
python_use_unqualified_type_names = True
maximum_signature_line_length = 110
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "xattn_viz"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options: dict[str, Any] = {
    "light_css_variables": {
        "color-brand-primary": "#a34a00",
        "color-brand-content": "#a34a00",
        "color-brand-visited": "#a34a00",
        "color-background-primary": "#fbfaf7",
        "color-background-secondary": "#f0ede6",
        "color-background-hover": "#e8e3d9",
        "color-background-border": "#d8d3c8",
        "color-foreground-primary": "#1d1b18",
        "color-foreground-secondary": "#55504a",
        "color-foreground-muted": "#6b655d",
        "color-code-background": "#f0ede6",
    },
    "dark_css_variables": {
        "color-brand-primary": "#ffb454",
        "color-brand-content": "#ffb454",
        "color-brand-visited": "#ffb454",
        "color-background-primary": "#0e0f13",
        "color-background-secondary": "#14161c",
        "color-background-hover": "#20232c",
        "color-background-border": "#2b2e38",
        "color-foreground-primary": "#ece9e2",
        "color-foreground-secondary": "#b4b0a8",
        "color-foreground-muted": "#96928a",
        "color-code-background": "#181a21",
    },
}

#: Pages that are files beside this folder.
BESIDE = {"contributing": "CONTRIBUTING.md", "changes": "CHANGELOG.md"}
#: Where what a page's lines wrote lies in the site.
MADE = "_made"
_FRAME = (
    '<figure class="live"><iframe title="{alt}" src="{src}" sandbox="allow-scripts allow-downloads" loading="lazy" '
    'style="height:{height}px"></iframe><figcaption><a href="{src}">Open it alone</a>, or save it: one file of {size} '
    "kB, which needs no network.</figcaption></figure>"
)
_PICTURE = '<figure class="made {kind}"><img src="{src}" alt="{alt}" loading="lazy"></figure>'


def _arguments(line: str) -> list[str]:
    """A command of `xattn-viz` as arguments of Python."""
    name, *rest = shlex.split(line)
    assert name == "xattn-viz", line  # noqa: S101 - what is shown is what is run
    return ["xattn_viz", *rest]


class Run(SphinxDirective):
    """Python that is run while the site is made: its lines, then each picture and each page that it wrote.

    The lines begin with `xv` alone; with `:shell:` they are commands of `xattn-viz`. Pages stand in a frame that can do
    nothing outside itself, as in a notebook. `:alt:` says what is to be seen, `:height:` how high frames are in pixels,
    `:hidden:` leaves the lines out. A picture whose name ends in `-light` or `-dark` is for that theme. Lines that
    fail, or write nothing that a page can show, stop the making of the site.
    """

    has_content = True
    option_spec: ClassVar = {
        "alt": directives.unchanged_required,
        "height": directives.positive_int,
        "hidden": directives.flag,
        "shell": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """The lines as a block of code, and what they wrote as raw HTML."""
        code = "\n".join(self.content)
        is_shell = "shell" in self.options
        shown: list[nodes.Node] = []
        if "hidden" not in self.options:
            block = nodes.literal_block(code, code, language="text" if is_shell else "python")
            self.set_source_info(block)
            shown.append(block)
        with tempfile.TemporaryDirectory() as folder:
            with contextlib.chdir(folder):
                if is_shell:
                    for line in code.splitlines():
                        subprocess.run([sys.executable, "-m", *_arguments(line)], check=True, capture_output=True)  # noqa: S603
                else:
                    exec(compile(code, f"{self.env.docname}.md", "exec"), {"xv": xv})  # noqa: S102 - our own text
            made = [path for path in sorted(Path(folder).iterdir()) if path.suffix in (".html", ".svg", ".png", ".gif")]
            if not made:
                raise self.error("These lines wrote no picture and no page.")
            shown += [self._shown(path) for path in made]
        return shown

    def _shown(self, path: Path) -> nodes.raw:
        place = Path(self.env.app.outdir) / MADE / self.env.docname / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and place.read_bytes() != path.read_bytes():
            raise self.error(f"Something else on this page wrote {path.name} too.")
        shutil.copyfile(path, place)
        src = f"{'../' * self.env.docname.count('/')}{MADE}/{self.env.docname}/{path.name}"
        kind = next((f"only-{theme}" for theme in ("light", "dark") if path.stem.endswith(f"-{theme}")), "")
        text = (_FRAME if path.suffix == ".html" else _PICTURE).format(
            alt=html.escape(self.options["alt"]),
            src=src,
            kind=kind,
            height=self.options.get("height", 720),
            size=round(path.stat().st_size / 1000),
        )
        return nodes.raw("", text, format="html")


def beside(app: Sphinx, name: str, source: list[str]) -> None:
    """Two pages are files that lie beside this folder; their links, and those of other pages to them, lead here."""
    if name in BESIDE:
        source[0] = (ROOT / BESIDE[name]).read_text(encoding="utf-8").replace("](docs/", "](")
    for page, file in BESIDE.items():
        source[0] = source[0].replace(f"](../{file}", f"]({page}.md").replace(f"]({file}", f"]({page}.md")


def linked(app: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """Docstrings say names of the API in single backticks."""
    for number, line in enumerate(lines):
        lines[number] = re.sub(
            r"(?<![`:])`(?:xv\.)?(\w+)`(?!`)",
            lambda found: f":py:obj:`~xattn_viz.{found[1]}`" if found[1] in xv.__all__ else found[0],
            line,
        )


def setup(app: Sphinx) -> None:
    """What Sphinx is told of this folder."""
    # What the last making left would count as made by two.
    shutil.rmtree(Path(app.outdir) / MADE, ignore_errors=True)
    app.add_directive("run", Run)
    app.connect("source-read", beside)
    app.connect("autodoc-process-docstring", linked)
