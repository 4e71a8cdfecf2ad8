"""What other rooms may use of metering."""

from ventures.billing.api import BillingPort
from ventures.log.api import Consumer
from ventures.metering.counting import COUNTS, Metering
from ventures.metering.room import NEEDS, require_room_for, took, wrote


def consumers(billing: BillingPort) -> list[Consumer]:
    """The one that counts what is used."""
    return [Metering(billing)]


__all__ = ["COUNTS", "NEEDS", "Metering", "consumers", "require_room_for", "took", "wrote"]
