"""Laws over whatever people do: a venture keeps an owner, nobody rises by themselves, the log replays."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ventures.database.pool import opened
from ventures.database.roles import Addresses
from ventures.errors import Refused
from ventures.identifiers import new_id
from ventures.log.api import Actor, Command, Registry, Spine, read_all, replay, verify_chain
from ventures.tenancy import api as tenancy
from ventures.tenancy.api import ROLES, Role
from ventures.testing.api import Clock

PEOPLE = 4
WHO = st.integers(0, PEOPLE - 1)
ROLE = st.sampled_from(ROLES)
RIGHT = st.sampled_from([True, True, True, False])  # whether the version is the present one
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("invite"), WHO, ROLE, st.integers(1, 30)),
        st.tuples(st.just("accept"), WHO, st.integers(0, 5)),
        st.tuples(st.just("revoke"), WHO, st.integers(0, 5), RIGHT),
        st.tuples(st.just("role"), WHO, WHO, ROLE, RIGHT),
        st.tuples(st.just("remove"), WHO, WHO, RIGHT),
        st.tuples(st.just("leave"), WHO),
        st.tuples(st.just("rename"), WHO, st.sampled_from(["Tea", "Coffee"]), RIGHT),
        st.tuples(st.just("wait"), st.integers(1, 20)),
        st.tuples(st.just("delete"), WHO, RIGHT),
    ),
    min_size=15,
    max_size=40,
)
BEGINNING = st.tuples(ROLE, ROLE)


class Story:
    """Plays steps, and keeps in mind what the members' roles must be."""

    def __init__(self, spine: Spine, clock: Clock) -> None:
        self.spine, self.clock = spine, clock
        self.venture = uuid4()
        self.people = [uuid4() for _ in range(PEOPLE)]
        self.roles: dict[UUID, Role] = {}
        self.tokens: list[bytes] = []
        self.invites: list[UUID] = []
        self.versions: dict[UUID, int] = {}

    async def begin(self, roles: tuple[Role, ...]) -> None:
        """The first is the owner, those after have joined with these roles, the last has not."""
        founding = tenancy.FoundVenture(name="Tea", display_name="Ada")
        await self.spine.append(self.venture, founding, actor=Actor(account=self.people[0]))
        self.roles = {self.people[0]: "owner"}
        self.versions = {self.venture: 1, self.people[0]: 1}
        for number, role in enumerate(roles):
            assert await self.play(("invite", 0, role, 7))
            assert await self.play(("accept", number + 1, number))

    def version(self, entity: UUID, right: bool) -> int:
        return self.versions.get(entity, 0) + (0 if right else 1)

    def command(self, step: tuple[Any, ...]) -> Command | None:
        match step:
            case ("invite", _, role, days):
                self.tokens.append(tenancy.digest_of(tenancy.new_token(self.venture)))
                return tenancy.MakeInvite(digest=self.tokens[-1], role=role, days=days)
            case ("accept", _, number) if self.tokens:
                return tenancy.AcceptInvite(digest=self.tokens[number % len(self.tokens)], display_name="Bob")
            case ("revoke", _, number, right) if self.invites:
                invite = self.invites[number % len(self.invites)]
                return tenancy.RevokeInvite(invite=invite, version=self.version(invite, right))
            case ("role", _, whom, role, right):
                account = self.people[whom]
                return tenancy.ChangeRole(account=account, role=role, version=self.version(account, right))
            case ("remove", _, whom, right):
                account = self.people[whom]
                return tenancy.RemoveMember(account=account, version=self.version(account, right))
            case ("leave", _):
                return tenancy.LeaveVenture()
            case ("rename", _, name, right):
                return tenancy.ChangeVenture(name=name, version=self.version(self.venture, right))
            case ("delete", _, right):
                return tenancy.DeleteVenture(version=self.version(self.venture, right))
        return None

    async def play(self, step: tuple[Any, ...]) -> bool:
        """Whether it was carried out."""
        if step[0] == "wait":
            self.clock.forward(timedelta(days=step[1]))
            return False
        command, account = self.command(step), self.people[step[1]]
        if command is None:
            return False
        try:
            done = await self.spine.append(self.venture, command, actor=Actor(account=account))
        except Refused:
            return False
        self.judge(command, account)
        for event in done.events:
            fact = event.data
            self.versions[event.entity] = self.versions.get(event.entity, 0) + 1
            if isinstance(fact, tenancy.InviteMade):
                self.invites.append(fact.entity)
            elif isinstance(fact, tenancy.MemberJoined):
                assert fact.entity not in self.roles
                self.roles[fact.entity] = fact.role
            elif isinstance(fact, tenancy.RoleChanged):
                assert self.roles[fact.entity] == fact.before
                self.roles[fact.entity] = fact.role
            elif isinstance(fact, tenancy.MemberLeft | tenancy.MemberRemoved):
                del self.roles[fact.entity]
        assert "owner" in self.roles.values()
        return True

    def judge(self, command: Command, account: UUID) -> None:
        if isinstance(command, tenancy.AcceptInvite):
            return
        own = self.roles[account]
        if isinstance(command, tenancy.LeaveVenture):
            return
        assert own in ("owner", "manager")
        if isinstance(command, tenancy.MakeInvite | tenancy.ChangeRole):
            assert not tenancy.above(command.role, own)
        if isinstance(command, tenancy.RemoveMember | tenancy.ChangeRole):
            assert not tenancy.above(self.roles[command.account], own)
        if isinstance(command, tenancy.DeleteVenture):
            assert own == "owner"


@given(stories=st.lists(st.tuples(BEGINNING, STEPS), min_size=2, max_size=3))
@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking would replay hundreds of logs
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_people_do(database_addresses: Addresses, stories: list[tuple[Any, Any]]) -> None:
    asyncio.run(play(database_addresses, stories))


async def play(addresses: Addresses, stories: list[tuple[Any, Any]]) -> None:
    registry = Registry([tenancy.ROOM])
    async with opened(addresses.app, connections=2) as database:
        for beginning, steps in stories:
            clock = Clock()
            spine = Spine(database, registry, tenancy.Memberships(), bell=None, now=clock, new_id=new_id)
            story = Story(spine, clock)
            await story.begin(beginning)
            ended = False
            for step in steps:
                carried_out = await story.play(step)
                assert not (ended and carried_out), "a deleted venture changes no more"
                ended = ended or (step[0] == "delete" and carried_out)
            async with database.venture(story.venture) as scope:
                members = await tenancy.members(scope, None, 10)
                assert {member.account: member.role for member in members} == story.roles
                assert all(member.version == story.versions[member.account] for member in members)
                assert await verify_chain(scope) is None
                entries = [event.data async for event in read_all(scope, registry)]
            accepted = [fact.entity for fact in entries if isinstance(fact, tenancy.InviteAccepted)]
            assert len(accepted) == len(set(accepted)), "an invitation is good once"
            done = await replay(database, registry, story.venture)
            assert done.same, done.differences
