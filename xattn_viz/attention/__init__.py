"""Cross-attention from scratch, to be read from top to bottom, and the exact weights of modules that run."""
