"""From a status to people, through the ledger's outbox.

What holds, also after kill -9 at any moment and with two processes on one ledger:

* What was decided and what is remembered of it are written in one transaction: a message is put into the outbox once.
* Delivery is at least once. A message is claimed for ``lease_seconds`` before it is sent, so that two processes do not
  send it both; one that dies after sending and before noting it lets it be sent a second time, when the lease is over.
  That gap cannot be closed without the receiver's help.
* For each notifier, the messages of one point go out in the order in which they were decided. One that fails holds
  back those after it, never those of other points or notifiers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from outgrow.notifiers.episodes import Memory, Patience, Told, follow
from outgrow.notifiers.messages import compose
from outgrow.outlook.status import PointStatus
from outgrow.points.declaration import Declaration
from outgrow.ports import Clock, Delivery, Ledger, Message, Notifier
from outgrow.quantities import DAY, HOUR, MINUTE

_SOURCE, _KEY = "delivery", "told"


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed delivery is tried again: after ``first_seconds``, then twice as long each time, up to a longest."""

    first_seconds: float = 30.0
    longest_seconds: float = HOUR
    lease_seconds: float = 2 * MINUTE
    give_up_after_seconds: float = 7 * DAY

    def wait(self, attempts: int) -> float:
        """Seconds to wait after the ``attempts``-th failure (≥ 1)."""
        return float(min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempts - 1, 60)))


@dataclass(frozen=True, slots=True)
class Sent:
    """What one pass through the outbox did.

    ``delivered`` holds titles; ``failed`` (notifier, title, reason) of what will be tried again, ``given_up`` of what
    will not.
    """

    delivered: tuple[str, ...] = ()
    failed: tuple[tuple[str, str, str], ...] = ()
    given_up: tuple[tuple[str, str, str], ...] = ()


def announce(
    ledger: Ledger,
    points: Sequence[PointStatus],
    declaration: Declaration,
    notifiers: Sequence[Notifier],
    clock: Clock,
    patience: Patience | None = None,
) -> tuple[Message, ...]:
    """Decide what follows from the status of all declared points and put it into the outbox; nothing is sent here.

    Returns the new messages. Without notifiers nothing is put there, and nothing is remembered as told.
    """
    names = [part.name for part in parts(notifiers)]
    if not names:
        return ()
    now = clock.now()
    with ledger.transaction():
        _take_turn(ledger)
        memory, events = follow(_load(ledger.memory(_SOURCE, _KEY)), points, now, patience)
        messages = compose(events, points, declaration, now, clock.scale)
        for message in messages:
            for name in names:
                ledger.add_delivery(f"{name}|{message.key}", message, now)
        ledger.put_memory(_SOURCE, _KEY, _dump(memory))
    return messages


def deliver_due(ledger: Ledger, notifiers: Sequence[Notifier], clock: Clock, retry: Retry | None = None) -> Sent:
    """Send what is due. After a failure, that notifier rests until the next pass."""
    rule = retry or Retry()
    by_name = {part.name: part for part in parts(notifiers)}
    resting: set[str] = set()
    delivered: list[str] = []
    failed: list[tuple[str, str, str]] = []
    given_up: list[tuple[str, str, str]] = []
    while by_name and ledger.pending_deliveries(clock.now()):
        now = clock.now()
        with ledger.transaction():
            _take_turn(ledger)
            waiting = [delivery for delivery in ledger.pending_deliveries(math.inf) if math.isfinite(delivery.due)]
            for delivery in waiting:
                if now - delivery.created_at > rule.give_up_after_seconds:
                    ledger.mark_failed(delivery.key, delivery.reason, math.inf, delivery.attempts)
                    given_up.append((_notifier(delivery), delivery.message.title, delivery.reason))
            waiting = [each for each in waiting if now - each.created_at <= rule.give_up_after_seconds]
            due = next((each for each in _heads(waiting) if _sendable(each, now, by_name, resting)), None)
            if due is None:
                break
            attempts = due.attempts + 1
            claim = due.reason or "its delivery was begun and its end is not known"
            ledger.mark_failed(due.key, claim, now + rule.lease_seconds, attempts)
        reason = _try(by_name[_notifier(due)], due.message)
        if reason is None:
            ledger.mark_delivered(due.key, clock.now())
            delivered.append(due.message.title)
        else:
            ledger.mark_failed(due.key, reason, clock.now() + rule.wait(attempts), attempts)
            resting.add(_notifier(due))
            failed.append((_notifier(due), due.message.title, reason))
    return Sent(tuple(delivered), tuple(failed), tuple(given_up))


def parts(notifiers: Sequence[Notifier]) -> tuple[Notifier, ...]:
    """The notifiers, each that speaks for several receivers (has ``parts``) replaced by one for each of them.

    So a receiver that is down is tried again alone, and the others get nothing twice.
    """
    return tuple(part for notifier in notifiers for part in getattr(notifier, "parts", (notifier,)))


def _take_turn(ledger: Ledger) -> None:
    """Makes other processes wait at this line until the transaction ends, also on a database that lets many write."""
    ledger.put_memory(_SOURCE, "turn", b"")


def _heads(waiting: Sequence[Delivery]) -> list[Delivery]:
    """The oldest of each lane (notifier and point)."""
    heads: dict[str, Delivery] = {}
    for delivery in waiting:
        heads.setdefault(delivery.key.split("/", 1)[0], delivery)
    return list(heads.values())


def _sendable(delivery: Delivery, now: float, by_name: dict[str, Notifier], resting: set[str]) -> bool:
    name = _notifier(delivery)
    return delivery.due <= now and name in by_name and name not in resting


def _notifier(delivery: Delivery) -> str:
    return delivery.key.split("|", 1)[0]


def _try(notifier: Notifier, message: Message) -> str | None:
    try:
        return notifier.deliver(message)
    except Exception as error:  # a third party's notifier must not end the recorder
        return f"{notifier.name} broke: {type(error).__name__}"


def _dump(memory: Memory) -> bytes:
    return json.dumps([asdict(told) for _, told in sorted(memory.items())], separators=(",", ":")).encode()


def _load(content: bytes | None) -> dict[tuple[str, str], Told]:
    """What was remembered; nothing if it cannot be read, for better twice than never."""
    try:
        told = [Told(**entry) for entry in json.loads(content or b"[]")]
    except (ValueError, TypeError):
        return {}
    return {(each.point, each.trigger): each for each in told}
