"""The story: a platform that is built as one builds first, the wall it grows towards, and the move away from it.

    python -m demo [--quick] [--plain] [--keep]

Measured are the users at which it breaks, the options, the move, and the load afterwards. Dates are those of simulated
growth, on a clock that runs days a second. It ends with 1 where the warning came late, or a write was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo import declaring, users
from demo.declaring import LAYOUT_OF, POINT, Scale
from demo.figures import Bounds, Buckets, bounds_of, buckets_of, judged, quantile_between, reached_at
from demo.platform import Platform
from demo.telling import Failed, Teller
from demo.writing import Writer

SEARCH = "ventures_vector_query_seconds"
USUAL_SECONDS = 600
"""Between two searches of a user of the platform: one request in 30 s, one in twenty of them a search."""
DEFAULT_LAYOUT = "buckets"
KILL_AFTER_SECONDS = 2.0
MOST_TRIES = 4
STOPPED = 4
"""How a move ends that stopped and is safe."""
BAR = 36


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard. users: of each step of growth; half: steps after which the forecast is asked for.

    search_seconds: between two searches of a user. load_seconds: of a step; move_seconds: at most, of the load beside
    the move; after_seconds: of each load afterwards. scenarios: of `outgrow plan`.
    """

    users: tuple[int, ...]
    half: int
    search_seconds: float
    load_seconds: float
    move_seconds: float
    after_seconds: float
    scenarios: int
    scale: Scale


FULL = Plan(
    users=(250, 320, 410, 520, 660, 840, 1070, 1360, 1730, 2200),
    half=6,
    search_seconds=22.0,
    load_seconds=8.0,
    move_seconds=90.0,
    after_seconds=12.0,
    scenarios=200,
    scale=Scale(days=2, window=4.0, warn=0.05, breaks=0.1, rounds=6, round_seconds=2.0),
)
QUICK = Plan(
    users=(160, 210, 270, 350, 450, 580, 750),
    half=3,
    search_seconds=8.0,
    load_seconds=4.0,
    move_seconds=30.0,
    after_seconds=5.0,
    scenarios=50,
    scale=Scale(days=7, window=3.0, warn=0.05, breaks=0.1, rounds=6, round_seconds=1.0),
)


@dataclass(frozen=True, slots=True)
class Load:
    """What a load of searches came to. vector: p95 of asking for vectors, seconds; exact: share that PostgreSQL
    answered, since the index was too late. p50, p95: of whole requests, as their senders waited.
    """

    users: int
    per_second: float
    vector: float
    exact: float
    p50: float | None
    p95: float | None
    errors: int


