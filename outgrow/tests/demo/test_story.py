"""The story: what it concludes from its steps, what it leaves behind, and that nothing runs on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from outgrow.demo import children, story
from outgrow.demo.directory import Limits, prepare_directory, write_declaration
from outgrow.demo.load import Step
from outgrow.demo.story import (
    Began,
    Plan,
    StepDone,
    Told,
    choose_limits,
    disturbed_steps,
    load_at,
    ramp_of,
    reaches_limit,
    tell,
    without_disturbed,
)
from outgrow.errors import OutgrowError, UsageError
from outgrow.points.reading import read_declaration

NOW = 1_775_000_000.0


def steps(*p95_milliseconds: float) -> list[Step]:
    return [
        Step(10.0 * number, 60, 60, 0, p95 / 2000, p95 / 1000, p95 / 800, 0.001, "")
        for number, p95 in enumerate(p95_milliseconds, start=1)
    ]


def test_limits_are_multiples_of_the_unloaded_latency() -> None:
    assert choose_limits(steps(12, 11, 14, 17, 30, 60, 200)) == Limits(0.044, 0.088)


def test_a_busy_machine_is_said_not_measured() -> None:
    unfit = [replace(step, unfit="the generator itself was 90 ms late") for step in steps(10, 11, 12, 13)]
    with pytest.raises(OutgrowError, match="only 4 of 8 steps could be measured: the generator itself"):
        choose_limits([*unfit, *steps(12, 13, 15, 18)])


def test_the_ramp_goes_on_until_it_is_past_the_limit() -> None:
    assert not reaches_limit(steps(10, 11, 12, 14, 17, 30, 60))
    assert reaches_limit(steps(10, 11, 12, 14, 17, 30, 95))


def test_a_step_worse_than_a_higher_one_was_disturbed() -> None:
    found = disturbed_steps(steps(30, 11, 12, 80, 17, 30, 95))
    assert [step.load_per_second for step in found] == [40, 10]
    assert disturbed_steps(steps(10, 11, 10, 14, 17, 30, 95)) == []


def test_disturbed_steps_are_left_out_where_enough_others_are_left() -> None:
    left = without_disturbed(steps(30, 11, 12, 80, 17, 30, 95, 200))
    assert [step.load_per_second for step in left if step.unfit] == [10, 40]
    assert "something else used this machine" in left[0].unfit
    few = steps(30, 11, 12, 80, 17, 30, 95)
    assert without_disturbed(few) == few


def test_a_ramp_is_made_of_fit_steps_in_order_of_load() -> None:
    made = steps(10, 11, 12, 14, 17, 30, 95)
    made[2] = replace(made[2], unfit="late")
    ramp = ramp_of(made[::-1], made_at=NOW)
    assert ramp.levels.tolist() == [10, 20, 40, 50, 60, 70]
    assert (ramp.axis, ramp.loop, ramp.origin, ramp.signal) == ("load", "open", "measured", "search_p95")
    assert load_at(ramp, 0.030) == pytest.approx(60)
    assert load_at(ramp, 0.0235) == pytest.approx(55)


@pytest.mark.parametrize("limits", [None, Limits(0.044, 0.088)])
@pytest.mark.parametrize("url", [None, "http://127.0.0.1:8099/metrics"])
def test_the_declared_file_is_right_at_every_stage(tmp_path: Path, limits: Limits | None, url: str | None) -> None:
    config = tmp_path / "outgrow.yaml"
    write_declaration(config, metrics_url=url, limits=limits)
    declared = read_declaration(config)
    trigger = declared.points[0].triggers[0]
    assert [option.id for option in declared.points[0].options] == ["tune", "A"]
    assert len(declared.sources) == (1 if url else 0)
    if limits:
        assert (trigger.threshold, trigger.breaks_at) == (pytest.approx(0.044), pytest.approx(0.088))
    assert ("placeholder" in config.read_text()) == (limits is None)


def test_only_a_directory_of_its_own_is_used(tmp_path: Path) -> None:
    stranger = tmp_path / "photos"
    stranger.mkdir()
    (stranger / "cat.jpg").write_bytes(b"meow")
    with pytest.raises(UsageError, match="is not empty, and no demo wrote it"):
        prepare_directory(stranger)
    assert (stranger / "cat.jpg").exists()

    own = tmp_path / "deep" / "demo"
    prepare_directory(own)
    write_declaration(own / "outgrow.yaml", metrics_url=None, limits=None)
    (own / "notes.txt").write_text("mine")
    (own / "ramp.csv").write_text("old")
    prepare_directory(own)
    assert sorted(path.name for path in own.iterdir()) == ["notes.txt"]


@contextmanager
def counting(config: Path) -> Iterator[Callable[[], None]]:
    assert read_declaration(config).sources
    yield lambda: None


@pytest.fixture
def pids(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every child that is started from here on."""
    started: list[int] = []
    original = children.subprocess.Popen

    class Noting(original):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)
            started.append(self.pid)

    monkeypatch.setattr(children.subprocess, "Popen", Noting)
    return started


def test_a_short_story_leaves_a_directory_and_no_process(
    tmp_path: Path, pids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "MOST_FURTHER", 1)
    monkeypatch.setattr(story, "MOST_REPEATED", 1)
    plan = Plan(
        shares=(0.1, 0.2, 0.3, 0.5, 0.7, 1.6), step_seconds=0.4, burst_seconds=0.4, settle_seconds=0.3,
        scrape_seconds=0.2,
    )  # fmt: skip
    with closing(tell(tmp_path / "demo", record=counting, now=NOW, plan=plan)) as events:
        try:
            seen = list(events)
        except OutgrowError as error:  # a machine with no time for the generator may say so, and must still clean up
            assert "could be measured" in str(error)
            seen = []
    assert len(pids) >= 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    if seen:
        told = seen[-1]
        assert isinstance(told, Told)
        assert told.measured.scrapes >= 2
        assert 0 < told.measured.core_share_ratio <= 1
        assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
            "history.csv", "outgrow.yaml", "ramp.csv",
        ]  # fmt: skip
        assert read_declaration(told.config).sources == ()
        assert np.all(told.history.load.values <= told.measured.ramp.levels[-1])


def test_leaving_early_ends_every_process(tmp_path: Path, pids: list[int]) -> None:
    with closing(tell(tmp_path / "demo", record=counting, now=NOW, plan=Plan(burst_seconds=0.3))) as events:
        for event in events:
            if isinstance(event, Began) and event.text.startswith("raising"):
                break
        assert not isinstance(event, StepDone)
        assert any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert pids
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert "placeholder" in (tmp_path / "demo" / "outgrow.yaml").read_text()
    assert read_declaration(tmp_path / "demo" / "outgrow.yaml").sources == ()
