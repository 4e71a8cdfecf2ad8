"""API keys: limited, expiring, shown once."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from ventures.accounts.api import Caller, NewKey, caller, keys, make_key, parse_token, revoke_key, sweep, verify
from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.errors import Conflict, Invalid, NotFound, NotSignedIn
from ventures.identifiers import new_id
from ventures.testing.accounts import NOW, People

YEAR = timedelta(days=365)
SECOND = timedelta(seconds=1)


async def make(database: Database, account: UUID, **told: Any) -> NewKey:
    given = {"label": "CI", "scopes": ["content:view"], "venture": None, "expires_at": NOW + YEAR, "now": NOW, **told}
    async with database.everywhere() as scope:
        return await make_key(scope, account, new_id=new_id, **given)


async def presented(database: Database, token: str, now: datetime) -> Caller:
    read = parse_token(token)
    assert read is not None
    async with database.everywhere() as scope:
        return await caller(scope, read, now)


async def test_a_key_is_its_account_within_limits(database: Database, people: People) -> None:
    account, venture = (await people.sign_up()).id, uuid4()
    made = await make(database, account, venture=venture, scopes=["posts:publish", "content:view", "content:view"])
    assert await presented(database, made.token, NOW) == Caller(
        account, made.key.id, venture, frozenset({"posts:publish", "content:view"}), None, None
    )
    assert made.key.scopes == ("content:view", "posts:publish")


async def test_a_key_ends_when_it_expires(database: Database, people: People) -> None:
    made = await make(database, (await people.sign_up()).id)
    assert await presented(database, made.token, NOW + YEAR - SECOND)
    with pytest.raises(NotSignedIn):
        await presented(database, made.token, NOW + YEAR)


async def test_a_key_is_listed_without_its_secret_and_kept_without_it(
    database: Database, database_addresses: Addresses, people: People
) -> None:
    account = (await people.sign_up()).id
    first, second = await make(database, account), await make(database, account, label="  the second ")
    async with database.everywhere() as scope:
        assert await keys(scope, account) == [second.key, first.key]
        assert await keys(scope, uuid4()) == []
    assert first.token.startswith(first.key.prefix)
    secret = first.token.removeprefix(first.key.prefix)
    with psycopg.connect(database_addresses.superuser) as connection:
        kept = str(connection.execute('SELECT to_jsonb(key) FROM "global".api_key AS key').fetchall())
    assert str(first.key.id) in kept
    assert secret.strip("_") not in kept
    assert second.key.label == "the second"


async def test_use_is_noted_once_a_minute(database: Database, people: People) -> None:
    account = (await people.sign_up()).id
    made = await make(database, account)
    used = []
    for seconds in (0, 30, 59, 60, 100):
        await presented(database, made.token, NOW + timedelta(seconds=seconds))
        async with database.everywhere() as scope:
            [listed] = await keys(scope, account)
        assert listed.used_at is not None
        used.append((listed.used_at - NOW).total_seconds())
    assert used == [0, 0, 0, 60, 60]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["content"]},
        {"scopes": ["content:view", "*:*"]},
        {"scopes": ["content:view\n"]},
        {"scopes": [f"content:view{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(101)]},
        {"expires_at": NOW},
        {"expires_at": NOW + YEAR + SECOND},
        {"label": ""},
        {"label": "x" * 201},
    ],
)
async def test_a_key_without_limits_is_refused(database: Database, people: People, wrong: dict[str, Any]) -> None:
    account = (await people.sign_up()).id
    with pytest.raises(Invalid):
        await make(database, account, **wrong)
    async with database.everywhere() as scope:
        assert await keys(scope, account) == []


async def test_only_the_owner_revokes_a_key_and_once(database: Database, people: People) -> None:
    account, eve = (await people.sign_up()).id, (await people.sign_up()).id
    made = await make(database, account)
    for whose, key in ((eve, made.key.id), (account, uuid4())):
        with pytest.raises(NotFound):
            async with database.everywhere() as scope:
                await revoke_key(scope, whose, key)
    assert await presented(database, made.token, NOW)
    async with database.everywhere() as scope:
        await revoke_key(scope, account, made.key.id)
    with pytest.raises(NotSignedIn):
        await presented(database, made.token, NOW)


async def test_an_account_has_a_hundred_keys_at_most_and_the_long_expired_are_swept(
    database: Database, people: People
) -> None:
    account = (await people.sign_up()).id
    for _ in range(100):
        await make(database, account, expires_at=NOW + SECOND)
    with pytest.raises(Conflict):
        await make(database, account)
    async with database.everywhere() as scope:
        assert await sweep(scope, NOW + timedelta(days=29)) == 0
        assert await sweep(scope, NOW + timedelta(days=31)) == 100
    assert await make(database, account)


async def test_a_key_named_by_another_id_is_nobody(database: Database, people: People) -> None:
    account = (await people.sign_up()).id
    made = await make(database, account)
    read = parse_token(made.token)
    assert read is not None
    row = (uuid4(), NOW + YEAR, None, None, ["content:view"])
    assert verify(read, row, NOW) is None
