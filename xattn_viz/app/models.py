"""Which models the page offers, what is known of each, and loading one with its progress shown."""

from __future__ import annotations

from collections.abc import Callable

from xattn_viz.app import page_state
from xattn_viz.app.page_state import may_be_named
from xattn_viz.app.runner import BEAMS, CROP, SELF_ATTENTION, Report
from xattn_viz.core.tokens import visible_text
from xattn_viz.models import hub, registry
from xattn_viz.models.base import Adapter, ModelCard, ModelError, Option

#: The choice that opens a field for a model of one's own.
OTHER = ""
#: How wide a search can be asked to be.
_BEAMS = (1, 2, 3, 4, 5, 8, 16)
# The cards of models that were loaded, shared by all visitors; a list of choices shows only what its own visitor named.
_LOADED: dict[str, ModelCard] = {}


def choices(current: str) -> list[str]:
    """What the visitor may choose: the listed models, those loaded or asked for in this visit, and `OTHER`."""
    page, agreed = page_state.kind(), page_state.visit().agreed
    named = page.models()
    cards = {name: card_of(name) for name in agreed if name not in named}
    own = [name for name, card in cards.items() if card is not None and page.has(card)]
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
    return _LOADED.get(name) or next((card for card in registry.cards() if card.name == name), None)


def knows_shapes(name: str) -> bool:
    """Whether a model learned nothing but coloured shapes, so that what is right is known."""
    return (card := card_of(name)) is not None and card.knows == "shapes"


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


def cleaned(typed: str) -> str:
    """A hub name or a folder as it was typed or pasted; a folder always has a slash, which tells it from a word."""
    name = hub.name_in(typed.strip().strip("\"'"))
    is_known = any(card.name == name for card in registry.cards()) or may_be_named(name)
    return name if is_known or not name else f"./{name}"


def is_agreed(name: str) -> bool:
    """Whether this visitor chose a model: an address alone loads only the listed ones."""
    return name in page_state.kind().models() or name in page_state.visit().agreed


def agree(name: str) -> None:
    """The visitor chose this model."""
    agreed = page_state.visit().agreed
    if name not in agreed:
        agreed.append(name)


def allow_weights(name: str) -> None:
    """The visitor allows a model's weights to be read from a `.bin` file, as data only."""
    page_state.visit().weights_allowed.add(name)


def load(name: str, kind: page_state.Kind, report: Report, *, allow_weights: bool = False) -> Adapter:
    """A model for a page of this kind, in any thread; `report` hears of its download.

    Raises ModelError in one sentence.
    """
    kind.prepare()
    options = {"allow_pickle": True} if allow_weights else {}
    model = registry.load(name, on_progress=_downloading(report), **options)
    if not kind.has(model.card):
        # A model of speech would take what is typed for the name of a file.
        raise ModelError(f"{model.card.title} {kind.refusal}")
    # A folder's card carries the folder's full path, which is also what the trace says of its model.
    _LOADED.update({name: model.card, model.card.name: model.card})
    return model


def _downloading(report: Report) -> Callable[[int, int], None]:
    def on_progress(done: int, total: int) -> None:
        said = f"Downloading the model: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
        report(done / max(total, 1), said if done < total else "Loading the model …")

    return on_progress
