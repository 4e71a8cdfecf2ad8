"""The one permission table: role × feature → actions. Every feature asks it; nothing else decides who may do what."""

from types import MappingProxyType
from typing import Final, Literal, get_args

from ventures.errors import Forbidden

Role = Literal["owner", "manager", "approver", "author", "viewer"]
Feature = Literal[
    "tenancy", "content", "posts", "planner", "notifications", "analytics", "billing", "audit", "search", "generation"
]
Action = Literal["view", "draft", "publish", "approve", "manage"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
FEATURES: Final[tuple[Feature, ...]] = get_args(Feature)
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)

_ALL: Final[frozenset[Action]] = frozenset(ACTIONS)
_VIEW: Final[frozenset[Action]] = frozenset({"view"})
_DRAFT: Final[frozenset[Action]] = frozenset({"view", "draft"})
_APPROVE: Final[frozenset[Action]] = frozenset({"view", "draft", "publish", "approve"})
_NONE: Final[frozenset[Action]] = frozenset()

PERMISSIONS: Final = MappingProxyType[Role, MappingProxyType[Feature, frozenset[Action]]](
    {
        "owner": MappingProxyType(dict.fromkeys(FEATURES, _ALL)),
        "manager": MappingProxyType({feature: _VIEW if feature == "billing" else _ALL for feature in FEATURES}),
        "approver": MappingProxyType(
            {
                "tenancy": _VIEW,
                "content": _APPROVE,
                "posts": _APPROVE,
                "planner": _DRAFT,
                "notifications": _VIEW,
                "analytics": _VIEW,
                "billing": _NONE,
                "audit": _VIEW,
                "search": _VIEW,
                "generation": _DRAFT,
            }
        ),
        "author": MappingProxyType(
            {
                "tenancy": _VIEW,
                "content": _DRAFT,
                "posts": _DRAFT,
                "planner": _DRAFT,
                "notifications": _VIEW,
                "analytics": _VIEW,
                "billing": _NONE,
                "audit": _NONE,
                "search": _VIEW,
                "generation": _DRAFT,
            }
        ),
        "viewer": MappingProxyType(
            {
                "tenancy": _VIEW,
                "content": _VIEW,
                "posts": _VIEW,
                "planner": _VIEW,
                "notifications": _VIEW,
                "analytics": _VIEW,
                "billing": _NONE,
                "audit": _NONE,
                "search": _VIEW,
                "generation": _VIEW,
            }
        ),
    }
)


def may(role: Role, feature: Feature, action: Action) -> bool:
    """Whether the role may."""
    return action in PERMISSIONS[role][feature]


def above(role: Role, other: Role) -> bool:
    """Whether the first role is more than the second."""
    return ROLES.index(role) < ROLES.index(other)


def granted(role: Role, scopes: frozenset[str] | None) -> dict[Feature, list[Action]]:
    """All that the role allows, in the table's order; of a key, what its scopes leave of it."""
    return {
        feature: [
            action
            for action in ACTIONS
            if may(role, feature, action) and (scopes is None or permission(feature, action) in scopes)
        ]
        for feature in FEATURES
    }


def permission(feature: str, action: str) -> str:
    """As an API key's scope says it: "content:draft"."""
    return f"{feature}:{action}"


def require(role: Role, scopes: frozenset[str] | None, feature: str, action: str) -> None:
    """Returns where role and, for a key, its scopes allow it. Raises: Forbidden."""
    if action not in PERMISSIONS[role].get(feature, _NONE):  # type: ignore[call-overload]  # unknown features allow nothing
        raise Forbidden(f"Your role here is {role}, which does not include “{action}” for {feature}. Ask an owner.")
    if scopes is not None and permission(feature, action) not in scopes:
        raise Forbidden(f"This API key does not include {permission(feature, action)}. Make a key that does.")
