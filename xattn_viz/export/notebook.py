"""What a notebook shows: the explorer in a frame, whose choices Python hears, and tables of what was measured.

The frame holds the very page that `export.html` saves, so it needs no network, and what it shows first is in the
notebook's file. Where widgets run (JupyterLab, VS Code, Colab, marimo: by anywidget, of the extra `[notebook]`), `show`
and `explore` give one whose `view` follows what is looked at; elsewhere, and in a notebook that nbconvert made a page
of, the same stands there without that.
"""

from __future__ import annotations

import html as markup
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from xattn_viz import web
from xattn_viz.analysis.attribution import Attribution
from xattn_viz.analysis.compare import Comparison
from xattn_viz.analysis.head_costs import HeadCosts
from xattn_viz.analysis.profiles import HeadProfiles
from xattn_viz.analysis.timing import TimedWords, words_and_path
from xattn_viz.analysis.word_units import linked_by
from xattn_viz.core.evidence import Alignment, Deletion, ranking_name
from xattn_viz.core.maps import AttentionMaps
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import View, head_key
from xattn_viz.export.shown import shown
from xattn_viz.export.webpage import html
from xattn_viz.inputs import InputError, audio
from xattn_viz.inputs.audio import Sound
from xattn_viz.models.base import Adapter, Cancelled, ModelError
from xattn_viz.plots.svg import svg
from xattn_viz.web.explorer.sound import Playback

try:
    import anywidget
    import ipywidgets
    import traitlets
except ModuleNotFoundError:  # the extra [notebook]
    anywidget = None  # type: ignore[assignment]

#: How high a frame is at first, in pixels; it can be dragged.
HEIGHT = 680
_FRAME = (
    '<iframe title="Cross-attention explorer" sandbox="allow-scripts allow-downloads" srcdoc="{page}" '
    'style="border:0;display:block;height:{height}px;resize:vertical;width:100%"></iframe>'
)
_MISSING = "Widgets need the extra [notebook]: pip install 'xattn-viz[notebook]', then restart the kernel."


def bundle(value: Any) -> dict[str, str]:
    """What a notebook is told to show of a value, by MIME type; its `repr` always, for who shows no more."""
    draw = next((draw for kind, draw in _DRAWN.items() if isinstance(value, kind)), None)
    said = {"text/plain": repr(value)}
    return said if draw is None else said | draw(value)


def show(trace: Trace, view: View | None = None, *, sound: Any = None, height: int = HEIGHT) -> Any:
    """The explorer with a trace, as a widget: its `view` is what is looked at, and is set to show something else.

    `explorer.view.layer`, `.head`, `.query` and `.key` count from 0, as everywhere in Python; `explorer.observe(f,
    "view")` calls `f` when it changes. Setting `explorer.trace` shows another trace. `sound` is the whole sound that
    a trace is of, as `audio.read` takes it, to be played with its words in time. `height` is in pixels. Raises
    ValueError for a view of a kind, layer or head that is not there, InputError without the extra `[notebook]` or for a
    sound that cannot be read.
    """
    return _widgets()(trace, view, sound=None if sound is None else audio.read(sound), height=height)


def explore(model: Adapter | str, text: str, *, height: int = HEIGHT) -> Any:
    """A field for a sentence above an explorer that shows what a model makes of it.

    `model` is one that reads text, or its name. The box has the explorer as `explorer`, the field as `field`. What is
    wrong with a sentence is said below the field, and the last trace stays. Raises ModelError where there is no such
    model or it reads no text, InputError without the extra `[notebook]` or where the first `text` cannot be traced.
    """
    made = _widgets()
    if isinstance(model, str):
        from xattn_viz.models import registry  # only who names a model waits for PyTorch

        model = registry.load(model)
    if model.card.input_kind != "text":
        raise ModelError(f"{model.card.name} reads no text: show(model.trace(…)) shows what it makes of a file.")
    explorer = made(model.trace(text), height=height)
    field = ipywidgets.Text(text, description="Sentence", continuous_update=False, layout={"width": "100%"})
    fault = ipywidgets.Label("")

    def trace(change: dict[str, Any]) -> None:
        fault.value = "…"
        try:
            explorer.trace = model.trace(change["new"])
            fault.value = ""
        except Cancelled:
            fault.value = ""
        except (ModelError, InputError, ValueError) as error:
            fault.value = visible(str(error))

    field.observe(trace, "value")
    box = Asked([field, fault, explorer])
    box.explorer, box.field, box.fault = explorer, field, fault
    return box


def _frame(page: str, height: int = HEIGHT) -> dict[str, str]:
    return {"text/html": _FRAME.format(page=markup.escape(page), height=height)}


def _widgets() -> Callable[..., Any]:
    if anywidget is None:
        raise InputError(_MISSING)
    return Explorer


