"""A page about models that read something, from top to bottom: controls, a run, the explorer, panels.

Where there is nothing to show, or nothing to trust, it says why: a run that failed or was stopped, a model that nobody
agreed to or that does not do what it should.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import dropwhile

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from xattn_viz.app import actions, controls, explorer, page, page_state, runner
from xattn_viz.app.page import literal, shortened
from xattn_viz.app.page_state import Kind, PageState, Shown
from xattn_viz.app.runner import Done, Failed, Outcome, Output, Query, Run, Running, Stopped, Task
from xattn_viz.core.tokens import visible_text
from xattn_viz.core.trace import Trace
from xattn_viz.core.view import head_title
from xattn_viz.examples import Example
from xattn_viz.inputs import InputError
from xattn_viz.inputs.text import check_text
from xattn_viz.models import registry
from xattn_viz.models.base import Adapter, ModelError, NeedsConsent

_FAULT = "This could not be traced: the program has a fault. The server\u2019s log says more."
_BIN = (
    "has its weights only in PyTorch\u2019s older format (.bin). They are read as data, and no code in them is run. "
    "Load them only if you trust their authors."
)


def wants_consent(error: Exception) -> bool:
    """Whether a model could be loaded if the visitor allowed its `.bin` weights to be read."""
    return isinstance(error, NeedsConsent)


class NotAgreed(ModelError):  # noqa: N818 - nothing is wrong: the visitor has to say so
    """A model that an address asks for and that is not on the list; its message is the sentence about it."""

    def __init__(self, model: str) -> None:
        super().__init__(f"This address asks for the model {model}, which is not on the list.")


def explain(outcome: Failed | Stopped, place: DeltaGenerator) -> None:
    """Say why a task is not done in its place on the page, with a button where the visitor's consent would help."""
    if isinstance(outcome, Stopped):
        kind, count = page_state.kind(), len(outcome.traces)
        done = f" after {count} {kind.segment}{'s' if count > 1 else ''}" if count else ""
        place.info(f"Stopped{done}. Press {kind.action} to start again.")
        return
    error, model = outcome.error, outcome.task.query.model
    with place.container():
        if isinstance(error, NotAgreed):
            st.info(literal(str(error)))
            st.button(f"Load {literal(model)}", on_click=actions.agree, args=(model,))
        elif wants_consent(error):
            st.error(literal(f"{model} {_BIN}"))
            st.button("Load it anyway (weights only)", on_click=actions.allow_weights, args=(model,))
        else:
            st.error(literal(str(error) if isinstance(error, InputError | ModelError) else _FAULT))


#: Between two looks at a run that is drawn while it goes on, and at one that only tells how far it is, in seconds.
_LOOK_SECONDS, _PROGRESS_SECONDS = 0.3, 0.25
_OWN_HELP = "Type or paste an output. The model does not write then: it reads the source for each of these tokens."
_BESIDE_HELP = "Both outputs of the same source, their tokens aligned and the differences marked."


def show(kind: Kind) -> None:
    """Draw the page of a kind, and run the model where that is asked for."""
    page.begin(kind)
    controls.show()
    line = st.empty()
    with kind.frame(page_state.current().query):
        try:
            _show_traces(line)
        except InputError as error:  # a trace that ships is shown of a sound that cannot be read here
            st.error(literal(str(error)))
    runner.settle()


def _show_traces(line: DeltaGenerator) -> None:
    outcome = _outcome(Task(page_state.current().query.best), line)
    if isinstance(outcome, Running):
        _watch()
        return
    state = page_state.current()
    traces = () if isinstance(outcome, Failed) else outcome.traces
    if not traces:
        page_state.put(replace(state, shown=None))
        return
    state = page_state.put(replace(state, segment=min(state.segment, len(traces) - 1)))
    best = trace = traces[state.segment]
    if state.query.output.is_best:
        st.empty()  # the place where a problem would be told: what follows stays where it is
    else:
        other = _outcome(Task.of_output(state.query, best), line)
        if isinstance(other, Running):
            _watch()
            return
        trace = other.traces[0] if isinstance(other, Done) else best
        state = page_state.current()
    is_other = trace is not best
    shown = Shown(state.query if is_other else state.query.best, traces, best, trace)
    if is_other and state.is_beside:
        shown = replace(shown, beside=best)
    if state.compared is not None:
        against = _second(state.compared, state.segment, line)
        state, shown = page_state.current(), _beside(shown, against, state.segment)
    page_state.put(replace(state, shown=shown))
    _show(shown, line)


