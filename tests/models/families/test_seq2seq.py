"""Text encoder-decoders from folders, against transformers itself: generate, eager attention and its own loss."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import regex
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from tests.models.eager import TOLERANCE, expect_equal
from tests.models.families.seq2seq_folders import KINDS, write
from xattn_viz.core.maps import MapKind
from xattn_viz.inputs import InputError
from xattn_viz.models import registry
from xattn_viz.models.base import ModelError
from xattn_viz.models.engine.probe import set_limits
from xattn_viz.models.families import seq2seq
from xattn_viz.models.families.seq2seq.adapter import Seq2SeqAdapter, tiny
from xattn_viz.models.registry import rerun

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")

TEXT = "The ﬁne cat — don't sleep, 你好 …"
TARGET = "O gato dormiu."
LANGUAGES = {
    **{"mbart": "fr_XX", "mbart50": "fr_XX", "m2m100": "fr", "nllb": "fra_Latn"},
    **{"plbart": "java", "seamless": "fra"},
}
SOURCES = {"fr_XX": "en_XX", "fr": "en", "fra_Latn": "eng_Latn", "java": "en_XX", "fra": "eng"}
NATIVE = {"led", "switch", "fsmt"}
BEAMS = pytest.mark.parametrize("beams", [1, 3])
ALL = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("checkpoints")
    return cache(lambda kind: write(root / kind, kind))


@pytest.fixture
def adapter(folders: Any, kind: str) -> Seq2SeqAdapter:
    loaded = registry.load(folders(kind))
    assert isinstance(loaded, Seq2SeqAdapter)
    return loaded


class Peer:
    """The same checkpoint as transformers loads it, with its eager attention."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.model = AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.kind, language = kind, LANGUAGES.get(kind)
        self.prompt = {"t5": "translate English to French: ", "marian-multilingual": ">>fra<< "}.get(kind, "")
        self.start: dict[str, int] = {}
        if language:
            self.tokenizer.tgt_lang = language
            self.tokenizer.src_lang = SOURCES[language]
            token = f"__{language}__" if kind in ("m2m100", "plbart", "seamless") else language
            where = "decoder_start_token_id" if kind in ("mbart", "plbart") else "forced_bos_token_id"
            self.start = {where: self.tokenizer.convert_tokens_to_ids(token)}

    def inputs(self, text: str) -> Any:
        return self.tokenizer(self.prompt + text, return_tensors="pt")

    def generate(self, text: str, **settings: Any) -> Any:
        inputs = self.inputs(text)
        inputs.pop("token_type_ids", None)
        with torch.no_grad():
            return self.model.generate(**inputs, **self.start, **settings)


@pytest.fixture
def peer(folders: Any, kind: str) -> Peer:
    return Peer(folders(kind), kind)


def options(kind: str) -> dict[str, Any]:
    return {"task_prefix": "translate English to French: "} if kind == "t5" else {}


@ALL
@BEAMS
def test_it_writes_what_the_library_writes(kind: str, beams: int, adapter: Seq2SeqAdapter, peer: Peer) -> None:
    expected = peer.generate(TEXT, num_beams=beams, do_sample=False)[0].tolist()[1:]
    trace = adapter.trace(TEXT, num_beams=beams, **options(kind))
    written = [step.id for step in trace.steps]
    assert written == expected[: len(written)]
    assert all(token == peer.model.config.pad_token_id for token in expected[len(written) :])
    assert adapter.plain(TEXT, num_beams=beams, **_all_options(adapter, kind)) == trace.output
    # PLBart's tokenizer fails on an id that it does not have.
    nothing = [] if kind != "plbart" else range(1 + max(peer.tokenizer.get_vocab().values()), 1000)
    assert trace.output == peer.tokenizer.decode(
        [i for i in written if i not in peer.start.values() and i not in nothing],
        skip_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )


def _all_options(adapter: Seq2SeqAdapter, kind: str) -> dict[str, Any]:
    return {**{option.name: option.default for option in adapter.card.options}, **options(kind)}


