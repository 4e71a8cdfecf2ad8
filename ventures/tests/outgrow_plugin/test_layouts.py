"""The experiment: layouts filled from the platform's own ventures, each in a process of its own."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.clock import SystemClock
from outgrow.ports import ExperimentFailed
from outgrow.testing.experiment_contract import ExperimentContract
from ventures.database.roles import Addresses
from ventures.outgrow_plugin import open_experiment
from ventures.outgrow_plugin.layouts import LayoutExperiment
from ventures.outgrow_plugin.sampling import Taken, chosen, nearest, platform_of, queries, read, written
from ventures.testing.embeddings import Embeddings, passages, units
from ventures.testing.index_process import DIMENSION, MODEL, SECRET


@pytest.fixture
def platform(database_addresses: Addresses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Embeddings]:
    monkeypatch.setenv("DATABASE_URL", database_addresses.app)
    monkeypatch.setenv("VENTURES_DATA", str(tmp_path))
    monkeypatch.setenv("VENTURES_SECRET", SECRET)
    monkeypatch.setenv("VENTURES_INDEX_LAYOUT", "shared")
    with Embeddings(database_addresses.superuser, model=MODEL, dimension=DIMENSION) as rows:
        yield rows


def test_it_is_an_experiment_whose_arms_find_the_same(platform: Embeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    """All laws of an experiment on one that is set up once: a PostgreSQL is one of its arms."""
    for number, count in enumerate((120, 40, 15)):
        platform.put(platform.venture(), passages(units(count, DIMENSION, seed=number)))
    arms = [{"id": "now", "option": None, "layout": "shared"}, {"id": "pgvector", "option": "B"}]
    experiment = open_experiment({"arms": arms, "passages": 150}, SystemClock())
    assert isinstance(experiment, LayoutExperiment)
    laws = ExperimentContract()
    told: list[str] = []
    try:
        assert experiment.versions().keys() == {"ventures", "qdrant-edge-py"}
        for arm in experiment.arms:
            experiment.prepare(arm.id, told.append)
        said = experiment.versions()
        assert (said["embedding model"], said["dimensions"]) == (MODEL, str(DIMENSION))
        assert said["passages there"] == "128 to 255"
        assert "filling shared with 130 passages of 3 ventures" in told, "the largest is no more than half of it"
        capacity = experiment.capacity("now")
        monkeypatch.setattr(experiment, "capacity", lambda arm: capacity)  # it takes some seconds each time
        pids = [held.process.pid for held in experiment._held.values()]
        laws_of = [law for name, law in inspect.getmembers(laws, inspect.ismethod) if name.startswith("test_")]
        for law in sorted(laws_of, key=lambda law: "closing" in law.__name__):
            if "closing" not in law.__name__:
                law(experiment)
        requests = experiment.requests(3)
        right = experiment.right(requests)
        assert right is not None
        for arm in experiment.arms:
            assert experiment.answers(arm.id, requests).by_request == right.by_request
            assert (experiment.footprint(arm.id).memory_bytes or 0) > 10e6
        folder = experiment._folder
        assert folder is not None
    finally:
        laws.test_closing_twice_is_closing_once(experiment)
    assert not folder.exists()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_without_passages_it_says_so(platform: Embeddings) -> None:
    platform.venture()
    experiment = open_experiment({}, SystemClock())
    with pytest.raises(ExperimentFailed, match="no venture has passages yet"):
        experiment.prepare("shared", lambda text: None)
    experiment.close()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"passages": 3}, "passages is to be a whole number from 100"),
        ({"arms": [{"id": "qdrant"}]}, "'qdrant' is no layout that can be measured here"),
        ({"arms": [{"id": "shared", "places": 3}]}, "places"),
        ({"queries": 3}, "'queries' is no setting of it; there are capacity, data, passages"),
        ({"capacity": "no"}, "capacity is to be true, or false"),
    ],
)
def test_wrong_settings_are_refused(platform: Embeddings, settings: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        open_experiment(settings, SystemClock())


@pytest.mark.parametrize(
    ("layout", "arms"),
    [
        ("shared", [("shared", None), ("tuned", "tune"), ("buckets", "A"), ("pgvector", "B")]),
        ("buckets", [("buckets", None), ("tuned", "tune"), ("pgvector", "B")]),
    ],
)
def test_without_arms_the_platforms_layout_is_measured_beside_those_of_options(
    platform: Embeddings, monkeypatch: pytest.MonkeyPatch, layout: str, arms: list[tuple[str, str | None]]
) -> None:
    monkeypatch.setenv("VENTURES_INDEX_LAYOUT", layout)
    experiment = open_experiment({}, SystemClock())
    assert [(arm.id, arm.option) for arm in experiment.arms] == arms
    assert experiment.baseline == layout
    experiment.close()


def test_capacity_is_not_looked_for_where_a_rate_is_declared_instead(platform: Embeddings) -> None:
    experiment = open_experiment({"capacity": False}, SystemClock())
    assert experiment.capacity("shared") is None, "and no process is there that could be asked"
    experiment.close()


def test_a_sample_has_the_first_the_last_and_the_middle_and_no_more_than_is_asked_for() -> None:
    counted = [(UUID(int=number), number) for number in range(101)]
    sample = chosen(counted, 200)
    assert [count for _, count in sample[:3]] == [100, 1, 50]
    assert sum(count for _, count in sample) == 200
    assert len({venture for venture, _ in sample}) == len(sample)
    assert sum(count for _, count in chosen(counted, 1_000_000)) == sum(range(101))
    assert chosen(counted, 60)[0] == (UUID(int=100), 30)
    assert chosen([], 60) == []


@given(
    counts=st.lists(st.integers(1, 10_000), min_size=4, max_size=60),
    place=st.integers(0, 59),
    more=st.floats(0, 1),
)
def test_a_platform_that_is_written_to_is_the_same_until_it_is_twice_as_large(
    counts: list[int], place: int, more: float
) -> None:
    """Whichever venture grew, and whichever the sample holds then."""
    before = {UUID(int=number + 1): count for number, count in enumerate(counts)}
    total = sum(counts)
    room = (1 << total.bit_length()) - 1 - total
    grown = UUID(int=place % len(counts) + 1)
    after = {**before, grown: before[grown] + int(room * more), UUID(int=10**6): 0}
    assert platform_of(list(after.items())) == platform_of(list(before.items()))
    twice = {venture: 2 * count for venture, count in before.items()}
    assert platform_of(list(twice.items())) != platform_of(list(before.items()))
    another = {UUID(int=venture.int + 10**9): count for venture, count in before.items()}
    assert platform_of(list(another.items()))["platform"] != platform_of(list(before.items()))["platform"]


def test_a_platform_without_passages_is_none() -> None:
    assert platform_of([(UUID(int=1), 0)]) == platform_of([]) == {}


def test_right_answers_are_the_nearest_of_the_kind(tmp_path: Path) -> None:
    rows = units(40, DIMENSION)
    kinds = ["content", "preference"] * 20
    ids = [UUID(int=number + 1) for number in range(40)]
    one = Taken(UUID(int=99), ids, kinds, ids, [""] * 40, rows.astype("<f4").tobytes())
    written([one], tmp_path / "sample")
    assert read(tmp_path / "sample") == [one]
    assert (tmp_path / "sample").stat().st_mode & 0o077 == 0
    asked = queries([one], 30, seed=4)
    assert [query.vector.tolist() for query in queries([one], 30, seed=4)] == [q.vector.tolist() for q in asked]
    for query in asked:
        scores = {str(id): float(row @ query.vector) for id, kind, row in zip(ids, kinds, rows, strict=True)
                  if kind == query.kind}  # fmt: skip
        assert list(nearest(one, query, 5)) == sorted(scores, key=scores.__getitem__, reverse=True)[:5]
        assert abs(float(np.linalg.norm(query.vector)) - 1) < 1e-5
        assert not (rows == query.vector).all(axis=1).any()
