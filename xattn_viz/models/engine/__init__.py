"""Encoder-decoders of transformers that write text, whatever they read: search, replay, and the trace of a run."""
