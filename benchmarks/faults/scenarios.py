"""One fault each: what it is, what must come of it, and whether it did."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.world import Ran, Stuck, World
from benchmarks.faults.writer import POINT, SCHEMAS, Spec, Writer, key_of_row, vector_of

Maker = Callable[..., World]
FSIZE_BYTES = 17 * 2**20
"""More than a segment of PostgreSQL's log, which is written as a whole; less than the table that is copied."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of a fault. ``wrong``: acknowledged writes that are not where the route leads; ``failed``: what else is
    not as it must be, "" for nothing. ``seen``: what was measured or said."""

    fault: str
    kind: str
    wrong: int
    failed: str
    seen: str
    facts: dict[str, Any] = field(default_factory=dict)


def store_down(make: Maker) -> Came:
    """The store is killed in mid-copy and in a switch, and away for two seconds."""
    world = make("points", {"a": 300, "b": 200}, pause_seconds=0.01, pace={"batch": 50, "first_wave": 9})
    world.start_writers()
    world.finish("create")
    for verb in ("start", "switch", "reverse"):
        started = world.begin(verb)
        time.sleep(0.3)
        world.kill_edge()
        time.sleep(2.0)
        world.start_edge()
        world.end(started)
        world.finish(verb)
    return _came("store down for 2 s, in each verb", world)


def store_slow(make: Maker) -> Came:
    """Each answer takes 60 ms, and half of the requests are taken up as much as a second later."""
    world = make("points", {"a": 60, "b": 40}, pause_seconds=0.05, pace={"batch": 40, "first_wave": 9})
    world.start_writers()
    world.finish("create")
    world.disturb_edge(0.06, 0.2)
    ran = [world.end(world.begin(verb), kill_after=20.0) for verb in ("start", "switch")]
    wrong = len(world.wrong())
    world.disturb_edge(0.0, 0.0)
    world.finish("switch")
    world.finish("reverse")
    return _came(
        "store slow: 60 ms an answer, a fifth of requests up to 1 s late", world, wrong=wrong, seen=_codes(ran)
    )


def full_disk(make: Maker) -> Came:
    """Files of the database cannot grow beyond a size while a tenant of 100,000 rows is copied; then they can."""
    world = make("rows", {"big": 100_000, "a": 20}, filler=200, pace={"batch": 2000, "freeze": "5s", "first_wave": 9})
    world.start_writers()
    world.finish("create")
    world.database.restart(FSIZE_BYTES)
    began = time.monotonic()
    ran = world.end(world.begin("start"), kill_after=20.0)
    world.database.restart(None)
    said = next((line for line in ran.err.splitlines() if "extend" in line or "large" in line or "space" in line), "")
    wrong = len(world.wrong())
    world.finish("start")
    took = time.monotonic() - began
    world.finish("switch")
    wrong += len(world.wrong())
    world.finish("reverse")
    seen = f"it said: {said[:200]}; a tenant of 100,000 rows was there and back"
    return _came(
        "disk full in mid-copy of a tenant of 100,000 rows", world, wrong=wrong, seen=seen,
        failed="" if said else f"nothing was said of the disk: {_tail(ran)}", facts={"seconds": round(took, 1)},
    )  # fmt: skip


def large_points(make: Maker) -> Came:
    """A tenant of 100,000 points, with a kill in mid-copy."""
    pace = {"batch": 2000, "freeze": "5s", "first_wave": 9}
    world = make("points", {"big": 100_000, "a": 20}, pause_seconds=0.01, pace=pace, limit_seconds=200.0)
    world.start_writers()
    world.finish("create")
    began = time.monotonic()
    world.end(world.begin("start"), kill_after=5.0)
    rows = world.ask("SELECT rest ->> 'copied' FROM outgrow.tenant_state WHERE tenant = 'big'")
    world.finish("start")
    took = time.monotonic() - began
    world.finish("switch")
    seen = f"killed after {rows[0][0] if rows else 0} copied points; ready after {took:.0f} s"
    return _came("a tenant of 100,000 points, a kill in mid-copy", world, seen=seen, facts={"seconds": round(took, 1)})


def clock_jumps(make: Maker) -> Came:
    """The clock of the tool jumps by up to a day with each look, in every verb."""
    world = make("rows", {"a": 60, "b": 40})
    world.start_writers()
    ran = list[Ran]()
    for verb in ("create", "start", "switch", "reverse", "switch", "complete"):
        ran.append(world.run(verb, jumping=86_400.0))
        if not world.is_done(verb):
            raise Stuck(f"{verb} with a jumping clock: {_tail(ran[-1])}")
    return _came("clock of the tool jumps by up to a day", world, seen=_codes(ran))


def two_operators(make: Maker) -> Came:
    """Each verb twice at once; then switch and reverse at once."""
    world = make("rows", dict.fromkeys("abcd", 40))
    world.start_writers()
    codes = list[str]()
    for verb in ("create", "start", "switch", "reverse"):
        both = [world.begin(verb), world.begin(verb)]
        codes.append(f"{verb} " + "/".join(str(world.end(one).code) for one in both))
        if not world.is_done(verb):
            world.finish(verb)
    world.finish("switch")
    both = [world.begin("reverse"), world.begin("switch")]
    codes.append("reverse and switch " + "/".join(str(world.end(one).code) for one in both))
    if not world.is_done("switch"):
        world.finish("switch")
    return _came("two operators at once", world, seen=", ".join(codes))


def newer_ledger(make: Maker) -> Came:
    """The tool is killed in mid-copy; what it finds then was written by a version one newer."""
    world = make("rows", {"a": 100, "b": 100})
    world.start_writers()
    world.finish("create")
    world.run("start", die_at=30)
    (before,) = world.ask("SELECT jsonb_agg(t ORDER BY tenant)::text FROM outgrow.tenant_state AS t")
    world.ask("UPDATE outgrow.migration SET layout_version = layout_version + 1")
    ran = [world.run(verb) for verb in ("start", "switch", "cancel")]
    status = world.run("status", "--json")
    (after,) = world.ask("SELECT jsonb_agg(t ORDER BY tenant)::text FROM outgrow.tenant_state AS t")
    failed = "" if before == after else "rows were changed"
    if not all(one.code and "newer" in one.err for one in ran):
        failed += " it was not said: " + " | ".join(_tail(one) for one in ran)
    if status.code:
        failed += f" status could not be looked at: {_tail(status)}"
    world.ask("UPDATE outgrow.migration SET layout_version = layout_version - 1")
    for verb in ("start", "switch"):
        world.finish(verb)
    return _came("ledger one version newer in mid-copy", world, failed=failed, seen=_codes(ran))


def tenant_deleted(make: Maker) -> Came:
    """All items of a tenant are deleted by the application in mid-copy, while the tool is dead; in both kinds."""
    found = list[Came]()
    for kind in ("rows", "points"):
        world = make(kind, {"a": 200, "b": 50}, pause_seconds=0.01, pace={"batch": 20, "first_wave": 9})
        world.start_writers()
        world.finish("create")
        world.run("start", die_at=40)
        world.stop_writers()
        world.noted.look()
        spec = Spec(kind, world.url, world.socket, str(world.folder), 0, 1, world.tenants, 0.0, world.stores[0])
        writer = Writer(spec)
        for number in range(world.tenants["a"]):
            writer.write("a", number, None)
        assert writer.session is not None
        writer.session.close()
        world.finish("start")
        world.finish("switch")
        left = len(world.held(world.stores[1], "a"))
        came = _came("tenant deleted in mid-copy", world)
        found.append(Came(came.fault, kind, came.wrong, f"{left} items came back" if left else came.failed, came.seen))
    return Came(
        found[0].fault, "rows, points", sum(one.wrong for one in found), "".join(one.failed for one in found), ""
    )


def written_faster(make: Maker) -> Came:
    """Three writers without a pause write one tenant, and the move carries one item at once; then they are calmer."""
    world = make(
        "rows", {"a": 400}, writers=3, pause_seconds=0.0, pace={"batch": 1, "freeze": "2s", "first_wave": 9}
    )  # fmt: skip
    world.start_writers()
    world.finish("create")
    began = time.monotonic()
    ran = world.end(world.begin("start"), kill_after=45.0)
    took = time.monotonic() - began
    status = world.run("status", "--json")
    said = [line for line in ran.err.splitlines() if "as fast as it copies" in line or "behind" in line]
    converged = world.is_done("start")
    world.stop_writers()
    world.pause_seconds = 0.05
    world.start_writers()
    world.finish("start")
    world.finish("switch")
    lag = json.loads(status.out).get("lag_seconds") if not status.code else None
    failed = "" if converged or said else f"neither ready nor a word why: {_tail(ran)}"
    seen = f"{'ready' if converged else 'not ready'} after {took:.0f} s, lag {lag}; {said[-1][:160] if said else ''}"
    return _came("a tenant written faster than it copies", world, failed=failed, seen=seen)


def corruption(make: Maker, kind: str, each: int = 25) -> Came:
    """Keys are made missing, extra, stale and flipped in the copy, unregistered; ``verify`` lists all and no other,
    ``--repair`` mends them."""
    world = make(kind, {"a": 300, "b": 300})
    world.start_writers()
    for verb in ("create", "start"):
        world.finish(verb)
    world.stop_writers()
    copy = world.stores[1]
    dice, planted = random.Random(7), dict[tuple[str, str], str]()
    for tenant in world.tenants:
        held = world.held(copy, tenant)
        waiting = {key for (key,) in world.ask("SELECT key FROM outgrow.intent WHERE tenant = %s", tenant)}
        settled = [number for number in sorted(held) if _key(world, tenant, number) not in waiting]
        picked = dice.sample(settled, 3 * each)  # what is about to be carried is no difference yet
        for number in picked[:each]:
            _put(world, copy, tenant, number, None)
            planted[tenant, _key(world, tenant, number)] = "missing"
        for number in picked[each : 2 * each]:
            _put(world, copy, tenant, number, "what it was before")
            planted[tenant, _key(world, tenant, number)] = "stale"
        for number in picked[2 * each :]:
            value = held[number]
            flipped = value[:-1] + chr(ord(value[-1]) ^ 1)
            _put(world, copy, tenant, number, flipped, vector_of(value))
            planted[tenant, _key(world, tenant, number)] = "stale"
        for number in range(5_000, 5_000 + each):
            _put(world, copy, tenant, number, "never written")
            planted[tenant, _key(world, tenant, number)] = "extra"
    ran = world.run("verify", "--json")
    listed = {(one["tenant"], one["key"]): one["how"] for one in json.loads(ran.out)["keys"]}
    failed = "" if listed == planted else f"{len(planted.items() - listed.items())} not found as they were planted, "
    failed += "" if listed.keys() <= planted.keys() else f"{len(listed.keys() - planted.keys())} found that were not"
    repaired = world.run("verify", "--repair")
    again = world.run("verify", "--json")
    left = len(json.loads(again.out)["keys"])
    failed += f" {left} are left after the repair: {_tail(repaired)}" if left else ""
    found = sum(listed.get(key) == how for key, how in planted.items())
    world.start_writers()
    world.finish("switch")
    return _came(
        "planted corruption", world, failed=failed, seen=f"{found} of {len(planted)} found, all repaired",
        facts={"planted": len(planted), "found": found},
    )  # fmt: skip


def many_writes(make: Maker, kind: str, count: int = 10_000, seconds: float = 120.0) -> Came:
    """So many acknowledged writes after a switch; then back: all of them are on the source."""
    pace = {"batch": 500, "freeze": "5s", "first_wave": 99}  # of 20 at once, more is written than carried
    world = make(kind, dict.fromkeys("abcd", 100), writers=3, pause_seconds=0.0, pace=pace)
    world.start_writers()
    for verb in ("create", "start", "switch"):
        world.finish(verb)
    world.noted.look()
    begun, end = len(world.noted.writes), time.monotonic() + seconds
    while len(world.noted.writes) - begun < count and time.monotonic() < end:
        time.sleep(0.5)
        world.noted.look()
    wrong = len(world.wrong())
    written = len(world.noted.writes) - begun
    began = time.monotonic()
    world.finish("reverse")
    took = time.monotonic() - began
    wrong += len(world.wrong(world.stores[0]))
    failed = "" if written >= count else f"only {written} writes within {seconds:.0f} s"
    return _came(
        f"back after {count:,} live writes", world, wrong=wrong, failed=failed,
        seen=f"{written:,} writes, reverse took {took:.1f} s", facts={"writes": written, "reverse_seconds": took},
    )  # fmt: skip


def pauses(make: Maker, kind: str, times: int = 4) -> Came:
    """How long writers of a tenant wait in a switch: from its freeze to its flip, and the longest write meanwhile."""
    tenants = {f"t{number}": 100 for number in range(10)}
    world = make(kind, tenants, pause_seconds=0.0, pace={"batch": 100, "freeze": "5s", "first_wave": 99})
    world.start_writers()
    for verb in ("create", "start"):
        world.finish(verb)
    frozen, felt = list[float](), list[float]()
    for verb in ("switch", "reverse") * times:
        ran = world.finish(verb)
        world.wrong()
        for one in ran:
            begun = dict[str, float]()
            for at, what, tenant in one.boundaries:
                if what == "before freeze":
                    begun[tenant] = at
                elif what == "after flip" and tenant in begun:
                    since = begun.pop(tenant)
                    frozen.append(at - since)
                    met = [w.seconds for w in world.noted.writes if w.tenant == tenant and since <= w.at <= at + 1.0]
                    felt.append(max((s for s in met), default=0.0))
    facts = {"frozen": sorted(frozen), "felt": sorted(felt)}
    return _came("pause of a tenant's writers in a switch", world, seen=f"{len(frozen)} switches", facts=facts)


def cold_resumes(make: Maker, times: int = 5) -> Came:
    """``outgrow`` started as people do, after a kill in mid-copy: seconds until it writes down where a tenant is."""
    world = make("rows", {"a": 40_000, "b": 100}, pause_seconds=0.02, pace={"batch": 25, "first_wave": 9})
    world.start_writers()
    world.finish("create")
    took = list[float]()
    for _ in range(times):
        command = [sys.executable, "-m", "outgrow", "migrate", POINT, "start"]
        before = world.ask("SELECT sum(version) FROM outgrow.tenant_state")
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=world.folder, env=world.tool.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while process.poll() is None and world.ask("SELECT sum(version) FROM outgrow.tenant_state") == before:
            time.sleep(0.005)
        took.append(time.monotonic() - began)
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    world.finish("start")
    return _came("resumed by a process started anew", world, facts={"seconds": took})


def _put(
    world: World, store: str, tenant: str, number: int, value: str | None, vector: Sequence[float] | None = None
) -> None:
    """Into the copy, past everything that would notice."""
    if world.kind == "rows":
        table = f'"{SCHEMAS[store]}".items'
        quietly = "SET session_replication_role = "
        world.ask(f"{quietly}replica")
        world.ask(f"DELETE FROM {table} WHERE tenant = %s AND no = %s", tenant, number)
        if value is not None:
            world.ask(f"INSERT INTO {table} VALUES (%s, %s, %s)", tenant, number, value)
        world.ask(f"{quietly}origin")
        return
    found = str(world.id_of(tenant, number))
    world.ask("DELETE FROM points WHERE tenant = %s AND id = %s", tenant, found)
    if value is not None:
        world.ask(
            "INSERT INTO points (tenant, id, vector, payload) VALUES (%s, %s, %s::vector, %s)",
            tenant, found, str(list(vector or vector_of(value))), json.dumps({"v": value}),
        )  # fmt: skip


def _key(world: World, tenant: str, number: int) -> str:
    return key_of_row(number) if world.kind == "rows" else str(world.id_of(tenant, number))


def _came(
    fault: str, world: World, *, wrong: int = 0, failed: str = "", seen: str = "", facts: dict[str, Any] | None = None
) -> Came:
    found = world.wrong()
    wrong += len(found)
    if found:
        failed += f" {found[:3]}"
    ends = f"; {len(world.noted.writes):,} writes acknowledged"
    world.close()
    return Came(fault, world.kind, wrong, failed.strip(), (seen + ends).strip("; "), facts or {})


def _codes(ran: Sequence[Ran]) -> str:
    return ", ".join(f"{one.words[1]} ended with {one.code}" for one in ran)


def _tail(ran: Ran) -> str:
    return f"[{ran.code}] {' '.join(ran.err.split())[-300:]}"
