"""What a query is compared with: said by the address, typed in place, wrong in a sentence while the first stays."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from streamlit.testing.v1 import AppTest

import xattn_viz as xv
from tests.app import visitor
from tests.app.visitor import press, query
from tests.models.families import seq2seq_folders
from tests.server import ROOT
from tests.sounds import wave_file
from xattn_viz import examples
from xattn_viz.app import history, page_state, runner
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import PageState, Seen, Shown
from xattn_viz.app.runner import Output, Query, compared_address, following, parse_compared
from xattn_viz.core.store import to_bytes
from xattn_viz.examples import clips
from xattn_viz.models import registry
from xattn_viz.shapes.scene import to_link
from xattn_viz.shapes.sentence import parse

FIRST, SECOND, MODEL = "The old bridge creaks.", "The new bridge creaks loudly.", "firefox-en-pt"


def opened(**said: str) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for name, value in {"model": MODEL, "text": FIRST, **said}.items():
        app.query_params[name] = value
    return app.run()


def state(app: AppTest) -> PageState:
    return visitor.state(app)


def shown(app: AppTest) -> Shown:
    found = state(app).shown
    assert found is not None
    return found


def test_an_address_says_what_a_query_is_compared_with() -> None:
    asked = Query("one", "A cat.", options=(("beams", "2"),), output=Output(target="x"))
    for other in (
        Query("one", "A dog.", options=asked.options),
        Query("two", "A cat."),
        Query("two", "A dog.", options=(("quick", True),)),
        Query("one", "A cat.", options=asked.options),
        Query("one", "A cat.", options=asked.options, output=Output(target="um")),
        Query("two", "A dog.", output=Output(hypothesis=2), without=((0, 1), (11, 0))),
        Query("one", "A cat.", options=asked.options, without=((1, 0),)),
    ):
        said = compared_address(asked, other)
        assert parse_compared(said, asked, lambda name: name == "two") == other
    heard, names = Query("one", "first", "sound"), {"sound": lambda name: name != "gone"}
    for other in (heard.reading("sound", "second"), Query("two", "second", "sound")):
        said = compared_address(heard, other)
        assert parse_compared(said, heard, lambda name: name == "two", names) == other  # type: ignore[arg-type]
    assert parse_compared({"compare-sound": "gone"}, heard, lambda name: True, names) is None  # type: ignore[arg-type]
    assert parse_compared({"compare-model": "unknown"}, asked, lambda name: False) is None
    assert parse_compared({}, asked, lambda name: True) is None
    for wrong in ("0.1", "x", "1", "-1.2", "1.1234", "²"):
        assert parse_compared({"compare-without": wrong}, asked, lambda name: True) is None
    opened = Query("any", "0123", "file")
    assert compared_address(asked, opened) == {"compare-file": "0123"}
    assert compared_address(asked, Query("two", "long " * 200)) == {}


def test_what_both_had_in_common_they_have_in_common_again() -> None:
    before, after = Query("one", "A cat.", options=(("seed", "1"),)), Query("one", "A dog.", options=(("seed", "2"),))
    for other, wanted in (
        (before, after),
        (Query("one", "A cow.", options=before.options), Query("one", "A cow.", options=after.options)),
        (Query("one", "A cat."), Query("one", "A dog.")),
        (Query("two", "A cat.", options=before.options), Query("two", "A dog.", options=before.options)),
        (Query("one", "A cat.", "file"), Query("one", "A cat.", "file")),
    ):
        assert following(other, before, after) == wanted


def test_a_second_sentence_stands_beside_the_first_until_it_is_taken_away() -> None:
    app = opened(compare=SECOND)
    assert not app.exception
    assert (shown(app).trace.input, getattr(shown(app).beside, "input", None)) == (FIRST, SECOND)
    assert shown(app).names == page_state.COMPARED
    assert not app.error
    app.session_state["compare"] = True  # which opens the popover
    app.run()
    (field,) = (field for field in app.text_input if (field.key or "").startswith("compare-text"))
    assert field.value == SECOND
    field.set_value("Five old bridges creak.").run()
    assert (query(app).input, app.query_params["compare"]) == (FIRST, "Five old bridges creak.")
    assert getattr(shown(app).beside, "input", None) == "Five old bridges creak."
    app.text_area(key="text").set_value("The old bridge sings.")
    next(button for button in app.button if button.label == "Translate").click().run()
    assert (shown(app).trace.input, app.query_params["compare"]) == ("The old bridge sings.", "Five old bridges creak.")
    next(button for button in app.button if button.label == "Stop comparing").click().run()
    assert "compare" not in app.query_params
    assert shown(app).beside is None
    assert not app.exception


def test_what_is_wrong_with_the_second_is_said_and_the_first_stays() -> None:
    app = opened(compare=SECOND)
    app.session_state["compare"] = True
    app.run()
    (field,) = (field for field in app.text_input if (field.key or "").startswith("compare-text"))
    field.set_value(f"a{' ' * 1001}b").run()
    assert not app.exception
    assert (shown(app).trace.input, shown(app).beside) == (FIRST, None)
    assert [error.value.replace("\\", "") for error in app.error] == [
        "The text holds 1,001 blanks in a row: at most 1,000 are read. Take them out."
    ]
    app = opened(**{"compare-model": "firefox-pt-en"})
    assert not app.exception
    assert getattr(shown(app).beside, "model", None) == "firefox-pt-en"
    assert app.query_params["compare-model"] == "firefox-pt-en"


def open_compare(app: AppTest) -> AppTest:
    app.session_state["compare"] = True
    return app.run()


def control(app: AppTest, kind: str, label: str) -> Any:
    """The control of the popover that has this label; where it has closed behind who compared, it is opened."""
    if not any("compare-" in (one.key or "") for one in getattr(app, kind)):
        open_compare(app)
    return next(one for one in getattr(app, kind) if one.label == label and "compare-" in (one.key or ""))


def captions(app: AppTest) -> str:
    return " ".join(caption.value.replace("\\", "") for caption in app.caption)


def beside(app: AppTest) -> xv.Trace:
    assert not app.exception
    assert not app.error
    found = shown(app).beside
    assert found is not None
    return found


def refused(app: AppTest) -> str:
    """What was wrong with a second, while the first stays alone."""
    assert not app.exception
    assert shown(app).beside is None
    (error,) = app.error
    return error.value.replace("\\", "")


def test_a_target_and_heads_that_are_taken_away_are_compared_with_what_the_model_does_itself() -> None:
    app, model = opened(), registry.load(MODEL)
    control(app, "text_input", "Output").set_value("A ponte antiga range.").run()
    wanted = model.trace(FIRST, target="A ponte antiga range.", keep_projections=True)
    assert beside(app).cross == wanted.cross
    assert app.query_params["compare-target"] == "A ponte antiga range."
    control(app, "text_input", "Output").set_value("").run()
    control(app, "multiselect", "Heads taken away, as layer.head").set_value(["2.1", "1.6"]).run()
    heads = [("cross", 0, 5), ("cross", 1, 0)]
    wanted = model.trace(FIRST, ablate=heads, keep_projections=True)  # type: ignore[arg-type]
    assert (beside(app).output, beside(app).cross) == (wanted.output, wanted.cross)
    assert app.query_params["compare-without"] == "1.6.2.1"
    assert "B: without heads 1.6, 2.1." in captions(app)
    control(app, "button", "Stop comparing").click().run()
    control(app, "button", "Without the head in view").click().run()
    view = state(app).view.on(shown(app).trace)
    assert state(app).compared == Query(MODEL, FIRST, without=((view.layer, view.head),))  # type: ignore[arg-type]
    app.text_area(key="text").set_value("The bridge sings.")
    press(app, "Translate")
    assert beside(app).input == shown(app).trace.input == "The bridge sings."
    gone = opened(**{"compare-without": "9.1"})
    assert refused(gone) == "There is no layer 9, head 1 to take away: English → Portuguese has 2 layers of 8 heads."


def test_a_second_drawing_has_a_prompt_a_seed_and_options_of_its_own() -> None:
    quick = {"option.steps": "5"}
    app = visitor.opened("draw", text="a red ring", **quick, **{"option.seed": "3"})
    control(app, "text_input", "Prompt").set_value("a blue ring").run()
    model = registry.load("draw-shapes")
    assert np.array_equal(beside(app).pictures[-1], model.trace("a blue ring", seed="3", steps="5").pictures[-1])
    app.number_input(key="option_seed").set_value(4).run()  # both have it
    assert dict(state(app).compared.options) == dict(query(app).options) == {"seed": "4", "steps": "5"}  # type: ignore[union-attr]
    control(app, "number_input", "Seed").set_value(5).run()
    control(app, "selectbox", "Guidance").set_value("2").run()
    wanted = model.trace("a blue ring", seed="5", steps="5", guidance="2")
    assert np.array_equal(beside(app).pictures[-1], wanted.pictures[-1])
    assert shown(app).trace.input == "a red ring"
    said = {name: value for name, value in app.query_params.items() if name.startswith("compare")}
    assert said == {"compare": "a blue ring", "compare-option.seed": "5", "compare-option.guidance": "2"} | {
        f"compare-{name}": value for name, value in quick.items()
    }
    assert "Seed: A 4, B 5. Guidance: A 1, B 2." in captions(app)


def test_a_second_that_only_the_visitor_has_is_kept_with_the_first_and_said_to_be_in_no_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, other = examples.load("cat"), examples.load("boat")
    assert first is not None
    assert other is not None
    app = opened(text=str(first.input))
    upload = control(app, "file_uploader", "From a file")
    upload.set_value(("broken.npz", to_bytes(other)[:-999], "")).run()
    assert refused(app).startswith("'broken.npz' cannot be read as a trace")
    heard = examples.load("forward")
    assert heard is not None
    control(app, "file_uploader", "From a file").set_value(("forward.npz", to_bytes(heard), "")).run()
    assert refused(app) == "'forward.npz' holds no trace of text: it is compared on the page of its own kind."
    control(app, "file_uploader", "From a file").set_value(("boat.npz", to_bytes(other), "")).run()
    assert beside(app) == other
    compared = state(app).compared
    assert compared is not None
    assert app.query_params["compare-file"] == compared.input
    assert "compare-model" not in app.query_params
    address, left = dict(app.query_params), app.session_state["visit"]
    (one,) = (one for one in seen(left) if one.state.query == query(app))
    assert page_state._bytes(one) >= runner.size((shown(app).trace, other))
    # Returned to after other files took its place.
    app.text_area(key="text").set_value("Another one.")
    press(app, "Translate")
    control(app, "button", "Stop comparing").click().run()
    left.own["files"].clear()
    app.session_state["past"] = True
    app.run()
    next(card for card in app.button if card.key == f"return-{one.number}").click().run()
    assert beside(app) == other
    # And after a reload; in another visit the page says why it is not there.
    again = opened(**address)
    assert "only the visit that gave it has it" in refused(again)
    page = AppTest.from_function(_run, default_timeout=60)
    page.session_state["visit"], page.session_state["text-page"] = again.session_state["visit"], state(again)
    page.session_state["call"] = lambda: history.go_on_as(left.name)
    for name, value in address.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    assert page.session_state["text-page"].compared == compared
    assert page.session_state["visit"].own["files"][compared.input].traces == (other,)


def seen(visit: page_state.Visit) -> list[Seen]:
    return [one for (whose, *_), one in page_state._seen.items() if whose == visit.name]


def _run() -> None:
    import streamlit as st

    st.session_state["call"]()


def test_a_second_sound_or_picture_is_uploaded_said_or_drawn_and_a_broken_one_is_a_sentence() -> None:
    samples = (clips.sound("forward").samples * 32767).astype(np.int16)
    app = visitor.opened("speech", sound="amiable")
    control(app, "file_uploader", "Sound file").set_value(("a.wav", b"RIFF, but no sound", "")).run()
    assert refused(app)
    assert shown(app).trace == examples.load("amiable")
    control(app, "file_uploader", "Sound file").set_value(("a.wav", wave_file(samples), "")).run()
    assert beside(app).output == "Go forward 10 meters."
    assert state(app).compared.source == "sound"  # type: ignore[union-attr]
    app = visitor.opened("images", picture="alone")
    control(app, "text_input", "or say it").set_value("a hexagon").run()
    assert "hexagon" in refused(app)
    control(app, "text_input", "or say it").set_value("a red ring").run()
    assert (beside(app).output, app.query_params["compare-scene"]) == (
        "a large red ring",
        to_link(parse("a red ring")),
    )
    data = io.BytesIO()
    Image.new("RGB", (48, 48), "white").save(data, "PNG")
    control(app, "file_uploader", "Picture file").set_value(("white.png", data.getvalue(), "")).run()
    assert np.asarray(beside(app).input).min() == 255
    assert "compare-picture" in app.query_params


def test_two_checkpoints_of_one_training_are_compared_by_their_folders(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("step-1", "step-2")]
    for number, folder in enumerate(folders):
        seq2seq_folders.write(folder, "marian")
        held = load_file(folder / "model.safetensors")
        moved = {name: value + 0.02 * number * torch.sign(value) for name, value in held.items()}
        save_file(moved, folder / "model.safetensors", {"format": "pt"})
    app = opened(model=str(folders[0]), text="One old cat.", **{"compare-model": str(folders[1])})
    for folder in folders:  # an address alone loads none
        press(app, f"Load {literal(str(folder))}")
    ours, theirs = (xv.load(folder).trace("One old cat.") for folder in folders)
    assert shown(app).trace.cross.weights.tobytes() == ours.cross.weights.tobytes()
    assert beside(app).cross.weights.tobytes() == theirs.cross.weights.tobytes()
    found = xv.compare(ours, theirs)
    assert found.units == "pieces"
    assert np.nanmax(np.abs(found.difference)) > 1e-3
    assert control(app, "selectbox", "Model").value == str(folders[1])
