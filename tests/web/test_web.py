"""The joined script of each component holds every module once and imports nothing."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from xattn_viz import web

COMPONENTS = pytest.mark.parametrize("component", web.STYLES)
MOUNT = "export default function mount({ data, parentElement, set"


def sources(folder: str) -> dict[str, str]:
    """The modules of a folder and of the rooms in it."""
    modules = sorted(Path(str(files(f"xattn_viz.web.{folder}"))).rglob("*.js"))
    return {path.as_posix(): path.read_text(encoding="utf-8") for path in modules}


@COMPONENTS
def test_the_script_imports_nothing_and_exports_one_thing(component: str) -> None:
    script = web.script(component)
    assert not re.search(r"^import ", script, re.MULTILINE)
    (exported,) = re.findall(r"^export .*", script, re.MULTILINE)
    assert exported.startswith(MOUNT)


@COMPONENTS
def test_every_module_of_the_folder_is_in_it_once(component: str) -> None:
    script = web.script(component)
    modules = sources(component)
    assert len(modules) > 3
    for source in modules.values():
        exported = re.findall(r"^export (?:async )?(?:function|const) (\w+)", source, re.MULTILINE)
        for name in exported:
            assert len(re.findall(rf"^(?:async )?(?:function|const) {name}\b", script, re.MULTILINE)) == 1, name


@COMPONENTS
def test_top_level_names_are_unique(component: str) -> None:
    names = re.findall(
        r"^(?:export default )?(?:async )?(?:function|const|let) (\w+)", web.script(component), re.MULTILINE
    )
    assert len(names) > 20
    assert sorted(names) == sorted(set(names))


def test_a_component_uses_modules_of_another() -> None:
    assert "function isolated(" in web.script("stepper")
    assert "makeOverview" not in web.script("stepper")
    assert "--xv-ground:" in web.css("stepper")


def test_the_scripts_hold_no_address_but_that_of_svg() -> None:
    for component in web.STYLES:
        found = set(re.findall(r"https?://[^\s\"']+", web.script(component) + web.css(component)))
        assert found <= {"http://www.w3.org/2000/svg"}


@COMPONENTS
def test_comments_about_types_stay_at_home_and_all_else_is_sent(component: str) -> None:
    script = web.script(component)
    assert not re.search(r"^ *\*", script, re.MULTILINE)
    for name, source in sources(component).items():
        said, about_types = list[str](), False
        for line in re.sub(r"^import \{[^}]*\} from .*\n", "", source, flags=re.MULTILINE).splitlines():
            ends_later = "*/" not in line or line.endswith("*/")  # else it is one within a line of code
            about_types = about_types or (line.lstrip().startswith("/**") and ends_later)
            if not about_types:
                said.append(line.removeprefix("export ") if "export default" not in line else line)
            about_types = about_types and "*/" not in line
        assert "\n".join(said).strip() in script, name


@pytest.mark.parametrize("component", ["explorer", "stepper"])
def test_no_name_at_the_top_is_taken_twice(component: str) -> None:
    # A module's own names too: in the joined script a second one would be an error, and nothing would be shown.
    names = re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", web.script(component), re.MULTILINE)
    assert len(names) > 20
    assert sorted(names) == sorted(set(names))
