"""What a visitor asks of a model: which one, what it is to read, with which options, and which output to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

#: A longer text stays out of the address: browsers and chat programs cut long ones.
LONGEST_TEXT = 1000
#: What a query is about, by the name that the address has for it.
Source = Literal["text", "sound", "picture", "scene"]
#: By the name of a source, whether something of that name is there. What is only named has to be looked up.
Names = Mapping[Source, Callable[[str], bool]]
# Before the name of an option of the model, so that none can be mistaken for something else.
_OPTION = "option."


@dataclass(frozen=True)
class Output:
    """The model's best output, another hypothesis of its search, or one of the visitor's.

    `target` is a whole output, `prefix` the token ids that one begins with.
    """

    hypothesis: int = 0
    target: str = ""
    prefix: tuple[int, ...] = ()

    @property
    def is_best(self) -> bool:
        """Whether it is what the model writes by itself."""
        return self == Output()

    def settings(self) -> dict[str, Any]:
        """The keywords of `Adapter.trace` that make it."""
        said = {"hypothesis": self.hypothesis, "target": self.target, "prefix": list(self.prefix)}
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True)
class Query:
    """What is asked of a model.

    `input` is a text, to be traced `whole` or sentence by sentence; where `source` says so, it is the name of a sound
    or a picture (`app/sounds.py`, `app/pictures.py`) or the characters of a scene (`shapes/link.py`). `options` are
    those that differ from the model's own, by name.
    """

    model: str
    input: str = ""
    source: Source = "text"
    options: tuple[tuple[str, str | bool], ...] = ()
    whole: bool = False
    output: Output = field(default_factory=Output)

    @property
    def best(self) -> Query:
        """The same for the model's best output."""
        return replace(self, output=Output())

    def reading(self, source: Source, name: str) -> Query:
        """The same for another input, without options and output of the one before where it is no text."""
        return replace(self, source=source, input=name, output=Output())

    def address(self) -> dict[str, str]:
        """The parameters of an address that say it."""
        said = {"model": self.model} | {_OPTION + name: written(value) for name, value in self.options}
        if self.source == "text" and len(self.input) >= LONGEST_TEXT:
            return said
        said[self.source] = self.input
        if self.whole:
            said["whole"] = "true"
        output = {name: str(value) for name, value in self.output.settings().items()}
        if self.output.prefix:
            output["prefix"] = ".".join(map(str, self.output.prefix))
        return said | (output if len(self.output.target) < LONGEST_TEXT else {})


def is_said(said: Mapping[str, str]) -> bool:
    """Whether an address names a model or what it is to read."""
    return any(name in said for name in ("model", "text", "sound", "picture", "scene"))


def parse(
    said: Mapping[str, str],
    defaults: Mapping[str, Query],
    is_model: Callable[[str], bool],
    names: Names | None = None,
) -> Query:
    """The query that an address says; where it names no input, the default of its model, or the first one of all.

    `is_model` says which names without a default may be models; `names` which inputs there are, on a page whose inputs
    have names.
    """
    first = next(iter(defaults.values()))
    name = said.get("model", "")
    is_known = name in defaults or is_model(name)
    default = defaults.get(name, first)
    output = _output(said)
    if names is not None:
        found = next(((source, said[source]) for source, there in names.items() if there(said.get(source, ""))), None)
        options = _options(said) or (() if found else default.options)
        source, value = found or (default.source, default.input)
        return Query(name if is_known else first.model, value, source, options, output=output)
    text = said.get("text", "")
    if not text.strip():
        if name in defaults or not is_known:
            return replace(default, output=output)
        text = first.input
    model = name if is_known else first.model
    return Query(model, text, "text", _options(said), said.get("whole") == "true", output)


def written(value: str | bool) -> str:
    """The value of an option as the address writes it."""
    return value if isinstance(value, str) else str(value).lower()


def _output(said: Mapping[str, str]) -> Output:
    return Output(
        hypothesis=next(_numbers(said.get("hypothesis", ""), 2), 0),
        target=said.get("target", "")[:LONGEST_TEXT].strip(),
        prefix=tuple(_numbers(said.get("prefix", ""), 7)),
    )


def _options(said: Mapping[str, str]) -> tuple[tuple[str, str | bool], ...]:
    switches: dict[str, str | bool] = {"true": True, "false": False}
    named = {name.removeprefix(_OPTION): value for name, value in said.items() if name.startswith(_OPTION)}
    return tuple(sorted((name, switches.get(value, value)) for name, value in named.items()))


def _numbers(text: str, digits: int) -> Iterator[int]:
    """The whole numbers between full stops."""
    return (int(part) for part in text.split(".") if part.isascii() and part.isdigit() and len(part) <= digits)
