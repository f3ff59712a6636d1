"""What holds for every test: none sees the user's cache, and on CI nothing is skipped, as that proves nothing there.

Of several processes, some drive browsers while others compute: their files are mixed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

# What a test leaves for the next run of a program is left here, and what the user has is not seen.
os.environ["XATTN_VIZ_CACHE"] = tempfile.mkdtemp(prefix="xattn-viz-tests-")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where files are shared out, mix those of tests in the browser, which wait for other processes, with the rest.

    Those of the whole app, which take longest, come before those of the explorer alone: the end is left to short ones.
    """
    if not hasattr(config, "workerinput"):
        return
    files = dict.fromkeys(item.path for item in items)
    place: dict[Path, float] = {}
    for is_waiting in (True, False):
        alike = [path for path in files if ("browser" in path.parts) == is_waiting]
        alike.sort(key=lambda path: "explorer" in path.parts and is_waiting)
        place |= {path: (number + 0.5) / len(alike) for number, path in enumerate(alike)}
    items.sort(key=lambda item: place[item.path])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On CI, turn the skip of a test into a failure."""
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """On CI, turn the skip of a whole file into a failure."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome == "skipped" and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"Nothing may be skipped on CI: {report.longrepr}"
