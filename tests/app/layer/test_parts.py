"""What the sections share: a line on what was just seen, and the way from one section to the next."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.server import ROOT
from xattn_viz.app.layer import SECTIONS
from xattn_viz.app.layer.parts import Said, changes
from xattn_viz.lessons.scale import saturation


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (None, ({"k": "1"}, {"a": "2", "b": "3"}), "a 2, b 3. Change something: this line compares."),
        (({"k": "1"}, {"a": "2", "b": "3"}), ({"k": "4"}, {"a": "5", "b": "3"}), "k 1 → 4: a 2 → 5; as before: b 3."),
        (({"k": "1"}, {"a": "2"}), ({"k": "4"}, {"a": "2"}), "k 1 → 4: nothing here moved; as before: a 2."),
        (({"k": "1"}, {"a": "2"}), ({"k": "1"}, {"a": "9"}), "a 2 → 9."),
    ],
)
def test_a_change_is_said_with_what_came_of_it(
    before: tuple[Said, Said] | None, now: tuple[Said, Said], said: str
) -> None:
    assert changes(before, now) == said


def test_each_section_says_what_to_try_and_leads_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=120).switch_page("pages/layer.py").run()
    for at, name in enumerate(SECTIONS):
        assert not app.exception
        said = [one.value.replace("\\", "") for one in app.markdown]
        assert sum(one.startswith("**Try:** ") for one in said) == 1
        assert sum(one.startswith("**Just seen:** ") for one in said) == 1
        assert f"{at + 1} of {len(SECTIONS)}" in said
        assert app.query_params.get("section", ["steps"])[0] in (name, name[0])
        buttons = {button.key: button for button in app.button if (button.key or "").startswith("section-")}
        assert ("section-back" in buttons, "section-next" in buttons) == (at > 0, at < len(SECTIONS) - 1)
        if "section-next" in buttons:
            buttons["section-next"].click().run()
    app.button(key="section-back").click().run()
    assert app.query_params["section"] in ("learning", ["learning"])


def test_the_line_of_a_section_holds_what_the_lesson_computes() -> None:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60).switch_page("pages/layer.py")
    app.query_params["section"] = "scale"
    app.run()
    app.select_slider(key="d_k").set_value(256).run()
    was, here = saturation(64, False), saturation(256, False)
    said = next(one.value.replace("\\", "") for one in app.markdown if one.value.startswith("**Just seen:**"))
    assert said.startswith("**Just seen:** d_k 64 → 256: ")
    assert f"largest weight without the scale {was.largest:.2f} → {here.largest:.2f}" in said
