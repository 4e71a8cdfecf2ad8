"""outgrow.yaml as `ventures lookout` prints it, with what a story of minutes needs to be other.

What is changed stands in `changes`, as people are told it, and nowhere else; points, options, rules, team and costs
stay as they are shipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

POINT = "data-architecture"
TRIGGER = "slow-search"
LAYOUT_OF = {"tune": "tuned", "A": "buckets", "B": "pgvector"}
"""Which layout of the platform an option stands for."""
USERS_METRIC = "demo_users"
USUAL_SECONDS = 600
"""Between two searches of a user of the platform: one request in 30 s, one in twenty of them a search."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How the demo is made small. days: of the clock, a second. window: seconds over which a p95 is taken.

    warn, breaks: seconds, in place of the point's 5 s and 15 s. rounds, fitness_rounds, round_seconds, layouts:
    of proving, the layouts beside the one that is there; early: its share of the users that broke it.
    """

    days: int
    window: float
    warn: float
    breaks: float
    rounds: int
    round_seconds: float
    layouts: tuple[str, ...] = ("tuned", "buckets", "pgvector")
    fitness_rounds: int = 20
    early: float = 0.5


def declared(text: str, scale: Scale, users_url: str) -> str:
    """The demo's declaration from the platform's."""
    file = yaml.safe_load(text)
    factor = scale.days * 86_400
    file["time_scale"] = f"1s={scale.days}d"
    file.pop("utilisation", None)
    for signal in file["signals"].values():
        _scaled(signal, factor, scale.window)
    file["signals"]["registered_users"].update({"metric": USERS_METRIC, "title": "users of the demo"})
    point = next(one for one in file["points"] if one["id"] == POINT)
    trigger = next(one for one in point["triggers"] if one["id"] == TRIGGER)
    trigger.update(
        {"threshold": f"{scale.warn * 1000:.0f}ms", "breaks_at": f"{scale.breaks * 1000:.0f}ms", "for": "1d"}
    )
    point["triggers"] = [trigger]
    point["migration"]["pace"] = {"most_lag": "5s"}  # a p95 over seconds is too old by the next look
    file["sources"][0]["targets"].append(users_url)
    return _written(file)


def changes(scale: Scale, search_seconds: float) -> list[tuple[str, str, str]]:
    """What `declared` changes: what, as the platform ships it, as it is here."""
    limits = f"{scale.warn * 1000:.0f} ms, {scale.breaks * 1000:.0f} ms"
    return [
        ("time_scale", "a second is one", f"a second is {scale.days} days; simulated dates"),
        ("windows", "5 to 60 minutes", f"{scale.window:g} s, and rates by the real second"),
        ("utilisation", "CPU of the busiest", "none: it is counted anew every 2 s only"),
        ("registered_users", "accounts", "users at work, as this story counts them"),
        ("a user searches every", f"{USUAL_SECONDS} s", f"{search_seconds:g} s: fewer users are the wall"),
        ("slow-search warns, breaks at", "5 s, 15 s", limits),
        ("  and fires after", "10 minutes", "1 day of that clock"),
        ("other triggers of the point", "three", "none: minutes do not bring them about"),
        ("pace of the move", "by p95, and shadow reads", "by lag alone"),
        ("sources", "the platform", "the platform, and this story of users"),
    ]


def to_prove(text: str, scale: Scale, users: int, per_second: float, passages: int) -> str:
    """The declaration with the wall that was measured instead of the one that was declared, and an experiment.

    users, per_second: at which it broke. It is to be done at `scale.early` of them: there the layout that breaks can
    still be asked at all, so that the others can be compared with it; with all of the data.
    """
    file = yaml.safe_load(text)
    point = next(one for one in file["points"] if one["id"] == POINT)
    early = int(users * scale.early)
    point.update({"monitor_from": early // 2, "decide_by": early * 3 // 4, "complete_before": early})
    point["experiment"] = {
        "kind": "ventures-layouts",
        "arms": [{"id": "shared"}, *({"id": layout, "option": _option_of(layout)} for layout in scale.layouts)],
        "passages": passages,
        "capacity": False,
        "users": early,
        "rate": round(per_second * scale.early, 1),
        "rounds": scale.rounds,
        "fitness_rounds": scale.fitness_rounds,
        "round_seconds": f"{round(scale.round_seconds * 1000)}ms",
    }
    return _written(file)


def retargeted(text: str, layout: str) -> str:
    """The declaration with another layout to move to."""
    file = yaml.safe_load(text)
    next(one for one in file["points"] if one["id"] == POINT)["migration"]["target"] = layout
    return _written(file)


def validated(text: str, layout: str, per_second: float) -> str:
    """The declaration with what the finished move is held against: both layouts, at twice what broke the old one."""
    file = yaml.safe_load(text)
    point = next(one for one in file["points"] if one["id"] == POINT)
    workload = {**point["experiment"], "arms": [{"id": "shared"}, {"id": layout, "option": _option_of(layout)}]}
    point["validation"] = {
        "workload": workload,
        "before": "shared",
        "after": layout,
        "current_rate": round(per_second, 1),
    }
    return _written(file)


def _option_of(layout: str) -> str:
    return next(option for option, known in LAYOUT_OF.items() if known == layout)


def _written(file: Any) -> str:
    return yaml.safe_dump(file, sort_keys=False, allow_unicode=True, width=120)


def _scaled(signal: Any, factor: int, window: float) -> None:
    """What counts by the second is multiplied, so that it is by the real second, as a load test's figures are."""
    if signal.get("rate"):
        signal["scale"] = factor
    if any(name in signal for name in ("rate", "quantile", "ratio")):
        signal["window"] = f"{round(window * factor)}s"


def put(path: Path, text: str) -> None:
    """Writes the declaration."""
    path.write_text(text, encoding="utf-8")


def forecast_of(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The trigger's own part of `outgrow forecast POINT --json`."""
    triggers: list[dict[str, Any]] = told["points"][0]["triggers"]
    return next(one for one in triggers if one["trigger"] == TRIGGER)
