"""What the declared rules of a content platform say on evidence and answers, and the laws that hold for all of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import outgrow
from outgrow.decisions.records import Answered, Ruling
from outgrow.decisions.rules import cheapest_option, rule_on
from outgrow.evidence.records import Arm, Evidence, ReportedRatio, Round, TriggerMeasure
from outgrow.points.declaration import AnswersRule, Case, Criteria, Point, RatioRule
from outgrow.points.reading import read_declaration
from outgrow.quantities import Interval

DECLARED = read_declaration(Path(outgrow.__file__).parent / "points" / "templates" / "venture-platform.yaml")
DATA, STATE, BACKEND, WORLD = DECLARED.points
UNITS = {name: signal.unit for name, signal in DECLARED.signals.items()}
QUIET = {
    "slow-search": Interval(0.9, 1.2, 1.6, 0.95),
    "vector-memory": Interval(4e9, 5e9, 6e9, 0.95),
    "generation-failing": Interval(0.97, 0.98, 0.99, 0.95),
    "cross-venture-wrong": Interval(0.95, 0.97, 0.99, 0.95),
}
JULY, AUGUST = 1_782_864_000.0, 1_785_542_400.0


def measured(
    ratio: float,
    *,
    untuned: float = 170.0,
    rounds: int = 12,
    noise: float = 0.2,
    seed: int = 0,
    made_at: float = JULY,
    baseline: str = "tune",
    measures: Mapping[str, Interval] | None = None,
    users: float = 2000,
    simulated: bool = False,
    arms: Sequence[str] = ("current", "tune", "A"),
) -> Evidence:
    """Rounds of a steady comparison: noise that does not trend."""
    rng = np.random.default_rng(seed)
    p95 = {"current": untuned, "tune": ratio, "A": 1.0, "B": 2.0}
    drawn = {arm: rng.permutation(np.linspace(-noise, noise, rounds)) for arm in arms}
    ran = [
        Round(number, arm, (order + number) % len(arms), p95[arm] * math.exp(drawn[arm][number]), 1000, 0)
        for number in range(rounds)
        for order, arm in enumerate(arms)
    ]
    options = {"current": None, "tune": "tune", "A": "A", "B": "B"}
    return Evidence(
        point="data-architecture",
        made_at=made_at,
        source="our bench",
        baseline=baseline,
        baseline_tuned=baseline == "tune",
        digest=f"{ratio}-{made_at}-{seed}",
        arms=tuple(Arm(arm, options[arm]) for arm in arms),
        rounds=tuple(ran),
        measures=tuple(TriggerMeasure("tune", name, users, value) for name, value in (measures or {}).items()),
        simulated=simulated,
    )


def reported(low: float, mid: float, high: float, *, baseline: str = "tune", made_at: float = JULY) -> Evidence:
    ratio = ReportedRatio("", Interval(low, mid, high, 0.95))
    return Evidence("data-architecture", made_at, "a blog", baseline, baseline == "tune", str(mid), reported=(ratio,))


def ruling(*evidence: Evidence, point: Point = DATA, criteria: Criteria = DECLARED.criteria, **more: Any) -> Ruling:
    return rule_on(point, criteria, evidence, {}, units=UNITS, **more)


def said(found: Ruling) -> tuple[str, str | None]:
    return found.verdict, found.option


def without(point: Point, **changes: object) -> Point:
    return point.model_copy(update=changes)


# The ratio


def test_a_lower_bound_that_clears_five_stays() -> None:
    found = ruling(measured(9.2))
    assert said(found) == ("stay", "A")
    assert found.reasons[0].startswith("Partition (A) is 9.")
    assert found.reasons[0].endswith("95 %, 12 rounds): the lower bound clears 5.")
    assert found.ratio is not None
    assert (found.ratio.against, found.ratio.tuned) == ("tune", True)
    assert (found.missing, found.next_step) == ((), "outgrow plan")


def test_the_sentence_is_as_a_colleague_would_say_it() -> None:
    found = ruling(reported(6.1, 9.2, 13.8))
    assert found.reasons == (
        "Partition (A) is 9.2 times faster than the tuned service (6.1–13.8, 95 %, reported by a blog, 2026-07-01): "
        "the lower bound clears 5.",
        "Tune was not measured at 2,000 users, so it cannot be said to be enough.",
    )


def test_an_upper_bound_of_two_or_less_migrates() -> None:
    found = ruling(measured(1.3))
    assert said(found) == ("migrate", "B")
    assert "the upper bound does not exceed 2" in found.reasons[0]


def test_between_the_thresholds_the_criteria_decide() -> None:
    found = ruling(reported(2.5, 3.2, 4.1))
    assert said(found) == ("between", "A")
    assert found.weighing is not None
    assert found.weighing.eligible == ("A", "B")
    assert "the rule is silent, and the five criteria decide" in found.reasons[0]
    assert found.reasons[1].startswith("Weighed by the five criteria: Partition (A) 3.80, Migrate (B) 3.20; the first")
    heavy = Criteria(future_flexibility=9)
    assert said(ruling(reported(2.5, 3.2, 4.1), criteria=heavy)) == ("between", "B")


def test_an_interval_that_contains_a_threshold_is_inconclusive_and_says_how_many_more_rounds() -> None:
    found = ruling(measured(5.6, noise=0.3))
    assert said(found) == ("inconclusive", None)
    assert "the interval contains 5; about " in found.reasons[0]
    assert "rounds in all would settle it" in found.reasons[0]
    assert found.missing[0].startswith("a narrower interval of Partition (A) over the tuned service: about ")
    assert found.next_step.endswith("outgrow import evidence FILE")
    wide = ruling(reported(1.5, 3, 6))
    assert "the interval contains 2 and 5; a measurement of your own would tell more" in wide.reasons[0]
    close = ruling(measured(5.0, noise=0.3, seed=1))
    assert close.verdict == "inconclusive"


@pytest.mark.parametrize(
    ("low", "verdict"), [(5.0, "stay"), (4.9999, "inconclusive"), (math.nextafter(5, 0), "inconclusive")]
)
def test_a_bound_is_never_rounded_up(low: float, verdict: str) -> None:
    found = ruling(reported(low, 9, 12))
    assert found.verdict == verdict
    shown = found.reasons[0].split("(")[2].split("–")[0]
    assert float(shown) <= low
    assert ruling(reported(1, 1.5, math.nextafter(2, 3))).verdict == "inconclusive"


def test_without_evidence_nothing_is_ruled_and_the_next_step_names_the_baseline() -> None:
    found = ruling()
    assert said(found) == ("inconclusive", None)
    assert found.reasons[0] == "Nothing measured says how Partition (A) compares with the tuned service."
    assert found.missing == ("a comparison of Partition (A) with the tuned service, 12 rounds or more",)
    assert found.next_step == "measure the arms tune and A beside each other, then: outgrow import evidence FILE"


def test_the_untuned_ratio_is_shown_and_never_ruled_on() -> None:
    found = ruling(reported(300, 420, 500, baseline="untuned"))
    assert said(found) == ("inconclusive", None)
    assert (
        "compared with untuned (300–500, 95 %, reported by a blog, 2026-07-01), not with the tuned" in found.reasons[0]
    )
    assert [(each.against, each.tuned) for each in found.shown] == [("untuned", False)]
    assert found.ratio is None


@given(st.floats(0.01, 1000), st.integers(0, 5), st.sampled_from([1.3, 3.2, 5.2, 9.0]))
def test_a_verdict_never_depends_on_the_untuned_baseline(untuned: float, seed: int, ratio: float) -> None:
    one, other = ruling(measured(ratio, seed=seed)), ruling(measured(ratio, seed=seed, untuned=untuned))
    assert replace(one, shown=()) == replace(other, shown=())
    alone = ruling(measured(ratio, seed=seed), reported(untuned, untuned, untuned, baseline="current", made_at=AUGUST))
    assert replace(one, shown=()) == replace(alone, shown=())


@given(st.permutations([JULY, AUGUST, AUGUST + 1]))
def test_the_newest_evidence_rules_in_whatever_order_it_comes(dates: list[float]) -> None:
    ratios = {JULY: 9.0, AUGUST: 3.2, AUGUST + 1: 1.3}
    evidence = [measured(ratios[at], made_at=at) for at in dates]
    assert said(rule_on(DATA, Criteria(), evidence, {})) == ("migrate", "B")
    strangers = [replace(each, point="state-management", made_at=AUGUST + 9) for each in evidence]
    assert said(rule_on(DATA, Criteria(), [*strangers, *evidence], {})) == ("migrate", "B")


def test_of_two_made_at_the_same_time_the_later_one_counts() -> None:
    assert said(ruling(measured(9), measured(1.3))) == ("migrate", "B")
    assert said(ruling(measured(1.3), measured(9))) == ("stay", "A")


def test_a_newer_comparison_that_cannot_be_ruled_on_is_not_passed_over() -> None:
    broken = measured(9, made_at=AUGUST)
    broken = replace(broken, rounds=tuple(replace(each, dropped=500 * (each.arm == "A")) for each in broken.rounds))
    found = ruling(measured(9), broken)
    assert said(found) == ("inconclusive", None)
    assert "A dropped 6,000 of 12,000 requests" in found.reasons[0]
    assert found.ratio is not None
    assert found.ratio.ratio is None


def test_five_rounds_are_not_enough() -> None:
    found = ruling(measured(9, rounds=5))
    assert said(found) == ("inconclusive", None)
    assert "only 5 rounds with both arms" in found.reasons[0]


def test_without_an_option_in_the_rule_the_cheapest_other_than_tune_is_judged() -> None:
    point = without(DATA, rule=RatioRule(kind="ratio", stay=5, migrate=2))
    assert cheapest_option(point) == DATA.options[1]
    assert said(ruling(measured(9), point=point)) == ("stay", "A")
    assert said(ruling(measured(1.3), point=point)) == ("migrate", "B")
    assert said(ruling(reported(2.5, 3, 4), point=point)) == ("between", "A")


def test_a_rule_that_does_not_say_where_to_migrate_weighs_the_others() -> None:
    rule = RatioRule(kind="ratio", option="A", stay=5, migrate=2)
    c = DATA.options[2].model_copy(update={"id": "C", "title": "Other"})
    tie = without(DATA, rule=rule, options=(*DATA.options, c))
    found = ruling(measured(1.3), point=tie)
    assert said(found) == ("inconclusive", None)
    assert "weigh the same, 3.20" in found.reasons[1]
    assert "otherwise:" in found.next_step
    better = c.model_copy(update={"scores": DATA.options[1].scores})
    assert said(ruling(measured(1.3), point=without(tie, options=(*DATA.options, better)))) == ("migrate", "C")


def test_a_tie_between_the_thresholds_chooses_nobody() -> None:
    b = DATA.options[2].model_copy(update={"scores": DATA.options[1].scores})
    found = ruling(reported(2.5, 3, 4), point=without(DATA, options=(*DATA.options[:2], b)))
    assert said(found) == ("between", None)
    assert found.missing == ("a reason to prefer one of them",)
    unscored = b.model_copy(update={"scores": None})
    found = ruling(reported(2.5, 3, 4), point=without(DATA, options=(*DATA.options[:2], unscored)))
    assert said(found) == ("between", None)
    assert found.missing == ("scores of Migrate (B)",)
    assert "write scores: for B into the declared file" in found.next_step


def test_without_a_rule_or_options_it_is_said_what_to_write() -> None:
    found = ruling(measured(9), point=without(DATA, rule=None))
    assert said(found) == ("inconclusive", None)
    assert "rule: {kind: ratio, option: A, stay: 5, migrate: 2, otherwise: B}" in found.next_step
    found = ruling(point=without(DATA, options=DATA.options[:1], rule=RatioRule(kind="ratio", stay=5, migrate=2)))
    assert "declares no option other than tune" in found.reasons[0]


@pytest.mark.parametrize("ratio", [9, 1.3])
def test_a_closed_option_is_never_chosen(ratio: float) -> None:
    option = {9: "A", 1.3: "B"}[ratio]
    found = ruling(measured(ratio), closed=[(option, "decision 3 closed it")])
    assert said(found) == ("inconclusive", None)
    assert "but that is closed: decision 3 closed it." in found.reasons[0]
    assert found.closed == ((option, "decision 3 closed it"),)
    other = {9: "B", 1.3: "A"}[ratio]
    assert said(ruling(measured(ratio), closed=[(other, "decision 3")])) == said(ruling(measured(ratio)))


def test_between_the_thresholds_a_closed_option_is_no_candidate() -> None:
    found = ruling(reported(2.5, 3, 4), closed=[("A", "decision 3 closed it")])
    assert said(found) == ("between", "B")
    assert "Partition (A) is closed: decision 3 closed it." in found.reasons
    assert "Migrate (B) is the only option left." in found.reasons
    found = ruling(reported(2.5, 3, 4), closed=[("A", "x"), ("B", "y")])
    assert said(found) == ("between", None)
    assert found.reasons[1] == "No option is left to choose."


def test_what_is_simulated_says_so() -> None:
    found = ruling(measured(9, simulated=True), measured(1, made_at=JULY - 1))
    assert "Made with simulated evidence: our bench." in found.reasons
    assert not any("simulated" in reason for reason in ruling(measured(9)).reasons)


def test_remarks_on_how_it_was_measured_are_passed_on() -> None:
    evidence = measured(9, arms=("tune", "A"))
    fixed = replace(evidence, rounds=tuple(replace(each, order=int(each.arm == "A")) for each in evidence.rounds))
    assert any(reason.startswith("Tune ran before A in every round") for reason in ruling(fixed).reasons)


# Tune first


def test_tune_that_keeps_every_trigger_quiet_is_enough() -> None:
    found = ruling(measured(1.3, measures=QUIET))
    assert said(found) == ("stay", "tune")
    assert found.reasons[0] == (
        "Tune the store that is there (tune) keeps all 4 triggers quiet at 2,000 users: nothing larger is needed."
    )
    assert "vector queries are slow: 1.2 s (900 ms – 1.6 s, 95 %) at 2,000 users; its upper bound is below 5 s." in (
        found.reasons
    )
    assert [(line.trigger, line.held, line.users) for line in found.tune] == [(name, True, 2000) for name in QUIET]
    assert found.ratio is None
    assert {(each.option, each.against) for each in found.shown} >= {("A", "tune"), ("A", "current")}


@pytest.mark.parametrize("trigger", QUIET)
def test_a_trigger_that_was_not_measured_is_not_kept_quiet(trigger: str) -> None:
    found = ruling(measured(9, measures={name: value for name, value in QUIET.items() if name != trigger}))
    assert said(found) == ("stay", "A")
    assert [line.trigger for line in found.tune if not line.held] == [trigger]
    assert found.reasons[1] == (
        f"Tune cannot be said to be enough: nothing shows that it keeps quiet at 2,000 users: {trigger}."
    )
    assert next(line.why for line in found.tune if not line.held).endswith(
        ": not measured with the tuned service at 2,000 users"
    )


@pytest.mark.parametrize(
    ("trigger", "value", "held"),
    [
        ("slow-search", Interval(1, 2, 4.999, 0.95), True),
        ("slow-search", Interval(1, 2, 5.0, 0.95), False),
        ("slow-search", Interval(1, 2, 4.9, 0.8), False),
        ("generation-failing", Interval(0.9501, 0.97, 0.99, 0.95), True),
        ("generation-failing", Interval(0.95, 0.97, 0.99, 0.95), False),
        ("generation-failing", Interval(0.955, 0.97, 0.99, 0.8), False),
    ],
)
def test_the_bound_of_95_per_cent_must_lie_on_the_quiet_side(trigger: str, value: Interval, held: bool) -> None:
    found = ruling(measured(9, measures=QUIET | {trigger: value}))
    assert said(found) == (("stay", "tune") if held else ("stay", "A"))
    if not held:
        assert found.reasons[1].startswith("Tune is not enough: ")


def test_fewer_users_than_complete_before_prove_nothing() -> None:
    found = ruling(measured(9, measures=QUIET, users=1999))
    assert said(found) == ("stay", "A")
    assert all("only at 1,999 users" in line.why for line in found.tune)


def test_another_arm_s_measures_prove_nothing_for_tune() -> None:
    evidence = measured(9, measures=QUIET)
    of_a = replace(evidence, measures=tuple(replace(each, arm="A") for each in evidence.measures))
    assert said(ruling(of_a)) == ("stay", "A")
    current = replace(
        evidence, baseline="current", measures=tuple(replace(m, arm="current") for m in evidence.measures)
    )
    assert said(ruling(replace(current, baseline_tuned=True))) == ("stay", "tune")
    assert said(ruling(replace(current, baseline_tuned=False))) == ("stay", "A")


def test_a_newer_measure_replaces_an_older_one() -> None:
    slow = QUIET | {"slow-search": Interval(6, 7, 8, 0.95)}
    assert said(ruling(measured(9, measures=QUIET), measured(9, measures=slow, made_at=AUGUST))) == ("stay", "A")
    assert said(ruling(measured(9, measures=slow), measured(9, measures=QUIET, made_at=AUGUST))) == ("stay", "tune")


def test_the_worst_of_several_measures_counts() -> None:
    evidence = measured(9, measures=QUIET)
    worse = TriggerMeasure("tune", "slow-search", 3000, Interval(1, 5, 6, 0.95))
    assert said(ruling(replace(evidence, measures=(worse, *evidence.measures)))) == ("stay", "A")
    failing = TriggerMeasure("tune", "generation-failing", 3000, Interval(0.9, 0.97, 0.99, 0.95))
    assert said(ruling(replace(evidence, measures=(*evidence.measures, failing)))) == ("stay", "A")
    fewer = replace(worse, users=1000)
    assert said(ruling(replace(evidence, measures=(fewer, *evidence.measures)))) == ("stay", "tune")


def test_facts_must_be_known_to_be_quiet() -> None:
    fact = WORLD.triggers[0]
    point = without(DATA, triggers=(*DATA.triggers, fact))
    evidence = measured(1.3, measures=QUIET)
    assert said(ruling(evidence, point=point)) == ("migrate", "B")
    fires = ruling(evidence, point=point, facts={fact.id: (False, "4 complaints in 90 days")})
    assert said(fires) == ("migrate", "B")
    assert any("4 complaints in 90 days" in reason for reason in fires.reasons)
    assert said(ruling(evidence, point=point, facts={fact.id: (True, "no complaint")})) == ("stay", "tune")


def test_a_trigger_that_only_confirms_does_not_count() -> None:
    confirming = BACKEND.triggers[0].model_copy(update={"confirms": True})
    found = ruling(measured(1.3, measures=QUIET), point=without(DATA, triggers=(*DATA.triggers, confirming)))
    assert said(found) == ("stay", "tune")


def test_tune_that_is_not_declared_cannot_be_chosen() -> None:
    assert said(ruling(measured(9, measures=QUIET), point=without(DATA, options=DATA.options[1:]))) == ("stay", "A")


def test_simulated_measures_of_tune_are_labelled() -> None:
    found = ruling(measured(1.3, measures=QUIET, simulated=True))
    assert said(found) == ("stay", "tune")
    assert found.reasons[-1] == "Made with simulated evidence: our bench."


@given(st.sampled_from(sorted(QUIET)), st.floats(0, 3))
def test_more_doubt_never_turns_tune_into_enough(trigger: str, doubt: float) -> None:
    value = QUIET[trigger]
    wider = Interval(value.low / math.exp(doubt), value.mid, value.high * math.exp(doubt), 0.95)
    line = {each.trigger: each.held for each in ruling(measured(9, measures=QUIET | {trigger: wider})).tune}
    limits = {one.id: one for one in DATA.triggers}
    limit = limits[trigger].threshold
    assert limit is not None
    assert line[trigger] == (wider.high < limit if limits[trigger].direction == "above" else wider.low > limit)


# Answers


def answers(**given_answers: bool) -> dict[str, Answered]:
    return {
        fact.replace("_", "-"): Answered(fact.replace("_", "-"), answer, "Ann")
        for fact, answer in given_answers.items()
    }


@pytest.mark.parametrize(
    ("point", "known", "verdict", "option"),
    [
        (STATE, answers(real_time_collaboration=True), "migrate", "B"),
        (STATE, answers(real_time_collaboration=False), "migrate", "A"),
        (BACKEND, answers(scaling_out_suffices=True), "migrate", "A"),
        (BACKEND, answers(scaling_out_suffices=True, few_hot_services=True), "migrate", "A"),
        (BACKEND, answers(scaling_out_suffices=False, few_hot_services=True), "migrate", "B"),
        (BACKEND, answers(scaling_out_suffices=False, few_hot_services=False), "migrate", "C"),
        (BACKEND, answers(few_hot_services=True), "inconclusive", None),
        (BACKEND, answers(scaling_out_suffices=False), "inconclusive", None),
        (WORLD, answers(local_processing_needed=True), "migrate", "B"),
        (WORLD, answers(local_processing_needed=False), "migrate", "A"),
        (WORLD, {}, "inconclusive", None),
    ],
)
def test_the_first_yes_chooses(point: Point, known: dict[str, Answered], verdict: str, option: str | None) -> None:
    found = rule_on(point, Criteria(), [], known)
    assert said(found) == (verdict, option)
    assert any("Tune was not measured" in reason for reason in found.reasons)


def test_who_said_so_stands_in_the_reasons() -> None:
    found = rule_on(STATE, Criteria(), [], answers(real_time_collaboration=True))
    assert found.reasons[0] == "Must several people edit the same thing at once? Yes, says Ann: State service (B)."
    assert found.answers == (Answered("real-time-collaboration", True, "Ann"),)
    found = rule_on(BACKEND, Criteria(), [], answers(scaling_out_suffices=False, few_hot_services=False))
    assert found.reasons[0] == "No question of the rule is answered with yes: Full rewrite (C)."
    assert len(found.answers) == 2


def test_the_first_question_that_matters_is_asked() -> None:
    found = rule_on(BACKEND, Criteria(), [], answers(scaling_out_suffices=False))
    assert found.missing == ("Do only a few named services need speed while the API stays?",)
    assert found.next_step == (
        'outgrow decide backend-architecture --answer few-hot-services=yes --source "who says so"'
    )
    assert [each.fact for each in found.answers] == ["scaling-out-suffices"]


def test_a_question_that_changes_nothing_is_not_asked() -> None:
    cases = (Case(fact="one", ask="One?", choose="A"), Case(fact="two", ask="Two?", choose="A"))
    point = without(STATE, rule=AnswersRule(kind="answers", cases=cases, otherwise="A"))
    found = rule_on(point, Criteria(), [], {})
    assert (said(found), found.answers) == (("migrate", "A"), ())
    point = without(STATE, rule=AnswersRule(kind="answers", cases=cases, otherwise="B"))
    assert rule_on(point, Criteria(), [], answers(two=True)).option == "A"
    assert rule_on(point, Criteria(), [], answers(two=False)).missing == ("One?",)


def test_what_the_file_answers_counts_first() -> None:
    case = Case(fact="real-time-collaboration", ask="Several?", choose="B", answer=False, source="the file")
    point = without(STATE, rule=AnswersRule(kind="answers", cases=(case,), otherwise="A"))
    found = rule_on(point, Criteria(), [], answers(real_time_collaboration=True))
    assert said(found) == ("migrate", "A")
    assert found.answers == (Answered("real-time-collaboration", False, "the file"),)


def test_no_to_everything_without_otherwise_chooses_nobody() -> None:
    rule = AnswersRule(kind="answers", cases=(Case(fact="one", ask="One?", choose="A"),))
    found = rule_on(without(STATE, rule=rule), Criteria(), [], answers(one=False))
    assert said(found) == ("inconclusive", None)
    assert "otherwise:" in found.next_step


def test_an_answer_that_chooses_tune_stays() -> None:
    rule = AnswersRule(kind="answers", cases=(Case(fact="one", ask="One?", choose="tune"),), otherwise="A")
    assert said(rule_on(without(STATE, rule=rule), Criteria(), [], answers(one=True))) == ("stay", "tune")


def test_an_answer_cannot_choose_what_is_closed() -> None:
    found = rule_on(STATE, Criteria(), [], answers(real_time_collaboration=True), closed=[("B", "decision 2")])
    assert said(found) == ("inconclusive", None)
    assert found.reasons[0] == "The rule says State service (B), but that is closed: decision 2."
    assert found.answers


def test_facts_alone_are_quiet_or_not() -> None:
    """A point that only facts can fire is held by tune while all are quiet."""
    point = without(WORLD, triggers=WORLD.triggers[:2])
    quiet = {trigger.id: (True, "none noted") for trigger in point.triggers}
    assert said(rule_on(point, Criteria(), [], {}, facts=quiet)) == ("stay", "tune")
    quiet["regional-compliance"] = (False, "the EU contract")
    assert said(rule_on(point, Criteria(), [], answers(local_processing_needed=False), facts=quiet)) == ("migrate", "A")


@given(st.sampled_from(DECLARED.points), st.integers(0, 3), st.sampled_from([1.3, 3.2, 5.1, 9.0]))
def test_inconclusive_always_names_what_is_missing_and_the_next_step(point: Point, seed: int, ratio: float) -> None:
    found = rule_on(point, Criteria(), [measured(ratio, seed=seed, noise=0.4)], {})
    assert found.reasons
    assert found.next_step
    if found.option is None:
        assert found.missing
        assert found.verdict in ("inconclusive", "between")
    else:
        assert not found.missing
