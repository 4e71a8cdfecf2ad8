"""What the steps of `scale` come to: at how many users triggers of rewrite 1 fire, by layout; and ramps of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.report import RESULTS, Cell, Report, Table, Target, write_report

TRIGGER_SECONDS, UNUSABLE_SECONDS, PLATFORM_SECONDS = 5.0, 15.0, 0.15
TRIGGER_BYTES, UNUSABLE_BYTES = 8e9, 16e9
LEAST_STEPS = 3
STRAIGHT = 0.98
"""Memory is said to follow the passages where a line explains this much of it."""
FARTHEST = 1e7
DRAWS = 20_000
ENDS = {
    "not reached": "not reached",
    "out of time": "not measured further",
    "unusable": "",
    "memory": "not reached; memory ends it",
    "": "not measured further",
}
Floats = npt.NDArray[np.float64]
Layouts = Mapping[str, Mapping[str, Any]]
Steps = Sequence[Mapping[str, Any]]


def write(found: Layouts, seconds_between: float, passages_each: int) -> None:
    """`results/scale.{md,json}`, and for each layout `results/scale/LAYOUT-{latency,memory}.csv`."""
    folder = RESULTS / "scale"
    folder.mkdir(parents=True, exist_ok=True)
    for layout, one in found.items():
        for name, text in ramps(one["steps"], one["at"], seconds_between).items():
            (folder / f"{layout}-{name}.csv").write_text(text, encoding="utf-8")
    buckets = [step for step in found.get("buckets", {}).get("steps", []) if step["users"] == 50_000]
    write_report(
        Report(
            name="scale",
            title="At how many users each layout gives out",
            command="python -m benchmarks scale",
            tables=(_walls(found, seconds_between), _memory(found, passages_each), _steps(found, seconds_between)),
            targets=(
                Target(
                    "buckets: p95 s of a vector search, 50,000 users",
                    buckets[0]["p95"] if buckets else None,
                    TRIGGER_SECONDS,
                ),
            ),
            facts=found.get("pgvector", {}).get("facts", {}),
            notes=NOTES,
            packages=("qdrant-edge-py", "pgvector", "numpy"),
        )
    )


NOTES = (
    "Two triggers of this rewrite have no wall here that depends on the layout: generation succeeds or fails with the "
    "language model that is asked, and cross-venture search is right in every layout (each search names its ventures, "
    "and the answers are compared with exact search in `vectors`).",
    "The platform waits .15 s for the index and then asks PostgreSQL, so its users meet the exact search's time (the "
    "row pgvector) before they meet five seconds; what is measured here is the index itself, without that way out.",
    "`scale/LAYOUT-latency.csv` and `scale/LAYOUT-memory.csv` are ramps: `outgrow import "
    "benchmarks/results/scale/shared-latency.csv --signal vector_p95`, `… shared-memory.csv --signal vector_memory`.",
)


def crossing(steps: Steps, limit: float) -> float | None:
    """Users at which p95 first passes the limit, between two steps by a straight line in log–log; None where none."""
    for before, after in zip([None, *steps], steps, strict=False):
        if after["p95"] >= limit:
            if before is None:
                return float(after["users"])
            return _between(before["users"], after["users"], before["p95"], after["p95"], limit)
    return None


def fell_behind(step: Mapping[str, Any]) -> bool:
    """Whether the last answer came so much later than it was due that searches were waiting for each other."""
    return bool(step["late"] > max(1.0, 0.05 * step["seconds"]))


def behind(steps: Steps, seconds_between: float) -> float | None:
    """Users from which on searches come faster than they are answered, so that who waits waits ever longer.

    Between the last step that kept up, where each search takes its time alone, and the first that fell behind, where
    what was due is compared with when it was done. None where every step kept up.
    """
    for before, after in zip([None, *steps], steps, strict=False):
        if fell_behind(after):
            share = (after["seconds"] + after["late"]) / after["seconds"]
            if before is None:
                return float(after["users"])
            share_before = min(before["users"] / seconds_between * before["alone"], 0.99)
            return _between(before["users"], after["users"], share_before, share, 1.0)
    return None


def _between(low: float, high: float, at_low: float, at_high: float, limit: float) -> float:
    part = math.log(limit / at_low) / math.log(at_high / at_low)
    return float(low * (high / low) ** part)


def memory_line(steps: Steps, passages_each: int) -> tuple[float, float, float] | None:
    """Bytes a passage: 10, 50 and 90 %. None for fewer than three steps, or where memory does not follow passages."""
    drawn = _memory_lines(steps, passages_each)
    return None if drawn is None else _percentiles(drawn[1])


def users_at(steps: Steps, passages_each: int, limit: float) -> tuple[float, float, float] | None:
    """Users at which memory passes the limit, forecast: 10, 50 and 90 %. None as for `memory_line`."""
    drawn = _memory_lines(steps, passages_each)
    if drawn is None:
        return None
    level, slope = drawn
    return _percentiles((limit - level) / slope / passages_each)


def processor_full(steps: Steps, seconds_between: float) -> tuple[float, float, float] | None:
    """Users whose searches take one whole processor, forecast: 10, 50 and 90 %; whoever else uses it changes little.

    A search's processor time as a power of users. None for fewer than three steps.
    """
    if len(steps) < LEAST_STEPS:
        return None
    users = np.log([step["users"] for step in steps])
    share = np.log([step["users"] / seconds_between * processor_time(step) for step in steps])
    level, slope = _lines(users, share)
    rising = slope > 0
    return _percentiles(np.exp(np.minimum(-level[rising] / slope[rising], math.log(FARTHEST))))


def processor_time(step: Mapping[str, Any]) -> float:
    """Seconds a search."""
    return float(step["busy"] * (step["seconds"] + step["late"]) / step["searches"])


def _memory_lines(steps: Steps, passages_each: int) -> tuple[Floats, Floats] | None:
    if len(steps) < LEAST_STEPS:
        return None
    passages = np.array([step["users"] * passages_each for step in steps], dtype=np.float64)
    resident = np.array([step["resident_bytes"] for step in steps], dtype=np.float64)
    if np.corrcoef(passages, resident)[0, 1] < math.sqrt(STRAIGHT):
        return None
    level, slope = _lines(passages, resident)
    return level[slope > 0], slope[slope > 0]


def _lines(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Lines of y over x as the points allow them: least squares, Student's t; levels and slopes, shape (draws,)."""
    design = np.stack([np.ones_like(x), x], axis=1)
    fitted, *_ = np.linalg.lstsq(design, y, rcond=None)
    left = y - design @ fitted
    random, freedom = np.random.default_rng(0), len(x) - 2
    root = np.linalg.cholesky(np.linalg.inv(design.T @ design)) * math.sqrt(left @ left / freedom)
    normal = random.standard_normal((DRAWS, 2)) @ root.T
    drawn = fitted + normal / np.sqrt(random.chisquare(freedom, DRAWS) / freedom)[:, None]
    return drawn[:, 0], drawn[:, 1]


