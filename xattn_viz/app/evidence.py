"""The tab *Evidence*: does a head matter, does it align, do other ways of looking agree; each asked for by a button.

Nothing runs by itself (`measurement.ask`). Each answer is of the trace in view and says how it was made.
"""

from __future__ import annotations

import importlib.util
from typing import cast

import numpy as np
import streamlit as st

from xattn_viz.analysis import alignment_files
from xattn_viz.analysis.alignment import align
from xattn_viz.analysis.alignment_heads import search
from xattn_viz.analysis.attribution import Attribution, attribute, source_groups
from xattn_viz.analysis.faithfulness import (
    PICTURE_RANKINGS,
    RANKINGS,
    Covered,
    agreement,
    cover,
    deletion_curves,
    insertion_curves,
)
from xattn_viz.analysis.word_units import named_heads
from xattn_viz.app import explorer, head_profiles, interventions, page_state, runner
from xattn_viz.app.measurement import About, Load, ask, draw, draw_heads, heading, headline, key_of, whose_of
from xattn_viz.app.page import literal
from xattn_viz.app.page_state import Shown
from xattn_viz.app.runner import Kept
from xattn_viz.core.evidence import Alignment, Deletion, Insertion, in_a_sentence, ranking_name
from xattn_viz.core.maps import METHODS, Method
from xattn_viz.core.tokens import visible
from xattn_viz.core.trace import HeadGrid, Trace
from xattn_viz.core.view import file_stem, head_key, head_title, kind_name
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, OnStep
from xattn_viz.web import evidence as pack
from xattn_viz.web.evidence import number

_NOT_WHY = (
    "Attention is not explanation: a map shows where a head read, not whether the output needed it. Here you can ask; "
    "each answer is of this sentence and its output, and nothing runs until you do."
)
#: The links of a pair of texts, and how well each head aligns them in either row.
Links = tuple[Alignment, tuple[HeadGrid, ...]]
#: What a way of looking found, and how far each head agrees with it.
Compared = tuple[Attribution, HeadGrid]
_GRADIENTS = ("input-x-gradient", "integrated-gradients")


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
            cards = st.columns(3, gap="medium")
            with cards[0].container(border=True, height="stretch"):
                costs = interventions.card(about)
            with cards[1].container(border=True, height="stretch"):
                alignment = _aligns(about)
            with cards[2].container(border=True, height="stretch"):
                method = _agrees(about)
        if costs is not None:
            interventions.head_by_head(about, costs)
        if alignment is not None:
            _word_by_word(about, *alignment)
        if method is not None:
            _side_by_side(about, method)
        with st.container(border=True, key="evidence-profiles"):
            head_profiles.panel(about, registry.opposite(about.card))
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
    reverse = registry.opposite(about.card)

    def work(model: Adapter, on_step: OnStep) -> tuple[Links, Kept]:
        back = None
        if reverse is not None:
            back = registry.load(reverse).trace(trace.output, target=str(trace.input), on_step=on_step)
        found = align(trace, back, words="axis"), search([trace], None if back is None else [back]).grids()
        return found, (found[0], *found[1])

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


def _agreement(alignment: Alignment, grids: tuple[HeadGrid, ...]) -> str:
    if alignment.agreement is not None:
        return f"Both directions agree: {number(alignment.agreement)}"
    return f"Sharpness × coverage {number(max(float(np.nanmax(grid.values)) for grid in grids))}"


def _sentence(alignment: Alignment) -> str:
    """How many words are linked and by which heads, from numbers only."""
    linked, count = len(alignment.source_words) - len(alignment.source_nulls), len(alignment.source_words)
    said = f"{linked} of {count} words of the source are linked, by {named_heads(alignment)}"
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


# Agrees?


