"""Traces that files hold, on the pages: a saved trace, a saved visit, and the files that a server was started with."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import xattn_viz as xv
from tests.app.visitor import opened as visited
from tests.app.visitor import press, query, state, traces
from xattn_viz import examples
from xattn_viz.app import opened, page_state
from xattn_viz.app.page_state import OPEN, PageState, Seen, Shown
from xattn_viz.app.runner import Output, Query, Task
from xattn_viz.core.store import to_bytes
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View
from xattn_viz.inputs import InputError


def example(slug: str) -> Trace:
    found = examples.load(slug)
    assert found is not None
    return found


CAT, BOAT = example("cat"), example("boat")


def foreign(target: int = 3) -> Trace:
    """What a model of one's own gave."""
    weights = np.random.default_rng(0).dirichlet(np.ones(4), (2, 1, 3, target)).astype(np.float32)
    return xv.from_attention(weights, target=["um", "dois", "três"][:target], source=list("abcd"))


def test_files_of_other_programs_open_on_the_page_of_texts(tmp_path: Path) -> None:
    saved = Path(__file__).parents[1] / "foreign" / "inseq" / "occlusion.json"
    np.savez(arrays := tmp_path / "given.npz", cross_attentions=np.full((1, 1, 1, 2, 4), 0.25, np.float32))
    for data, title in (
        (saved.read_bytes(), "Occlusion, by inseq"),
        (b"the cat\to gato\t0-0 1?1\n", "Links that somebody made"),
        (arrays.read_bytes(), ""),
    ):
        (one,) = opened.read(data, "given")
        assert (one.page, one.shown.trace.cross.title) == ("text", title)
    with pytest.raises(InputError, match=r"^'given': the file, line 1: a link is 0-0"):
        opened.read(b"a\tb\tc\n", "given")


def test_what_a_drawing_began_as_is_given_with_its_file() -> None:
    written = io.BytesIO()
    Image.new("RGB", (2, 2), "red").save(written, "PNG")
    url = "data:image/png;base64," + base64.b64encode(written.getvalue()).decode()
    settings = {"start": url, "mask": "data:image/png;base64,no picture", "strength": 0.3}
    drawn = replace(BOAT, provenance={**BOAT.provenance, "settings": settings})
    (one,) = opened.read(to_bytes(drawn), "drawn.npz")
    name = page_state.name_of(written.getvalue())
    assert one.state.query.options == (("start", name), ("strength", "0.3"))
    assert [own.what.data for own in one.given if own.store == "pictures"] == [written.getvalue()]
    assert name in one.state.query.names


def archive(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, data in members.items():
            file.writestr(name.replace("_", "."), data)
    return made.getvalue()


def test_a_saved_trace_is_opened_as_it_was() -> None:
    for trace, page in ((CAT, "text"), (foreign(), "text"), (example("forward"), "audio")):
        (one,) = opened.read(to_bytes(trace), "one.npz")
        assert (one.page, one.shown.traces) == (page, (trace,))
        assert one.state.query.source == "file"
        assert one.given[0].what.made[Task(one.state.query)] == (trace,)


def test_a_saved_visit_is_opened_as_it_was() -> None:
    """Segments, views and outputs of one's own are there again; equal visits are saved as equal bytes."""
    view = View(layer=1, head=3, query=2, units="words")
    asked = Query(CAT.model, f"{CAT.input} {BOAT.input}", output=Output(target="O gato."))
    other = replace(CAT, output="O gato.")
    shown = Shown(asked, (BOAT, CAT), CAT, other, beside=CAT)
    first = Seen(4, "text", PageState(asked, view, 1, is_beside=True, shown=shown))
    plain = Query("forward", "forward", "sound")
    heard = example("forward")
    whole = View(layer=None, head="max")
    compared = Shown(plain, (heard,), heard, heard, beside=example("amiable"), names=page_state.COMPARED)
    second = Seen(7, "audio", PageState(plain, whole, compared=plain.reading("sound", "amiable"), shown=compared))
    data = opened.pack([first, second])
    assert data == opened.pack([first, second])
    back, sound = opened.read(data, "visit.zip")
    assert (back.page, back.shown.traces, back.shown.trace, back.shown.beside) == ("text", (BOAT, CAT), other, CAT)
    assert (back.state.view, back.state.segment, back.state.is_beside) == (view, 1, True)
    assert back.state.query.output == asked.output
    assert {one.task.query.output for one in back.state.outcomes} == {Output(), asked.output}
    assert (sound.page, sound.shown.trace, sound.state.view) == ("audio", heard, whole)
    assert (sound.shown.beside, sound.shown.names) == (example("amiable"), page_state.COMPARED)
    assert [one.what.traces for one in sound.given] == [(heard,), (example("amiable"),)]
    with zipfile.ZipFile(io.BytesIO(data)) as file:  # each is a trace for Python too
        assert xv.load_trace(file.read("01-002.npz")) == CAT


def visit_list(**said: object) -> bytes:
    return json.dumps({"format": opened.FORMAT, "version": 1, "traces": [], **said}).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pickle.dumps({"attentions": [1]}), "is a pickle"),
        (archive(**{"model/data.pkl": b"x"}), "is a pickle"),
        (b"not a file of ours", "is no saved trace"),
        (to_bytes(CAT)[:-2000], "cannot be read as a trace"),
        (archive(weights_npy=b"x"), "cannot be read as a trace"),
        (archive(visit_json=visit_list()), "holds no trace"),
        (archive(visit_json=visit_list(version=9)), "version 9"),
        (archive(visit_json=visit_list(traces=[{"files": ["gone.npz"], "address": {}}])), "damaged"),
        (archive(visit_json=visit_list(traces=[7])), "damaged"),
        (archive(visit_json=b"{"), "damaged"),
        (archive(visit_json=visit_list(traces=[{"files": ["a.npz"], "address": {}}]), a_npz=b"x"), "cannot be read"),
        (to_bytes(replace(foreign(), maps=(replace(foreign().cross, kind="decoder"),))), "cannot be shown"),
    ],
)
def test_what_cannot_be_opened_is_a_sentence_that_names_the_file(data: bytes, said: str) -> None:
    with pytest.raises(InputError) as told:
        opened.read(data, "a\u202eb.npz")
    text = str(told.value)
    assert text.startswith(repr("a\u202eb.npz"))
    assert said in text
    assert text.endswith(".")
    assert "Traceback" not in text


