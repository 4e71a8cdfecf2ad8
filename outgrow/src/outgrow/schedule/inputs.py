"""What pace is reckoned from: points with their options, and the rules of the team that carries them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from outgrow.points.declaration import TUNE, Declaration
from outgrow.quantities import Interval


@dataclass(frozen=True, slots=True)
class PaceOption:
    """One way through a point. ``effort_weeks`` (low, high) are calendar weeks of one person, learning not included."""

    point: str
    option: str
    title: str
    effort_weeks: tuple[float, float]
    new_to_team: bool = False

    @property
    def major(self) -> bool:
        """Whether the months between major rewrites apply: to all but *tune*."""
        return self.option != TUNE


@dataclass(frozen=True, slots=True)
class PacePoint:
    """An architectural limit: a rewrite must be finished before ``complete_before`` users. All milestones in users."""

    id: str
    title: str
    monitor_from: float
    complete_before: float
    options: tuple[PaceOption, ...]
    decide_by: float | None = None
    likelihood: str = "likely"

    @property
    def milestone(self) -> float:
        """Users at which the file says to start: ``decide_by``, or ``monitor_from`` where there is none."""
        return self.monitor_from if self.decide_by is None else self.decide_by


@dataclass(frozen=True, slots=True)
class TeamRules:
    """What the team can carry.

    ``hands`` is how many rewrites can be under way at once: never more than ``simultaneous``, and never so many that
    fewer than ``always_operational`` people are left to run the service.
    """

    people: int = 2
    simultaneous: int = 1
    learning_buffer: float = 0.25
    months_between: float = 6.0
    always_operational: int = 1

    @property
    def hands(self) -> int:
        """How many rewrites can be under way at once; 0 when nobody is free."""
        return max(0, min(self.simultaneous, self.people - self.always_operational))

    def with_people(self, people: int) -> TeamRules:
        """The same rules for another number of people.

        Everyone beyond the declared number lets one more rewrite run beside the others. They shorten none (one person's
        calendar weeks are not divisible), and the months between major rewrites hold for the team as a whole.
        """
        return replace(self, people=people, simultaneous=self.simultaneous + max(0, people - self.people))


@dataclass(frozen=True, slots=True)
class Step:
    """A point and the option chosen for it."""

    point: PacePoint
    option: PaceOption


def inputs_of(declaration: Declaration) -> tuple[tuple[PacePoint, ...], TeamRules]:
    """The points and the team of a declared file, as this room needs them."""
    points = tuple(
        PacePoint(
            id=point.id,
            title=point.title or point.id,
            monitor_from=point.monitor_from,
            complete_before=point.complete_before,
            decide_by=point.decide_by,
            likelihood=point.likelihood,
            options=tuple(
                PaceOption(point.id, option.id, option.title or option.id, option.effort_weeks, option.new_to_team)
                for option in point.options
            ),
        )
        for point in declaration.points
    )
    return points, rules_of(declaration)


def rules_of(declaration: Declaration) -> TeamRules:
    """The team's rules as declared; names and calendar are the plan's own matter."""
    return TeamRules(**declaration.team.model_dump(exclude={"names", "calendar"}))


def weeks(option: PaceOption, rules: TeamRules) -> Interval:
    """Calendar weeks the option takes this team: the declared range, longer by the learning buffer where it is new.

    The declared bounds are read as the 10th and 90th percentile, as everywhere in outgrow.
    """
    low, high = option.effort_weeks
    return Interval(low, (low + high) / 2, high).scaled(1 + rules.learning_buffer if option.new_to_team else 1.0)
