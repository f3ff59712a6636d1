"""Does a head matter: what each costs, what comes without some, which brings a word back, a row that looks elsewhere.

The half of the tab *Evidence* that changes heads while an output is read again.
"""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import streamlit as st

from xattn_viz.analysis.alignment_heads import known_heads
from xattn_viz.analysis.head_costs import (
    Head,
    HeadCosts,
    Removal,
    SmallestSet,
    ablated_output,
    head_costs,
    set_costs,
    smallest_set,
)
from xattn_viz.analysis.patching import EditedRow, Patching, edit_row, patch_heads
from xattn_viz.app import runner
from xattn_viz.app.measurement import About, ask, draw, draw_heads, heading, headline, key_of
from xattn_viz.app.page import literal
from xattn_viz.app.runner import Kept
from xattn_viz.core.tokens import visible, visible_text, word_spans
from xattn_viz.core.trace import Alternative, Trace, probability
from xattn_viz.core.view import head_key, head_title
from xattn_viz.examples import EXAMPLES, clips
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelCard, OnStep
from xattn_viz.web import evidence as pack
from xattn_viz.web.evidence import number

_HOW: dict[Removal, str] = {
    "zero": "its output zero",
    "uniform": "its weights even",
    "mean": "its mean over the examples",
}
_LITTLE = 0.25  # of the largest cost: a head that aligns and costs less need not matter


def card(about: About) -> HeadCosts | None:
    """The card about what each head costs; what was found, by the way of removing that is chosen."""
    heading(
        "Matters?",
        "Each head in turn is taken away while the model reads its own output again. What it costs is what the rest, "
        "which learned with it, misses on these tokens: heads that stand in for each other cost little each, and a "
        "model trained without the head might do as well.",
    )
    offered = [how for how in get_args(Removal) if how != "mean" or _examples(about.card)]
    measured = [question[1] for question in runner.asked_of(about.whose) if question[0] == "costs"]
    st.session_state.setdefault("evidence-how", measured[0] if measured else "zero")
    if st.session_state["evidence-how"] not in offered:
        st.session_state["evidence-how"] = "zero"
    how: Removal = st.session_state["evidence-how"]
    trace, sentences = about.trace, _examples(about.card) if how == "mean" else ()

    def work(model: Adapter, on_step: OnStep) -> tuple[HeadCosts, Kept]:
        inputs = [clips.sound(one) for one in sentences] if model.card.input_kind == "audio" else sentences
        found = head_costs(model, trace, how, sentences=inputs, on_step=on_step)
        return found, (found.grid(),)

    found: HeadCosts | None = about.found("costs", how)
    if found is None:
        st.markdown("What does the output lose without each head?")
    written = 15 if about.card.input_kind == "audio" else 2  # of speech a sentence takes as long as so many runs
    runs = len(about.heads) + 1 + written * len(sentences)
    found = ask(about, "Measure each head", ("costs", how), runs, work, is_first=True)
    if found is not None:
        layer, head = found.largest
        headline(f"Head {head_key(layer, head)} costs {number(float(found.costs[layer, head]))} nats a token")
        st.markdown(f"{literal(found.sentence)} {literal(_of_aligning(found, trace))}")
        st.caption(literal(found.method))
    st.selectbox(
        "A head that is taken away",
        offered,
        format_func=lambda one: f"A head taken away: {_HOW[one]}",
        key="evidence-how",
        label_visibility="collapsed",
    )
    return found


def _examples(card: ModelCard) -> tuple[str, ...]:
    """What a mean is taken over: the examples in the language that a model reads, or the clips that ship."""
    if card.input_kind == "audio":
        return tuple(clip.slug for clip in clips.CLIPS)
    cards = {one.name: one for one in registry.cards()}
    return tuple(
        one.text
        for one in EXAMPLES
        if card.source_language and cards[one.model].source_language == card.source_language
    )


