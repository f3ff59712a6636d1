"""The joined script holds every module once and imports nothing."""

from __future__ import annotations

import re
from importlib.resources import files

from xattn_viz.explorer import bundle


def test_the_script_imports_nothing_and_exports_one_thing() -> None:
    script = bundle.script()
    assert not re.search(r"^import ", script, re.MULTILINE)
    assert re.findall(r"^export .*", script, re.MULTILINE) == [
        "export default function mount({ data, parentElement, setStateValue, setTriggerValue }) {"
    ]


def test_every_module_of_the_folder_is_in_it_once() -> None:
    modules = [path for path in files("xattn_viz.explorer").iterdir() if path.name.endswith(".js")]
    script = bundle.script()
    assert len(modules) > 10
    for module in modules:
        exported = re.findall(
            r"^export (?:async )?(?:function|const) (\w+)", module.read_text(encoding="utf-8"), re.MULTILINE
        )
        for name in exported:
            assert len(re.findall(rf"^(?:async )?(?:function|const) {name}\b", script, re.MULTILINE)) == 1, name


def test_the_script_holds_no_address_but_that_of_svg() -> None:
    assert set(re.findall(r"https?://[^\s\"']+", bundle.script() + bundle.css())) == {"http://www.w3.org/2000/svg"}


def test_comments_about_types_stay_at_home_and_all_else_is_sent() -> None:
    script = bundle.script()
    assert not re.search(r"^ *\*", script, re.MULTILINE)
    for path in files("xattn_viz.explorer").iterdir():
        if path.name.endswith(".js"):
            said, about_types = list[str](), False
            for line in path.read_text(encoding="utf-8").splitlines():
                ends_later = "*/" not in line or line.endswith("*/")  # else it is one within a line of code
                about_types = about_types or (line.lstrip().startswith("/**") and ends_later)
                if not about_types and not line.startswith("import "):
                    said.append(line.removeprefix("export ") if "export default" not in line else line)
                about_types = about_types and "*/" not in line
            assert "\n".join(said).strip() in script, path.name
