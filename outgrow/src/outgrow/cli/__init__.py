"""The commands. In: what a user types. Out: data on stdout, messages on stderr, an exit code that means something.

One file a command; each is imported only when it is called, so that the first answer comes quickly. Knows ``wiring``
and below. Exit codes: 0 fine · 1 a finding · 2 usage or configuration · 3 cannot evaluate · 4 a migration stopped and
is safe.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module

import typer

from outgrow import __version__
from outgrow.cli.output import report_error
from outgrow.cli.streams import OutputLost, guard_streams
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
    "prove": ("outgrow.cli.prove", "prove"),
    "decide": ("outgrow.cli.decide", "decide"),
    "decisions": ("outgrow.cli.decisions", "decisions"),
    "plan": ("outgrow.cli.plan", "plan"),
    "migrate": ("outgrow.cli.migrate", "migrate"),
    "validate": ("outgrow.cli.validate", "validate"),
    "baseline": ("outgrow.cli.baseline", "app"),
    "handbook": ("outgrow.cli.handbook", "handbook"),
    "announce": ("outgrow.cli.announce", "announce"),
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
    """Entry point of the ``outgrow`` command. Whatever happens, 1 always means a finding."""
    if not guard_streams():
        sys.exit(3)
    as_json = "--json" in sys.argv
    try:
        code = _code(as_json)
        sys.stdout.flush()
    except OutputLost as lost:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (the interpreter flushes it at its end)
        code = report_error(lost, as_json=False)
    sys.exit(code)


def _code(as_json: bool) -> int:
    try:
        called = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
        only = (called,) if called in COMMANDS and "_OUTGROW_COMPLETE" not in os.environ else tuple(COMMANDS)
        build(only)()
    except SystemExit as end:
        if isinstance(end.__context__, OSError):  # typer would end with 1 for a broken pipe; ours never come so far
            return _broke(end.__context__, as_json)
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 2
    except OutputLost:
        raise
    except OutgrowError as error:
        return report_error(error, as_json=as_json)
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what was finished is kept\n")
        return 130
    except Exception as broken:
        return _broke(broken, as_json)
    return 0


def _broke(broken: Exception, as_json: bool) -> int:
    if os.environ.get("OUTGROW_TRACEBACK"):
        traceback.print_exception(broken, file=sys.stderr)
    what = " ".join(f"{type(broken).__name__}: {broken}".split())[:300].removesuffix(":")
    error = OutgrowError(f"outgrow broke: {what}; this is a bug, please report it with the command")
    return report_error(error, as_json=as_json)
