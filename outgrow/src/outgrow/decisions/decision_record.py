"""All that the text of a decision record needs, in one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outgrow.decisions.records import DecisionHead, Ruling, Status
from outgrow.evidence.records import Evidence
from outgrow.outlook.status import PointStatus
from outgrow.points.declaration import Costs, Criteria, Option, Point


@dataclass(frozen=True, slots=True, eq=False)
class DecisionRecord:
    """A decision about one point, with what was known that day.

    Attributes:
        number: of its file. made_on: ISO date. digest: of what was decided on.
        status, decision_makers, consulted, informed: as MADR has them.
        point, criteria, costs, learning_buffer: as declared.
        ruling: what the rule said; its option is set.
        outlook: how the point stood, on the ISO date ``known_on``. units: of the declared signals.
        titles: label of every declared option, by ``point/option``.
        evidence: what it rests on. supersedes: earlier decisions about the point that it replaces.
        time_scale: ``""``, or how time was stretched.
    """

    number: int
    made_on: str
    digest: str
    status: Status
    decision_makers: tuple[str, ...]
    point: Point
    criteria: Criteria
    costs: Costs
    learning_buffer: float
    ruling: Ruling
    outlook: PointStatus
    known_on: str
    units: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    supersedes: tuple[DecisionHead, ...] = ()
    consulted: tuple[str, ...] = ()
    informed: tuple[str, ...] = ()
    time_scale: str = ""

    @property
    def options(self) -> tuple[Option, ...]:
        """The declared options, *tune* first."""
        return tuple(sorted(self.point.options, key=lambda option: option.id != "tune"))

    @property
    def chosen(self) -> Option:
        """The option decided for. Raises ``ValueError`` where the ruling chose none: there is nothing to record."""
        found = next((option for option in self.point.options if option.id == self.ruling.option), None)
        if found is None:
            raise ValueError(f"nothing is chosen for {self.point.id}: {self.ruling.verdict}")
        return found

    def label(self, option: str) -> str:
        """An option as people read it: ``Partition (A)``; of another point: ``Multi-region (A of distribution)``."""
        point, _, name = option.rpartition("/")
        full = f"{point or self.point.id}/{name}"
        title = self.titles.get(full, "")
        code = name if point in ("", self.point.id) else f"{name} of {point}"
        return f"{title} ({code})" if title else code


def option_titles(points: tuple[Point, ...]) -> dict[str, str]:
    """``point/option`` → the declared title, for every option that has one."""
    return {f"{point.id}/{option.id}": option.title for point in points for option in point.options if option.title}
