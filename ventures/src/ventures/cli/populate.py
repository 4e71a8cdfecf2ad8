"""`ventures populate`: a believable population, to try the platform at a size."""

import hmac
import os
import time
from base64 import b32encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ventures.cli.opening import complete_environment
from ventures.cli.output import JsonOption, emit_json, log_to_stderr, say
from ventures.errors import SettingsError
from ventures.settings import Settings, read, with_secret

if TYPE_CHECKING:
    from ventures.population.api import Progress

PASSWORD_CHARACTERS = 24
SAID_EVERY_SECONDS = 2.0
MOST_PASSWORD_BYTES = 1000


def populate(
    users: Annotated[int, typer.Option(help="Accounts there are to be in the end.", min=1, max=1_000_000)],
    ventures: Annotated[
        int | None, typer.Option(help="Ventures; three for four users where not given.", min=1, max=1_000_000)
    ] = None,
    passages_per_user: Annotated[
        int, typer.Option(help="Passages of text, of about 70 words each.", min=1, max=1_000)
    ] = 20,
    seed: Annotated[int, typer.Option(help="The same seed makes the same population.", min=0, max=2**31 - 1)] = 1,
    password_file: Annotated[
        Path | None, typer.Option(help="The one password of all accounts; without it one is made and printed.")
    ] = None,
    processes: Annotated[int, typer.Option(help="Processes that write; 0 takes one a core.", min=0, max=64)] = 0,
    follow: Annotated[bool, typer.Option(help="Wait until all consumers have seen everything.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Make a population: accounts, ventures, content and its approvals. Run again, it makes what is missing.

    Ctrl-C keeps what is complete. For an installation to be measured or tried, never for one with people in it.
    """
    from ventures.population.api import Plan
    from ventures.population.api import populate as carried_out

    settings = read(os.environ)
    log_to_stderr("warning")
    plan = Plan(users=users, ventures=ventures, passages_per_user=passages_per_user, seed=seed)
    said_at = 0.0

    def told(progress: "Progress") -> None:
        nonlocal said_at
        if time.monotonic() - said_at >= SAID_EVERY_SECONDS:
            said_at = time.monotonic()
            say(_line(progress))

    with _database(settings) as complete:
        password = _password(complete, seed, password_file)
        say(f"{plan.users} users, {plan.count} ventures, about {plan.passages} passages, seed {plan.seed}")
        outcome = carried_out(
            plan,
            complete_environment(complete, os.environ),
            password=password,
            processes=processes or len(os.sched_getaffinity(0)),
            follow=follow,
            told=told,
        )
    if as_json:
        emit_json({**msgspec.to_builtins(outcome), "plan": msgspec.to_builtins(plan)})
    seconds = ", ".join(f"{stage} {taken:.0f} s" for stage, taken in outcome.seconds.items())
    say(
        f"made {outcome.accounts} accounts, {outcome.ventures} ventures, {outcome.items} items with "
        f"{outcome.events} events ({seconds})"
    )
    if password_file is None:
        say(f"all accounts (user0.seed{seed}@population.example …) have the password {password}")
    if outcome.behind:
        say(f"consumers have {outcome.behind} events to see still: ventures consumers list")
    say(f"next: ventures load --users {users} --seed {seed}")


def _line(progress: "Progress") -> str:
    rate = progress.done / progress.seconds if progress.seconds else 0.0
    left = f", {(progress.of - progress.done) / rate:.0f} s left" if rate and progress.done < progress.of else ""
    what = {"accounts": "accounts", "ventures": "passages", "consumers": "ventures followed"}[progress.stage]
    return f"{progress.done} of {progress.of} {what}, {rate:.0f}/s{left}"


def _password(settings: Settings, seed: int, file: Path | None) -> str:
    """From the file, or the same each time for an installation and a seed. Raises: SettingsError."""
    if file is None:
        return b32encode(hmac.digest(settings.key("population"), str(seed).encode(), sha256)).decode()[
            :PASSWORD_CHARACTERS
        ]
    try:
        text = file.read_bytes()[: MOST_PASSWORD_BYTES + 2].decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The password file cannot be read: {error}") from None
    if not text:
        raise SettingsError(f"There is no password in {file}.")
    return text


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
    """The settings with the database, which is started for as long as this takes where it is ours and does not run."""
    from ventures.database import embedded
    from ventures.database.migrate import migrate
    from ventures.workers import supervisor

    settings = with_secret(settings)
    if settings.database_url is not None:
        yield settings
    elif embedded.running(settings.data) is not None:
        yield _on(settings, embedded.addresses(settings.data).app)
    else:
        with supervisor.sole(settings.data):
            addresses = embedded.start(settings.data, ends_with_us=True)
            try:
                migrate(addresses.owner)
                yield _on(settings, addresses.app)
            finally:
                embedded.stop(settings.data)


def _on(settings: Settings, address: str) -> Settings:
    return msgspec.structs.replace(settings, database_url=address)
