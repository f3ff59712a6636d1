"""The line below the controls: which segment, which of its outputs, and what to notice."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import dropwhile

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.app import asking, choosing, comparing, kind, known, pictures, sounds, timing
from xattn_viz.app.address import Output, Request
from xattn_viz.app.page import literal
from xattn_viz.core.tokens import visible_text
from xattn_viz.core.trace import Trace
from xattn_viz.examples import clips

_CAVEAT = "Attention weights show where a head read from. They do not show why the model chose a word."
_WHOLE_RISK = (
    "Whole text: where a model was trained on single sentences, it may skip, repeat or merge some of a longer text."
)
#: What two outputs beside each other are called, the chosen one first.
NAMES = ("Chosen", "The model\u2019s best")
_OWN_HELP = "Type or paste an output. The model does not write then: it reads the source for each of these tokens."
_BESIDE_HELP = "Both outputs of the same source, their tokens aligned and the differences marked."


def segment_of(traces: Sequence[Trace]) -> Trace:
    """The trace of the segment paged to."""
    state = st.session_state
    state.segment = min(state.segment, len(traces))
    chosen: int = state.segment - 1
    return traces[chosen]


def show(traces: Sequence[Trace], best: Trace, shown: Trace, line: DeltaGenerator) -> str:
    """Fill the line. `best` is what the model wrote by itself, `shown` the output in view. Returns what it remarks."""
    state = st.session_state
    with line.container(horizontal=True, vertical_alignment="center", gap="small", key="line"):
        if len(traces) > 1:
            first, last = state.segment <= 1, state.segment >= len(traces)
            st.button("◀ Previous", key="previous", disabled=first, on_click=choosing.page, args=(-1,))
            st.button("Next ▶", key="next", disabled=last, on_click=choosing.page, args=(1,))
            st.markdown(literal(_place(best, state.segment, len(traces))), width="content")
        if kind.current().own and best.steps:
            _choice(best)
        elif kind.current().own:  # nothing was written token by token: the answer is no row of a map
            st.markdown(f"**{literal(best.output[:1].upper() + best.output[1:])}.**", width="content")
        else:
            comparing.control(state.output)
        if kind.current() == kind.AUDIO:
            timing.control(best)
        marked = known.remark(state.shown_for, best) if shown is best else ""
        is_said = marked and kind.current().own and not best.steps  # an answer beside it leaves little room
        remark = "" if is_said else _remark(state.shown_for, best, shown)
        st.caption(literal(" ".join(filter(None, [marked, remark]))))
    return remark


def _place(best: Trace, number: int, count: int) -> str:
    said = f"{kind.current().segment.capitalize()} {number} of {count}"
    if best.cross.keys.kind != "audio":
        return said
    start, end = sounds.stretch(best)
    return f"{said}: {sounds.clock(start)}–{sounds.clock(end)}"


def _choice(best: Trace) -> None:
    state = st.session_state
    output: Output = state.output
    with st.popover("Output", key="output", help="Another beam, or a text of your own"):
        listed = _listed(best, output)
        shown, target = choosing.output_key("outputs"), choosing.output_key("target")
        state[shown] = output
        st.selectbox(
            "Shown",
            list(listed),
            format_func=lambda one: visible_text(listed.get(one, "")),
            key=shown,
            on_change=choosing.take_output,
            args=(shown,),
        )
        state[target] = output.target
        st.text_area(
            kind.current().own,
            key=target,
            help=_OWN_HELP,
            on_change=choosing.take_target,
            args=(target,),
            placeholder=visible_text(best.output),
        )
    if not output.is_best:
        state.beside = output.beside
        st.checkbox("Beside the model\u2019s best", key="beside", help=_BESIDE_HELP, on_change=choosing.take_beside)


def _listed(best: Trace, output: Output) -> dict[Output, str]:
    """The outputs that there are, and how the list names each."""
    found = {Output(): f"The model\u2019s best: {best.output}"}
    for number, other in enumerate(best.hypotheses, 1):
        found[Output(hypothesis=number)] = f"Beam {number + 1}, log-probability {other.log_prob:.2f}: {other.text}"
    if output.target:
        found[output] = f"Your own: {output.target}"
    elif output.prefix:
        found[output] = f"Another token at step {len(output.prefix)}"
    elif output not in found:
        found[output] = f"Beam {output.hypothesis + 1}"
    return found


def _remark(request: Request, best: Trace, shown: Trace) -> str:
    if shown is not best:
        if shown.pictures:
            return "The same noise to begin with, another prompt."
        return f"Log-probability {_log_prob(shown)}; of the model\u2019s best {_log_prob(best)}."
    if best.hypotheses:
        return f"Log-probability {_log_prob(best)}; the best of {len(best.hypotheses) + 1} beams."
    example = asking.example_of(request)
    if example is not None and (request.named or request == asking.example_request(example)):
        return f"Layer {example.layer + 1}, head {example.head + 1}. {example.notice}"
    if not request.sound:
        return f"{name}. {_CAVEAT}" if (name := pictures.title(request.picture)) else _caveat(request, best)
    if sounds.is_clip(request.sound):
        return clips.find(request.sound).notice
    return f"{sounds.title(request.sound)}. {_CAVEAT}"


def _caveat(request: Request, best: Trace) -> str:
    """What most needs to be said: that this text came out short or in part, that any whole text may, or the caveat."""
    return best.note("omission") or (_WHOLE_RISK if request.whole else _CAVEAT)


def _log_prob(trace: Trace) -> str:
    """The sum over all tokens, the visitor's included; not those that the model always begins with."""
    steps = [*zip(trace.steps, trace.cross.queries.is_special, strict=True)]
    counted = [step.log_prob for step, _ in dropwhile(lambda pair: pair[0].forced and pair[1], steps)]
    # Firefox's shortlist leaves out most of the vocabulary, so that what is chosen from it looks likelier.
    short = trace.settings.get("shortlist") and not trace.steps[-1].forced
    said = f"{sum(counted):.2f} ({len(counted)} tokens{', over the shortlist' if short else ''})"
    return said.replace("-", "\u2212")
