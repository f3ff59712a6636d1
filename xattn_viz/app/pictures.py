"""The pictures of a visit by name: the scenes that ship, what the visitor uploaded, and scenes in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from xattn_viz.app import page_state
from xattn_viz.app.runner import MASK, START, Query
from xattn_viz.examples import SCENES
from xattn_viz.inputs import InputError, images
from xattn_viz.inputs.images import Picture
from xattn_viz.shapes import Scene, draw
from xattn_viz.shapes.charts import PIXELS
from xattn_viz.shapes.scene import from_link


@dataclass(frozen=True)
class Given:
    """A picture that the visitor gave: its file's name and bytes."""

    title: str
    data: bytes

    @cached_property
    def picture(self) -> Picture:
        """Its pixels. Raises InputError where it cannot be read."""
        return images.read(self.data)


def give(data: bytes, title: str) -> str:
    """Keep a picture of the visitor's, by a digest of its bytes; of older ones the last few stay, and that in view."""
    return page_state.visit().keep("pictures", data, Given(title, data))


def is_here(name: str) -> bool:
    """Whether a name is that of a scene that ships, or of a picture that this visitor gave."""
    return name in _shipped() or name in _given() or is_drawn(name)


def is_drawn(name: str) -> bool:
    """Whether a name is that of a picture to ask about, such as "bar-3", which is drawn from its number."""
    from xattn_viz.shapes import asked  # nobody else waits for it

    return asked.is_name(name)


def is_scene(link: str) -> bool:
    """Whether these characters of an address are a scene."""
    return _linked(link) is not None


def scene_of(query: Query) -> Scene | None:
    """The scene that a query shows, None where nothing is known of what is in its picture."""
    if query.source == "scene":
        return _linked(query.input)
    return _shipped().get(query.input) if query.source == "picture" else None


def picture(query: Query) -> Picture:
    """The picture of a query. Raises InputError where it cannot be had."""
    if query.source == "picture" and query.input in _given():
        return _given()[query.input].picture
    if query.source == "picture" and is_drawn(query.input):
        from xattn_viz.shapes import asked

        return Picture(asked.named(query.input).drawing.picture)
    scene = scene_of(query)
    if scene is None:
        raise InputError("This picture is not here any more: upload it again.")
    # A model that is asked learned from larger pictures.
    return Picture(draw(scene, PIXELS)) if page_state.asks(query.model) else images.read(scene)


def begun(query: Query) -> dict[str, Picture]:
    """The pictures that a drawing begins as, by the keywords of `Adapter.trace`; none for a model that cannot.

    Raises InputError where one is not here any more, or cannot be read.
    """
    card, options = page_state.card_of(query.model), dict(query.options)
    if card is None or "begin" not in card.can:
        return {}
    asked = {keyword: str(options[keyword]) for keyword in (START, MASK) if keyword in options}
    return {keyword: picture(Query(query.model, name, "picture")) for keyword, name in asked.items()}


def title(name: str) -> str:
    """What an uploaded picture is called on the page: the name of its file; empty for any other."""
    return _given()[name].title if name in _given() else ""


def _linked(link: str) -> Scene | None:
    try:
        return from_link(link)
    except ValueError:
        return None


def _shipped() -> dict[str, Scene]:
    return {example.slug: example.scene for example in SCENES}


def _given() -> Mapping[str, Given]:
    return page_state.visit().own.get("pictures", {})
