"""What other tools saved, against what these tools say of it: files of inseq 0.7.1 and 0.6.0 and of BertViz 1.4.1.

inseq's are of a T5 with random weights, two sentences each, `wanted.json.gz` what its own `aggregate()` gave of them,
and the scores of attention as it held them. BertViz' pages are of random weights, which `wanted.npz` holds.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xattn_viz as xv
from tests.web.explorer.packed import unpacked
from xattn_viz.core.store import load_trace, to_bytes
from xattn_viz.export.shown import shown
from xattn_viz.foreign import other_tools
from xattn_viz.foreign.attention_files import is_foreign, read_attention
from xattn_viz.web.explorer import pack

HERE = Path(__file__).parent
WANTED = json.loads(gzip.decompress((HERE / "inseq" / "wanted.json.gz").read_bytes()))


def saved(name: str) -> dict[str, Any]:
    """What inseq's attribution of that name says, as JSON values."""
    said: dict[str, Any] = json.loads(gzip.decompress((HERE / "inseq" / f"{name}.json.gz").read_bytes()))
    return said


def page(name: str) -> bytes:
    return gzip.decompress((HERE / "bertviz" / f"{name}.html.gz").read_bytes())


@pytest.mark.parametrize("name", ["attention", "old-attention"])
def test_attention_of_inseq_is_cross_attention_with_its_layers_and_heads(name: str) -> None:
    for index, one in enumerate(WANTED["attention"]):
        trace = xv.load_attention(HERE / "inseq" / f"{name}.json.gz", index=index)
        # [key, query, layer, head] there. The same float32, but what an older one wrote went through decimals.
        assert np.allclose(trace.cross.weights, np.transpose(one["raw"], (2, 3, 1, 0)), rtol=0, atol=1e-7)
        assert np.allclose(trace.encoder.weights, np.transpose(one["encoder"], (2, 3, 1, 0)), rtol=0, atol=1e-7)
        assert [maps.title for maps in trace.maps] == ["", "", ""]
        assert trace.decoder.keys == trace.cross.read
        # A row reads itself and what is before it, the start too.
        assert np.allclose(trace.decoder.weights.sum(-1), 1, atol=1e-5)
        assert not np.triu(trace.decoder.weights, 1).any()
        assert (trace.input, trace.output) == [("The cat.", "O gato"), ("A boat", "Um")][index]
        assert trace.model == "tiny-t5"


def test_what_a_method_of_inseq_found_is_shown_as_inseq_shows_it() -> None:
    for name, file in (("input_x_gradient", "input_x_gradient.json.gz"), ("occlusion", "occlusion.json")):
        for index, one in enumerate(WANTED[name]):
            trace = xv.load_attention(HERE / "inseq" / file, index=index)
            source = np.abs(np.array(one["source"]).T)
            if name == "occlusion":  # signed there, and of the source alone
                source /= source.sum(-1, keepdims=True)
            # Norms in float32 there and in float64 here: shares differ by a few of 2^-24.
            assert np.allclose(trace.cross.weights[0, 0], source, rtol=1e-4, atol=1e-6)
            if name == "input_x_gradient":
                earlier = np.array(one["target"]).T[:, : len(trace.decoder.keys)]
                assert np.allclose(trace.decoder.weights[0, 0], earlier, rtol=1e-4, atol=1e-6)
            assert trace.cross.title == f"{'Gradient × input' if name != 'occlusion' else 'Occlusion'}, by inseq"
            assert np.allclose([np.exp(step.log_prob) for step in trace.steps], one["steps"]["probability"], rtol=1e-5)
            assert trace.provenance["inseq"]["step_scores"]["entropy"] == pytest.approx(one["steps"]["entropy"])
            assert all(step.forced for step in trace.steps)
    assert xv.load_attention(HERE / "inseq" / "old-occlusion.json.gz") == xv.load_attention(
        HERE / "inseq" / "occlusion.json"
    )  # raw bytes in base64, not safetensors
    first = xv.load_attention(HERE / "inseq" / "occlusion.json")
    assert "no attention weights" in first.remarks[0]
    assert first.remarks[1] == "Sequence 1 of the 2 that the file holds."
    # It is drawn and saved by that name.
    assert load_trace(to_bytes(first)) == first
    assert shown(first, xv.View(layer=0)).selected.title == "Occlusion, by inseq"