if anywidget is not None:

    class Explorer(anywidget.AnyWidget):
        """The explorer in a notebook (`show`)."""

        _esm = web.script("notebook")
        page = traitlets.Unicode().tag(sync=True)
        height = traitlets.Int(HEIGHT).tag(sync=True)
        selected = traitlets.Dict().tag(sync=True)
        trace = traitlets.Instance(Trace)
        view = traitlets.Instance(View)

        _is_heard = False

        def __init__(
            self, trace: Trace, view: View | None = None, *, sound: Sound | None = None, height: int = HEIGHT
        ) -> None:
            self._sound = sound
            first = view or View(layer=trace.cross.layers[0])
            super().__init__(trace=trace, view=first, page=self._drawn(trace, view), height=height)

        def _drawn(self, trace: Trace, view: View | None) -> str:
            playback = None
            if self._sound is not None:
                playback = Playback.of(trace, self._sound.samples, *words_and_path(trace))
            return html(trace, view, playback=playback)

        @traitlets.observe("selected")
        def _hear(self, change: dict[str, Any]) -> None:
            """The visitor looks at something else: the page shows it already."""
            self._is_heard = True
            try:
                self.view = View.parse(change["new"])
            finally:
                self._is_heard = False

        @traitlets.validate("view")
        def _check(self, proposal: dict[str, Any]) -> View:
            view: View = proposal["value"]
            shown(self.trace, view)  # raises ValueError where it is not there
            return view

        @traitlets.observe("trace", "view")
        def _draw(self, change: dict[str, Any]) -> None:
            if not self.page or self._is_heard:  # not made yet, or drawn already
                return
            try:
                self.page = self._drawn(self.trace, self.view)
            except ValueError:  # another trace, which has no such map
                self.view = View(layer=self.trace.cross.layers[0])

        def _repr_mimebundle_(self, **asked: Any) -> Any:
            """The widget; beside it the frame for who shows no widgets."""
            made: Any = super()._repr_mimebundle_(**asked)
            data, more = made if isinstance(made, tuple) else (made or {}, {})
            return {**data, **_frame(self._drawn(self.trace, self.view), self.height)}, more

    class Asked(ipywidgets.VBox):  # type: ignore[misc]
        """A field above its explorer (`explore`), which stands alone where widgets do not run."""

        def _repr_mimebundle_(self, **asked: Any) -> Any:
            """The widget; beside it what the explorer is without one."""
            made, alone = super()._repr_mimebundle_(**asked), self.explorer._repr_mimebundle_(**asked)[0]
            return {**made, "text/html": alone["text/html"]}


def _maps(maps: AttentionMaps) -> dict[str, str]:
    """Cross-attention in the explorer, between its own labels; other maps as a picture of the last layer's mean."""
    if maps.kind != "cross" or maps.step is not None:
        return {"image/svg+xml": svg(maps, -1, None)}
    read, written = (" ".join(axis.name(i) for i in range(len(axis))) for axis in (maps.keys, maps.queries))
    return _frame(html(Trace((maps,), read, written)))


def _alignment(found: Alignment) -> dict[str, str]:
    words = [
        (found.source_words[link.source_index].text, found.target_words[link.target_index].text, f"{link.weight:.2f}")
        for link in found.links
    ]
    return _table(("source", "target", "weight"), words, f"{len(words)} links, {linked_by(found)} ({found.chosen}).")


def _costs(found: HeadCosts) -> dict[str, str]:
    heads = [f"head {head + 1}" for head in range(found.costs.shape[1])]
    rows = [(f"layer {layer + 1}", *map(_number, row)) for layer, row in enumerate(found.costs)]
    return _table(("", *heads), rows, f"{found.sentence} {found.method}", shades=found.costs)


def _attribution(found: Attribution) -> dict[str, str]:
    return {"image/svg+xml": svg(found.maps, -1, None)}


def _deletion(found: Deletion) -> dict[str, str]:
    mean, least, most = found.random_interval
    curves = sorted(found.curves, key=lambda curve: curve.area)
    rows = [(ranking_name(curve.name), f"{curve.area:.3f}") for curve in curves]
    rows.append((f"{len(found.random)} random orders", f"{mean:.3f} ({least:.3f} to {most:.3f})"))
    return _table(("ranking", "area, nats a token"), rows, found.sentence)


def _profiles(found: HeadProfiles) -> dict[str, str]:
    names = [grid.name for grid in found.grids]
    rows = [
        (head_key(row["layer"], row["head"]), str(row["name"]), *(_number(row[name]) for name in names))
        for row in found.rows()
    ]
    return _table(("head", "name", *names), rows, f"{found.model}, {found.n_sentences} inputs. {found.depth}")


def _words(words: TimedWords) -> dict[str, str]:
    rows = [(word.text, f"{word.start:.2f}", f"{word.end:.2f}", f"{word.confidence:.2f}") for word in words]
    return _table(("word", "start, s", "end, s", "probability"), rows, "")


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.3f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], said: str, *, shades: Any = None) -> dict[str, str]:
    """A table, its cells behind the first shaded by numbers `[row, column]`, above a sentence. Text stays text."""
    top = 1.0 if shades is None else max(float(np.nanmax(shades)), 1e-9)
    lines = []
    for r, row in enumerate(rows):
        cells = []
        for c, cell in enumerate(row):
            share = 0.0 if shades is None or c == 0 else max(float(np.nan_to_num(shades[r, c - 1])), 0.0) / top
            style = f' style="background:rgb(214 120 40/{0.75 * share:.2f})"' if share else ""
            cells.append(f"<td{style}>{markup.escape(visible(cell))}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    titles = "".join(f"<th>{markup.escape(title)}</th>" for title in head)
    below = f"<p>{markup.escape(visible(said))}</p>" if said else ""
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return {"text/html": table + below}


_DRAWN: dict[type, Callable[[Any], dict[str, str]]] = {
    Trace: lambda trace: _frame(html(trace)),
    Comparison: lambda found: _frame(html(found)),
    AttentionMaps: _maps,
    Alignment: _alignment,
    Attribution: _attribution,
    Deletion: _deletion,
    HeadCosts: _costs,
    HeadProfiles: _profiles,
    TimedWords: _words,
}
