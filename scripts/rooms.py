"""The rooms of the package and who imports whom, as one picture: `python -m scripts.rooms` writes docs/rooms.svg.

A room is a folder of the package or a file at its top. Floors go from the ground up, and an import only runs down.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
#: A source as a tree, read once for all that is asked of it.
parsed = cache(ast.parse)
PICTURE = ROOT / "docs" / "rooms.svg"

#: The floors from the ground up: a room imports from those below it, and from its own floor where no circle arises.
#: Each room has what it holds in a few words; that without a name is `import xattn_viz as xv` itself.
FLOORS: tuple[dict[str, str], ...] = (
    {"core": "axes, maps, traces, view, files", "shapes": "pictures whose truth is known"},
    {"attention": "the layer, masks, capture", "inputs": "files and arrays to read"},
    {"models": "adapters, engine, families", "analysis": "numbers about maps"},
    {
        "examples": "worth seeing",
        "lessons": "what the Layer page shows",
        "corpus": "many traces",
        "foreign": "files of others",
    },
    {"plots": "Plotly figures, SVG", "web": "explorer, stepper, easel"},
    {"": "the public names", "export": "files and pages"},
    {"app": "all that imports streamlit"},
    {"cli": "the command line", "doctor": "is all well?"},
    {"pages": "app.py, pages/"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS, 1) for room in rooms}

_WIDTH, _STOREY, _BOX, _HEIGHT = 1000, 104, 200, 50  # pixels: the picture, a floor, a box and its height
_STYLE = """
text { font: 15px system-ui, "Noto Sans", sans-serif; fill: #1d1b18; text-anchor: middle }
.held { font-size: 12px; fill: #5c574f }
rect { fill: #fbfaf7; stroke: #a34a00; stroke-width: 1.5 }
path { fill: none; stroke: #8a8378; stroke-width: 1.2; opacity: .75 }
.implied { stroke-width: .6; opacity: .35 } .own { marker-end: url(#head) }
#head path { fill: #8a8378; stroke: none }
#ground { fill: #fff }
@media (prefers-color-scheme: dark) {
  text { fill: #ece9e2 } .held { fill: #a9a49a } rect { fill: #191b21; stroke: #ffb454 } path { stroke: #8f8b84 }
  #ground { fill: #0e0f13 }
}
"""


def source_files(root: Path = ROOT) -> Iterator[tuple[str, Path]]:
    """Every module of the app and the package, by its dotted name."""
    for path in sorted([*root.glob("xattn_viz/**/*.py"), *root.glob("pages/**/*.py"), *root.glob("app.py")]):
        parts = path.relative_to(root).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(nodes: Iterable[ast.AST], package: str, modules: set[str]) -> Iterator[str]:
    """The full name of every module that the nodes import. `from a import b` means a.b where that is a module."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, *([base] if base else [])])
            for alias in node.names:
                name = f"{base}.{alias.name}"
                is_own = base.partition(".")[0] == "xattn_viz"
                known = name in modules or (is_own and any(other.startswith(f"{name}.") for other in modules))
                yield name if known else base


def at_the_top(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: none in a function, and none that is there for its types only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from (inner for other in node.orelse for inner in (other, *at_the_top(other)))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from at_the_top(node)


def room(module: str) -> str:
    """The folder of the package that a module stands in, "pages" for the scripts of the app."""
    if module.partition(".")[0] != "xattn_viz":
        return "pages"
    name = [*module.split("."), ""][1]
    return "cli" if name == "__main__" else name  # which only calls it


def arrows(sources: dict[str, str]) -> dict[str, set[str]]:
    """The rooms that each room imports from, in-function imports too; `sources` are modules by their dotted name."""
    found: dict[str, set[str]] = {room(module): set() for module in sources}
    for module, source in sources.items():
        for target in imports(ast.walk(parsed(source)), package_of(module, set(sources)), set(sources)):
            if target.partition(".")[0] == "xattn_viz" and room(target) != room(module):
                found[room(module)].add(room(target))
    return found


def package_of(module: str, modules: set[str]) -> str:
    """The package that a module's relative imports start from: the module itself where others stand in it."""
    is_package = module == "xattn_viz" or any(name.startswith(f"{module}.") for name in modules)
    return module if is_package else module.rpartition(".")[0]


def reached(start: str, found: dict[str, set[str]]) -> set[str]:
    """What a room or a module imports from, directly or by way of others; itself not among them."""
    others: set[str] = set()
    left = [start]
    while left:
        new = found.get(left.pop(), set()) - others - {start}
        others |= new
        left += new
    return others


def picture(found: dict[str, set[str]]) -> str:
    """The rooms on their floors as SVG; an arrow that follows from others is thin."""
    places = dict(_places())
    height = len(FLOORS) * _STOREY
    svg = ElementTree.Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {height}", role="img")
    ElementTree.SubElement(svg, "title").text = "The rooms of xattn_viz: each imports from the rooms below it"
    ElementTree.SubElement(svg, "style").text = _STYLE
    ElementTree.SubElement(svg, "rect", id="ground", width="100%", height="100%", style="stroke: none")
    head = {"id": "head", "viewBox": "0 0 6 6", "refX": "5", "refY": "3", "orient": "auto"}
    marker = ElementTree.SubElement(svg, "marker", head, markerWidth="8", markerHeight="8")
    ElementTree.SubElement(marker, "path", d="M0,0 L6,3 L0,6 z")
    for upper, lowers in sorted(found.items()):
        for lower in sorted(lowers):
            implied = any(lower in reached(other, found) for other in lowers - {lower})
            curve = _curve(places[upper], places[lower])
            made = ElementTree.SubElement(svg, "path", {"d": curve, "data-from": upper, "data-to": lower})
            made.set("class", "implied" if implied else "own")
    for name, (x, y) in places.items():
        if name in found:
            ElementTree.SubElement(
                svg, "rect", {"data-room": name, "x": str(x - _BOX // 2), "y": str(y), "rx": "8"},
                width=str(_BOX), height=str(_HEIGHT),
            )  # fmt: skip
            ElementTree.SubElement(svg, "text", x=str(x), y=str(y + 21)).text = name or "xattn_viz"
            held = ElementTree.SubElement(svg, "text", {"class": "held"}, x=str(x), y=str(y + 39))
            held.text = FLOORS[FLOOR[name] - 1][name]
    ElementTree.indent(svg)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _places() -> Iterator[tuple[str, tuple[int, int]]]:
    """The middle and the top of each room's box."""
    for number, rooms in enumerate(reversed(FLOORS)):
        for place, name in enumerate(rooms):
            yield name, (_WIDTH * (2 * place + 1) // (2 * len(rooms)), number * _STOREY + (_STOREY - _HEIGHT) // 2)


def _curve(upper: tuple[int, int], lower: tuple[int, int]) -> str:
    """From the foot of one box to the head of another; on one floor from side to side."""
    (x, y), (to_x, to_y) = upper, lower
    if y == to_y:
        side = _BOX // 2 if to_x > x else -_BOX // 2
        return f"M{x + side},{y + _HEIGHT // 2} H{to_x - side}"
    start, half = y + _HEIGHT, (to_y - y - _HEIGHT) // 2
    return f"M{x},{start} C{x},{start + half} {to_x},{to_y - half} {to_x},{to_y}"


def main() -> int:
    """Write the picture."""
    found = arrows({name: path.read_text(encoding="utf-8") for name, path in source_files()})
    PICTURE.write_text(picture(found), encoding="utf-8")
    print(f"{len(found)} rooms on {len(FLOORS)} floors, {sum(map(len, found.values()))} arrows: {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
