"""A move is between two stores, whatever a file says later."""

from __future__ import annotations

from typing import Any

import pytest

from outgrow.errors import UsageError
from outgrow.migrating.copying import HELD_AGAIN_SECONDS, MOST_ASKED, Copier
from outgrow.migrating.identity import are_both, changed, identity_of, is_turned
from outgrow.migrating.opening import carrier_of, first_rows, left_out_of, new_tenants, pace_of
from outgrow.migration.commands import Drop
from outgrow.migration.records import Migration, Pace
from outgrow.points.declaration import DeclaredMove
from outgrow.ports import Copying, StoreFailed
from outgrow.routing import Route
from outgrow.testing.memory_store import MemoryStore
from outgrow.testing.move_ledger import MemoryMoveLedger


def declared(**mover: Any) -> DeclaredMove:
    return DeclaredMove.model_validate({"source": "old", "target": "new", "mover": {"kind": "points", **mover}})


def identity(**mover: Any) -> dict[str, str]:
    return identity_of(declared(**mover), Copying(MemoryStore("old"), MemoryStore("new")))


ONE = {
    "kind": "qdrant",
    "url": "http://user:hidden@a:6333/x?api_key=hidden",
    "api_key_env": "hidden",
    "collection": "c",
}
OTHER = {"kind": "qdrant", "url": "http://b:6333", "collection": "d"}


def test_secrets_are_left_out_and_hosts_apart() -> None:
    said = identity(source_store=ONE, target_store=OTHER)
    assert "hidden" not in str(said)
    assert (said["source_store.url (host)"], said["source_store.url"]) == ("a:6333", "http:/x")
    moved = identity(source_store=ONE | {"url": "http://c:6333/x"}, target_store=OTHER)
    assert changed(said, moved) == [("source_store.url (host)", "a:6333", "c:6333")]
    assert not is_turned(said, moved)


def test_what_is_turned_round_is_no_change_of_host() -> None:
    said = identity(source_store=ONE, target_store=OTHER)
    assert is_turned(said, identity(source_store=OTHER, target_store=ONE))
    assert not is_turned(said, said)
    assert are_both(said, said)
    assert are_both(said, identity(source_store=OTHER, target_store=ONE))
    assert not are_both(said, identity(source_store=ONE, target_store=ONE))
    paths = identity(source_path="a", target_path="b")
    assert is_turned(paths, identity(source_path="b", target_path="a"))
    assert is_turned({"source": "x", "target": "y"}, {"source": "y", "target": "z"})


@pytest.mark.parametrize("side", ["source", "target"])
def test_the_only_copy_is_not_deleted(moving: Any, side: Any) -> None:
    move = moving()
    ledger = MemoryMoveLedger(move.truth)
    migration = ledger.take(move.make(), "ana")
    move.truth.routes["search", "ana"] = Route("new" if side == "source" else "old")
    kept, dropped = (move.target, move.source) if side == "source" else (move.source, move.target)
    contents = move.held(move.source, "ana")
    kept.drop("ana")
    for key, body in contents.items():
        dropped.write("ana", key, body)
    copier = Copier(Copying(move.source, move.target), ledger, lambda _: None)
    with pytest.raises(StoreFailed, match=f"{kept.name}, which is to keep ana, has none of the first 25 keys"):
        copier.carry_out(migration, move.rows()["ana"], Drop(side))
    assert move.held(dropped, "ana") == contents
    kept.write("ana", "k003", b"changed since")
    copier.carry_out(migration, move.rows()["ana"], Drop(side))
    assert move.held(dropped, "ana") == {}


def test_tenants_that_no_route_can_name_are_said(moving: Any) -> None:
    move = moving()
    ledger = MemoryMoveLedger(move.truth)
    carrier = carrier_of(Copying(move.source, move.target), ledger)
    migration = move.make()
    for tenant in ("", "x" * 201, "y" * 200):
        move.source.contents.tenants[tenant] = move.source.contents.tenants["bo"]
    with pytest.raises(UsageError) as refused:
        first_rows(ledger, migration, carrier, ())
    assert "50 items in old" in refused.value.message
    assert "'' (empty)" in refused.value.message
    assert "(201 characters)" in refused.value.message
    found = new_tenants(ledger, migration, carrier, ledger.tenants(migration))
    assert [row.tenant for row in found.rows] == ["y" * 200]
    assert found.unroutable == ("", "x" * 201)
    assert found.said(migration) == (
        "2 tenants are left out, as no route can name them: '' (empty), "
        f"'{'x' * 40}'… (201 characters); they stay in old: a tenant has 1 to 200 characters: give these another one, "
        "or delete them"
    )


