"""Failed sign-ins, counted for the account that was tried and for the network address they came from.

Every attempt counts as failed until it succeeds, so that many made at the same moment are no way around the limit. An
address of e-mail counts whether or not there is such an account: being refused says nothing about that.
"""

import hashlib
import ipaddress
from datetime import datetime, timedelta

from ventures.accounts import sql
from ventures.database.scope import GlobalScope
from ventures.errors import TooMany

MOST_FAILURES = 10
WINDOW = timedelta(minutes=15)


async def counted(scope: GlobalScope, email: str, address: str, now: datetime) -> TooMany | None:
    """Counts an attempt; a refusal where there were too many, to be raised after the transaction has been committed.

    email: normalised; address: the client's IP address (an IPv6 one counts for its /64, which is one customer's).
    """
    refused = await _count(scope, _origin(address), now)
    if refused is None:
        refused = await _count(scope, _tried(email), now)
        if refused is not None:
            await scope.run(sql.TAKE_BACK_ATTEMPT, subject=_origin(address), now=now)
    return refused


async def succeeded(scope: GlobalScope, email: str, address: str, now: datetime) -> None:
    """The attempt counted at `now` was none that failed; the account's earlier failures are forgotten."""
    await scope.run(sql.TAKE_BACK_ATTEMPT, subject=_origin(address), now=now)
    await scope.run(sql.FORGET_ATTEMPTS, subject=_tried(email))


async def _count(scope: GlobalScope, subject: bytes, now: datetime) -> TooMany | None:
    row = await scope.one(sql.COUNT_ATTEMPT, subject=subject, now=now, since=now - WINDOW, most=MOST_FAILURES)
    if row is None or not row[0]:
        return None
    wait = (row[1] + WINDOW - now).total_seconds()
    return TooMany(
        f"There were {MOST_FAILURES} failed attempts in {WINDOW.seconds // 60} minutes. "
        f"Try again in {max(1, round(wait / 60))} min.",
        retry_after_seconds=max(1.0, wait),
    )


def _tried(email: str) -> bytes:
    return hashlib.sha256(b"account\0" + email.encode("utf-8", "surrogatepass")).digest()


def _origin(address: str) -> bytes:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        network = address
    else:
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        network = str(ipaddress.ip_network((ip, 32 if ip.version == 4 else 64), strict=False))
    return hashlib.sha256(b"origin\0" + network.encode()).digest()
