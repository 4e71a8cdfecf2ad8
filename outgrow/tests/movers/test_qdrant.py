"""Qdrant as a store: the contract of stores in the client's local mode, in all three layouts, and on a server where
QDRANT_URL names one; what each fault says; what readers see meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("qdrant_client", reason="needs outgrow[qdrant]")

from qdrant_client import QdrantClient, models

from outgrow.errors import UsageError
from outgrow.migrating.comparing import differing
from outgrow.movers.bodies import point_body, read_body
from outgrow.movers.point_layout import Layout, bucket_of
from outgrow.movers.point_store import GENERATION, Held, PointStore
from outgrow.movers.points import check_settings, open_mover
from outgrow.movers.qdrant import QdrantDriver, QdrantSettings, local_store, open_store
from outgrow.ports import Copying, Identified, Item, Store, StoreFailed
from outgrow.testing import FixedClock
from outgrow.testing.store_contract import StoreContract

LAYOUTS = {
    "one-each": {"collection": "of_{tenant}"},
    "shared": {"collection": "all", "tenant_field": "venture"},
    "buckets": {"collection": "bucket_{bucket:02}", "buckets": 3, "tenant_field": "venture"},
}


def settings(layout: str, **more: object) -> QdrantSettings:
    return QdrantSettings.model_validate({"path": "unused", "size": 4, **LAYOUTS[layout], **more})


def body(seed: int, **payload: object) -> bytes:
    return point_body(np.random.default_rng(seed).standard_normal(4), {"n": seed, **payload})


def points_item(tenant: str, place: int, version: int, *, uuids: bool = True) -> Item:
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{tenant}/{place}"))
    if not uuids or place % 2:
        key = str(abs(hash_of(tenant)) % 10**6 * 10**4 + place)
    return Item(key, body(place * 100 + version, text="ünïcøde", part=0.5, none=None))


def hash_of(tenant: str) -> int:
    return int.from_bytes(uuid.uuid5(uuid.NAMESPACE_DNS, tenant).bytes[:6], "big")


@pytest.fixture
def client() -> Iterator[QdrantClient]:
    made = QdrantClient(":memory:")
    yield made
    made.close()


class _Local(StoreContract):
    layout = ""
    at_once = False  # the client's memory has no locks

    @pytest.fixture
    def store(self, client: QdrantClient) -> Store:
        self.client = client
        return local_store(client, "target", settings(self.layout))

    def item(self, tenant: str, place: int, version: int) -> Item:
        return points_item(tenant, place, version)

    def reopened(self, store: Store) -> Store | None:
        del store
        return _Kept(local_store(self.client, "target", settings(self.layout)))


class _Kept(PointStore):
    """Another handle on the client's memory, which its closing must not end."""

    def __init__(self, other: PointStore) -> None:
        super().__init__(other._name, other._driver, other._layout, other._distance, other._size)

    def close(self) -> None:
        pass


class TestOneEach(_Local):
    layout = "one-each"
    awkward = ("ana", "A.b-c_9", "ana-2", "0")


class TestShared(_Local):
    layout = "shared"


class TestBuckets(_Local):
    layout = "buckets"


