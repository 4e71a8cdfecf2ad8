"""`ventures doctor`: what is running and what is missing."""

import asyncio
import http.client
import os
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import msgspec
import typer

from ventures.cli.opening import app_address
from ventures.cli.output import JsonOption, PlainOption, emit_json, emit_lines, printable
from ventures.errors import DatabaseUnfit, SettingsError, Unavailable, VenturesError
from ventures.log.api import Lag
from ventures.settings import Settings, read

if TYPE_CHECKING:
    from ventures.signals.api import Audited, Inconsistency
    from ventures.vectors.api import StoreStatus

State = Literal["fine", "finding", "unknown", "wrong"]
WORST_FIRST: Final[tuple[State, ...]] = ("wrong", "finding", "unknown", "fine")
EXIT_CODES: Final[dict[State, int]] = {"wrong": 2, "finding": 1, "unknown": 3, "fine": 0}
STYLES: Final[dict[State, str]] = {"wrong": "bold red", "finding": "bold red", "unknown": "magenta", "fine": "green"}
LATE_SECONDS: Final = 30.0
"""Behind by so much for so long, a consumer is not merely busy."""
ANSWER_SECONDS: Final = 5.0
AUDIT_LATE_SECONDS: Final = 1_800.0
MOST_SHOWN: Final = 20
"""Inconsistencies that are listed; of more, the number is said."""


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: what was found, as a sentence, and what to do about it."""

    id: str
    state: State
    sentence: str
    next: str = ""


def doctor(as_json: JsonOption = False, plain: PlainOption = False) -> None:
    """Say what is running and what is missing, worst first. Ends with 0, 1 (a finding), 2 (settings) or 3 (unknown)."""
    found = sorted(_look(), key=lambda finding: WORST_FIRST.index(finding.state))
    if as_json:
        emit_json({"ok": all(f.state == "fine" for f in found), "findings": msgspec.to_builtins(found)})
    elif plain:
        emit_lines((f.state, f.id, f.sentence, f.next) for f in found)
    else:
        _show(found)
    raise typer.Exit(EXIT_CODES[found[0].state])


def _show(found: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for finding in found:
        line = Text(f"{finding.state:8}", style=STYLES[finding.state]) + Text(
            printable(finding.sentence), style="not bold"
        )
        console.print(line, soft_wrap=True)
        if finding.next:
            console.print(Text(f"{'':8}→ {printable(finding.next)}", style="dim"), soft_wrap=True)


def _look() -> Iterator[Finding]:
    try:
        settings = read(os.environ)
    except SettingsError as error:
        for fault in str(error).split("\n"):
            yield Finding("settings", "wrong", fault, "ventures settings, once it is right")
        return
    yield Finding("settings", "fine", "All settings are right.")
    yield from _processes(settings)
    try:
        address = app_address(settings)
    except DatabaseUnfit as error:
        yield Finding("postgresql", "finding", str(error))
        return
    yield from _database(settings, address)


def _processes(settings: Settings) -> Iterator[Finding]:
    from ventures.workers.supervisor import alive, state

    told = state(settings.data)
    if alive(told) is None:
        sentence = f"`ventures serve` does not run with the data in {settings.data}."
        if told:
            sentence = f"`ventures serve` was killed (it was process {told.get('pid')})."
        yield Finding("serve", "finding", sentence, "ventures serve")
        return
    yield Finding("serve", "fine", f"`ventures serve` runs (process {told['pid']}).")
    wanted = {"api": settings.api_processes, "worker": settings.worker_processes, "index": settings.index_processes}
    for kind, number in wanted.items():
        running = [c for c in told.get("children", ()) if c.get("kind") == kind and alive(c) is not None]
        state_: State = "fine" if len(running) >= number else "finding"
        yield Finding(
            kind,
            state_,
            f"{len(running)} of {number} {kind} processes run.",
            "" if state_ == "fine" else "they are started again; why they end is in the messages of ventures serve",
        )
    yield _answers(str(told.get("url")))
    yield from _index(settings)


def _answers(url: str) -> Finding:
    """Asks the process itself, not the address that people use, before which something else may stand."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/v1/openapi/openapi.json")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return Finding("answers", "finding", f"{url} does not answer: {error}.")
    finally:
        connection.close()
    if status >= 500:
        return Finding("answers", "finding", f"{url} answers with status {status}.")
    return Finding("answers", "fine", f"{url} answers.")


def _index(settings: Settings) -> Iterator[Finding]:
    from ventures.vectors.api import Remote

    async def asked(number: int) -> "list[StoreStatus]":
        remote = Remote(settings.data, number)
        give_up = time.monotonic() + ANSWER_SECONDS
        try:
            while True:
                try:
                    return await remote.status()
                except Unavailable:  # it may be starting
                    if time.monotonic() > give_up:
                        raise
                    await asyncio.sleep(0.2)
        finally:
            await remote.close()

    for number in range(1, settings.index_processes + 1):
        try:
            stores = asyncio.run(asked(number))
        except Unavailable as error:
            yield Finding(
                f"index:{number}", "finding", str(error), "searches are answered from PostgreSQL until it does"
            )
            continue
        if not stores:
            yield Finding(f"index:{number}", "fine", f"Index process {number} has nothing to hold yet.")
        for one in stores:
            yield _stored(one)


