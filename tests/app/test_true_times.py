"""The panel of true times on the page of speech: scores by an uploaded file, and the way to a word in the map."""

from __future__ import annotations

import json
from typing import Any

import xattn_viz as xv
from tests.app import visitor
from xattn_viz.analysis.word_scores import TrueWord
from xattn_viz.app import true_times
from xattn_viz.app.page import literal
from xattn_viz.core.tokens import visible


def test_true_times_are_uploaded_and_the_worst_word_is_one_click_from_its_place() -> None:
    app: Any = visitor.opened("speech", sound="forward")
    app.session_state["true-times"] = True
    app.run()
    words = xv.timed_words(visitor.traces(app)[0])
    true = [TrueWord(word.text, word.start - 0.3 * (i == 1), word.end) for i, word in enumerate(words)]
    data = json.dumps([vars(word) for word in true]).encode()

    def give(name: str, data: bytes) -> None:
        uploader = next(one for one in app.get("file_uploader") if one.label == "True times")
        uploader.set_value((name, data, "")).run()
        assert not app.exception

    give("true.json", data)
    tables = [table.value for table in app.dataframe]
    assert list(tables[0]["words"]) == [4, 4]
    assert list(tables[0]["mean (ms)"]) == [75, 0]
    assert next(iter(tables[1]["word"])) == visible(words[1].text)
    assert list(tables[1]["start off by (ms)"]) == ["+300", "+0", "+0", "+0"]
    worst = xv.score_times(words, true).worst[0]
    assert true_times._place(worst, [(0, word) for word in words]) == (0, words[1].rows[0])
    give("*no*.srt", b"nothing")
    assert app.error[0].value.startswith(literal("'*no*.srt' holds no words with times"))
