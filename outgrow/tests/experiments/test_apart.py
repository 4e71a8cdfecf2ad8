"""An experiment in a process of its own keeps the contract, can be interrupted, and ends with whoever started it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from outgrow.experiments.apart import Apart
from outgrow.experiments.http import open_experiment
from outgrow.experiments.vectors import open_experiment as open_vectors
from outgrow.movers.bodies import point_body
from outgrow.ports import Experiment, ExperimentFailed, Item, Load
from outgrow.testing import FixedClock
from outgrow.testing.experiment_contract import ExperimentContract


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apart]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    open_slow = import_module("slow_experiment").open_slow
    settings = {"file": str(tmp_path / "said")}
    here = open_slow(settings)
    apart = Apart(open_slow, settings, here.arms, here.baseline)
    yield apart
    apart.close()
    apart.close()


class TestContract(ExperimentContract):
    @pytest.fixture
    def experiment(self, slow: Apart) -> Experiment:
        return slow

    @pytest.fixture
    def prepared(self, experiment: Experiment) -> Experiment:
        told: list[str] = []
        for arm in experiment.arms:
            experiment.prepare(arm.id, told.append)
        assert told == ["old is warm", "new is warm"]
        return experiment


def test_failures_come_across(slow: Apart) -> None:
    with pytest.raises(ExperimentFailed, match="no disk"):
        slow.capacity("new")
    assert slow.capacity("old") == 200
    with pytest.raises(RuntimeError, match="ZeroDivisionError: thirteen"):
        slow.run("old", Load(13, 1))
    assert slow.run("old", Load(0, 1)).sent == 100


def test_ctrl_c_ends_the_call_and_nothing_else(slow: Apart, tmp_path: Path) -> None:
    slow.run("old", Load(0, 1))
    pid = (tmp_path / "said").read_text()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            slow.run("old", Load(30, 1))
    finally:
        signal.signal(signal.SIGINT, before)
    assert slow.capacity("old") == 200
    slow.run("old", Load(0, 1))
    assert (tmp_path / "said").read_text() == pid


def test_a_process_that_dies_is_said(slow: Apart, tmp_path: Path) -> None:
    slow.run("old", Load(0, 1))
    os.kill(int((tmp_path / "said").read_text()), signal.SIGKILL)
    with pytest.raises(ExperimentFailed, match="ended by itself, with code -9"):
        slow.run("old", Load(0, 1))
    assert slow.run("old", Load(0, 1)).sent == 100


def test_closing_closes_what_was_opened_there(slow: Apart, tmp_path: Path) -> None:
    slow.run("old", Load(0, 1))
    slow.close()
    assert (tmp_path / "said").read_text() == "closed"


def test_http_is_asked_from_a_process_of_its_own(shop: Callable[..., Any]) -> None:
    now, new = shop(), shop()
    arms = [{"id": "now", "url": now.url}, {"id": "new", "option": "A", "url": new.url}]
    experiment = open_experiment({"arms": arms, "requests": [{"path": "/a"}], "ids": "/items/*/id"}, FixedClock(0))
    try:
        told: list[str] = []
        experiment.prepare("now", told.append)
        assert told == [f"asks {now.url}, 1 requests once each"]
        assert experiment.run("new", Load(0.3, 1, 30.0)).sent == 9
        assert experiment.answers("now", experiment.requests(1)).by_request == {"1": ("/a-0", "/a-1", "/a-2")}
    finally:
        experiment.close()


def test_two_layouts_of_an_embedded_engine_are_compared(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_edge")
    from outgrow.movers.points import open_store

    old = {"kind": "qdrant-edge", "folder": str(tmp_path / "old"), "size": 4}
    new = {"kind": "qdrant-edge", "folder": str(tmp_path / "new"), "size": 4}
    new |= {"collection": "bucket-{bucket}", "buckets": 2, "tenant_field": "venture"}
    store = open_store(old, "old")
    for tenant in ("a", "b", "c"):
        items = [
            Item(f"{n + 100 * ord(tenant)}", point_body([n + 1.0, 3 - n, n * n - 4.0, ord(tenant)], {"n": n}))
            for n in range(20)
        ]
        store.put(tenant, 1, items)
    store.close()
    arms = [{"id": "each", "store": old}, {"id": "buckets", "option": "A", "store": new, "fill": True}]
    experiment = open_vectors({"arms": arms, "limit": 3, "compared": 20}, FixedClock(0))
    try:
        told: list[str] = []
        for arm in ("each", "buckets"):
            experiment.prepare(arm, told.append)
        assert "filled 3 of 3 tenants" in told
        requests = experiment.requests(1)
        right = experiment.right(requests)
        assert experiment.answers("each", requests) == experiment.answers("buckets", requests) == right
        assert experiment.run("buckets", Load(0.4, 1, 50.0)).dropped == 0
        assert experiment.versions()["tenants asked about"] == "3 of 3"
    finally:
        experiment.close()
    emptied = open_store(new, "new")
    assert list(emptied.tenants()) == []
    emptied.close()