@dataclass
class Story:
    """What is known as it goes on."""

    plan: Plan
    teller: Teller
    platform: Platform
    folder: Path
    counted: users.Users
    steps: list[Load] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    said: Bounds | None = None
    days_said: Bounds | None = None
    said_after: float = 0.0
    said_users: int = 0
    layout: str = DEFAULT_LAYOUT

    @property
    def config(self) -> Path:
        """The declaration."""
        return self.folder / "outgrow.yaml"

    def begin(self) -> None:
        """The platform and its first people."""
        teller, plan = self.teller, self.plan
        teller.chapter(1, "The platform, in the shape one builds first")
        teller.say("One vector store, everybody's vectors in it, no index on whose they are.")
        teller.told("VENTURES_INDEX_LAYOUT=shared ventures serve")
        with teller.doing("starting PostgreSQL, API, worker and index"):
            self.platform.start()
        teller.environment.update(self.platform.environment, PGPASSWORD=self.platform.owner_password())
        self._populate(plan.users[0])
        found = teller.run("ventures", "lookout", into="outgrow.yaml")
        declaring.put(self.config, declaring.declared(found.out, plan.scale, self.counted.url))
        scale = plan.scale
        teller.say(
            f"That is outgrow.yaml, as the platform ships it, with four changes for a story of minutes. A second of "
            f"the clock is {scale.days} days: growth is simulated, and so are all dates. A user searches every "
            f"{plan.search_seconds:g} s instead of every {USUAL_SECONDS}: the wall comes at fewer users. The limit of "
            f"a vector query is {scale.breaks * 1000:.0f} ms (warning at {scale.warn * 1000:.0f}) instead of 15 s "
            "(5 s): this platform waits 150 ms for its index and then asks PostgreSQL, so that nobody ever meets the "
            "seconds; at the demo's limit it is about to lose its index. Of "
            "the point's four triggers this one is left: minutes do not bring about the others.",
        )

    def grow(self) -> None:
        """Growth by steps until the wall was measured; the forecast is made on the way."""
        teller, plan = self.teller, self.plan
        teller.chapter(2, "It grows, and is watched")
        teller.told("outgrow", "record", "--every", "1s", "&")
        recorder = teller.started("outgrow", "record", "--every", "1s", nice=True, silent=True)
        began = time.monotonic()
        try:
            for number, count in enumerate(plan.users, 1):
                if number > 1:
                    self._populate(count)
                load = self._search(count, plan.load_seconds, 1.0)
                self.steps.append(load)
                self._shown(load)
                if load.vector > plan.scale.breaks:
                    break
                if number >= plan.half and self.said is None:
                    self._forecast(number == plan.half, began)
            else:
                raise Failed(
                    f"{plan.users[-1]:,} users did not bring it to its wall: this machine is faster than the story"
                )
        finally:
            teller.ended(recorder, signal.SIGINT)
        self._judge(began)

    def prove(self) -> None:
        """Options side by side, the decision, the plan."""
        teller = self.teller
        teller.chapter(4, "Tune, partition or migrate? Measured, on the team's own ventures")
        last = self.steps[-1]
        text = declaring.to_prove(
            self.config.read_text(), self.plan.scale, last.users, last.users / self.plan.search_seconds
        )
        declaring.put(self.config, text)
        teller.say(
            f"The measured limit governs, and this is to be done well before: at {self.plan.scale.early:.0%} of it. "
            f"Each layout gets the data of {last.users:,} users, and is asked as often as that share of them asks."
        )
        told = self._json("prove", POINT, fine=(0, 1, 3))
        teller.table(
            ("layout", "option", "p50", "p95", "recall", "memory"),
            [
                (
                    arm["id"],
                    arm["option"] or "as it is",
                    _ms(arm["p50_seconds"]),
                    _ms(arm["p95_seconds"]),
                    "–" if arm.get("recall") is None else f"{arm['recall']:.3f}",
                    "–" if not arm.get("memory_bytes") else f"{arm['memory_bytes'] / 1e6:,.0f} MB",
                )
                for arm in told["arms"]
            ],
        )
        for line in (told["sentence"], *told["reasons"]):
            if line:
                teller.say(f"  {line}")
        if told["ended"] != "finished":
            teller.say("So nothing is decided by it here, and the story goes on with the platform's own default.")
            return
        decided = self._json("decide", POINT, fine=(0, 1, 3))
        teller.say(f"  {decided['verdict']}: {decided['option'] or 'no option'}", "bold")
        for reason in decided["reasons"]:
            teller.say(f"  {reason}")
        self.layout = LAYOUT_OF.get(decided["option"] or "", DEFAULT_LAYOUT)
        teller.run("outgrow", "plan", "--scenarios", str(self.plan.scenarios), fine=(0, 1, 3), show=14)

    def move(self) -> None:
        """Venture by venture, under load and writes, with a way back; the tool and the index are killed in it."""
        teller = self.teller
        teller.chapter(5, f"The move from shared to {self.layout}, while it is used")
        declaring.put(self.config, declaring.retargeted(self.config.read_text(), self.layout))
        reached = self.steps[-1].users
        writer = Writer(self.platform.url, "user0.seed1@population.example", self._password())
        writer.start()
        seconds = str(self.plan.move_seconds)
        words = ("load", "--users", str(reached), "--seconds", seconds, "--rate-per-user", f"{10 / reached:.6f}")
        teller.told("ventures", *words, "&")
        load = teller.started("ventures", *words, nice=True)
        try:
            self._moved()
        finally:
            writer.stop()
            teller.ended(load, signal.SIGINT)
        self._account(writer)

    def compare(self) -> None:
        """The load that broke it, once more and twice as much, beside what it was."""
        teller, before = self.teller, self.steps[-1]
        teller.chapter(6, "The load that broke it, before and after")
        self._validate(before)
        after = [self._search(before.users, self.plan.after_seconds, times) for times in (1.0, 2.0)]
        rows = [
            (
                name,
                f"{load.per_second:.0f}/s",
                _ms(load.vector),
                _ms(load.p50),
                _ms(load.p95),
                f"{load.exact:.0%}",
                str(load.errors),
            )
            for name, load in (
                ("shared, before", before),
                (f"{self.layout}, the same", after[0]),
                (f"{self.layout}, twice", after[1]),
            )
        ]
        teller.table(("", "searches", "vector p95", "request p50", "request p95", "too late", "errors"), rows)
        if after[0].vector > self.plan.scale.breaks:
            self.faults.append(f"after the move the same load still takes {_ms(after[0].vector)}")

    def _populate(self, count: int) -> None:
        self.teller.run("ventures", "populate", "--users", str(count), "--password-file", "password", nice=True)
        with self.teller.doing("the index reads what is new"):
            self.platform.filled()
        self.counted.count = count

    def _search(self, count: int, seconds: float, times: float) -> Load:
        report = self.folder / "load.json"
        rate = times / self.plan.search_seconds
        before = self.platform.metrics()
        self.teller.run(
            "ventures", "load", "--users", str(count), "--only", "search", "--rate-per-user", f"{rate:.6f}",
            "--seconds", f"{seconds:g}", "--report", report.name, fine=(0, 1),
        )  # fmt: skip
        after = self.platform.metrics()
        whole = _between(before, after, "")
        exact = _between(before, after, 'answered_by="exact"')
        vector = quantile_between(buckets_of(before, SEARCH), buckets_of(after, SEARCH), 0.95)
        step = json.loads(report.read_text())["steps"][0]
        return Load(
            users=count,
            per_second=step["offered_per_second"],
            vector=vector or 0.0,
            exact=exact / whole if whole else 0.0,
            p50=step["whole"]["p50_seconds"],
            p95=step["whole"]["p95_seconds"],
            errors=sum(step["errors"].values()) + step["dropped"],
        )

    def _shown(self, load: Load) -> None:
        limit = self.plan.scale.breaks
        bar = "▇" * min(BAR, max(1, round(load.vector / limit * BAR / 2)))
        style = "red" if load.vector > limit else "yellow" if load.vector > self.plan.scale.warn else "green"
        self.teller.say(f"  {load.users:>6,} users  {load.per_second:5.1f}/s  p95 {_ms(load.vector):>8}  {bar}", style)

    def _forecast(self, first: bool, began: float) -> None:
        """Kept where it names users; where it refuses, it is asked again after the next step."""
        asked_after = time.monotonic() - began
        told = self._json("forecast", POINT, "--offline", fine=(0, 1, 3))
        (self.folder / "forecast.json").write_text(json.dumps(told, indent=1))
        made = declaring.forecast_of(told)
        said = bounds_of(made["users_at_limit"])
        if first:
            self.teller.say("Half-way. What does outgrow say, from what it has seen so far?")
        if said is None:
            self.teller.say(f"  It refuses: {made['reason']}", "yellow")
            return
        self.said, self.said_users = said, self.steps[-1].users
        self.days_said, self.said_after = bounds_of(made["days_left"]), asked_after
        span = f"{said.low:,.0f} to {said.high:,.0f} users, {said.mid:,.0f} in the middle"
        if self.days_said is None:
            self.teller.say(f"  It refuses a date: {made['reason']}", "yellow")
            self.teller.say(f"  What it knows all the same: it breaks at {span}. This is kept.", "bold")
        else:
            when = f"in {self.days_said.low:,.0f} to {self.days_said.high:,.0f} days of simulated growth"
            self.teller.say(f"  It breaks at {span}, {when}. This is kept.", "bold")

    def _judge(self, began: float) -> None:
        plan, teller = self.plan, self.teller
        teller.chapter(3, "The wall, and what was said of it")
        limit = plan.scale.breaks
        wall = reached_at([one.users for one in self.steps], [one.vector for one in self.steps], limit)
        assert wall is not None
        days = (time.monotonic() - began - self.said_after) * plan.scale.days
        found = judged(self.said, wall, days_said=self.days_said, days=days)
        last = self.steps[-1]
        teller.say(
            f"With {last.users:,} users a vector query takes {_ms(last.vector)} (p95), over {_ms(limit)}; "
            f"{last.exact:.0%} of the searches were given up on and answered by PostgreSQL."
        )
        if self.said is not None:
            teller.say(f"The forecast was made with {self.said_users:,} users.")
        teller.say(found.sentence, "bold red" if found.how == "late" else "bold green")
        if found.how == "late":
            self.faults.append(found.sentence)

    def _moved(self) -> None:
        teller = self.teller
        created = self._json("migrate", POINT, "create")
        tenants = sum(len(wave["tenants"]) for wave in created["waves"])
        first = created["waves"][0]["tenants"][0]
        teller.say(f"  {tenants:,} ventures in {len(created['waves'])} waves, the smallest first")
        teller.told("outgrow", "migrate", POINT, "start", "&")
        tool = teller.started("outgrow", "migrate", POINT, "start")
        time.sleep(KILL_AFTER_SECONDS)
        was_at_it = tool.poll() is None
        teller.told(f"kill -9 {tool.pid}")
        teller.ended(tool, signal.SIGKILL)
        killed = self.platform.kill_index()
        teller.told(f"kill -9 {killed}")
        teller.say(
            f"  The tool {'was killed in the middle' if was_at_it else 'was done already'}, and with it the process "
            "that holds the index; PostgreSQL answers searches meanwhile. The same command goes on."
        )
        self._until_done("start")
        teller.say("First there and back again, with one venture: the way back is tried before it is needed.")
        teller.run("outgrow", "migrate", POINT, "switch", "--rehearse", "--tenant", first, "--yes", said=8)
        self._until_done("switch", "--all", "--yes")
        told = self._json("migrate", POINT, "status")
        if told["tenants"].get("switched", 0) != sum(told["tenants"].values()):
            raise Failed(f"not every venture is switched: {told['tenants']}")

    def _until_done(self, *words: str) -> None:
        """What stopped and is safe goes on with the same command."""
        for _ in range(MOST_TRIES):
            if self.teller.run("outgrow", "migrate", POINT, *words, fine=(0, STOPPED), said=3).code == 0:
                return
        raise Failed(f"`outgrow migrate {POINT} {words[0]}` stopped {MOST_TRIES} times")

    def _account(self, writer: Writer) -> None:
        gone, unfound, by = writer.missing()
        answered = ", ".join(f"{count} by {name}" for name, count in by.items())
        self.teller.say(
            f"Somebody wrote all the while: {writer.count:,} items were acknowledged, {writer.refused} were not, the "
            f"longest wait was {writer.longest_seconds:.2f} s."
        )
        if gone or unfound:
            sentence = f"LOST: {len(gone)} of the acknowledged items are gone, {len(unfound)} are not in the new index"
            self.teller.say(f"{sentence} (searches answered {answered})", "bold red")
            self.faults.append(sentence)
        else:
            self.teller.say(
                f"All of them are there, and the new index finds each (searches answered {answered}).", "bold green"
            )

    def _validate(self, before: Load) -> None:
        if self.teller.quietly("outgrow", "validate", "--help") != 0:
            return
        text = declaring.validated(self.config.read_text(), self.layout, before.users / self.plan.search_seconds)
        declaring.put(self.config, text)
        only = ("--only", "load") if self.plan is QUICK else ()
        self.teller.run("outgrow", "validate", POINT, *only, fine=(0, 1, 3), show=24)

    def _json(self, *words: str, fine: tuple[int, ...] = (0,)) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.teller.run("outgrow", *words, "--json", fine=fine).out)
        return told

    def _password(self) -> str:
        return (self.folder / "password").read_text()


