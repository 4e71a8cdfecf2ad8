"""``outgrow demo``: the whole story on this machine, in under three minutes."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from outgrow.cli.forecast import point_fields, soonest_trigger
from outgrow.cli.options import JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import STATE_STYLES, emit_json, err, out
from outgrow.demo.story import Began, CapacityFound, Event, LimitsChosen, Plan, StepDone, Told, tell
from outgrow.errors import UsageError
from outgrow.outlook.sentences import crossing_text, day
from outgrow.outlook.status import PointStatus
from outgrow.quantities import DAY, format_quantity, iso_date, significant
from outgrow.recording import record_once
from outgrow.signals.prediction import predict_linear_date
from outgrow.wiring import open_workspace

PREDICTION_DAYS = (28, 90)
BAR_WIDTH = 28
LEAST_CORE_SHARE = 0.8


def demo(
    directory: Annotated[Path, typer.Option("--directory", "-d", help="Where it is written.")] = Path("outgrow-demo"),
    seed: Annotated[int, typer.Option(help="Of the simulated users and of the load.")] = 1,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Start a real search service, ramp it to its limit, add a year of simulated users, and say when it runs out."""
    if os.environ.get("OUTGROW_LEDGER", "").strip():
        raise UsageError(
            "OUTGROW_LEDGER is set, and simulated users do not belong into that ledger",
            next_step="env -u OUTGROW_LEDGER outgrow demo",
        )
    began, now, plan = time.monotonic(), time.time(), Plan(seed=seed)
    with closing(tell(directory, record=_recorder, now=now, plan=plan)) as events:
        told = _shown(events, plan)
    status = _judged(told)
    pictures = _draw(status, directory)
    predictions = predict(told, now)
    if as_json:
        emit_json(_fields(told, status, predictions, directory, now))
    else:
        _conclude(status, predictions, now, plain)
        _say_what_is_left(told, directory, pictures, time.monotonic() - began)


@contextmanager
def _recorder(config: Path) -> Iterator[Callable[[], None]]:
    """The recorder on the declared file: each call asks the service once and keeps what it says."""
    with open_workspace(config) as workspace:

        def observe() -> None:
            at = workspace.clock.now()
            report = record_once(workspace.sources, workspace.ledger, workspace.declaration.signals, at)
            workspace.remember_recording(at, report.unknown)

        yield observe


def _judged(told: Told) -> PointStatus:
    """Keep the ramp and the simulated year in the ledger, and look ahead."""
    with open_workspace(told.config) as workspace:
        with workspace.ledger.transaction():
            workspace.ledger.add_ramp(told.measured.ramp)
            for series in told.history.series:
                workspace.ledger.add_samples(
                    series.name, series.times, series.values, origin=series.origin, source="demo"
                )
        return workspace.lookout(pictures=True).statuses()[0]


def predict(told: Told, now: float) -> dict[int, float | None]:
    """When ``predict_linear`` over so many days sees the breaking point; None for never."""
    limit = told.measured.limits.break_seconds
    return {
        days: predict_linear_date(told.history.signal, limit, now, range_seconds=days * DAY) for days in PREDICTION_DAYS
    }


def _draw(status: PointStatus, directory: Path) -> list[Path]:
    from outgrow.charts.forecast import forecast_picture, save  # altair: half a second, only for a picture

    trigger = soonest_trigger(status)
    if trigger is None or trigger.forecast is None:
        return []
    chart = forecast_picture(
        trigger.forecast,
        title=f"{status.title}: a demo",
        signal="search p95",
        unit=trigger.unit,
        declared_users=status.declared_users,
        load_label="searches a second",
    )
    paths = [directory / "forecast.svg", directory / "forecast.png"]
    for path in paths:
        save(chart, path)
    return paths


def _shown(events: Iterator[Event], plan: Plan) -> Told:
    """Show the events as they come; gives the last."""
    console = err()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(BAR_WIDTH), TimeElapsedColumn())
    live = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not live) as progress:
        task = progress.add_task("", total=len(plan.shares) + 5)
        for event in events:
            if isinstance(event, Told):
                return event
            progress.advance(task)
            if isinstance(event, Began):
                progress.update(task, description=event.text)
                if not live:
                    console.print(f"{event.text} ...", style="dim", markup=False)
            else:
                console.print(_line(event))
    raise AssertionError("a story ends with Told")