def _agrees(about: About) -> Method | None:
    """The card about other ways of looking: whether they name the same words, and which of them the model follows.

    Returns the one that is chosen; None where there are none.
    """
    heading(
        "Agrees?",
        "Other ways of looking rank the words of the source too: by what a head brings from a word, by gradients, or "
        "by what the output loses without the word. None of them is the truth: gradients are about tiny changes, and a "
        "source without a word is one that the model may never have seen the like of.",
    )
    trace, measured = about.trace, runner.asked_of(about.whose)
    is_picture = trace.cross.keys.grid is not None
    if not is_picture and not isinstance(trace.input, str) and trace.cross.keys.kind == "text":
        st.markdown("Other ways of looking are for what the output itself reads: here it reads the question alone.")
        return None
    methods: tuple[Method, ...] = ("occlusion",) if is_picture else METHODS
    compared = [cast(Method, question[1]) for question in measured if question[0] == "agree"]
    if st.session_state.get("evidence-method") not in methods:
        st.session_state["evidence-method"] = compared[0] if compared else "occlusion"
    method: Method = st.session_state["evidence-method"]
    name, rankings = kind_name(method), tuple(one for one in RANKINGS if one not in _GRADIENTS or _has_captum())
    rankings = PICTURE_RANKINGS if is_picture else rankings

    def compare(model: Adapter, on_step: OnStep) -> tuple[Compared, Kept]:
        found = attribute(model, trace, method, on_step=on_step)
        grid = agreement(found, trace.cross)
        return (found, grid), (grid, found.maps)

    def delete(model: Adapter, on_step: OnStep) -> tuple[Deletion, Kept]:
        found = deletion_curves(model, trace, rankings, on_step=on_step)
        return found, (found,)

    deletion: Deletion | None = about.found("deletion")
    pair: Compared | None = about.found("agree", method)
    if deletion is None and pair is None:
        st.markdown("Do other ways of looking name the same words, and which of them does the model follow?")
    if deletion is not None:
        followed = deletion.followed
        headline(f"It follows {ranking_name(followed.name)}" if followed else "It follows no ranking")
        st.markdown(literal(deletion.sentence))
    if pair is not None:
        if deletion is None:
            headline(_most_alike(pair[1]))
        st.markdown(literal(_of_agreement(name, pair[1])))
    groups = len(source_groups(trace.cross.keys))
    ask(about, f"Compare with {in_a_sentence(name)}", ("agree", method), _runs(method, trace, groups), compare)
    runs = (len(rankings) + 10) * min(groups, 10)
    parts = "sound" if trace.cross.keys.is_timed else "words"
    what = "Cover squares" if is_picture else f"Take {parts} away"
    ask(about, f"{what}, the most important first", ("deletion",), runs, delete)
    if is_picture:
        _covers(about, runs)
        return method
    st.selectbox(
        "Another way of looking", methods, format_func=kind_name, key="evidence-method", label_visibility="collapsed"
    )
    return method


def _covers(about: About, runs: int) -> None:
    """Squares of a picture put back, the most important first, and what is written where they are covered."""
    trace = about.trace

    def insert(model: Adapter, on_step: OnStep) -> tuple[Insertion, Kept]:
        return insertion_curves(model, trace, on_step=on_step), ()

    def write(model: Adapter, on_step: OnStep) -> tuple[Covered, Kept]:
        return cover(model, trace), ()

    insertion: Insertion | None = ask(about, "Put squares back, the most important first", ("insertion",), runs, insert)
    if insertion is not None:
        st.markdown(literal(insertion.sentence))
    covered: Covered | None = ask(about, "Cover where it looked, write anew", ("cover",), 20, write)
    if covered is not None:
        how = "writes something else" if covered.is_changed else "writes the same"
        st.markdown(
            literal(
                f"With the {len(covered.groups)} of {covered.count} squares covered that it looked at most, it {how}: "
                f"{visible(covered.trace.output)}"
            )
        )
        st.image(np.asarray(covered.picture), width=160)


def _has_captum() -> bool:
    return importlib.util.find_spec("captum") is not None


def _runs(method: Method, trace: Trace, groups: int) -> int:
    """About as many runs of the model as a method takes."""
    tokens = len(trace.steps)
    return {
        "value-zeroing": groups,
        "input-x-gradient": 2 * tokens,
        "integrated-gradients": (20 if trace.cross.keys.is_timed else 100) * tokens,
        "occlusion": groups + 2,
    }.get(method, 2)


def _most_alike(grid: HeadGrid) -> str:
    ranked = grid.ranked()
    if not ranked:
        return "Nothing to rank"
    return f"Head {head_key(*ranked[0])} agrees most: {number(grid.at(*ranked[0]))}"


def _of_agreement(name: str, grid: HeadGrid) -> str:
    """Which head ranks the words as a method does, and which does least, from numbers only."""
    ranked = grid.ranked()
    if not ranked:
        return "The source has fewer than three words, so there are no rankings to compare."
    most, least = ranked[0], ranked[-1]
    return (
        f"{head_title(*most).capitalize()} ranks the source most like {in_a_sentence(name)} "
        f"({grid.unit} {number(grid.at(*most))}), {head_title(*least)} least ({number(grid.at(*least))}); "
        f"the mean over heads is {number(float(np.nanmean(grid.values)))}."
    )


