"""Growth histories in which rewrites come due: what a team knows each week, and the truth it does not know.

How a history is made
    *Users* follow one of the five growth kinds of ``benchmarks.simulator`` (four of the model, and saturating growth
    outside it), 2–20 % a month at the start. "Now" is the first day on which measured users pass a number drawn
    log-uniformly from 500 to 5,000; 20 to 100 weeks of daily measurements lie before it, noisy and with days missing.
    *Rewrites* are those of the venture-platform template, each with the one option that is priced there: 1B, 2B, 3A,
    4A. A wall is measured as log-normal: its middle lies LogN(0, .2) around the declared limit, its deviation is drawn
    from .08 to .30 (10/90 % ratio 1.2 to 2.2); the true wall is a draw of just that distribution, so the measurement is
    neither too sure nor too shy. True efforts are drawn from the declared range (10/90 %, learning included). Whether a
    rewrite is needed at all is drawn once: 1, .8, .5, .2 for inevitable, likely, possible, only-if.
    Rewrites whose true wall lies behind "now" are done and left out.

What a team knows on a day, whatever its policy
    Measured users up to that day; the declared efforts and prices; whether a trigger fired; the measured wall with what
    this tells of it (below); a wall that was hit. Whether a rewrite is needed is known from the day on which users
    reach the milestone of the file (decide-by, or monitor-from where there is none); until then its probability is.
    A trigger fires when users reach its share of the true wall, give or take LogN(0, .1). The share is that of the
    milestone in the declared limit (.75, .7, .6, .67). It never fires for a rewrite that is not needed.
    The wall as known is the measured distribution above the users there have been, weighed with what the trigger says:
    where it fired on n users the wall lies near n ÷ share, where it did not it lies beyond users ÷ share (each to
    within LogN(0, .1)). This is the same for all policies.

The truth counts a wall that is reached within three years of now. A year more is simulated, so that what is late can be
finished.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from statistics import NormalDist

import numpy as np

from benchmarks.simulator import IN_MODEL_GROWTH, GrowthKind, _log_uniform, _log_users, first_day_at
from outgrow.outlook.crossing import draw_lead_time
from outgrow.points.reading import read_declaration
from outgrow.quantities import DAY, Interval
from outgrow.schedule.candidates import PROBABILITY
from outgrow.schedule.inputs import TeamRules, inputs_of, weeks
from outgrow.schedule.records import NEVER, Candidate, Prices, Wall
from outgrow.schedule.scenarios import LATE_OVER_EARLY
from outgrow.signals.series import FloatArray, Series, series_of
from outgrow.signals.weekly import Weekly, weekly_quantile

HORIZON = 7 * 156
"""Days after now in which a wall counts."""
END = HORIZON + 7 * 52
"""Days after now that are simulated."""
GROWTH_KINDS: tuple[GrowthKind, ...] = (*IN_MODEL_GROWTH, "saturating")
PRICED = {"data-architecture": "B", "state-management": "B", "backend-architecture": "A", "distribution": "A"}

TRIGGER_DEVIATION = 0.1
"""Doubt about the share of the wall at which a trigger fires, in log users. Own reading."""


_START = 1_609_718_400.0  # a Monday, 00:00 UTC
_TABLE = np.linspace(-8.0, 8.0, 1601)
_TABLE_SHARES = np.array([NormalDist().cdf(float(place)) for place in _TABLE])


@dataclass(frozen=True, slots=True)
class Rewrite:
    """One rewrite as declared, and the truth about it.

    Attributes:
        candidate: as the plan has it at the start; prices are money a month.
        middle, deviation: the measured wall, log-normal: users at its middle, standard deviation of their logarithm.
        warn_ratio: the trigger fires near this share of the true wall.
        true_wall: users. wall: the day on which they are there; ``NEVER`` where it is not needed or not within reach.
        effort: days of work in truth. needed: whether it is, in truth.
        learned: the day on which the team knows whether it is. fires: the day of the trigger.
    """

    candidate: Candidate
    middle: float
    deviation: float
    warn_ratio: float
    true_wall: float
    wall: int
    effort: int
    needed: bool
    learned: int
    fires: int

    @property
    def due(self) -> bool:
        """Needed, with its wall within three years of now."""
        return self.needed and self.wall <= HORIZON


@dataclass(frozen=True, slots=True, eq=False)
class GrowthHistory:
    """One history. Days count from now (day 0); the past has negative days.

    Attributes:
        measured: daily users, from ``past`` days before now to the end of the simulation. Look no further than today.
        log_users: (END + 1,), true log users from now on, running maximum.
        weekly: weekly medians of ``measured``. now: seconds since the epoch.
        rewrites: those still ahead, in the order of their declared limits.
        growth_per_month: by a line through measured log users of the last 90 days, as a ratio.
    """

    seed: int
    kind: GrowthKind
    measured: Series
    log_users: FloatArray
    weekly: Weekly
    now: float
    rewrites: tuple[Rewrite, ...]
    rules: TeamRules
    bill_now: float

    @property
    def growth_per_month(self) -> float:
        """Growth a month at day 0, as a ratio: what the team itself would say."""
        slope, _ = self.line(0)
        return math.expm1(slope * 30.4375)

    def line(self, day: int) -> tuple[float, float]:
        """Slope a day and level on ``day`` of a line through measured log users of the 90 days before it."""
        end = self.now + day * DAY
        first, stop = np.searchsorted(self.measured.times, [end - 90 * DAY, end])
        x, y = (self.measured.times[first:stop] - end) / DAY, np.log(self.measured.values[first:stop])
        spread = x - x.mean()
        slope = float(spread @ y / (spread @ spread))
        return slope, float(y.mean() - slope * x.mean())

    def weeks_until(self, day: int) -> Weekly:
        """Weekly medians of the complete weeks before ``day``."""
        complete = math.floor((self.now + day * DAY - 4 * DAY) / (7 * DAY)) - self.weekly.first_week
        values = self.weekly.values[:complete]
        last = int(np.flatnonzero(np.isfinite(values))[-1]) + 1
        return Weekly(self.weekly.first_week, values[:last])

    def wall_known(self, rewrite: Rewrite, day: int) -> Interval:
        """Users at the wall, 10/50/90 %, as known on ``day`` from the measurement, growth so far and the trigger."""
        log_users = float(self.log_users[day])
        if rewrite.wall <= day:
            return Interval(rewrite.true_wall, rewrite.true_wall, rewrite.true_wall)
        log_middle, deviation = math.log(rewrite.middle), rewrite.deviation
        lowest = max(log_users, log_middle - 5 * deviation)
        places = np.linspace(lowest, max(log_middle + 5 * deviation, lowest + 0.5), 400)
        weight = -(((places - log_middle) / deviation) ** 2) / 2
        if rewrite.fires <= day:
            fired_at = float(self.log_users[rewrite.fires]) - math.log(rewrite.warn_ratio)
            weight = weight - ((places - fired_at) / TRIGGER_DEVIATION) ** 2 / 2
        else:
            beyond = (places - log_users + math.log(rewrite.warn_ratio)) / TRIGGER_DEVIATION
            weight = weight + np.log(np.maximum(_normal_share(beyond), 1e-300))
        mass = np.cumsum(np.exp(weight - weight.max()))
        low, mid, high = np.exp(np.interp(np.array([0.1, 0.5, 0.9]) * mass[-1], mass, places))
        return Interval(float(low), float(mid), float(high))


def _normal_share(values: FloatArray) -> FloatArray:
    """The standard normal distribution function, by a table."""
    return np.asarray(np.interp(values, _TABLE, _TABLE_SHARES))


@cache
def declared() -> tuple[tuple[Candidate, ...], TeamRules, float]:
    """The four points of the template with their priced options, the team's rules, and today's bill a month."""
    with as_file(files("outgrow.points.templates").joinpath("venture-platform.yaml")) as path:
        declaration = read_declaration(path)
    points, rules = inputs_of(declaration)
    assert isinstance(declaration.costs.monthly_now, int | float)
    before = bill_now = float(declaration.costs.monthly_now)
    candidates = []
    for number, (point, declared_point) in enumerate(zip(points, declaration.points, strict=True), start=1):
        work = next(each for each in point.options if each.option == PRICED[point.id])
        cost = next(each for each in declared_point.options if each.id == work.option).monthly_cost
        assert not isinstance(cost, str)
        assert not isinstance(cost.fixed, str)
        early = cost.fixed - before
        limit = point.complete_before
        candidates.append(
            Candidate(
                number=number,
                point=point.id,
                title=point.title,
                option=work.option,
                option_title=work.title,
                effort_weeks=weeks(work, rules),
                wall=Wall(Interval(limit, limit, limit), "measured"),
                milestone=point.milestone,
                needed_ratio=PROBABILITY[point.likelihood],
                major=work.major,
                prices=Prices(early=early, late=LATE_OVER_EARLY * early, bill=cost.fixed),
                new_to_team=work.new_to_team,
            )
        )
        before = cost.fixed
    return tuple(candidates), rules, bill_now


def history_of(seed: int) -> GrowthHistory:
    """The history of ``seed``; draws again until "now" comes early enough and at least one rewrite is ahead."""
    for attempt in range(1000):
        history = _attempt(np.random.default_rng([seed, attempt]), seed)
        if history is not None:
            return history
    raise RuntimeError(f"seed {seed}: no history in 1000 draws; the ranges contradict each other")


def _attempt(rng: np.random.Generator, seed: int) -> GrowthHistory | None:
    kind = GROWTH_KINDS[int(rng.integers(len(GROWTH_KINDS)))]
    candidates, rules, bill_now = declared()
    users_now = _log_uniform(rng, 500, 5_000)
    ceiling_at = candidates[int(rng.integers(len(candidates)))].wall.users.mid
    weekly_log = _log_users(rng, kind, ceiling_at, users_now)
    days = np.arange(7 * weekly_log.size)
    log_users = np.interp(days + 0.5, 7 * np.arange(weekly_log.size) + 3.5, weekly_log)
    seen = log_users + rng.normal(0.0, rng.uniform(0.003, 0.02), days.size)
    seen[rng.random(days.size) < 0.03] = np.nan
    last = first_day_at(users_now, np.exp(seen[: days.size - END]))
    past = 7 * int(rng.integers(20, 101))
    if last is None or last < 7 * 20 or last + 1 + END >= days.size:
        return None
    today = last + 1
    first = max(0, today - past)
    kept = np.flatnonzero(np.isfinite(seen[first : today + END])) + first
    measured = series_of("users", "users", _START + (kept + 0.5) * DAY, np.exp(seen[kept]), "simulated")
    highest = np.maximum.accumulate(log_users)[today : today + END + 1]
    drawn = (_rewrite(rng, candidate, highest) for candidate in candidates)
    rewrites = tuple(each for each in drawn if each.true_wall > math.exp(highest[0]))
    if not rewrites:
        return None
    end = _START + (today + END) * DAY
    now = _START + today * DAY
    weekly = weekly_quantile(measured, end)
    return GrowthHistory(seed, kind, measured, highest, weekly, now, rewrites, rules, bill_now)


def _rewrite(rng: np.random.Generator, candidate: Candidate, highest: FloatArray) -> Rewrite:
    limit = candidate.wall.users.mid
    middle = limit * math.exp(rng.normal(0.0, 0.2))
    deviation = _log_uniform(rng, 0.08, 0.30)
    true_wall = middle * math.exp(deviation * rng.normal())
    effort = math.ceil(7 * float(draw_lead_time(candidate.effort_weeks, 1, rng)[0]))
    needed = bool(rng.random() < candidate.needed_ratio)
    warn_ratio = candidate.milestone / limit
    warns_at = min(true_wall, warn_ratio * true_wall * math.exp(TRIGGER_DEVIATION * rng.normal()))

    def day_of(users: float) -> int:
        day = int(np.searchsorted(highest, math.log(users)))
        return day if day < highest.size else NEVER

    return Rewrite(
        candidate=candidate,
        middle=middle,
        deviation=deviation,
        warn_ratio=warn_ratio,
        true_wall=true_wall,
        wall=day_of(true_wall) if needed else NEVER,
        effort=effort,
        needed=needed,
        learned=day_of(candidate.milestone),
        fires=day_of(warns_at) if needed else NEVER,
    )
