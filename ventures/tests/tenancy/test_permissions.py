"""The permission table, and what a key leaves of it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ventures.errors import Forbidden
from ventures.tenancy.api import ACTIONS, FEATURES, PERMISSIONS, ROLES, above, granted, may, permission
from ventures.tenancy.permissions import require

SCOPES = st.none() | st.frozensets(st.sampled_from([permission(f, a) for f in FEATURES for a in ACTIONS]))


def test_a_higher_role_may_all_that_a_lower_one_may() -> None:
    for higher, lower in itertools.combinations(ROLES, 2):
        assert above(higher, lower)
        assert not above(lower, higher)
        for feature in FEATURES:
            assert PERMISSIONS[higher][feature] >= PERMISSIONS[lower][feature], (higher, lower, feature)


def test_an_owner_may_everything_and_a_viewer_changes_nothing() -> None:
    for feature, action in itertools.product(FEATURES, ACTIONS):
        assert may("owner", feature, action)
        assert action == "view" or not may("viewer", feature, action)


def test_who_may_anything_with_a_feature_may_see_it() -> None:
    for role, feature in itertools.product(ROLES, FEATURES):
        assert not PERMISSIONS[role][feature] or may(role, feature, "view")


@given(st.sampled_from(ROLES), SCOPES)
def test_what_is_granted_is_what_is_not_refused(role: str, scopes: frozenset[str] | None) -> None:
    shown = granted(role, scopes)  # type: ignore[arg-type]
    for feature, action in itertools.product(FEATURES, ACTIONS):
        allowed = may(role, feature, action) and (scopes is None or permission(feature, action) in scopes)  # type: ignore[arg-type]
        assert (action in shown[feature]) is allowed
        if allowed:
            require(role, scopes, feature, action)  # type: ignore[arg-type]
        else:
            with pytest.raises(Forbidden):
                require(role, scopes, feature, action)  # type: ignore[arg-type]


def test_what_is_no_feature_or_no_action_is_allowed_to_nobody() -> None:
    for role in ROLES:
        for feature, action in (("nothing", "view"), ("content", "burn"), ("tenancy", "join")):
            with pytest.raises(Forbidden):
                require(role, None, feature, action)
