"""Which events count how much of what."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ventures.billing.api import BillingPort, Metric
from ventures.content.api import ItemDeleted, ItemDrafted
from ventures.database.scope import Scope
from ventures.generation.api import DraftFinished
from ventures.log.api import Event, Fact
from ventures.posts.api import PostPublished
from ventures.tenancy.api import MemberJoined, MemberLeft, MemberRemoved

COUNTS: Final[Mapping[type[Fact], tuple[Metric, int]]] = MappingProxyType(
    {
        ItemDrafted: ("items", 1),
        ItemDeleted: ("items", -1),
        MemberJoined: ("members", 1),
        MemberLeft: ("members", -1),
        MemberRemoved: ("members", -1),
        PostPublished: ("posts", 1),
        DraftFinished: ("drafts", 1),
    }
)


class Metering:
    """The consumer "metering". What it tells billing is outside the transaction, and counted once a number."""

    name = "metering"
    target = ""
    handles: frozenset[str] | None = frozenset(fact.type for fact in COUNTS)

    def __init__(self, billing: BillingPort) -> None:
        self._billing = billing

    async def handle(self, scope: Scope, event: Event) -> None:
        metric, amount = COUNTS[type(event.data)]
        await self._billing.record_usage(event.venture, metric, amount, event.seq, event.at)

    async def forget(self, scope: Scope) -> None:
        """Nothing: billing counts a number once, so that reading the log again changes nothing."""
