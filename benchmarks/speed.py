"""How long people wait: sixteen triggers, ``outgrow status`` from a cold start, a million samples to import.

    python -m benchmarks speed

Sixteen triggers are forecast in this process, each with its own signal of 400 days, hour by hour, over the same users
and load; the figure is CPU time on one core, the middle one of five. Commands run as real processes on the template of
a venture platform with 400 days of hourly history; theirs is wall time, the middle one of ``--repeat`` starts, nothing
kept between them but the files. Peak memory is what the kernel reports for the process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.report import Cell, Report, Table, Target, write_report
from outgrow.outlook.forecast import forecast_many
from outgrow.outlook.records import ForecastInputs
from outgrow.points.declaration import Declaration
from outgrow.points.reading import read_declaration
from outgrow.quantities import DAY, HOUR
from outgrow.signals.series import FloatArray, series_of

DAYS = 400
MEMBERS = ("eu-west", "us-east", "asia-pacific")


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished process: wall and CPU seconds, peak resident bytes, exit code and what it said."""

    seconds: float
    cpu_seconds: float
    peak_bytes: float
    code: int
    said: str


def run(arguments: list[str], folder: Path) -> Ran:
    """Run ``outgrow`` with these arguments in ``folder``; raises ``RuntimeError`` for any exit code but 0, 1 and 3."""
    command = [str(Path(sys.executable).with_name("outgrow")), *arguments]
    home = {"XDG_STATE_HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    start = time.perf_counter()
    with (folder / "said").open("w+b") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, env={**os.environ, **home})
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode not in (0, 1, 3):
        raise RuntimeError(f"outgrow {' '.join(arguments)} ended with {process.returncode}:\n{text[-2000:]}")
    return Ran(
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * (1.0 if sys.platform == "darwin" else 1024.0),
        process.returncode,
        text,
    )


