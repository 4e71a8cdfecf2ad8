"""`ventures audit`: who did what in a venture, and whether its log and its state are what was appended."""

import asyncio
import os
import re
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from ventures.cli.opening import app_address
from ventures.cli.output import JsonOption, PlainOption, emit_json, emit_lines, printable, say
from ventures.errors import NotFound, SettingsError
from ventures.log.api import Event, Head, Replay
from ventures.settings import read as read_settings

ENTITY_SHOWN = 8
"""Last characters of an id that tell entities apart on a line; the first ones are the time."""


def audit(
    venture: Annotated[UUID, typer.Argument(help="The venture's id.")],
    after: Annotated[int, typer.Option(help="Begin after this event.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="Most events to show.", min=0, max=100_000)] = 50,
    entity: Annotated[UUID | None, typer.Option(help="Only what happened to this item, post, member …")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check every hash, and replay the log against the stored state.")
    ] = False,
    known: Annotated[
        str | None, typer.Option("--known", help="SEQ:HASH noted earlier and kept elsewhere: is it still in the log?")
    ] = None,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Show who did what in a venture. With --verify it ends with 1 where the log or the state was tampered with."""
    events, end, chain, replayed = asyncio.run(_look(venture, after, limit, entity, verify, known))
    if as_json:
        emit_json(
            {
                "venture": str(venture),
                "head": {"epoch": end.epoch, "seq": end.seq, "hash": end.hash.hex()},
                "events": [_fields(event) for event in events],
                "verified": None if chain is None else chain == "",
                "fault": chain or None,
                "differences": None if replayed is None else msgspec.to_builtins(list(replayed.differences)),
            }
        )
    else:
        emit_lines(_line(event, plain) for event in events)
        say(f"head: {end.seq}:{end.hash.hex()} (note it elsewhere; --known tells later whether it is still in the log)")
        for sentence in _verdict(chain, replayed):
            say(sentence)
    if chain or (replayed is not None and not replayed.same):
        raise typer.Exit(1)


async def _look(
    venture: UUID, after: int, limit: int, entity: UUID | None, verify: bool, known: str | None
) -> tuple[list[Event], Head, str | None, Replay | None]:
    from ventures.log.api import UnknownEvent, head, read, replay, verify_chain
    from ventures.wiring import open_platform

    settings = read_settings(os.environ)
    async with open_platform(settings, app_address(settings)) as platform:
        async with platform.database.venture(venture) as scope:
            try:
                end = await head(scope)
            except NotFound:
                raise NotFound(f"There is no venture {venture} in this database.") from None
            chain: str | None = None
            if verify or known is not None:
                fault = await verify_chain(scope)
                chain = "" if fault is None else fault[1]
            try:
                events = await read(scope, platform.registry, after, limit, entity=entity)
            except (UnknownEvent, msgspec.MsgspecError) as error:
                if not chain:
                    raise
                say(f"the events cannot be shown: {error}")
                return [], end, chain, None
            if known is not None and not chain:
                seq, digest = _noted(known)
                there = await read(scope, platform.registry, seq - 1, 1)
                if not there or (there[0].seq, there[0].hash) != (seq, digest):
                    chain = f"the log does not contain {known}: it was rewritten since that was noted"
        replayed = await replay(platform.database, platform.registry, venture) if verify else None
    return events, end, chain, replayed


def _noted(known: str) -> tuple[int, bytes]:
    """Raises: SettingsError for what is no head."""
    found = re.fullmatch("([1-9][0-9]{0,17}):([0-9a-f]{64})", known.strip().lower())
    if found is None:
        raise SettingsError(f"--known takes SEQ:HASH as `ventures audit` prints it after “head:”, not “{known}”.")
    return int(found[1]), bytes.fromhex(found[2])


def _line(event: Event, plain: bool) -> list[str]:
    data = msgspec.json.encode(event.data).decode()
    if plain:
        return [str(event.seq), event.at.isoformat(), event.actor, event.type, str(event.entity), data]
    told = data if len(data) <= 100 else data[:99] + "…"
    return [
        f"{event.seq:>6}",
        event.at.strftime("%Y-%m-%d %H:%M:%S"),
        f"{printable(event.actor)[:60]:<44}",
        f"{event.type:<32}",
        f"…{str(event.entity)[-ENTITY_SHOWN:]}",
        told,
    ]


def _fields(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": event.at.isoformat(),
        "actor": event.actor,
        "type": event.type,
        "entity": str(event.entity),
        "batch": event.batch,
        "cause": event.cause,
        "schema_version": event.schema_version,
        "data": msgspec.to_builtins(event.data),
        "hash": event.hash.hex(),
    }


def _verdict(chain: str | None, replayed: Replay | None) -> list[str]:
    told = []
    if chain is not None:
        told.append(f"TAMPERED: {chain}" if chain else "every hash follows from the one before, up to the head")
    if replayed is not None:
        rows = sum(replayed.rows.values())
        if replayed.same:
            told.append(f"replaying {replayed.seq} events from nothing gives exactly the {rows} rows that are stored")
        told += [f"DIFFERENT: {one.table}, only {one.where}: {one.row}" for one in replayed.differences]
    return told
