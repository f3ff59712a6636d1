from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.core.test_evidence import alignment, deletion
from xattn_viz import export
from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import AttentionMaps, Projections
from xattn_viz.core.store import is_damaged, load_trace, save, to_bytes
from xattn_viz.core.trace import Alternative, Answer, HeadGrid, Hypothesis, Layer, Note, Speech, Step, Trace


def softmax(scores: NDArray[Any]) -> NDArray[Any]:
    exp = np.exp(scores - scores.max(-1, keepdims=True))
    weights: NDArray[Any] = exp / exp.sum(-1, keepdims=True)
    return weights


def made(seed: int = 0, dtype: str = "float32", bias: bool = False) -> Trace:
    """A trace with every field in use: two maps, projections, steps, alternatives, hypotheses, provenance."""
    random = np.random.default_rng(seed)
    q, k = random.normal(size=(2, 3, 2, 4)).astype("f4"), random.normal(size=(2, 3, 5, 4)).astype("f4")
    b = random.normal(size=(1, 3, 2, 5)).astype("f4") if bias else None
    scores = q @ k.swapaxes(-1, -2) * 0.5 + (0 if b is None else b)
    keys = Axis(
        "text",
        labels=("The", "<script>", "\u202egato", "\x00", "</s>"),
        spans=((0, 3), (4, 12), (12, 13), (13, 14), (14, 14)),
        words=(0, 1, 2, 2, 3),
        special=(False, False, False, False, True),
    )
    queries = Axis("text", labels=("O", "\ud800"), parts=(("first", 0, 1), ("second", 1, 2)))
    cross = AttentionMaps(
        softmax(scores).astype(dtype),
        queries,
        keys,
        "cross",
        (1, 5),
        read=Axis("text", labels=("<s>", "O"), special=(True, False)),
        step=7,
        projections=Projections(q, k, 0.5, b),
    )
    frames = Axis("audio", times=((0.0, 0.02), (0.02, 0.04)))
    patches = Axis("image", grid=(1, 2))
    encoder = AttentionMaps(
        np.zeros((1, 1, 2, 2), dtype), frames, patches, "encoder", (0,), altered=("cropped", "masked")
    )
    costs = np.array([[0.5, np.nan, 0.25], [1e-30, -2.0, 0.0]], np.float32)
    return Trace(
        maps=(cross, encoder),
        input="The <script>…",
        output="O gato",
        steps=(
            Step("O", 5, -0.25, (Alternative("O", 5, -0.25), Alternative("A", 6, -1.5))),
            Step("\ud800", 0, float("-inf"), forced=True),
        ),
        hypotheses=(Hypothesis("Um gato", -3.5, ("Um", "gato"), (7, 9)),),
        offset=12.5,
        provenance={"model": "planted", "ablated": [["cross", 0, 1]], "beams": 1, "shortlist": True, "none": None},
        notes=(Note("It was cut."), Note("It is broken.", "fault")),
        answers=(Answer("a red circle", 0.75),),
        layers=(Layer("down_blocks.0", (8, 8)),),
        alignment_heads=((1, 0), (1, 2)),
        speech=Speech("en", None, 0.25),
        evidence=(
            HeadGrid(
                "cost", "What each head costs", "nats a token", "cross", (1, 5), costs, "Planted.", costs[..., None]
            ),
        ),
        alignment=alignment(),
        deletion=deletion(),
    )


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("bias", [False, True])
def test_a_file_reads_back_as_an_equal_trace_with_read_only_arrays(tmp_path: Path, dtype: str, bias: bool) -> None:
    trace = made(dtype=dtype, bias=bias)
    save(trace, tmp_path / "cat.npz")
    again = load_trace(tmp_path / "cat.npz")
    assert again == trace
    assert again.maps[0] == trace.maps[0]
    assert again.cross.weights.dtype == dtype
    assert again.cross.projections is not None
    assert not again.cross.weights.flags.writeable
    assert not again.cross.projections.queries.flags.writeable
    assert load_trace(str(tmp_path / "cat.npz")) == load_trace((tmp_path / "cat.npz").read_bytes()) == trace


