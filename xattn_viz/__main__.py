"""The command line: `python -m xattn_viz` or `xattn-viz` starts the app; `trace` and `models` work without it."""

from __future__ import annotations

import argparse
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import xattn_viz as xv
from xattn_viz.models.base import ModelError
from xattn_viz.tokens import visible

FORMATS = (".html", ".npz", ".json", ".csv", ".svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, or 2 with one sentence on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    # What bad input raises; anything else is a bug, and its traceback is wanted.
    except (ModelError, ValueError, OSError) as error:
        print(f"xattn-viz: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def app_script() -> Path:
    """Where app.py is: in the package of an installed wheel, beside the package in a clone.

    Raises FileNotFoundError where it is in neither.
    """
    package = Path(__file__).parent
    for folder in (package / "site", package.parent):
        if (folder / "app.py").is_file() and (folder / ".streamlit").is_dir():
            return folder / "app.py"
    raise FileNotFoundError("This installation has no app.py: install xattn-viz again, or start it from a clone.")


def _app(options: argparse.Namespace) -> int:
    # Streamlit reads the configuration beside the script, so this starts like `streamlit run app.py` in the clone.
    sys.argv = ["streamlit", "run", str(app_script())]
    if options.port is not None:
        sys.argv += ["--server.port", str(options.port)]
    # In this process, so that it stops when it is told to; Streamlit then exits by itself.
    runpy.run_module("streamlit", run_name="__main__")
    return 0


def _models(_: argparse.Namespace) -> int:
    for card in xv.cards():
        print(f"{card.name:16} {card.title}")
    return 0


def _trace(options: argparse.Namespace) -> int:
    out: Path | None = options.out
    if out is not None and out.suffix not in FORMATS:
        raise ValueError(f"{out} ends in none of {', '.join(FORMATS)}, which say what to write.")
    trace = xv.load(options.model).trace(options.text)
    if out is None:
        pairs = xv.align(trace.cross, layer=options.layer, head=options.head)
        print(visible(trace.output), *(f"{visible(target)}\t{visible(source)}" for source, target in pairs), sep="\n")
    else:
        content = _export(trace, out.suffix, options.layer, options.head)
        out.write_bytes(content if isinstance(content, bytes) else content.encode())
        print(f"{visible(trace.output)}\nWrote {out}")
    return 0


def _export(trace: xv.Trace, suffix: str, layer: int, head: int) -> bytes | str:
    if suffix == ".svg":
        return xv.export.svg(trace.cross, layer=layer, head=head)
    export = xv.export
    writers: dict[str, Callable[[xv.Trace], bytes | str]] = {
        ".html": export.html,
        ".npz": export.npz,
        ".json": export.json,
        ".csv": export.csv,
    }
    return writers[suffix](trace)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="xattn-viz", description=xv.__doc__ and xv.__doc__.splitlines()[0])
    parser.set_defaults(command=_app, port=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    app = commands.add_parser("app", help="start the app (also without a command)")
    app.add_argument("--port", type=int, help="the port to listen on (default 8501)")
    app.set_defaults(command=_app)

    models = commands.add_parser("models", help="list the models known by name")
    models.set_defaults(command=_models)

    trace = commands.add_parser(
        "trace", help="trace a sentence: print its output and which word aligns with which, or write a file"
    )
    trace.add_argument("model", help="a name from `xattn-viz models`, or a folder that holds a model")
    trace.add_argument("text", help="the sentence")
    trace.add_argument("--out", type=Path, metavar="FILE", help=f"what to write, by its ending: {', '.join(FORMATS)}")
    trace.add_argument("--layer", type=int, default=-1, help="from 0, or from the end when negative (default -1)")
    trace.add_argument("--head", type=int, default=0, help="from 0 (default 0)")
    trace.set_defaults(command=_trace)
    return parser


if __name__ == "__main__":
    sys.exit(main())
