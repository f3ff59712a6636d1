"""Which models the page offers, what is known of each, and loading one with its progress shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import streamlit as st

from xattn_viz.app import kind
from xattn_viz.core.messages import quoted
from xattn_viz.core.tokens import visible_text
from xattn_viz.inputs import language
from xattn_viz.models import hub, registry
from xattn_viz.models.base import Adapter, ModelCard, ModelError, Option

#: The choice that opens a field for a model of one's own.
OTHER = ""
#: Between two signs of progress: drawing more often would slow the run down.
PROGRESS_SECONDS = 0.1

#: Options that the page itself offers, by the names that the address uses.
BEAMS, SELF_ATTENTION = "num_beams", "self_attention"
#: Padding is never shown, so the page asks for maps without it.
CROP = "crop"
_BEAMS = (1, 2, 3, 4, 5, 8, 16)

Draw = Callable[..., object]


def listed() -> list[str]:
    """The names of the page's models that have a card: first those that need no download."""
    cards = [card for card in registry.cards() if kind.current().has(card)]
    return [card.name for card in sorted(cards, key=lambda card: card.download_mb is not None)]


def choices(current: str) -> list[str]:
    """What the visitor may choose: the listed models, those loaded or asked for in this visit, and `OTHER`."""
    named = listed()
    cards = {name: card_of(name) for name in _agreed() if name not in named}
    own = [name for name, card in cards.items() if card is not None and kind.current().has(card)]
    return [*named, *dict.fromkeys([*own, *([] if current in named else [current])]), OTHER]


def title(name: str) -> str:
    """A model as the list shows it: what it does, its licence, and what has to be downloaded first."""
    if name == OTHER:
        return "Another model …"
    card = next((card for card in registry.cards() if card.name == name), None)
    if card is None:
        return visible_text(name)
    if card.download_mb is None:
        return card.title
    size = f"{card.download_mb} MB" if card.download_mb < 1000 else f"{card.download_mb / 1000:.1f} GB"
    return f"{card.title} · {card.licence} · downloads {size}"


def card_of(name: str) -> ModelCard | None:
    """The card of a model that is listed or has been loaded; only a loaded one knows all of its options."""
    return _loaded_cards().get(name) or next((card for card in registry.cards() if card.name == name), None)


def options_of(name: str) -> tuple[Option, ...]:
    """What can be chosen for a model: its own options, how wide it searches, and which attention it shows."""
    card = card_of(name)
    if card is None:
        return ()
    offered = [option for option in card.options if option.name != CROP]
    if card.most_beams > 1:
        choices = tuple(str(beams) for beams in _BEAMS if beams <= card.most_beams)
        offered.append(
            Option(BEAMS, "Beams", "1", "With two or more you can look at each output of the search.", choices)
        )
    if set(card.kinds) > set(card.at_once):
        offered.append(
            Option(SELF_ATTENTION, "Self-attention too", False, "How a text reads itself, beside cross-attention.")
        )
    return tuple(offered)


def settings(model: Adapter, chosen: tuple[tuple[str, str | bool], ...]) -> dict[str, Any]:
    """The keywords of `Adapter.trace` for these options. An address can name any: only those that there are count.

    Raises ModelError where an option of the page itself has a value that it cannot have.
    """
    declared = {option.name for option in model.card.options}
    found: dict[str, Any] = {name: value for name, value in chosen if name in declared}
    said = dict(chosen)
    beams, with_self = str(said.get(BEAMS, "1")), said.get(SELF_ATTENTION, False)
    if not (beams.isascii() and beams.isdigit() and len(beams) < 4):
        raise ModelError(f"{BEAMS} is a whole number of at most three digits: got {quoted(beams)}.")
    if not isinstance(with_self, bool):
        raise ModelError(f"{SELF_ATTENTION} is true or false: got {quoted(with_self)}.")
    found["num_beams"] = int(beams)
    kinds = model.card.kinds if with_self else model.card.at_once
    if kinds != ("cross",):
        found["kinds"] = kinds
    if model.card.input_kind == "audio":
        # Queries and keys of 1,500 frames are too much to send; without them a map needs no padding.
        return {**found, CROP: True} if CROP in declared else found
    return {**found, "keep_projections": "project" in model.card.can}


def cleaned(typed: str) -> str:
    """A hub name or a folder as it was typed or pasted; a folder always has a slash, which tells it from a word."""
    name = hub.name_in(typed.strip().strip("\"'"))
    return name if not name or name in listed() or may_be_named(name) else f"./{name}"


def may_be_named(name: str) -> bool:
    """Whether a name on no card could be a folder or a model to download."""
    return "/" in name or "\\" in name or any(family.downloads(name) for family in registry.families().values())


def is_agreed(name: str) -> bool:
    """Whether this visitor chose a model: an address alone loads only the listed ones."""
    return name in listed() or name in _agreed()


def agree(name: str) -> None:
    """The visitor chose this model."""
    if name not in _agreed():
        _agreed().append(name)


def allow_weights(name: str) -> None:
    """The visitor allows a model's weights to be read from a `.bin` file, as data only."""
    st.session_state.setdefault("weights_allowed", set()).add(name)


def load(name: str, draw: Draw) -> tuple[Adapter, bool]:
    """A model, and whether it has options that the page could not know before. `draw` shows the download.

    Raises ModelError in one sentence.
    """
    if kind.current() == kind.TEXT:
        language.prepare_languages()  # beside the model, so that nobody waits for it
    allowed = name in st.session_state.get("weights_allowed", ())
    before = options_of(name)
    model = registry.load(name, on_progress=_downloading(draw), **({"allow_pickle": True} if allowed else {}))
    if not kind.current().has(model.card):
        # A model of speech would take what is typed for the name of a file.
        raise ModelError(f"{model.card.title} {kind.current().refusal}")
    # A folder's card carries the folder's full path, which is also what the trace says of its model.
    _loaded_cards().update({name: model.card, model.card.name: model.card})
    return model, options_of(name) != before


def _downloading(draw: Draw) -> Callable[[int, int], None]:
    last = 0.0

    def on_progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            text = f"Downloading the model: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
            draw(min(done / max(total, 1), 1.0), text=text if done < total else "Loading the model …")

    return on_progress


def _agreed() -> list[str]:
    names: list[str] = st.session_state.setdefault("agreed", [])
    return names


@st.cache_resource(show_spinner=False)
def _loaded_cards() -> dict[str, ModelCard]:
    """Shared by all visitors; a list of choices shows only what its own visitor named."""
    return {}
