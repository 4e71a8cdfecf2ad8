"""Signing up, what an account shows, and changing it."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ventures.accounts import attempts, sql
from ventures.accounts.passwords import Passwords, acceptable
from ventures.accounts.records import Account
from ventures.database.pool import Database
from ventures.database.scope import GlobalScope
from ventures.errors import Conflict, Forbidden, Invalid, NotFound, Stale
from ventures.identifiers import NewId

MOST_NAME_CHARACTERS = 200
MOST_EMAIL_CHARACTERS = 254
"""RFC 5321, 4.5.3.1.3: a path has 256 octets, two of them the angle brackets."""
MOST_LOCAL_CHARACTERS = 64
"""RFC 5321, 4.5.3.1.1."""


async def sign_up(
    database: Database, passwords: Passwords, *, email: str, password: str, name: str, now: datetime, new_id: NewId
) -> Account:
    """Makes an account.

    Raises: Invalid (address, password or name), Conflict where the address has an account, Unavailable.
    """
    address, called = normalised_email(email), accepted_name(name)
    hashed = await passwords.hashed(password)
    async with database.everywhere() as scope:
        made = await scope.one(
            sql.ADD_ACCOUNT, Account, account=new_id(), email=address, name=called, password=hashed, now=now
        )
    if made is None:
        raise Conflict("This e-mail address cannot be used for a new account. If it is yours, sign in instead.")
    return made


async def account(scope: GlobalScope, account: UUID) -> Account:
    """Raises: NotFound."""
    found = await scope.one(sql.ACCOUNT, Account, account=account)
    if found is None:
        raise NotFound("There is no such account.")
    return found


async def accounts(scope: GlobalScope, ids: Sequence[UUID]) -> dict[UUID, Account]:
    """Those of the ids that are accounts."""
    return {found.id: found for found in await scope.all(sql.ACCOUNTS, Account, accounts=list(ids))}


async def account_of_email(scope: GlobalScope, email: str) -> Account | None:
    """Never to be told to somebody who is not that person. Raises: Invalid."""
    return await scope.one(sql.ACCOUNT_OF_EMAIL, Account, email=normalised_email(email))


async def rename(scope: GlobalScope, account: UUID, name: str, version: int) -> Account:
    """Raises: Invalid; Stale where the account is no longer at `version`."""
    changed = await scope.one(sql.RENAME, Account, account=account, name=accepted_name(name), version=version)
    if changed is None:
        raise Stale("Your account was changed meanwhile: read it again.")
    return changed


async def change_password(
    database: Database,
    passwords: Passwords,
    *,
    account: UUID,
    session: UUID,
    current: str,
    new: str,
    address: str,
    now: datetime,
) -> None:
    """Sets a new password and ends all sessions but `session`. API keys stay: they are revoked one by one.

    address: the client's IP address; wrong passwords count as failed sign-ins.

    Raises: Invalid (new password), Forbidden (wrong current one), TooMany, Conflict, NotFound, Unavailable.
    """
    acceptable(new)
    async with database.everywhere() as scope:
        known = await scope.one(sql.CREDENTIALS, account=account)
        if known is None:
            raise NotFound("There is no such account.")
        refused = await attempts.counted(scope, known[1], address, now)
    if refused is not None:
        raise refused
    _, email, kept = known
    if not await passwords.verified(kept, current):
        raise Forbidden("The current password is not right. The password was not changed.")
    hashed = await passwords.hashed(new)
    async with database.everywhere() as scope:
        if not await scope.changed(sql.CHANGE_CREDENTIALS, account=account, password=hashed, verified=kept, now=now):
            raise Conflict("The password was changed meanwhile. Sign in again with the new one.")
        await scope.run(sql.DROP_OTHER_SESSIONS, account=account, session=session)
        await attempts.succeeded(scope, email, address, now)


def normalised_email(text: str) -> str:
    """Composed (NFC) and in lower case, so that one address has one account however it is typed. Raises: Invalid."""
    email = unicodedata.normalize("NFC", text.strip()).lower()
    local, at, domain = email.rpartition("@")
    fits = (
        at
        and 1 <= len(local) <= MOST_LOCAL_CHARACTERS
        and "." in domain.strip(".")
        and all(1 <= len(label) <= 63 and label.strip("-") == label for label in domain.split("."))
        and len(email) <= MOST_EMAIL_CHARACTERS
        and not any(part in email for part in ("..", "@@"))
        and "@" not in local
        and all(_written(character) and character not in '<>()[]\\,;:"' for character in email)
    )
    if not fits:
        raise Invalid("This is no e-mail address.", fields={"email": "not an address such as ada@example.org"})
    return email


def accepted_name(text: str) -> str:
    """Without spaces around it. Raises: Invalid."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= MOST_NAME_CHARACTERS or not all(_written(one) or one == " " for one in name):
        raise Invalid(
            f"A name has 1 to {MOST_NAME_CHARACTERS} characters, none of them a control character.",
            fields={"name": f"1 to {MOST_NAME_CHARACTERS} printable characters"},
        )
    return name


def _written(character: str) -> bool:
    """Neither a control character, nor half of one, nor space. Joiners, which some scripts and emoji need, are."""
    return unicodedata.category(character) not in ("Cc", "Cs", "Cn", "Zs", "Zl", "Zp")