def test_equal_means_every_field() -> None:
    """The equality that the test above relies on sees a change in any field."""
    trace = made()
    changes: list[dict[str, Any]] = [
        {"maps": trace.maps[:1]},
        {"input": "other"},
        {"output": "other"},
        {"steps": trace.steps[::-1]},
        {"hypotheses": ()},
        {"offset": 0.5},
        {"provenance": {}},
        {"alignment": alignment(threshold=0.5)},
        {"deletion": None},
        {"maps": (made(bias=True).maps[0], trace.maps[1])},
        {"maps": (replace(trace.maps[0], read=None), trace.maps[1])},
        {"maps": (replace(trace.maps[0], weights=trace.maps[0].weights.astype("f2")), trace.maps[1])},
    ]
    for change in changes:
        assert replace(trace, **change) != trace, change


@settings(deadline=None)
@given(
    input=st.text() | st.sampled_from(["\ud800", "</script>", "\x00"]),
    labels=st.lists(st.text(), min_size=1, max_size=5),
    dtype=st.sampled_from(["float16", "float32"]),
    offset=st.integers(0, 10**9) | st.floats(0, 1e9),
    log_prob=st.floats(max_value=0, allow_nan=False),
    provenance=st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.text(), st.lists)),
)
def test_any_text_and_number_comes_back_as_it_was(
    input: str, labels: list[str], dtype: str, offset: float, log_prob: float, provenance: dict[str, Any]
) -> None:
    axis = Axis("text", labels=tuple(labels))
    weights = np.full((1, 1, len(labels), len(labels)), 1 / len(labels), dtype=dtype)
    steps = tuple(Step(label, i, log_prob) for i, label in enumerate(labels))
    trace = Trace((AttentionMaps(weights, axis, axis, "cross", (0,)),), input, input, steps, (), offset, provenance)
    assert load_trace(to_bytes(trace)) == trace


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "bool", ">i2"])
def test_an_array_as_input_comes_back_with_its_dtype(dtype: str) -> None:
    pixels = np.asfortranarray(np.arange(24).reshape(2, 3, 4).astype(dtype))
    again = load_trace(to_bytes(Trace((), pixels, "a cat"))).input
    assert isinstance(again, np.ndarray)
    assert again.dtype == dtype
    assert np.array_equal(again, pixels)


def test_equal_traces_give_equal_bytes() -> None:
    assert to_bytes(made()) == to_bytes(made())


def test_numpy_alone_can_read_the_arrays() -> None:
    with np.load(io.BytesIO(to_bytes(made())), allow_pickle=False) as file:
        assert np.array_equal(file["trace.maps.0.weights"], made().cross.weights)
        assert json.loads(file["header"].tobytes())["trace"]["output"] == "O gato"


