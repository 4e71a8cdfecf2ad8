from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from outgrow.outlook.records import Crossing, Forecast, Refusal
from outgrow.outlook.status import PointStatus, State, TriggerStatus
from outgrow.points.declaration import Declaration
from outgrow.quantities import DAY, Interval

NOW = 1_800_000_000.0  # 15 Jan 2027, 08:00 UTC


def make_declaration() -> Declaration:
    return Declaration.model_validate(
        {
            "apiVersion": "outgrow/v1",
            "users": {"signal": "registered_users"},
            "signals": {
                "registered_users": {"unit": "users", "metric": "registered_users", "value": True},
                "vector_p95": {"unit": "seconds", "metric": "vector_query_seconds", "quantile": 0.95},
            },
            "points": [
                {
                    "id": "data-architecture",
                    "title": "Data architecture",
                    "headline": "vector search unusable",
                    "monitor_from": 1000,
                    "complete_before": 2000,
                    "triggers": [
                        {
                            "id": "slow-search",
                            "title": "vector queries are slow",
                            "signal": "vector_p95",
                            "threshold": "5s",
                            "breaks_at": "15s",
                            "for": "10m",
                            "runbook": "check that the venture field is indexed as tenant",
                        },
                        {"id": "eu-contract", "kind": "fact", "runbook": "https://example.org/runbooks/eu"},
                    ],
                }
            ],
        }
    )


def make_forecast(**changes: object) -> Forecast:
    crossing = Crossing(
        limit=15.0,
        verdict="dated",
        users_at_limit=Interval(4100.0, 5400.0, 7000.0),
        crossing=Interval(NOW + 60 * DAY, NOW + 110 * DAY, NOW + 170 * DAY),
    )
    fields: dict[str, object] = {
        "made_at": NOW,
        "digest": "abc",
        "users_now": 1640.0,
        "growth_per_month": Interval(0.1, 0.12, 0.15),
        "warn": crossing,
        "breaks": crossing,
        "start_by": NOW + 39 * DAY,
        "origins": ("measured",),
    }
    return Forecast(**(fields | changes))  # type: ignore[arg-type]


def refused() -> Crossing:
    refusal = Refusal("not-knowable-yet", "not knowable yet: the curve is flat so far", "run a ramp to the limit")
    return Crossing(limit=15.0, verdict="unknown", users_at_limit=Interval(3100.0, 9000.0, 40000.0), refusal=refusal)


def make_trigger(state: State, since: float = NOW - 600, **changes: object) -> TriggerStatus:
    reasons = {
        "quiet": "3.1 s, the limit is 5 s",
        "approaching": "3.1 s, the limit is 5 s; the time to start is within 90 days",
        "firing": "6.2 s, above 5 s for 20 minutes",
        "unknown": "prometheus: no answer from 127.0.0.1:9090",
    }
    fields: dict[str, object] = {
        "point": "data-architecture",
        "trigger": "slow-search",
        "title": "vector queries are slow",
        "state": state,
        "value": None if state == "unknown" else 6.2 if state == "firing" else 3.1,
        "unit": "seconds",
        "threshold": 5.0,
        "breaks_at": 15.0,
        "reason": reasons[state],
        "since": since,
    }
    return TriggerStatus(**(fields | changes))  # type: ignore[arg-type]


def make_point(*triggers: TriggerStatus, **changes: object) -> PointStatus:
    fields: dict[str, object] = {
        "id": "data-architecture",
        "title": "Data architecture",
        "state": triggers[0].state if triggers else "quiet",
        "sentence": "",
        "triggers": triggers,
        "declared_users": 2000,
        "measured_users": None,
        "governs": "declared",
        "users_now": 1640.0,
        "watched_from": 1000.0,
    }
    return PointStatus(**(fields | changes))  # type: ignore[arg-type]


class Receiver:
    """A real HTTP server that takes apprise's webhook; ``answers`` are the codes it gives first, then 200."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.taken: list[dict[str, str]] = []
        self.refused = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                code = receiver.answers.pop(0) if receiver.answers else 200
                if code == 200:
                    receiver.taken.append(body)
                else:
                    receiver.refused += 1
                self.send_response(code)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"json://someone:s3cr3t-word@127.0.0.1:{self.server.server_port}/hook-t0ken"

    @property
    def titles(self) -> list[str]:
        return [body["title"] for body in self.taken]

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    started: list[Receiver] = []

    def start() -> Receiver:
        started.append(Receiver())
        return started[-1]

    yield start
    for receiver in started:
        receiver.stop()


@pytest.fixture
def make() -> type:
    """The builders, as one name."""

    class Make:
        now = NOW
        declaration = staticmethod(make_declaration)
        forecast = staticmethod(make_forecast)
        refused = staticmethod(refused)
        trigger = staticmethod(make_trigger)
        point = staticmethod(make_point)

    return Make
