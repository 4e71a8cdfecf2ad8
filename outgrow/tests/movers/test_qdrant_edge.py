"""Qdrant Edge as a store: the contract of stores with a shard a tenant and with buckets; locks, kills, faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("qdrant_edge", reason="needs outgrow[edge]")

import qdrant_edge as engine

from outgrow.errors import UsageError
from outgrow.movers.bodies import point_body
from outgrow.movers.point_ids import PointId
from outgrow.movers.point_store import Held, PointStore
from outgrow.movers.points import open_mover
from outgrow.movers.qdrant_edge import LOCK, EdgeDriver, EdgeSettings, open_store
from outgrow.ports import Item, Store, StoreFailed
from outgrow.testing import FixedClock
from outgrow.testing.store_contract import StoreContract


def body(seed: int, **payload: object) -> bytes:
    return point_body(np.random.default_rng(seed).standard_normal(4), {"n": seed, **payload})


def points_item(tenant: str, place: int, version: int) -> Item:
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{tenant}/{place}"))
    if place % 2:
        key = str(int.from_bytes(uuid.uuid5(uuid.NAMESPACE_DNS, tenant).bytes[:4], "big") * 10**4 + place)
    return Item(key, body(place * 100 + version, text="ünïcøde", part=0.5, none=None, big=1e22, list=[1, {"a": -0.0}]))


class TestShardATenant(StoreContract):
    awkward = ("ana", "A.b-c_9", "ana-2", "0")

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        made = open_store({"folder": tmp_path / "shards", "size": 4, "open_at_once": 2}, "target")
        yield made
        made.close()

    def item(self, tenant: str, place: int, version: int) -> Item:
        return points_item(tenant, place, version)


class TestBuckets(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        made = open_store(settings(tmp_path), "target")
        yield made
        made.close()

    def item(self, tenant: str, place: int, version: int) -> Item:
        return points_item(tenant, place, version)


class _AsAServer(EdgeDriver):
    """Gates as a server must: by conditions, since others may write. The engine is the one that the server runs.

    ``holding`` keeps one kind of write back and raises, as a request does that times out, and arrives after all.
    """

    alone = False
    holding = ""

    def __init__(self, folder: Path) -> None:
        self.read_settings = EdgeSettings.model_validate(settings(folder))
        self.late: list[Callable[[], None]] = []
        super().__init__(self.read_settings)

    def store(self) -> PointStore:
        return PointStore("target", self, self.read_settings.layout(), "cosine", 4)

    def insert(self, collection: str, points: Sequence[Held]) -> None:
        self._sent("insert", lambda: EdgeDriver.insert(self, collection, points))

    def tag(self, collection: str, ids: Sequence[PointId]) -> None:
        self._sent("tag", lambda: EdgeDriver.tag(self, collection, ids))

    def update(self, collection: str, points: Sequence[Held], below: int) -> None:
        self._sent("update", lambda: EdgeDriver.update(self, collection, points, below))

    def arrive(self) -> None:
        for write in self.late:
            write()

    def raw(self) -> engine.EdgeShard:
        (shard,) = self._open.values()
        return shard

    def _sent(self, kind: str, write: Callable[[], None]) -> None:
        if kind == self.holding:
            self.late.append(write)
            raise StoreFailed("no answer in time")
        write()


class TestGatedByConditions(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        made = _AsAServer(tmp_path).store()
        yield made
        made.close()

    def item(self, tenant: str, place: int, version: int) -> Item:
        return points_item(tenant, place, version)


@pytest.mark.parametrize("since", ["newer", "deleted", "written by the application", "deleted by it", "dropped"])
@pytest.mark.parametrize("kind", ["insert", "tag", "update"])
@pytest.mark.parametrize("there", [False, True])
def test_a_put_that_arrives_late_changes_nothing(tmp_path: Path, there: bool, kind: str, since: str) -> None:
    driver = _AsAServer(tmp_path)
    store = driver.store()
    first, item, newer = (points_item("ana", 0, version) for version in range(3))
    found = uuid.UUID(item.key)
    store.put("ana", 1, [first] if there else [points_item("ana", 2, 1)])
    if there:  # as the application wrote it, before there was a move
        store.settle("ana")
    driver.holding = kind
    if kind == ("insert" if there else "tag"):
        store.put("ana", 5, [item])  # it is not needed
        return
    with pytest.raises(StoreFailed):
        store.put("ana", 5, [item])
    driver.holding = ""
    if since == "newer":
        store.put("ana", 6, [newer])
    elif since == "deleted":
        store.put("ana", 6, [Item(item.key, None)])
    elif since == "written by the application":
        mine = engine.Point(found, [0.0, 1, 0, 0], {"venture": "ana"})
        driver.raw().update(engine.UpdateOperation.upsert_points([mine]))
    elif since == "deleted by it":
        driver.raw().update(engine.UpdateOperation.delete_points([found]))
    else:
        store.drop("ana")
    state = store.items("ana", [item.key])
    driver.arrive()
    assert store.items("ana", [item.key]) == state
    if since in ("newer", "deleted"):
        assert store.put("ana", 5, [item]).refused == (item.key,)
    nearest = engine.QueryRequest(limit=9, query=engine.Query.Nearest([1.0, 0, 0, 0]))
    assert (item.key in {str(each.id) for each in driver.raw().query(nearest)}) == bool(state)
    store.close()


def test_who_put_in_between_is_told_to_read_anew(tmp_path: Path) -> None:
    driver = _AsAServer(tmp_path)
    store, item, newer = driver.store(), points_item("ana", 0, 1), points_item("ana", 0, 2)
    store.put("ana", 1, [item])
    between = driver.update

    def slow(collection: str, points: Sequence[Held], below: int) -> None:
        driver.update = between  # type: ignore[method-assign]  # once
        assert store.put("ana", 9, [newer]).refused == ()
        between(collection, points, below)

    driver.update = slow  # type: ignore[method-assign]
    assert store.put("ana", 8, [points_item("ana", 0, 3)]).refused == (item.key,)
    assert store.page("ana", "", 5) == [newer]
    store.close()


def settings(folder: Path, **more: object) -> dict[str, object]:
    made = {"folder": folder / "shards", "collection": "{bucket:02}", "buckets": 2, "tenant_field": "venture"}
    return {**made, "size": 4, **more}


def test_a_search_finds_no_tombstone(tmp_path: Path) -> None:
    store = open_store(settings(tmp_path), "target")
    items = [points_item("ana", place, 1) for place in range(6)]
    store.put("ana", 1, items)
    store.put("ana", 2, [Item(item.key, None) for item in items[:3]] + [Item(str(uuid.uuid4()), None)])
    assert set(store.near("ana", [1.0, 0, 0, 0], 50)) == {item.key for item in items[3:]}
    store.close()
    (shard,) = [each.parent for each in (tmp_path / "shards").glob("*/edge_config.json")]
    opened = engine.EdgeShard.load(str(shard))
    found = opened.query(engine.QueryRequest(limit=50, query=engine.Query.Nearest([1.0, 0, 0, 0])))
    assert {str(point.id) for point in found} == {item.key for item in items[3:]}
    assert opened.info().points_count == 7
    opened.close()


def test_what_was_put_is_there_for_who_opens_it_next(tmp_path: Path) -> None:
    first, second = points_item("ana", 0, 1), points_item("ana", 1, 1)
    store = open_store(settings(tmp_path), "target")
    store.put("ana", 5, [first, second])
    store.put("ana", 6, [Item(second.key, None)])
    store.close()
    again = open_store(settings(tmp_path), "target")
    assert again.page("ana", "", 5) == [first]
    assert again.put("ana", 4, [second]).refused == (second.key,)
    again.close()


CHILD = """
import sys
from outgrow.movers.bodies import point_body
from outgrow.movers.qdrant_edge import open_store
from outgrow.ports import Item
store = open_store({"folder": sys.argv[1], "size": 4}, "target")
for generation in range(1, 1000):
    keys = [str(10 * generation + place) for place in range(3)]
    store.put("ana", generation, [Item(key, point_body([1, 2, 3, generation], {})) for key in keys])
    print(generation, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_acknowledged_and_holds_no_lock(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(20):
        child.stdout.readline()
    store = open_store({"folder": tmp_path, "size": 4}, "target")
    with pytest.raises(StoreFailed, match=f"process {child.pid} has the shards"):
        store.tenants()
    child.send_signal(signal.SIGKILL)
    done = 20 + len(child.stdout.read().splitlines())
    child.wait()
    (tmp_path / ".making-left").mkdir()
    seen = {item.key for item in store.page("ana", "", 10_000)}
    assert {str(10 * generation + place) for generation in range(1, done + 1) for place in range(3)} <= seen
    assert not (tmp_path / ".making-left").exists()
    assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"
    store.close()


def test_a_shard_that_another_process_has_open_is_said(tmp_path: Path) -> None:
    store = open_store({"folder": tmp_path, "size": 4}, "target")
    store.put("ana", 1, [points_item("ana", 0, 1)])
    store.close()
    theirs = engine.EdgeShard.load(str(tmp_path / "ana"))
    with pytest.raises(StoreFailed, match="another process has it open"):
        store.page("ana", "", 5)
    theirs.close()
    assert len(store.page("ana", "", 5)) == 1
    store.close()


def test_shards_of_no_use_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    def make(name: str, vectors: object, **more: object) -> None:
        engine.EdgeShard.create(str(tmp_path / name), engine.EdgeConfig(vectors=vectors, **more)).close()

    params, cosine = engine.EdgeVectorParams, engine.Distance.Cosine
    make("dot", params(size=4, distance=engine.Distance.Dot))
    make("eight", params(size=8, distance=cosine))
    make("named", {"a": params(size=4, distance=cosine)})
    make("half", params(size=4, distance=cosine, datatype=engine.VectorStorageDatatype.Float16))
    make("unlogged", params(size=4, distance=cosine), wal_enabled=False)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "edge_config.json").write_text("{")
    store = open_store({"folder": tmp_path}, "target")
    said = {
        "dot": "compares by dot, not by cosine",
        "eight": "holds vectors of 8 dimensions; those to be put have 4",
        "named": "named, sparse, several or no vectors",
        "half": "which rounds them",
        "unlogged": "has no log",
        "broken": "cannot be read",
        "missing": "has no collection 'missing'",
        "..": "cannot be part of a collection's name",
    }
    for tenant, sentence in said.items():
        with pytest.raises(StoreFailed, match=sentence) as refused:
            store.put(tenant, 1, [points_item("x", 0, 1)])
        assert refused.value.next_step
    store.close()
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreFailed, match="cannot be used"):
        open_store({"folder": blocked}, "target").tenants()


@pytest.mark.parametrize("wrong", [{"collection": "../{tenant}"}, {"collection": "all"}, {"buckets": 3}, {"colour": 1}])
def test_wrong_settings_are_said(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        open_store({"folder": tmp_path, **wrong}, "target")


def test_a_folder_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "shards")
    ways = [tmp_path / "shards", tmp_path / "link", tmp_path / "shards" / ".." / "shards"]
    said = {open_store({"folder": way}, "target").identity() for way in ways}
    assert len(said) == 1
    for way in ways:
        asked = {"source_store": {"kind": "qdrant-edge", "folder": ways[0]}}
        with pytest.raises(UsageError, match="can be the same points"):
            open_mover({**asked, "target_store": {"kind": "qdrant-edge", "folder": way}}, FixedClock(0.0))
