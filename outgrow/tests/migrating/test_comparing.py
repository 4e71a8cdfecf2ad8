"""Whatever differs between two stores is found, all of it and nothing else, and mended."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.migrating.comparing import differing
from outgrow.testing.memory_store import MemoryStore

KEYS = st.text(alphabet="aäz\U0001f600\uffee0", min_size=1, max_size=3)
BODIES = st.dictionaries(KEYS, st.binary(min_size=1, max_size=2), max_size=12)


@settings(max_examples=150, deadline=None)
@given(BODIES, BODIES, st.sets(KEYS, max_size=3))
def test_every_difference_and_nothing_else(
    right: dict[str, bytes], copied: dict[str, bytes], waiting: set[str]
) -> None:
    truth, other = MemoryStore("old"), MemoryStore("new")
    for store, bodies in ((truth, right), (other, copied)):
        for key, body in bodies.items():
            store.write("ana", key, body)
    found = {one.key: one.how for one in differing("ana", truth, other, lambda: waiting)}
    expected = {key for key in right.keys() | copied.keys() if right.get(key) != copied.get(key)} - waiting
    assert set(found) == expected
    for key, how in found.items():
        assert how == ("missing" if key not in copied else "extra" if key not in right else "stale")


@pytest.mark.parametrize("seed", range(8))
def test_planted_corruption_is_found_and_repaired(moving: Any, seed: int) -> None:
    move, chance = moving(items=200, tenants=("ana",)), random.Random(seed)
    move.make()
    move.to("ready")
    body = move.held(move.target, "ana")
    planted = {}
    for key in chance.sample(sorted(body), 12):
        how = chance.choice(["missing", "stale", "flipped"])
        if how == "missing":
            move.target.delete("ana", key)
        elif how == "stale":
            move.target.write("ana", key, b"an older state")
        else:
            flipped = bytearray(body[key])
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
            move.target.write("ana", key, bytes(flipped))
        planted[key] = "missing" if how == "missing" else "stale"
    for number in range(3):
        move.target.write("ana", f"x{number}", b"nobody wrote this")
        planted[f"x{number}"] = "extra"
    engine = move.engine()
    found = {one.key: one.how for one in engine.carrier.differing(engine.migration, "ana", "source")}
    engine.ledger.close()
    assert found == planted
    assert move.to("switched") == "people"  # found before anybody waits, and nothing is switched
    assert move.rows()["ana"].differing == len(planted)
    assert move.truth.routes["search", "ana"].store == "old"
