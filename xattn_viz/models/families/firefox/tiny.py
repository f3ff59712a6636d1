"""A tiny model of this family with random weights: its translations mean nothing, its maps are real."""

from __future__ import annotations

import hashlib
import io

import sentencepiece

from xattn_viz.models.families.firefox import card
from xattn_viz.models.families.firefox.adapter import FirefoxAdapter
from xattn_viz.models.families.firefox.network import Dimensions, Network
from xattn_viz.models.families.firefox.vocabulary import Vocabulary
from xattn_viz.models.tiny import SENTENCES, randomise


def tiny() -> FirefoxAdapter:
    """The tiny model: 2 + 2 layers of 4 heads, one vocabulary of 80 pieces for both sides; always the same."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=written,
        vocab_size=80,
        hard_vocab_limit=False,
        bos_id=-1,
        eos_id=0,
        unk_id=1,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    vocabulary = Vocabulary(written.getvalue())
    size = Dimensions(len(vocabulary), len(vocabulary), 32, 4, 48, 48, 2, 2)
    network = Network(size)
    randomise(network, vectors=True)
    digest = hashlib.sha256(b"".join(p.numpy().tobytes() for p in network.parameters())).hexdigest()
    return FirefoxAdapter(
        card("firefox-example", "A tiny model with random weights", "en", "pt"),
        network,
        vocabulary,
        vocabulary,
        None,
        digest,
    )
