"""outgrow.yaml as `ventures lookout` prints it, with what a story of minutes needs to be other.

Changed are the clock, the windows, where users are counted, the limit of the vector search, and how long measuring
takes; points, options, rules, team and the way of moving stay as they are shipped.
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
PASSAGES_A_USER = 20


@dataclass(frozen=True, slots=True)
class Scale:
    """How the demo is made small. days: of the clock, a second. window: seconds over which a p95 is taken.

    warn, breaks: seconds, in place of the point's 5 s and 15 s. rounds, round_seconds: of proving; early: its
    share of the users that broke it.
    """

    days: int
    window: float
    warn: float
    breaks: float
    rounds: int
    round_seconds: float
    early: float = 0.6


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


def to_prove(text: str, scale: Scale, users: int, per_second: float) -> str:
    """The declaration with the wall that was measured instead of the one that was declared, and an experiment.

    users, per_second: at which it broke. It is to be done at `scale.early` of them: there the layout that breaks can
    still be asked at all, so that the others can be compared with it; with the data of all of them.
    """
    file = yaml.safe_load(text)
    point = next(one for one in file["points"] if one["id"] == POINT)
    early = int(users * scale.early)
    point.update({"monitor_from": early // 2, "decide_by": early * 3 // 4, "complete_before": early})
    point["experiment"] = {
        "kind": "ventures-layouts",
        "arms": [{"id": "shared"}, {"id": "tuned", "option": "tune"}, {"id": "buckets", "option": "A"}],
        "passages": users * PASSAGES_A_USER,
        "users": early,
        "rate": round(per_second * scale.early, 1),
        "rounds": scale.rounds,
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
