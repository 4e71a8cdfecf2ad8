"""`ventures load`: how much an installation carries, asked by the people of a population."""

import json
import os
import re
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ventures.cli.opening import app_address
from ventures.cli.output import SCHEMA, JsonOption, emit_json, emit_lines, log_to_stderr, say
from ventures.errors import SettingsError
from ventures.settings import read, with_secret

if TYPE_CHECKING:
    from ventures.population.api import Report, Step

SAID_EVERY_SECONDS = 2.0
MOST_STEPS = 200
RAMP = re.compile(r"(\d{1,8}):(\d{1,8}):(\d{1,3})")


def load(
    users: Annotated[int, typer.Option(help="The population, as it was made by populate.", min=1, max=1_000_000)],
    ramp: Annotated[
        str | None,
        typer.Option(help="Users at a time: from, to, in how many steps, such as 500:4000:8; without it all at once."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long it takes, all steps together.", min=1, max=86_400)] = 60.0,
    rate_per_user: Annotated[str, typer.Option(help="Requests a second of one user, such as 1/30 or 0.05.")] = "1/30",
    url: Annotated[str | None, typer.Option(help="Where requests go; by default this installation's own port.")] = None,
    ventures: Annotated[int | None, typer.Option(help="As told to populate.", min=1, max=1_000_000)] = None,
    passages_per_user: Annotated[int, typer.Option(help="As told to populate.", min=1, max=1_000)] = 20,
    seed: Annotated[int, typer.Option(help="As told to populate.", min=0, max=2**31 - 1)] = 1,
    most_under_way: Annotated[
        int, typer.Option(help="Requests that may wait for an answer; more are dropped and counted.", min=1, max=20_000)
    ] = 2_000,
    only: Annotated[
        str | None, typer.Option(help="Only these operations, by their ids, with commas between them, such as search.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="File for the report; beside it ramps that `outgrow import` takes.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Send what people would, on time whatever happens, and say how the platform held.

    Needs the installation's settings, for keys of the population's accounts, which end with the test. Ends with 1 where
    requests failed or were dropped.
    """
    import uvloop

    from ventures.population.api import Plan, Wanted, levels, ramp_csv
    from ventures.population.api import load as carried_out

    settings = with_secret(read(os.environ))
    log_to_stderr("warning")
    rate = _rate(rate_per_user)
    wanted = Wanted(
        plan=Plan(users=users, ventures=ventures, passages_per_user=passages_per_user, seed=seed),
        url=(url or settings.local_url).rstrip("/"),
        levels=tuple(levels(_ramp(ramp, users), rate, seconds)),
        rate_per_user=rate,
        most_under_way=most_under_way,
        only=tuple(name.strip() for name in (only or "").split(",") if name.strip()),
    )
    found = uvloop.run(carried_out(wanted, settings, app_address(settings), told=_Line().told))
    if report is not None:
        document = {"schema": SCHEMA, **msgspec.to_builtins(found)}
        report.write_text(json.dumps(document, indent=1) + "\n")
        for name in (None, "search", "read_item"):
            if len(found.steps) > 1 and (text := ramp_csv(found, name)) is not None:
                report.with_suffix(".ramp.csv" if name is None else f".{name}.ramp.csv").write_text(text)
    if as_json:
        emit_json(msgspec.to_builtins(found))
    else:
        _shown(found)
    if found.errors or any(step.dropped for step in found.steps):
        raise typer.Exit(1)


class _Line:
    """What is going on, now and then."""

    def __init__(self) -> None:
        self._said_at = 0.0

    def told(self, sentence: str, step: "Step | None") -> None:
        """At most every other second."""
        if time.monotonic() - self._said_at < SAID_EVERY_SECONDS:
            return
        self._said_at = time.monotonic()
        say(sentence if step is None else _line(step))


def _line(step: "Step") -> str:
    from ventures.population.api import step_report

    now = step_report(step)
    p95 = "-" if now.whole.p95_seconds is None else f"{now.whole.p95_seconds * 1000:.0f} ms"
    return (
        f"{now.users:.0f} users: {now.seconds:.0f} s, {now.offered_per_second:.0f} requests/s offered, "
        f"{now.answered_per_second:.0f} answered, p95 {p95}, {now.dropped} dropped, {sum(now.errors.values())} errors"
    )


def _shown(found: "Report") -> None:
    from ventures.population.api import table

    rows = table(found)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        emit_lines([["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))]])
    accuracy = found.accuracy
    if accuracy.relevant_ratio is not None:
        by = ", ".join(f"{count} by {what or 'unknown'}" for what, count in accuracy.answered_by.items())
        emit_lines(
            [
                [
                    f"searches: {accuracy.searches}, relevant {accuracy.relevant_ratio:.1%}, of other ventures "
                    f"{accuracy.foreign}; answered {by}"
                ]
            ]
        )
    for name, count in found.errors.items():
        emit_lines([[f"error: {count} × {name}"]])
    if found.left_out:
        emit_lines([[f"left out, since this API does not have them: {', '.join(found.left_out)}"]])
    cpu = max(step.generator_cpu for step in found.steps)
    micro = found.steps[-1].generator_cpu_microseconds
    emit_lines([[f"generator: {micro:.0f} µs of CPU a request, at most {cpu:.0%} of a core"]])
    if found.note:
        say(found.note)


def _rate(text: str) -> float:
    """Raises: SettingsError."""
    try:
        rate = float(Fraction(text.strip()))
    except (ValueError, ZeroDivisionError):
        rate = 0.0
    if not 1e-6 <= rate <= 1000:
        raise SettingsError(f"--rate-per-user takes requests a second, such as 1/30, not “{text}”.")
    return rate


def _ramp(text: str | None, users: int) -> tuple[float, float, int]:
    """Raises: SettingsError."""
    if text is None:
        return (float(users), float(users), 1)
    found = RAMP.fullmatch(text.strip())
    if found is None or not (1 <= int(found[3]) <= MOST_STEPS and int(found[1]) > 0 and int(found[2]) > 0):
        raise SettingsError(f"--ramp takes users from, to and in how many steps, such as 500:4000:8, not “{text}”.")
    return (float(found[1]), float(found[2]), int(found[3]))