def _side_by_side(about: About, method: Method) -> None:
    """The map of a method beside the raw weights, how far each head agrees with it, and the curves of deletion."""
    trace = about.trace
    pair: Compared | None = about.found("agree", method)
    deletion: Deletion | None = about.found("deletion")
    if pair is not None:
        found, grid = pair
        name, view = kind_name(method), about.view
        ranked = grid.ranked()
        layer, head = (view.layer or 0, int(view.head)) if about.is_head else (ranked[0] if ranked else about.heads[0])
        st.markdown(f"#### {literal(name)} beside attention")
        rows = np.flatnonzero(~trace.cross.queries.is_special)
        names = [trace.cross.queries.name(int(row)) for row in rows]
        columns = [_group_name(trace, group) for group in found.groups]
        own = (0, 0) if found.maps.is_whole_model else (found.maps.layer_index(layer), head)
        weights = trace.cross.head(layer, head)
        left, right = st.columns(2, gap="large")
        for place, title, key, values in (
            ()
            if trace.cross.keys.grid
            else (
                (left, f"Weights of {head_title(layer, head)}", "weights", weights),
                (right, f"{name}, shares of each row", "shares", found.maps.weights[own]),
            )
        ):
            with place:
                st.caption(literal(title))
                sums = np.stack([values[:, list(group)].sum(-1, dtype=np.float64) for group in found.groups], -1)
                draw(pack.word_grid(sums[rows], names, columns, title), f"evidence-{key}")
        left, right = st.columns([3, 2], gap="large")
        with left:
            st.caption(literal(f"{grid.title}, {grid.unit}: 1 ranks alike, \u22121 the other way round."))
            draw_heads(about, grid, "evidence-agreement", top=1.0)
        with right:
            st.caption(literal(f"{found.how} {grid.method} The map is on the tab Map too."))
    insertion: Insertion | None = about.found("insertion")
    if deletion is not None:
        _curves(deletion)
    if insertion is not None:
        st.markdown("#### More and more of the picture, the most important first")
        draw(pack.curves(insertion), "evidence-insertion")
    if (pair is not None or deletion is not None) and trace.cross.keys.grid is None:
        _contrast(about)


def _group_name(trace: Trace, group: tuple[int, ...]) -> str:
    """What a word of the source is called, or where a stretch of sound begins."""
    keys = trace.cross.keys
    if keys.times is not None:
        return f"{keys.times[group[0]][0]:.1f} s"
    if keys.spans is not None and isinstance(trace.input, str):
        return trace.input[keys.spans[group[0]][0] : keys.spans[group[-1]][1]].strip()
    return " ".join(keys.name(position) for position in group)


def _curves(deletion: Deletion) -> None:
    """How the output fares while words are taken away, by ranking, with random orders for comparison."""
    st.markdown("#### Less and less of the source, the most important first")
    draw(pack.curves(deletion), "evidence-curves")
    st.caption(
        "The output stays as it is, and is less likely with every part that goes. A curve that falls sooner than "
        "random orders names what the model needs; occlusion has an advantage here, as it asks the same question."
    )


def _contrast(about: About) -> None:
    """Why this token and not another: which words of the source speak for it."""
    trace = about.trace
    rows = [row for row, step in enumerate(trace.steps) if len(step.alternatives) > 1 and not step.forced]
    if not rows:
        return
    with st.expander("Why this token, and not another?", key="evidence-contrast"):
        left, right = st.columns([1, 3])
        row = left.selectbox(
            "Why",
            rows,
            format_func=lambda one: f"{one + 1}: {visible(trace.steps[one].token)}",
            key=key_of(about, "evidence-why"),
        )
        others = {one.id: visible(one.token) for one in trace.steps[row].alternatives if one.id != trace.steps[row].id}
        other = right.segmented_control(
            "rather than",
            list(others),
            format_func=lambda one: literal(others.get(one, "")),
            key=key_of(about, f"evidence-rather-{row}"),
        )
        if other is None:
            st.caption("Choose the token that could have stood there.")
            return

        def work(model: Adapter, on_step: OnStep) -> tuple[Attribution, Kept]:
            return attribute(model, trace, "occlusion", contrast={row: int(other)}, on_step=on_step), ()

        groups = source_groups(trace.cross.keys)
        found = ask(about, "Find the words that speak for it", ("why", str(row), str(other)), len(groups) + 2, work)
        if found is None:
            return
        sums = [float(found.values[0, 0, row, list(group)].sum()) for group in found.groups]
        top = max(map(abs, sums), default=0.0) or 1.0
        parts = [
            {"text": f"{visible(_group_name(trace, group))} {number(one)}", "shade": one / top}
            for group, one in zip(found.groups, sums, strict=True)
        ]
        draw({"kind": "tokens", "lines": [{"name": "What speaks for it, in nats", "parts": parts}]}, "evidence-spoken")
        st.caption(
            "By how many nats the first token leads less over the other without a word: above 0 the word speaks for "
            "the first, below 0 for the other."
        )
