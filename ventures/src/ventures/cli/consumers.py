"""`ventures consumers`: how far each is, what is parked and why, trying it again, reading a log from the beginning."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec
import typer

from ventures.cli.opening import app_address
from ventures.cli.output import JsonOption, PlainOption, emit_json, emit_lines, say
from ventures.errors import SettingsError
from ventures.settings import read as read_settings

if TYPE_CHECKING:
    from ventures.log.api import Consumer
    from ventures.wiring import Platform

consumers = typer.Typer(help="What follows from the log: how far it is, what is parked, trying it again.")
Name = Annotated[str, typer.Argument(help="The consumer, as `ventures consumers list` names it.")]
Venture = Annotated[UUID | None, typer.Option(help="Only this venture.")]


@consumers.command("list")
def list_consumers(as_json: JsonOption = False, plain: PlainOption = False) -> None:
    """Show how far each consumer is behind, and how many events are parked."""

    async def look() -> list[Any]:
        from ventures.log.api import lags

        async with _platform() as platform:
            return await lags(platform.database, platform.consumers, platform.now())

    found = asyncio.run(look())
    if as_json:
        emit_json({"consumers": msgspec.to_builtins(found)})
        return
    if not plain:
        emit_lines([["consumer", "target", "ventures", "events", "seconds", "failing", "parked"]])
    emit_lines(
        [lag.consumer, lag.target or "-", str(lag.ventures), str(lag.events), f"{lag.seconds:.1f}", str(lag.failing),
         str(lag.parked)] for lag in found
    )  # fmt: skip


@consumers.command("parked")
def show_parked(name: Name, venture: Venture = None, as_json: JsonOption = False, plain: PlainOption = False) -> None:
    """Show the parked events of a consumer, each with its reason. Ends with 1 where there are any."""

    async def look() -> list[dict[str, str]]:
        from ventures.log.api import parked

        found = []
        async with _platform() as platform:
            consumer = _named(platform, name)
            for one in await _ventures(platform, venture):
                async with platform.database.venture(one) as scope:
                    found += [
                        {
                            "venture": str(one),
                            "seq": str(event.seq),
                            "entity": str(event.entity),
                            "reason": event.reason,
                        }
                        for event in await parked(scope, consumer)
                    ]
        return found

    found = asyncio.run(look())
    if as_json:
        emit_json({"consumer": name, "parked": found})
    else:
        emit_lines(list(event.values()) for event in found)
    if found:
        say(f"{len(found)} parked; when the cause is gone: ventures consumers replay {name}")
        raise typer.Exit(1)


@consumers.command("replay")
def replay(name: Name, venture: Venture = None, as_json: JsonOption = False) -> None:
    """Try the parked events of a consumer again, in order. Ends with 1 where some stay parked."""

    async def again() -> tuple[int, int]:
        from ventures.log.api import replay_parked

        handled = left = 0
        async with _platform() as platform:
            consumer = _named(platform, name)
            for one in await _ventures(platform, venture):
                done, stuck = await replay_parked(platform.database, platform.registry, consumer, one, now=platform.now)
                handled, left = handled + done, left + stuck
        return handled, left

    handled, left = asyncio.run(again())
    if as_json:
        emit_json({"consumer": name, "handled": handled, "parked": left})
    else:
        say(f"{handled} handled, {left} still parked")
    if left:
        raise typer.Exit(1)


@consumers.command("rewind")
def rewind_consumer(
    name: Name,
    venture: Venture = None,
    everything: Annotated[bool, typer.Option("--all-ventures", help="Where no venture is named.")] = False,
) -> None:
    """Forget what a consumer made and read the log from the beginning; the workers do it, beside what comes in."""
    if venture is None and not everything:
        raise SettingsError("Say which: --venture ID, or --all-ventures.")

    async def back() -> int:
        from ventures.log.api import rewind

        async with _platform() as platform:
            consumer = _named(platform, name)
            several = await _ventures(platform, venture)
            for one in several:
                await rewind(platform.database, consumer, one)
            return len(several)

    count = asyncio.run(back())
    say(f"{count} log{'s' if count != 1 else ''} will be read again from the beginning: ventures consumers list")


@asynccontextmanager
async def _platform() -> "AsyncIterator[Platform]":
    from ventures.wiring import open_platform

    settings = read_settings(os.environ)
    async with open_platform(settings, app_address(settings)) as platform:
        yield platform


def _named(platform: "Platform", name: str) -> "Consumer":
    for consumer in platform.consumers:
        if name in (consumer.name, f"{consumer.name}/{consumer.target}"):
            return consumer
    known = ", ".join(sorted(consumer.name for consumer in platform.consumers))
    raise SettingsError(f"There is no consumer {name}. There are: {known}.")


async def _ventures(platform: "Platform", only: UUID | None) -> list[UUID]:
    from ventures.log.api import all_ventures

    return [only] if only is not None else await all_ventures(platform.database)
