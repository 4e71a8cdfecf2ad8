from __future__ import annotations

from typing import Any

import pytest

from outgrow.outlook.records import Crossing, Doubt, Forecast, Refusal
from outgrow.outlook.status import PointStatus, TriggerStatus
from outgrow.points.declaration import Declaration
from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text
from outgrow.quantities import DAY, Interval

NOW = 1_800_000_000.0  # 15 Jan 2027, 08:00 UTC


@pytest.fixture(scope="session")
def venture_platform() -> Declaration:
    return parse_declaration(template_text("venture-platform"), "venture-platform.yaml")


def make_declaration(**changes: Any) -> Declaration:
    """One point with every shape of trigger the exports treat differently; ``changes`` go to its first trigger."""
    first = {
        "id": "slow-search",
        "title": "search is slow",
        "signal": "search.p95",
        "threshold": 5,
        "breaks_at": 15,
        "for": "10m",
        "runbook": "https://example.org/runbooks/search",
    }
    return Declaration.model_validate(
        {
            "apiVersion": "outgrow/v1",
            "name": "a service",
            "users": {"signal": "users"},
            "load": {"signal": "load"},
            "signals": {
                "users": {"unit": "users", "metric": "users", "value": True, "across": "max"},
                "load": {"unit": "per_second", "metric": "requests_total", "rate": True},
                "search.p95": {"unit": "seconds", "metric": "search_seconds", "quantile": 0.95},
                "search-p95": {
                    "unit": "seconds",
                    "promql": "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m])))",
                },
                "success": {"unit": "ratio", "metric": "ok_total", "ratio": {"metric": "all_total"}},
                "queue": {"unit": "requests", "metric": "queue", "value": True},
                "regions": {"unit": "users", "metric": "active", "value": True, "by": "region"},
            },
            "points": [
                {
                    "id": "data",
                    "title": "Data",
                    "headline": "search unusable",
                    "monitor_from": 1000,
                    "decide_by": 1500,
                    "complete_before": 2000,
                    "triggers": [
                        first | changes,
                        {"id": "failing", "signal": "success", "threshold": "95%", "direction": "below", "for": "5m"},
                        {"id": "queueing", "signal": "queue", "threshold": 100, "when": "normal-load"},
                        {"id": "spread", "kind": "spread", "signal": "regions", "threshold": 3},
                        {"id": "outpaced", "kind": "grows-faster-than-users", "signal": "queue", "threshold": 0.8},
                        {"id": "contract", "kind": "fact"},
                        {"id": "confirming", "signal": "search-p95", "threshold": 1, "confirms": True},
                    ],
                }
            ],
        }
    )


@pytest.fixture
def declare() -> Any:
    return make_declaration


def make_trigger(state: Any, **changes: Any) -> TriggerStatus:
    fields: dict[str, Any] = {
        "point": "data",
        "trigger": "slow-search",
        "title": "search is slow",
        "state": state,
        "value": None if state == "unknown" else 3.1,
        "unit": "seconds",
        "threshold": 5.0,
        "breaks_at": 15.0,
        "reason": "the source did not answer" if state == "unknown" else "3.1 s, the limit is 5 s",
        "since": NOW - 600,
    }
    return TriggerStatus(**(fields | changes))


def make_point(state: Any, *triggers: TriggerStatus, **changes: Any) -> PointStatus:
    fields: dict[str, Any] = {
        "id": "data",
        "title": "Data",
        "state": state,
        "sentence": "Data: search is slow (6.2 s, above 5 s for 20 minutes). Declared 2,000 users.",
        "triggers": triggers,
        "declared_users": 2000,
        "measured_users": Interval(4100.0, 5400.0, 7000.0),
        "governs": "measured",
        "users_now": 1640.0,
        "watched_from": 1000.0,
        "soonest": "slow-search",
        "start_by": NOW + 39 * DAY,
    }
    return PointStatus(**(fields | changes))


def make_forecast(**changes: Any) -> Forecast:
    dated = Crossing(
        limit=15.0,
        verdict="dated",
        users_at_limit=Interval(4100.0, 5400.0, 7000.0),
        crossing=Interval(NOW + 60 * DAY, NOW + 110 * DAY, NOW + 170 * DAY),
        doubt=Doubt(0.7, 0.3),
    )
    refusal = Refusal("not-knowable-yet", "not knowable yet", "run a ramp, then `outgrow import ramp.csv`")
    unknown = Crossing(limit=5.0, verdict="unknown", users_at_limit=Interval(3100.0, 9000.0, 40000.0), refusal=refusal)
    fields: dict[str, Any] = {
        "made_at": NOW,
        "digest": "abc",
        "users_now": 1640.0,
        "growth_per_month": Interval(0.1, 0.12, 0.15),
        "warn": unknown,
        "breaks": dated,
        "start_by": NOW + 39 * DAY,
        "steps": ("users grow by 12 % a month", "so `5,400` users come in May"),
        "origins": ("measured",),
    }
    return Forecast(**(fields | changes))


@pytest.fixture
def make() -> type:
    """The builders, as one name."""

    class Make:
        now = NOW
        declaration = staticmethod(make_declaration)
        forecast = staticmethod(make_forecast)
        trigger = staticmethod(make_trigger)
        point = staticmethod(make_point)

    return Make
