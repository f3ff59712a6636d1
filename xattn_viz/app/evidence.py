"""The tab *Evidence*: does a head matter, does it align, do other ways of looking agree; each asked for by a button.

Nothing runs by itself (`measurement.ask`). Each answer is of the trace in view and says how it was made.
"""

from __future__ import annotations

import numpy as np
import streamlit as st

from xattn_viz.analysis import alignment_files
from xattn_viz.analysis.alignment import Alignment, align
from xattn_viz.analysis.alignment_heads import search
from xattn_viz.app import explorer, interventions, page_state, runner
from xattn_viz.app.measurement import About, Load, ask, draw, draw_heads, heading, headline, whose_of
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Shown
from xattn_viz.core.evidence import HeadGrid
from xattn_viz.core.view import file_stem, head_key
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelCard, OnStep
from xattn_viz.web import evidence as pack
from xattn_viz.web.evidence import number

_NOT_WHY = (
    "Attention is not explanation: a map shows where a head read, not whether the output needed it. Here you can ask; "
    "each answer is of this sentence and its output, and nothing runs until you do."
)
#: The links of a pair of texts, and how well each head aligns them in either row.
Links = tuple[Alignment, tuple[HeadGrid, ...]]


@st.fragment
def show(shown: Shown, load: Load) -> None:
    """The tab for what is on screen; `load` loads its model, or raises what says why not."""
    state = page_state.current()
    card = page_state.card_of(shown.trace.model)
    if card is None:
        return
    about = About(shown, whose_of(shown, state), state.view.on(shown.trace), card, state.measurement, load)
    with st.container(key="evidence"):
        if not runner.asked_of(about.whose):
            st.markdown(_NOT_WHY)
        with st.container(key="evidence-cards"):
            cards = st.columns(2, gap="medium")
            with cards[0].container(border=True, height="stretch"):
                costs = interventions.card(about)
            with cards[1].container(border=True, height="stretch"):
                alignment = _aligns(about)
        if costs is not None:
            interventions.head_by_head(about, costs)
        if alignment is not None:
            _word_by_word(about, *alignment)
        if runner.asked_of(about.whose):
            st.caption(_NOT_WHY)
        explorer.downloads(shown, about.view)


# Aligns?


def _aligns(about: About) -> Links | None:
    """The card about which words say the same."""
    heading(
        "Aligns?",
        "Which words of the two texts say the same, read off the heads that align. With a model of the opposite "
        "direction both are asked. That a head aligns says that its map is like a dictionary, not that the model "
        "needs it: measure what it costs.",
    )
    trace, maps = about.trace, about.trace.cross
    if not isinstance(trace.input, str) or maps.keys.kind != "text":
        what = "When each word was said stands below the map" if maps.keys.is_timed else "Only texts have words to link"
        st.markdown(literal(f"{what}. Links between words are for a text and its translation."))
        return None
    reverse = _opposite(about.card)

    def work(model: Adapter, on_step: OnStep) -> tuple[Links, tuple[HeadGrid, ...]]:
        back = None
        if reverse is not None:
            back = registry.load(reverse).trace(trace.output, target=str(trace.input), on_step=on_step)
        found = align(trace, back, words="axis"), search([trace], None if back is None else [back]).grids()
        return found, found[1]

    question = ("align",)
    found: Links | None = about.found(*question)
    if found is None:
        st.markdown("Which words of the two sentences say the same, and which head knows?")
    found = ask(about, "Link the words", question, 4, work)
    if found is not None:
        headline(_agreement(*found))
        st.markdown(literal(_sentence(found[0])))
        st.caption(literal(found[1][0].method))
    return found


def _opposite(card: ModelCard) -> str | None:
    """A listed model of the opposite direction that needs no download."""
    pair = (card.target_language, card.source_language)
    return next(
        (
            one.name
            for one in registry.cards()
            if None not in pair and (one.source_language, one.target_language) == pair and one.download_mb is None
        ),
        None,
    )


def _agreement(alignment: Alignment, grids: tuple[HeadGrid, ...]) -> str:
    if alignment.agreement is not None:
        return f"Both directions agree: {number(alignment.agreement)}"
    return f"Sharpness × coverage {number(max(float(np.nanmax(grid.values)) for grid in grids))}"


def _sentence(alignment: Alignment) -> str:
    """How many words are linked and by which heads, from numbers only."""
    names = list(dict.fromkeys(head_key(one.layer, one.head) for one in alignment.heads))
    linked, count = len(alignment.source_words) - len(alignment.source_nulls), len(alignment.source_words)
    said = f"{linked} of {count} words of the source are linked, by head{'s' * (len(names) > 1)} {' and '.join(names)}"
    if alignment.agreement is None:
        return f"{said}, with no model of the opposite direction to ask."
    return f"{said}, and by the model of the opposite direction: the cosine of the two is {alignment.agreement:.2f}."


def _word_by_word(about: About, alignment: Alignment, grids: tuple[HeadGrid, ...]) -> None:
    """The links as lines between the sentences and in the matrix that they were made of, and as files."""
    st.markdown("#### Words that say the same")
    draw(pack.links(alignment, ("Source", "Output")), "evidence-links")
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.caption("The weights between words that the links were made of; linked cells are framed.")
        draw(
            pack.word_grid(
                alignment.weights,
                [word.text for word in alignment.target_words],
                [word.text for word in alignment.source_words],
                "Weight between words",
                [(target, source) for source, target, _ in alignment.links],
            ),
            "evidence-matrix",
        )
    with right:
        for grid in grids:
            st.caption(literal(f"{grid.title}: {grid.unit}."))
            draw_heads(about, grid, f"evidence-{grid.name}", top=1.0)
    stem = file_stem(about.trace)
    files = {
        "Pharaoh": ("txt", lambda: alignment_files.pharaoh(alignment) + "\n"),
        "TSV": ("tsv", lambda: alignment_files.tsv(alignment) + "\n"),
        "NAACL": ("naacl", lambda: alignment_files.naacl(alignment) + "\n"),
        "Links as JSON": ("json", lambda: _json(alignment)),
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("Download the links:", width="content")
        for name, (ending, make) in files.items():
            st.download_button(
                name, make, f"{stem}_links.{ending}", "text/plain", on_click="ignore", key=f"links-{name}"
            )


def _json(alignment: Alignment) -> str:
    import json

    return json.dumps(alignment_files.as_json(alignment), ensure_ascii=False, indent=1)
