"""What ``pace`` and ``plan`` let one ask: other users, another growth, other people, another option."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.errors import UsageError
from outgrow.quantities import parse_growth
from outgrow.schedule.inputs import PacePoint


def read_users(users: int) -> int:
    """Users of today, as asked. Raises ``UsageError``."""
    if not 1 <= users <= 10**12:
        raise UsageError(f"--users {users} cannot be: give the users of today, at least 1, for example --users 1000")
    return users


def read_people(people: int) -> int:
    """People in the team, as asked. Raises ``UsageError``."""
    if not 1 <= people <= 1000:
        raise UsageError(f"--people {people} cannot be: a team has 1 person or more, for example --people 2")
    return people


def read_growth(text: str) -> float:
    """Growth a month as a ratio. Raises ``UsageError``."""
    try:
        return parse_growth(text)
    except ValueError as error:
        raise UsageError(f"--growth: {error}") from None


def read_pins(options: Sequence[str], points: Sequence[PacePoint]) -> dict[str, str]:
    """``POINT=OPTION`` as a mapping; a point may also be called by its number.

    Whether the options exist is seen where they are used. Raises ``UsageError``.
    """
    ordered = sorted(points, key=lambda point: point.complete_before)
    numbers = {str(number): point.id for number, point in enumerate(ordered, start=1)}
    pins: dict[str, str] = {}
    for text in options:
        name, equals, option = text.partition("=")
        if not (name and equals and option):
            raise UsageError(f"--option {text} cannot be read; write POINT=OPTION, for example --option 4=B")
        point = numbers.get(name, name)
        if pins.setdefault(point, option) != option:
            raise UsageError(f"--option is given twice for {point}: {pins[point]} and {option}")
    return pins