def _percentiles(values: Floats) -> tuple[float, float, float]:
    low, mid, high = (float(one) for one in np.quantile(values, (0.1, 0.5, 0.9)))
    return low, mid, high


def ramps(steps: Steps, at: str, seconds_between: float) -> dict[str, str]:
    """As `outgrow import` takes them: latency over users, and memory over users. at: when they were measured."""
    latency = ["users,p50_seconds,p95_seconds,p99_seconds,throughput_per_second,loop,time"]
    memory = ["users,value,loop,time"]
    for step in steps:
        carried = step["users"] / seconds_between * step["seconds"] / (step["seconds"] + max(step["late"], 0.0))
        figures = (step["p50"], step["p95"], step["p99"], carried)
        latency.append(",".join([str(step["users"]), *(f"{one:.6g}" for one in figures), "open", at]))
        memory.append(f"{step['users']},{step['resident_bytes']:.0f},open,{at}")
    return {"latency": "\n".join(latency) + "\n", "memory": "\n".join(memory) + "\n"}


def _walls(found: Layouts, seconds_between: float) -> Table:
    rows = []
    for layout, one in found.items():
        steps = one["steps"]
        if not steps:
            continue
        last, ends = steps[-1], ENDS[one["ended"]]

        def said(users: float | None, last: Mapping[str, Any] = last, ends: str = ends) -> Cell:
            if users is not None:
                return _rounded(users)
            return f"> {last['users']:,}, {ends}" if ends else f"> {last['users']:,}"

        limits = (PLATFORM_SECONDS, TRIGGER_SECONDS, UNUSABLE_SECONDS)
        at = [said(crossing(steps, limit)) for limit in limits]
        full = processor_full(steps, seconds_between)
        rows.append(
            (
                layout,
                at[0],
                said(behind(steps, seconds_between)),
                *at[1:],
                f"{last['users']:,}",
                last["p95"],
                None if full is None else _range(full),
            )
        )
    return Table(
        "Users at which vector search becomes slow (measured, but for the last column)",
        ("layout", "p95 > .15 s", "falls behind from", "p95 > 5 s within the step", "p95 > 15 s within the step",
         "most users measured", "p95 s there", "one processor full at (forecast)"),
        tuple(rows),
        (
            "The trigger of rewrite 1 is a p95 of 5 s, kept up for ten minutes; 15 s is the break. From where a layout "
            "falls behind, its queue grows as long as the load lasts: in ten minutes past both. So that column is "
            "where the trigger fires; the two beside it say how soon after (a step lasts 20 s there). Between two "
            "steps by a straight line in log–log.",
            "One processor full: users whose searches take all of it, by the processor time of a search as a power of "
            "users, 10–90 % in brackets; a forecast beyond the steps. It does not depend on who else uses the machine.",
            "shared is what one builds first: one store, every vector in it, the venture a field without an index. "
            "Each search looks at all of it. Building the engine's graph does not help it: in a trial with 40,000 "
            "passages a search took 16 ms of a processor before and after.",
        ),
    )  # fmt: skip


