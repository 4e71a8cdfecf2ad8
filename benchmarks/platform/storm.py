"""kill -9 of the platform's processes under load: what was lost, what was done twice, how long it was away.

    python -m benchmarks storm --kills 100

A real `ventures serve` (two API processes, a worker, PostgreSQL with fsync on), four writers who draft items over HTTP
under idempotency keys and repeat what was not answered; see `ventures.testing.storm`. Kills come in batches of 20, each
on a new data folder with a seed of its own; batches that are done are kept, so that a run that was interrupted goes on
where it was. The control loses answers on purpose, once with keys and once without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.report import Report, Table, Target, source_digest, write_report
from ventures.testing.serving import ANSWER_SECONDS, KINDS, folder, serving
from ventures.testing.storm import LosesAnswers, Outcome, insist, judge, signed_up, storm

BATCH = 20
FIRST_SEED = 1
LOST_ANSWERS = 50


def main(arguments: list[str]) -> None:
    """Runs the batches that are missing, then the control, and writes the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks storm")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--kept", type=Path, help="Folder of the batches that are done; by default a temporary one.")
    options = parser.parse_args(arguments)
    kept = options.kept or Path(tempfile.gettempdir()) / f"ventures-bench-storm-{source_digest('ventures')}"
    kept.mkdir(parents=True, exist_ok=True)
    sizes = [min(options.batch, options.kills - start) for start in range(0, options.kills, options.batch)]
    batches = [_kept(kept, f"{size}-{seed}", size, seed) for seed, size in enumerate(sizes, FIRST_SEED)]
    with_keys, without = asyncio.run(_control(keys=True)), asyncio.run(_control(keys=False))
    _report(options.kills, options.batch, batches, with_keys, without)


def _kept(kept: Path, name: str, kills: int, seed: int) -> dict[str, Any]:
    """The batch's outcome, from the folder where it was run before."""
    file = kept / f"{name}.json"
    if not file.exists():
        with folder() as data:
            outcome = asyncio.run(storm(data, kills=kills, seed=seed, told=lambda text: print(f"  {text}", flush=True)))
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(vars(outcome)))
        unfinished.rename(file)
    return {"seed": seed, **json.loads(file.read_text())}


async def _control(*, keys: bool) -> Outcome:
    """Items of which every other one is carried out and its answer lost, then asked for again."""
    losing, outcome = LosesAnswers(), Outcome()
    with folder() as data, serving(data) as platform:
        async with httpx2.AsyncClient(base_url=platform.url, transport=losing, timeout=ANSWER_SECONDS) as client:
            await signed_up(client)
            founded = await client.post("/v1/ventures", json={"name": "Control", "display_name": "Control"})
            path = f"{founded.raise_for_status().headers['location']}/items"
            for number in range(2 * LOST_ANSWERS):
                losing.lose = number % 2
                await insist(client, path, {"title": str(number), "body": "text"}, outcome, keys=keys)
                outcome.acknowledged += 1
            await judge(platform, client, {}, outcome)
    return outcome


def _report(kills: int, batch: int, batches: list[dict[str, Any]], with_keys: Outcome, without: Outcome) -> None:
    killed, repeated = Counter[str](), Counter[str]()
    for one in batches:
        killed.update(one["kills"])
        repeated.update(one["repeated"])
    lost, twice, acknowledged = (sum(one[name] for one in batches) for name in ("lost", "twice", "acknowledged"))
    faults = [fault for one in batches for fault in one["faults"]]
    write_report(
        Report(
            name="storm",
            title="kill -9 of any process at any moment, under load",
            command=f"python -m benchmarks storm --kills {kills}" + (f" --batch {batch}" if batch != BATCH else ""),
            tables=(
                Table(
                    "Batches",
                    ("seed", *KINDS, "acknowledged", "repeated", "restarts of serve", "lost", "twice", "other faults",
                     "longest outage s", "catch-up s"),
                    tuple(_row(one) for one in batches),
                    (
                        "backend: any process of PostgreSQL but the postmaster. repeated: requests sent again, "
                        + ", ".join(f"{count} for {why}" for why, count in sorted(repeated.items()))
                        + ".",
                        "Longest outage: no writer was acknowledged anything; kills may hit while the platform still "
                        "recovers from the last one. Catch-up: from the end of the storm until every consumer had read "
                        "every log.",
                    ),
                ),
                Table(
                    "Control",
                    ("requests", "acknowledged", "answers lost", "done twice"),
                    tuple(
                        (name, one.acknowledged, one.repeated.total(), one.twice)
                        for name, one in (("with keys", with_keys), ("without keys", without))
                    ),
                ),
            ),
            targets=(
                Target("kills", float(killed.total()), low=float(kills)),
                Target("acknowledged and lost", float(lost), high=0.0),
                Target("done twice", float(twice), high=0.0),
                Target("faults of any kind", float(len(faults)), high=0.0),
                Target("done twice in the control with keys", float(with_keys.twice), high=0.0),
                Target("done twice in the control without keys", float(without.twice), low=1.0),
            ),
            facts={"acknowledged": acknowledged, "events": sum(one["events"] for one in batches)},
            notes=tuple(faults),
            packages=("psycopg", "uvicorn", "litestar"),
        )
    )  # fmt: skip


def _row(one: dict[str, Any]) -> tuple[int | float, ...]:
    other = len(one["faults"]) - (one["lost"] > 0) - (one["twice"] > 0)
    return (
        one["seed"],
        *(one["kills"].get(kind, 0) for kind in KINDS),
        one["acknowledged"],
        sum(one["repeated"].values()),
        one["restarts"],
        one["lost"],
        one["twice"],
        max(other, 0),
        round(one["longest_outage_seconds"], 1),
        round(one["catch_up_seconds"], 1),
    )
