"""What the result's files say of what was done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Report, Table, Target, source_digest, write_report


def done(state: dict[str, Any]) -> int:
    """Random kills so far."""
    return sum(sum(one["kills"].values()) for one in state["batches"])


def bad_of(state: dict[str, Any]) -> dict[str, int]:
    """What must be 0."""
    swept = [*state["boundaries"].values()]
    return {
        "faults": sum(bool(one["wrong"] or one["failed"]) for one in state["faults"].values()),
        "boundaries wrong": sum(one["wrong_count"] for one in swept),
        "boundaries stuck": sum(len(one["stuck"]) for one in swept),
        "random wrong": sum(one["wrong_count"] for one in state["batches"]),
        "random stuck": sum(len(one["stuck"]) for one in state["batches"]),
        "random differing": sum(one["differing"] for one in state["batches"]),
    }


def report(state: dict[str, Any], count: int, folder: Path) -> None:
    """``faults.md`` and ``faults.json`` in the folder."""
    tables = (_faults(state), _boundaries(state), _random(state, count), _pauses(state))
    both = [*state["boundaries"].values(), *state["batches"]]
    notes = [*state.get("notes", ())]
    notes += [f"Stuck: {text}" for one in both for text in one["stuck"]]
    notes += [f"Wrong: {text}" for one in both for text in one["wrong"][:5]]
    facts = {"source": source_digest("outgrow")}
    packages = ("psycopg", "qdrant-edge-py")
    title, command = "Faults while tenants move", "python -m benchmarks.faults"
    targets = tuple(_targets(state, count))
    write_report(Report("faults", title, command, tables, targets, facts, tuple(notes), packages), folder)


def _targets(state: dict[str, Any], count: int) -> list[Target]:
    faults, swept, batches, bad = state["faults"], state["boundaries"], state["batches"], bad_of(state)
    resumed = [seconds for one in [*batches, *swept.values()] for seconds in one["resumed"]]
    cold = faults.get("cold-resumes", {}).get("facts", {}).get("seconds", [])
    planted = [one["facts"] for name, one in faults.items() if name.startswith("corruption") and one["facts"]]
    of = sum(one["planted"] for one in planted)

    def zero(claim: str, name: str, there: object) -> Target:
        return Target(claim, bad[name] if there else None, 0)

    return [
        zero("random kills: acknowledged writes lost, stale or come back", "random wrong", batches),
        zero("random kills: moves that the next command could not go on with", "random stuck", batches),
        zero("random kills: keys that the tool's own verify finds different", "random differing", batches),
        Target("random kills done", done(state), low=count),
        zero("kills at boundaries: acknowledged writes lost, stale or come back", "boundaries wrong", swept),
        zero("kills at boundaries: moves that could not go on", "boundaries stuck", swept),
        zero("faults that did not end as they must", "faults", faults),
        Target("planted corruption found", sum(one["found"] for one in planted) / of if of else None, low=1.0),
        Target("longest until a killed move goes on, seconds, without Python's start", max(resumed, default=None), 10),
        Target("the same with Python's start", max(cold, default=None), 10),
        *(
            Target(f"{name}: p99 of the pause in a switch, seconds", _at(facts["frozen"], 0.99), 2)
            for name, facts in _paused(state)
        ),
    ]


def _faults(state: dict[str, Any]) -> Table:
    rows = [
        (one["fault"], one["kind"], one["wrong"], one["failed"] or "as it must", one["seen"])
        for one in state["faults"].values()
    ]
    note = "Wrong: acknowledged writes that the routed store does not answer with."
    return Table("Faults", ("fault", "kind", "wrong", "outcome", "seen"), tuple(rows), (note,))


def _boundaries(state: dict[str, Any]) -> Table:
    columns = ("kind", "each", "all", "kills", "looks", "writes", "wrong", "stuck", "last boundary of each verb")
    rows = list[tuple[Any, ...]]()
    for one in state["boundaries"].values():
        whole = "yes" if one.get("whole") else "so far"
        last = ", ".join(f"{verb} {number}" for verb, number in one["boundaries"].items())
        counted = (sum(one["kills"].values()), one["looks"], one["acknowledged"], one["wrong_count"])
        rows.append((one["kind"], one["step"], whole, *counted, len(one["stuck"]), last))
    note = "A boundary is before or after a step of the engine, or a writing call of the move's ledger or of a store."
    return Table("Kills at boundaries", columns, tuple(rows), (note,))


def _random(state: dict[str, Any], count: int) -> Table:
    whom = ("tool", "writer", "postgresql", "store", "index", "worker", "api")
    columns = ("kind", "batches", *whom, "looks", "writes", "wrong", "stuck")
    rows = list[tuple[Any, ...]]()
    for kind in dict.fromkeys(one["kind"] for one in state["batches"]):
        some = [one for one in state["batches"] if one["kind"] == kind]
        kills = sum((Counter(one["kills"]) for one in some), Counter[str]())
        who = (kills[name] for name in whom)
        looked = (sum(one[name] for one in some) for name in ("looks", "acknowledged", "wrong_count"))
        rows.append((kind, len(some), *who, *looked, sum(len(one["stuck"]) for one in some)))
    note = f"{done(state):,} of {count:,} kills were done, with seed {state['seed']}. Kill -9 of whom, and how often."
    died = sum((Counter(one["died"]) for one in state["batches"]), Counter[str]())
    where = ", ".join(f"{what} {times}" for what, times in died.most_common(12))
    return Table(
        "Kills at random", columns, tuple(rows), (note, f"The boundary that the tool had crossed last: {where}.")
    )


def _pauses(state: dict[str, Any]) -> Table:
    columns = ("kind", "switches", "frozen p50 s", "frozen p99 s", "longest write p50 s", "longest write p99 s")
    rows = [
        (name, len(facts["frozen"]), *(_at(facts[what], share) for what in ("frozen", "felt") for share in (0.5, 0.99)))
        for name, facts in _paused(state)
    ]
    note = (
        "Frozen: from before the freeze to after the flip. Longest write: of those that ended meanwhile, or within a "
    )
    return Table("Pause of a tenant's writers", columns, tuple(rows), (note + "second after it.",))


def _paused(state: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, one["facts"]) for name, one in state["faults"].items() if name.startswith("pauses") and one["facts"]]


def _at(values: Sequence[float], share: float) -> float | None:
    """A quantile, the next above."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else None
