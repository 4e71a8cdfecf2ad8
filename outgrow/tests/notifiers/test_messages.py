"""What people read, frozen in ``golden/messages.txt``; it is written anew by ``OUTGROW_GOLDEN=write pytest``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from outgrow.notifiers.episodes import Event
from outgrow.notifiers.messages import compose
from outgrow.outlook.records import Crossing
from outgrow.quantities import DAY, Interval

GOLDEN = Path(__file__).parent / "golden" / "messages.txt"


def cases(make: Any) -> dict[str, Any]:
    since = make.now - 1200
    dated, vague = make.forecast(), make.forecast(breaks=make.refused(), start_by=None, origins=("simulated",))
    measured = {"measured_users": Interval(4100.0, 5400.0, 7000.0), "governs": "measured"}
    fact = {"trigger": "eu-contract", "title": "EU contract", "value": 1.0, "unit": "notes", "threshold": None}
    fact |= {"breaks_at": None, "reason": "1 note in 90 days"}
    late = make.forecast(start_by=make.now - 9 * DAY)
    wide = Crossing(
        15.0, "range", Interval(2100, 4000, 5200), Interval(make.now + 40 * DAY, make.now + 300 * DAY, float("inf"))
    )
    return {
        "a warning with a date": ("warning", make.point(make.trigger("firing", forecast=dated), **measured)),
        "a warning without a date, simulated": ("warning", make.point(make.trigger("firing", forecast=vague))),
        "a warning, a range, too late to start in time": (
            "warning",
            make.point(make.trigger("firing", forecast=make.forecast(breaks=wide, start_by=late.start_by))),
        ),
        "critical": (
            "critical",
            make.point(
                make.trigger("firing", value=16.1, broken=True, reason="16.1 s, above 5 s for 2 hours"), users_now=None
            ),
        ),
        "a fact": ("warning", make.point(make.trigger("firing", **fact))),
        "resolved": ("resolved", make.point(make.trigger("quiet", forecast=dated))),
        "resolved, still approaching": ("resolved", make.point(make.trigger("approaching"))),
        "approaching": (
            "approaching",
            make.point(make.trigger("approaching", forecast=dated), soonest="slow-search", **measured),
        ),
        "unknown": ("unknown", make.point(make.trigger("unknown"))),
        "seen": ("seen", make.point(make.trigger("quiet"))),
        "unwatched": ("unwatched", make.point()),
        "since": since,
    }


def rendered(make: Any) -> str:
    everything = cases(make)
    since = everything.pop("since")
    parts = []
    for name, (kind, point) in everything.items():
        trigger = point.triggers[0].trigger if point.triggers else "slow-search"
        event = Event(kind, "data-architecture", trigger, since, since)
        (message,) = compose([event], [point], make.declaration(), make.now, "1s=1d" if name == "seen" else "")
        link = f"\n[{message.url}]" if message.url else ""
        parts.append(f"=== {name} · {message.severity} · {message.key}\n{message.title}\n\n{message.body}{link}\n")
    return "\n".join(parts)


def test_messages_read_as_agreed(make: Any) -> None:
    text = rendered(make)
    if os.environ.get("OUTGROW_GOLDEN") == "write":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_lost_sight_of_many_is_one_message_by_reason(make: Any) -> None:
    names = ("slow-search", "b", "c")
    triggers = [
        make.trigger("unknown", trigger=name, title=name, reason="no answer" if name != "c" else "NaN")
        for name in names
    ]
    events = [Event("unknown", "data-architecture", name, make.now, make.now) for name in names]
    (message,) = compose(events, [make.point(*triggers)], make.declaration(), make.now)
    assert message.title == "Cannot be judged: 3 triggers"
    assert message.body.count("No answer.") == 1
    assert message.body.index("No answer.") < message.body.index(": b") < message.body.index("NaN.")


def test_an_approach_of_many_triggers_is_one_message_of_the_point(make: Any) -> None:
    triggers = [make.trigger("approaching", trigger=name, title=name) for name in ("one", "two")]
    events = [Event("approaching", "data-architecture", name, make.now, make.now) for name in ("one", "two")]
    (message,) = compose(events, [make.point(*triggers)], make.declaration(), make.now)
    assert "- one:" in message.body
    assert "- two:" in message.body


@pytest.mark.parametrize("kind", ["warning", "critical", "approaching"])
def test_each_message_says_what_a_reader_needs(make: Any, kind: Any) -> None:
    state = "approaching" if kind == "approaching" else "firing"
    point = make.point(make.trigger(state, forecast=make.forecast()), soonest="slow-search")
    event = Event(kind, "data-architecture", "slow-search", make.now, make.now)
    (message,) = compose([event], [point], make.declaration(), make.now)
    for needed in ("5 s", "15 s", "1,640 users now", "Forecast: it breaks at 5,400 (4,100–7,000) users", "start by",
                   "First: check that", "Next: outgrow forecast data-architecture"):  # fmt: skip
        assert needed in message.body, needed


@pytest.mark.parametrize("kind", ["warning", "critical", "resolved", "approaching"])
def test_a_handbook_on_the_web_is_where_the_message_leads(make: Any, kind: Any) -> None:
    state = {"approaching": "approaching", "resolved": "quiet"}.get(kind, "firing")
    declaration = make.declaration().model_copy(update={"handbook": "https://wiki.example.org/{point}"})
    for trigger in ("slow-search", "eu-contract"):  # the second has a runbook with an address of its own
        point = make.point(make.trigger(state, trigger=trigger), soonest=trigger)
        event = Event(kind, "data-architecture", trigger, make.now, make.now)
        (message,) = compose([event], [point], declaration, make.now)
        assert message.url == f"https://wiki.example.org/data-architecture#{trigger}"
        assert f"Handbook: {message.url}\n" in message.body
        assert ("https://example.org/runbooks/eu" in message.body) is (trigger == "eu-contract" and kind != "resolved")