def test_of_a_decoder_alone_columns_are_what_stands_before() -> None:
    said = saved("input_x_gradient")["attributes"]
    (one, *_) = (each["attributes"] for each in said["sequence_attributions"])
    plain = {**said, "sequence_attributions": [{**one, "source_attributions": None}]}  # without names of classes too
    trace = read_attention(json.dumps(plain).encode(), "x.json")
    target = np.nan_to_num(np.array(WANTED["input_x_gradient"][0]["target"])).T
    target = target[:, : len(trace.cross.keys)] / target.sum(-1, keepdims=True)
    assert np.allclose(trace.cross.weights[0, 0], target, rtol=1e-4, atol=1e-6)
    assert trace.cross.keys == trace.cross.read


def test_a_page_of_bertviz_gives_its_weights_back() -> None:
    wanted = np.load(HERE / "bertviz" / "wanted.npz")
    trace = read_attention(page("head_view"), "a.html")
    for maps in trace.maps:  # JSON has every digit of a float32
        assert np.array_equal(maps.weights, wanted[maps.kind])
    cross = trace.cross
    assert cross.keys.labels == ("The", "black", "cat", "</s>")
    assert cross.read is not None
    assert (cross.read.labels, cross.queries.labels) == (("<pad>", "gato", "preto"), ("gato", "preto", "<|next|>"))
    assert (trace.input, trace.output) == ("The black cat", "gato preto")
    some = read_attention(page("model_view"), "a.html")
    assert np.array_equal(some.cross.weights, wanted["cross"][1:, 1:])
    assert some.cross.layers == (1,)
    assert "The heads are those that the page shows: 2 from 1." in some.remarks


def test_links_are_shown_as_a_map_of_what_is_sure_and_possible(tmp_path: Path) -> None:
    gold = xv.alignment_files.LinkedPair(
        ("the", "black", "cat"), ("gato", "preto"), frozenset({(2, 0), (1, 1)}), frozenset({(0, 0)})
    )
    trace = xv.from_links(gold)
    assert trace.cross.weights[0, 0].tolist() == [[0.5, 0, 1], [0, 1, 0]]
    assert shown(trace, xv.View(layer=0)).selected.title == "Links that somebody made"
    assert "not attention of a model" in trace.remarks[0]
    for ending in ("tsv", "json", "xml"):
        path = tmp_path / f"a.{ending}"
        xv.alignment_files.write([gold, gold], path)
        assert xv.load_attention(path, {}, index=1) == trace
        assert xv.load_attention(path, {}).remarks[-1] == "Pair 1 of the 2 that the file holds."
        assert is_foreign(path.read_bytes())
    words = {"source": list(gold.source_words), "target": list(gold.target_words)}
    for ending in ("pharaoh", "naacl"):
        path = tmp_path / f"links.{ending}"
        xv.alignment_files.write([gold], path)
        assert xv.load_attention(path, words) == trace
    svg = xv.export.svg(trace, xv.View(layer=0))
    assert "Links that somebody made" in svg
    assert "ross-attention" not in svg
    header, _ = unpacked(pack(trace))
    (sheet,) = header["sheets"]
    assert (sheet["title"], len(sheet["views"])) == ("Links that somebody made", 1)
    assert "surprises" not in header  # which are about heads
    assert "Attention weights show" not in (written := xv.export.html(trace))
    assert trace.remarks[0] in written


