"""Who is told what; and that a member's notices follow from the log alone."""

from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.content import api as content
from ventures.database.pool import Database
from ventures.database.scope import Row
from ventures.log.api import Actor, Event, rewind
from ventures.notifications.api import RULES, Notices, Reminders
from ventures.planner import api as planner
from ventures.posts import api as posts
from ventures.tenancy import api as tenancy
from ventures.testing.notifications import PEOPLE, STEPS, Say, Stage, Step, staged

FEW = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BEGINNING = (Step("draft", 3, 0), Step("edit", 3, 0), Step("edit", 3, 0), Step("draft", 2, 0))
one = st.builds(Step, st.sampled_from(STEPS), st.sampled_from((0, 0, 1, 2, 2, 3, 3, 4, 5)), st.integers(0, 5))
steps = st.lists(one, min_size=10, max_size=40).map(lambda rest: [*BEGINNING, *rest])
TABLES: tuple[tuple[str, LiteralString], ...] = (
    ("notice", "SELECT * FROM notice WHERE venture = %(venture)s AND target = %(target)s ORDER BY account, seq"),
    ("member", "SELECT * FROM notice_member WHERE venture = %(venture)s AND target = %(target)s ORDER BY account"),
    ("item", "SELECT * FROM notice_item WHERE venture = %(venture)s AND target = %(target)s ORDER BY item"),
    ("reminder", "SELECT * FROM reminder WHERE venture = %(venture)s AND target = %(target)s ORDER BY entry"),
)


async def made(stage: Stage, target: str = "") -> dict[str, list[Row]]:
    """All the consumer made, without the target's name."""
    return {
        name: [(row[0], *row[2:]) for row in await stage.rows(statement, target=target)] for name, statement in TABLES
    }


async def told(stage: Stage) -> dict[str, list[str]]:
    await stage.read(Notices())
    names = ("owner", "manager", "approver", "author", "viewer", "stranger")
    return {name: await stage.kinds_told(who) for name, who in zip(names, PEOPLE, strict=True)}


@pytest.fixture
def joined() -> dict[str, list[str]]:
    """What everybody is told of the others' joining."""
    return {"owner": 4 * ["member_joined"], "manager": 3 * ["member_joined"]} | {
        name: [] for name in ("approver", "author", "viewer", "stranger")
    }


async def test_approvers_are_told_of_what_waits_and_the_author_of_what_came_of_it(
    stage: Stage, joined: dict[str, list[str]]
) -> None:
    item = await stage.submitted()
    await stage.do(
        stage.approver, content.RequestChanges(item=item, version=(await stage.item(item)).version, note="Shorter.")
    )
    await stage.do(stage.author, content.AddComment(item=item, text="Why?"))
    await stage.do(stage.approver, content.AddComment(item=item, text="Because."))
    for name in ("owner", "manager", "approver"):
        joined[name] = [*joined[name], "approval_asked"]
    joined["author"] = ["changes_requested", "commented"]
    assert await told(stage) == joined


async def test_an_approver_who_submits_is_not_asked_and_an_author_who_approves_is_not_told(
    stage: Stage, joined: dict[str, list[str]]
) -> None:
    item = await stage.submitted(stage.approver)
    await stage.approve(item, stage.approver)
    for name in ("owner", "manager"):
        joined[name] = [*joined[name], "approval_asked"]
    assert await told(stage) == joined


async def test_publishers_are_told_of_posts_that_are_not_out_for_good(
    stage: Stage, joined: dict[str, list[str]]
) -> None:
    item, post = await stage.drafted(), UUID(int=9)
    later = stage.watch() + timedelta(hours=1)
    failed: dict[str, Any] = {"entity": post, "item": item, "kind": "sink", "problem": "It is full."}
    facts = (posts.PublishingFailed(**failed, retry_at=later), posts.PublishingFailed(**failed))
    await stage.do(Actor(system="publisher"), Say(facts=(*facts, posts.PublishingUnknown(**failed))))
    for name in ("owner", "manager", "approver"):
        joined[name] = [*joined[name], "publishing_failed", "publishing_unknown"]
    assert await told(stage) == joined
    (notice, *_) = await stage.rows(
        "SELECT title, item, by, by_name, detail FROM notice WHERE venture = %(venture)s AND kind = 'publishing_failed'"
    )
    assert notice == ("Oolong", item, None, "", "It is full.")


