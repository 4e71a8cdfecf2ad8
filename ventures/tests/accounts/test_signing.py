"""Signing up and in: one account an address, no hint which addresses have one, no way to try passwords."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from argon2 import Parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from ventures.accounts.api import (
    Passwords,
    account,
    account_of_email,
    accounts,
    change_password,
    end_session,
    normalised_email,
    parse_token,
    rename,
    sessions,
    sweep,
)
from ventures.accounts.api import caller as caller_of
from ventures.database.pool import Database
from ventures.database.roles import Addresses
from ventures.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn, Stale, TooMany, Unavailable
from ventures.testing.accounts import CHEAP, NOW, PASSWORD, People


async def test_an_address_has_one_account_however_it_is_written(people: People) -> None:
    made = await people.sign_up(email=" Ada@Example.ORG ", name="  Ada Lovelace ")
    assert (made.email, made.name, made.version) == ("ada@example.org", "Ada Lovelace", 1)
    with pytest.raises(Conflict):
        await people.sign_up(email="aDA@example.org")
    assert (await people.sign_in("ADA@EXAMPLE.ORG")).account == made.id


@pytest.mark.parametrize(
    "email",
    [
        *("", "ada", "@example.org", "ada@", "ada@example", "a da@example.org", "ada@exa mple.org", "ada@@example.org"),
        *("ada@example..org", "ada@-example.org", "ada\0@example.org", "a@" + "b." * 126 + "org", "ada@.", "a@b.org."),
        *(
            "ada@example.org\nbcc: eve@example.org",
            "<ada@example.org>",
            "a\ud800@example.org",
            "x" * 65 + "@example.org",
        ),
    ],
)
async def test_what_is_no_address_is_refused(people: People, email: str) -> None:
    with pytest.raises(Invalid) as refused:
        await people.sign_up(email=email)
    assert "email" in refused.value.fields
    with pytest.raises(NotSignedIn):
        await people.sign_in(email)


def test_the_same_letters_are_the_same_address() -> None:
    assert normalised_email("zoe\u0308@example.org") == normalised_email("ZO\u00cb@example.org")


@pytest.mark.parametrize("password", ["", "ninechars", "x" * 1001, "é" * 501, "\ud800" * 20])
async def test_too_short_and_too_long_passwords_are_refused_and_not_repeated(people: People, password: str) -> None:
    with pytest.raises(Invalid) as refused:
        await people.sign_up(password=password)
    assert "password" in refused.value.fields
    assert not password or password not in str(refused.value)


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "Ada\nLovelace", "\0"])
async def test_names_are_one_line_of_text(people: People, name: str) -> None:
    with pytest.raises(Invalid):
        await people.sign_up(name=name)


async def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(people: People) -> None:
    made = await people.sign_up()
    answers = []
    for email, password in (
        (made.email, "not the password"),
        ("nobody@example.org", PASSWORD),
        (made.email, "x" * 5000),
    ):
        with pytest.raises(NotSignedIn) as refused:
            await people.sign_in(email, password)
        answers.append(str(refused.value))
    assert len(set(answers)) == 1


async def test_an_unknown_address_takes_the_work_of_a_known_one() -> None:
    """The hash of nobody has the parameters of a real one, and verifying against it is never right."""
    passwords = Passwords(CHEAP)
    hasher = passwords._hasher
    seen: list[str] = []

    class Watched:
        def verify(self, kept: str, password: bytes) -> bool:
            seen.append(kept)
            return hasher.verify(kept, password)

    passwords._hasher = Watched()  # type: ignore
    assert not await passwords.verified(None, PASSWORD)
    passwords._hasher = hasher
    assert len(seen) == 1
    assert not passwords.outdated(seen[0])


def test_passwords_are_hashed_as_rfc_9106_recommends() -> None:
    hasher = Passwords()._hasher
    assert (hasher.memory_cost, hasher.time_cost, hasher.parallelism) == (64 * 1024, 3, 4)
    assert hasher.type == RFC_9106_LOW_MEMORY.type


async def test_ten_failures_close_an_account_for_a_quarter_of_an_hour(people: People) -> None:
    made = await people.sign_up()
    for attempt in range(10):
        with pytest.raises(NotSignedIn):
            await people.sign_in(
                made.email, "not the password", NOW + timedelta(minutes=attempt), address=f"192.0.2.{attempt}"
            )
    later = NOW + timedelta(minutes=14)
    with pytest.raises(TooMany) as refused:
        await people.sign_in(made.email, PASSWORD, later, address="198.51.100.1")
    assert refused.value.retry_after_seconds == 60
    opens = NOW + timedelta(minutes=15)
    assert await people.sign_in(made.email, PASSWORD, opens, address="198.51.100.1")
    with pytest.raises(NotSignedIn):  # what failed before is forgotten with the success
        await people.sign_in(made.email, "not the password", opens, address="198.51.100.1")


async def test_an_address_nobody_has_is_closed_the_same_way(people: People) -> None:
    for attempt in range(10):
        with pytest.raises(NotSignedIn):
            await people.sign_in("nobody@example.org", address=f"192.0.2.{attempt}")
    with pytest.raises(TooMany):
        await people.sign_in("nobody@example.org", address="198.51.100.1")


async def test_ten_failures_close_the_network_they_came_from(people: People) -> None:
    made = await people.sign_up()
    for attempt in range(10):
        with pytest.raises(NotSignedIn):
            await people.sign_in(f"nobody{attempt}@example.org", address=f"2001:db8::{attempt:x}")
    with pytest.raises(TooMany):
        await people.sign_in(made.email, address="2001:db8::ffff")
    assert await people.sign_in(made.email, address="2001:db8:0:1::1")


async def test_successes_never_close_a_network(people: People) -> None:
    dozen = [await people.sign_up() for _ in range(12)]
    for moment, person in enumerate(dozen):
        assert await people.sign_in(person.email, now=NOW + timedelta(seconds=moment))


async def test_attempts_at_the_same_moment_are_all_counted(people: People) -> None:
    made = await people.sign_up()
    answers = await asyncio.gather(
        *(
            people.sign_in(
                made.email, f"guess number {guess}", NOW + timedelta(microseconds=guess), address=f"192.0.2.{guess}"
            )
            for guess in range(25)
        ),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["NotSignedIn"] * 10 + ["TooMany"] * 15


async def test_a_hash_of_former_parameters_is_renewed(database: Database, people: People) -> None:
    made = await people.sign_up()
    former = await _kept(database, made.email)
    people.passwords = Passwords(Parameters(CHEAP.type, CHEAP.version, 16, 32, 2, 8, 1))
    await people.sign_in(made.email)
    renewed = await _kept(database, made.email)
    assert renewed != former
    assert "t=2" in renewed
    await people.sign_in(made.email)
    assert await _kept(database, made.email) == renewed


async def test_more_than_may_wait_are_refused() -> None:
    passwords = Passwords(CHEAP, at_once=1, waiting=2)
    answers = await asyncio.gather(*(passwords.hashed(PASSWORD) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(answer, Unavailable) for answer in answers) == 5
    assert await passwords.verified(await passwords.hashed(PASSWORD), PASSWORD)


async def test_a_password_typed_on_another_keyboard_is_the_same(people: People) -> None:
    made = await people.sign_up(password="Cafe\u0301 au lait")
    assert await people.sign_in(made.email, "Caf\u00e9 au lait")


async def test_a_new_password_ends_all_other_sessions(database: Database, people: People) -> None:
    made = await people.sign_up()
    mine, other = await people.sign_in(made.email), await people.sign_in(made.email)
    change: dict[str, Any] = {"account": made.id, "session": mine.session.id, "address": "192.0.2.1", "now": NOW}
    with pytest.raises(Forbidden):
        await change_password(database, people.passwords, current="not the password", new="another password", **change)
    with pytest.raises(Invalid):
        await change_password(database, people.passwords, current=PASSWORD, new="short", **change)
    assert await _works(database, other.token)
    await change_password(database, people.passwords, current=PASSWORD, new="another password", **change)
    assert await _works(database, mine.token)
    assert not await _works(database, other.token)
    with pytest.raises(NotSignedIn):
        await people.sign_in(made.email, PASSWORD)
    assert await people.sign_in(made.email, "another password")


async def test_passwords_cannot_be_tried_by_changing_them(database: Database, people: People) -> None:
    made = await people.sign_up()
    mine = await people.sign_in(made.email)
    change: dict[str, Any] = {"account": made.id, "session": mine.session.id, "address": "192.0.2.1", "now": NOW}
    for guess in range(10):
        with pytest.raises(Forbidden):
            await change_password(
                database, people.passwords, current=f"guess {guess}", new="another password", **change
            )
    with pytest.raises(TooMany):
        await change_password(database, people.passwords, current=PASSWORD, new="another password", **change)


async def test_a_sign_in_that_a_new_password_overtakes_opens_no_session(database: Database, people: People) -> None:
    made = await people.sign_up()
    mine = await people.sign_in(made.email)
    verified = people.passwords.verified

    async def overtaken(kept: str | None, password: str) -> bool:
        right = await verified(kept, password)
        people.passwords.verified = verified  # type: ignore
        await change_password(
            database, people.passwords, account=made.id, session=mine.session.id, current=PASSWORD,
            new="another password", address="192.0.2.9", now=NOW,
        )  # fmt: skip
        return right

    people.passwords.verified = overtaken  # type: ignore
    with pytest.raises(NotSignedIn):
        await people.sign_in(made.email)
    async with database.everywhere() as scope:
        assert [one.id for one in await sessions(scope, made.id, NOW)] == [mine.session.id]


async def test_only_digests_are_kept(database_addresses: Addresses, people: People) -> None:
    made = await people.sign_up()
    signed = await people.sign_in(made.email)
    everything = _dump(database_addresses, "account", "session", "sign_in_attempt")
    secret = signed.token.partition(".")[2]
    assert str(signed.session.id) in everything
    for hidden in (PASSWORD, signed.token, secret, signed.csrf, "192.0.2.1"):
        assert hidden not in everything


async def test_sessions_are_listed_ended_and_bounded(database: Database, people: People) -> None:
    made, eve = await people.sign_up(), await people.sign_up()
    first = await people.sign_in(made.email, device="Firefox\n\0 on " + "x" * 500)
    hers = await people.sign_in(eve.email)
    async with database.everywhere() as scope:
        [listed] = await sessions(scope, made.id, NOW)
        assert listed == first.session
        assert len(listed.device) == 200
        assert "\n" not in listed.device
        with pytest.raises(NotFound):
            await end_session(scope, made.id, hers.session.id, NOW)
    for moment in range(1, 51):
        await people.sign_in(made.email, now=NOW + timedelta(seconds=moment))
    async with database.everywhere() as scope:
        listed_ids = {one.id for one in await sessions(scope, made.id, NOW)}
    assert len(listed_ids) == 50
    assert first.session.id not in listed_ids
    assert await _works(database, hers.token)


async def test_what_is_over_is_swept(database: Database, people: People) -> None:
    made = await people.sign_up()
    await people.sign_in(made.email)
    with pytest.raises(NotSignedIn):
        await people.sign_in("nobody@example.org")
    async with database.everywhere() as scope:
        assert await sweep(scope, NOW) == 0
        assert await sweep(scope, NOW + timedelta(days=31)) == 3  # the session; the failure's account and network
        assert await sweep(scope, NOW + timedelta(days=31)) == 0


async def test_an_account_is_read_and_renamed_by_its_version(database: Database, people: People) -> None:
    made, other = await people.sign_up(), await people.sign_up()
    async with database.everywhere() as scope:
        assert await account(scope, made.id) == made
        assert await account_of_email(scope, made.email.upper()) == made
        assert set(await accounts(scope, [made.id, other.id, made.id])) == {made.id, other.id}
        renamed = await rename(scope, made.id, "Countess", 1)
        assert renamed == msgspec.structs.replace(made, name="Countess", version=2)
    with pytest.raises(Stale):
        async with database.everywhere() as scope:
            await rename(scope, made.id, "Somebody else", 1)


async def _works(database: Database, token: str) -> bool:
    presented = parse_token(token)
    assert presented is not None
    async with database.everywhere() as scope:
        try:
            return bool(await caller_of(scope, presented, NOW))
        except NotSignedIn:
            return False


async def _kept(database: Database, email: str) -> str:
    async with database.everywhere() as scope:
        row = await scope.one("SELECT password FROM global.account WHERE email = %(email)s", email=email)
    assert row is not None
    return str(row[0])


def _dump(addresses: Addresses, *tables: str) -> str:
    with psycopg.connect(addresses.superuser) as connection:
        return "\n".join(
            str(row[0])
            for table in tables
            for row in connection.execute(f"SELECT to_jsonb(row) || '{{}}' FROM \"global\".{table} AS row")
        )