def _stored(one: "StoreStatus") -> Finding:
    place = f"index:{one.process}/{one.store}"
    if one.fault:
        return Finding(place, "finding", one.fault, "searches are answered from PostgreSQL; it is tried again")
    return Finding(
        place,
        "fine",
        f"Index process {one.process} has {one.points} points of {one.filled} ventures in {one.parts} parts of the "
        f"store {one.store}" + (f"; {one.behind} more are being filled." if one.behind else ", and has caught up."),
    )


def _database(settings: Settings, address: str) -> Iterator[Finding]:
    from ventures.database import fitness, migrate

    try:
        version = fitness.server_version(address)
        yield Finding("postgresql", "fine", f"PostgreSQL {version} answers.")
        unfit = fitness.faults(address)
        for fault in unfit:
            yield Finding("roles", "finding", fault)
        if not unfit:
            yield Finding("roles", "fine", "Row-level security binds the role that the application signs in as.")
        vector = fitness.vector_version(address)
        yield (
            Finding("pgvector", "fine", f"pgvector {vector} is available.")
            if vector
            else Finding("pgvector", "finding", "pgvector is not available.", "install it in that PostgreSQL")
        )
        yield _words(fitness.words_are_indexed(address))
        if lacking := migrate.missing(address):
            sentence = f"The database lacks {len(lacking)} schema steps: {', '.join(lacking)}."
            yield Finding("migrations", "finding", sentence, "ventures migrate")
            return
        yield Finding("migrations", "fine", "The database has the newest schema.")
    except Unavailable as error:
        yield Finding("postgresql", "unknown", str(error))
        return
    except DatabaseUnfit as error:
        yield Finding("migrations", "finding", str(error))
        return
    yield from _consumers(settings, address)
    yield from _audits(settings, address)


def _audits(settings: Settings, address: str) -> Iterator[Finding]:
    try:
        audited, shown, complained, now = asyncio.run(_audited(settings, address))
    except VenturesError as error:
        yield Finding("audit", "unknown", f"What the running audit found cannot be read: {error}")
        return
    whole, round_ = sum(audited.open.values()), audited.round
    for one in shown:
        yield Finding(f"inconsistent:{one.kind}:{one.entity}", "finding", one.sentence, f"ventures audit {one.venture}")
    if whole > len(shown):
        yield Finding("inconsistent", "finding", f"There are {whole - len(shown)} more such disagreements.")
    if round_ is None:
        yield Finding("audit", "fine", "The running audit has not begun yet; it does within a minute.")
    elif (late := (now - round_.looked_at).total_seconds()) > AUDIT_LATE_SECONDS:
        yield Finding("audit", "finding", f"The running audit looked at nothing for {late / 60:.0f} minutes.")
    elif not audited.known:
        yield Finding("audit", "fine", f"The running audit has seen {round_.seen} ventures; its first round goes on.")
    elif not whole:
        seen = f"{round_.whole_ventures} ventures in its last whole round"
        yield Finding("audit", "fine", f"The running audit saw {seen}; nothing disagrees.")
    if complained:
        yield Finding("complaints", "fine", f"{complained} complaints within 90 days.", "ventures complaints")


async def _audited(settings: Settings, address: str) -> "tuple[Audited, list[Inconsistency], int, datetime]":
    from ventures.signals.api import audited, counts, inconsistencies
    from ventures.wiring import open_platform

    async with open_platform(settings, address) as platform:
        now = platform.now()
        found = await audited(platform.database, settings.region, now)
        complained = sum(c.count for c in await counts(platform.database, now) if c.signal == "complaints")
        return found, await inconsistencies(platform.database, MOST_SHOWN), complained, now


def _words(indexed: bool) -> Finding:
    if indexed:
        return Finding("words", "fine", "Words are looked up in an index.")
    return Finding(
        "words",
        "finding",
        "Words are not looked up in an index, so that searches of large ventures take long: row-level security keeps "
        "PostgreSQL from it until the match of words is marked leakproof.",
        "as a superuser, in this database: ALTER FUNCTION pg_catalog.ts_match_vq(tsvector, tsquery) LEAKPROOF",
    )


def _consumers(settings: Settings, address: str) -> Iterator[Finding]:
    try:
        lags = asyncio.run(_lags(settings, address))
    except VenturesError as error:
        yield Finding("consumers", "unknown", f"How far consumers are cannot be read: {error}")
        return
    for lag in lags:
        name = f"{lag.consumer}/{lag.target}" if lag.target else lag.consumer
        late = lag.seconds > LATE_SECONDS
        if lag.events == 0:
            sentence = f"Consumer {name} has caught up."
        else:
            sentence = (
                f"Consumer {name} is {lag.events} events behind in {lag.ventures} ventures, for {lag.seconds:.0f} s"
                + (f"; {lag.failing} of them fail and are tried again." if lag.failing else ".")
            )
        yield Finding(f"consumer:{name}", "finding" if late else "fine", sentence)
        if lag.parked:
            yield Finding(
                f"parked:{name}", "finding", f"Consumer {name} could not handle {lag.parked} events; they are parked."
            )


async def _lags(settings: Settings, address: str) -> list[Lag]:
    from ventures.log.api import lags
    from ventures.wiring import open_platform

    async with open_platform(settings, address) as platform:
        return await lags(platform.database, platform.consumers, platform.now())
