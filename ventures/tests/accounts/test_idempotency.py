"""A request sent twice is carried out once."""

import asyncio
from datetime import timedelta

import pytest

from ventures.accounts.api import Replay, keep, once, sweep
from ventures.errors import Invalid
from ventures.testing.accounts import NOW, People

DAY = timedelta(days=1)


async def test_the_second_gets_the_answer_of_the_first(people: People) -> None:
    account, other = (await people.sign_up()).id, (await people.sign_up()).id
    async with people.database.everywhere() as scope:
        assert await once(scope, account, "k", b"digest", NOW) is None
        await keep(scope, account, "k", 201, {"id": 1, "names": ["é"]})
    async with people.database.everywhere() as scope:
        assert await once(scope, account, "k", b"digest", NOW + DAY / 2) == Replay(201, {"id": 1, "names": ["é"]})
        assert await once(scope, other, "k", b"digest", NOW) is None
        with pytest.raises(Invalid):
            await once(scope, account, "k", b"another request", NOW)


async def test_after_a_day_a_key_is_new(people: People) -> None:
    account = (await people.sign_up()).id
    async with people.database.everywhere() as scope:
        await once(scope, account, "k", b"digest", NOW)
        await keep(scope, account, "k", 201, {})
    async with people.database.everywhere() as scope:
        assert await once(scope, account, "k", b"another request", NOW + DAY) is None
        await keep(scope, account, "k", 200, [])
        assert await once(scope, account, "k", b"another request", NOW + DAY) == Replay(200, [])
        assert await sweep(scope, NOW + DAY) == 0
        assert await sweep(scope, NOW + 2 * DAY) == 1


async def test_what_failed_is_done_again(people: People) -> None:
    account = (await people.sign_up()).id

    async def failing() -> None:
        async with people.database.everywhere() as scope:
            assert await once(scope, account, "k", b"digest", NOW) is None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    async with people.database.everywhere() as scope:
        assert await once(scope, account, "k", b"digest", NOW) is None


async def test_of_two_at_once_one_is_carried_out(people: People) -> None:
    account = (await people.sign_up()).id

    async def asked(number: int) -> Replay | None:
        async with people.database.everywhere() as scope:
            replay = await once(scope, account, "k", b"digest", NOW)
            if replay is None:
                await asyncio.sleep(0.02)
                await keep(scope, account, "k", 201, number)
            return replay

    answers = await asyncio.gather(*(asked(number) for number in range(4)))
    assert answers.count(None) == 1
    assert {answer.body for answer in answers if answer is not None} == {answers.index(None)}
