"""Translate a sentence and see which source words each output token looked at."""

from xattn_viz.ui import controls, explorer, page, panels, session

page.begin()
request = controls.request()
traces = session.traces(request)
if traces:
    trace = controls.sentence_of(traces)
    explorer.show(trace, request.select)
    panels.below(trace)
