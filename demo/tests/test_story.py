"""What the story makes of what it is told: when it fails, and what it moves to. Commands are stood in for."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from demo import declaring
from demo.chapters import options, wall
from demo.figures import Bounds
from demo.growing import Window
from demo.plans import FULL
from demo.platform import Platform
from demo.story import Foretold, Load, Story
from demo.telling import Done, Teller
from demo.users import Users

SHIPPED = (files("ventures") / "outgrow.yaml").read_text(encoding="utf-8")
ARM = {"p50_seconds": 0.01, "p95_seconds": 0.02, "recall": 1.0, "memory_bytes": 1e8}
PROVED = {
    "ended": "finished",
    "sentence": "tune keeps its trigger quiet.",
    "reasons": ["The service as it is was untuned."],
    "baseline_tuned": False,
    "arms": [{"id": "shared", "option": None, **ARM}, {"id": "tuned", "option": "tune", **ARM, "recall": None}],
}
PLANNED: dict[str, Any] = {
    "feasible": False,
    "verdict": {"code": "not-carried", "sentence": "Two people cannot carry this."},
    "rewrites": [
        {
            "number": 1,
            "option": "tune",
            "option_title": "Tune",
            "who": "person 1",
            "start": "2027-03-02",
            "finish": {"p50": "2027-03-08"},
            "wall": {"p50": None},
            "past": False,
            "in_time_ratio": 0.5,
        }
    ],
    "reason": None,
}
REFUSED = {"feasible": None, "reason": "How many users there are is not known.", "rewrites": []}
UNFIT = {"ended": "unfit", "sentence": "This machine is unfit to judge.", "arms": [], "reasons": []}


class StandIn(Teller):
    """Answers commands from what it is given, by their first word, one after the other."""

    def __init__(self, folder: Path, answers: dict[str, list[dict[str, Any]]]) -> None:
        super().__init__({}, folder, plain=True)
        self.answers = answers
        self.ran: list[str] = []

    def run(self, command: str, *words: str, **how: Any) -> Done:
        self.ran.append(" ".join((command, *words)))
        return Done(0, json.dumps(self.answers[words[0]].pop(0)), "", 0.0)


def story_of(folder: Path, answers: dict[str, list[dict[str, Any]]], vectors: tuple[float, ...] = ()) -> Story:
    teller = StandIn(folder, answers)
    story = Story(FULL, teller, Platform(folder / "data", {}), folder, Users())
    declaring.put(story.config, declaring.declared(SHIPPED, FULL.scale, "http://127.0.0.1:9/metrics"))
    story.steps = [Window(100 * (place + 1), 10.0, vector, 0.0) for place, vector in enumerate(vectors)]
    story.reports = [("growth-0.json", place) for place in range(len(vectors))]
    whole = {"p50_seconds": 0.01, "p95_seconds": 0.2}
    steps = [{"offered_per_second": 10.0, "whole": whole, "errors": {}, "dropped": 0} for _ in vectors]
    (folder / "growth-0.json").write_text(json.dumps({"steps": steps}))
    return story


@pytest.mark.parametrize(
    ("said", "days", "faults"),
    [
        (Bounds(200, 300, 900), None, 0),
        (Bounds(50, 60, 70), None, 0),
        (Bounds(1200, 1300, 1400), None, 1),
        (Bounds(200, 300, 900), Bounds(500, 600, 700), 1),
        (None, None, 1),
    ],
)
def test_it_fails_where_the_warning_came_late(
    tmp_path: Path, said: Bounds | None, days: Bounds | None, faults: int
) -> None:
    story = story_of(tmp_path, {}, (0.01, 0.2, 0.02, 0.03, 0.03, 0.03, 0.04, 0.05, 0.15, 0.2))
    story.foretold = [Foretold(700, 7, "2027-01-01", said, days)]
    wall.told(story)
    assert len(story.faults) == faults
    assert story.before is not None
    assert story.before.users == 900, "the first of those that lasted, not the stall before"


@pytest.mark.parametrize(
    ("proofs", "decided", "layout", "commands"),
    [
        ([PROVED], "tune", "tuned", 3),
        ([UNFIT, PROVED], "A", "buckets", 4),
        ([UNFIT, UNFIT], None, "buckets", 2),
        ([PROVED], None, "buckets", 3),
    ],
)
def test_what_is_decided_is_moved_to_and_a_noisy_machine_is_no_failure(
    tmp_path: Path, proofs: list[dict[str, Any]], decided: str | None, layout: str, commands: int
) -> None:
    ruled = {"verdict": "stay" if decided else "inconclusive", "option": decided, "reasons": ["for this."]}
    story = story_of(tmp_path, {"prove": list(proofs), "decide": [ruled], "plan": [PLANNED if decided else REFUSED]})
    story.before = Load(500, 100.0, 0.15, 0.1, 0.05, 0.2, 0)
    story.foretold = [Foretold(300, 6, "2027-03-01", None, None)]
    options.told(story)
    assert story.layout == layout
    assert not story.faults
    assert isinstance(story.teller, StandIn)
    assert len(story.teller.ran) == commands
    planned = [one for one in story.teller.ran if one.startswith("outgrow plan --as-of 2027-03-01 ")]
    assert [f" --option data-architecture={decided} " in one for one in planned] == [bool(decided)] * len(planned)


def test_a_rewrite_that_is_past_has_no_chance_and_one_without_a_wall_in_sight_says_so() -> None:
    one = PLANNED["rewrites"][0]
    assert options.rewrite(one) == ("1 Tune", "person 1", "2027-03-02", "2027-03-08", "not in sight", "50%")
    past = {**one, "past": True, "in_time_ratio": None, "option": "A", "wall": {"p50": "2027-02-01"}}
    assert options.rewrite(past)[0::4] == ("1A Tune", "past already")
    assert options.rewrite(past)[-1] == "–"