def _line(event: CapacityFound | StepDone | LimitsChosen) -> Text:
    if isinstance(event, CapacityFound):
        return Text(f"  it can serve about {significant(event.per_second, 2)} searches a second")
    if isinstance(event, LimitsChosen):
        warn, breaks = event.limits.warn_seconds, event.limits.break_seconds
        return Text(
            f"  so it warns at a p95 of {format_quantity(warn, 'seconds')} (four times the unloaded one) "
            f"and breaks at {format_quantity(breaks, 'seconds')} (eight times)"
        )
    step = event.step
    text = Text(
        f"  {step.load_per_second:6.1f}/s  p50 {_latency(step.p50_seconds)}  p95 {_latency(step.p95_seconds)}  "
    )
    text.append("▇" * min(BAR_WIDTH, max(1, round(step.p95_seconds / 0.01))), style="red" if step.unfit else "cyan")
    return text.append(f"  left out: {step.unfit}", style="yellow") if step.unfit else text


def _latency(seconds: float) -> str:
    return f"{format_quantity(seconds, 'seconds'):>8}"


def _conclude(status: PointStatus, predictions: dict[int, float | None], now: float, plain: bool) -> None:
    console = out(plain)
    console.print()
    console.print(
        Text(f"● {status.state}  ", style=STATE_STYLES[status.state]) + Text(status.sentence, style="default")
    )
    console.print()
    trigger = soonest_trigger(status)
    made = trigger.forecast if trigger else None
    said = crossing_text(made.breaks, now) if made else ""
    console.print(Text("outgrow says        ", style="bold") + Text(said or "no date yet"))
    for days, date in predictions.items():
        when = "never" if date is None else ("it is crossed already" if date <= now else f"around {_far(date)}")
        name = f"predict_linear {days}d"
        console.print(Text(f"{name:<20}", style="bold") + Text(f"{when}, from the latencies alone"))
    console.print(
        "the service and its ramp were measured; the year of users, load and latencies before it is simulated",
        style="reverse",
        soft_wrap=True,
    )


def _far(date: float) -> str:
    return day(date) if iso_date(date) is not None else "the year 10000 or later"


def _say_what_is_left(told: Told, directory: Path, pictures: list[Path], seconds: float) -> None:
    console = err()
    console.print()
    for step in told.measured.steps:
        if step.unfit:
            console.print(
                f"left out of the ramp: {step.load_per_second:.1f}/s ({step.unfit})", style="dim", markup=False
            )
    share = told.measured.core_share_ratio
    if share < LEAST_CORE_SHARE:
        console.print(
            f"this machine was busy: while searching, the service had {share:.0%} of a core, so the limit is that of "
            "a busy machine",
            style="yellow",
        )
    if pictures:
        console.print(f"picture: {pictures[-1]}", markup=False)
    console.print(f"all of it took {seconds:.0f} s and lies in {directory}/; every process it started has ended")
    console.print(Text("next: ", style="dim") + Text(f"cd {directory} && {_command(directory)} status", style="bold"))
    for command in ("forecast search --explain", "plan"):
        console.print(Text("      ", style="dim") + Text(f"{_command(directory)} {command}", style="bold"))


def _command(directory: Path) -> str:
    """``outgrow`` where it is on the PATH, else how it was called, as seen from ``directory``."""
    if shutil.which("outgrow"):
        return "outgrow"
    return shlex.quote(os.path.relpath(Path(sys.executable).parent / "outgrow", directory))


def _fields(
    told: Told, status: PointStatus, predictions: dict[int, float | None], directory: Path, now: float
) -> dict[str, Any]:
    return {
        "directory": str(directory),
        "steps": [asdict(step) for step in told.measured.steps],
        "warn_seconds": told.measured.limits.warn_seconds,
        "break_seconds": told.measured.limits.break_seconds,
        "core_share_ratio": told.measured.core_share_ratio,
        "state": status.state,
        "sentence": status.sentence,
        "forecast": point_fields(status, now),
        "predict_linear": [
            {"days": days, "date": None if date is None else iso_date(date)} for days, date in predictions.items()
        ],
        "simulated": ["registered_users", "searches_per_second", "search_p95 before the ramp"],
    }
