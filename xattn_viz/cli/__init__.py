"""The command line: `python -m xattn_viz` or `xattn-viz` starts the app; the other commands do without it.

A module here holds the commands of one story. It is imported when one of them is asked for, so that help, completion
and the answer to a mistake wait for nothing. docs/command-line.md shows each command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

_MISSING = (
    "xattn-viz: the package {} is missing, and nothing runs without it: install xattn-viz again, in a clone with "
    "make run."
)

try:
    import click
    from click.shell_completion import CompletionItem

    import xattn_viz as xv
except ModuleNotFoundError as error:
    if not error.name or error.name.startswith("xattn_viz"):
        raise
    raise SystemExit(_MISSING.format(error.name.partition(".")[0])) from None

#: Each command: the module that holds it, and what it does in a line, which its own help begins with.
COMMANDS = {
    "serve": ("serve", "Start the app, as without a command."),
    "trace": ("trace", "Trace a sentence, a sound or a picture: print the output and the map, or write it."),
    "transcribe": ("trace", "Write the words of a recording with their times, as subtitles or a table."),
    "score-times": ("times", "Measure words in time by true times: errors of starts and ends, word F1, the worst."),
    "align": ("alignment", "Link the words of pairs of sentences and their translations."),
    "score": ("alignment", "Measure alignments, and every head, by pairs with links that people made."),
    "evidence": ("evidence", "Ask a model what its heads and its source bring: costs, attribution and more."),
    "compare": ("trace", "Say what changes from one trace to another: inputs, models, or saved ones."),
    "figure": ("figures", "Write a figure for a paper, as PDF, SVG, PNG or TikZ, and print its caption."),
    "animate": ("figures", "Write a moving picture: steps of an output, heads in turn, or a drawing forming."),
    "story": ("figures", "Make one page for a talk, which needs no network, of a story."),
    "open": ("serve", "Start the app with saved traces open, the first of them shown."),
    "models": ("serve", "List the models known by name."),
    "doctor": ("serve", "Say whether this installation is well, and what to do about each fault."),
}


class _Commands(click.Group):
    """The commands, in the order of a visit, none of them imported before it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"{__name__}.{COMMANDS[cmd_name][0]}"), cmd_name.replace("-", "_"))
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so, from the table above: to complete a name imports no command."""
        named = [CompletionItem(name, help=said) for name, (_, said) in COMMANDS.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:  # which knows nothing of commands that nobody imported
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True},
    epilog='\b\nExample:\n  xattn-viz trace firefox-en-pt "The cat sat on the mat."',
)
@click.version_option(xv.__version__, message="xattn-viz %(version)s")
@click.pass_context
def xattn_viz(ctx: click.Context) -> None:
    """See cross-attention, and check whether what you see is true.

    Layers and heads count from 1. Exit codes: 0 done; 1 something is not well, or nobody reads the output; 2 bad input;
    130 stopped by Ctrl-C.
    """
    if ctx.invoked_subcommand is None and (serve := xattn_viz.get_command(ctx, "serve")) is not None:
        ctx.invoke(serve)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0, 2 with one sentence on stderr, or another that the help lists."""
    try:
        code = xattn_viz.main(arguments, prog_name="xattn-viz", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:  # who reads our output, `head` say, has enough
        _close_output()
        return 1
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("xattn_viz"):
            raise
        print(_MISSING.format(error.name.partition(".")[0]), file=sys.stderr)
        return 1
    except click.Abort:
        return 130
    except SystemExit:  # completion ends so, and waits for nothing that the errors below would import
        raise
    # What bad input raises; anything else is a bug, and its traceback is wanted.
    except (click.ClickException, xv.ModelError, ValueError, OSError) as error:
        return _refuse(error)


def _refuse(error: Exception) -> int:
    from xattn_viz.core.tokens import visible

    print(f"xattn-viz: {visible(_sentence(error))}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:  # it was what failed, and would again when Python ends
        _close_output()
    return 2


def _close_output() -> None:
    """Send what else is printed nowhere: Python would complain of it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        said = " ".join(error.format_message().split())
        ctx = getattr(error, "ctx", None)
        return said if ctx is None else f"{said} See {ctx.command_path} --help."
    if isinstance(error, OSError) and error.strerror:
        from xattn_viz.core.records import quoted

        return f"{quoted(str(error.filename)) if error.filename else 'The output'}: {error.strerror}."
    return str(error)
