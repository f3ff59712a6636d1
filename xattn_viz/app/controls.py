"""The row of controls above the explorer: which models the page offers, examples, options, and what is to be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from xattn_viz.app import actions, page_state, runner
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Visit
from xattn_viz.app.runner import Query
from xattn_viz.core.tokens import visible_text
from xattn_viz.core.view import PARAMETERS
from xattn_viz.models import registry
from xattn_viz.models.base import Option
from xattn_viz.shapes import SHAPES
from xattn_viz.shapes.prompts import DRAWN_COLOURS, DRAWN_SHAPES, LONGEST
from xattn_viz.shapes.sentence import ARTICLES

#: The option of a model that draws which has a field of its own.
SEED = "seed"
_Choice = TypeVar("_Choice")
_SHELF = "shelf"
#: The key of what takes files that are dropped on the page.
_DROPPED = "dropped"
_WHOLE_HELP = "Trace the text as one segment instead of sentence by sentence: for a summary, say."
_STREAM_HELP = "The map grows while the model works. It then takes a little longer."


def show() -> None:
    """The widgets, which hold what is asked for."""
    kind, asked, visit = page_state.kind(), page_state.current().query, page_state.visit()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="controls"):
        kind.before()
        st.selectbox(
            "Model",
            page_state.choices(asked.model),
            format_func=page_state.title,
            key="direction",
            on_change=actions.choose_model,
            label_visibility="collapsed",
            width=160 if kind.reads == "image" else 185,
        )
        # There with or without content: what follows keeps its place.
        with st.container(
            key="beside-model", width="content", horizontal=True, vertical_alignment="center", gap="small"
        ):
            if st.session_state.direction == page_state.OTHER:
                _name_of_another()
            else:
                _swap(asked)
                kind.choice(asked)
        with st.popover("Options", key="options"):
            is_file = asked.source == "file"
            for option in () if is_file else page_state.options_of(asked.model):
                if option.name != SEED and not is_text(option):
                    choose_option(option, asked)
            if is_file:
                st.caption("A file is shown as it is: its model is not run again for other options.")
            elif (kind.reads, kind.makes) == ("text", "text"):
                st.session_state.whole = asked.whole
                st.checkbox("Whole text", key="whole", help=_WHOLE_HELP, on_change=actions.take_whole)
            st.checkbox("Stream the result", key="live", help=_STREAM_HELP)
        kind.inputs(asked)
    _files(visit)
    state = page_state.current()
    looks = PARAMETERS if state.tab == "map" else ()
    shown = {name: value for name, value in state.address().items() if name not in looks}
    follow_address(actions.go_to, shown, visit.address, looks=looks)


def _files(visit: Visit) -> None:
    """What takes files dropped anywhere on the page, and what was wrong with the last one."""
    with st.container(key="dropping"):
        st.file_uploader("A saved trace", key=_DROPPED, on_change=actions.open_file, args=(_DROPPED,))
        _dropping_component()(data={"key": _DROPPED}, key="drop")
    asked, said = visit.fault
    with st.container(key="file-fault"):  # there or not, what follows stays where it is
        if said and asked == page_state.current().asked:
            st.error(literal(said))


# A file that is dropped outside of the page's own fields, or a trace that is dropped anywhere, goes to the uploader of
# this key, which shows nothing itself.
_DROPPING_SCRIPT = r"""
export default function ({ data }) {
  const has = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  const inField = ({ target }) => target instanceof Element && target.closest('[data-testid="stFileUploader"]');
  const mark = (on) => document.documentElement.classList.toggle("xv-dropping", on);
  const over = (event) => {
    if (!has(event) || inField(event)) return;
    event.preventDefault();
    mark(true);
  };
  const left = (event) => event.relatedTarget === null && mark(false);
  const dropped = (event) => {
    mark(false);
    if (!has(event)) return;
    const [file] = event.dataTransfer.files;
    const field = document.querySelector(`.st-key-${data.key} input[type=file]`);
    if (!file || !field || (inField(event) && !/\.(npz|zip|safetensors|json|gz|html?)$/i.test(file.name))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const one = new DataTransfer();
    one.items.add(file);
    field.files = one.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const heard = { dragover: over, dragleave: left, drop: dropped };
  for (const [name, hear] of Object.entries(heard)) document.addEventListener(name, hear, true);
  return () => {
    mark(false);
    for (const [name, hear] of Object.entries(heard)) document.removeEventListener(name, hear, true);
  };
}
"""


@cache
def _dropping_component() -> ComponentRenderer:
    return st.components.v2.component("xattn_viz_dropping", js=_DROPPING_SCRIPT)


def _swap(asked: Query) -> None:
    """A button that turns the languages round, where a model translates back."""
    card = page_state.card_of(asked.model)
    back = registry.opposite(card) if card and page_state.kind().has(card) else None
    if back is not None:
        st.button("\u21c4 Swap", key="swap", on_click=actions.swap_languages, args=(back,))


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


class Shelved(NamedTuple):
    """What stands on a shelf: its name, what it is an example of, what people read of it, and what to look at."""

    name: str
    phenomenon: str
    title: str
    note: str


def shelf(name: str, items: Callable[[], Iterable[Shelved]], take: Callable[[str], None]) -> Callable[[Query], None]:
    """What draws a shelf to choose from, by phenomenon; what stands on it is asked for, and drawn, once it is opened.

    It closes behind who took something.
    """

    def draw(asked: Query) -> None:
        place = st.popover(name, key=_SHELF, on_change="rerun")
        if not place.open:
            return
        with place, st.container(key="shelf-items"):
            for phenomenon, some in groupby(items(), key=lambda one: one.phenomenon):
                st.markdown(f"**{literal(phenomenon)}**")
                for one in some:
                    key = f"shelf-{one.name}"
                    st.button(literal(one.title), key=key, type="tertiary", on_click=_take, args=(take, one.name))
                    st.caption(literal(one.note))

    return draw


def _take(take: Callable[[str], None], name: str) -> None:
    st.session_state[_SHELF] = False
    take(name)


def text_field(asked: Query, *, most: int | None = None) -> None:
    """The field of a text, which holds what is asked and grows with it, and the button that asks for it.

    Enter asks, as in a field of one line; Shift and Enter begin a new line.
    """
    name, placeholder = page_state.kind().text_field
    with (
        st.form("translate", enter_to_submit=True, border=False),
        st.container(horizontal=True, vertical_alignment="center", gap="small"),
    ):
        st.text_area(
            name, key="text", placeholder=placeholder, max_chars=most, label_visibility="collapsed", height=68
        )  # the style sheet lets it grow: Streamlit's own way takes a minute for a hundred pages
        st.form_submit_button(page_state.kind().action, type="primary", on_click=actions.submit_text)
    with st.container(key="typing"):
        _typing_component()(data={"key": "text"}, key="enter")


# Streamlit's field of several lines asks at Ctrl and Enter: a plain Enter becomes that, unless it ends the choice of a
# character in an input method.
_TYPING_SCRIPT = """
export default function ({ data }) {
  const pressed = (event) => {
    const { target, key, shiftKey, ctrlKey, metaKey, altKey, isComposing, keyCode } = event;
    if (key !== "Enter" || shiftKey || ctrlKey || metaKey || altKey || isComposing || keyCode === 229) return;
    if (!(target instanceof HTMLTextAreaElement) || !target.closest(`.st-key-${data.key}`)) return;
    event.preventDefault();
    event.stopPropagation();
    const asks = { key, code: "Enter", keyCode: 13, ctrlKey: true, bubbles: true, cancelable: true };
    target.dispatchEvent(new KeyboardEvent("keydown", asks));
  };
  document.addEventListener("keydown", pressed, true);
  return () => document.removeEventListener("keydown", pressed, true);
}
"""


@cache
def _typing_component() -> ComponentRenderer:
    return st.components.v2.component("xattn_viz_typing", js=_TYPING_SCRIPT)


_LONGEST_OPTION = 300  # characters
_LAST_SEED = 2**31 - 1


def is_text(option: Option) -> bool:
    """Whether an option is a text, which has a field of its own beside what the model reads."""
    return not option.choices and isinstance(option.default, str)


def text_option(
    option: Option, asked: Query, key: str = "", take: Callable[..., None] = actions.take_option, **look: Any
) -> None:
    """The field of an option that is a text; a `key` of its own is handed to `take` too, which hears of a change."""
    own = key or actions.option_key(option.name)
    st.session_state[own] = str(dict(asked.options).get(option.name, option.default))
    width = 216 if option.name == runner.QUESTION else 240  # a question has a list beside it
    st.text_input(
        literal(option.title),
        key=own,
        placeholder=f"{option.title}: {option.help[:1].lower()}{option.help[1:]}",
        max_chars=_LONGEST_OPTION,
        on_change=take,
        args=(option.name, *filter(None, [key])),
        **(look or {"label_visibility": "collapsed", "width": width}),
    )


def choose_seed(
    option: Option, asked: Query, key: str = "", take: Callable[..., None] = actions.take_option, **look: Any
) -> None:
    """Which noise a drawing begins as; `key` and `take` as in `text_option`."""
    own, said = key or actions.option_key(option.name), str(dict(asked.options).get(option.name, option.default))
    is_seed = said.isascii() and said.isdigit() and int(said[:12]) <= _LAST_SEED
    st.session_state[own] = int(said) if is_seed else 0
    st.number_input(
        literal(option.title),
        min_value=0,
        max_value=_LAST_SEED,
        step=1,
        key=own,
        help=literal(option.help),
        on_change=take,
        args=(option.name, *filter(None, [key])),
        **(look or {"label_visibility": "collapsed", "width": 130}),
    )


def _name_of_another() -> None:
    st.text_input(
        "Name or folder of a model",
        key="other",
        placeholder="Hub name or folder",
        on_change=actions.name_model,
        label_visibility="collapsed",
        width=240,
    )


def choose_option(option: Option, asked: Query, key: str = "", take: Callable[..., None] = actions.take_option) -> None:
    """The control of an option that is chosen or switched; `key` and `take` as in `text_option`."""
    value = dict(asked.options).get(option.name, option.default)
    own, args = key or actions.option_key(option.name), (option.name, *filter(None, [key]))
    title, help_text = literal(option.title), literal(option.help) or None
    # The query is what counts, the widget only shows it: an address can say anything, also what no switch can show.
    is_switch = isinstance(option.default, bool)
    shown = runner.written(value) if not is_switch else value if isinstance(value, bool) else option.default
    st.session_state[own] = shown
    if is_switch:
        st.checkbox(title, key=own, help=help_text, on_change=take, args=args)
        return
    # A value that the address made up stays visible, beside the sentence that says what there is.
    offered = option.choices if shown in option.choices else (*option.choices, str(shown))
    st.selectbox(
        title,
        offered,
        format_func=lambda choice: visible_text(choice) or "(none)",
        key=own,
        help=help_text,
        on_change=take,
        args=args,
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
  const field = document.querySelector(`.st-key-${data.key} :is(input, textarea)`);
  show(field?.value ?? data.text);
  return () => document.removeEventListener("input", typed);
}
"""
_CSS = """
/* On the ground of the page, or of what is open above it, which has no scheme of its own. */
output { font: 0.8125rem system-ui, sans-serif; white-space: nowrap; color: inherit; opacity: 0.8; }
output.over { color: color-mix(in srgb, currentColor 40%, #e5443b); opacity: 1; font-weight: 600; }
"""


@cache
def _component() -> ComponentRenderer:
    return st.components.v2.component(
        "xattn_viz_counting", html='<output aria-live="polite"></output>', css=_CSS, js=_SCRIPT
    )


def of_prompt(key: str, model: str, text: str) -> None:
    """The count of the prompt in the field of this key; of a model that cuts words into pieces, the least it can be."""
    if page_state.knows_shapes(model):
        _show(key, text, LONGEST, _PROMPT)
    else:
        card = page_state.card_of(model)
        _show(key, text, (card and card.most_tokens) or MOST_OF_CLIP, None)


def of_hint(key: str, text: str) -> None:
    """The count of the hint in the field of this key."""
    _show(key, text, MOST_OF_A_HINT, _HINT)


def _show(key: str, text: str, most: int, rule: Mapping[str, Any] | None) -> None:
    data = {"key": key, "text": text, "most": most, "rule": rule}
    _component()(data=data, key=f"count-{key}", width="content", height="content")


_ADDRESS = "address"
# Streamlit would begin the page anew at a step back or forth, so that its fields are emptied: on the same page the step
# is handled here. What is looked at is the explorer's own, which alone hears of a step that changes nothing else.
# The name of the visit stays with the tab, out of the address, which people pass on: after a reload it is told once.
_ADDRESS_SCRIPT = """
let leave = () => {};
let state = null;
let left = null;
let isNamed = false;

function name(visit, tell) {
  try {
    const before = sessionStorage.getItem("xattn_viz visit");
    if (before !== null && before !== visit && !isNamed) tell("named", before);
    else sessionStorage.setItem("xattn_viz visit", visit);
  } catch {
    // A browser that keeps nothing forgets the visit at a reload.
  }
  isNamed = true;
}

export default function ({ data, setTriggerValue }) {
  leave();
  name(data.visit, setTriggerValue);
  const place = location.pathname;
  const looks = new Set(data.looks);
  const asked = () => JSON.stringify([...new URLSearchParams(location.search)].filter(([name]) => !looks.has(name)));
  const tell = () => setTriggerValue("moved", location.search || "?");
  if (data.said !== null) history.replaceState(history.state, "", data.said ? `?${data.said}` : place);
  let last = asked();
  // Left to the explorer was a step back from an act whose address had come and whose page had not.
  if (left === place + last && data.state !== state) tell();
  left = null;
  state = data.state;
  const moved = (event) => {
    if (location.pathname !== place) return;
    event.stopImmediatePropagation();
    if (asked() === last) {
      left = place + last;
      window.dispatchEvent(new Event("xv-moved"));
    } else {
      left = null;
      tell();
    }
    last = asked();
  };
  window.addEventListener("popstate", moved, true);
  leave = () => window.removeEventListener("popstate", moved, true);
  return leave;
}
"""


def follow_address(
    moved: Callable[[dict[str, str]], None],
    state: Mapping[str, str],
    said: Mapping[str, str] | None = None,
    *,
    looks: Sequence[str] = PARAMETERS,
) -> None:
    """Call `moved` with what the address says when the visitor goes back or forth without leaving the page.

    `state` is what an address says of the page: with every act of the visitor the script looks anew where it is. `said`
    is what the address is to say from now on without a step in the history, None where it is right. A step in which
    nothing changes but `looks` is the explorer's own, where there is one.
    """
    data: dict[str, Any] = {"looks": looks, "state": urlencode(dict(state))}
    data["said"] = None if said is None else urlencode(dict(said))
    data["visit"] = page_state.visit().name

    def heard() -> None:
        search = (st.session_state.get(_ADDRESS) or {}).get("moved")
        if isinstance(search, str):
            moved(dict(parse_qsl(search.removeprefix("?"))))
            st.rerun()  # all of the page, also where this came in one message with what a part of it told

    def named() -> None:
        if isinstance(name := (st.session_state.get(_ADDRESS) or {}).get("named"), str):
            from xattn_viz.app import history

            history.go_on_as(name)

    with st.container(key="history"):
        _address_component()(data=data, key=_ADDRESS, on_moved_change=heard, on_named_change=named)


@cache
def _address_component() -> ComponentRenderer:
    return st.components.v2.component("xattn_viz_address", js=_ADDRESS_SCRIPT)
