"""From what is declared and known to a plan: the known plan, the laws, a recorded history, and what is refused."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outgrow.errors import UsageError
from outgrow.ledger import open_ledger
from outgrow.lookout import Lookout
from outgrow.outlook.records import Refusal
from outgrow.planning import PlanRequest, Reckoned, make_plan, reckon, stand
from outgrow.points.declaration import Costs, TimeOff
from outgrow.points.reading import parse_declaration
from outgrow.points.templates import template_text
from outgrow.ports import Ledger
from outgrow.quantities import DAY
from outgrow.schedule.records import Plan, PlannedRewrite
from outgrow.schedule.scenarios import problem_of
from outgrow.schedule.simulation import in_time_ratio, simulate
from outgrow.signals.series import Origin

TEMPLATE = parse_declaration(template_text("venture-platform"))
START = 1_609_718_400.0  # Monday, 4 January 2021, 00:00 UTC
NOW = START + 280 * DAY
GIVEN = PlanRequest(users=1000, growth_per_month=0.15, scenarios=100, gives=False)
MANY = replace(GIVEN, scenarios=500)


def planned(request: PlanRequest = GIVEN, lookout: Lookout | None = None, **changes: Any) -> Plan:
    answer = make_plan(changes.pop("file", TEMPLATE), lookout, request, now=NOW, **changes)
    assert isinstance(answer, Plan), answer
    return answer


def reckoned(request: PlanRequest = GIVEN, lookout: Lookout | None = None) -> Reckoned:
    answer = reckon(TEMPLATE, lookout, request, now=NOW)
    assert isinstance(answer, Reckoned), answer
    return answer


def refused(request: PlanRequest, lookout: Lookout | None = None) -> Refusal:
    answer = make_plan(TEMPLATE, lookout, request, now=NOW)
    assert isinstance(answer, Refusal)
    return answer


def told(rewrite: PlannedRewrite) -> dict[str, Any]:
    """A rewrite as plain data, without what other tests look at."""
    return {
        "what": f"{rewrite.candidate.number}{rewrite.candidate.option}",
        "start": rewrite.start.isoformat(),
        "window": [each.isoformat() for each in rewrite.start_window],
        "finish": [each and each.isoformat() for each in rewrite.finish],
        "wall": [each and each.isoformat() for each in rewrite.wall],
        "in_time": rewrite.in_time_ratio,
        "who": rewrite.who,
        "prototype": rewrite.prototype and [rewrite.prototype.start.isoformat(), rewrite.prototype.finish.isoformat()],
        "decide_by": rewrite.decide_by and rewrite.decide_by.isoformat(),
        "held_by": rewrite.held_by,
    }


GOLDEN = Path(__file__).parent / "schedule" / "goldens" / "plan-venture-platform.json"


def as_data(plan: Plan) -> dict[str, Any]:
    """A plan as plain data."""
    return {
        "made_on": plan.made_on.isoformat(),
        "in_time": plan.in_time_ratio,
        "feasible": plan.feasible,
        "growth": [plan.growth_per_month.mid, plan.growth_source],
        "rewrites": [told(rewrite) for rewrite in plan.rewrites],
        "not_planned": [list(each) for each in plan.not_planned],
        "notes": list(plan.notes),
    }


def test_the_plan_of_the_known_platform() -> None:
    """Write the golden anew with OUTGROW_WRITE_GOLDENS=1, and read it before you keep it."""
    if os.environ.get("OUTGROW_WRITE_GOLDENS"):
        GOLDEN.write_text(json.dumps(as_data(planned(MANY)), indent=1) + "\n", encoding="utf-8")
    assert as_data(planned(MANY)) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_the_same_request_gives_the_same_plan() -> None:
    assert planned() == planned()
    assert planned().digest != planned(replace(GIVEN, seed=1)).digest


@pytest.mark.parametrize(
    "request_",
    [
        replace(MANY, growth_per_month=0.25),
        replace(MANY, growth_per_month=0.2, options={"distribution": "B"}),
        replace(MANY, start_rule="at-milestone", growth_per_month=0.12),
    ],
)
def test_the_chance_of_a_plan_is_its_frequency_in_fresh_scenarios(request_: PlanRequest) -> None:
    made = reckoned(request_)
    fresh = reckoned(replace(request_, seed=4_711, scenarios=4_000)).case
    assert made.plan.solution is not None
    problem = problem_of(fresh)
    frequency = in_time_ratio(problem, simulate(problem, made.plan.solution.placement))
    chance = made.plan.in_time_ratio
    error = math.sqrt(max(chance * (1 - chance), 0.01) * (1 / 500 + 1 / 4_000))
    assert 0.3 < chance < 1
    assert frequency == pytest.approx(chance, abs=3 * error)


def test_more_growth_never_raises_the_chance() -> None:
    chances = [planned(replace(GIVEN, growth_per_month=rate)).in_time_ratio for rate in (0.1, 0.2, 0.22, 0.25, 0.4)]
    assert chances == sorted(chances, reverse=True)
    assert (chances[0], chances[-1] < 0.5) == (1.0, True)


def test_a_tighter_team_rule_never_raises_the_chance() -> None:
    chances = []
    for months in (0, 3, 5.5, 6, 9):
        team = TEMPLATE.team.model_copy(update={"months_between": months})
        file = TEMPLATE.model_copy(update={"team": team})
        chances.append(planned(replace(GIVEN, growth_per_month=0.25), file=file).in_time_ratio)
    assert chances == sorted(chances, reverse=True)
    assert len(set(chances)) > 2


def test_starting_at_the_milestones_never_raises_the_chance() -> None:
    waiting = planned(replace(GIVEN, start_rule="at-milestone"))
    assert waiting.in_time_ratio < planned().in_time_ratio
    assert not waiting.feasible


def test_what_would_be_feasible_depends_on_what_is_wanted() -> None:
    request = replace(GIVEN, growth_per_month=0.25)
    assert not planned(request).feasible
    assert planned(replace(request, wanted_ratio=0.3)).feasible


def test_what_gives_is_told_where_it_is_not_feasible_and_only_there() -> None:
    asked = replace(GIVEN, gives=True)
    assert planned(asked).gives == ()
    assert any(give.enough for give in planned(replace(asked, growth_per_month=0.25)).gives)


def test_a_point_that_is_done_leaves_room_for_the_others() -> None:
    plan = planned(replace(GIVEN, options={"state-management": "done", "backend-architecture": "C"}))
    assert [told(rewrite)["what"] for rewrite in plan.rewrites] == ["1A", "3C", "4A"]
    assert plan.not_planned == (("state-management", "done, as you say"),)


def test_a_decision_is_followed_unless_the_request_says_otherwise() -> None:
    decided = {"data-architecture": (2, "B")}
    first = planned(decided=decided).rewrites[0].candidate
    assert (first.option, first.decided) == ("B", 2)
    first = planned(replace(GIVEN, options={"data-architecture": "A"}), decided=decided).rewrites[0].candidate
    assert (first.option, first.decided) == ("A", None)


def test_without_growth_there_is_nothing_to_plan() -> None:
    plan = planned(replace(GIVEN, growth_per_month=0.0))
    assert (plan.rewrites, plan.in_time_ratio, plan.feasible, plan.solution) == ((), 1.0, True, None)
    assert len(plan.not_planned) == 4


def test_nobody_free_is_an_answer_and_what_gives_says_which() -> None:
    plan = planned(replace(GIVEN, people=1, gives=True, scenarios=50))
    assert (plan.rewrites, plan.in_time_ratio, plan.feasible) == ((), 0.0, False)
    assert plan.notes[-1] == "Nobody is free for a rewrite: of the one person, 1 must stay operational."
    assert {give.kind for give in plan.gives if give.enough} == {"one-more-person", "team-rule"}


def test_one_more_person_lets_one_more_rewrite_run() -> None:
    made = reckoned(replace(GIVEN, people=3))
    assert made.problem.free.tolist() == [2]
    assert made.plan.people == 3


def test_walls_that_are_past_are_planned_and_not_judged() -> None:
    plan = planned(replace(GIVEN, users=3000, growth_per_month=0.1))
    assert [rewrite.in_time_ratio is None for rewrite in plan.rewrites] == [True, False, False, False]
    assert plan.in_time_ratio == 1.0
    assert not plan.feasible  # a wall that is past is a finding, whatever comes after it
    assert plan.gives == ()
    assert plan.notes[-1].startswith("The limit is past already at data-architecture")


def test_days_on_which_nothing_advances_are_kept() -> None:
    freeze = TimeOff.model_validate({"kind": "freeze", "from": "2021-11-01", "to": "2022-02-10"})
    team = TEMPLATE.team.model_copy(update={"names": ("Ada", "Bo"), "calendar": (freeze,)})
    first = planned(file=TEMPLATE.model_copy(update={"team": team})).rewrites[0]
    assert first.who in ("Ada", "Bo")
    assert first.in_time_ratio == 1.0
    assert all(day is not None and not freeze.from_ <= day <= freeze.to for day in first.finish)
    assert first.prototype is not None
    assert first.prototype.calm
    assert first.prototype.finish <= freeze.from_


def test_an_option_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="data-architecture has no option 'Z'"):
        planned(replace(GIVEN, options={"data-architecture": "Z"}))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def record(
    ledger: Ledger,
    weeks: int = 40,
    growth_per_week: float = 0.015,
    origin: Origin = "imported",
    wandering: float = 0.0,
) -> Lookout:
    """Users up to 1,200 by the day; a vector store that needs 6 MB for each, so that 16 GB are used up by 2,700.

    ``wandering`` is the deviation of a random walk of log users, a week.
    """
    rng = np.random.default_rng(1)
    days = np.arange(7 * weeks)
    times = NOW - (days[::-1] + 0.5) * DAY
    walk = np.cumsum(wandering / math.sqrt(7) * np.random.default_rng(2).standard_normal(days.size))
    users = 1200 * np.exp(growth_per_week / 7 * (days - days[-1]) + walk - walk[-1])
    noise = np.exp(0.003 * rng.standard_normal((2, days.size)))
    ledger.add_samples("registered_users", times, users * noise[0], origin=origin, source="users.csv")
    ledger.add_samples("vector_memory", times, 6e6 * users * noise[1], origin=origin, source="memory.csv")
    return Lookout(TEMPLATE, ledger, NOW)


def test_a_plan_from_a_recorded_history(ledger: Ledger) -> None:
    lookout = record(ledger)
    plan = planned(PlanRequest(), lookout)
    assert plan.growth_source == "measured"
    assert plan.growth_per_month.mid == pytest.approx(math.expm1(0.015 * 365.25 / 84), rel=0.02)
    assert plan.users_now == pytest.approx(1200, rel=0.02)
    walls = {rewrite.candidate.point: rewrite.candidate.wall for rewrite in plan.rewrites}
    assert walls["data-architecture"].source == "measured"
    assert walls["data-architecture"].users.mid == pytest.approx(16e9 / 6e6, rel=0.05)
    assert walls["state-management"].source == "declared"
    first = plan.rewrites[0]
    assert first.wall[0] is not None
    assert first.wall[2] is not None
    assert first.wall[0] < first.wall[2]
    assert not plan.simulated


def test_what_if_growth_keeps_the_measured_walls(ledger: Ledger) -> None:
    plan = planned(PlanRequest(growth_per_month=0.1), record(ledger))
    assert (plan.growth_source, plan.rewrites[0].candidate.wall.source) == ("given", "measured")
    assert plan.users_now == pytest.approx(1200, rel=0.02)


def test_what_if_users_keeps_the_measured_growth(ledger: Ledger) -> None:
    lookout = record(ledger)
    more = stand(TEMPLATE, lookout, PlanRequest(users=2400), NOW)
    same = stand(TEMPLATE, lookout, PlanRequest(), NOW)
    assert not isinstance(more, Refusal)
    assert not isinstance(same, Refusal)
    assert np.median(more.growth.users[:, 0]) == pytest.approx(2400, rel=1e-6)
    ratio = more.growth.users / same.growth.users
    assert ratio == pytest.approx(np.full_like(ratio, ratio[0, 0]))


def test_another_seed_draws_other_paths(ledger: Ledger) -> None:
    lookout = record(ledger)
    one, same, other = (stand(TEMPLATE, lookout, PlanRequest(seed=seed), NOW) for seed in (0, 0, 1))
    assert not isinstance(one, Refusal)
    assert not isinstance(same, Refusal)
    assert not isinstance(other, Refusal)
    assert (one.growth.users == same.growth.users).all()
    assert (one.growth.users != other.growth.users).any()


def test_the_chance_under_measured_growth_is_its_frequency_in_fresh_paths(ledger: Ledger) -> None:
    lookout = record(ledger, growth_per_week=0.045)
    made = reckoned(PlanRequest(gives=False), lookout)
    fresh = reckoned(PlanRequest(gives=False, seed=4_711, scenarios=2_000), lookout).case
    assert made.plan.solution is not None
    problem = problem_of(fresh)
    frequency = in_time_ratio(problem, simulate(problem, made.plan.solution.placement))
    chance = made.plan.in_time_ratio
    assert 0.05 < chance < 0.95
    assert frequency == pytest.approx(chance, abs=3 * math.sqrt(chance * (1 - chance) * (1 / 500 + 1 / 2_000)))


def test_simulated_history_is_labelled(ledger: Ledger) -> None:
    lookout = record(ledger, origin="simulated")
    assert planned(PlanRequest(gives=False), lookout).simulated
    assert planned(GIVEN, lookout).simulated  # the wall is measured on it


def test_users_nobody_knows_are_refused(ledger: Ledger) -> None:
    empty = refused(PlanRequest(), Lookout(TEMPLATE, ledger, NOW))
    assert empty.code == "no-users"
    assert empty.reason == "How many users there are is not known: registered_users has never had a value."
    assert "outgrow plan --users 1000 --growth 10%" in empty.next_step
    lookout = record(ledger)
    lookout.unknown = {"registered_users": "the source is down"}
    assert "the source is down" in refused(PlanRequest(), lookout).reason
    old = Lookout(TEMPLATE, ledger, NOW + 30 * DAY)
    assert "too old to stand for today" in refused(PlanRequest(), old).reason
    declared = make_plan(TEMPLATE, None, PlanRequest(growth_per_month=0.1), now=NOW)
    assert isinstance(declared, Plan)
    assert declared.users_now == 1000
    assert "costs.at_users" in declared.notes[0]
    nowhere = TEMPLATE.model_copy(update={"costs": Costs()})
    unknown = make_plan(nowhere, None, PlanRequest(growth_per_month=0.1), now=NOW)
    assert isinstance(unknown, Refusal)
    assert unknown.code == "no-users"


def test_growth_that_cannot_be_read_is_refused_and_can_be_given(ledger: Ledger) -> None:
    short = record(ledger, weeks=8)
    answer = refused(PlanRequest(), short)
    assert answer.code == "too-short"
    assert answer.next_step.endswith("Or say what growth to plan with: `outgrow plan --growth 10%`.")
    assert planned(PlanRequest(growth_per_month=0.1, gives=False), short).rewrites
    assert refused(PlanRequest(users=1000)).reason == "Nothing is recorded that growth could be read from."


def test_growth_that_predicts_no_better_than_no_change_is_refused(ledger: Ledger) -> None:
    assert refused(PlanRequest(), record(ledger, growth_per_week=0.0, wandering=0.05)).code == "no-growth-evidence"