@pytest.mark.parametrize(
    ("provenance", "sentence"),
    [
        ({"seed": np.float32(1)}, "trace.provenance.seed holds float32"),
        ({"ablated": (1,)}, "trace.provenance.ablated holds tuple"),
        ({1: "x"}, "trace.provenance has a key that is not text: 1"),
    ],
)
def test_what_would_not_come_back_equal_is_refused_before_anything_is_written(
    tmp_path: Path, provenance: dict[Any, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        save(replace(made(), provenance=provenance), tmp_path / "bad.npz")
    assert not list(tmp_path.iterdir())


def test_objects_are_never_pickled() -> None:
    with pytest.raises(ValueError, match=r"trace.input holds object values: only numbers can be saved"):
        to_bytes(Trace((), np.array([{}], dtype=object), ""))


def rewritten(members: dict[str, bytes | None], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A good file with some members replaced or, with None, left out."""
    good, packed = zipfile.ZipFile(io.BytesIO(to_bytes(made()))), io.BytesIO()
    everything = {name: good.read(name) for name in good.namelist()} | members
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, data in everything.items():
            if data is not None:
                archive.writestr(name, data)
    return packed.getvalue()


def npy(array: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def header(change: dict[str, Any] | None = None, *, without: Sequence[str] = (), **top: Any) -> bytes:
    with np.load(io.BytesIO(to_bytes(made()))) as file:
        value = json.loads(file["header"].tobytes()) | top
    value["trace"].update(change or {})
    for name in without:
        del value["trace"][name]
    return npy(np.frombuffer(json.dumps(value).encode(), np.uint8))


def test_the_file_that_the_next_test_damages_is_good() -> None:
    assert load_trace(rewritten({"header.npy": header()})) == made()


#: The fields of a trace that its first version had in the provenance.
RESULTS = ("notes", "answers", "layers", "alignment_heads", "speech")


def test_a_file_of_the_first_version_has_its_results_where_they_are_now() -> None:
    new = made()
    provenance = {
        **new.provenance,
        "notes": ["It was cut.", "It is broken."],
        "fault": "It is broken.",
        "answers": [["a red circle", 0.75]],
        "layers": [{"module": "down_blocks.0", "grid": [8, 8]}],
        "alignment_heads": [[1, 0], [1, 2]],
        "decoding": {"method": "greedy", "no_speech_probability": 0.25, "language": "en"},
    }
    old = header({"provenance": provenance}, without=RESULTS, version=1)
    read = load_trace(rewritten({"header.npy": old}))
    assert read == replace(new, provenance={**new.provenance, "decoding": {"method": "greedy"}})


@pytest.mark.parametrize(
    "provenance",
    [{"notes": "none"}, {"notes": [1]}, {"answers": [["a"]]}, {"decoding": 3}, {"fault": "It is broken."}],
    ids=str,
)
def test_what_a_first_version_held_in_other_forms_stays_where_it_is(provenance: dict[str, Any]) -> None:
    old = header({"provenance": provenance}, without=RESULTS, version=1)
    read = load_trace(rewritten({"header.npy": old}))
    assert read.provenance == provenance
    assert read.remarks == ()


huge = npy(np.zeros(1, "f4")).replace(b"(1,), }" + b" " * 12, b"(1000000000000,), }")
WEIGHTS = "trace.maps.0.weights.npy"


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"header.npy": None}, "no member named header.npy"),
        ({"header.npy": header(format="other")}, "not that of an xattn_viz trace"),
        ({"header.npy": header(version=3)}, "of version 3, and this program reads versions 1 to 2"),
        ({"header.npy": npy(np.frombuffer(b"[1]", np.uint8))}, "not that of an xattn_viz trace"),
        ({"header.npy": npy(np.frombuffer(b"{", np.uint8))}, "cannot be read as a trace"),
        ({"header.npy": npy(np.frombuffer(b"[" * 100_000, np.uint8))}, "cannot be read as a trace"),
        ({"header.npy": npy(np.frombuffer(b"\xff\xfe", np.uint8))}, "cannot be read as a trace"),
        ({"header.npy": header({"output": 3})}, "trace.output is not what it should be"),
        ({"header.npy": header({"offset": True})}, "trace.offset is not what it should be"),
        ({"header.npy": header({"surprise": 3})}, "trace has unknown fields: surprise"),
        ({"header.npy": header({"maps": {}})}, "trace.maps is not what it should be"),
        ({"header.npy": header({"input": {"array": "elsewhere"}})}, "trace.input is not what it should be"),
        ({"header.npy": header({"input": {"array": ["x"]}})}, "cannot be read as a trace"),
        ({"header.npy": header({"steps": [{"token": "a"}]})}, "trace.steps.0.id is missing"),
        ({"header.npy": header({"steps": [{"token": "a", "id": 1, "log_prob": 0}]})}, "1 steps do not fit"),
        ({WEIGHTS: None}, "trace.maps.0.weights is not what it should be"),
        ({WEIGHTS: npy(np.ones((2, 3, 2, 4), "f4"))}, "the axes say"),
        ({WEIGHTS: npy(np.full((2, 3, 2, 5), np.nan, "f4"))}, "NaN"),
        ({WEIGHTS: npy(np.full((2, 3, 2, 5), 0.3, "f4"))}, "must sum to 1"),
        ({WEIGHTS: npy(np.array([{}], object))}, "holds object values"),
        ({WEIGHTS: npy(np.array(["x"]))}, "only numbers are read"),
        ({WEIGHTS: npy(np.zeros(3, "f4"), version=(2, 0))}, "not an array of format version 1.0"),
        ({WEIGHTS: b"not an array"}, "cannot be read as a trace"),
        ({WEIGHTS: b""}, "cannot be read as a trace"),
        ({WEIGHTS: npy(np.zeros(8, "f4"))[:-4]}, "which its 28 bytes do not fit"),
        ({WEIGHTS: huge}, r"states the shape \(1000000000000,\)"),
        ({f"{i}.npy": b"" for i in range(1001)}, "more than 1000"),
    ],
)
def test_damaged_and_hostile_files_are_refused_in_one_sentence(members: dict[str, bytes | None], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        load_trace(rewritten(members))
    assert str(caught.value).startswith("These bytes cannot be read as a trace: ")
    assert str(caught.value).endswith(".")


def test_a_zip_bomb_is_refused_before_it_unpacks() -> None:
    bomb = rewritten({"bomb.npy": bytes(50_000_000)})
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match=r"unpacks to 50,0\d\d,\d\d\d bytes, more than the 1,000,000 allowed"):
        load_trace(bomb, max_bytes=1_000_000)


def test_a_member_that_lies_about_its_size_is_cut_there_and_found_out() -> None:
    good = rewritten({"bomb.npy": bytes(1_000_000)})
    true, lie = struct.pack("<L", 1_000_000), struct.pack("<L", 100)
    assert good.count(true) == 2  # in the member's own header and in the directory
    with pytest.raises(ValueError, match=r"Bad CRC-32 for file 'bomb\.npy'"):
        load_trace(good.replace(true, lie), max_bytes=100_000)


def test_an_encrypted_member_is_refused() -> None:
    directory = bytearray(to_bytes(made()))
    at = directory.index(b"PK\x01\x02")
    directory[at + 8] |= 1
    with pytest.raises(ValueError, match="encrypted"):
        load_trace(bytes(directory))


def test_a_file_is_named_and_a_missing_one_stays_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "holiday.npz").write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match=r"^'holiday\.npz' cannot be read as a trace: File is not a zip file\.$"):
        load_trace(tmp_path / "holiday.npz")
    with pytest.raises(FileNotFoundError):
        load_trace(tmp_path / "missing.npz")


def with_npy_header(text: bytes, data: bytes = b"") -> bytes:
    """A member as NumPy writes it, version 1.0, with any text for its header."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize(
    "text",
    [
        b"{" * 9000,  # tokenize.TokenError from NumPy's own reader
        b"-" * 9000 + b"1",  # MemoryError from it
        b"(" * 9000,
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"9" * 9000 + b",), }\n",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }\n",
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (" + b"1, " * 65 + b"), }\n",
        b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }\n",
        b"{'descr': '<f99999', 'fortran_order': False, 'shape': (3,), }\n",
        b"{'descr': '<f0', 'fortran_order': False, 'shape': (3,), }\n",
        b"",
        b"\xff" * 65535,
    ],
)
@pytest.mark.parametrize("member", [WEIGHTS, "header.npy"])
def test_what_stands_before_an_array_is_never_read_as_python(text: bytes, member: str) -> None:
    with pytest.raises(ValueError, match="cannot be read as a trace") as caught:
        load_trace(rewritten({member: with_npy_header(text)}))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused_whole_or_damaged(compression: int) -> None:
    """A damaged ZIP_LZMA raised LZMAError, which is no ValueError."""
    packed = bytearray(rewritten({}, compression))
    for at in (None, 60, 80, 120):
        if at is not None:
            packed[at : at + 8] = b"\xff" * 8
        with pytest.raises(ValueError, match="cannot be read as a trace"):
            load_trace(bytes(packed))


