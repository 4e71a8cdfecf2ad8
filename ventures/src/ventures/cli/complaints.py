"""`ventures complaints`: what people say is wrong."""

import asyncio
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ventures.cli.opening import app_address
from ventures.cli.output import JsonOption, PlainOption, emit_json, emit_lines, say
from ventures.settings import read

if TYPE_CHECKING:
    from ventures.signals.api import Complaint


def complaints(
    days: Annotated[int, typer.Option(min=1, max=3660, help="How far back.")] = 90,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most of them.")] = 100,
    as_json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Show what people complained about, the newest first. Their text is theirs: show it to nobody else."""
    found = asyncio.run(_read(days, limit))
    if as_json:
        emit_json({"complaints": msgspec.to_builtins(found)})
        return
    for one in found:
        head = (f"{one.at:%Y-%m-%d %H:%M}Z", one.about, one.place, one.area, one.region, str(one.account))
        if plain:
            emit_lines([[*head, one.text]])
        else:
            shown = " · ".join(part for part in head if part and part != "unknown")
            emit_lines([[shown], [f"    {one.text}"]])
    if not found:
        say(f"nobody complained within {days} days")


async def _read(days: int, limit: int) -> "list[Complaint]":
    from ventures.signals.api import complaints
    from ventures.wiring import open_platform

    settings = read(os.environ)
    async with (
        open_platform(settings, app_address(settings)) as platform,
        platform.database.by_itself() as scope,
    ):
        return await complaints(scope, platform.now() - timedelta(days=days), limit)
