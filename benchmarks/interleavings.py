"""Every order in which the steps of a small move can happen, by design: in how many ends a write is lost.

``python -m benchmarks interleavings`` tries all of them (some minutes); the fast ones are tried with every test run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.report import Cell, Report, Table, Target, source_digest, write_report
from benchmarks.small_worlds import naive
from benchmarks.small_worlds.copying import Design, Found, Model, Trouble
from benchmarks.small_worlds.filling import FillingDesign
from benchmarks.small_worlds.filling import explore as explore_filling
from outgrow.migration.records import Goal

THERE: tuple[Goal, ...] = ("switched", "completed")
AND_BACK: tuple[Goal, ...] = ("switched", "ready", "cancelled")
BACK: tuple[Goal, ...] = ("switched", "ready")
WISHES = {THERE: "switch, complete", AND_BACK: "switch, reverse, cancel", BACK: "switch, reverse"}


NOTHING = Trouble()


@dataclass(frozen=True, slots=True)
class Case:
    """A design under some trouble. ``broken``: what is done otherwise; "" for the design as it is. ``fast``: tried with
    every test run."""

    design: Design
    trouble: Trouble = NOTHING
    goals: tuple[Goal, ...] = THERE
    broken: str = ""
    fast: bool = True
    writes: tuple[int, ...] = (2, 0)

    @property
    def kind(self) -> str:
        """Which way, in words."""
        pages = "" if self.design.blocks else ", item by item"
        return ("outbox" if self.design.transactional else "journal") + pages

    def explore(self) -> Found:
        return Model(self.design, self.trouble, self.writes, self.goals).explore()


JOURNAL = Design()
OUTBOX = Design(transactional=True)
BY_ITEM = Design(blocks=False)
DIES, LATE = Trouble(deaths=1), Trouble(deaths=1, late=True)
SUPERSEDED = Trouble(takeovers=1)
REPAIRED = Trouble(takeovers=1, repairs=1)

CASES = (
    Case(JOURNAL),
    Case(JOURNAL, Trouble(deadlines=1), fast=False),
    Case(JOURNAL, LATE),
    Case(JOURNAL, SUPERSEDED, writes=(0,)),
    Case(JOURNAL, SUPERSEDED, fast=False),
    Case(JOURNAL, REPAIRED, writes=(0,)),
    Case(JOURNAL, Trouble(deaths=1, takeovers=1, late=True), writes=(0,)),
    Case(JOURNAL, Trouble(deaths=1, takeovers=1, late=True), fast=False),
    Case(JOURNAL, NOTHING, AND_BACK),
    Case(JOURNAL, LATE, AND_BACK, fast=False),
    Case(JOURNAL, Trouble(deaths=1, takeovers=1, late=True), AND_BACK, writes=(2,), fast=False),
    Case(BY_ITEM),
    Case(BY_ITEM, SUPERSEDED, writes=(0,)),
    Case(BY_ITEM, Trouble(deaths=1, takeovers=1, late=True), fast=False),
    Case(OUTBOX),
    Case(OUTBOX, Trouble(deaths=1, takeovers=1), fast=False),
    Case(OUTBOX, DIES, AND_BACK),
    Case(OUTBOX, Trouble(deaths=1, takeovers=1), AND_BACK, fast=False),
)

BROKEN = (
    Case(Design(registers="after", tells=False), broken="the route is read first, and the write is registered then"),
    Case(Design(checks_flip=False), broken="a flip does not look at registered writes", writes=(0,)),
    Case(Design(clears_open=True), broken="writes under way are taken off the list once carried", writes=(0,)),
    Case(Design(way_back="item"), broken="the way back is proved by putting an existing item once more"),
    Case(Design(tombstones=False), SUPERSEDED, broken="what is deleted leaves no mark", writes=(0,)),
    Case(Design(gated=False), SUPERSEDED, broken="puts are not gated", writes=(0,)),
    Case(
        Design(blocks=False, generation="after"),
        SUPERSEDED,
        broken="the generation is taken after the read",
        writes=(0,),
    ),
    Case(
        Design(fenced_generations=False), SUPERSEDED, broken="a superseded process still gets generations", writes=(0,)
    ),
    Case(
        Design(carries_open=True), SUPERSEDED, broken="items whose writes are under way are carried, too", writes=(0,)
    ),
    Case(
        Design(blocks=False, keeps_generation=False),
        SUPERSEDED,
        broken="a write of the application takes the generation off the item",
        writes=(0,),
    ),
    Case(
        Design(settled_late=False),
        SUPERSEDED,
        broken="generations are forgotten while a superseded process may still put",
        writes=(0,),
    ),
    Case(
        Design(registers_repairs=False),
        REPAIRED,
        broken="what is copied once more, on people's wish, is put without being registered",
        writes=(0,),
    ),
    Case(
        Design(patient=False),
        LATE,
        BACK,
        broken="an unfinished write is taken for abandoned while its request may still arrive",
        writes=(0,),
    ),
    Case(Design(block_looks=False), SUPERSEDED, broken="a block is put over marks of what was deleted", writes=(0,)),
    Case(
        Design(block_alone=False),
        SUPERSEDED,
        broken="items are put between a block's look at what is held and its end",
        writes=(0,),
    ),
    Case(Design(transactional=True, locks=False), broken="transactions: the route is read without a lock"),
    Case(
        Design(transactional=True, settles=False),
        broken="transactions: copying begins while some are open from before",
    ),
)


def troubled(trouble: Trouble) -> str:
    """What may go wrong, in words."""
    parts = []
    if trouble.deaths:
        parts.append("a client dies" + (", its request arrives late" if trouble.late else ""))
    if trouble.takeovers:
        parts.append("the tool is killed or superseded")
    if trouble.deadlines:
        parts.append("a switch comes to its deadline")
    if trouble.repairs:
        parts.append("people repair")
    return "; ".join(parts) or "nothing"


def main(arguments: list[str]) -> None:
    """Tries all, and writes the result down."""
    started = time.perf_counter()
    tables = (_ways(), _moves("The design", CASES), _moves("One rule broken", BROKEN), _filling())
    sound = (*tables[1].rows, *tables[3].rows[:2])
    bad = sum(_bad(row) for row in sound)
    harmless = sum(_bad(row) == 0 for row in (*tables[2].rows, *tables[3].rows[2:]))
    targets = (
        Target("bad ends of the design, all cases", bad, high=0),
        Target("broken rules that the model does not notice", harmless, high=0),
    )
    write_report(
        Report(
            "interleavings",
            "Every interleaving of a small move",
            " ".join(["python -m benchmarks interleavings", *arguments]),
            tables,
            targets,
            packages=(),
            facts={"source": source_digest("outgrow.migration")},
        )
    )
    print(f"{time.perf_counter() - started:.0f} s")


def _bad(row: tuple[Cell, ...]) -> int:
    return sum(int(cell.split("/")[0]) for cell in row if isinstance(cell, str) and "/" in cell)


def _ways() -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, way in naive.WAYS.items():
        found = [naive.explore(way), naive.explore(way, 1, 1), naive.explore(way, 1, 1, late=True)]
        rows.append((name, *(f"{bad}/{ends}" for bad, ends in found)))
    return Table(
        "Keeping a copy: one key, an update, a delete, a backfill",
        ("way", "nothing fails", "a client and the backfill die", "and a request arrives late"),
        tuple(rows),
        ("Ends in which copy and source differ / all ends.",),
    )


def _moves(title: str, cases: tuple[Case, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for case in cases:
        found = case.explore()
        rows.append(
            (
                case.broken or case.kind,
                WISHES[case.goals],
                troubled(case.trouble),
                len(case.writes),
                f"{found.bad}/{found.ends}",
                found.stuck,
                found.states,
            )
        )
        print(*rows[-1], sep=" · ", flush=True)
    return Table(
        title,
        ("design", "wishes", "what fails", "writes", "bad/ends", "stuck", "states"),
        tuple(rows),
        (
            "Bad: an acknowledged write is lost, stale or back from the dead, or both copies are held and differ. "
            "Stuck: states from which nothing leads to an end.",
        ),
    )


def _filling() -> Table:
    designs = (
        ("filling", FillingDesign(), THERE),
        ("filling", FillingDesign(), AND_BACK),
        ("a flip does not ask for the target's position", FillingDesign(asks=False), THERE),
        ("what a worker read earlier overwrites", FillingDesign(gated=False), THERE),
    )
    rows: list[tuple[Cell, ...]] = []
    for name, design, goals in designs:
        bad, ends, states = explore_filling(design, goals)
        rows.append((name, WISHES[goals], "the tool is killed, a store is filled twice", f"{bad}/{ends}", states))
    return Table(
        "Stores that fill themselves",
        ("design", "wishes", "what fails", "bad/ends", "states"),
        tuple(rows),
        ("Bad: readers see less than was committed, or less after a flip than before it.",),
    )
