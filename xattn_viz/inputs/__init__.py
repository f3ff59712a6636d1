"""Whatever people have in hand, a text, a sound or a picture, to what a model reads, in one place for all models."""


class InputError(ValueError):
    """The input cannot be read or traced; the message is one sentence for people that says what to give instead."""