def main() -> None:
    """Tells it, and ends with 0, or with 1 where it did not hold."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="The whole story on this machine.")
    parser.add_argument("--quick", action="store_true", help="ninety seconds instead of six minutes, coarser")
    parser.add_argument("--plain", action="store_true", help="no colour, nothing that moves")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    sys.exit(
        _told(QUICK if options.quick else FULL, plain=options.plain or "NO_COLOR" in os.environ, keep=options.keep)
    )


def _interrupted(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _told(plan: Plan, *, plain: bool, keep: bool) -> int:
    folder = Path(tempfile.mkdtemp(prefix="outgrow-demo-"))
    folder.chmod(0o711)  # a PostgreSQL that root starts runs as another account, and passes through
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text(secrets.token_urlsafe(24))
    environment = _environment(folder)
    teller, platform = Teller(environment, folder, plain=plain), Platform(folder / "data", environment)
    teller.say("outgrow and ventures: see it coming, prove it, move, and look back", "bold")
    teller.say(f"Everything lies in {folder}" + ("" if keep else ", and is removed at the end."), "dim")
    try:
        with users.told() as counted:
            story = Story(plan, teller, platform, folder, counted)
            for part in (story.begin, story.grow, story.prove, story.move, story.compare):
                part()
            faults = story.faults
    except Failed as failed:
        faults = [str(failed)]
    except KeyboardInterrupt:
        faults = ["interrupted"]
    finally:
        with teller.doing("ending all that was started"):
            teller.end()
            platform.stop()
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
    teller.console.print()
    for fault in faults:
        teller.say(f"FAILED  {fault}", "bold white on red")
    if not faults:
        teller.say(f"It held. All of it took {teller.seconds:.0f} s, and every process has ended.", "bold green")
    return 1 if faults else 0


def _environment(folder: Path) -> dict[str, str]:
    """Of the platform and both command lines: nothing of an installation that is on this machine already."""
    ours = ("VENTURES_", "OUTGROW_", "DATABASE_URL", "PG", "COLUMNS")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **outside,
        "VENTURES_DATA": str(folder / "data"),
        "VENTURES_PORT": "0",
        "VENTURES_INDEX_LAYOUT": "shared",
        "VENTURES_RATE_LIMIT_PER_MINUTE": "1000000",
        "VENTURES_LOG_LEVEL": "error",
        "COLUMNS": "92",
        "NO_COLOR": "1",
    }


def _between(before: str, after: str, label: str) -> float:
    """Observations between two looks."""
    counts: list[Buckets] = [buckets_of(text, SEARCH, label) for text in (before, after)]
    return counts[1].get(float("inf"), 0.0) - counts[0].get(float("inf"), 0.0)


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.0095 else f"{seconds * 1000:.1f} ms"