def _second(query: Query, segment: int, line: DeltaGenerator) -> Outcome:
    """What comes of the query that another one is compared with: its best outputs, or its other output of a segment."""
    found = _outcome(Task(query.best), line, is_first=False)
    if query.output.is_best or isinstance(found, Failed | Running) or not found.traces:
        return found
    best = found.traces[min(segment, len(found.traces) - 1)]
    return _outcome(Task.of_output(query, best), line, is_first=False)


def _beside(shown: Shown, against: Outcome, segment: int) -> Shown:
    """What is shown with what came of the query that it is compared with, or as it was, below a sentence why."""
    if isinstance(against, Failed | Running) or not against.traces:
        return shown
    other = against.traces[min(segment, len(against.traces) - 1)]
    if other != shown.trace:
        from xattn_viz.web.explorer.beside import check_beside  # nobody who compares nothing waits for it

        try:
            check_beside(shown.trace, other)
        except InputError as error:
            st.error(literal(str(error)))
            return shown
    return replace(shown, beside=other, names=page_state.COMPARED)


def _show(shown: Shown, line: DeltaGenerator) -> None:
    kind = page_state.kind()
    remark = _show_line(shown, line)
    trace = shown.trace
    page.tell_fault(trace.fault or shown.best.fault, kind.doubt(shown))
    told = {remark, kind.notice(shown), trace.fault}
    kind.playback(shown)  # raises where the sound cannot be read; within a fragment that would be a traceback
    state = page_state.current()
    if state.tab == "evidence" and has_evidence(shown):
        from xattn_viz.app import evidence  # nobody who looks at maps alone waits for it

        evidence.show(shown, loader(shown.query))
        return
    if state.measurement is not None and state.measurement.outcome is None:
        from xattn_viz.app import measurement

        measurement.follow(state.measurement)
    explorer.show(shown)
    for panel in kind.below:
        panel(shown)
    explorer.below(shown, told=told)


def _outcome(task: Task, line: DeltaGenerator, *, is_first: bool = True) -> Outcome:
    """What comes of a task: kept from before, run now while `line` shows how far it is, or why there is nothing.

    What was stopped or failed runs again only when it is asked for again. A run that is to be watched goes on; one that
    is not the first is waited for, so that the first stays in view.
    """
    problem = st.empty()
    content = registry.content(task.query.model)  # of other files, the traces are others
    if traces := runner.kept(task, content) or runner.shipped(task) or _opened(task):
        runner.keep(task, content, traces)
        _put(done := Done(task, traces))
        return done
    before = page_state.options_of(task.query.model)
    outcome = page_state.current().outcome_of(task) or _begin(task)
    if isinstance(outcome, Running):
        _put(outcome)
        if not is_first or not st.session_state.get("live"):
            _wait(outcome.run, line)
        outcome = runner.ended(outcome)
        if isinstance(outcome, Done | Failed) and page_state.options_of(task.query.model) != before:
            _put(outcome)
            actions.complete()
            st.rerun()  # the controls above were drawn before the model's options were known
    _put(outcome)
    if isinstance(outcome, Failed | Stopped):
        explain(outcome, problem)
    return outcome


def _opened(task: Task) -> runner.Traces | None:
    """The traces of a task that an opened file holds; None where there are none, or no file."""
    if task.query.source != "file":
        return None
    from xattn_viz.app import opened

    return opened.traces(task)


def _put(outcome: Outcome) -> None:
    page_state.put(page_state.current().with_outcome(outcome))


def _begin(task: Task) -> Running | Failed:
    """Begin a run, or say why there is none. No model is loaded only to say that there is nothing to read."""
    kind, query = page_state.kind(), task.query
    try:
        if reason := page_state.unasked(query):
            raise InputError(reason)
        if not page_state.is_agreed(query.model):
            raise NotAgreed(query.model)
        if query.source == "text" and not page_state.was_loaded(query.model):
            check_text(query.input)
        named = kind.named(query) if task.segment is None else None
    except (InputError, NotAgreed) as error:
        return Failed(task, error)
    task = replace(task, named=named)
    is_watched = bool(st.session_state.get("live"))
    return Running(task, Run(task, loader(query), kind.segment, is_watched=is_watched))


