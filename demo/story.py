"""The story: a platform that is built as one builds first, the wall it grows towards, and the move away from it.

    python -m demo [--quick] [--plain] [--keep] [--seconds]

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
from demo.figures import Bounds, bounds_of, in_days, judged, reached_at
from demo.growing import Rising, Stairs, Window, broke
from demo.platform import Platform
from demo.telling import Failed, Teller
from demo.writing import Writer

DEFAULT_LAYOUT = "buckets"
KILL_AFTER_SECONDS = 1.8
MOST_RAMPS = 4
MOST_TRIES = 4
STOPPED = 4
"""How a move ends that stopped and is safe."""
BROKEN_WINDOWS = 2
"""Steps in a row beyond the limit until it counts as broken: a machine alone may stall for one."""
BESIDE_PER_SECOND = 10.0
"""Requests of all kinds, beside the move."""
MOVED = ("ready:", "switched:")
LONGER = 2
BAR = 30
OPTION_WORDS = {"tune": "tune", "A": "partition", "B": "migrate"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how hard. users, ventures, passages: the population, passages of each user.

    stairs: users at work, step by step; half: steps after which the forecast is asked for. search_seconds: between two
    searches of a user. move_seconds: at most, of the load beside the move; after_seconds: of each step afterwards.
    scenarios: of `outgrow plan`. whole: with proving, deciding and planning, the rehearsed way back, and validating.
    """

    users: int
    ventures: int
    passages: int
    stairs: Stairs
    half: int
    search_seconds: float
    move_seconds: float
    after_seconds: float
    scenarios: int
    whole: bool
    scale: Scale

    @property
    def population(self) -> tuple[str, ...]:
        """As `ventures populate` and `ventures load` are told."""
        named = {"--users": self.users, "--ventures": self.ventures, "--passages-per-user": self.passages}
        return tuple(word for name, value in named.items() for word in (name, str(value)))


FULL = Plan(
    users=900,
    ventures=200,
    passages=20,
    stairs=Stairs(first=80, apart=37, steps=23, step_seconds=4.0),
    half=7,
    search_seconds=10.0,
    move_seconds=90.0,
    after_seconds=7.0,
    scenarios=200,
    whole=True,
    scale=Scale(days=7, window=3.0, warn=0.05, breaks=0.1, rounds=6, round_seconds=1.2),
)
QUICK = Plan(
    users=990,
    ventures=40,
    passages=12,
    stairs=Stairs(first=60, apart=42, steps=23, step_seconds=2.0),
    half=7,
    search_seconds=5.0,
    move_seconds=25.0,
    after_seconds=3.0,
    scenarios=50,
    whole=False,
    scale=Scale(days=7, window=2.0, warn=0.05, breaks=0.1, rounds=6, round_seconds=0.6),
)
LEFT_OUT = (
    "Left out of the quick form: chapter 4 (prove, decide, plan), so that it moves to the platform's default; the "
    "rehearsed way back; and `outgrow validate` (twice the load is sent all the same)."
)


