"""Tracing a translation model of transformers against its plain `generate()`, greedy and with four beams.

The model is a Marian of opus-mt's size (6 + 6 layers, 8 heads, 512 wide, 58,101 tokens) with random weights and a real
SentencePiece tokenizer; it reads 30 tokens and is made to write 30. Ours is `trace`: tokens and labels, generation, one
pass that captures the maps, probabilities and alternatives. The peer is the same checkpoint as transformers loads it
(fused attention): tokenize, `generate()`, decode, with nothing captured. To reach: at most 1.08.

Reported beside it is what people usually do for maps: `generate(output_attentions=True)` under eager attention, and
`generate()` followed by a whole second pass of the model under eager attention. All take turns in one process on one
thread; the ratio is the median over the rounds. Memory is how far each raises the peak of a process of its own.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, MarianConfig, MarianMTModel

from benchmarks._measure import figure, interleaved, milliseconds, paired_ratio, seconds
from benchmarks._memory import peak_megabytes
from xattn_viz.models import registry
from xattn_viz.models.families.seq2seq.adapter import Seq2SeqAdapter

SENTENCES = Path(__file__).parents[1] / "tests" / "models" / "sentences.en.txt"
VOCABULARY, TOKENS, ROUNDS = 58_101, 30, 9
NO_SACREMOSES = "Recommended: pip install sacremoses"  # Marian's tokenizer never uses it


def write(folder: Path) -> None:
    """The checkpoint, as `save_pretrained` writes it."""
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    for name in ("source", "target"):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_prefix=str(folder / name),
            vocab_size=400,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        (folder / f"{name}.model").rename(folder / f"{name}.spm")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    pieces = [processor.id_to_piece(i) for i in range(3, len(processor))]
    rest = [f"▁word{i}" for i in range(VOCABULARY - len(pieces) - 3)]
    names = ["</s>", "<unk>", *pieces, *rest, "<pad>"]
    vocabulary = {name: i for i, name in enumerate(names)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "MarianTokenizer"}', encoding="utf-8")
    pad = VOCABULARY - 1
    config = MarianConfig(
        vocab_size=VOCABULARY,
        d_model=512,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_ffn_dim=2048,
        max_position_embeddings=512,
        activation_function="swish",
        scale_embedding=True,
        static_position_embeddings=True,
        pad_token_id=pad,
        decoder_start_token_id=pad,
        eos_token_id=0,
        forced_eos_token_id=0,
    )
    torch.manual_seed(0)
    model = MarianMTModel(config)
    # All outputs are equally long: the end cannot come before the limit.
    model.generation_config.update(max_length=TOKENS + 1, min_length=TOKENS + 1, bad_words_ids=[[pad]])
    model.save_pretrained(folder)


class Recipes:
    """The ways to translate one sentence, with and without maps."""

    def __init__(self, folder: Path, text: str) -> None:
        self.text = text
        adapter = registry.load(folder)
        assert isinstance(adapter, Seq2SeqAdapter)
        self.adapter = adapter
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.fused = AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="sdpa").eval()
        self.eager = AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager").eval()

    def of(self, beams: int) -> dict[str, Callable[[], object]]:
        """The ways by name."""
        return {
            "trace": partial(self.adapter.trace, self.text, num_beams=beams),
            "generate": partial(self.generate, beams),
            "eager generate with attentions": partial(self.eager_generate, beams),
            "generate and an eager pass": partial(self.second_pass, beams),
        }

    def generate(self, beams: int) -> str:
        """Nothing captured."""
        return self._text(self._run(self.fused, beams))

    def eager_generate(self, beams: int) -> Any:
        """The usual recipe: attention of every step, of every beam."""
        out = self._run(self.eager, beams, output_attentions=True, return_dict_in_generate=True)
        return self._text(out.sequences), out.cross_attentions

    @torch.inference_mode()
    def second_pass(self, beams: int) -> Any:
        """Generation, then the whole model once more over what came out."""
        ids = self._run(self.fused, beams)
        inputs = self.tokenizer(self.text, return_tensors="pt")
        out = self.eager(**inputs, decoder_input_ids=ids[:, :-1], output_attentions=True)
        return self._text(ids), out.cross_attentions

    @torch.inference_mode()
    def _run(self, model: Any, beams: int, **settings: Any) -> Any:
        return model.generate(**self.tokenizer(self.text, return_tensors="pt"), num_beams=beams, **settings)

    def _text(self, ids: Any) -> str:
        return str(self.tokenizer.decode(ids[0], skip_special_tokens=True))


def sentence(folder: Path) -> str:
    """A text of exactly `TOKENS` tokens, the end included."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    words = SENTENCES.read_text(encoding="utf-8").split()
    for start in range(len(words)):
        for length in range(4, TOKENS):
            text = " ".join(words[start : start + length])
            if len(tokenizer(text)["input_ids"]) == TOKENS:
                return text
    raise ValueError(f"No stretch of the sentences has {TOKENS} tokens.")


def main() -> None:
    """Measure, and print the figures."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message=NO_SACREMOSES)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name))
        recipes = Recipes(Path(name), sentence(Path(name)))
    for beams in (1, 4):
        ways = recipes.of(beams)
        measures = {name: partial(seconds, run) for name, run in ways.items()}
        interleaved(measures, 1)  # warm
        times = interleaved(measures, ROUNDS)
        decoding = "greedy" if beams == 1 else f"{beams} beams"
        plain = milliseconds(times["generate"])
        for way, values in times.items():
            if way != "generate":
                figure(
                    f"{way} / generate, {decoding}",
                    paired_ratio(values, times["generate"]),
                    at_most=1.08 if way == "trace" else None,
                    details=f"medians {milliseconds(values)} and {plain}",
                )
        models = (recipes.fused, recipes.eager, recipes.adapter.network.model)
        for way, run in ways.items():
            print(f"{way}, {decoding}: +{peak_megabytes(run, models):.1f} MB at its peak", flush=True)


if __name__ == "__main__":
    main()