@ALL
@BEAMS
def test_maps_equal_eager_attention(kind: str, beams: int, adapter: Seq2SeqAdapter, peer: Peer) -> None:
    trace = adapter.trace(TEXT, num_beams=beams, kinds=adapter.card.kinds, **options(kind))
    start = peer.start.get("decoder_start_token_id", peer.model.generation_config.decoder_start_token_id)
    read = torch.tensor([[start, *(step.id for step in trace.steps[:-1])]])
    inputs = peer.inputs(TEXT)
    with torch.no_grad():
        out = peer.model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            decoder_input_ids=read,
            use_cache=False,  # with a cache FSMT's decoder sees what comes behind
            output_attentions=True,
        )
    log_probs = expect_equal(trace, out)
    for row, step in enumerate(trace.steps):
        best = log_probs[row].topk(5)
        assert [other.id for other in step.alternatives] == best.indices.tolist()


# BERT's and SeamlessM4T's labels hold what is read first; given FSMT's labels, the library reads the source's ids.
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"bert2bert", "seamless", "fsmt"}))
def test_a_target_costs_what_the_librarys_loss_says(kind: str, adapter: Seq2SeqAdapter, peer: Peer) -> None:
    inputs = peer.inputs(TEXT)
    labels = peer.tokenizer(text_target=TARGET, return_tensors="pt")["input_ids"]
    if kind == "bart":
        assert int(labels[0, 0]) == 0
    with torch.no_grad():
        out = peer.model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=labels)
    n = labels.shape[1]
    total = float(out.logits[0].log_softmax(-1).gather(1, labels[0].unsqueeze(1)).sum())
    trace = adapter.trace(TEXT, target=TARGET, **options(kind))
    ours = [step.log_prob for step in trace.steps]
    if kind in ("mbart", "plbart"):  # its labels end in the language, which wraps round to stand first in what is read
        total -= float(out.logits[0, -1].log_softmax(-1)[labels[0, -1]])
        n -= 1
    assert len(ours) == n
    assert sum(ours) == pytest.approx(total, abs=1e-3 * n)
    assert trace.output == TARGET
    assert all(step.forced for step in trace.steps)


@ALL
def test_probabilities_are_those_of_the_forced_pass(kind: str, folders: Any) -> None:
    # Every rule that changes the scores of a step: what is told is what the model thought before them.
    loaded = seq2seq.FAMILY.load(str(folders(kind)))
    own = loaded.network.model.generation_config
    own.update(min_length=6, no_repeat_ngram_size=2, repetition_penalty=1.3, bad_words_ids=[[7], [8, 9]])
    own.update(suppress_tokens=[11, 12], begin_suppress_tokens=[13], exponential_decay_length_penalty=(3, 1.1))
    for prefix in (None, "O gato"):
        trace = loaded.trace(TEXT, prefix=prefix, **options(kind))
        ids = [step.id for step in trace.steps]
        end = loaded.trace(TEXT, target="a", **options(kind)).steps[-1].id
        forced = loaded.trace(TEXT, prefix=[*ids, *([] if ids[-1] == end else [end])], **options(kind))
        assert all(step.forced for step in forced.steps)
        for ours, expected in zip(trace.steps, forced.steps[: len(ids)], strict=True):
            assert ours.log_prob == pytest.approx(expected.log_prob, abs=1e-4)
            values, others = ([a.log_prob for a in step.alternatives] for step in (ours, expected))
            np.testing.assert_allclose(values, others, atol=1e-4)


