"""A venture with members of all roles, on a spine of all rooms and a clock of the test's own.

stage = await staged(database)
item = (await stage.do(stage.author, content.DraftItem(title="Oolong"))).entity
await stage.read(Notices())
assert await stage.kinds_told(stage.approver) == ["approval_asked"]
await stage.try_step(Step("approve", who=3, which=0))          # whatever it is, refused or not
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Final, LiteralString, NamedTuple
from uuid import UUID

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.database.scope import Row
from ventures.errors import Refused
from ventures.identifiers import new_id
from ventures.log.api import (
    Actor,
    Appended,
    Command,
    Consumer,
    Event,
    Fact,
    Registry,
    Room,
    Runner,
    Spine,
    Unit,
    read_all,
    replay,
    verify_chain,
)
from ventures.notifications import api as notifications
from ventures.planner import api as planner
from ventures.posts import api as posts
from ventures.tenancy import api as tenancy
from ventures.testing.log import Watch

PEOPLE: Final = tuple(Actor(account=UUID(int=number)) for number in range(1, 7))
"""Owner, manager, approver, author, viewer, and one who is no member yet."""
STEPS: Final = (
    *("draft", "edit", "comment", "deadline", "ask_changes", "publish", "day") * 2, *("submit", "approve") * 5,
    "delete", "clear", "fail", "fail_for_now", "doubt", "resolve", "out", "join", "role", "remove", "leave", "zone",
    "webhook", "disable",
)  # fmt: skip
"""What can be tried, the more often the more depends on it."""
ZONES: Final = ("Europe/Berlin", "Pacific/Auckland", "America/Los_Angeles", "UTC")


class Step(NamedTuple):
    """Something that somebody tries."""

    kind: str
    who: int
    which: int


class Say(Command, frozen=True, kw_only=True):
    """Facts as posts state them, whatever they were about."""

    feature: ClassVar[str] = "posts"
    action: ClassVar[str] = "view"
    facts: tuple[Any, ...]


async def say(unit: Unit, command: Say) -> list[Fact]:
    """The facts."""
    return list(command.facts)


ROOMS: Final = (
    tenancy.ROOM,
    content.ROOM,
    planner.ROOM,
    posts.ROOM,
    notifications.ROOM,
    Room("saying", {Say: say}, {}),
)


@dataclass
class Stage:
    """See above. items: the last two that were drafted."""

    spine: Spine
    watch: Watch
    venture: UUID
    items: list[UUID] = field(default_factory=list)
    webhooks: list[UUID] = field(default_factory=list)

    owner, manager, approver, author, viewer, stranger = PEOPLE

    @property
    def database(self) -> Database:
        return self.spine.database

    async def do(self, who: Actor, command: Command) -> Appended:
        """Raises: what the command does."""
        return await self.spine.append(self.venture, command, actor=who)

    async def join(self, who: Actor, role: tenancy.Role) -> None:
        """By an invitation."""
        token = tenancy.new_token(self.venture)
        await self.do(self.owner, tenancy.MakeInvite(digest=tenancy.digest_of(token), role=role))
        await self.do(who, tenancy.AcceptInvite(digest=tenancy.digest_of(token), display_name=role.capitalize()))

    async def item(self, identifier: UUID) -> content.Item:
        async with self.database.reading(self.venture) as scope:
            return await content.item(scope, identifier)

    async def drafted(self, who: Actor | None = None, title: str = "Oolong") -> UUID:
        """A new item, by the author."""
        made = (await self.do(who or self.author, content.DraftItem(title=title))).entity
        self.items = [*self.items[-1:], made]
        return made

    async def submitted(self, who: Actor | None = None) -> UUID:
        """A new item that waits for approval."""
        made = await self.drafted(who)
        await self.do(who or self.author, content.SubmitItem(item=made, version=(await self.item(made)).version))
        return made

    async def approve(self, item: UUID, who: Actor | None = None) -> None:
        await self.do(who or self.approver, content.ApproveItem(item=item, version=(await self.item(item)).version))

    async def read(self, *consumers: Consumer) -> None:
        """Returns when the consumers have read the log to its end, with nothing parked."""
        await Runner(self.database, self.spine.registry, consumers, now=self.watch).caught_up()
        for consumer in consumers:
            left = await self.rows("SELECT consumer, reason FROM parked_event WHERE venture = %(venture)s")
            assert not left, (consumer.name, left)

    async def rows(self, statement: LiteralString, **parameters: Any) -> list[Row]:
        """What a statement finds in the venture."""
        async with self.database.venture(self.venture) as scope:
            return await scope.all(statement, **parameters)

    async def events(self) -> list[Event[Any]]:
        """The whole log."""
        async with self.database.reading(self.venture) as scope:
            return [event async for event in read_all(scope, self.spine.registry)]

    async def kinds_told(self, who: Actor) -> list[str]:
        """The kinds of somebody's notices, the oldest first."""
        told = await self.rows(
            "SELECT kind FROM notice WHERE venture = %(venture)s AND target = '' AND account = %(who)s ORDER BY seq",
            who=who.account,
        )
        return [kind for (kind,) in told]

    async def replays(self) -> bool:
        """The law of the log, and its hash chain."""
        done = await replay(self.database, self.spine.registry, self.venture)
        assert done.same, done.differences
        async with self.database.reading(self.venture) as scope:
            assert await verify_chain(scope) is None
        return True

    async def try_steps(self, steps: Sequence[Step]) -> None:
        """One after the other; what is refused is left out."""
        for step in steps:
            try:
                await self.try_step(step)
            except Refused:
                continue

    async def try_step(self, step: Step) -> None:
        """Raises: Refused."""
        who = PEOPLE[step.who % len(PEOPLE)]
        match step.kind:
            case "draft":
                await self.drafted(who, f"Tea {step.which}")
            case "join" | "role" | "remove" | "leave":
                await self._of_member(step, who)
            case "zone":
                async with self.database.reading(self.venture) as scope:
                    found = await tenancy.venture(scope)
                zone = ZONES[step.which % len(ZONES)]
                await self.do(who, tenancy.ChangeVenture(version=found.version, name=found.name, zone=zone))
            case "webhook":
                made = await self.do(who, notifications.AddWebhook(url="https://a.example/", label="", types=("*",)))
                self.webhooks.append(made.entity)
            case "disable":
                if not self.webhooks:
                    return
                webhook = self.webhooks[step.which % len(self.webhooks)]
                await self.do(Actor(system="webhooks"), notifications.DisableWebhook(webhook=webhook, why="Gone."))
            case "day":
                self.watch.move(timedelta(hours=7 * (step.which + 1)).total_seconds())
            case _ if self.items:
                await self._of_item(step, who, self.items[step.which % len(self.items)])

    async def _of_member(self, step: Step, who: Actor) -> None:
        other = PEOPLE[step.which % len(PEOPLE)]
        assert other.account is not None
        role = tenancy.ROLES[(step.which + step.who) % len(tenancy.ROLES)]
        if step.kind == "join":
            async with self.database.reading(self.venture) as scope:
                belongs = {member.account for member in await tenancy.members(scope, None, len(PEOPLE))}
            if other.account not in belongs:
                await self.join(other, role)
        elif step.kind == "leave":
            await self.do(who, tenancy.LeaveVenture())
        else:
            async with self.database.reading(self.venture) as scope:
                version = (await tenancy.member(scope, other.account)).version
            if step.kind == "role":
                await self.do(who, tenancy.ChangeRole(account=other.account, version=version, role=role))
            else:
                await self.do(who, tenancy.RemoveMember(account=other.account, version=version))

    async def _of_item(self, step: Step, who: Actor, item: UUID) -> None:
        version, post = (await self.item(item)).version, UUID(int=item.int ^ 1)
        soon = self.watch() + timedelta(hours=20 * (step.which + 1))
        kind = ("sink", "mastodon")[step.which % 2]
        said: dict[str, tuple[Fact, ...]] = {
            "publish": (content.ItemPublished(entity=item, number=1),),
            "fail": (posts.PublishingFailed(entity=post, item=item, kind=kind, problem="It is full."),),
            "fail_for_now": (posts.PublishingFailed(entity=post, item=item, kind=kind, problem="Busy", retry_at=soon),),
            "doubt": (posts.PublishingUnknown(entity=post, item=item, kind=kind, problem="No answer."),),
            "resolve": (posts.PostResolved(entity=post, item=item, published=step.who % 2 == 0),),
            "out": (posts.PostPublished(entity=post, item=item, number=1, kind=kind, external_id="1"),),
        }
        if step.kind == "publish" and (await self.item(item)).state not in ("approved", "scheduled"):
            return  # posts look first
        if step.kind in said:
            await self.do(Actor(system="publisher"), Say(facts=said[step.kind]))
            return
        async with self.database.reading(self.venture) as scope:
            deadline = (await planner.deadlines(scope, [item])).get(item)
        commands: dict[str, Command] = {
            "edit": content.EditItem(item=item, version=version, title=f"Tea {version}"),
            "submit": content.SubmitItem(item=item, version=version),
            "approve": content.ApproveItem(item=item, version=version, note="Good."),
            "ask_changes": content.RequestChanges(item=item, version=version, note="Shorter."),
            "comment": content.AddComment(item=item, text="Really?"),
            "delete": content.DeleteItem(item=item, version=version),
            "deadline": planner.SetDeadline(
                item=item, when=planner.When(starts_at=soon), version=deadline.version if deadline else None
            ),
            "clear": planner.ClearDeadline(item=item, version=deadline.version if deadline else 1),
        }
        await self.do(who, commands[step.kind])


async def staged(database: Database, watch: Watch | None = None) -> Stage:
    """A new venture in Berlin; all of `PEOPLE` but the last are its members."""
    watch = watch or Watch()
    spine = Spine(database, Registry(ROOMS), tenancy.Memberships(), bell=None, now=watch, new_id=new_id)
    stage = Stage(spine, watch, new_id())
    await stage.do(stage.owner, tenancy.FoundVenture(name="Tea", zone="Europe/Berlin", display_name="Owner"))
    for who, role in zip(PEOPLE[1:], tenancy.ROLES[1:], strict=False):
        await stage.join(who, role)
    return stage