def loader(query: Query) -> Callable[[runner.Report], Adapter]:
    """What loads the model of a query, in any thread; it raises NotAgreed where the visitor has to say so first."""
    kind, name = page_state.kind(), query.model
    is_agreed, is_allowed = page_state.is_agreed(name), name in page_state.visit().weights_allowed

    def begin(report: runner.Report) -> Adapter:
        if not is_agreed:
            raise NotAgreed(name)
        return load(name, kind, report, allow_weights=is_allowed)

    if query.source != "file":
        return begin
    from xattn_viz.app import opened

    return opened.same(begin, query)


def _wait(run: Run, line: DeltaGenerator) -> None:
    """Tell how far a run is until it ends. Drawing is also where Streamlit ends this script for another request."""
    if run.look(_PROGRESS_SECONDS):
        return
    shown = page_state.current().shown
    on_screen = f" · On screen until then: {shortened(page_state.input_title(shown.query))}" if shown else ""
    place = "progress" if run.task.segment is None else "progress-output"
    if (compared := page_state.current().compared) is not None and run.task.query in (compared, compared.best):
        place += "-compared"  # the first may have run in the same run of the page
    with line.container(horizontal=True, vertical_alignment="center", key=place):
        bar = st.progress(0.0)
        st.button("Stop", key=f"stop-{place}", on_click=actions.stop)
    while not run.look(_PROGRESS_SECONDS):
        share, said = run.progress
        bar.progress(share, text=literal(said + on_screen))
    line.empty()


@st.fragment(run_every=_LOOK_SECONDS)
def _watch() -> None:
    """What is written so far, with a button to stop; at the end the page runs again and finds the traces."""
    running = page_state.current().running
    if running is None:
        return
    run = running.run
    if run.look():
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", key="writing"):
        st.markdown(literal(run.progress[1]), width="content")
        st.button("Stop", key="stop-writing", on_click=actions.stop)
    if run.latest is not None:
        page.tell_fault(run.latest.fault)
        explorer.draw(run.latest, page_state.current().first, growing=True)


def _show_line(shown: Shown, line: DeltaGenerator) -> str:
    """Fill the line below the controls: which segment, which of its outputs, what to notice. Returns the latter."""
    kind, state = page_state.kind(), page_state.current()
    best, count = shown.best, len(shown.traces)
    with line.container(horizontal=True, vertical_alignment="center", gap="small", key="line"):
        if has_evidence(shown):
            _choose_tab(state)
        if count > 1:
            at = state.segment
            st.button("◀ Previous", key="previous", disabled=at == 0, on_click=actions.turn_segment, args=(-1,))
            st.button("Next ▶", key="next", disabled=at == count - 1, on_click=actions.turn_segment, args=(1,))
            place = f"{kind.segment.capitalize()} {at + 1} of {count}{kind.place(best)}"
            st.markdown(literal(place), width="content")
        if kind.own and best.steps:
            if not page_state.unasked(shown.query):
                _choose_output(best, state)
        elif kind.own:  # nothing was written token by token: the answer is no row of a map
            st.markdown(f"**{literal(best.output[:1].upper() + best.output[1:])}.**", width="content")
        if kind.makes == "text" or not page_state.unasked(shown.query):
            kind.control(state.query, best)
        _choose_compared(state, best)
        is_best = shown.trace is best
        marked = kind.mark(shown) if is_best else ""
        if marked and shown.names == page_state.COMPARED:
            from xattn_viz.app import comparing

            marked = comparing.mark_both(shown, marked)
        is_answer = bool(marked and kind.own and not best.steps)  # an answer beside it leaves little room
        remark = "" if is_answer else _remark(shown) or kind.remark(shown) or explorer.CAUTION
        st.caption(literal(" ".join(filter(None, [marked, remark]))))
    return remark


def has_evidence(shown: Shown) -> bool:
    """Whether the heads behind what is shown can be changed while its output is read again."""
    card = page_state.card_of(shown.trace.model)
    can = card is not None and {"write", "ablate"} <= card.can and bool(shown.trace.steps)
    return can and not page_state.unasked(shown.query)