@pytest.mark.parametrize("kind", ["marian", "t5", "bert2bert"])
def test_log_probabilities_of_the_beams(kind: str, adapter: Seq2SeqAdapter, peer: Peer) -> None:
    found = peer.generate(
        TEXT, num_beams=4, num_return_sequences=4, do_sample=False, return_dict_in_generate=True, output_scores=True
    )
    lengths = (found.beam_indices >= 0).sum(-1)
    penalty = peer.model.generation_config.length_penalty
    expected = found.sequences_scores * lengths ** (1.0 if penalty is None else penalty)
    trace = adapter.trace(TEXT, num_beams=4, **options(kind))
    ours = [sum(step.log_prob for step in trace.steps), *(other.log_prob for other in trace.hypotheses)]
    np.testing.assert_allclose(ours, expected.numpy(), atol=5e-3)
    texts = peer.tokenizer.batch_decode(found.sequences, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert [trace.output, *(other.text for other in trace.hypotheses)] == texts
    second = adapter.trace(TEXT, num_beams=4, hypothesis=1, **options(kind))
    assert second.output == texts[1]
    assert [(step.id, step.token) for step in second.steps] == [
        *zip(trace.hypotheses[0].ids, trace.hypotheses[0].tokens, strict=True)
    ]
    assert sum(step.log_prob for step in second.steps) == pytest.approx(float(expected[1]), abs=5e-3)


@ALL
def test_a_prefix_is_continued(kind: str, adapter: Seq2SeqAdapter) -> None:
    trace = adapter.trace(TEXT, prefix="O gato", **options(kind))
    forced = [step.forced for step in trace.steps]
    count = forced.index(False)
    assert count > 0
    assert not any(forced[count:])
    given = adapter.trace(TEXT, target="O gato", **options(kind))
    assert [step.id for step in trace.steps[:count]] == [step.id for step in given.steps[:-1]]
    assert trace.output.replace(" ", "").lower().startswith("ogato")
    np.testing.assert_allclose(trace.cross.weights[:, :, :count], given.cross.weights[:, :, :-1], atol=TOLERANCE)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"m2m100"}))  # its last output is a language
def test_an_output_without_a_token_is_called_by_its_number(kind: str, adapter: Seq2SeqAdapter) -> None:
    last = adapter.network.model.config.get_text_config(decoder=True).vocab_size - 1
    trace = adapter.trace(TEXT, prefix=[last, 5], max_new_tokens=3)
    assert trace.steps[0].token == (trace.cross.queries.labels or ())[0] == f"#{last}"
    assert f"#{last}" not in trace.output


@ALL
def test_labels_say_what_each_token_covers(kind: str, adapter: Seq2SeqAdapter) -> None:
    trace = adapter.trace("The cat, don't 你好!", target="O gato é 😀 bom.", kinds=("cross",))
    keys, queries, read = trace.cross.keys, trace.cross.queries, trace.cross.read
    assert keys.spans is not None
    assert read is not None
    for axis, text in ((keys, "The cat, don't 你好!"), (queries, "O gato é 😀 bom.")):
        assert axis.spans is not None
        assert axis.labels is not None
        covered = {i for start, end in axis.spans for i in range(start, end)}
        assert {i for i, c in enumerate(text) if not c.isspace()} <= covered
        starts = [start for start, _ in axis.spans]
        assert starts == sorted(starts)
        words = axis.to_words()
        joined = [text[start:end].strip() for start, end in words.spans or ()]
        for word in ("cat", "don't") if axis is keys else ("gato", "bom"):
            assert word in joined
    assert (queries.special or ())[-1]
    assert (read.special or ())[0]
    assert (read.labels or ())[1:] == (queries.labels or ())[:-1]


def test_what_moses_writes_for_a_character_is_that_character(folders: Any) -> None:
    text = "He said “yes, don't” & well-known <no> — 50%."
    trace = registry.load(folders("fsmt")).trace(text, target=text)
    for axis in (trace.cross.keys, trace.cross.queries):
        words = [text[start:end] for start, end in axis.to_words().spans or () if end > start]
        assert words == [
            "He",
            "said",
            "“",
            "yes",
            ",",
            "don't",
            "”",
            "&",
            "well-known",
            "<",
            "no",
            ">",
            "—",
            "50%",
            ".",
        ]
    # What is written has ids of its own.
    target = registry.load(folders("fsmt")).trace("cat", target="cat")
    assert target.output == "cat"
    assert [step.token for step in target.steps[:-1]] == list((target.cross.keys.labels or ())[:-1])


@ALL
@pytest.mark.parametrize("text", ["नमस्ते cafe\u0301!", "\u1112\u1161\u11ab글 e\u0301\u0301 👩\u200d👧 🇵🇹🇫🇷"])
def test_no_token_begins_or_ends_inside_what_people_see_as_one_character(
    kind: str, text: str, adapter: Seq2SeqAdapter
) -> None:
    trace = adapter.trace(text, target=text, kinds=("cross",))
    for axis in (trace.cross.keys, trace.cross.queries):
        assert axis.spans is not None
        edges = {0, *(match.end() for match in regex.finditer(r"\X", text))}
        assert {place for span in axis.spans for place in span} <= edges
        covered = {i for start, end in axis.spans for i in range(start, end)}
        assert {i for i, c in enumerate(text) if not c.isspace()} <= covered


