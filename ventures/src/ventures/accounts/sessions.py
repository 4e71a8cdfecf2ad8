"""Signing in and out, and the list of signed-in devices."""

import unicodedata
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from ventures.accounts import attempts, sql
from ventures.accounts.passwords import Passwords
from ventures.accounts.people import normalised_email
from ventures.accounts.records import Session
from ventures.accounts.tokens import csrf_token, digest_of, new_session_token
from ventures.database.pool import Database
from ventures.database.scope import GlobalScope
from ventures.errors import Invalid, NotFound, NotSignedIn
from ventures.identifiers import NewId

MOST_SESSIONS = 50
"""Of one account; the oldest ends when one more begins."""
MOST_DEVICE_CHARACTERS = 200
NOT_THEM = "The e-mail address or the password is not right."


class SignedIn(msgspec.Struct, frozen=True):
    """token: goes into the cookie and nowhere else. csrf: goes to the page."""

    account: UUID
    session: Session
    token: str
    csrf: str


async def sign_in(
    database: Database,
    passwords: Passwords,
    *,
    email: str,
    password: str,
    address: str,
    device: str,
    lasts: timedelta,
    now: datetime,
    new_id: NewId,
) -> SignedIn:
    """Opens a session that ends when it was not used for `lasts`.

    address: the client's IP address. device: what the list of sessions calls it, shortened to 200 characters. An
    unknown e-mail address takes the same work and gives the same answer as a wrong password.

    Raises: NotSignedIn, TooMany (with the seconds to wait), Unavailable.
    """
    try:
        who = normalised_email(email)
    except Invalid:
        who = email[:1000]
    async with database.everywhere() as scope:
        refused = await attempts.counted(scope, who, address, now)
        known = await scope.one(sql.CREDENTIALS_OF_EMAIL, email=_storable(who))
    if refused is not None:
        raise refused
    if not await passwords.verified(known[2] if known else None, password) or known is None:
        raise NotSignedIn(NOT_THEM)
    account, _, kept = known
    renewed = await passwords.hashed(password) if passwords.outdated(kept) else None
    token = new_session_token(account)
    async with database.everywhere() as scope:
        if renewed is not None:
            await scope.run(sql.REHASH, account=account, password=renewed, verified=kept)
        opened = await scope.one(
            sql.ADD_SESSION,
            Session,
            account=account,
            verified=renewed or kept,
            session=new_id(),
            digest=digest_of(token),
            device=_device(device),
            lasts=lasts,
            now=now,
        )
        if opened is not None:
            await scope.run(sql.DROP_OLDEST_SESSIONS, account=account, most=MOST_SESSIONS)
            await attempts.succeeded(scope, who, address, now)
    if opened is None:  # the password was changed between the two transactions
        raise NotSignedIn(NOT_THEM)
    return SignedIn(account, opened, token, csrf_token(token))


async def sessions(scope: GlobalScope, account: UUID, now: datetime) -> list[Session]:
    """Those that are open, the last seen first."""
    return await scope.all(sql.SESSIONS, Session, account=account, now=now)


async def end_session(scope: GlobalScope, account: UUID, session: UUID, now: datetime) -> None:
    """Raises: NotFound."""
    if not await scope.changed(sql.DROP_SESSION, account=account, session=session, now=now):
        raise NotFound("There is no such session; it may have ended already.")


async def end_other_sessions(scope: GlobalScope, account: UUID, session: UUID) -> int:
    """Ends all sessions of the account but this one; how many those were."""
    return await scope.changed(sql.DROP_OTHER_SESSIONS, account=account, session=session)


def _device(text: str) -> str:
    shown = "".join(one if one.isprintable() else " " for one in unicodedata.normalize("NFC", text))
    return shown.strip()[:MOST_DEVICE_CHARACTERS] or "unknown device"


def _storable(text: str) -> str:
    """PostgreSQL takes no NUL and no half of a surrogate pair; no account has either."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