def _memory(found: Layouts, passages_each: int) -> Table:
    rows = []
    for layout, one in found.items():
        steps = one["steps"]
        if not steps:
            continue
        last, line = steps[-1], memory_line(steps, passages_each)
        at = [users_at(steps, passages_each, limit) for limit in (TRIGGER_BYTES, UNUSABLE_BYTES)]
        own = last["own_bytes"]
        rows.append(
            (
                layout,
                f"{last['users']:,}",
                last["resident_bytes"] / 1e9,
                None if own is None else own / 1e9,
                last["disk_bytes"] / 1e9,
                _said_of(line, steps),
                *(None if one is None else _range(one) for one in at),
            )
        )
    return Table(
        "Memory of the index (measured), and where it passes the trigger and the break (forecast)",
        ("layout", "users, largest step", "resident GB", "of it its own GB", "disk GB", "bytes a passage",
         "users at 8 GB (forecast)", "users at 16 GB (forecast)"),
        tuple(rows),
        (
            "Forecast, not measured: the line through the steps, its middle and in brackets 10–90 % as the line's own "
            "doubt has it; that memory goes on as a line is assumed. `outgrow` itself gives no date for a limit more "
            "than four times beyond the last step.",
            "Resident counts pages of files, which the system takes back when it needs them; its own are what it does "
            "not. The embedding model, which an index process loads too, is not in it. per-venture holds 1,024 shards "
            "open at most, so that from 1,400 users on a line says rather too much of it; PostgreSQL's memory (its "
            "processes' proportional share) ends with its buffers.",
        ),
    )  # fmt: skip


def _said_of(line: tuple[float, float, float] | None, steps: Steps) -> str:
    if line is not None:
        return _range(line)
    return "too few steps" if len(steps) < LEAST_STEPS else "does not follow passages"


def _range(values: tuple[float, float, float]) -> str:
    low, mid, high = (_rounded(one) for one in values)
    return f"{mid} ({low}–{high})"


def _rounded(value: float) -> str:
    """Two significant digits, with commas."""
    if value >= FARTHEST:
        return "∞"
    return f"{round(value, 1 - math.floor(math.log10(max(value, 1)))):,.0f}"


def _steps(found: Layouts, seconds_between: float) -> Table:
    return Table(
        "Steps",
        ("layout", "users", "they ask /s", "asked /s", "searches", "seconds", "p50 ms", "p95 ms", "p99 ms",
         "one at a time ms", "processor ms", "done later than due s", "cores", "resident GB", "disk GB", "filling s"),
        tuple(
            (layout, step["users"], step["users"] / seconds_between, step["asked_per_second"], step["searches"],
             step["seconds"], *(step[name] * 1e3 for name in ("p50", "p95", "p99", "alone")),
             processor_time(step) * 1e3, step["late"],
             step["busy"], step["resident_bytes"] / 1e9, step["disk_bytes"] / 1e9, step["fill_seconds"])
            for layout, one in found.items()
            for step in one["steps"]
        ),
        (
            "Few users are asked for more often than they ask, up to 20/s and as long as a search at a time would take "
            "up no more than .15 of the index: their figures are no lower for it. Before each step up to 1,024 "
            "ventures are asked once. Filling is of several layouts at once, from the step before on, with the "
            "making of the vectors.",
        ),
    )  # fmt: skip
