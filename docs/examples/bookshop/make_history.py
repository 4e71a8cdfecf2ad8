"""Writes history.csv, ramp.csv and evidence.json: an invented bookshop whose search saturates at 150 searches a second.

Sixty weeks of days that end on Sunday, 1 November 2026. Users grow by about 9 % a month, load follows them with a
weekly cycle, and the 95th percentile of search times hardly moves until shortly before the wall, as in a queue with
several servers. The evidence compares its options at the load of 6,300 users, in twelve rounds.
"""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

FOLDER = Path(__file__).parent
DAYS = 60 * 7
LAST = datetime(2026, 11, 1, 12, tzinfo=UTC)
WEEKDAYS = (1.0, 1.03, 1.05, 1.02, 0.97, 0.72, 0.66)  # Monday first
CAPACITY_PER_SECOND = 150.0
UNLOADED_SECONDS = 0.08
ARMS = {"current": 2.4, "tune": 0.62, "A": 0.094}
"""Median p95 of each arm, seconds."""


def p95_seconds(load_per_second: float) -> float:
    share = load_per_second / CAPACITY_PER_SECOND
    return UNLOADED_SECONDS * (1 + share**3 / (1 - share))


def main() -> None:
    chance = random.Random(7)  # noqa: S311 - nothing secret is drawn
    users, slope = 560.0, 0.0030
    rows = ["time,signal,value"]
    for back in range(DAYS - 1, -1, -1):
        day = LAST - timedelta(days=back)
        slope += chance.gauss(0, 0.00003)
        users *= 1 + slope
        load = 0.021 * users * WEEKDAYS[day.weekday()] * (1 + chance.gauss(0, 0.03))
        p95 = p95_seconds(load) * (1 + chance.gauss(0, 0.04))
        at = day.strftime("%Y-%m-%dT%H:%MZ")
        rows += [
            f"{at},registered_users,{users:.0f}",
            f"{at},searches_per_second,{load:.1f}",
            f"{at},search_p95,{p95:.4f}",
        ]
    (FOLDER / "history.csv").write_text("\n".join(rows) + "\n")
    levels = (15, 30, 45, 60, 75, 90, 105, 120, 130, 138, 142)
    table = [f"{level},{p95_seconds(level) * (1 + chance.gauss(0, 0.03)):.4f},open" for level in levels]
    (FOLDER / "ramp.csv").write_text("\n".join(["load_per_second,p95_seconds,loop", *table]) + "\n")
    (FOLDER / "evidence.json").write_text(json.dumps(evidence(random.Random(11)), indent=1) + "\n")  # noqa: S311


def evidence(chance: random.Random) -> dict[str, object]:
    rounds = []
    for number in range(1, 13):
        disturbed = chance.lognormvariate(0, 0.10)
        order = chance.sample(list(ARMS), len(ARMS))
        rounds += [
            {
                "round": number,
                "arm": arm,
                "order": place,
                "p95_seconds": round(ARMS[arm] * disturbed * chance.lognormvariate(0, 0.08), 4),
                "sent": 12_000,
                "dropped": 0,
            }
            for place, arm in enumerate(order)
        ]
    return {
        "schema": "outgrow/evidence/v1",
        "point": "search",
        "source": "an invented rehearsal",
        "date": "2026-10-28",
        "simulated": True,
        "baseline": "tune",
        "arms": ["current", "tune", "A"],
        "seed": 11,
        "versions": {"shop": "1.4"},
        "machine": {"cores": "2"},
        "rounds": rounds,
    }


if __name__ == "__main__":
    main()
