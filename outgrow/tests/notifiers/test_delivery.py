"""From a status to a real receiver through a real ledger: once, in order, whatever fails in between."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outgrow.ledger import open_ledger
from outgrow.notifiers.apprise import AppriseNotifier, AppriseNotifiers
from outgrow.notifiers.delivery import Retry, announce, deliver_due, parts
from outgrow.ports import Ledger, Message
from outgrow.quantities import DAY
from outgrow.testing import FixedClock, MemoryLedger

LOCK_STEP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


class Recorded:
    """A notifier that takes or refuses as it is told and remembers what it took."""

    def __init__(self, name: str = "recorded", refuses: Iterator[bool] | None = None) -> None:
        self.name = name
        self.taken: list[Message] = []
        self._refuses = refuses or iter(())

    def deliver(self, message: Message) -> str | None:
        if next(self._refuses, False):
            return "busy"
        self.taken.append(message)
        return None


def test_a_warning_is_delivered_once_and_resolved_once(make: Any, ledger: Ledger, receivers: Callable[[], Any]) -> None:
    receiver, clock = receivers(), FixedClock(make.now)
    notifiers = [AppriseNotifier("chat", "the file", receiver.url)]
    for minute, state in enumerate(["firing"] * 5 + ["quiet"] * 30 + ["approaching"] * 3):
        clock.at = make.now + 60 * minute
        points = [make.point(make.trigger(state, clock.at))]
        announce(ledger, points, make.declaration(), notifiers, clock)
        deliver_due(ledger, notifiers, clock)
    assert [title.split(":")[0] for title in receiver.titles] == ["Warning", "Resolved"]
    assert ledger.pending_deliveries(math.inf) == ()


def test_a_refused_message_is_tried_again_later_and_holds_back_its_followers(
    make: Any, ledger: Ledger, receivers: Callable[[], Any]
) -> None:
    receiver, clock = receivers(), FixedClock(make.now)
    receiver.answers = [500, 503]
    notifiers = [AppriseNotifier("chat", "the file", receiver.url)]
    for broken in (False, True):
        announce(ledger, [make.point(make.trigger("firing", broken=broken))], make.declaration(), notifiers, clock)
    first = deliver_due(ledger, notifiers, clock)
    assert [reason for _, _, reason in first.failed] != []
    assert deliver_due(ledger, notifiers, clock).failed == (), "it rests until it is due again"
    clock.advance(29)
    deliver_due(ledger, notifiers, clock)
    assert receiver.refused == 1
    clock.advance(1)
    deliver_due(ledger, notifiers, clock)
    assert (receiver.refused, receiver.titles) == (2, [])
    clock.advance(59)
    deliver_due(ledger, notifiers, clock)
    assert receiver.titles == [], "the second wait is twice as long"
    clock.advance(1)
    deliver_due(ledger, notifiers, clock)
    assert [title.split(":")[0] for title in receiver.titles] == ["Warning", "Critical"]


def test_one_receiver_that_is_down_costs_the_other_nothing(
    make: Any, ledger: Ledger, receivers: Callable[[], Any]
) -> None:
    good, bad, clock = receivers(), receivers(), FixedClock(make.now)
    bad.answers = [500] * 3
    both = (AppriseNotifier("chat", "line 1", bad.url), AppriseNotifier("chat#2", "line 2", good.url))
    notifiers = [AppriseNotifiers("chat", both)]
    announce(ledger, [make.point(make.trigger("firing"))], make.declaration(), notifiers, clock)
    for _ in range(8):
        deliver_due(ledger, notifiers, clock)
        clock.advance(60)
    assert (len(good.taken), len(bad.taken), bad.refused) == (1, 1, 3)


def test_a_new_process_goes_on_where_the_last_one_was(make: Any, tmp_path: Path) -> None:
    notifier, clock = Recorded(), FixedClock(make.now)
    for state in ["firing"] * 3 + ["quiet"] * 30:
        opened = open_ledger(tmp_path / "ledger.sqlite")
        announce(opened, [make.point(make.trigger(state, clock.at))], make.declaration(), [notifier], clock)
        deliver_due(opened, [notifier], clock)
        opened.close()
        clock.advance(60)
    assert [message.severity for message in notifier.taken] == ["warning", "resolved"]


KILLED = """
import os, signal, sys
from pathlib import Path
from outgrow.ledger import open_ledger
from outgrow.notifiers.delivery import deliver_due
from outgrow.testing import FixedClock

class Dying:
    name = "recorded"
    def deliver(self, message):
        with open(sys.argv[2], "a") as file:
            file.write(message.title + "\\n")
        os.kill(os.getpid(), signal.SIGKILL)

