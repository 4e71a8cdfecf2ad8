"""Proving from the first arm to the ledger: what is measured, what is refused, and what an end in the middle keeps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from outgrow.evidence.body import evidence_of
from outgrow.evidence.comparison import measured_ratios
from outgrow.evidence.summary import ruled_ratios
from outgrow.evidence.tuning import found_tuned
from outgrow.points.declaration import Comparison, Point, RatioRule
from outgrow.ports import ExperimentFailed, Footprint
from outgrow.proving import GO_ON_SECONDS, MEMORY, Asked, Proof, Step, machine, prove
from outgrow.testing import MemoryLedger
from outgrow.testing.scripted_experiment import ScriptedArm, ScriptedExperiment

NOW = 1_772_323_200.0
COMPARISON = Comparison(kind="scripted", rounds=12, round_seconds=1.0, users=2000)
POINT = Point.model_validate(
    {
        "id": "data",
        "monitor_from": 1000,
        "complete_before": 2000,
        "triggers": [{"id": "slow", "signal": "p95", "threshold": 5}],
        "options": [{"id": "tune", "effort_weeks": 1}, {"id": "A", "effort_weeks": 2}, {"id": "B", "effort_weeks": 6}],
        "rule": {"kind": "ratio", "option": "A", "stay": 5, "migrate": 2, "otherwise": "B"},
    }
)
RULE = RatioRule(kind="ratio", option="A", stay=5, migrate=2, otherwise="B")
CURRENT = ScriptedArm("current", None, 0.8, capacity=50.0, footprint=Footprint(memory_bytes=4e9))
TUNE = ScriptedArm("tune", "tune", 0.08, measures={"slow": 0.08, "unknown": 1.0})
A = ScriptedArm("A", "A", 0.01, capacity=300.0)
RIGHT = {"q1": ("a", "b"), "q2": ("c", "d")}


def asked(rounds: int = 12, *, seed: int = 1, fresh: bool = False, comparison: Comparison = COMPARISON) -> Asked:
    return Asked(POINT, comparison, rounds, seed, fresh)


def run(
    experiment: ScriptedExperiment,
    ledger: MemoryLedger | None = None,
    what: Asked | None = None,
    *,
    at: float = NOW,
    told: list[Step] | None = None,
) -> Proof:
    steps = told if told is not None else []
    return prove(what or asked(), experiment, ledger or MemoryLedger(), lambda: at, steps.append, timer=lambda: 0.0)


def scripted(*arms: ScriptedArm, **more: Any) -> ScriptedExperiment:
    return ScriptedExperiment(arms or (CURRENT, TUNE, A), RIGHT, **more)


def at_run(number: int, error: BaseException) -> Callable[[str, int], None]:
    """Raises before that run, counted from 0; the first 12 are those of fitness."""

    def before(arm: str, runs: int) -> None:
        if runs == number:
            raise error

    return before


def left_out(proof: Proof) -> dict[str, str]:
    return {each.arm: each.left_out for each in proof.evidence.facts if each.left_out}


def ratio(proof: Proof, against: str = "tune") -> float | None:
    found = next(each for each in measured_ratios(proof.evidence, "A") if (each.option, each.against) == ("A", against))
    return found.ratio.mid if found.ratio else None


# A run to its end


def test_a_finished_run_is_in_the_ledger_as_it_was_returned() -> None:
    ledger = MemoryLedger()
    proof = run(scripted(), ledger)
    assert proof.ended == "finished"
    (record,) = ledger.records("evidence", "data")
    assert evidence_of(record.body) == proof.evidence
    assert proof.rounds == 12
    assert ratio(proof) == pytest.approx(8, rel=0.15)


def test_every_arm_is_sent_the_declared_share_of_what_the_slowest_can_answer() -> None:
    experiment = scripted()
    proof = run(experiment)
    assert {load.rate_per_second for _, load in experiment.runs} == {30.0}
    assert (proof.evidence.rate_per_second, proof.evidence.load_ratio) == (30.0, 0.6)
    assert proof.evidence.facts_of("A").capacity_per_second == 300


def test_a_declared_rate_is_sent_as_it_is() -> None:
    experiment = scripted()
    proof = run(experiment, what=asked(comparison=COMPARISON.model_copy(update={"rate": 7.0})))
    assert {load.rate_per_second for _, load in experiment.runs} == {7.0}
    assert proof.evidence.load_ratio is None


def test_an_experiment_with_a_rate_of_its_own_keeps_it() -> None:
    experiment = scripted(*(replace(arm, capacity=None) for arm in (CURRENT, TUNE, A)))
    assert run(experiment).evidence.rate_per_second is None
    assert {load.rate_per_second for _, load in experiment.runs} == {None}


def test_arms_of_a_round_are_sent_the_same_and_rounds_are_not() -> None:
    experiment = scripted()
    run(experiment)
    seeds = [load.seed for _, load in experiment.runs[12:]]
    by_round = [set(seeds[place : place + 3]) for place in range(0, 36, 3)]
    assert all(len(each) == 1 for each in by_round)
    assert len(set.union(*by_round)) == 12


def test_equal_seeds_give_equal_evidence_and_others_do_not() -> None:
    first, second, third = (run(scripted(), what=asked(seed=seed)).evidence for seed in (1, 1, 2))
    assert first == second
    assert first.rounds != third.rounds


def test_what_a_trigger_measured_is_kept_for_the_declared_users() -> None:
    (measure,) = run(scripted()).evidence.measures
    assert (measure.arm, measure.trigger, measure.users) == ("tune", "slow", 2000.0)
    assert measure.value.mid == pytest.approx(0.08)


def test_without_declared_users_nothing_stands_for_any() -> None:
    proof = run(scripted(), what=asked(comparison=COMPARISON.model_copy(update={"users": None})))
    assert proof.evidence.measures == ()


def test_an_untuned_baseline_is_found() -> None:
    assert found_tuned(run(scripted()).evidence) is False
    assert found_tuned(run(scripted(replace(CURRENT, p95_seconds=0.081), TUNE, A)).evidence) is True
    assert found_tuned(run(scripted(CURRENT, A)).evidence) is None


def test_progress_ends_with_nothing_left_and_tells_no_figure() -> None:
    told: list[Step] = []
    run(scripted(), told=told)
    assert [each.phase for each in told] == sorted(
        (each.phase for each in told), key=["prepare", "capacity", "fitness", "parity", "rounds"].index
    )
    assert max(each.seconds_left for each in told) == 12 + 36
    assert told[-1].seconds_left == 0
    assert not any(character.isdigit() for each in told if each.phase == "rounds" for character in each.said)


def test_few_requests_a_round_are_told_beforehand() -> None:
    told: list[Step] = []
    run(scripted(), told=told)
    assert [each.said for each in told if "few requests" in each.said] == [
        "few requests make a round's p95; with round_seconds: 4s it tells more"
    ]


# What is refused


def test_a_noisy_machine_is_unfit_and_nothing_more_is_measured() -> None:
    ledger = MemoryLedger()
    experiment = scripted(replace(CURRENT, noise=0.6), TUNE, A)
    proof = run(experiment, ledger)
    assert proof.ended == "unfit"
    assert proof.evidence.fit is not None
    assert "against itself" in proof.evidence.fit.why_not
    assert len(experiment.runs) == 24
    assert {arm for arm, _ in experiment.runs} == {"current"}
    assert ledger.records("evidence") == ()


def test_a_machine_that_is_a_little_noisy_is_looked_at_for_longer() -> None:
    experiment = scripted(replace(CURRENT, noise=0.15), TUNE, A)
    proof = run(experiment, what=asked(30))
    assert proof.ended == "finished"
    assert proof.evidence.fit is not None
    assert proof.evidence.fit.rounds == 30


def test_a_baseline_that_drops_requests_is_unfit() -> None:
    proof = run(scripted(replace(CURRENT, dropped_ratio=0.1), TUNE, A))
    assert proof.ended == "unfit"
    assert "lower the load" in (proof.evidence.fit.why_not if proof.evidence.fit else "")


def test_a_wrong_answer_has_no_ratio() -> None:
    experiment = scripted(CURRENT, TUNE, replace(A, answers={"q1": ("a", "x")}))
    proof = run(experiment)
    assert "75 % of the right answers" in left_out(proof)["A"]
    assert "A" not in {arm for arm, _ in experiment.runs}
    assert proof.evidence.facts_of("A").recall == 0.75
    assert proof.evidence.facts_of("A").parity == 0.5
    assert ratio(proof) is None


def test_where_nobody_knows_what_is_right_the_baseline_is_asked_for() -> None:
    experiment = ScriptedExperiment([replace(CURRENT, answers=RIGHT), TUNE, replace(A, answers={"q1": ("z", "y")})])
    proof = run(experiment)
    assert "what the baseline finds" in left_out(proof)["A"]
    assert proof.evidence.facts_of("tune").parity == 1.0
    assert proof.evidence.facts_of("tune").recall is None


@pytest.mark.parametrize("call", ["prepare", "capacity", "answers", "run"])
def test_an_arm_that_fails_is_left_out_and_the_others_go_on(call: str) -> None:
    proof = run(scripted(CURRENT, TUNE, replace(A, fails={call: "the disk is full"})))
    assert proof.ended == "finished"
    assert "the disk is full" in left_out(proof)["A"]
    assert ratio(proof) is None
    assert found_tuned(proof.evidence) is False


def test_an_arm_that_fails_in_the_middle_keeps_no_ratio_and_costs_the_others_nothing() -> None:
    failing = scripted()
    runs = iter(range(1000))

    def before(arm: str, count: int) -> None:
        if arm == "A" and next(runs) >= 7:
            raise ExperimentFailed("it went away")

    failing = scripted(before_run=before)
    proof = run(failing)
    assert proof.rounds == 12
    assert "in round 8: it went away" in left_out(proof)["A"]
    assert ratio(proof) is None
    assert sum(each.arm == "tune" for each in proof.evidence.rounds) == 12


def test_with_one_arm_left_there_is_nothing_to_compare() -> None:
    ledger = MemoryLedger()
    proof = run(scripted(CURRENT, replace(A, fails={"prepare": "no"})), ledger)
    assert proof.ended == "nothing-to-compare"
    assert ledger.records("evidence") == ()


def test_no_answer_at_all_is_a_failure() -> None:
    proof = run(scripted(CURRENT, TUNE, replace(A, dropped_ratio=1.0)))
    assert "answered 0 of 30 requests" in left_out(proof)["A"]


# How often it is wrong


@pytest.mark.parametrize(("true_ratio", "wrong"), [(4.9, "stay"), (2.05, "migrate")])
def test_verdicts_next_to_a_threshold_are_rarely_false_and_intervals_hold_the_truth(
    true_ratio: float, wrong: str
) -> None:
    """The whole of a measurement on a machine that drifts; what is allowed is the 99.9 % quantile of 2.5 % and 5 %."""
    false, missed, told = 0, 0, 0
    for seed in range(150):
        tune, option = replace(TUNE, noise=0.08), replace(A, p95_seconds=0.08 / true_ratio, noise=0.08)
        experiment = ScriptedExperiment([tune, option], drift=0.01)
        proof = run(experiment, what=asked(seed=seed, comparison=COMPARISON.model_copy(update={"users": None})))
        if proof.ended == "unfit":
            continue
        (one,) = ruled_ratios(proof.evidence, "A", RULE)
        if one.measured.ratio is not None:
            told += 1
            false += one.verdict == wrong
            missed += not one.measured.ratio.low <= true_ratio <= one.measured.ratio.high
    assert told >= 130
    assert false <= 11
    assert missed <= 17


# Ended in the middle


@pytest.mark.parametrize("number", [0, 5, 12, 13, 33, 47])
def test_a_run_that_was_ended_anywhere_goes_on_to_the_same_number_of_rounds(number: int) -> None:
    ledger = MemoryLedger()
    first = run(scripted(before_run=at_run(number, KeyboardInterrupt())), ledger)
    assert first.ended == "interrupted"
    assert first.evidence.interrupted
    assert first.rounds == max(0, number - 12) // 3
    assert ledger.records("evidence") == ()
    second_experiment = scripted()
    second = run(second_experiment, ledger, at=NOW + 60)
    assert second.ended == "finished"
    assert second.gone_on_from == first.rounds
    assert second.rounds == 12
    assert not second.evidence.interrupted
    assert len(second_experiment.runs) == 12 + 3 * (12 - first.rounds)
    assert second.evidence.rounds[: len(first.evidence.rounds)] == first.evidence.rounds
    assert {load.rate_per_second for _, load in second_experiment.runs} == {30.0}


def test_what_a_crash_leaves_is_gone_on_from() -> None:
    ledger = MemoryLedger()
    with pytest.raises(RuntimeError):
        run(scripted(before_run=at_run(30, RuntimeError("a bug"))), ledger)
    assert run(scripted(), ledger).gone_on_from == 6


def test_the_rounds_there_are_can_be_taken_as_all() -> None:
    ledger = MemoryLedger()
    run(scripted(before_run=at_run(12 + 3 * 7 + 1, KeyboardInterrupt())), ledger)
    experiment = scripted()
    proof = run(experiment, ledger, asked(rounds=7))
    assert (proof.ended, proof.rounds, proof.evidence.interrupted) == ("finished", 7, True)
    assert experiment.runs == []
    assert proof.evidence.fit is not None
    assert proof.evidence.facts_of("current").capacity_per_second == 50
    assert ratio(proof) == pytest.approx(8, rel=0.15)


def other_seed(what: Asked) -> Asked:
    return replace(what, seed=what.seed + 1)


def other_load(what: Asked) -> Asked:
    return replace(what, comparison=what.comparison.model_copy(update={"load": 0.5}))


def from_the_start(what: Asked) -> Asked:
    return replace(what, fresh=True)


@pytest.mark.parametrize("change", [other_seed, other_load, from_the_start])
def test_another_measurement_does_not_go_on(change: Callable[[Asked], Asked]) -> None:
    ledger = MemoryLedger()
    run(scripted(before_run=at_run(40, KeyboardInterrupt())), ledger)
    assert run(scripted(), ledger, change(asked())).gone_on_from == 0


def test_rounds_of_long_ago_and_of_a_finished_run_are_not_gone_on_from() -> None:
    ledger = MemoryLedger()
    run(scripted(before_run=at_run(40, KeyboardInterrupt())), ledger)
    assert run(scripted(), ledger, at=NOW + GO_ON_SECONDS + 1).gone_on_from == 0
    assert run(scripted(), ledger, at=NOW + GO_ON_SECONDS + 2).gone_on_from == 0
    assert len(ledger.records("evidence")) == 2


def test_an_arm_that_failed_before_stays_out_when_it_goes_on() -> None:
    ledger = MemoryLedger()

    def before(arm: str, count: int) -> None:
        if arm == "A" and count >= 20:
            raise ExperimentFailed("it went away")
        if count == 30:
            raise KeyboardInterrupt

    run(scripted(before_run=before), ledger)
    proof = run(scripted(), ledger)
    assert proof.gone_on_from > 0
    assert "it went away" in left_out(proof)["A"]


@pytest.mark.parametrize("content", [b"", b"no json", b"[1]", b'{"key": "another"}'])
def test_a_memory_that_cannot_be_read_is_no_memory(content: bytes) -> None:
    ledger = MemoryLedger()
    ledger.put_memory(MEMORY, "data", content)
    assert run(scripted(), ledger).ended == "finished"


# Other things than those that were measured before


class Versioned(ScriptedExperiment):
    """Tells versions: some from the beginning, others once an arm was asked after the runs of fitness."""

    known: Mapping[str, str] = {}
    later: Mapping[str, str] = {}

    def versions(self) -> Mapping[str, str]:
        return {**self.known, **(self.later if len(self.runs) > 12 else {})}


def versioned(known: Mapping[str, str], later: Mapping[str, str] | None = None, **more: Any) -> Versioned:
    made = Versioned((CURRENT, TUNE, A), RIGHT, **more)
    made.known, made.later = known, later or {}
    return made


def sevenfold(ledger: MemoryLedger, known: Mapping[str, str], later: Mapping[str, str] | None = None) -> None:
    """Seven complete rounds of these versions are kept."""
    assert run(versioned(known, later, before_run=at_run(33, KeyboardInterrupt())), ledger).rounds == 7


def test_rounds_of_another_version_are_not_mixed_with_and_it_says_why() -> None:
    ledger, told = MemoryLedger(), list[Step]()
    sevenfold(ledger, {"engine": "1", "data": "x"})
    experiment = versioned({"engine": "2", "data": "x"})
    proof = run(experiment, ledger, told=told)
    assert (proof.ended, proof.gone_on_from, proof.rounds) == ("finished", 0, 12)
    assert [each.said for each in told if "kept" in each.said] == [
        "7 kept rounds are not gone on from, as other things would be mixed (engine: 1 → 2); it begins anew"
    ]
    assert proof.evidence.versions == {"engine": "2", "data": "x"}


def test_who_goes_back_goes_on_from_what_was_kept() -> None:
    ledger = MemoryLedger()
    sevenfold(ledger, {"engine": "1"})
    run(versioned({"engine": "2"}), ledger)
    assert run(versioned({"engine": "1"}), ledger).gone_on_from == 7
    assert run(versioned({"engine": "1"}), ledger).gone_on_from == 0


def test_a_version_that_is_told_only_after_a_round_is_seen_then() -> None:
    ledger, told = MemoryLedger(), list[Step]()
    sevenfold(ledger, {}, {"A build": "1"})
    experiment = versioned({}, {"A build": "2"})
    proof = run(experiment, ledger, told=told)
    assert (proof.ended, proof.gone_on_from, proof.rounds) == ("finished", 0, 12)
    assert len(experiment.runs) == 12 + 3 + 12 + 36
    assert any("A build: 1 → 2" in each.said for each in told)


def test_a_version_that_changes_under_way_is_told_with_both() -> None:
    experiment = versioned({"engine": "1"})

    def deployed(arm: str, runs: int) -> None:
        experiment.known = {"engine": "1" if runs < 30 else "2"}

    experiment._before_run = deployed
    assert run(experiment).evidence.versions == {"engine": "1, then 2"}


def test_the_same_on_another_machine_begins_anew_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, told = MemoryLedger(), list[Step]()
    sevenfold(ledger, {})
    monkeypatch.setattr("outgrow.proving.records.machine", lambda: {**machine(), "cores": "1000"})
    assert run(scripted(), ledger, told=told).gone_on_from == 0
    assert any("→ 1000" in each.said for each in told)


def test_what_is_declared_otherwise_is_named() -> None:
    ledger, told = MemoryLedger(), list[Step]()
    sevenfold(ledger, {})
    run(scripted(), ledger, other_load(asked()), told=told)
    assert [each.said for each in told if "kept" in each.said] == [
        "7 kept rounds are not gone on from, as other things would be mixed (load: changed); it begins anew"
    ]


def test_a_fresh_run_leaves_nothing_to_go_on_from() -> None:
    ledger = MemoryLedger()
    sevenfold(ledger, {"engine": "1"})
    run(versioned({"engine": "1"}), ledger, asked(fresh=True))
    assert run(versioned({"engine": "1"}), ledger).gone_on_from == 0


@pytest.mark.parametrize("number", [12, 20, 33])
def test_of_many_versions_the_last_few_are_kept(number: int) -> None:
    ledger = MemoryLedger()
    for each in range(5):
        before = at_run(number, KeyboardInterrupt())
        run(versioned({"engine": str(each)}, before_run=before), ledger, at=NOW + each)
    rounds = (number - 12) // 3
    kept = [run(versioned({"engine": str(each)}), ledger, at=NOW + 9).gone_on_from for each in (4, 3, 2, 1, 0)]
    assert kept == [rounds, rounds, rounds, 0, 0]
