"""The port to whoever takes the money. No card data ever passes through it: people pay on the provider's page."""

from typing import Literal, Protocol
from uuid import UUID

import msgspec

from ventures.billing.plans import Plan

State = Literal["pending", "paid", "failed"]


class Outcome(msgspec.Struct, frozen=True):
    """url: the provider's page on which people pay, while it is pending."""

    state: State
    url: str | None = None


class PaymentPort(Protocol):
    """A payment provider."""

    async def checkout(self, checkout: UUID, plan: Plan) -> Outcome:
        """Begins the payment, or says how it stands where it has begun: `checkout` is the idempotency key.

        Raises: Unavailable.
        """


class NoPayments:
    """For a platform that sells nothing: every checkout fails."""

    async def checkout(self, checkout: UUID, plan: Plan) -> Outcome:
        return Outcome("failed")


class PracticePayments:
    """A provider that moves no money: for trying the platform out and for tests. Every checkout ends as told.

    A pending one is settled later by `BillingPort.settle`, as a real provider's webhook would.
    """

    def __init__(self, outcome: State = "paid") -> None:
        self.outcome = outcome
        self._begun: dict[UUID, Outcome] = {}

    async def checkout(self, checkout: UUID, plan: Plan) -> Outcome:
        url = f"urn:ventures:practice-payment:{plan.id}:{checkout}" if self.outcome == "pending" else None
        return self._begun.setdefault(checkout, Outcome(self.outcome, url))