@pytest.mark.skipif("QDRANT_URL" not in os.environ, reason="QDRANT_URL names no server")
class TestServer(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        self.made = {
            "url": os.environ["QDRANT_URL"],
            "collection": f"outgrow_{uuid.uuid4().hex}",
            "tenant_field": "venture",
            "size": 4,
        }
        made = open_store(self.made, "target")
        yield made
        made._driver.remove(self.made["collection"])
        made.close()

    def item(self, tenant: str, place: int, version: int) -> Item:
        return points_item(tenant, place, version)

    def reopened(self, store: Store) -> Store | None:
        del store
        return open_store(self.made, "target")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_search_finds_no_tombstone_though_it_asks_as_ever(client: QdrantClient, layout: str) -> None:
    store = local_store(client, "target", settings(layout))
    items = [points_item("ana", place, 1) for place in range(6)]
    store.put("ana", 1, items)
    store.put("ana", 2, [Item(item.key, None) for item in items[:3]] + [Item(str(uuid.uuid4()), None)])
    collection = settings(layout).layout().collection_of("ana")
    theirs = models.Filter(must=[models.FieldCondition(key="venture", match=models.MatchValue(value="ana"))])
    found = client.query_points(
        collection, query=[1.0, 0, 0, 0], query_filter=None if layout == "one-each" else theirs, limit=50
    )
    assert {str(point.id) for point in found.points} == {item.key for item in items[3:]}
    if layout != "one-each":
        assert client.count(collection, count_filter=theirs).count == 3
    assert set(store.near("ana", [1.0, 0, 0, 0], 50)) == {item.key for item in items[3:]}
    store.settle("ana")
    assert client.count(collection).count == 3
    assert not any(GENERATION in (point.payload or {}) for point in client.scroll(collection, limit=50)[0])


class _Delayed(QdrantDriver):
    """Holds one kind of write back and raises, as a request does that times out and arrives after all."""

    late: list[tuple[str, tuple[object, ...]]]
    holding = ""

    def _held_back(self, kind: str, *what: object) -> bool:
        if kind == self.holding:
            self.late.append((kind, what))
            raise StoreFailed("no answer in time")
        return False

    def insert(self, collection: str, points: list[Held]) -> None:
        self._held_back("insert", collection, points) or super().insert(collection, points)

    def tag(self, collection: str, ids: list[int]) -> None:
        self._held_back("tag", collection, ids) or super().tag(collection, ids)

    def update(self, collection: str, points: list[Held], below: int) -> None:
        self._held_back("update", collection, points, below) or super().update(collection, points, below)

    def arrive(self) -> None:
        self.holding = ""
        for kind, what in self.late:
            getattr(self, kind)(*what)


@pytest.mark.parametrize("since", ["newer", "deleted", "application wrote", "application deleted", "dropped"])
@pytest.mark.parametrize("kind", ["insert", "tag", "update"])
@pytest.mark.parametrize("there", [False, True])
def test_a_put_that_arrives_late_changes_nothing(client: QdrantClient, there: bool, kind: str, since: str) -> None:
    made = settings("shared")
    driver = _Delayed(client, "memory", made, local=True)
    driver.late = []
    store = PointStore("target", driver, made.layout(), "cosine", 4)
    item, newer = points_item("ana", 0, 1), points_item("ana", 0, 2)
    driver.create("all", 4)
    if there:  # as the application wrote it, before there was a move
        client.upsert("all", [models.PointStruct(id=item.key, vector=[1, 0, 0, 0], payload={"venture": "ana"})])
    driver.holding = kind
    try:
        store.put("ana", 5, [item])
    except StoreFailed:
        assert driver.late
    else:
        assert not driver.late
        return
    driver.holding = ""
    before = client.retrieve("all", [item.key])
    if since == "newer":
        store.put("ana", 6, [newer])
    elif since == "deleted":
        store.put("ana", 6, [Item(item.key, None)])
    elif since == "application wrote":
        client.upsert("all", [models.PointStruct(id=item.key, vector=[0, 1, 0, 0], payload={"venture": "ana", "x": 1})])
    elif since == "application deleted":
        client.delete("all", [item.key])
    else:
        store.drop("ana")
    state = dict(store.items("ana", [item.key]))
    driver.arrive()
    assert store.items("ana", [item.key]) == state, before
    if since in ("newer", "deleted"):  # its generation is still there
        assert store.put("ana", 5, [item]).refused == (item.key,)


def test_the_application_s_own_points_are_read_and_written_over(client: QdrantClient) -> None:
    client.create_collection("all", models.VectorParams(size=4, distance=models.Distance.COSINE))
    client.upsert(
        "all", [models.PointStruct(id=7, vector=[3.0, 4.0, 0, 0], payload={"venture": 12, "text": "so", "x": 3.0})]
    )
    store = local_store(client, "source", settings("shared", whole_numbers=True))
    assert [(size.tenant, size.items) for size in store.tenants()] == [("12", 1)]
    assert store.items("12", ["7", "no id", "8"]) == {"7": point_body([3.0, 4.0, 0, 0], {"text": "so", "x": 3.0})}
    assert store.put("12", 9, [Item("7", point_body([0, 1, 0, 0], {}))]).refused == ()
    (point,) = client.retrieve("all", [7])
    assert point.payload == {"venture": 12, GENERATION: 9}
    with pytest.raises(StoreFailed, match="no whole number"):
        store.page("twelve", "", 1)


def test_ids_of_two_tenants_cannot_be_the_same_in_one_collection(client: QdrantClient) -> None:
    store = local_store(client, "target", settings("shared"))
    item = points_item("ana", 0, 1)
    store.put("ana", 1, [item])
    with pytest.raises(StoreFailed, match="is another tenant's"):
        store.put("ben", 2, [item])
    assert store.page("ana", "", 5) == [item]
    with pytest.raises(StoreFailed, match="is no id of Qdrant"):
        store.put("ana", 2, [Item("no id", item.body)])
    assert store.put("ana", 2, [Item("no id", None)]).refused == ()


def test_collections_of_no_use_are_refused_before_anything_is_written(client: QdrantClient) -> None:
    params = models.VectorParams
    client.create_collection("of_dot", params(size=4, distance=models.Distance.DOT))
    client.create_collection("of_eight", params(size=8, distance=models.Distance.COSINE))
    client.create_collection("of_named", {"a": params(size=4, distance=models.Distance.COSINE)})
    client.create_collection(
        "of_half", params(size=4, distance=models.Distance.COSINE, datatype=models.Datatype.FLOAT16)
    )
    store = local_store(client, "target", settings("one-each", size=None))
    item = points_item("x", 0, 1)
    said = {
        "dot": "compares by dot, not by cosine",
        "eight": "holds vectors of 8 dimensions; those to be put have 4",
        "named": "named, sparse, several or no vectors",
        "half": "which rounds them",
        "missing": "has no collection 'of_missing'",
    }
    for tenant, sentence in said.items():
        with pytest.raises(StoreFailed, match=sentence) as refused:
            store.put(tenant, 1, [item])
        assert refused.value.next_step
    assert all(client.count(each.name).count == 0 for each in client.get_collections().collections)
    unit = local_store(client, "target", settings("one-each", distance="cosine"))
    unit.put("dot", 1, [item])
    assert unit.page("dot", "", 5) == [item]
    raw = local_store(client, "target", settings("one-each", distance="dot"))
    raw.put("dot", 2, [Item("5", point_body([3, 4, 0, 0], {}, "dot"))])
    assert raw.items("dot", ["5"])["5"] == point_body([3, 4, 0, 0], {}, "dot")
    assert (raw.form, unit.form) == ("points by dot", "points")


def test_pages_over_ids_of_all_lengths_and_kinds_are_in_the_order_of_bytes(client: QdrantClient) -> None:
    store = local_store(client, "target", settings("one-each"))
    dice = random.Random(4)
    numbers = {0, 9, 10, 99, 100, 2**64 - 1, 10**19} | {dice.randrange(10 ** dice.randint(1, 19)) for _ in range(60)}
    keys = sorted([*map(str, numbers), *(str(uuid.UUID(int=dice.getrandbits(128))) for _ in range(40))])
    store.put("ana", 1, [Item(key, body(1)) for key in keys])
    for limit in (1, 7, 200):
        seen, after = [], ""
        while page := store.page("ana", after, limit):
            seen += [item.key for item in page]
            after = seen[-1]
        assert seen == keys
    assert [copied.key for copied in store.digests("ana", "5", 3)] == [key for key in keys if key > "5"][:3]


class _Answers(BaseHTTPRequestHandler):
    """A server that answers everything with what the test says."""

    status, version, seconds, error = 200, "1.17.0", 0.0, ""
    asked: list[str] = []  # noqa: RUF012  one a test, see ``stub``

    def _answer(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/":
            self.status = 200
            said: object = {"title": "qdrant", "version": self.version}
        else:
            time.sleep(self.seconds)
            said = {"status": {"error": self.error}, "time": 0, "result": None}
        text = json.dumps(said).encode()
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(text)

    do_GET = do_PUT = do_POST = _answer

    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("how", "sentence", "next_step"),
    [
        ({"version": "1.16.3"}, "version 1.16.3, which cannot write only over what is older", "Update it to 1.17"),
        ({"status": 401, "error": "Must provide an API key"}, "refused .* 401 Must provide an API key", "api_key_file"),
        ({"status": 500, "error": "No space left"}, "refused .* 500 No space left", "tried again"),
        ({"seconds": 3.0}, "did not answer when looking at 'of_ana': timed out", "tried again"),
    ],
)
def test_a_server_that_is_old_refuses_or_is_slow_is_said(how: dict[str, object], sentence: str, next_step: str) -> None:
    handler = type("Handler", (_Answers,), {**how, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    store = open_store({"url": url, "collection": "of_{tenant}", "size": 4, "timeout": 1}, "target")
    try:
        with pytest.raises(StoreFailed, match=sentence) as refused:
            store.put("ana", 1, [points_item("ana", 0, 1)])
        assert next_step in refused.value.next_step
        assert not any(asked.startswith("PUT") for asked in handler.asked)
    finally:
        store.close()
        server.shutdown()
        server.server_close()


def test_a_server_that_is_away_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = open_store({"url": f"http://127.0.0.1:{port}", "collection": "of_{tenant}"}, "target")
    with pytest.raises(StoreFailed, match="did not answer when listing collections") as refused:
        store.tenants()
    assert "can be reached" in refused.value.next_step
    store.close()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"collection": "a"}, "tenant_field"),
        ({"collection": "a_{bucket}", "tenant_field": "t"}, "belong together"),
        ({"collection": "a_{tenant}", "url": None}, "url .* or path"),
        ({"collection": "a_{tenant}", "url": "http://me:secret@host"}, "credentials"),
        ({"collection": "a_{tenant}", "url": "host:6333"}, "http"),
        ({"collection": "a_{tenant}", "colour": "red"}, "colour"),
        ({"collection": "a_{tenant}", "api_key_env": "NO_SUCH_NAME"}, "NO_SUCH_NAME"),
    ],
)
def test_wrong_settings_are_said(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as refused:
        open_store({"url": "http://127.0.0.1:1", **wrong}, "target")
    assert "secret" not in str(refused.value)


def test_buckets_are_those_that_are_written_down() -> None:
    assert [bucket_of(tenant, 16) for tenant in ("ana", "ben", "Ünïcøde", "0")] == [12, 0, 7, 5]
    assert [bucket_of(tenant, 1000) for tenant in ("ana", "ben", "Ünïcøde", "0")] == [76, 728, 967, 789]
    assert len({bucket_of(str(tenant), 16) for tenant in range(400)}) == 16


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("{tenant}", "v2_{tenant}", True),
        ("of_{tenant}", "of_v2_{tenant}", True),
        ("{tenant}_old", "new_{tenant}", True),
        ("{tenant}", "{tenant}", True),
        ("{tenant}_v1", "{tenant}_v2", False),
        ("v1_{tenant}", "v2_{tenant}", False),
        ("{tenant}", "v2:{tenant}", False),
        ("{tenant}", ".{tenant}", False),
    ],
)
def test_names_by_tenant_meet_where_any_name_can_be_of_both(one: str, other: str, meet: bool) -> None:
    ours, theirs = Layout(one), Layout(other)
    assert ours.meets(theirs) is theirs.meets(ours) is meet
    asked = {
        f"{side}_store": {"kind": "qdrant", "url": "http://v.example", "collection": name}
        for side, name in (("source", one), ("target", other))
    }
    if meet:
        with pytest.raises(UsageError, match="can be the same points"):
            check_settings(asked)
    else:
        check_settings(asked)