def test_who_comes_up_in_mid_move_and_is_left_out_is_said_once_and_kept(moving: Any) -> None:
    move = moving()
    migration = move.make()
    for number in range(5):
        move.source.write(f"{number}" * 300, "k", b"x")
    move.source.write("dee", "k", b"x")
    move.target.write("dee", "k", b"another")
    for _ in range(2):
        engine = move.engine()
        engine.ledger.want(engine.migration, None, "ready", "ana")
        assert engine.run(None, "ready", add_new=True) == "reached"
        engine.let_go()
        engine.ledger.close()
    told = [one.text for one in move.told if "left out" in one.text]
    assert len(told) == 1
    assert "5 tenants are left out" in told[0]
    assert "and 2 more" in told[0]
    assert "1 tenant is left out, as they are in new already, without a route: dee" in told[0]
    ledger = MemoryMoveLedger(move.truth)
    assert left_out_of(ledger, migration) == told[0]
    assert move.held(move.target, "dee") == {"k": b"another"}
    for tenant in [tenant for tenant in move.source.contents.tenants if len(tenant) == 300]:
        move.source.drop(tenant)
    move.target.drop("dee")
    engine = move.engine()
    engine.ledger.want(engine.migration, None, "ready", "ana")
    assert engine.run(None, "ready", add_new=True) == "reached"
    assert left_out_of(ledger, migration) == ""
    assert move.held(move.target, "dee") == {"k": b"x"}


def test_a_tenant_that_is_held_twice_is_looked_for_rarely_and_alone(moving: Any, ticking: Any) -> None:
    move = moving(clock=ticking())
    migration = move.make()
    move.to("ready")
    move.source.write("dee", "k", b"x")
    move.target.write("dee", "k", b"another")
    ledger = MemoryMoveLedger(move.truth)
    copier = Copier(Copying(move.source, move.target), ledger, monotonic=lambda: move.clock.at)
    move.target.calls.clear()
    for _ in range(11):
        found = new_tenants(ledger, migration, copier, ledger.tenants(migration))
        assert (found.rows, found.held_twice) == ((), ("dee",))
        move.clock.pause(5.0)
    assert move.target.calls.count("digests") == 1
    assert "tenants" not in move.target.calls, "the target is not counted"
    move.target.drop("dee")
    move.clock.pause(HELD_AGAIN_SECONDS)
    found = new_tenants(ledger, migration, copier, ledger.tenants(migration))
    assert [row.tenant for row in found.rows] == ["dee"]
    move.target.calls.clear()
    for number in range(MOST_ASKED + 1):
        move.source.write(f"e{number:03}", "k", b"x")
        move.target.write(f"e{number:03}", "k", b"another")
    found = new_tenants(ledger, migration, copier, ledger.tenants(migration))
    assert [row.tenant for row in found.rows] == ["dee"]
    assert len(found.held_twice) == MOST_ASKED + 1
    assert move.target.calls == ["tenants"]
    held = copier.are_there(["dee"])

    def nameless(*_: object) -> None:
        raise StoreFailed("a tenant with a name that no collection can have")

    move.target.digests = nameless
    assert (held, copier.are_there(["dee/é", "e000"])) == (set(), {"e000"})


def test_items_in_the_target_that_nothing_led_there_make_no_move(moving: Any) -> None:
    move = moving()
    ledger = MemoryMoveLedger(move.truth)
    carrier = carrier_of(Copying(move.source, move.target), ledger)
    migration = Migration("m2", "search", "copying", "old", "new", 0.0)
    move.target.write("bo", "k001", b"whose?")
    with pytest.raises(UsageError) as refused:
        first_rows(ledger, migration, carrier, ())
    assert "a tenant is in new already, and in old too, without a route" in refused.value.message
    assert refused.value.message.endswith(": bo")
    assert "outgrow.routing.PLACE" in refused.value.next_step
    move.truth.routes["search", "bo"] = Route("new", 1)
    rows, elsewhere = first_rows(ledger, migration, carrier, ())
    assert [row.tenant for row in rows] == ["ana", "cy"]
    assert elsewhere == ["bo"]


def test_what_is_declared_of_the_pace_is_kept_with_the_move() -> None:
    said = DeclaredMove.model_validate(
        {"source": "old", "target": "new", "mover": {"kind": "x"}, "pace": {"late": "20s", "baseline": "require"}}
    )
    assert pace_of(said) == Pace(late_seconds=20.0, baseline="require")
    assert pace_of(declared()) == Pace()
