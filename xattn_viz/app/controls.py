"""The row of controls above the explorer: which models the page offers, examples, options, and what is to be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz.app import actions, page_state, runner
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import may_be_named
from xattn_viz.app.runner import BEAMS, CROP, SELF_ATTENTION, Query, Report
from xattn_viz.core.tokens import visible_text
from xattn_viz.models import hub, registry
from xattn_viz.models.base import Adapter, ModelCard, ModelError, Option
from xattn_viz.shapes import SHAPES
from xattn_viz.shapes.prompts import DRAWN_COLOURS, DRAWN_SHAPES, LONGEST
from xattn_viz.shapes.sentence import ARTICLES

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


def was_loaded(name: str) -> bool:
    """Whether a model has been loaded for a page before."""
    return name in _LOADED


def load(name: str, kind: page_state.Kind, report: Report, *, allow_weights: bool = False) -> Adapter:
    """A model for a page of this kind, in any thread; `report` hears of its download.

    Raises ModelError in one sentence.
    """
    if not was_loaded(name):
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


#: The option of a model that draws which has a field of its own.
SEED = "seed"
_Choice = TypeVar("_Choice")
_WHOLE_HELP = "Trace the text as one segment instead of sentence by sentence: for a summary, say."
_STREAM_HELP = "The map grows while the model works. It then takes a little longer."


def show() -> None:
    """The widgets, which hold what is asked for."""
    kind, asked, visit = page_state.kind(), page_state.current().query, page_state.visit()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        kind.before()
        st.selectbox(
            "Model",
            choices(asked.model),
            format_func=title,
            key="direction",
            on_change=actions.choose_model,
            label_visibility="collapsed",
            width=160 if kind.reads == "image" else 185,
        )
        # There with or without content: what follows keeps its place.
        with st.container(key="beside-model", width="content"):
            if st.session_state.direction == OTHER:
                _name_of_another()
            else:
                kind.choice(asked)
        with st.popover("Options", key="options"):
            for option in options_of(asked.model):
                if option.name != SEED and not is_text(option):
                    _option(option, dict(asked.options).get(option.name, option.default))
            if (kind.reads, kind.makes) == ("text", "text"):
                st.session_state.whole = asked.whole
                st.checkbox("Whole text", key="whole", help=_WHOLE_HELP, on_change=actions.take_whole)
            st.checkbox("Stream the result", key="live", help=_STREAM_HELP)
        kind.inputs(asked)
    page_state.follow_address(actions.go_to, page_state.current().query.address(), visit.address)


def choose_from(
    name: str,
    choices: Sequence[_Choice],
    said: Callable[[_Choice], str],
    key: str,
    take: Callable[[], None],
    *,
    width: int = 135,
) -> None:
    """A list to choose one from, which says its own name and not what was chosen."""
    st.selectbox(
        name,
        choices,
        format_func=said,
        index=None,
        placeholder=name,
        key=key,
        on_change=take,
        label_visibility="collapsed",
        width=width,
    )


def choose_example(asked: Query) -> None:
    """The examples of a model, by their texts."""
    texts = [page_state.query_of(one).input for one in page_state.kind().examples if one.model == asked.model]
    if texts:
        choose_from("Examples", range(len(texts)), texts.__getitem__, "example", actions.take_example)


def text_field(asked: Query, *, most: int | None = None) -> None:
    """The field of a text, which holds what is asked, and the button that asks for it."""
    name, placeholder = page_state.kind().text_field
    with (
        st.form("translate", enter_to_submit=True, border=False),
        st.container(horizontal=True, vertical_alignment="center", gap="small"),
    ):
        st.text_input(name, key="text", placeholder=placeholder, max_chars=most, label_visibility="collapsed")
        st.form_submit_button(page_state.kind().action, type="primary", on_click=actions.submit_text)


def is_text(option: Option) -> bool:
    """Whether an option is a text, which has a field of its own beside what the model reads."""
    return not option.choices and isinstance(option.default, str)


def _name_of_another() -> None:
    st.text_input(
        "Name or folder of a model",
        key="other",
        placeholder="Hub name or folder",
        on_change=actions.name_model,
        label_visibility="collapsed",
        width=240,
    )


def _option(option: Option, value: str | bool) -> None:
    key = actions.option_key(option.name)
    title, help_text = literal(option.title), literal(option.help) or None
    # The query is what counts, the widget only shows it: an address can say anything, also what no switch can show.
    is_switch = isinstance(option.default, bool)
    shown = runner.written(value) if not is_switch else value if isinstance(value, bool) else option.default
    st.session_state[key] = shown
    if is_switch:
        st.checkbox(title, key=key, help=help_text, on_change=actions.take_option, args=(option.name,))
        return
    # A value that the address made up stays visible, beside the sentence that says what there is.
    offered = option.choices if shown in option.choices else (*option.choices, str(shown))
    st.selectbox(
        title,
        offered,
        format_func=lambda choice: visible_text(choice) or "(none)",
        key=key,
        help=help_text,
        on_change=actions.take_option,
        args=(option.name,),
    )


#: What a CLIP text encoder reads, and our models of hints, without start and end.
MOST_OF_CLIP, MOST_OF_A_HINT = 75, 19
#: How words become tokens: those `dropped` are none, those that `open` a phrase, unless one that `joins` stands before,
#: bring an article with them, and a `comma` where something stands before.
_PROMPT = {"dropped": ARTICLES, "opens": (*DRAWN_COLOURS, *DRAWN_SHAPES), "joins": DRAWN_COLOURS, "comma": False}
_HINT = {"dropped": (*ARTICLES, "and"), "opens": SHAPES, "joins": (), "comma": True}

# The field is React's own, so the script listens to the page. What it shows is a number of its own, never the text.
_SCRIPT = r"""
const WORD = /[\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*(?:['’][\p{L}\p{N}][\p{L}\p{N}\p{M}\p{Cf}]*)*/gu;
const SIDES = ["left", "right"];

function count(text, rule) {
  const plain = text.slice(0, 2000).replace(/\(([^():]*):[^():]*\)/g, "$1").normalize("NFKC").toLowerCase();
  const words = (plain.match(WORD) ?? []).map((word) => word.replace(/\p{Cf}/gu, ""));
  if (!rule) return words.length;
  let tokens = 0;
  let before = "";
  words.forEach((word, i) => {
    if (word === "to" && words[i + 1] === "the" && SIDES.includes(words[i + 2])) return;
    if (rule.dropped.includes(word)) return;
    if (rule.opens.includes(word) && !rule.joins.includes(before)) tokens += rule.comma && before ? 2 : 1;
    tokens += 1;
    before = word;
  });
  return tokens;
}

export default function ({ data, parentElement }) {
  const shown = parentElement.querySelector("output");
  const inField = (target) => target instanceof Element && target.closest(`.st-key-${data.key}`);
  const show = (text) => {
    const tokens = count(text, data.rule);
    shown.value = `${data.rule ? "" : "at least "}${tokens} of ${data.most} tokens`;
    shown.className = tokens > data.most ? "over" : "";
  };
  const typed = (event) => inField(event.target) && show(event.target.value);
  document.addEventListener("input", typed);
  show(document.querySelector(`.st-key-${data.key} input`)?.value ?? data.text);
  return () => document.removeEventListener("input", typed);
}
"""
_CSS = """
output { font: 0.8125rem system-ui, sans-serif; white-space: nowrap; color: light-dark(#55524d, #b9b6ae); }
output.over { color: light-dark(#b3261e, #ff8f86); font-weight: 600; }
"""


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_counting", html='<output aria-live="polite"></output>', css=_CSS, js=_SCRIPT
    )


def of_prompt(key: str, model: str, text: str) -> None:
    """The count of the prompt in the field of this key; of a model that cuts words into pieces, the least it can be."""
    if knows_shapes(model):
        _show(key, text, LONGEST, _PROMPT)
    else:
        _show(key, text, MOST_OF_CLIP, None)


def of_hint(key: str, text: str) -> None:
    """The count of the hint in the field of this key."""
    _show(key, text, MOST_OF_A_HINT, _HINT)


def _show(key: str, text: str, most: int, rule: Mapping[str, Any] | None) -> None:
    data = {"key": key, "text": text, "most": most, "rule": rule}
    _component()(data=data, key=f"count-{key}", width="content", height="content")