def _choose_tab(state: PageState) -> None:
    st.session_state.tab = state.tab
    st.segmented_control(
        "What is shown",
        ("map", "evidence"),
        required=True,
        format_func=str.capitalize,
        key="tab",
        on_change=actions.take_tab,
        label_visibility="collapsed",
    )


def _choose_output(best: Trace, state: PageState) -> None:
    output = state.query.output
    with st.popover("Output", key="output"):
        listed = _listed(best, output)
        shown, target = page_state.output_key("outputs"), page_state.output_key("target")
        st.session_state[shown] = output
        st.selectbox(
            "Shown",
            list(listed),
            format_func=lambda one: visible_text(listed.get(one, "")),
            key=shown,
            on_change=actions.take_output,
            args=(shown,),
        )
        st.session_state[target] = output.target
        st.text_area(
            page_state.kind().own,
            key=target,
            help=_OWN_HELP,
            on_change=actions.take_target,
            args=(target,),
            placeholder=visible_text(best.output),
        )
    if not output.is_best:
        st.session_state.beside = state.is_beside
        st.checkbox("Beside the model\u2019s best", key="beside", help=_BESIDE_HELP, on_change=actions.take_beside)


def _choose_compared(state: PageState, best: Trace) -> None:
    """What stands beside what is shown, to be given and changed; drawn once it is opened."""
    name = "Compare" if state.compared is None else "Compared"
    with (opened := st.popover(name, key="compare", on_change="rerun")):
        if opened.open:
            from xattn_viz.app import comparing  # nobody who compares nothing waits for it

            comparing.show(best)


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


def _remark(shown: Shown) -> str:
    """How likely the output is against others, or what to notice in an example; empty where neither can be said."""
    best, query = shown.best, shown.query
    if shown.names == page_state.COMPARED and shown.beside is not None:
        from xattn_viz.app import comparing

        return comparing.remark(shown)
    if query.source == "file":
        from xattn_viz.app import opened

        return opened.remark(query)
    if shown.trace is not best:
        return f"Log-probability {_log_prob(shown.trace)}; of the model\u2019s best {_log_prob(best)}."
    if best.hypotheses:
        return f"Log-probability {_log_prob(best)}; the best of {len(best.hypotheses) + 1} beams."
    example = page_state.example_of(query)
    if example is None or (query.source == "text" and query != page_state.query_of(example)):
        return ""
    said = example.said if isinstance(example, Example) else example.notice
    return f"{head_title(example.layer, example.head).capitalize()}. {said}"


def _log_prob(trace: Trace) -> str:
    """The sum over all tokens, the visitor's included; not those that the model always begins with."""
    steps = [*zip(trace.steps, trace.cross.queries.is_special, strict=True)]
    counted = [step.log_prob for step, _ in dropwhile(lambda pair: pair[0].forced and pair[1], steps)]
    # Firefox's shortlist leaves out most of the vocabulary, so that what is chosen from it looks likelier.
    short = trace.settings.get("shortlist") and not trace.steps[-1].forced
    said = f"{sum(counted):.2f} ({len(counted)} tokens{', over the shortlist' if short else ''})"
    return said.replace("-", "\u2212")


def load(name: str, kind: Kind, report: runner.Report, *, allow_weights: bool = False) -> Adapter:
    """A model for a page of this kind, in any thread; `report` hears of its download.

    Raises ModelError in one sentence.
    """
    if not page_state.was_loaded(name):
        kind.prepare()
    options = {"allow_pickle": True} if allow_weights else {}
    model = registry.load(name, on_progress=_downloading(report), **options)
    if not kind.has(model.card):
        # A model of speech would take what is typed for the name of a file.
        raise ModelError(f"{model.card.title} {kind.refusal}")
    # A folder's card carries the folder's full path, which is also what the trace says of its model.
    page_state.keep_card(name, model.card)
    return model


def _downloading(report: runner.Report) -> Callable[[int, int], None]:
    def on_progress(done: int, total: int) -> None:
        said = f"Downloading the model: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"
        report(done / max(total, 1), said if done < total else "Loading the model …")

    return on_progress
