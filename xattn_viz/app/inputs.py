"""Where the visitor gives the model something to read: a sentence, a prompt, a sound, a picture."""

from __future__ import annotations

import streamlit as st

from xattn_viz.app import asking, counting, easel, giving, kind, models
from xattn_viz.app.address import Request
from xattn_viz.app.page import literal
from xattn_viz.models.base import Option
from xattn_viz.models.families.captioner.hinted import HINT
from xattn_viz.shapes.sentence import MOST_CHARACTERS

#: What the page takes; `audio.read` looks at what is in a file, whatever it is called.
FILES = ("wav", "flac", "mp3", "ogg", "oga", "opus", "m4a", "mp4", "webm", "aac", "aiff")
#: What a text is called in the field, and what may be typed there.
_FIELDS = {
    "text": ("Sentence", "Type a sentence and press Enter"),
    "prompt": ("Prompt", "Say what to draw and press Enter"),
}
#: The option of a model that draws which has a field of its own.
SEED = "seed"
_LAST_SEED = 2**31 - 1
_LONGEST_OPTION = 300  # characters


def show(current: Request) -> None:
    """The widgets of the page's kind."""
    if kind.current() == kind.AUDIO:
        _sound()
    elif kind.current() == kind.IMAGE:
        for option in filter(is_text, models.options_of(current.model)):
            _text_option(option, current)
        easel.control()
        st.button(kind.IMAGE.action, type="primary", on_click=giving.again)
    else:
        _text()
        if kind.current() == kind.PROMPT:
            counting.of_prompt("text", current.model, current.text)
        _seed(current)


def is_text(option: Option) -> bool:
    """Whether an option is a text, which has a field of its own beside what the model reads."""
    return not option.choices and isinstance(option.default, str)


def _text_option(option: Option, current: Request) -> None:
    key = asking.option_key(option.name)
    st.session_state[key] = str(dict(current.options).get(option.name, option.default))
    st.text_input(
        literal(option.title),
        key=key,
        placeholder=f"{option.title}: {option.help[:1].lower()}{option.help[1:]}",
        max_chars=_LONGEST_OPTION,
        on_change=asking.take_option,
        args=(option.name,),
        label_visibility="collapsed",
        width=240,
    )
    if option.name == HINT:
        counting.of_hint(key, st.session_state[key])


def _seed(current: Request) -> None:
    """Which noise a drawing begins as, for a model that has such an option."""
    option = next((option for option in models.options_of(current.model) if option.name == SEED), None)
    if option is None:
        return
    key, said = asking.option_key(SEED), str(dict(current.options).get(SEED, option.default))
    st.session_state[key] = int(said) if said.isascii() and said.isdigit() and int(said[:12]) <= _LAST_SEED else 0
    st.markdown("Seed", width="content")
    st.number_input(
        literal(option.title),
        min_value=0,
        max_value=_LAST_SEED,
        step=1,
        key=key,
        help=literal(option.help),
        on_change=asking.take_option,
        args=(SEED,),
        label_visibility="collapsed",
        width=130,
    )


def _sound() -> None:
    """A microphone and a place for a file; either is traced as soon as it is there."""
    st.audio_input(
        "Record",
        key="recording",
        on_change=giving.take_file,
        args=("recording",),
        label_visibility="collapsed",
        width=300,
    )
    st.file_uploader(
        "Sound file",
        type=FILES,
        key="upload",
        on_change=giving.take_file,
        args=("upload",),
        label_visibility="collapsed",
    )
    st.button(kind.AUDIO.action, type="primary", on_click=giving.again)


def _text() -> None:
    with (
        st.form("translate", enter_to_submit=True, border=False),
        st.container(horizontal=True, vertical_alignment="center", gap="small"),
    ):
        name, placeholder = _FIELDS[kind.current().name]
        st.text_input(
            name,
            key="text",
            placeholder=placeholder,
            max_chars=MOST_CHARACTERS if kind.current() == kind.PROMPT else None,
            label_visibility="collapsed",
        )
        st.form_submit_button(kind.current().action, type="primary", on_click=asking.translate)