deliver_due(open_ledger(Path(sys.argv[1])), [Dying()], FixedClock(float(sys.argv[3])))
"""


def test_killed_between_sending_and_noting_it_is_sent_again_but_not_before_its_lease_is_over(
    make: Any, tmp_path: Path
) -> None:
    path, sent, clock, notifier = tmp_path / "ledger.sqlite", tmp_path / "sent", FixedClock(make.now), Recorded()
    opened = open_ledger(path)
    announce(opened, [make.point(make.trigger("firing"))], make.declaration(), [notifier], clock)
    opened.close()
    killed = subprocess.run([sys.executable, "-c", KILLED, path, sent, str(make.now)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(sent.read_text().splitlines()) == 1
    opened = open_ledger(path)
    clock.advance(Retry().lease_seconds - 1)
    deliver_due(opened, [notifier], clock)
    assert notifier.taken == []
    clock.advance(1)
    deliver_due(opened, [notifier], clock)
    deliver_due(opened, [notifier], clock)
    assert len(notifier.taken) == 1
    opened.close()


def test_two_processes_on_one_ledger_send_each_message_once(make: Any, tmp_path: Path) -> None:
    path, clock, taken = tmp_path / "ledger.sqlite", FixedClock(make.now), Recorded()
    names = [f"trigger-{number}" for number in range(12)]
    points = [make.point(*(make.trigger("firing", trigger=name, title=name) for name in names))]
    opened = open_ledger(path)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            mine = open_ledger(path)
            announce(mine, points, make.declaration(), [taken], clock)
            deliver_due(mine, [taken], clock)
            mine.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deliver_due(opened, [taken], clock)
    opened.close()
    assert not failures
    assert sorted(message.title for message in taken.taken) == sorted({message.title for message in taken.taken})
    assert len(taken.taken) == len(names)


def test_what_cannot_be_delivered_for_a_week_is_given_up_and_said(make: Any) -> None:
    ledger, clock = MemoryLedger(), FixedClock(make.now)
    notifier = Recorded(refuses=iter([True] * 10_000))
    announce(ledger, [make.point(make.trigger("firing"))], make.declaration(), [notifier], clock)
    given_up, tries = [], 0
    while clock.at < make.now + 9 * DAY:
        sent = deliver_due(ledger, [notifier], clock)
        given_up += sent.given_up
        tries += len(sent.failed)
        clock.advance(600)
    assert [(name, reason) for name, _, reason in given_up] == [("recorded", "busy")]
    assert 150 < tries < 200, "at most once an hour in the long run"


def test_a_notifier_that_breaks_does_not_end_the_recorder(make: Any) -> None:
    class Broken(Recorded):
        def deliver(self, message: Message) -> str | None:
            raise RuntimeError("with a s3cr3t inside")

    ledger, clock, good = MemoryLedger(), FixedClock(make.now), Recorded("good")
    notifiers = [Broken("broken"), good]
    announce(ledger, [make.point(make.trigger("firing"))], make.declaration(), notifiers, clock)
    sent = deliver_due(ledger, notifiers, clock)
    assert len(good.taken) == 1
    assert sent.failed[0][2] == "broken broke: RuntimeError"


def test_without_notifiers_nothing_is_taken_as_told(make: Any) -> None:
    ledger, clock, later = MemoryLedger(), FixedClock(make.now), Recorded()
    points = [make.point(make.trigger("firing"))]
    assert announce(ledger, points, make.declaration(), [], clock) == ()
    assert deliver_due(ledger, [], clock).delivered == ()
    assert len(announce(ledger, points, make.declaration(), [later], clock)) == 1


def test_memory_that_cannot_be_read_does_not_silence_a_warning(make: Any) -> None:
    ledger, clock, notifier = MemoryLedger(), FixedClock(make.now), Recorded()
    points = [make.point(make.trigger("firing"))]
    for content in (b"\xff", b"{}", b'[{"point": 1}]', json.dumps([1]).encode()):
        ledger.put_memory("delivery", "told", content)
        clock.advance(1)
        announce(ledger, points, make.declaration(), [notifier], clock)
    deliver_due(ledger, [notifier], clock)
    assert len(notifier.taken) == 4


steps = st.lists(
    st.tuples(
        st.sampled_from(["quiet", "approaching", "firing", "unknown"]),
        st.booleans(),
        st.sampled_from([1.0, 60.0, 700.0, 5000.0]),
        st.lists(st.booleans(), max_size=3),
    ),
    max_size=25,
)


@LOCK_STEP
@given(story=steps)
def test_whatever_fails_each_notifier_gets_every_message_once_and_in_order(make: Any, story: list[Any]) -> None:
    ledger, clock = MemoryLedger(), FixedClock(make.now)
    refusals: dict[str, list[bool]] = {"one": [], "two": []}

    def refusing(name: str) -> Iterator[bool]:
        while True:
            yield refusals[name].pop(0) if refusals[name] else False

    notifiers = [Recorded(name, refusing(name)) for name in refusals]
    decided: list[Message] = []
    for state, broken, seconds, fails in story:
        clock.advance(seconds)
        refusals["one"] += fails
        refusals["two"] += [not each for each in fails]
        triggers = [make.trigger(state, clock.at, broken=broken and state == "firing")]
        decided += announce(ledger, [make.point(*triggers)], make.declaration(), notifiers, clock)
        deliver_due(ledger, notifiers, clock)
    for _ in range(40):
        clock.advance(3600)
        deliver_due(ledger, notifiers, clock)
    for notifier in notifiers:
        lanes: dict[str, list[str]] = defaultdict(list)
        for message in notifier.taken:
            lanes[message.key.split("/")[0]].append(message.key)
        expected: dict[str, list[str]] = defaultdict(list)
        for message in decided:
            expected[message.key.split("/")[0]].append(message.key)
        assert lanes == expected


def test_waits_double_up_to_an_hour() -> None:
    waits = [Retry().wait(attempt) for attempt in range(1, 12)]
    assert waits[:3] == [30, 60, 120]
    assert waits[-1] == 3600
    assert waits == sorted(waits)
    assert Retry().wait(10_000) == 3600


def test_a_notifier_for_several_receivers_is_taken_apart() -> None:
    both = (AppriseNotifier("a", "x", "json://x"), AppriseNotifier("a#2", "y", "json://y"))
    assert [part.name for part in parts([AppriseNotifiers("a", both), Recorded("b")])] == ["a", "a#2", "b"]
