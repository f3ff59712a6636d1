"""The app and what is there to begin with: `serve`, `open`, `models`, `doctor`."""

from __future__ import annotations

import dataclasses
import os
import runpy
import sys
from collections.abc import Mapping

import click

import xattn_viz as xv
from xattn_viz.cli import common

_PORT = click.option("--port", type=click.IntRange(1, 65535), help="The port to listen on; 8501 unless given.")
_ADDRESS = click.option(
    "--address", help="The address to listen on; this machine alone, unless 0.0.0.0 lets in whoever comes."
)


@common.command("xattn-viz serve --port 8600")
@_PORT
@_ADDRESS
def serve(port: int | None, address: str | None) -> None:
    """Start the app, as without a command.

    It runs until Ctrl-C. docs/install.md says what to close where others than yourself can reach it.
    """
    _start(port, address)


@common.command("xattn-viz open cat.npz")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE…",
    help="Saved traces (.npz), a saved visit (.zip), or what other programs saved (docs/formats.md).",
    shell_complete=common.complete_files,
)
@_PORT
@_ADDRESS
def open(files: tuple[str, ...], port: int | None, address: str | None) -> None:  # noqa: A001 - as the command is called
    """Start the app with saved traces open, the first of them shown.

    Whoever comes sees them; nothing of them is run again.
    """
    from xattn_viz.app import opened  # with all that a page imports

    _start(port, address, opened.environment(files))


def _start(port: int | None, address: str | None, environment: Mapping[str, str] | None = None) -> None:
    from xattn_viz.doctor import app_script
    from xattn_viz.models.registry import check_settings

    check_settings()
    os.environ.update(environment or {})
    # Streamlit reads the configuration beside the script, so this starts like `streamlit run app.py` in the clone.
    sys.argv = ["streamlit", "run", str(app_script())]
    if address is not None:
        sys.argv += ["--server.address", address]
    if port is not None:
        sys.argv += ["--server.port", str(port)]
    # In this process, so that it stops when it is told to; Streamlit then exits by itself.
    runpy.run_module("streamlit", run_name="__main__")


@common.command("xattn-viz models")
@common.JSON
def models(as_json: bool) -> None:
    """List the models known by name.

    With --json each with its card: what it reads, its languages, licence, options and the MB to download, null for one
    that comes with the package.
    """
    cards = xv.cards()
    said = [{**dataclasses.asdict(card), "can": sorted(card.can)} for card in cards]
    widest = max(len(card.name) for card in cards)
    common.answer(as_json, said, *(f"{card.name:{widest}}  {card.title}" for card in cards))


@common.command("xattn-viz doctor")
@common.JSON
def doctor(as_json: bool) -> int:
    """Say whether this installation is well, and what to do about each fault.

    The exit code is 1 where something is not well.
    """
    from xattn_viz import doctor

    return doctor.doctor(as_json=as_json)