def _of_aligning(costs: HeadCosts, trace: Trace) -> str:
    """What the head costs that aligns, where it is known which one does."""
    known = known_heads(trace)
    if known is None:
        return ""
    first = known[0][0]
    name, cost = head_title(first.layer, first.head), float(costs.costs[first.layer, first.head])
    if (first.layer, first.head) == costs.largest:
        return "It is the head that aligns best."
    said = f"{name.capitalize()}, which aligns best, costs {number(cost)}"
    return f"{said}: a head that aligns need not matter." if cost < _LITTLE * costs.costs[costs.largest] else f"{said}."


def head_by_head(about: About, costs: HeadCosts) -> None:
    """Every head's number, the output without the head in view, and what can be asked of heads together."""
    trace, view = about.trace, about.view
    st.markdown("#### What each head costs, in nats a token")
    fewest: SmallestSet | None = about.found("fewest")
    grid = costs.grid()
    marks = fewest.kept if fewest else ()
    left, right = st.columns([3, 2], gap="large")
    with left:
        draw_heads(about, grid, f"evidence-costs-{costs.how}", marks=marks)
        st.caption("0.69 nats halve a probability. A click on a number chooses that head, on the map too.")
    with right:
        if about.is_head:
            layer, head = view.layer or 0, int(view.head)
            cost = number(float(costs.costs[layer, head]))
            st.markdown(f"**{literal(view.title.capitalize())}** costs **{literal(cost)}**.")
            draw(pack.tokens_without(costs, trace, layer, head), "evidence-tokens")
            st.caption(
                "The stronger the colour of a token, the more it loses without the head; below it stands what would "
                "come instead."
            )
        _fewest(about, fewest)
    _without(about)
    if isinstance(trace.input, str) and trace.cross.keys.kind == "text":
        _exchange(about)
        _edit(about)


def _fewest(about: About, found: SmallestSet | None) -> None:
    trace, count = about.trace, len(about.heads)

    def work(model: Adapter, on_step: OnStep) -> tuple[SmallestSet, Kept]:
        return smallest_set(model, trace, on_step=on_step), ()

    ask(about, "Smallest set that keeps the output", ("fewest",), 3 * count, work)
    if found is not None:
        names = ", ".join(head_key(layer, head) for layer, head in found.kept) or "none"
        cost = f" and costs {number(found.costs[-1])} nats a token" if found.costs else ""
        st.markdown(
            f"**{len(found.kept)} of {len(about.heads)} heads** are enough for this output: {literal(names)}, framed "
            f"among the numbers. Without all others it stays the same{literal(cost)}."
        )
        st.caption("The cheapest head is taken away again and again; a smaller set can exist that this does not see.")


def _without(about: About) -> None:
    """Choose heads, and see what the model writes without them."""
    trace = about.trace
    with st.expander("Take several heads away, and see what the model writes", key="evidence-without"):
        layers = [f"{layer + 1}.all" for layer in trace.cross.layers]
        chosen = st.multiselect(
            "Heads to take away, as layer.head",
            [*layers, *(head_key(layer, head) for layer, head in about.heads)],
            default=[head_key(about.view.layer, about.view.head)] if about.is_head else [],
            key=key_of(about, "evidence-heads"),
        )
        if not chosen:
            return
        heads: list[Head] = []
        for one in chosen:
            layer, head = one.split(".")
            heads.append((int(layer) - 1, None if head == "all" else int(head) - 1))

        def work(model: Adapter, on_step: OnStep) -> tuple[Any, Kept]:
            cost = float(set_costs(model, trace, [heads])[0])
            return (ablated_output(model, trace, heads, on_step=on_step), cost), ()

        found = ask(about, "Write without them", ("without", *sorted(chosen)), len(trace.steps) + 2, work)
        if found is not None:
            output, cost = found
            change = "the output changes" if output.changes else "the output stays the same"
            without = f"Without {', '.join(chosen)} a token of the output loses {number(cost)} nats; {change}."
            st.markdown(literal(without))
            draw(pack.two_outputs(output, ("With all heads", "Without them")), "evidence-outputs")


