"""Readers of foreign weight files: bytes in, arrays out."""


class FormatError(ValueError):
    """A file is not what its format says, or is damaged; the message is one sentence without the file's name."""
