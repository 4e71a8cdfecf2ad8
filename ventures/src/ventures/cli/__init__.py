"""The commands. In: what somebody types. Out: data on stdout, messages on stderr, an exit code that means something.

One file a command, each imported only when it is called, so that the first answer comes quickly. Knows `workers`,
`http` and below. Exit codes: 0 fine · 1 a finding · 2 usage or configuration · 3 cannot evaluate, cannot go on.
"""

import os
import sys
import traceback
from importlib import import_module

COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("ventures.cli.serve", "serve"),
    "doctor": ("ventures.cli.doctor", "doctor"),
    "audit": ("ventures.cli.audit", "audit"),
    "consumers": ("ventures.cli.consumers", "consumers"),
    "complaints": ("ventures.cli.complaints", "complaints"),
    "lookout": ("ventures.cli.lookout", "lookout"),
    "populate": ("ventures.cli.populate", "populate"),
    "load": ("ventures.cli.load", "load"),
    "openapi": ("ventures.cli.openapi", "openapi"),
    "settings": ("ventures.cli.settings", "show_settings"),
    "migrate": ("ventures.cli.migrate", "migrate"),
    "api": ("ventures.cli.api", "api"),
    "worker": ("ventures.cli.worker", "worker"),
    "index": ("ventures.cli.index", "index"),
}
"""Command → (module, function or typer app), in the order in which `--help` shows them."""


def build(names: tuple[str, ...] = tuple(COMMANDS)):  # type: ignore[no-untyped-def]  # typer is imported late
    """The command line (a `typer.Typer`) with the commands of these names."""
    import typer

    app = typer.Typer(
        name="ventures",
        help="A multi-tenant content platform on one ordered log per venture.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        epilog="Begin with: ventures serve",
    )

    def show_version(asked: bool) -> None:
        if asked:
            from importlib.metadata import version

            typer.echo(f"ventures {version('ventures')}")
            raise typer.Exit

    @app.callback()
    def root(
        version: bool = typer.Option(
            False, "--version", help="Show the version.", is_eager=True, callback=show_version
        ),
    ) -> None:
        """Options before the command."""

    for name in names:
        module, attribute = COMMANDS[name]
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    """Entry point of the `ventures` command."""
    sys.exit(_code())


def _code() -> int:
    from ventures.errors import DatabaseUnfit, SettingsError, VenturesError

    try:
        called = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
        only = (called,) if called in COMMANDS and "_VENTURES_COMPLETE" not in os.environ else tuple(COMMANDS)
        build(only)()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 2
    except SettingsError as error:
        return _failed(str(error), 2)
    except (DatabaseUnfit, VenturesError) as error:
        return _failed(str(error), 3)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered must not fail once more at the end
        return 0
    except Exception as broken:
        if type(broken).__module__.startswith("psycopg") and "OperationalError" in {
            t.__name__ for t in type(broken).__mro__
        }:
            return _failed(f"The database does not answer: {' '.join(str(broken).split())}", 3)
        traceback.print_exception(broken, file=sys.stderr)
        return _failed("This is a bug; please report it with the command and the lines above.", 3)
    return 0


def _failed(sentence: str, code: int) -> int:
    if "--json" in sys.argv:
        from ventures.cli.output import emit_json

        emit_json({"ok": False, "errors": sentence.split("\n")})
    for line in sentence.split("\n"):
        sys.stderr.write(f"error: {line}\n")
    return code