JSON_BOMBS = {
    "bytes": b'{"format":"' + b"a" * 60_000_000 + b'"}',
    "values": b"[" + b"0," * 8_000_000 + b"0]",
    "containers": b"[" + b"{}," * 5_000_000 + b"0]",
    "texts": b"[" + b'"","",' * 2_000_000 + b"0]",
    "depth": b'{"a":' * 5_000,
    "number": b"[1" + b"0" * 1_000_000 + b"]",
}


# The costliest JSON for its size that is let through: objects of an empty key and an empty list each.
JSON_BOMBS["at the limit"] = b'{"trace":[' + b'{"":[]},' * 240_000 + b"0]}"

MEASURED = """
import resource, sys
from xattn_viz import load_trace
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_trace(sys.argv[1])
except ValueError as error:
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1000, error)
"""


@pytest.mark.parametrize("name", JSON_BOMBS)
def test_a_small_file_takes_little_memory_whatever_its_header_claims(name: str, tmp_path: Path) -> None:
    bomb = rewritten({"header.npy": npy(np.frombuffer(JSON_BOMBS[name], np.uint8))})
    assert len(bomb) < 200_000
    (tmp_path / "bomb.npz").write_bytes(bomb)
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "bomb.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    megabytes, said = done.stdout.split(" ", 1)
    assert int(megabytes) < 200
    assert said.startswith("'bomb.npz' cannot be read as a trace: ")