def test_no_more_is_unpacked_than_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_tools, "MOST_TEXT", 1000)
    for data in (gzip.compress(b"{" + b" " * 1000), b"{" + b" " * 1000):
        with pytest.raises(xv.InputError, match="more than 1,000 bytes"):
            read_attention(data, "a.json")
    for limit, data in (("MOST_VALUES", b"[[],[],[]]"), ("MOST_LINES", b"a\tb\t0-0\n" * 3)):
        monkeypatch.setattr(other_tools, limit, 2)
        with pytest.raises(xv.InputError, match="more than 2 "):
            read_attention(data, "a.json")
    np.savez(file := io.BytesIO(), cross_attentions=np.eye(2, dtype=np.float32))
    with pytest.raises(xv.InputError, match="more than 99"):
        read_attention(file.getvalue(), "a.npz", max_bytes=99)


def changed(**fields: Any) -> bytes:
    """The gradients of inseq, with other fields in their first sequence."""
    said = saved("input_x_gradient")
    said["attributes"]["sequence_attributions"][0]["attributes"].update(fields)
    return json.dumps(said).encode()


def array(values: Any, **more: Any) -> dict[str, Any]:
    """As inseq before 0.7 wrote it, packed."""
    held = np.asarray(values, np.float32)
    packed = base64.b64encode(gzip.compress(held.tobytes(), mtime=0)).decode()
    return {"__ndarray__": f"b64.gz:{packed}", "dtype": "float32", "shape": list(held.shape), "Corder": True, **more}


ROWS = len(WANTED["input_x_gradient"][0]["source"][0])
COLUMNS = len(WANTED["input_x_gradient"][0]["source"])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "is no JSON"),
        (b'{"story": 1}', "no attribution of inseq"),
        (b'{"sequence_attributions": []}', "there is no sequence 0"),
        (b'{"sequence_attributions": [7]}', "damaged"),
        (gzip.compress(b'{"sequence_attributions": []}', mtime=0)[:-9], "cut off"),
        (changed(source_attributions=array(np.full((COLUMNS, ROWS), np.nan))), "hold NaN"),
        (changed(source_attributions=array(np.full((COLUMNS, ROWS), np.inf))), "hold infinity"),
        (changed(source_attributions=array(np.ones((COLUMNS, 2)))), f"the tokens need ({COLUMNS}, {ROWS})"),
        (changed(source_attributions=array(np.ones((COLUMNS, ROWS)), dtype="object")), "none of numbers"),
        (changed(source_attributions=array(np.ones((COLUMNS, ROWS)), shape=[1, 2])), "damaged"),
        (changed(source_attributions="AAAA"), "damaged"),
        (changed(target_attributions=array(np.full((ROWS + 1, ROWS), np.nan))), "that was there already"),
        (changed(source_attributions=None, target_attributions=None), "holds no source_attributions"),
        (changed(step_scores={"probability": [2.0] * ROWS}), "no number from 0 to 1"),
        (changed(attr_pos_start="x"), "damaged"),
        (page("encoder"), "shows no cross-attention"),
        (re.sub(rb"\[\[\[\[[-.e\d]+", b"[[[[NaN", page("head_view")), "NaN"),
        (re.sub(rb'"left_text": \[[^]]*\]', b'"left_text": [1]', page("head_view")), "is damaged"),
        (page("head_view").partition(b'"attn"')[0], "is damaged"),
        (b"<script>const params = window.bertviz_params</script>", "neuron view"),
        (b"<html></html>", "holds no <s>"),
        (b"0-0 1-1\n", "links without sentences"),
        (b"a b\tc\t0-9\n", "links the words"),
        (b"a b\t\t\n", "no words on one side"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_that_names_the_file(data: bytes, said: str) -> None:
    assert is_foreign(data)
    with pytest.raises(xv.InputError) as told:
        read_attention(data, "given.x")
    assert said in str(told.value)
    assert "given.x" in str(told.value)
    assert str(told.value).endswith(".")