def growing(times: FloatArray, now: float) -> tuple[FloatArray, FloatArray]:
    """Users growing by 6 % a month to 1,400 at ``now``, and their requests a second with day and week."""
    months = (times - now) / (30.4 * DAY)
    users = 1400 * 1.06**months
    daily = 1 + 0.4 * np.sin(2 * np.pi * times / DAY) - 0.2 * ((times // DAY) % 7 >= 5)
    return users, 0.02 * users * daily


def sixteen(now: float, seed: int = 1) -> tuple[ForecastInputs, ...]:
    """Inputs of sixteen triggers: twelve of latency, four of memory, two thresholds each."""
    rng = np.random.default_rng(seed)
    times = now - DAYS * DAY + np.arange(DAYS * 24) * HOUR
    users, load = growing(np.asarray(times, dtype=np.float64), now)
    users_series = series_of("users", "users", times, users * np.exp(0.01 * rng.standard_normal(users.size)))
    load_series = series_of("load", "per_second", times, load * np.exp(0.05 * rng.standard_normal(load.size)))
    made = []
    for number in range(16):
        resource = number % 4 == 3
        share = (users if resource else load) / (users if resource else load).max() * rng.uniform(0.4, 0.8)
        values = 1e9 * (1 + share) if resource else 0.05 / (1 - share)
        signal = values * np.exp(0.1 * rng.standard_normal(values.size))
        made.append(
            ForecastInputs(
                users=users_series,
                load=None if resource else load_series,
                signal=series_of(f"signal {number}", "bytes" if resource else "seconds", times, signal),
                driver="users" if resource else "load",
                family="resource" if resource else "latency",
                direction="above",
                threshold=float(1.5 * values.max()),
                breaks_at=float(3 * values.max()),
                now=now,
            )
        )
    return tuple(made)


def seconds_for_sixteen(repeat: int) -> float:
    """CPU seconds for all sixteen, the middle one of ``repeat``."""
    now = 1_767_571_200.0
    inputs = sixteen(now)
    forecast_many(inputs[:1])
    took = []
    for number in range(repeat):
        fresh = tuple(replace(each, now=now + number) for each in inputs)
        start = time.process_time()
        forecast_many(fresh)
        took.append(time.process_time() - start)
    return float(np.median(took))


def history_rows(declaration: Declaration, now: float, step: float, rows: int) -> Iterator[str]:
    """Lines ``time,signal,value,member`` of every declared signal, one value a ``step``, about ``rows`` in all."""
    names = [(name, member) for name, one in declaration.signals.items() for member in (MEMBERS if one.by else ("",))]
    count = -(-rows // len(names))
    times = np.arange(now - count * step, now, step)[:count]
    users, load = growing(times, now)
    rng = np.random.default_rng(7)
    triggers = {trigger.signal: trigger for point in declaration.points for trigger in point.triggers}
    for name, member in names:
        trigger = triggers.get(name)
        noise = np.exp(0.05 * rng.standard_normal(times.size))
        if name == declaration.users.signal:
            values = users
        elif declaration.load is not None and name == declaration.load.signal:
            values = load * noise
        elif member:
            values = users / len(MEMBERS) * noise
        elif trigger is not None and trigger.threshold is not None and declaration.signals[name].unit != "processes":
            badness = 0.7 * (0.3 + 0.7 * (load / load.max()) ** 2) * noise
            values = 1 - (1 - trigger.threshold) * badness if trigger.direction == "below" else badness
            values = values if trigger.direction == "below" else values * trigger.threshold
        else:
            values = np.ones(times.size)
        for at, value in zip(times, values, strict=True):
            yield f"{at:.0f},{name},{value:.6g},{member}\n"


def workspace(folder: Path, now: float, step: float, rows: int) -> tuple[Path, int]:
    """A declared venture platform in ``folder`` and a CSV of history beside it: its path and number of rows."""
    run(["init", "--template", "venture-platform"], folder)
    path, written = folder / "history.csv", 0
    with path.open("w", encoding="utf-8") as out:
        out.write("time,signal,value,member\n")
        for line in history_rows(read_declaration(folder / "outgrow.yaml"), now, step, rows):
            out.write(line)
            written += 1
    return path, written


def _row(what: str, ran: Ran) -> tuple[Cell, ...]:
    return (what, ran.seconds, ran.cpu_seconds, ran.peak_bytes / 1e6)


def main(arguments: list[str]) -> None:
    """Measure, print and write ``results/speed.{md,json}``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks speed", description="How long people wait.")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--samples", type=int, default=1_000_000)
    chosen = parser.parse_args(arguments)
    now = float(int(time.time() // HOUR) * HOUR)
    triggers = seconds_for_sixteen(5)
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        folder = Path(first)
        path, rows = workspace(folder, now, HOUR, 18 * DAYS * 24)
        run(["import", str(path)], folder)
        first_status = run(["status", "--offline"], folder)
        later = sorted(
            (run(["status", "--offline"], folder) for _ in range(chosen.repeat)), key=lambda ran: ran.seconds
        )
        forecast = run(["forecast", "--offline", "--json"], folder)
        status = later[len(later) // 2].seconds
        big, samples = workspace(Path(second), now, 600.0, chosen.samples)
        imported = run(["import", str(big)], Path(second))
    report = Report(
        name="speed",
        title="How long people wait",
        command=" ".join(["python -m benchmarks speed", *arguments]),
        tables=(
            Table(
                "Figures",
                ("what", "wall s", "CPU s", "peak MB"),
                (
                    ("sixteen triggers, 400 days hourly, in this process", None, triggers, None),
                    _row("outgrow status --offline, nothing forecast before", first_status),
                    *(
                        _row(f"outgrow status --offline, {words}", later[place])
                        for words, place in (("fastest", 0), ("middle", len(later) // 2), ("slowest", -1))
                    ),
                    _row("outgrow forecast --offline --json, all points", forecast),
                    _row(f"import of {samples:,} samples", imported),
                ),
                (f"Status and forecast ran on {rows:,} imported samples of the venture-platform template.",),
            ),
        ),
        targets=(
            Target("sixteen triggers forecast on one core, s", triggers, 1.0),
            Target("outgrow status cold, s", status, 0.8),
            Target("outgrow status cold, nothing forecast before, s", first_status.seconds, 0.8),
            Target(f"import of {samples:,} samples, s", imported.seconds, 10.0),
            Target("its peak memory, MB", imported.peak_bytes / 1e6, 500.0),
        ),
        packages=("outgrow", "numpy", "pydantic", "sqlalchemy"),
    )
    print(write_report(report).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])