def test_languages_change_what_is_read_and_written(folders: Any) -> None:
    for kind, (source, target) in {"m2m100": ("pt", "de"), "nllb": ("por_Latn", "eng_Latn")}.items():
        adapter = registry.load(folders(kind))
        assert {option.name for option in adapter.card.options} == {"source_language", "target_language"}
        trace = adapter.trace("O gato.", source_language=source, target_language=target)
        assert source in (trace.cross.keys.labels or ("",))[0]
        assert target in trace.steps[0].token
        assert trace.steps[0].forced
        with pytest.raises(ModelError, match="no target language 'xx'"):
            adapter.trace("O gato.", target_language="xx")
    multilingual = registry.load(folders("marian-multilingual"))
    assert (multilingual.trace("Hi.", target_language="por").cross.keys.labels or ("",))[0] == ">>por<<"


@pytest.mark.parametrize(("kind", "source", "target"), [("seamless", "cmn_Hant", "por"), ("plbart", "java", "python")])
def test_languages_between_underscores(kind: str, source: str, target: str, adapter: Seq2SeqAdapter) -> None:
    is_first = kind == "seamless"  # PLBart puts the language behind a text, and reads that of the target first
    languages: dict[str, Any] = {"source_language": source, "target_language": target}
    for trace in (adapter.trace("O gato.", **languages), adapter.trace("O gato.", target="Hi.", **languages)):
        keys, read = trace.cross.keys.labels or (), trace.cross.read
        assert keys[0 if is_first else -1] == f"__{source}__"
        assert read is not None
        assert (read.labels or ())[1 if is_first else 0] == f"__{target}__"
        assert (trace.steps[0].token == f"__{target}__") == is_first
    assert trace.output == "Hi."
    with pytest.raises(ModelError, match="no target language 'cmn_Hant'; there are"):
        adapter.trace("O gato.", target_language="cmn_Hant")  # which SeamlessM4T reads, but does not write


def test_a_task_prefix_is_read_and_marked(folders: Any) -> None:
    adapter = registry.load(folders("t5"))
    assert set(adapter.card.options[0].choices) == {"translate English to French: ", "summarize: ", ""}
    with_task = adapter.trace("The cat.", task_prefix="summarize: ")
    without = adapter.trace("The cat.", task_prefix="")
    assert with_task.input == without.input == "The cat."
    keys = with_task.cross.keys
    assert [label for label, special in zip(keys.labels or (), keys.special or (), strict=True) if not special] == [
        label
        for label, special in zip(without.cross.keys.labels or (), without.cross.keys.special or (), strict=True)
        if not special
    ]
    assert len(keys) > len(without.cross.keys)


def test_a_long_source_stays_whole_up_to_the_models_positions(folders: Any) -> None:
    t5 = registry.load(folders("t5")).trace("The cat sat on the mat. " * 60, max_new_tokens=5)
    assert len(t5.cross.keys) > 500
    assert not any("Only the first" in note for note in t5.remarks)
    bart = registry.load(folders("bart")).trace("The cat sat on the mat. " * 60, max_new_tokens=5)
    assert 100 < len(bart.cross.keys) <= 128
    assert any("Only the first" in note for note in bart.remarks)
    again = registry.load(folders("bart")).trace(bart.input, max_new_tokens=5)
    np.testing.assert_array_equal(again.cross.weights, bart.cross.weights)


def test_what_has_no_positions_reads_as_much_as_memory_holds(folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, text = registry.load(folders("byt5")), "The cat sat on the mat. " * 100
    trace = adapter.trace(text, max_new_tokens=3)
    assert len(trace.cross.keys) == len(text) + 1  # a byte each, and an end
    assert not any("Only the first" in note for note in trace.remarks)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1e8))
    with pytest.raises(InputError, match=r"Reading 2,401 source positions needs about 0\.3 GB .* shorten the text"):
        adapter.trace(text, max_new_tokens=3)


def test_two_models_put_together_read_what_their_encoder_can(folders: Any) -> None:
    trace = registry.load(folders("bert2bert")).trace("The cat sat on the mat. " * 60, max_new_tokens=5)
    assert 100 < len(trace.cross.keys) <= 128
    assert any("Only the first" in note for note in trace.remarks)


