"""What a member cares about in a venture: the mean of what they worked on, where older work counts for less."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid5

import numpy as np

from ventures.content import api as content
from ventures.search.embedding import normalised
from ventures.tenancy import api as tenancy
from ventures.vectors.api import Vector

HALF_LIFE: Final = timedelta(days=30)
"""After this time an act counts half: our own choice, about the length of a campaign."""

ACTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        content.ItemDrafted.type: 1.0,
        content.ItemApproved.type: 0.8,
        content.ItemEdited.type: 0.6,
        content.CommentAdded.type: 0.5,
    }
)
"""How much an act on an item says of who acted, by the event's type. Our own reading, not measured: to write a new item
is to choose its subject; to approve it is to stand for it; to edit is often to correct; to comment may be to disagree.
"""

GOING: Final = frozenset({tenancy.MemberRemoved.type, tenancy.MemberLeft.type})
"""Events after which nothing is known of the account that is their entity."""


@dataclass
class Preference:
    """Of one account, up to the event `seq`. weight: what all its acts together count, as of `at`; 0 where nothing is
    known, and then there is no vector. was_seq: `seq` in the table.
    """

    account: UUID
    weight: float
    at: datetime
    seq: int
    vector: Vector | None
    was_seq: int = 0

    def act(self, weight: float, on: Vector, at: datetime, seq: int) -> None:
        """Takes in one more act on something with this vector; what was taken in before changes nothing.

        Kept after each act with the precision of the table, so that it does not matter how many were taken in at once.
        """
        if seq <= self.seq:
            return
        total = weight * on.astype(np.float64)
        if self.vector is not None:
            total += self.weight * faded(at - self.at) * self.vector.astype(np.float64)
        self.weight = float(np.sqrt((total**2).sum()))
        self.vector = normalised(total[None, :])[0]
        self.at, self.seq = at, seq

    def forget(self, at: datetime, seq: int) -> None:
        """The member is gone."""
        if seq > self.seq:
            self.weight, self.vector, self.at, self.seq = 0.0, None, at, seq


def preference_id(venture: UUID, account: UUID) -> UUID:
    """The id of a member's preference among the venture's vectors."""
    return uuid5(venture, str(account))


def faded(age: timedelta) -> float:
    """What is left of an act's weight after so long."""
    return float(2.0 ** -(max(age, timedelta()) / HALF_LIFE))
