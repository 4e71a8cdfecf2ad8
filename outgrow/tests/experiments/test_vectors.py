"""Stores of points are asked about a sample of real tenants, beside what they hold, and held against exact answers."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, ValidationError

from outgrow.experiments import open_loop as loops
from outgrow.experiments.sample import Sample, TenantVectors, nearest, of_length_one, questions, spread
from outgrow.experiments.stores import opener, vector_of
from outgrow.experiments.vectors import VectorsExperiment, open_here
from outgrow.movers.bodies import point_body
from outgrow.ports import Experiment, ExperimentFailed, Item, Load, Store, StoreFailed, TenantSize
from outgrow.testing.experiment_contract import ExperimentContract
from outgrow.testing.memory_store import MemoryContents, MemoryStore

SIZE = 8
LOAD = Load(0.4, seed=4, rate_per_second=50.0)


class Given(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: str
    place: str
    answers: str = "rightly"
    seconds: float = 0.0
    form: str = "points"


class SearchedStore(MemoryStore):
    """Searches what it holds: rightly, backwards ("wrongly"), or not at all ("never")."""

    def __init__(self, name: str, given: Given, contents: MemoryContents) -> None:
        super().__init__(name, given.form, contents)
        self.given = given
        self.asked: list[tuple[str, tuple[float, ...]]] = []
        self.threads: set[int] = set()

    def near(self, tenant: str, vector: Sequence[float], limit: int) -> Sequence[str]:
        self.threads.add(threading.get_ident())
        self.asked.append((tenant, tuple(vector)))
        if self.given.answers == "never":
            raise StoreFailed(f"{self.name}: the index is broken")
        time.sleep(self.given.seconds)
        bodies = self.contents.tenants[tenant].bodies
        likeness = {key: float(np.dot(vector_of(body), vector)) for key, body in bodies.items()}
        ranked = sorted(likeness, key=lambda key: likeness[key], reverse=self.given.answers == "rightly")
        return ranked[:limit]

    def memory_bytes(self) -> float | None:
        return 4e6

    def disk_bytes(self) -> float | None:
        return None


class Places:
    """What stores hold, by place, as several servers would."""

    def __init__(self) -> None:
        self.contents: dict[str, MemoryContents] = {}
        self.opened: list[SearchedStore] = []
        random = np.random.default_rng(1)
        for number, size in enumerate((40, 1, 12, 7, 30)):
            for item in range(size):
                body = point_body(random.standard_normal(SIZE), {"n": item})
                for place in ("old", "same"):
                    store = SearchedStore("", Given(kind="memory", place=place), self.at(place))
                    store.write(f"t{number}", f"k{item:03}", body)

    def at(self, place: str) -> MemoryContents:
        return self.contents.setdefault(place, MemoryContents())

    def asked(self, name: str) -> list[tuple[str, tuple[float, ...]]]:
        return [each for store in self.opened if store.name == name for each in store.asked]

    def open_store(self, settings: Mapping[str, Any], name: str) -> Store:
        given = Given.model_validate(settings)
        if given.place == "unreachable":
            raise StoreFailed("qdrant-client is not installed", next_step="pip install 'outgrow[qdrant]'")
        self.opened.append(SearchedStore(name, given, self.at(given.place)))
        return self.opened[-1]


@pytest.fixture
def places() -> Places:
    return Places()


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "STEP_SECONDS", 0.1)


@pytest.fixture
def opened(places: Places) -> Iterator[Callable[..., VectorsExperiment]]:
    """Opens experiments: the old store, and a new one with ``store`` keys."""
    made: list[VectorsExperiment] = []

    def open_one(store: Mapping[str, Any] | None = None, **settings: Any) -> VectorsExperiment:
        new = {"id": "new", "option": "A", "store": {"kind": "memory", "place": "same", **(store or {})}}
        new |= settings.pop("new", {})
        arms = [{"id": "old", "store": {"kind": "memory", "place": "old"}}, new]
        made.append(open_here({"arms": arms, "compared": 40, "limit": 5, **settings}, places.open_store))
        return made[-1]

    yield open_one
    for each in made:
        each.close()


def prepared(experiment: VectorsExperiment) -> list[str]:
    told: list[str] = []
    for arm in experiment.arms:
        experiment.prepare(arm.id, told.append)
    return told


class TestContract(ExperimentContract):
    @pytest.fixture
    def experiment(self, opened: Any) -> Experiment:
        return opened(tenants=3)  # type: ignore[no-any-return]


def test_the_right_answers_are_those_of_a_store_that_compares_with_all(opened: Any) -> None:
    experiment = opened()
    prepared(experiment)
    requests = experiment.requests(3)
    right = experiment.right(requests)
    assert len(requests) == 40
    assert experiment.answers("old", requests) == experiment.answers("new", requests) == right


def test_a_store_that_finds_others_is_seen(opened: Any) -> None:
    experiment = opened({"answers": "wrongly"}, limit=3)
    prepared(experiment)
    requests = experiment.requests(3)
    assert experiment.answers("new", requests) != experiment.right(requests)


def test_both_arms_are_asked_the_same_and_never_what_is_stored(opened: Any, places: Places) -> None:
    experiment = opened()
    prepared(experiment)
    for store in places.opened:
        store.asked.clear()
    for arm in ("old", "new"):
        assert experiment.run(arm, LOAD).sent == 20
    asked = places.asked("old")
    assert sorted(asked) == sorted(places.asked("new"))
    stored = {
        tuple(vector_of(body).tolist()) for held in places.at("old").tenants.values() for body in held.bodies.values()
    }
    assert not stored & {vector for _, vector in asked}
    experiment.run("new", Load(0.4, seed=5, rate_per_second=50.0))
    assert len(set(places.asked("new"))) == 40


def test_each_client_has_a_store_of_its_own(opened: Any, places: Places) -> None:
    experiment = opened({"seconds": 0.02}, new={"clients": 3})
    prepared(experiment)
    measured = experiment.run("new", Load(0.4, seed=1, rate_per_second=100.0))
    used = [store for store in places.opened if store.name == "new" and store.asked]
    assert len([store for store in places.opened if store.name == "new"]) == 3
    assert len(used) == 3
    assert measured.p95_seconds > 0.02


def test_a_store_that_fails_is_said_and_dropped(opened: Any) -> None:
    experiment = opened({"answers": "never"})
    experiment.prepare("old", lambda text: None)
    with pytest.raises(ExperimentFailed, match="new: new: the index is broken"):
        experiment.prepare("new", lambda text: None)
    measured = experiment.run("new", LOAD)
    assert not measured.answered
    assert measured.why_dropped == "new: the index is broken (20×)"


def test_a_missing_library_is_said_when_the_arm_is_set_up(opened: Any) -> None:
    experiment = opened({"place": "unreachable"})
    with pytest.raises(ExperimentFailed, match="new: qdrant-client is not installed") as failed:
        experiment.prepare("new", lambda text: None)
    assert failed.value.next_step == "pip install 'outgrow[qdrant]'"


def test_a_store_without_the_tenants_is_said(opened: Any) -> None:
    experiment = opened({"place": "empty"})
    experiment.prepare("old", lambda text: None)
    with pytest.raises(ExperimentFailed, match="new holds 0 of the 5 tenants that are asked about; 't0' is not there"):
        experiment.prepare("new", lambda text: None)


def test_an_empty_baseline_is_said(opened: Any, places: Places) -> None:
    places.at("old").tenants.clear()
    with pytest.raises(ExperimentFailed, match="old has no tenant with items"):
        opened().prepare("old", lambda text: None)


def test_more_than_fits_into_memory_is_said(opened: Any) -> None:
    with pytest.raises(ExperimentFailed, match="have more than 60 items in old"):
        opened(most_items=60).prepare("old", lambda text: None)


# Filling


def test_an_empty_store_is_filled_and_emptied_again(opened: Any, places: Places) -> None:
    experiment = opened({"place": "empty"}, new={"fill": True}, tenants=3)
    told = prepared(experiment)
    assert "filled 3 of 3 tenants" in told
    assert "holds 3 tenants where the baseline has 5: the latter has more to do" in told
    requests = experiment.requests(1)
    assert experiment.answers("new", requests) == experiment.right(requests)
    experiment.close()
    assert places.at("empty").tenants == {}
    assert len(places.at("old").tenants) == 5


def test_what_was_there_before_is_neither_changed_nor_deleted(opened: Any, places: Places) -> None:
    experiment = opened(new={"fill": True})
    prepared(experiment)
    experiment.close()
    assert len(places.at("same").tenants) == 5
    assert not {"put", "drop"} & {call for store in places.opened for call in store.calls}


def test_a_store_that_holds_other_items_is_not_filled(opened: Any, places: Places) -> None:
    places.at("same").tenants["t2"].bodies.popitem()
    experiment = opened(new={"fill": True})
    with pytest.raises(ExperimentFailed, match="new holds other items of tenant t2 than the baseline"):
        experiment.prepare("new", lambda text: None)
    experiment.close()
    assert len(places.at("same").tenants) == 5


def test_a_store_that_a_move_goes_to_is_not_filled(opened: Any, places: Places) -> None:
    target = SearchedStore("", Given(kind="memory", place="moved"), places.at("moved"))
    target.put("t0", 7, [Item("k000", None)])
    experiment = opened({"place": "moved"}, new={"fill": True})
    with pytest.raises(ExperimentFailed, match="new has marks of a move of tenant t0"):
        experiment.prepare("new", lambda text: None)
    experiment.close()
    assert target.tenants() == []
    assert target.put("t0", 6, [Item("k000", b"late")]).refused == ("k000",)


# Settings


@pytest.mark.parametrize(
    ("new", "place", "message"),
    [
        ({"store": {"kind": "memory"}}, ("arms", 1, "store", "place"), "Field required"),
        ({"store": {"kind": "memory", "place": "x", "portt": 1}}, ("arms", 1, "store", "portt"), "not permitted"),
        ({"store": {"place": "x"}}, ("arms", 1, "store", "kind"), "Field required"),
        (
            {"store": {"kind": "memory", "place": "x"}, "clients": 0},
            ("arms", 1, "clients"),
            "greater than or equal to 1",
        ),
    ],
)
def test_wrong_settings_are_refused_where_they_are(
    places: Places, new: dict[str, Any], place: tuple[Any, ...], message: str
) -> None:
    arms = [{"id": "old", "store": {"kind": "memory", "place": "old"}}, {"id": "new", "option": "A", **new}]
    with pytest.raises(ValidationError) as refused:
        open_here({"arms": arms}, places.open_store)
    found = {item["loc"]: item for item in refused.value.errors()}
    assert message in found[place]["msg"]
    assert all(store.closed for store in places.opened)


def test_the_baseline_is_never_filled(opened: Any) -> None:
    arms = [{"id": "old", "store": {"kind": "m"}, "fill": True}, {"id": "new", "option": "A", "store": {"kind": "m"}}]
    with pytest.raises(ValidationError, match="the baseline is what the service uses"):
        open_here({"arms": arms}, lambda settings, name: MemoryStore())


def test_a_store_that_cannot_be_searched_is_said(opened: Any) -> None:
    experiment = opened({"form": "points by dot"})
    with pytest.raises(ExperimentFailed, match="new: new holds points by dot"):
        experiment.prepare("new", lambda text: None)


# Laws of the sample


@given(st.lists(st.integers(0, 500), max_size=40), st.integers(1, 12))
def test_a_spread_has_the_largest_and_the_smallest(sizes: list[int], number: int) -> None:
    all_ = [TenantSize(f"t{n}", size) for n, size in enumerate(sizes)]
    chosen = [each.items or 0 for each in spread(all_, number)]
    there = sorted((size for size in sizes if size), reverse=True)
    assert len(chosen) == min(number, len(there))
    assert chosen == sorted(chosen, reverse=True)
    if there:
        assert chosen[0] == there[0]
    if len(there) >= number > 1:
        assert chosen[-1] == there[-1]
    assert [each.items for each in spread(all_, None)] == there


@settings(max_examples=40)
@given(st.integers(2, 12), st.integers(1, 30), st.integers(0, 2**32), st.floats(0.01, 2))
def test_questions_lie_beside_what_is_stored(size: int, items: int, seed: int, noise: float) -> None:
    random = np.random.default_rng(seed)
    vectors = of_length_one(random.standard_normal((items, size)).astype(np.float32))
    sample = Sample((TenantVectors("t", tuple(f"k{n}" for n in range(items)), vectors),), 1)
    asked = questions(sample, 20, noise, "size", (seed, 1))
    again = questions(sample, 20, noise, "size", (seed, 1))
    for one, other in zip(asked, again, strict=True):
        assert np.array_equal(one.vector, other.vector)
        assert np.linalg.norm(one.vector) == pytest.approx(1, abs=1e-5)
        assert not (vectors == one.vector).all(axis=1).any()
        found = nearest(sample, one, 5)
        exact = sorted(range(items), key=lambda n: -float(vectors[n].astype(float) @ one.vector.astype(float)))
        assert found == tuple(f"k{n}" for n in exact[:5])


def test_large_tenants_are_asked_about_as_often_as_they_have_items() -> None:
    tenants = tuple(
        TenantVectors(f"t{n}", tuple(map(str, range(n))), np.ones((n, 2), dtype=np.float32)) for n in (10, 90)
    )
    by_size = [each.tenant for each in questions(Sample(tenants, 2), 2000, 0.1, "size", (1,))]
    alike = [each.tenant for each in questions(Sample(tenants, 2), 2000, 0.1, "tenant", (1,))]
    assert np.mean(by_size) == pytest.approx(0.9, abs=0.03)
    assert np.mean(alike) == pytest.approx(0.5, abs=0.05)


def test_the_neutral_form_is_read() -> None:
    body = point_body([3.0, 4.0], {"title": "tea"})
    assert vector_of(body).tolist() == pytest.approx([0.6, 0.8])
    for wrong in (b"", b"pt1\n", b"pt2\n" + struct.pack("<I", 0)):
        with pytest.raises(ExperimentFailed):
            vector_of(wrong)


def test_stores_are_opened_by_the_door_of_movers() -> None:
    pytest.importorskip("outgrow.movers.points")
    assert callable(opener())


def test_a_figure_stands_for_a_trigger(opened: Any) -> None:
    experiment = opened(measures={"slow-search": "p95_seconds"})
    prepared(experiment)
    found = experiment.run("new", LOAD)
    assert found.measures == {"slow-search": found.p95_seconds}
    with pytest.raises(ValidationError, match="p95_seconds"):
        opened(measures={"slow-search": "p96_seconds"})


def test_the_fingerprint_is_of_what_was_read(opened: Any, places: Places) -> None:
    def fingerprint() -> str:
        experiment = opened()
        prepared(experiment)
        return str(experiment.versions()["their vectors"])

    first = fingerprint()
    assert fingerprint() == first
    SearchedStore("", Given(kind="memory", place="old"), places.at("old")).write(
        "t1", "k000", point_body(np.ones(SIZE), {"n": 0})
    )
    assert fingerprint() != first
