"""People to test with: accounts and sessions whose password hashes take no time."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from argon2 import Parameters, Type

from ventures.accounts.api import Account, Passwords, SignedIn, sign_in, sign_up
from ventures.database.pool import Database
from ventures.identifiers import new_id

NOW: Final = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
PASSWORD: Final = "correct horse battery"  # noqa: S105  # of people who do not exist
SESSION_LASTS: Final = timedelta(days=30)
CHEAP: Final = Parameters(type=Type.ID, version=19, salt_len=16, hash_len=32, time_cost=1, memory_cost=8, parallelism=1)
"""Hashes in well under a millisecond. They protect nothing."""


class People:
    """Signs people up and in. `passwords` may be replaced."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.passwords = Passwords(CHEAP)
        self._numbers = count()

    async def sign_up(self, **told: Any) -> Account:
        """A new person, `personN@example.org` unless told."""
        given = {"email": f"person{next(self._numbers)}@example.org", "name": "Ada", "password": PASSWORD, "now": NOW}
        return await sign_up(self.database, self.passwords, **{**given, **told}, new_id=new_id)

    async def sign_in(self, email: str, password: str = PASSWORD, now: datetime = NOW, **told: Any) -> SignedIn:
        """A session of theirs, from 192.0.2.1 unless told."""
        given = {"address": "192.0.2.1", "device": "a telephone", "lasts": SESSION_LASTS, **told}
        return await sign_in(
            self.database, self.passwords, email=email, password=password, now=now, new_id=new_id, **given
        )
