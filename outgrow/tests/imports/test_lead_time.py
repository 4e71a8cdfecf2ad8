"""Lead time for change as git alone can know it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import SourceError
from outgrow.imports.lead_time import Commit, lead_times, read_lead_time
from outgrow.quantities import DAY, HOUR, WEEK

MONDAY = 1_772_409_600.0  # 2026-03-02T00:00:00Z


def git(repository: Path, *arguments: str, authored: float = MONDAY, committed: float = 0) -> None:
    dates = {"GIT_AUTHOR_DATE": f"{authored:.0f} +0000", "GIT_COMMITTER_DATE": f"{committed or authored:.0f} +0000"}
    names = {f"GIT_{who}_{what}": "someone@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    subprocess.run(
        ["git", "-C", str(repository), *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, **dates, **names, **alone},
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "start", authored=MONDAY - WEEK)
    return tmp_path


def merged(repository: Path, name: str, authored: list[float], at: float) -> None:
    git(repository, "checkout", "-q", "-b", name)
    for moment in authored:
        git(repository, "commit", "-q", "--allow-empty", "-m", name, authored=moment)
    git(repository, "checkout", "-q", "main")
    git(repository, "merge", "-q", "--no-ff", "-m", f"merge {name}", name, authored=at)


def test_a_weeks_value_is_the_median_from_authored_to_merged(repository: Path) -> None:
    at = MONDAY + 3 * DAY
    merged(repository, "a", [at - days * DAY for days in (10, 4, 3, 2, 1)], at)
    merged(repository, "b", [at + DAY - 2 * HOUR] * 2, at + DAY)  # seven commits arrived in this week
    found = read_lead_time(repository, "lead_time", now=MONDAY + 3 * WEEK)
    assert (found.series.name, found.series.unit, found.series.origin) == ("lead_time", "seconds", "imported")
    assert found.series.times.tolist() == [MONDAY + WEEK]
    assert found.series.values.tolist() == [2 * DAY]
    assert (found.commits, found.direct, found.thin_weeks) == (7, 1, 0)


def test_a_rebased_commit_arrives_when_it_is_committed(repository: Path) -> None:
    for number in range(5):
        at = MONDAY + number * HOUR
        git(repository, "commit", "-q", "--allow-empty", "-m", "x", authored=at - DAY, committed=at)
    found = read_lead_time(repository, "lead_time", now=MONDAY + WEEK)
    assert found.series.values.tolist() == [DAY]


def test_a_thin_week_an_unfinished_one_and_direct_commits_are_gaps(repository: Path) -> None:
    merged(repository, "thin", [MONDAY] * 4, MONDAY + DAY)
    merged(repository, "full", [MONDAY + WEEK] * 5, MONDAY + WEEK + DAY)
    merged(repository, "unfinished", [MONDAY + 2 * WEEK] * 5, MONDAY + 2 * WEEK + DAY)
    for number in range(6):
        git(repository, "commit", "-q", "--allow-empty", "-m", "direct", authored=MONDAY + 2 * WEEK + number * HOUR)
    found = read_lead_time(repository, "lead_time", now=MONDAY + 2 * WEEK + 2 * DAY)
    assert found.series.times.tolist() == [MONDAY + 2 * WEEK]
    assert (found.direct, found.thin_weeks) == (7, 1)


def test_the_repositorys_own_settings_change_nothing(repository: Path) -> None:
    merged(repository, "a", [MONDAY] * 5, MONDAY + DAY)
    for key, value in (
        ("log.showSignature", "true"),
        ("color.ui", "always"),
        ("log.follow", "true"),
        ("format.pretty", "oneline"),
    ):
        git(repository, "config", key, value)
    assert read_lead_time(repository, "lead_time", now=MONDAY + WEEK).series.values.tolist() == [DAY]


def test_what_is_no_repository_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SourceError, match="not a git repository") as refused:
        read_lead_time(tmp_path, "lead_time", now=MONDAY)
    assert "git repository" in refused.value.next_step
    git(tmp_path, "init", "-q")
    with pytest.raises(SourceError, match="failed"):
        read_lead_time(tmp_path, "lead_time", now=MONDAY)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="git is not installed"):
        read_lead_time(tmp_path, "lead_time", now=MONDAY)


@given(st.lists(st.lists(st.floats(0, 1e6), max_size=4), min_size=1, max_size=6))
def test_every_commit_arrives_once_and_never_before_it_was_authored(branches: list[list[float]]) -> None:
    """A main line that merges one branch after the other."""
    commits: dict[str, Commit] = {}
    head: tuple[str, ...] = ()
    at = 2e6
    for number, branch in enumerate(branches):
        tip = head
        for place, authored in enumerate(branch):
            name = f"b{number}.{place}"
            commits[name] = Commit(authored, authored, tip)
            tip = (name,)
        at += 1e6
        commits[f"m{number}"] = Commit(at, at, (*head, *tip) if head else tip)
        head = (f"m{number}",)
    newest_first = dict(reversed(commits.items()))
    arrived, leads = lead_times(newest_first)
    assert np.all(leads >= 0)
    single = [commit for commit in commits.values() if len(commit.parents) < 2]
    assert arrived.size == leads.size == len(single)
    assert lead_times({})[0].size == 0