@dataclass(frozen=True, slots=True)
class Load:
    """What a step of searches came to. vector: p95 of asking for vectors, seconds; exact: share that PostgreSQL
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
    steps: list[Window] = field(default_factory=list)
    reports: list[tuple[str, int]] = field(default_factory=list)
    """Of each step: the report that has it, and its place there."""
    before: Load | None = None
    faults: list[str] = field(default_factory=list)
    said: Bounds | None = None
    days_said: Bounds | None = None
    said_after: int = 0
    said_users: int = 0
    date_users: int = 0
    layout: str = DEFAULT_LAYOUT

    @property
    def config(self) -> Path:
        """The declaration."""
        return self.folder / "outgrow.yaml"

    def begin(self) -> None:
        """The platform and its people."""
        teller, plan, scale = self.teller, self.plan, self.plan.scale
        teller.chapter(1, "The platform, in the shape one builds first")
        teller.say("One vector store, everybody's vectors in it, no index on whose they are.")
        teller.told("VENTURES_INDEX_LAYOUT=shared ventures serve")
        began = time.monotonic()
        with teller.doing("starting PostgreSQL, API, worker and index"):
            self.platform.start()
        teller.timed(began, "starting the platform")
        teller.environment.update(self.platform.environment)
        teller.run("ventures", "populate", *plan.population, "--password-file", "password")
        began = time.monotonic()
        with teller.doing("the index reads what is new"):
            self.platform.filled()
        teller.timed(began, "the index reads")
        found = teller.run("ventures", "lookout", into="outgrow.yaml")
        declaring.put(self.config, declaring.declared(found.out, scale, self.counted.url))
        teller.say("That is outgrow.yaml as the platform ships it. For a story of minutes these are other:")
        teller.table(("", "as shipped", "here"), declaring.changes(scale, plan.search_seconds), words=3)
        teller.say(
            "This platform waits 150 ms for its index and then asks PostgreSQL, so nobody ever meets the shipped "
            f"seconds; at {scale.breaks * 1000:.0f} ms it is about to lose its index."
        )

    def grow(self) -> None:
        """Growth by steps until the wall was measured; the forecast is made on the way."""
        teller, plan = self.teller, self.plan
        teller.chapter(2, "It grows, and is watched")
        teller.say(
            f"All the data is there from the beginning, {plan.users * plan.passages:,} passages of {plan.ventures} "
            f"ventures; what grows is how many are at work with it, {plan.stairs.apart} more every "
            f"{plan.stairs.step_seconds * plan.scale.days:.0f} days."
        )
        teller.told("outgrow", "record", "--every", "1s", "&")
        recorder = teller.started("outgrow", "record", "--every", "1s", silent=True)
        began, stairs = time.monotonic(), plan.stairs
        try:
            for number in range(MOST_RAMPS):
                if number:
                    teller.say("  This machine carries more than was thought; so it grows further.")
                self._grow(stairs, f"growth-{number}.json")
                if broke(self.steps, plan.scale.breaks, BROKEN_WINDOWS) is not None:
                    break
                stairs = stairs.further
        finally:
            teller.ended(recorder, signal.SIGINT)
        teller.timed(began, "growth")
        self._judge()

    def _grow(self, stairs: Stairs, report: str) -> None:
        """Step by step, until the end or the wall."""
        plan, rising = self.plan, self._rising(stairs, report)
        began = len(self.steps)
        try:
            with self.teller.doing("people search"):
                for window in rising.windows():
                    self.steps.append(window)
                    self._shown(window)
                    if broke(self.steps, plan.scale.breaks, BROKEN_WINDOWS) is not None:
                        break
                    calm = window.vector <= plan.scale.breaks
                    if calm and len(self.steps) >= plan.half and (self.said is None or self.days_said is None):
                        self._forecast(len(self.steps) == plan.half)
        finally:
            self._ended(rising)
        self.reports += [(report, place) for place in range(len(self.steps) - began)]

    def prove(self) -> None:
        """Options side by side, the decision, the plan."""
        teller = self.teller
        teller.chapter(4, "Tune, partition or migrate? Measured, on the team's own ventures")
        assert self.before is not None
        wall, scale, plan = self.before, self.plan.scale, self.plan
        rate = wall.users / plan.search_seconds
        text = declaring.to_prove(self.config.read_text(), scale, wall.users, rate, plan.users * plan.passages)
        declaring.put(self.config, text)
        teller.say(
            f"The measured limit governs now: outgrow.yaml says complete_before {int(wall.users * scale.early):,} "
            f"users, {scale.early:.0%} of it, and an experiment: each layout gets all "
            f"{plan.users * plan.passages:,} passages and {rate * scale.early:.0f} searches a second."
        )
        told = self._json("prove", POINT, fine=(0, 1, 3))
        if told["ended"] == "unfit":
            teller.say(f"  {told['sentence']}", "yellow")
            teller.say(f"  So once more, in rounds {LONGER} times as long, as it advises.")
            declaring.put(self.config, declaring.longer(self.config.read_text(), LONGER))
            told = self._json("prove", POINT, "--fresh", fine=(0, 1, 3))
        if told["ended"] != "finished":
            teller.say(f"  {told['sentence']}", "bold yellow")
            teller.say("So nothing is decided by it, and the story goes on with the platform's own default.")
            return
        teller.table(
            ("layout", "option", "p50", "p95", "recall", "memory"),
            [
                (
                    arm["id"],
                    OPTION_WORDS.get(arm["option"] or "", arm["option"] or "as it is"),
                    _ms(arm["p50_seconds"]),
                    _ms(arm["p95_seconds"]),
                    "–" if arm.get("recall") is None else f"{arm['recall']:.3f}",
                    "–" if not arm.get("memory_bytes") else f"{arm['memory_bytes'] / 1e6:,.0f} MB",
                )
                for arm in told["arms"]
            ],
        )
        for line in told["reasons"]:
            teller.say(f"  {line}")
        decided = self._json("decide", POINT, fine=(0, 1, 3))
        teller.say(f"  {decided['verdict']}: {decided['option'] or 'no option'}", "bold green")
        for reason in decided["reasons"]:
            teller.say(f"  {reason}")
        if decided["option"] not in LAYOUT_OF:
            teller.say("So the story goes on with the platform's own default.", "yellow")
        self.layout = LAYOUT_OF.get(decided["option"] or "", DEFAULT_LAYOUT)
        teller.run("outgrow", "plan", "--scenarios", str(plan.scenarios), fine=(0, 1, 3), show=14)

    def move(self) -> None:
        """Venture by venture, under load and writes, with a way back; the tool and the index are killed in it."""
        teller = self.teller
        teller.chapter(5, f"The move from shared to {self.layout}, while it is used")
        declaring.put(self.config, declaring.retargeted(self.config.read_text(), self.layout))
        writer = Writer(self.platform.url, "user0.seed1@population.example", self._password())
        writer.start()
        seconds, rate = f"{self.plan.move_seconds:g}", f"{BESIDE_PER_SECOND / self.plan.users:.6f}"
        words = ("load", *self.plan.population, "--seconds", seconds, "--rate-per-user", rate)
        teller.told("ventures", *words, "&")
        load = teller.started("ventures", *words)
        try:
            self._moved()
        finally:
            writer.stop()
            teller.ended(load, signal.SIGINT)
        self._account(writer)

    def compare(self) -> None:
        """The load that broke it, once more and twice as much, beside what it was."""
        teller, before, limit = self.teller, self.before, self.plan.scale.breaks
        assert before is not None
        teller.chapter(6, "The load that broke it, before and after")
        if self.plan.whole:
            self._validate(before)
        after = self._again(before)
        if after[0].vector > limit:
            teller.say(f"  {_ms(after[0].vector)}: once more, since a machine may stall", "yellow")
            after = self._again(before)
        rows = [
            (
                name,
                f"{load.users:,}",
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
        heads = ("", "users", "searches", "vector p95", "request p50", "request p95", "too late", "errors")
        teller.table(heads, rows)
        if after[0].vector > limit:
            teller.say(f"The same load still takes {_ms(after[0].vector)}: this move did not help here.", "bold red")

    def _again(self, before: Load) -> list[Load]:
        """The load that broke it, and twice as much, of the platform as it is now."""
        stairs = Stairs(before.users, before.users, 2, self.plan.after_seconds)
        began = time.monotonic()
        rising = self._rising(stairs, "after.json")
        try:
            with self.teller.doing("the same load, then twice") as going:
                found = []
                for window in rising.windows():
                    going(f"{window.users:,} users: p95 {_ms(window.vector)}")
                    found.append(window)
        finally:
            self._ended(rising)
        self.teller.timed(began, "the same load, then twice")
        if len(found) < stairs.steps:
            raise Failed("the load ended before its time")
        return [self._load_of("after.json", place, window) for place, window in enumerate(found)]

    def _rising(self, stairs: Stairs, report: str) -> Rising:
        """Searches of users step by step, begun."""
        words = (
            "load", *self.plan.population, "--only", "search", "--ramp", stairs.ramp, "--seconds",
            f"{stairs.seconds:g}", "--rate-per-user", f"{1 / self.plan.search_seconds:g}", "--report", report,
        )  # fmt: skip
        self.teller.told("ventures", *words, "&")
        rising = Rising(self.platform, self.counted, stairs, self.teller.started("ventures", *words))
        rising.start()
        return rising

    def _ended(self, rising: Rising) -> None:
        """Ends a load in order; its report is there afterwards."""
        rising.stop()
        done = self.teller.ended(rising.sender, None if rising.done else signal.SIGINT)
        if done.code not in (0, 1):
            self.teller.lines(done.said, most=10)
            raise Failed(f"`ventures load` ended with {done.code}")

    def _load_of(self, report: str, place: int, window: Window) -> Load:
        step = json.loads((self.folder / report).read_text())["steps"][place]
        return Load(
            window.users,
            step["offered_per_second"],
            window.vector,
            window.exact,
            step["whole"]["p50_seconds"],
            step["whole"]["p95_seconds"],
            sum(step["errors"].values()) + step["dropped"],
        )

    def _shown(self, load: Window) -> None:
        limit = self.plan.scale.breaks
        bar = "▇" * min(BAR, max(1, round(load.vector / limit * BAR / 2)))
        style = "red" if load.vector > limit else "yellow" if load.vector > self.plan.scale.warn else "green"
        self.teller.say(
            f"  {load.users:>5,} users  {load.per_second:5.1f} searches/s  p95 {_ms(load.vector):>7}  {bar}", style
        )

    def _forecast(self, first: bool) -> None:
        """Kept where it names users; where it refuses, it is asked again after the next step."""
        told = self._json("forecast", POINT, "--offline", fine=(0, 1, 3), shown=first)
        (self.folder / "forecast.json").write_text(json.dumps(told, indent=1))
        made = declaring.forecast_of(told)
        said = bounds_of(made["users_at_limit"])
        if first:
            self.teller.say("Half-way. What does outgrow say, from what it has seen so far?")
        days = bounds_of(made["days_left"])
        if said is None:
            self.teller.say(f"  It refuses: {made['reason']}", "yellow")
            return
        span = f"{said.low:,.0f} to {said.high:,.0f} users, {said.mid:,.0f} in the middle"
        if days is not None:
            when = "that it is there by now" if days.high < 1 else f"a date, {in_days(days)} of simulated growth"
            self.teller.say(f"  Now it says {when}: it breaks at {span}.", "bold")
            self.days_said, self.said_after, self.date_users = days, len(self.steps), self.steps[-1].users
        elif self.said is None:
            self.teller.say(f"  It refuses a date: {made['reason']}", "yellow")
            self.teller.say(f"  What it knows all the same: it breaks at {span}. This is kept.", "bold")
        if self.said is None:
            self.said, self.said_users = said, self.steps[-1].users

    def _judge(self) -> None:
        plan, teller = self.plan, self.teller
        teller.chapter(3, "The wall, and what was said of it")
        limit = plan.scale.breaks
        place = broke(self.steps, limit, BROKEN_WINDOWS)
        if place is None:
            raise Failed(f"{self.steps[-1].users:,} users did not bring it to its wall: nothing can be judged")
        if self.said is None and place < plan.half:
            raise Failed("the wall came before half-way: this machine is too busy for the story, so nothing was judged")
        upto = self.steps[: place + 1]
        wall = max(reached_at([one.users for one in upto[-2:]], [one.vector for one in upto[-2:]], limit) or 0.0, 1.0)
        self.before = last = self._load_of(*self.reports[place], self.steps[place])
        days = (place + 1 - self.said_after) * plan.stairs.step_seconds * plan.scale.days
        found = judged(self.said, wall, days_said=self.days_said, days=days)
        teller.say(
            f"With {last.users:,} users a vector query takes {_ms(last.vector)} (p95), over {_ms(limit)}; "
            f"{last.exact:.0%} of the searches were given up on and answered by PostgreSQL."
        )
        if self.said is not None:
            date = "; a date was given" + (f" with {self.date_users:,}." if self.date_users else " at no time.")
            teller.say(f"The forecast was made with {self.said_users:,} users{date}")
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
        if self.plan.whole:
            teller.say("There and back again with one venture: the way back is tried before it is needed.")
            words = ("migrate", POINT, "switch", "--rehearse", "--tenant", first, "--yes")
            teller.run("outgrow", *words, said=(first,))
        if f"switched: {tenants} of {tenants} tenants" not in self._until_done("switch", "--all", "--yes"):
            raise Failed("not every venture is switched")

    def _until_done(self, *words: str) -> str:
        """What stopped and is safe goes on with the same command. What it said in the end."""
        for _ in range(MOST_TRIES):
            done = self.teller.run("outgrow", "migrate", POINT, *words, fine=(0, STOPPED), said=MOVED)
            if done.code == 0:
                return done.said
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
        text = declaring.validated(self.config.read_text(), self.layout, before.users / self.plan.search_seconds)
        declaring.put(self.config, text)
        self.teller.run("outgrow", "validate", POINT, fine=(0, 1, 3), show=24)

    def _json(self, *words: str, fine: tuple[int, ...] = (0,), shown: bool = True) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.teller.run("outgrow", *words, "--json", fine=fine, shown=shown).out)
        return told

    def _password(self) -> str:
        return (self.folder / "password").read_text()


def main() -> None:
    """Tells it, and ends with 0, or with 1 where it did not hold."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="The whole story on this machine.")
    parser.add_argument("--quick", action="store_true", help="ninety seconds instead of six minutes, coarser")
    parser.add_argument("--plain", action="store_true", help="no colour, nothing that moves")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    parser.add_argument("--seconds", action="store_true", help="say in the end how long each command took")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    plain = options.plain or "NO_COLOR" in os.environ
    sys.exit(_told(QUICK if options.quick else FULL, plain=plain, keep=options.keep, seconds=options.seconds))


def _interrupted(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _told(plan: Plan, *, plain: bool, keep: bool, seconds: bool) -> int:
    folder = Path(tempfile.mkdtemp(prefix="outgrow-demo-"))
    folder.chmod(0o711)  # a PostgreSQL that root starts runs as another account, and passes through
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text(secrets.token_urlsafe(24))
    environment = _environment(folder)
    teller, platform = Teller(environment, folder, plain=plain), Platform(folder / "data", environment)
    teller.say("outgrow and ventures: see it coming, prove it, move, and look back", "bold")
    teller.say(f"Everything lies in {folder}" + ("" if keep else ", and is removed at the end."), "dim")
    if not plan.whole:
        teller.say(LEFT_OUT, "dim")
    try:
        with users.told() as counted:
            story = Story(plan, teller, platform, folder, counted)
            proving = (story.prove,) if plan.whole else ()
            for part in (story.begin, story.grow, *proving, story.move, story.compare):
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
    if seconds:
        heads = ("command", "began", "took")
        teller.table(heads, [(what[:70], f"{at:.1f} s", f"{took:.1f} s") for at, took, what in teller.took])
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


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.0095 else f"{seconds * 1000:.1f} ms"
