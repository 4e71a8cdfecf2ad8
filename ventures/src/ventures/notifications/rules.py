"""Who is told what: the one table. Whoever did it is never told; who may not view the feature is never told."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec

from ventures.content import api as content
from ventures.log.api import Event, Fact, feature_of
from ventures.notifications.events import DeadlineNear, WebhookDisabled
from ventures.notifications.records import NoticeKind
from ventures.planner import api as planner
from ventures.posts import api as posts
from ventures.tenancy import api as tenancy


class To(msgspec.Struct, frozen=True):
    """Members: of the roles that may do `action` on `feature`; narrowed to the item's author, or the event's own
    account.
    """

    feature: tenancy.Feature
    action: tenancy.Action = "view"
    author: bool = False
    account: bool = False


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells whom. item, detail: taken from the event; when: which events of the type count.
    while_open: only while the item is neither published nor deleted.
    """

    kind: NoticeKind
    to: To
    item: Callable[[Event[Any]], UUID | None] = lambda _: None
    detail: Callable[[Event[Any]], str] = lambda _: ""
    when: Callable[[Event[Any]], bool] = lambda _: True
    while_open: bool = False


AUTHOR: Final = To("content", author=True)
PUBLISHERS: Final = To("posts", "publish")


def _entity(event: Event[Any]) -> UUID:
    return event.entity


def _of_item(event: Event[Any]) -> UUID:
    item: UUID = event.data.item
    return item


def _deadline(event: Event[Any]) -> bool:
    return bool(event.data.kind == "deadline")


RULES: Final[Mapping[type[Fact], Rule]] = MappingProxyType(
    {
        content.SubmittedForApproval: Rule(kind="approval_asked", to=To("content", "approve"), item=_entity),
        content.ItemApproved: Rule(kind="approved", to=AUTHOR, item=_entity, detail=lambda event: event.data.note),
        content.ChangesRequested: Rule(
            kind="changes_requested", to=AUTHOR, item=_entity, detail=lambda event: event.data.note
        ),
        content.ApprovalVoided: Rule(
            kind="approval_voided", to=AUTHOR, item=_entity, detail=lambda event: event.data.why
        ),
        content.CommentAdded: Rule(kind="commented", to=AUTHOR, item=_entity),
        content.ItemPublished: Rule(kind="published", to=AUTHOR, item=_entity),
        posts.PublishingFailed: Rule(
            kind="publishing_failed",
            to=PUBLISHERS,
            item=_of_item,
            detail=lambda event: event.data.problem,
            when=lambda event: event.data.retry_at is None,
        ),
        posts.PublishingUnknown: Rule(
            kind="publishing_unknown", to=PUBLISHERS, item=_of_item, detail=lambda event: event.data.problem
        ),
        planner.EntryPut: Rule(
            kind="deadline_set",
            to=To("planner", author=True),
            item=_of_item,
            detail=lambda event: event.data.starts_at.isoformat(),
            when=_deadline,
        ),
        DeadlineNear: Rule(
            kind="deadline_near",
            to=To("planner", author=True),
            item=_of_item,
            detail=lambda event: event.data.deadline_at.isoformat(),
            while_open=True,
        ),
        tenancy.MemberJoined: Rule(
            kind="member_joined",
            to=To("tenancy", "manage"),
            detail=lambda event: event.data.display_name,
        ),
        tenancy.RoleChanged: Rule(
            kind="role_changed", to=To("tenancy", account=True), detail=lambda event: event.data.role
        ),
        WebhookDisabled: Rule(
            kind="webhook_disabled", to=To("notifications", "manage"), detail=lambda event: event.data.why
        ),
    }
)


def roles(to: To) -> list[tenancy.Role]:
    """The roles whose members are told, by tenancy's table."""
    return [
        role
        for role in tenancy.ROLES
        if tenancy.may(role, to.feature, to.action) and tenancy.may(role, to.feature, "view")
    ]


def feature(rule: Rule) -> tenancy.Feature:
    """The feature whose viewers may see the notice."""
    return rule.to.feature


RULE_OF_TYPE: Final[Mapping[str, Rule]] = MappingProxyType({fact.type: rule for fact, rule in RULES.items()})
FEATURES: Final = frozenset(rule.to.feature for rule in RULES.values()) | {feature_of(fact.type) for fact in RULES}