async def test_a_member_is_told_of_their_role_and_nothing_after_they_left(stage: Stage) -> None:
    assert stage.approver.account is not None
    await stage.do(stage.owner, tenancy.ChangeRole(account=stage.approver.account, version=1, role="manager"))
    await stage.submitted()
    await stage.do(stage.approver, tenancy.LeaveVenture())
    assert stage.manager.account is not None
    await stage.do(stage.owner, tenancy.RemoveMember(account=stage.manager.account, version=1))
    await stage.submitted()
    found = await told(stage)
    assert found["approver"] == ["role_changed", "approval_asked"]
    assert found["manager"] == [*3 * ["member_joined"], "approval_asked"]
    assert found["owner"][-2:] == ["approval_asked", "approval_asked"]


async def test_a_rule_is_for_members_who_may_view_what_it_is_about() -> None:
    for rule in RULES.values():
        assert rule.to.feature in tenancy.FEATURES
        assert rule.to.action in tenancy.ACTIONS


@FEW
@given(steps)
async def test_only_other_members_who_may_view_are_told_and_all_of_it_follows_from_the_log(
    database: Database, sequence: list[Step]
) -> None:
    stage = await staged(database)
    await stage.try_steps(sequence)
    await stage.read(Notices())
    once = await made(stage)
    await _only_viewers(stage, await stage.events())

    for event in reversed(await stage.events()):  # at least once: any of them a second time, in any later turn
        async with stage.database.venture(stage.venture) as scope:
            await Notices().handle(scope, event)
    again = await made(stage)
    assert again["notice"] == once["notice"]
    assert again["member"] == once["member"]
    assert again["item"] == once["item"]

    await rewind(stage.database, Notices(), stage.venture)
    assert not any((await made(stage)).values())
    await stage.read(Notices())
    assert await made(stage) == once

    await stage.read(Notices(target="beside"))
    assert await made(stage, "beside") == once
    assert await stage.replays()


async def _only_viewers(stage: Stage, events: list[Event[Any]]) -> None:
    """Against a model of who was a member when."""
    notices = await stage.rows("SELECT seq, account, feature, by FROM notice WHERE venture = %(venture)s ORDER BY seq")
    roles: dict[UUID, tenancy.Role] = {}
    by_seq: dict[int, list[tuple[UUID, tenancy.Feature, UUID | None]]] = {}
    for seq, account, feature, by in notices:
        by_seq.setdefault(seq, []).append((account, feature, by))
    for event in events:
        match event.data:
            case tenancy.MemberJoined(role=role) | tenancy.RoleChanged(role=role):
                roles[event.entity] = role
            case tenancy.MemberLeft() | tenancy.MemberRemoved():
                roles.pop(event.entity, None)
        for account, feature, by in by_seq.get(event.seq, []):
            assert str(account) not in event.actor
            assert by != account
            assert tenancy.may(roles[account], feature, "view"), (event, account)


async def test_a_deadline_is_reminded_of_once_a_day_before_and_only_while_it_stands(stage: Stage) -> None:
    items = [await stage.drafted(title=title) for title in ("kept", "moved", "cleared", "published", "soon")]
    start = stage.watch()
    for item, days in zip(items, (3, 3, 3, 3, 0.5), strict=True):
        when = planner.When(starts_at=start + timedelta(days=days))
        await stage.do(stage.manager, planner.SetDeadline(item=item, when=when))
    await stage.do(
        stage.author,
        planner.SetDeadline(item=items[1], when=planner.When(starts_at=start + timedelta(days=9)), version=1),
    )
    await stage.do(stage.author, planner.ClearDeadline(item=items[2], version=1))
    await stage.do(Actor(system="publisher"), Say(facts=(content.ItemPublished(entity=items[3], number=1),)))
    reminders = Reminders(stage.database, stage.spine, stage.watch)

    async def reminded() -> list[str]:
        for _ in range(2):
            await stage.read(Notices())
            await reminders.turn()
            await reminders.turn()  # before the notice is there
        await stage.read(Notices())
        found = await stage.rows(
            "SELECT account, title FROM notice WHERE venture = %(venture)s AND kind = 'deadline_near' ORDER BY seq"
        )
        assert all(account == stage.author.account for account, _ in found)
        return [title for _, title in found]

    assert await reminded() == []
    stage.watch.move(timedelta(days=2, hours=-1).total_seconds())
    assert await reminded() == []
    stage.watch.move(timedelta(hours=1).total_seconds())
    assert await reminded() == ["kept"]
    stage.watch.move(timedelta(days=6).total_seconds())
    assert await reminded() == ["kept", "moved"]
    await rewind(stage.database, Notices(), stage.venture)
    assert await reminded() == ["kept", "moved"]
    assert sum(event.type == "notifications.deadline_near" for event in await stage.events()) == 2
    assert await stage.replays()