NAMES = st.text(st.sampled_from("ab."), max_size=3)


@given(NAMES, NAMES, NAMES, NAMES, NAMES, NAMES)
def test_what_is_told_apart_has_no_name_in_common(a: str, b: str, c: str, d: str, one: str, other: str) -> None:
    ours, theirs = Layout(f"{a}{{tenant}}{b}"), Layout(f"{c}{{tenant}}{d}")
    with contextlib.suppress(StoreFailed):
        names = {ours.collection_of(one), theirs.collection_of(other)}
        assert len(names) == 2 or ours.meets(theirs)
        name = names.pop()
        assert ours.tenant_in(name) is None or theirs.tenant_in(name) is None or ours.meets(theirs)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"url": "http://localhost:6333"}, {"url": "http://127.0.0.1"}, True),
        ({"url": "http://vectors.example"}, {"url": "http://vectors.example.:6333/"}, True),
        ({"url": "http://vectors.example"}, {"url": "http://vectors.example", "tenant_field": "owner"}, True),
        ({"url": "http://vectors.example"}, {"url": "http://vectors.example:7333"}, False),
        ({"url": "http://vectors.example"}, {"url": "http://vectors.example", "collection": "of_{tenant}"}, False),
        ({"url": "http://vectors.example"}, {"url": "http://vectors.example", "collection": "a{tenant}"}, True),
        (
            {"url": "http://v.example", "collection": "b_{bucket}", "buckets": 3},
            {"url": "http://v.example", "collection": "b_2"},
            True,
        ),
    ],
)
def test_two_settings_that_lead_to_the_same_points_are_refused(
    one: dict[str, object], other: dict[str, object], same: bool
) -> None:
    """Without asking a server, which would not say which one it is."""
    shared = {"kind": "qdrant", "collection": "all", "tenant_field": "venture"}
    for ours, theirs in ((one, other), (other, one)):
        asked = {"source_store": {**shared, **ours}, "target_store": {**shared, **theirs}}
        if same:
            with pytest.raises(UsageError, match="can be the same points"):
                open_mover(asked, FixedClock(0.0))
            continue
        mover = open_mover(asked, FixedClock(0.0))
        assert isinstance(mover, Copying)
        said = [store.identity() for store in (mover.source, mover.target) if isinstance(store, Identified)]
        assert len({*said}) == 2
        mover.source.close()
        mover.target.close()


def test_comparing_finds_what_a_late_put_left_where_the_application_had_taken_the_generation_off(
    client: QdrantClient,
) -> None:
    """The rest of the rule in docs/explanation/moving-live.md: the whole upsert of an application takes a point's
    generation off, and two requests of one old put, lost on their way and arriving after it, could write over it."""
    store = local_store(client, "target", settings("shared"))
    truth = local_store(QdrantClient(":memory:"), "source", settings("shared"))
    old, own = points_item("ana", 1, 1), points_item("ana", 1, 2)
    store.put("ana", 5, [old])
    mine = read_body(own.body or b"")
    point = models.PointStruct(id=int(own.key), vector=mine.vector.tolist(), payload={**mine.payload, "venture": "ana"})
    client.upsert("all", [point])
    assert store.items("ana", [own.key]) == {own.key: own.body}
    truth.put("ana", 9, [own])
    assert list(differing("ana", truth, store, set)) == []
    store.put("ana", 4, [old])  # a generation of 4 is none that a point without one refuses
    assert [(one.key, one.how) for one in differing("ana", truth, store, set)] == [(own.key, "stale")]
    assert store.put("ana", 10, [own]).refused == ()
    assert list(differing("ana", truth, store, set)) == []
    truth.close()
