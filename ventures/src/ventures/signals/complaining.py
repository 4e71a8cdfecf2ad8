"""What people say is wrong with the platform: kept for who runs it, counted for who watches it."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ventures.database.scope import GlobalScope
from ventures.errors import Invalid, TooMany
from ventures.regions import api as regions
from ventures.signals import sql
from ventures.signals.records import About, Complaint
from ventures.tenancy.api import known_zone

MOST_A_DAY: Final = 20
"""Complaints of one account."""
AREAS: Final = frozenset(
    {
        "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
    }
)  # fmt: skip
"""First parts of time zones' names that say where somebody is (IANA time zone database, `zone1970.tab`)."""
UNKNOWN: Final = "unknown"


def area_of(zone: str | None) -> str:
    """ "Asia/Tokyo" → "Asia"; "unknown" where the zone says no place (UTC) or none is given. Raises: Invalid."""
    if zone is None:
        return UNKNOWN
    area = known_zone(zone).partition("/")[0]
    return area if area in AREAS else UNKNOWN


async def complain(
    scope: GlobalScope,
    id: UUID,
    account: UUID,
    *,
    about: About,
    text: str,
    place: str,
    zone: str | None,
    region: str,
    now: datetime,
) -> Complaint:
    """Keeps a complaint. zone: where the person is; region: where it counts for who belongs to no venture.

    Raises: Invalid, TooMany.
    """
    if not text.strip():
        raise Invalid("Say what is wrong, in a few words.", fields={"text": "empty"})
    area = area_of(zone)
    row = await scope.one(sql.COMPLAINTS_SINCE, account=account, since=now - timedelta(days=1))
    if row is not None and row[0] >= MOST_A_DAY:
        raise TooMany(
            f"You sent {MOST_A_DAY} complaints within a day; they are all kept. Send more tomorrow.",
            retry_after_seconds=86_400,
        )
    homes = await regions.ventures_of(scope, account, None, 1)
    made = Complaint(id, account, about, text, place, area, homes[0].region if homes else region, now)
    await scope.run(
        sql.COMPLAIN,
        id=made.id,
        account=made.account,
        about=made.about,
        text=made.text,
        place=made.place,
        area=made.area,
        region=made.region,
        now=now,
    )
    return made


async def complaints(scope: GlobalScope, since: datetime, limit: int) -> list[Complaint]:
    """Those after `since`, the newest first, at most so many."""
    return await scope.all(sql.COMPLAINTS, Complaint, since=since, limit=limit)
