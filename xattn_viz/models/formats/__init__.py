"""Readers of foreign weight files: bytes in, arrays out. None of them executes what it reads."""
