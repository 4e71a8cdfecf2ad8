"""From an installation's database to the people and places of a workload: who there is, a key for each, what they see.

Keys are made for the time of a test and revoked at its end: signing 50,000 people in would take an hour of one core.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

import msgspec

from ventures.accounts import api as accounts
from ventures.content import api as content
from ventures.errors import NotFound, VenturesError
from ventures.log.api import all_ventures
from ventures.population import grammar
from ventures.population.shape import Plan, account_id, items_for, joinings_of, sizes, venture_id
from ventures.population.workload import Item, Person, Place
from ventures.tenancy import api as tenancy
from ventures.wiring import Platform

LABEL: Final = "load test"
AT_ONCE: Final = 6
KEYS_AT_ONCE: Final = 200
PAGE: Final = 1000
SCOPES: Final = tuple(
    tenancy.permission(feature, action)
    for feature in tenancy.FEATURES
    for action in tenancy.ACTIONS
    if feature not in ("tenancy", "billing") or action == "view"
)
"""What a key of the test may: everything but managing ventures and money."""


class Key(msgspec.Struct, frozen=True):
    """A key that was made, to be revoked."""

    account: UUID
    key: UUID
    token: str


async def places(platform: Platform, plan: Plan, told: Callable[[int, int], None]) -> dict[UUID, Place]:
    """The ventures of the population that are there, with their items. told: (done, of). Raises: VenturesError."""
    there = set(await all_ventures(platform.database))
    wanted = {venture_id(plan.seed, number): number for number in range(plan.count)}
    known = [(number, venture) for venture, number in wanted.items() if venture in there]
    if not known:
        raise VenturesError(
            f"There is no population of seed {plan.seed} here. Make one: ventures populate --users {plan.users} "
            f"--seed {plan.seed}"
        )
    passages = sizes(plan)
    found: dict[UUID, Place] = {}
    waiting = iter(known)

    async def worker() -> None:
        for number, venture in waiting:
            found[venture] = await _place(platform, plan.seed, number, venture, passages[number])
            told(len(found), len(known))

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return found


async def _place(platform: Platform, seed: int, number: int, venture: UUID, passages: int) -> Place:
    place = Place(number, venture)
    titles = {grammar.title(seed, number, item): item for item in range(items_for(seed, number, passages))}
    before = None
    async with platform.database.reading(venture) as scope:
        while page := await content.items(scope, before=before, limit=PAGE):
            for item in page:
                written = titles.get(item.title)
                if written is not None:
                    place.about(str(item.id), grammar.topic_of(seed, number, written).number)
                    path = place.path + b"/items/" + str(item.id).encode()
                    place.items.append(Item(path, written, item.version, item.state))
            if len(page) < PAGE:
                break
            before = (page[-1].updated_at, page[-1].id)
    return place


async def keys(platform: Platform, plan: Plan, seconds: float, told: Callable[[int, int], None]) -> list[Key]:
    """A key for each user that is there, good for the test and an hour."""
    now = platform.now()
    expires_at = now + timedelta(seconds=seconds, hours=1)
    made: list[Key] = []
    for first in range(0, plan.users, KEYS_AT_ONCE):
        ids = [account_id(plan.seed, user) for user in range(first, min(first + KEYS_AT_ONCE, plan.users))]
        async with platform.database.everywhere() as scope:
            there = await accounts.accounts(scope, ids)
            for account in (one for one in ids if one in there):
                new = await accounts.make_key(
                    scope,
                    account,
                    label=LABEL,
                    scopes=SCOPES,
                    venture=None,
                    expires_at=expires_at,
                    now=now,
                    new_id=platform.new_id,
                )
                made.append(Key(account, new.key.id, new.token))
        told(len(made), plan.users)
    return made


async def revoke(platform: Platform, made: Iterable[Key]) -> None:
    """Ends the keys again."""
    waiting = list(made)
    for first in range(0, len(waiting), KEYS_AT_ONCE):
        async with platform.database.everywhere() as scope:
            for one in waiting[first : first + KEYS_AT_ONCE]:
                with suppress(NotFound):
                    await accounts.revoke_key(scope, one.account, one.key)


def people(plan: Plan, host: str, found: Mapping[UUID, Place], made: Iterable[Key]) -> list[Person]:
    """Whoever has a key and a venture with something in it."""
    tokens = {one.account: one.token for one in made}
    somebody = []
    for user in range(plan.users):
        token = tokens.get(account_id(plan.seed, user))
        if token is None:
            continue
        belonging = [
            (found[venture], tenancy.may(one.role, "content", "draft"), tenancy.may(one.role, "content", "approve"))
            for one in joinings_of(plan, user)
            if (venture := venture_id(plan.seed, one.venture)) in found
        ]
        if belonging:
            head = f" HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n".encode()
            somebody.append(Person(head, belonging))
    return somebody