def _exchange(about: About) -> None:
    """Exchange a word of the source, and see which head brings it back."""
    trace = about.trace
    text = str(trace.input)
    words = list(dict.fromkeys(text[a:b] for a, b in word_spans(text) if text[a:b].isalnum()))
    with st.expander("Exchange a word of the source: which head brings it back?", key="evidence-exchange"):
        left, right = st.columns(2)
        longest = max(range(len(words)), key=lambda i: len(words[i]), default=0)
        word = left.selectbox("Word", words, longest, format_func=visible_text, key=key_of(about, "evidence-word"))
        by = right.text_input("In its place", key=key_of(about, "evidence-by"), max_chars=60).strip()
        if not word or not by:
            st.caption("Type another word, such as *dog* in place of *cat*, and press Enter.")
            return

        def work(model: Adapter, on_step: OnStep) -> tuple[Patching, Kept]:
            found = patch_heads(model, trace, (word, by), on_step=on_step)
            return found, (found.grid(),)

        runs = len(about.heads) + len(trace.cross.layers) + 3
        found: Patching | None = ask(about, "Put each head\u2019s output back", ("patch", word, by), runs, work)
        if found is None:
            return
        layer, head = np.unravel_index(int(np.nanargmax(found.restored)), found.restored.shape)
        name, most = head_title(trace.cross.layers[layer], int(head)), float(found.restored[layer, head])
        changed = ", ".join(f"“{one}”" for one in found.words)
        st.markdown(
            f"{literal(name.capitalize())} brings most of {literal(changed)} back: {literal(number(most))} of what it "
            f"lost. With *{literal(by)}* the model writes: {literal(found.other.output)}"
        )
        draw_heads(about, found.grid(), "evidence-patch", top=1.0)
        whole = ", ".join(f"layer {one + 1} {number(float(share))}" for one, share in enumerate(found.by_layer))
        st.caption(literal(f"All heads of a layer at once: {whole}. {found.method}"))
        st.caption(
            "A large share says that the head carries what differs between the two sources; a small one does not say "
            "that it is idle, as another may carry the same. Shares need not sum to 1."
        )


def _edit(about: About) -> None:
    """Move the weight of a row to another word, and see the next token."""
    trace, view = about.trace, about.view
    queries, keys = trace.cross.queries, trace.cross.keys
    with st.expander("Move a row\u2019s weight to another word: what would come next?", key="evidence-edit"):
        if not about.is_head:
            st.caption("Choose a head of cross-attention first: click its number above.")
            return
        first, second, third = st.columns([2, 2, 3], vertical_alignment="bottom")
        row = first.selectbox(
            "Where it predicts",
            range(len(queries)),
            format_func=lambda one: f"{one + 1}: {visible(queries.name(one))}",
            key=key_of(about, "evidence-row"),
        )
        column = second.selectbox(
            "let it look at",
            range(len(keys)),
            format_func=lambda one: f"{one + 1}: {visible(keys.name(one))}",
            key=key_of(about, "evidence-column"),
        )
        layer, number_of_head = view.layer or 0, int(view.head)
        names = {"head": view.title.capitalize(), "layer": f"All heads of layer {layer + 1}"}
        who = third.segmented_control(
            "Whose weight",
            list(names),
            format_func=names.__getitem__,
            required=True,
            default="layer",
            key=key_of(about, "evidence-who"),
        )
        head = number_of_head if who == "head" else None

        def work(model: Adapter, on_step: OnStep) -> tuple[EditedRow, Kept]:
            return edit_row(model, trace, layer, head, row, column, on_step=on_step), ()

        question = ("edit", str(layer), str(head), str(row), str(column))
        found: EditedRow | None = ask(about, "Move all of its weight there", question, 2, work)
        if found is None:
            return
        lines = [("As it is", found.before), ("Looking there", found.after)]
        draw(
            {
                "kind": "tokens",
                "lines": [
                    {"name": name, "parts": [_alternative(one, i == 0) for i, one in enumerate(tokens)]}
                    for name, tokens in lines
                ],
            },
            "evidence-edited",
        )
        st.caption(
            "The likeliest tokens at that place. Where they stay the same, other heads say it too: that this head "
            "reads a word does not make it the reason for the next one."
        )


def _alternative(token: Alternative, is_first: bool) -> dict[str, Any]:
    share = probability(token.log_prob)
    said = "<1%" if share < 0.005 else f"{share:.0%}"
    return {"text": f"{visible(token.token)} {said}", "shade": share, "marked": is_first}
