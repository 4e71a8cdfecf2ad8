"""The commands. In: what a user types. Out: data on stdout, messages on stderr, an exit code that means something.

One file a command; each is imported only when it is called, so that the first answer comes quickly. Knows ``wiring``
and below. Exit codes: 0 fine · 1 a finding · 2 usage or configuration · 3 cannot evaluate · 4 a migration stopped and
is safe.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import typer

from outgrow import __version__
from outgrow.cli.output import report_error
from outgrow.errors import OutgrowError

COMMANDS: dict[str, tuple[str, str]] = {
    "pace": ("outgrow.cli.pace", "pace"),
    "init": ("outgrow.cli.init", "init"),
    "check": ("outgrow.cli.check", "check"),
    "record": ("outgrow.cli.record", "record"),
    "import": ("outgrow.cli.import_", "import_"),
    "status": ("outgrow.cli.status", "status"),
    "forecast": ("outgrow.cli.forecast", "forecast"),
    "note": ("outgrow.cli.note", "note"),
    "export": ("outgrow.cli.export", "app"),
    "demo": ("outgrow.cli.demo", "demo"),
}
"""Command → (module, function or typer app), in the order ``--help`` shows them: the order in which they are needed."""


def build(names: tuple[str, ...] = tuple(COMMANDS)) -> typer.Typer:
    """The command line with the commands of these names."""
    app = typer.Typer(
        name="outgrow",
        help="See the limits of a growing service coming: in users, and as a date with an interval.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        epilog="Begin with: outgrow pace --users 1000 --growth 15% --people 2, or outgrow demo.",
    )
    app.callback()(root)
    for name in names:
        module, attribute = COMMANDS[name]
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"outgrow {__version__}")
        raise typer.Exit


def root(
    version: bool = typer.Option(False, "--version", help="Show the version.", is_eager=True, callback=_show_version),
) -> None:
    """Options before the command."""


def main() -> None:
    """Entry point of the ``outgrow`` command."""
    called = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    only = (called,) if called in COMMANDS and "_OUTGROW_COMPLETE" not in os.environ else tuple(COMMANDS)
    try:
        build(only)()
    except OutgrowError as error:
        sys.exit(report_error(error, as_json="--json" in sys.argv))
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what was finished is kept\n")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