def test_a_trace_that_could_not_be_read_back_is_not_saved(tmp_path: Path) -> None:
    """What `save` takes, `load_trace` takes: the bounds hold for both."""
    deep: list[Any] = []
    for _ in range(60):
        deep = [deep]
    for provenance in ({"many": [0] * 1_000_001}, {"long": "a" * (17 << 20)}, {"deep": deep}):
        with pytest.raises(ValueError, match=r"cannot be saved|levels deep"):
            save(replace(made(), provenance=provenance), tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["…\0", "a\ud800.npz", "\0" * 5000])
def test_a_path_that_no_file_can_have_is_one_short_sentence(path: str) -> None:
    for tried in (load_trace, lambda path: save(made(), path)):
        with pytest.raises(ValueError, match="is no name of a file: it holds a character that no name can have") as got:
            tried(path)
        assert len(str(got.value)) < 250
        assert "\0" not in str(got.value)


def test_what_is_left_of_a_file_is_told_from_another_programs(tmp_path: Path) -> None:
    whole = to_bytes(made())
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("letter.txt", "Dear reader, " * 20)
    wanted = {whole: False, bytes(changed): True, b"Dear reader,": False, other.getvalue(): False}
    wanted |= {whole[:length]: True for length in (0, 3, 40, 1000, len(whole) - 1)}
    for number, (content, damaged) in enumerate(wanted.items()):
        (tmp_path / str(number)).write_bytes(content)
        assert is_damaged(tmp_path / str(number)) is damaged, content[:80]


GOOD = to_bytes(made())


@settings(deadline=None)
@given(st.integers(0, len(GOOD) - 1))
def test_a_file_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="cannot be read as a trace"):
        load_trace(GOOD[:length])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_byte_is_refused_or_changes_nothing(damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(GOOD)
    for at, value in damage:
        damaged[at] = value
    try:
        again = load_trace(bytes(damaged))
    except ValueError:
        return
    assert again == made()


@st.composite
def members(draw: Callable[..., Any]) -> dict[str, bytes | None]:
    """Members of a trace's file exchanged for what is nearly one: arrays of other shapes and headers, other JSON."""
    with np.load(io.BytesIO(GOOD)) as file:
        names, value = list(file.files), json.loads(file["header"].tobytes())
    changed: dict[str, bytes | None] = {}
    plain = st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=())),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    )
    for _ in range(draw(st.integers(0, 3))):  # somewhere in the JSON another value
        at: Any = value
        while draw(st.booleans()) or at is value:
            keys = sorted(at) if isinstance(at, dict) else range(len(at))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if not isinstance(at[key], dict | list) or draw(st.integers(0, 3)) == 0:
                at[key] = draw(plain)
                break
            at = at[key]
    changed["header.npy"] = npy(np.frombuffer(json.dumps(value).encode(), np.uint8))
    if draw(st.booleans()):
        shape = draw(st.lists(st.integers(0, 3), max_size=5))
        kind = draw(st.sampled_from(["f2", "f4", "f8", ">f4", "i1", "u8", "bool", "c8", "M8[s]", "S3", "f2"]))
        changed[f"{draw(st.sampled_from(names))}.npy"] = npy(np.zeros(shape, kind))
    if draw(st.booleans()):
        text = draw(st.binary(max_size=60) | st.text("{}()[]-+~',: 0123456789", max_size=60).map(str.encode))
        changed[f"{draw(st.sampled_from(names))}.npy"] = with_npy_header(text, draw(st.binary(max_size=9)))
    return changed


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(members())
def test_any_members_are_refused_with_the_documented_error_or_make_a_trace_that_is_whole(
    changed: dict[str, bytes | None],
) -> None:
    try:
        trace = load_trace(rewritten(changed))
    except ValueError as error:
        assert str(error).startswith("These bytes cannot be read as a trace: ")  # noqa: PT017
        assert len(str(error)) < 400  # noqa: PT017
        return
    assert to_bytes(load_trace(to_bytes(trace))) == to_bytes(trace)
    assert json.loads(export.json(trace))
    if [maps.kind for maps in trace.maps if maps.step is None].count("cross") == 1:
        assert export.html(trace).encode()
        assert export.csv(trace).encode()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: GOOD[:100] + tail + GOOD[-200:]))
def test_any_bytes_are_refused_with_the_documented_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read as a trace"):
        load_trace(content)
