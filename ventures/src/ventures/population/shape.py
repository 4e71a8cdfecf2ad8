"""How many of what there are, and who belongs where: everything about a population but its words. Pure.

What a number stands for never depends on how many there are, so that a population grows by making more of it: user 17
of seed 1 is the same, with the same ventures, among a hundred and among a million.
"""

import math
from collections.abc import Iterator
from random import Random
from typing import Annotated, Final
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from ventures.tenancy.api import Role

POPULATION: Final = UUID("b2f7a1de-5c1c-5d36-9d1c-5a0f4cf4a1a0")
"""Namespace of the ids of accounts and ventures."""
SKEW: Final = 0.8
"""Exponent of the sizes of ventures: the k-th has k^-0.8 of the first's passages."""
TEAM_SKEW: Final = 2.0
"""Who joins a venture takes number V·x² of the V there are, x uniform: early ventures have larger teams."""
VENTURES_A_USER: Final = 0.75
PASSAGES_AN_ITEM: Final = (3, 7)
ROLES: Final[tuple[tuple[Role, float], ...]] = (
    ("author", 0.45),
    ("approver", 0.20),
    ("viewer", 0.20),
    ("manager", 0.15),
)
"""Of those who join; who founds is the owner."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ventures: None for three a four users."""

    users: Annotated[int, Meta(ge=1, le=1_000_000)]
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 1
    passages_per_user: Annotated[int, Meta(ge=1, le=1_000)] = 20
    ventures: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None

    @property
    def per_user(self) -> float:
        """Ventures a user."""
        return VENTURES_A_USER if self.ventures is None else self.ventures / self.users

    @property
    def count(self) -> int:
        """How many ventures."""
        return _ventures_before(self.users, self.per_user)

    @property
    def passages(self) -> int:
        """How many passages, about."""
        return self.users * self.passages_per_user


class Joining(msgspec.Struct, frozen=True):
    """A membership. venture, user: their numbers."""

    venture: int
    user: int
    role: Role


def chance(seed: int, *what: int | str) -> Random:
    """Chance that is always the same for the same thing."""
    return Random("/".join(map(str, (seed, *what))))  # noqa: S311 (a population is to be repeatable, not secret)


def account_id(seed: int, user: int) -> UUID:
    """Of a user."""
    return uuid5(POPULATION, f"{seed}/account/{user}")


def venture_id(seed: int, venture: int) -> UUID:
    """Of a venture."""
    return uuid5(POPULATION, f"{seed}/venture/{venture}")


def email(seed: int, user: int) -> str:
    """Of a user, under a domain that is reserved for examples (RFC 2606)."""
    return f"user{user}.seed{seed}@population.example"


def joinings(plan: Plan) -> Iterator[Joining]:
    """All memberships, each user's own ventures before those they join; no membership twice."""
    for user in range(plan.users):
        yield from joinings_of(plan, user)


def joinings_of(plan: Plan, user: int) -> Iterator[Joining]:
    """The memberships of one user: the ventures they founded, then those they joined."""
    founded = range(_ventures_before(user, plan.per_user), _ventures_before(user + 1, plan.per_user))
    for venture in founded:
        yield Joining(venture, user, "owner")
    there = _ventures_before(user + 1, plan.per_user)
    luck = chance(plan.seed, "joins", user)
    most = luck.choice((0, 1)) if founded else luck.choice((1, 1, 2, 3))
    joined = {int(there * luck.random() ** TEAM_SKEW) for _ in range(most)} - set(founded)
    for venture in sorted(joined):
        (role,) = luck.choices([role for role, _ in ROLES], [weight for _, weight in ROLES])
        yield Joining(venture, user, role)


def sizes(plan: Plan) -> list[int]:
    """Passages of each venture, at least one; a larger plan of the same seed never has a smaller venture."""
    weights = [rank**-SKEW for rank in range(1, plan.count + 1)]
    first = plan.passages / math.fsum(weights)
    return [max(1, round(first * weight)) for weight in weights]


def passages_of_item(seed: int, venture: int, item: int) -> int:
    """How many paragraphs the item has."""
    least, most = PASSAGES_AN_ITEM
    return chance(seed, "length", venture, item).randint(least, most)


def items_for(seed: int, venture: int, passages: int) -> int:
    """How many items a venture of so many passages has."""
    item, made = 0, 0
    while made < passages:
        made += passages_of_item(seed, venture, item)
        item += 1
    return item


def _ventures_before(user: int, per_user: float) -> int:
    """Ventures founded by the users before this one."""
    return math.ceil(round(user * per_user, 6))
