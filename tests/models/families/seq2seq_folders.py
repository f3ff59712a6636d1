"""Folders of small checkpoints as people publish them: real tokenizers, trained here, and random weights."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.checkpoints import configuration, model, weights

HERE = Path(__file__).parents[1]
SENTENCES = [
    line
    for language in ("en", "pt")
    for line in (HERE / f"sentences.{language}.txt").read_text(encoding="utf-8").splitlines()
]


def sentencepiece_model(folder: Path, name: str, **settings: Any) -> list[str]:
    """Train a SentencePiece model into a folder; its pieces."""
    written = io.BytesIO()
    ids = {"bos_id": 0, "pad_id": 1, "eos_id": 2, "unk_id": 3, **settings}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=written, vocab_size=200, num_threads=1, minloglevel=2, **ids
    )
    (folder / name).write_bytes(written.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    return [processor.id_to_piece(i) for i in range(len(processor))]


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def _marian(folder: Path, languages: tuple[str, ...] = ()) -> Any:
    no_ids = {"bos_id": -1, "pad_id": -1, "eos_id": 1, "unk_id": 0}
    pieces = sentencepiece_model(folder, "source.spm", **no_ids)
    sentencepiece_model(folder, "target.spm", **no_ids)
    own = [piece for piece in pieces if piece not in ("<unk>", "</s>")]
    # Marian's own order: the end first, padding last. A few pieces are missing, as in real ones: they are <unk>.
    names = ["</s>", "<unk>", *languages, *own[:-5], "<pad>"]
    _json(folder / "vocab.json", {piece: i for i, piece in enumerate(names)})
    _json(folder / "tokenizer_config.json", {"tokenizer_class": "MarianTokenizer"})


def _bart(folder: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.model.save(str(folder))
    _json(folder / "tokenizer_config.json", {"tokenizer_class": "BartTokenizer"})


def _unigram(tokenizer_class: str, name: str, **ids: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        sentencepiece_model(folder, name, **ids)
        _json(folder / "tokenizer_config.json", {"tokenizer_class": tokenizer_class})

    return write


def _m2m100(folder: Path) -> None:
    pieces = sentencepiece_model(folder, "sentencepiece.bpe.model")
    _json(folder / "vocab.json", {piece: i for i, piece in enumerate(pieces)})
    _json(folder / "tokenizer_config.json", {"tokenizer_class": "M2M100Tokenizer"})


def _nllb(folder: Path) -> None:
    sentencepiece_model(folder, "sentencepiece.bpe.model", model_type="bpe")
    languages = ["eng_Latn", "fra_Latn", "por_Latn"]
    _json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "NllbTokenizer", "additional_special_tokens": languages},
    )


def _seamless(folder: Path) -> None:
    ids = {"pad_id": -1, "unk_id": 0, "bos_id": 1, "eos_id": 2}
    sentencepiece_model(folder, "sentencepiece.bpe.model", model_type="bpe", **ids)
    languages = ["__eng__", "__fra__", "__por__", "__cmn_Hant__"]
    _json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "SeamlessM4TTokenizer", "additional_special_tokens": languages},
    )


def _bert(folder: Path) -> None:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        [s.lower() for s in SENTENCES], trainers.WordPieceTrainer(vocab_size=260, special_tokens=special)
    )
    vocabulary = tokenizer.get_vocab()
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)), encoding="utf-8")
    _json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer"})


def _fsmt(folder: Path) -> None:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<unk>"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(
        SENTENCES, trainers.BpeTrainer(vocab_size=260, special_tokens=special, end_of_word_suffix="</w>")
    )
    tokenizer.model.save(str(folder))
    merges = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()
    (folder / "merges.txt").write_text("\n".join(merges[1:]) + "\n", encoding="utf-8")  # without the version
    (folder / "vocab.json").unlink()
    vocabulary = tokenizer.get_vocab()
    own = [piece for piece in sorted(vocabulary, key=vocabulary.__getitem__) if piece not in special]
    for side, pieces in (("src", own), ("tgt", own[::-1])):  # each has its own ids
        _json(folder / f"vocab-{side}.json", {piece: i for i, piece in enumerate([*special, *pieces])})
    _json(folder / "tokenizer_config.json", {"tokenizer_class": "FSMTTokenizer", "langs": ["en", "pt"]})


_PLBART_IDS = {"pad_id": -1, "unk_id": 0, "bos_id": 1, "eos_id": 2}
#: The kinds of checkpoint: the architecture, what writes its tokenizer, and what its configuration says besides.
KINDS: dict[str, tuple[str, Callable[[Path], Any], dict[str, Any]]] = {
    "marian": ("marian", _marian, {"forced_eos_token_id": None}),  # an end by force has no probability
    "marian-multilingual": ("marian", lambda folder: _marian(folder, (">>fra<<", ">>por<<")), {}),
    "bart": ("bart", _bart, {"forced_bos_token_id": 0}),
    "mbart": ("mbart", _unigram("MBartTokenizer", "sentencepiece.bpe.model"), {}),
    "mbart50": ("mbart", _unigram("MBart50Tokenizer", "sentencepiece.bpe.model"), {}),
    "m2m100": ("m2m_100", _m2m100, {}),
    "nllb": ("m2m_100", _nllb, {}),
    "pegasus": ("pegasus", _unigram("PegasusTokenizer", "spiece.model", pad_id=0, eos_id=1, bos_id=-1, unk_id=2), {}),
    "t5": ("t5", _unigram("T5Tokenizer", "spiece.model", pad_id=0, eos_id=1, bos_id=-1, unk_id=2), {}),
    "byt5": ("t5", lambda folder: _json(folder / "tokenizer_config.json", {"tokenizer_class": "ByT5Tokenizer"}), {}),
    "plbart": ("plbart", _unigram("PLBartTokenizer", "sentencepiece.bpe.model", **_PLBART_IDS), {}),
    "seamless": ("seamless_m4t", _seamless, {"text_decoder_lang_to_code_id": {"eng": 0, "fra": 0, "por": 0}}),
    "bert2bert": ("bert2bert", _bert, {}),
    "led": ("led", _bart, {}),
    "fsmt": ("fsmt", _fsmt, {}),
    "switch": (
        "switch_transformers",
        _unigram("T5Tokenizer", "spiece.model", pad_id=0, eos_id=1, bos_id=-1, unk_id=2),
        {},
    ),
}
T5_TASKS = {
    "translation_en_to_fr": {"prefix": "translate English to French: "},
    "summarization": {"prefix": "summarize: "},
}


def write(folder: Path, kind: str, *, max_length: int = 24, safe: bool = True) -> Path:
    """Write the checkpoint of a kind into a folder, made anew: the same each time."""
    folder.mkdir(parents=True, exist_ok=True)
    architecture, tokenizer, changes = KINDS[kind]
    tokenizer(folder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        ready = transformers.AutoTokenizer.from_pretrained(folder)
    size = max(len(ready), *getattr(ready, "id_to_lang_token", {0: ""}), 0) + 1  # M2M100 does not count its languages
    made = model(architecture, "eager", size)
    for name, value in changes.items():
        setattr(made.generation_config, name, value)
    for name in ("decoder_start_token_id", "eos_token_id", "pad_token_id"):
        setattr(made.generation_config, name, getattr(made.config, name))
    made.generation_config.max_length, made.generation_config.max_new_tokens = max_length, None
    if kind == "t5":
        made.config.task_specific_params = T5_TASKS
    made.save_pretrained(folder)
    if not safe:
        import torch

        (folder / "model.safetensors").unlink()
        torch.save(made.state_dict(), folder / "pytorch_model.bin")
    return folder


__all__ = ["KINDS", "SENTENCES", "configuration", "weights", "write"]
