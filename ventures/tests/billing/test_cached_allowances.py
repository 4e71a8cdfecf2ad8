"""A region goes on while billing is out of reach."""

from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from ventures.billing.api import PLANS, Allowance, BillingPort, CachedAllowances, Metric, require_room
from ventures.errors import LimitReached, Unavailable
from ventures.testing.billing import NEXT_MONTH, NOW

SECOND = timedelta(seconds=1)


class Far:
    """A billing service that can be cut off."""

    def __init__(self) -> None:
        self.asked = 0
        self.used = 1
        self.reachable = True

    async def allowance(self, venture: UUID, metric: Metric, now: datetime) -> Allowance:
        self.asked += 1
        if not self.reachable:
            raise Unavailable("cut off")
        return Allowance(metric, self.used, 2, now)


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def cached(far: Far) -> CachedAllowances:
    return CachedAllowances(cast(BillingPort, cast(Any, far)), timedelta(seconds=60))


async def test_an_answer_is_good_for_a_minute(far: Far, cached: CachedAllowances) -> None:
    venture = uuid4()
    first = await cached.allowance(venture, "posts", NOW)
    far.used = 2
    assert await cached.allowance(venture, "posts", NOW + 59 * SECOND) == first
    assert (await cached.allowance(venture, "posts", NOW + 60 * SECOND)).used == 2
    assert (await cached.allowance(uuid4(), "posts", NOW)).as_of == NOW
    assert far.asked == 3


async def test_out_of_reach_the_last_answer_holds_and_says_how_old_it_is(far: Far, cached: CachedAllowances) -> None:
    venture = uuid4()
    first = await cached.allowance(venture, "posts", NOW)
    far.reachable = False
    assert await cached.allowance(venture, "posts", NOW + timedelta(days=3)) == first
    assert first.as_of == NOW


async def test_last_months_count_is_no_answer_for_this_month(far: Far, cached: CachedAllowances) -> None:
    venture = uuid4()
    before = NEXT_MONTH - SECOND
    posts, members = [await cached.allowance(venture, metric, before) for metric in ("posts", "members")]
    assert (await cached.allowance(venture, "posts", NEXT_MONTH)).as_of == NEXT_MONTH
    far.reachable = False
    assert await cached.allowance(venture, "members", NEXT_MONTH + timedelta(hours=1)) == members
    assert posts.as_of == before


async def test_never_known_it_is_generous(far: Far, cached: CachedAllowances) -> None:
    far.reachable = False
    allowance = await cached.allowance(uuid4(), "posts", NOW)
    assert allowance == Allowance("posts", 0, PLANS["scale"].posts, None)
    require_room(await cached.allowance(uuid4(), "members", NOW), 10**9)


async def test_out_of_reach_it_is_not_asked_at_every_request(far: Far, cached: CachedAllowances) -> None:
    far.reachable = False
    for second in range(10):
        await cached.allowance(uuid4(), "posts", NOW + second * SECOND)
    assert far.asked == 2
    far.reachable = True
    assert (await cached.allowance(uuid4(), "posts", NOW + 10 * SECOND)).used == 1


async def test_what_this_process_took_counts_until_billing_says_more(far: Far, cached: CachedAllowances) -> None:
    venture = uuid4()
    cached.took(venture, "posts")  # of what nobody asked for there is nothing to count
    before = (await cached.allowance(venture, "posts", NOW)).used
    for _ in range(3):
        cached.took(venture, "posts")
    assert (await cached.allowance(venture, "posts", NOW)).used == before + 3
    assert (await cached.allowance(venture, "members", NOW)).used == before
    assert (await cached.allowance(venture, "posts", NOW + timedelta(hours=1))).used == before


def test_a_full_allowance_is_refused_with_what_to_do() -> None:
    require_room(Allowance("posts", 1, 2, NOW))
    with pytest.raises(LimitReached, match="2 posts this month; 2 are used"):
        require_room(Allowance("posts", 2, 2, NOW))
    with pytest.raises(LimitReached, match="3 members; 2 are used"):
        require_room(Allowance("members", 2, 3, NOW), 2)