def test_what_unpacks_to_more_than_a_page_opens_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = opened.pack([Seen(1, "text", opened.read(to_bytes(CAT), "")[0].state)])
    monkeypatch.setattr(opened, "MOST_BYTES", 10_000)
    for data in (to_bytes(CAT), whole):
        with pytest.raises(InputError, match="10,000"):
            opened.read(data, "large")


def test_a_server_is_started_with_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / "mine.npz", tmp_path / "cat.npz"]
    xv.save(foreign(), paths[0])
    xv.save(CAT, paths[1])
    for wrong, said in (((), "Name the file"), ((tmp_path / "no.npz",), "No such file"), ((tmp_path,), "directory")):
        with pytest.raises(InputError, match=said):
            opened.environment(wrong)
    for name, value in opened.environment(paths).items():
        monkeypatch.setenv(name, value)
    opened.served.cache_clear()
    try:
        app = visited()
        assert (query(app).source, traces(app)) == ("file", (foreign(),))
        said = " ".join(one.value for one in app.caption)
        assert "Opened from mine" in said
        assert "no model on the list" in said
        assert app.text_area(key="text").value == "a b c d"
        keys = {one.key for one in app.button}
        assert "tab" not in keys
        assert not [one for one in app.text_area if (one.key or "").startswith("target")]
        assert app.session_state["visit"].address["file"] == query(app).input
        # A model that is known can be asked more: for another output, beside what the file holds.
        app.session_state["past"] = True
        app.run()
        (other,) = [one for one in app.button if one.label == "The cat sat on the mat\\."]
        app = other.click().run()
        assert traces(app) == (CAT,)
        (field,) = [one for one in app.text_area if (one.key or "").startswith("target")]
        app = field.set_value("O gato sentou.").run()
        assert not app.error
        shown = state(app).shown
        assert shown is not None
        assert (shown.best, shown.trace.output) == (CAT, "O gato sentou.")
        app.text_area(key="text").set_value("A dog slept.")
        press(app, "Translate")
        assert query(app) == Query("firefox-en-pt", "A dog slept.")
        assert not app.exception
    finally:
        monkeypatch.delenv(OPEN)
        opened.served.cache_clear()


def test_other_weights_of_that_name_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "other.npz"
    xv.save(replace(CAT, provenance={**CAT.provenance, "weights_sha256": "0" * 64}), path)
    monkeypatch.setenv(OPEN, str(path))
    opened.served.cache_clear()
    try:
        app = visited()
        (field,) = [one for one in app.text_area if (one.key or "").startswith("target")]
        app = field.set_value("O gato.").run()
        assert "made with other weights" in app.error[0].value
        assert traces(app)[0].output == CAT.output  # the map before stays
    finally:
        opened.served.cache_clear()


def test_a_file_that_is_gone_is_a_sentence() -> None:
    app: AppTest = visited(file="0123456789abcdef")
    assert not app.exception
    assert query(app).source == "text"
    assert page_state.OPEN == OPEN
