"""Every parameter of the address with values that nobody wrote for it: a page comes, with a sentence at most."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.server import ROOT
from xattn_viz.models import registry

_OF_A_MODEL = ("model", "hypothesis", "target", "prefix", "beside", "head", "row", "column", "map", "pinned", "units")
_OPTIONS = ("option.self_attention", "option.num_beams", "option.keep_projections", "option.")
NAMES = {
    "translate": (
        *("text", "file", "whole", "compare", "compare-model", "sentence", "option.shortlist"),
        *_OF_A_MODEL,
        *_OPTIONS,
    ),
    "speech": ("sound", "window", "option.language", "option.crop", "option.task", *_OF_A_MODEL, *_OPTIONS),
    "images": ("picture", "scene", "option.hint", "option.grey", *_OF_A_MODEL, *_OPTIONS),
    "draw": ("text", "noise", "option.seed", "option.steps", "option.guidance", *_OF_A_MODEL, *_OPTIONS),
    "layer": (
        *(
            "section",
            "of",
            "cell",
            "d_k",
            "temperature",
            "mask",
            "padding",
            "shapes_heads",
            "self_vs_cross_text",
            "self_vs_cross_head",
            "self_vs_cross_word",
        ),
        *("two_sources_by", "limit", "limit-0", "learning-task", "learning-seed", "changed-token", "causal-head"),
    ),
}
VALUES = ("x", "99999999999999999999", "a\u202eb\x00\u00b2", "", "9999.9999")


@cache
def hearing() -> Any:
    return registry.families()["whisper"].example()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny model hears: the one that comes with the package needs seconds for each of these sounds."""
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda name, **said: hearing() if "whisper" in name else load(name, **said))


def opened(page: str, **said: str) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=120)
    for name, value in said.items():
        app.query_params[name] = value
    return (app if page == "translate" else app.switch_page(f"pages/{page}.py")).run()


# Alone each parameter has one of the first three values, in turn; below all have each value at once.
_ALONE = [(page, name) for page, names in NAMES.items() for name in names]


@pytest.mark.parametrize(("page", "name", "value"), [(*one, VALUES[i % 3]) for i, one in enumerate(_ALONE)])
def test_no_value_of_a_parameter_breaks_a_page(page: str, name: str, value: str) -> None:
    beside = {"text": "Hello"} if page == "translate" and name.startswith("option.") else {}
    app = opened(page, **{**beside, name: value})
    assert not app.exception, app.exception


@pytest.mark.parametrize("page", NAMES)
@pytest.mark.parametrize("value", VALUES)
def test_the_same_value_of_every_parameter_breaks_no_page(page: str, value: str) -> None:
    assert not opened(page, **dict.fromkeys(NAMES[page], value)).exception


@pytest.mark.parametrize(
    "section", ["steps", "scale", "masks", "shapes", "self_vs_cross", "limits", "two_sources", "additive"]
)
def test_every_section_of_the_layer_stands_what_the_address_says(section: str) -> None:
    app = opened("layer", **{**dict.fromkeys(NAMES["layer"], "x"), "section": section})
    assert not app.exception


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("option.self_attention", "x", "self_attention is true or false: got 'x'."),
        ("option.shortlist", "x", "shortlist is True or False: got 'x'."),
        ("option.num_beams", "x", "num_beams is a whole number of at most three digits: got 'x'."),
    ],
)
def test_an_option_that_cannot_be_is_named(name: str, value: str, sentence: str) -> None:
    app = opened("translate", text="Hello", **{name: value})
    assert not app.exception
    assert [error.value.replace("\\", "") for error in app.error] == [sentence]
    switch = {box.key: box.value for box in app.checkbox}
    assert switch["option_shortlist"] is True
    assert switch["option_self_attention"] is False
