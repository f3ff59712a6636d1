"""How a test without a browser opens a page of the app, and what it reads of it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.server import ROOT
from xattn_viz.app.page_state import PageState
from xattn_viz.app.runner import Query
from xattn_viz.core.trace import Trace


def opened(page: str = "translate", **said: str) -> AppTest:
    """A page at an address that says `said`."""
    app = AppTest.from_file(ROOT / "app.py", default_timeout=120)
    for name, value in said.items():
        app.query_params[name] = value
    return (app if page == "translate" else app.switch_page(f"pages/{page}.py")).run()


def press(app: AppTest, label: str) -> AppTest:
    """Press the button of this label."""
    return next(button for button in app.button if button.label == label).click().run()


def state(app: AppTest) -> PageState:
    """The state of the page that is shown."""
    found: PageState = app.session_state[f"{app.session_state['visit'].kind.name}-page"]
    return found


def query(app: AppTest) -> Query:
    """What is asked for."""
    return state(app).query


def traces(app: AppTest) -> tuple[Trace, ...]:
    """The traces that are shown, none where nothing is."""
    shown = state(app).shown
    return shown.traces if shown else ()
