"""Lead time for change, from ``git log``: is development slowing down?

DORA's change lead time runs from a commit to its running in production (https://dora.dev/guides/dora-metrics/). Git
knows no deployments; what it knows is the arrival on the main line. So the lead time of a commit is taken from when
it was authored to when the main line (the chain of first parents) took it in: the commit time of the merge, or its own
commit time where it was rebased onto the main line. Commits made directly on the main line (author and commit time the
same), and squashed ones, show no lead time and are not counted. The value of a week is the median over the commits
that arrived in it, stamped with the week's end; a week with fewer than five is a gap.

It may confirm that a limit is near; on its own it says nothing about one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from outgrow.errors import SourceError
from outgrow.quantities import DAY, WEEK
from outgrow.signals.series import FloatArray, Series, series_of

ENOUGH_COMMITS = 5
"""Commits a week below which its median says little."""

NO_LEAD_SECONDS = 60.0
"""A commit that arrives within a minute of being authored was made on the main line."""

_MONDAY = 4 * DAY
"""1970-01-05, the first Monday."""

_LOG = ("log", "--no-show-signature", "--no-color", "--no-notes", "--topo-order", "--format=%H %at %ct %P")
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class LeadTime:
    """Lead time for change by week, in seconds, and how much it rests on.

    Attributes:
        commits: with a lead time. direct: without one, as they were made on the main line or squashed.
        thin_weeks: weeks with fewer than ``ENOUGH_COMMITS``, left out.
    """

    series: Series
    commits: int
    direct: int
    thin_weeks: int


def read_lead_time(repository: Path, signal: str, now: float) -> LeadTime:
    """The weekly lead time for change of a repository's current branch, whole weeks until ``now`` only.

    Raises:
        SourceError: git is missing, this is no repository, or its history is cut off.
    """
    arrived, leads = lead_times(_parse(_log(repository)))
    measurable = leads >= NO_LEAD_SECONDS
    direct = int(leads.size - measurable.sum())
    ends = (np.floor((arrived - _MONDAY) / WEEK) + 1) * WEEK + _MONDAY
    chosen = measurable & (ends <= now)
    weeks, counts = np.unique(ends[chosen], return_counts=True)
    full = weeks[counts >= ENOUGH_COMMITS]
    medians = [float(np.median(leads[chosen & (ends == week)])) for week in full]
    return LeadTime(
        series_of(signal, "seconds", full, medians, "imported"),
        commits=int(measurable.sum()),
        direct=direct,
        thin_weeks=int(weeks.size - full.size),
    )


@dataclass(frozen=True, slots=True)
class Commit:
    """Times in seconds since the epoch; the first of ``parents`` is on the line it was made on."""

    authored: float
    committed: float
    parents: tuple[str, ...]


def lead_times(commits: Mapping[str, Commit]) -> tuple[FloatArray, FloatArray]:
    """When each commit that is no merge arrived on the main line, and how long it took; shape (n,) each, in seconds.

    Args:
        commits: by hash, the head of the main line first; parents may be missing (a shallow clone).
    """
    main_line: list[str] = []
    at = next(iter(commits), "")
    while at in commits:
        main_line.append(at)
        at = next(iter(commits[at].parents), "")
    seen: set[str] = set()
    arrived: list[float] = []
    leads: list[float] = []
    for taker in reversed(main_line):
        waiting = [taker]
        while waiting:
            name = waiting.pop()
            if name in seen or name not in commits:
                continue
            seen.add(name)
            commit = commits[name]
            waiting.extend(commit.parents)
            if len(commit.parents) < 2:
                arrived.append(commits[taker].committed)
                leads.append(max(0.0, commits[taker].committed - commit.authored))
    return np.array(arrived, dtype=np.float64), np.array(leads, dtype=np.float64)


def _log(repository: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *_LOG],
            capture_output=True,
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        raise SourceError("git is not installed, so the lead time for change is not known") from None
    except subprocess.TimeoutExpired:
        raise SourceError(f"git log in {repository} took more than {_SECONDS} seconds") from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise SourceError(
            f"git log in {repository} failed: {reason[0] if reason else 'no reason given'}",
            next_step="name the folder of a git repository that has commits",
        )
    return done.stdout.decode("ascii")


def _parse(log: str) -> dict[str, Commit]:
    commits = {}
    for line in log.splitlines():
        name, authored, committed, *parents = line.split()
        commits[name] = Commit(float(authored), float(committed), tuple(parents))
    return commits
