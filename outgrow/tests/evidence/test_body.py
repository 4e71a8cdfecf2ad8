"""Evidence and kept rounds as JSON: what is written comes back, what is older is read, what is broken is nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.evidence.body import EvidenceEdited, can_be_checked, evidence_body, evidence_of, with_digest
from outgrow.evidence.kept import (
    Begun,
    KeptRound,
    begun_bytes,
    begun_of,
    declared_otherwise,
    digested,
    other_versions,
    phrase,
    round_bytes,
    round_of,
)
from outgrow.evidence.records import Arm, ArmFacts, Evidence, Fit, Round, TriggerMeasure
from outgrow.quantities import Interval

positive = st.floats(1e-6, 1e6)
maybe = st.none() | positive
rounds = st.builds(Round, st.integers(1, 99), st.just("A"), st.integers(0, 5), positive, st.integers(1, 99),
                   st.integers(0, 9), maybe, maybe)  # fmt: skip
facts = st.builds(ArmFacts, st.just("A"), maybe, st.none() | st.floats(0, 1), st.none() | st.floats(0, 1), maybe, maybe,
                  maybe, st.sampled_from(["", "it failed"]))  # fmt: skip
RATIO = Interval(0.9, 1.0, 1.1, 0.95)
fits = st.none() | st.builds(
    Fit, st.just("A"), st.none() | st.just(RATIO), st.integers(0, 99), st.sampled_from(["", "x"])
)
evidence = st.builds(
    Evidence, st.just("p"), positive, st.just("s"), st.just("A"), st.booleans(), st.just("d"),
    arms=st.just((Arm("A", None), Arm("B", "B"))), rounds=st.lists(rounds, max_size=4).map(tuple),
    measures=st.just((TriggerMeasure("A", "slow", 2000.0, RATIO),)), facts=facts.map(
        lambda one: (one,) if one != ArmFacts("A") else ()), fit=fits, rate_per_second=maybe,
    load_ratio=maybe, interrupted=st.booleans(),
)  # fmt: skip


@given(evidence)
def test_evidence_comes_back_from_the_ledger_as_it_was(one: Evidence) -> None:
    assert evidence_of(json.loads(json.dumps(evidence_body(one)))) == one


@given(evidence)
def test_a_digest_stands_for_all_that_is_said(one: Evidence) -> None:
    digest = with_digest(one).digest
    assert with_digest(with_digest(one)).digest == digest
    assert with_digest(replace(one, made_at=one.made_at + 1)).digest != digest
    assert with_digest(replace(one, interrupted=not one.interrupted)).digest != digest


def test_what_was_kept_before_there_were_facts_is_read() -> None:
    body = evidence_body(Evidence("p", 1.0, "s", "A", False, "d", arms=(Arm("A", None),)))
    for key in ("seal", "fit", "rate_per_second", "load_ratio", "interrupted"):
        del body[key]
    body["rounds"] = [{"round": 1, "arm": "A", "order": 0, "p95_seconds": 0.1, "sent": 9, "dropped": 0}]
    found = evidence_of(body)
    assert found.facts == ()
    assert found.fit is None
    assert found.rounds[0].p50_seconds is None


@given(evidence, st.data())
def test_what_was_edited_where_it_is_kept_is_not_believed(one: Evidence, data: st.DataObject) -> None:
    body = json.loads(json.dumps(evidence_body(one)))
    key = data.draw(st.sampled_from(sorted(body.keys() - {"schema"})))
    body[key] = [body[key], "other"]
    with pytest.raises(EvidenceEdited):
        evidence_of(body)


def test_a_database_may_write_the_same_numbers_its_own_way() -> None:
    kept = json.dumps(evidence_body(Evidence("p", 1e22, "s", "A", False, "d")))
    assert evidence_of(json.loads(kept.replace("1e+22", "1" + 22 * "0"))).made_at == 1e22


def test_evidence_from_before_there_were_seals() -> None:
    proved = evidence_body(with_digest(Evidence("p", 1.0, "outgrow prove", "A", False, "")))
    imported = evidence_body(Evidence("p", 1.0, "a bench", "A", False, "of the file"))
    assert can_be_checked(imported)
    del proved["seal"], imported["seal"]
    assert evidence_of(proved).made_at == evidence_of(imported).made_at == 1.0
    assert (can_be_checked(proved), can_be_checked(imported)) == (True, False)
    with pytest.raises(EvidenceEdited, match="digest"):
        evidence_of(proved | {"made_at": 2.0})


BEGUN = Begun({"point": "p", "load:": "#1"}, 12.5, 30.0, Fit("A", RATIO, 6), {"engine": "1"})
KEPT = KeptRound(3, (Round(3, "A", 0, 0.1, 9, 0, 0.05, 9.0),), {"A": {"slow": 0.1}}, (ArmFacts("A", recall=0.99),))


def test_a_kept_round_comes_back_to_the_run_it_belongs_to() -> None:
    assert begun_of(begun_bytes([BEGUN, None])) == (BEGUN, None)
    assert round_of(round_bytes(BEGUN, KEPT), BEGUN) == KEPT
    assert round_of(round_bytes(BEGUN, KEPT), replace(BEGUN, at=13.0)) is None
    assert round_of(round_bytes(BEGUN, KEPT), replace(BEGUN, said={"point": "other"})) is None


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b"no", b'{"key": "key", "at": 12.5}', b"\xff"])
def test_what_cannot_be_read_is_nothing(content: bytes | None) -> None:
    assert begun_of(content) == ()
    assert round_of(content, BEGUN) is None


def test_one_that_cannot_be_read_costs_the_others_nothing() -> None:
    content = begun_bytes([BEGUN, BEGUN]).replace(b'"at": 12.5', b'"at": "noon"', 1)
    assert begun_of(content) == (None, BEGUN)


def test_what_was_declared_otherwise_is_named_and_digests_are_not_shown() -> None:
    before = {"cores": "4", "load:": digested(0.6), "seed": "1"}
    now = {"cores": "2", "load:": digested(0.5), "rate:": digested(7)}
    assert declared_otherwise(before, now) == ("cores: 4 → 2", "load: changed", "rate: changed", "seed: 1 → nothing")
    assert declared_otherwise(before, dict(before)) == ()


def test_versions_differ_only_where_both_are_known() -> None:
    assert other_versions({"a": "1", "b": "1"}, {"b": "2", "c": "9"}) == ("b: 1 → 2",)
    assert phrase(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
