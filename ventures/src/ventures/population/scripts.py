"""What happens in the ventures of a population, as scripts of commands. Pure: what was done comes back by `send`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

import msgspec

from ventures.content import api as content
from ventures.log.api import Actor, Instruction, Script
from ventures.planner import api as planner
from ventures.population import grammar
from ventures.population.shape import Joining, account_id, chance, venture_id
from ventures.posts import api as posts
from ventures.tenancy import api as tenancy
from ventures.tenancy.api import Role

SINK: Final = "sink"
CHANNEL_CHARACTERS: Final = 500
EDITED: Final = 0.2
COMMENTED: Final = 0.2
DEADLINES: Final = 0.1
SUBMITTED: Final = 0.6
APPROVED: Final = 0.75
"""Of those submitted; a third of the rest is sent back, the others wait."""
POSTED: Final = 0.12
"""Of those approved."""
SOON_DAYS: Final = 90
"""Deadlines and posts lie so far ahead at most."""
ZONES: Final = ("UTC", "Europe/Berlin", "Europe/Lisbon", "America/New_York", "Asia/Singapore")


class Team(msgspec.Struct, frozen=True):
    """Members by what they may do, as accounts."""

    authors: Sequence[UUID]
    approvers: Sequence[UUID]

    @classmethod
    def of(cls, roles: Mapping[UUID, Role]) -> "Team":
        """roles: of all members."""
        accounts = sorted(roles)
        return cls(
            [one for one in accounts if tenancy.may(roles[one], "content", "draft")],
            [one for one in accounts if tenancy.may(roles[one], "content", "approve")],
        )


def beginning(seed: int, venture: int, people: Sequence[Joining], items: range, now: datetime) -> Script:
    """A new venture: founded by its owner, with a channel, its members, and the first items."""
    founder = next(one for one in people if one.role == "owner")
    others = [one for one in people if one is not founder]
    owner = Actor(account=account_id(seed, founder.user))
    luck = chance(seed, "founding", venture)
    name = f"{grammar.brand(seed, venture)} {grammar.trade_of(seed, venture).name}"
    zone, called = luck.choice(ZONES), _called(seed, founder.user)
    yield Instruction(tenancy.FoundVenture(name=name, zone=zone, display_name=called), owner)
    settings = {"characters": CHANNEL_CHARACTERS}
    connecting = posts.ConnectChannel(kind=SINK, name="Newsletter", settings=settings, characters=CHANNEL_CHARACTERS)
    channel = (yield Instruction(connecting, owner)).entity
    yield from joining(seed, venture_id(seed, venture), account_id(seed, founder.user), others)
    team = Team.of({account_id(seed, one.user): one.role for one in people})
    yield from writing(seed, venture, items, team, channel, now)


def joining(seed: int, venture: UUID, owner: UUID, who: Sequence[Joining]) -> Script:
    """Each is invited by the owner and accepts."""
    for one in who:
        digest = tenancy.digest_of(tenancy.new_token(venture))
        yield Instruction(tenancy.MakeInvite(digest=digest, role=one.role), Actor(account=owner))
        accepting = tenancy.AcceptInvite(digest=digest, display_name=_called(seed, one.user))
        yield Instruction(accepting, Actor(account=account_id(seed, one.user)))


def key_of(seed: int, item: int) -> str:
    """The idempotency key under which an item of a population is drafted."""
    return f"population:{seed}:{item}"


def writing(seed: int, venture: int, items: range, team: Team, channel: UUID | None, now: datetime) -> Script:
    """The items with these numbers, each with what becomes of it. Posts and deadlines lie after `now`."""
    for item in items:
        yield from _life(seed, venture, item, team, channel, now)


def _life(seed: int, venture: int, item: int, team: Team, channel: UUID | None, now: datetime) -> Script:
    luck = chance(seed, "life", venture, item)
    author = Actor(account=luck.choice(team.authors))
    drafting = content.DraftItem(title=grammar.title(seed, venture, item), body=grammar.body(seed, venture, item))
    identifier = (yield Instruction(drafting, author, key_of(seed, item))).entity
    version = 1
    while version < grammar.EDITIONS and luck.random() < EDITED:
        body = grammar.body(seed, venture, item, version)
        yield Instruction(content.EditItem(item=identifier, version=version, body=body), author)
        version += 1
    if luck.random() < COMMENTED:
        text = grammar.remark(seed, venture, item, luck)
        yield Instruction(content.AddComment(item=identifier, text=text), Actor(account=luck.choice(team.authors)))
    if luck.random() < DEADLINES:
        when = planner.When(starts_at=_soon(luck, now))
        yield Instruction(planner.SetDeadline(item=identifier, when=when), author)
    if luck.random() < SUBMITTED:
        yield from _approval(seed, venture, item, identifier, version, team, channel, now, luck)


def _approval(
    seed: int,
    venture: int,
    item: int,
    identifier: UUID,
    version: int,
    team: Team,
    channel: UUID | None,
    now: datetime,
    luck: Random,
) -> Script:
    approver = Actor(account=luck.choice(team.approvers))
    yield Instruction(content.SubmitItem(item=identifier, version=version), approver)
    verdict = luck.random()
    if verdict < APPROVED:
        yield Instruction(content.ApproveItem(item=identifier, version=version + 1), approver)
        if channel is not None and luck.random() < POSTED:
            text = grammar.paragraph(seed, venture, item, 0)[: CHANNEL_CHARACTERS - 1]
            drafted = yield Instruction(posts.DraftPost(item=identifier, channel=channel, text=text), approver)
            yield Instruction(posts.SchedulePost(post=drafted.entity, version=1, at=_soon(luck, now)), approver)
    elif verdict < APPROVED + (1 - APPROVED) / 3:
        note = grammar.remark(seed, venture, item, luck)
        yield Instruction(content.RequestChanges(item=identifier, version=version + 1, note=note), approver)


def _called(seed: int, user: int) -> str:
    """What a venture's other members call them."""
    return grammar.person_name(seed, user).partition(" ")[0]


def _soon(luck: Random, now: datetime) -> datetime:
    return now.replace(microsecond=0) + timedelta(days=luck.randint(1, SOON_DAYS), minutes=luck.randint(0, 600))