def test_maps_beyond_memory_are_refused(folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xattn_viz.models.engine.adapter.MAX_MAP_BYTES", 1000)
    with pytest.raises(InputError, match="would take"):
        registry.load(folders("t5")).trace("The cat sat.")


@pytest.mark.parametrize("kind", ["marian", "led"])
def test_large_maps_are_kept_in_half_the_memory_and_look_the_same(
    kind: str, adapter: Seq2SeqAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = adapter.trace(TEXT, kinds=adapter.card.kinds)
    monkeypatch.setattr("xattn_viz.models.engine.network.HALF_ABOVE", 100)
    trace = adapter.trace(TEXT, kinds=adapter.card.kinds)
    assert trace.steps == exact.steps
    for maps, expected in zip(trace.maps, exact.maps, strict=True):
        assert maps.weights.dtype == np.float16
        assert expected.weights.dtype == np.float32
        np.testing.assert_allclose(maps.weights, expected.weights, rtol=1 / 2048, atol=1e-7)
        tops = expected.weights.max((2, 3), keepdims=True)
        shown, levels = np.rint(maps.weights / tops * 255), expected.weights / tops * 255
        assert np.abs(shown - levels).max() <= 0.5 + 1 / 8  # the next level at most, and only on the brink of it


def test_what_does_not_fit_is_refused_before_it_begins(folders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = registry.load(folders("t5"))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(ModelError, match=r"needs about .* GB of memory, and 0\.0 GB are free: close"):
        seq2seq.FAMILY.load(str(folders("bart")))
    adapter.trace("The cat sat.")
    monkeypatch.setattr("xattn_viz.models.engine.adapter.LARGE", 100)
    with pytest.raises(InputError, match=r"needs about .* are free: shorten"):
        adapter.trace("The cat sat.")


def test_a_trace_runs_again(folders: Any) -> None:
    kinds: tuple[MapKind, ...] = ("cross", "decoder")
    trace = registry.load(folders("nllb")).trace(
        "O gato.", source_language="por_Latn", num_beams=3, hypothesis=1, kinds=kinds, ablate=[("cross", 1, 0)]
    )
    assert rerun(trace) == trace


@pytest.mark.parametrize("kind", sorted(NATIVE))
def test_the_librarys_own_attention_does_not_ablate(kind: str, adapter: Seq2SeqAdapter) -> None:
    assert adapter.network.is_native
    with pytest.raises(ModelError, match="cannot be ablated"):
        adapter.trace("The cat.", ablate=[("cross", 0, 0)])
    assert ("encoder" in adapter.card.kinds) == (kind != "led")  # LED's local attention is no map of all positions


def test_wrong_settings_are_named(folders: Any) -> None:
    adapter = registry.load(folders("marian"))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"num_beams": 0}, "num_beams"),
        ({"hypothesis": 1}, "hypothesis"),
        ({"ablate": [("cross", 2, 0)]}, "layers are 0 to 1 and heads 0 to 1"),
        ({"target": "a", "prefix": "b"}, "not both"),
        ({"kinds": "cross"}, "each once"),
    ]
    for settings, words in wrong:
        with pytest.raises(ModelError, match=words):
            adapter.trace("The cat.", **settings)


def test_half_precision_is_kept_and_its_rows_sum_to_one(folders: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "half", "marian")
    AutoModelForSeq2SeqLM.from_pretrained(folder).to(torch.bfloat16).save_pretrained(folder)
    trace = registry.load(folder).trace("The cat.", kinds=("cross", "encoder"))
    assert trace.provenance["dtype"] == "bfloat16"
    assert trace.cross.weights.dtype == np.float32
    np.testing.assert_allclose(trace.cross.weights.sum(-1), 1, atol=1e-5)


def test_a_run_asks_for_fewer_or_more_tokens_than_the_checkpoint_does() -> None:
    adapter = tiny()
    own = adapter.network.model.generation_config
    own.max_new_tokens, own.min_new_tokens = 6, 4
    set_limits(own)
    for beams in (1, 2):
        counts = [len(adapter.trace(TEXT, max_new_tokens=most, num_beams=beams).steps) for most in (None, 3, 9)]
        assert counts == [6, 3, 9]
