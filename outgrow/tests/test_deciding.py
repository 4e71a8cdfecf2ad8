"""A decision from evidence to its file and back: a real ledger, a real folder, and what happens to them meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from outgrow.deciding import (
    Considered,
    Written,
    closed_options,
    consider,
    digest_of,
    evidence_in,
    keep_answer,
    write_down,
)
from outgrow.decision_folder import DecisionFolder, FolderRefused, read_heads
from outgrow.decisions.answers import checked_answer, open_question
from outgrow.decisions.records import DecisionHead, Status
from outgrow.errors import UsageError
from outgrow.evidence.records import Evidence, ReportedRatio
from outgrow.imports.evidence import evidence_body, evidence_of
from outgrow.ledger import open_ledger
from outgrow.lookout import Lookout
from outgrow.points.declaration import Declaration, Point
from outgrow.points.reading import read_declaration
from outgrow.ports import Ledger
from outgrow.quantities import DAY, HOUR, Interval
from outgrow.standing import Standing, answers_of, standings

DECLARATION = read_declaration(Path(__file__).parent / "decisions" / "declaration.yaml")
DATA, STATE = "data-architecture", "state-management"
FACT = "real-time-collaboration"
NOON = datetime(2027, 1, 15, 12, tzinfo=UTC).timestamp()


@dataclass
class Desk:
    """What a team decides at."""

    folder: DecisionFolder
    ledger: Ledger
    declaration: Declaration = DECLARATION

    def point(self, name: str) -> Point:
        found = self.declaration.point(name)
        assert found is not None
        return found

    def lookout(self, now: float) -> Lookout:
        return Lookout(declaration=self.declaration, ledger=self.ledger, now=now, keep=False)

    def considered(self, name: str = DATA, now: float = NOON) -> Considered:
        point = self.point(name)
        (outlook,) = self.lookout(now).statuses((point,))
        evidence = [evidence_of(one.body) for one in self.ledger.records("evidence", name)]
        answers = answers_of(point, self.ledger)
        return consider(self.declaration, point, outlook, now, evidence, answers, self.folder.heads().heads)

    def decide(self, name: str = DATA, now: float = NOON, status: Status = "accepted") -> Written:
        considered = self.considered(name, now)
        return write_down(considered, self.ledger, self.folder, status=status, decision_makers=("Ana",), now=now)

    def measure(self, low: float, high: float, at: float = NOON - DAY) -> None:
        ratio = Interval(low, (low + high) / 2, high, 0.95)
        found = Evidence(
            point=DATA,
            made_at=at,
            source="a bench",
            baseline="tune",
            baseline_tuned=True,
            digest=f"{low}-{high}-{at}",
            reported=(ReportedRatio("A", ratio),),
        )
        self.ledger.add_record("evidence", DATA, at, found.digest, evidence_body(found))

    def answer(self, said: bool, source: str = "Ana", at: float = NOON, confirm: bool = False) -> None:
        given = checked_answer(self.point(STATE), FACT, said, source, at)
        assert given is not None
        keep_answer(self.ledger, self.point(STATE), given, confirm=confirm)

    def sample(self, values: np.ndarray, end: float, step: float = HOUR) -> None:
        times = end - step * np.arange(len(values))[::-1]
        self.ledger.add_samples("vector_p95", times, values, origin="measured", source="test")

    def text(self, file: str) -> str:
        return (self.folder.path / file).read_text()

    def standing(self, now: float, name: str = DATA) -> Standing:
        statuses = self.lookout(now).statuses()
        return standings(self.declaration, self.folder.heads().heads, statuses, self.ledger, now)[name]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    ledger = open_ledger(tmp_path / "ledger.sqlite")
    yield Desk(DecisionFolder(tmp_path / "docs" / "decisions"), ledger)
    ledger.close()


def test_the_same_evidence_leaves_the_file_byte_for_byte(desk: Desk) -> None:
    desk.measure(6, 8)
    first = desk.decide()
    assert (first.how, first.number, first.file) == ("written", 1, "0001-data-architecture-partition.md")
    before = desk.text(first.file)
    path = desk.folder.path / first.file
    stamp = path.stat().st_mtime_ns
    again = desk.decide(now=NOON + 9 * DAY, status="proposed")
    assert (again.how, again.file, again.status) == ("kept", first.file, "accepted")
    assert desk.text(first.file) == before
    assert path.stat().st_mtime_ns == stamp
    assert len(desk.ledger.records("decision")) == 1


def test_a_missing_file_is_written_again_as_it_was(desk: Desk) -> None:
    desk.measure(6, 8)
    first = desk.decide()
    before = desk.text(first.file)
    (desk.folder.path / first.file).unlink()
    again = desk.decide(now=NOON + 99 * DAY)
    assert (again.how, again.file) == ("restored", first.file)
    assert desk.text(first.file) == before


def test_the_number_of_a_missing_file_that_is_taken_is_not_given_twice(desk: Desk) -> None:
    desk.measure(6, 8)
    first = desk.decide()
    text = desk.text(first.file).replace("point: data-architecture", "point: elsewhere")
    (desk.folder.path / first.file).unlink()
    desk.folder.write("0001-elsewhere.md", text)
    assert desk.decide().number == 2


def test_the_number_of_a_decision_that_was_thrown_away_is_not_given_again(desk: Desk) -> None:
    desk.measure(6, 8)
    (desk.folder.path / desk.decide().file).unlink()
    desk.measure(1.2, 1.6, at=NOON)
    assert desk.decide().number == 2


def test_a_lost_ledger_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.measure(6, 8)
    first = desk.decide()
    ledger = open_ledger(tmp_path / "other.sqlite")
    other = Desk(desk.folder, ledger)
    other.measure(6, 8)
    assert other.decide(now=NOON + DAY).how == "kept"
    assert [head.number for head in read_heads(desk.folder.path).heads] == [first.number]
    ledger.close()


def test_other_evidence_makes_a_new_number_and_marks_the_old_one(desk: Desk) -> None:
    desk.measure(6, 8)
    first = desk.decide()
    edited = desk.text(first.file) + "\nWe slept over it.\n"
    (desk.folder.path / first.file).write_text(edited)
    desk.measure(1.2, 1.6, at=NOON)
    second = desk.decide(now=NOON + DAY)
    assert (second.number, second.how, second.superseded) == (2, "written", (first.file,))
    assert second.file == "0002-data-architecture-migrate.md"
    old = desk.text(first.file)
    changed = [line for line in old.splitlines() if line not in edited.splitlines()]
    assert changed == ["status: superseded by ADR-0002", "  superseded-by: 2"]
    assert old.endswith("\nWe slept over it.\n")
    assert "This replaces [0001 " in desk.text(second.file)
    assert desk.decide(now=NOON + DAY).how == "kept"


def test_a_proposal_replaces_nothing_until_it_is_accepted(desk: Desk) -> None:
    desk.measure(6, 8)
    first = desk.decide()
    before = desk.text(first.file)
    desk.measure(1.2, 1.6, at=NOON)
    second = desk.decide(status="proposed")
    assert (second.status, second.superseded) == ("proposed", ())
    assert desk.text(first.file) == before
    assert desk.standing(NOON + DAY).head.number == 1
    accepted = desk.text(second.file).replace("status: proposed", "status: accepted")
    (desk.folder.path / second.file).write_text(accepted)
    third = desk.decide()
    assert (third.how, third.superseded) == ("kept", (first.file,))
    assert desk.standing(NOON + DAY).head.number == 2


def test_what_was_rejected_stays_rejected(desk: Desk) -> None:
    desk.measure(6, 8)
    first = desk.decide()
    rejected = desk.text(first.file).replace("status: accepted", "status: rejected")
    (desk.folder.path / first.file).write_text(rejected)
    assert (desk.decide().how, desk.decide().status) == ("kept", "rejected")
    assert desk.text(first.file) == rejected


class StoppedBeforeMarking(DecisionFolder):
    """A run that is killed after the new file and before the mark on the old one."""

    def mark_superseded(self, head: DecisionHead, by: int) -> str:
        raise KeyboardInterrupt


def test_a_run_broken_off_before_the_mark_is_finished_by_the_next(desk: Desk) -> None:
    desk.measure(6, 8)
    first = desk.decide()
    desk.measure(1.2, 1.6, at=NOON)
    whole, desk.folder = desk.folder, StoppedBeforeMarking(desk.folder.path)
    with pytest.raises(KeyboardInterrupt):
        desk.decide()
    desk.folder = whole
    assert [head.status for head in desk.folder.heads().heads] == ["accepted", "accepted"]
    assert (desk.decide().how, desk.decide().superseded) == ("kept", ())
    assert [head.status for head in desk.folder.heads().heads] == ["superseded", "accepted"]
    assert desk.folder.heads().heads[0].file == first.file


def test_a_folder_that_cannot_be_written_leaves_the_ledger_as_it_was(desk: Desk, tmp_path: Path) -> None:
    desk.measure(6, 8)
    (tmp_path / "docs").write_text("a file is in the way")
    with pytest.raises(FolderRefused, match="nothing was written"):
        desk.decide()
    assert desk.ledger.records("decision") == ()


def test_a_half_written_file_is_no_decision_and_keeps_its_number(desk: Desk) -> None:
    desk.measure(6, 8)
    first = desk.decide()
    (desk.folder.path / first.file).write_text(desk.text(first.file)[:150])
    again = desk.decide()
    assert again.number == 2
    assert len(desk.folder.heads().warnings) == 1


def test_the_digest_stands_for_what_weighs(desk: Desk) -> None:
    desk.measure(6, 8)
    base = desk.considered()
    digest = digest_of(base)

    def changed(**of_point: object) -> str:
        return digest_of(replace(base, point=base.point.model_copy(update=of_point)))

    assert changed(title="Data", root_cause="x", headline="y", felt_by_users="z") == digest
    assert digest_of(desk.considered(now=NOON + 50 * DAY)) == digest
    assert changed(complete_before=3000) != digest
    assert changed(options=base.point.options[:2]) != digest
    assert changed(rule=None) != digest
    weights = base.declaration.model_copy(
        update={"criteria": base.declaration.criteria.model_copy(update={"learning_curve": 2})}
    )
    assert digest_of(replace(base, declaration=weights)) != digest
    assert digest_of(replace(base, evidence=())) != digest
    assert digest_of(replace(base, closed_elsewhere=(("B", "x"),))) != digest


def test_answers_are_asked_in_order_and_the_last_wins(desk: Desk) -> None:
    point = desk.point(STATE)
    assert open_question(point, {}).fact == FACT
    assert desk.considered(STATE).ruling.verdict == "inconclusive"
    desk.answer(True)
    desk.answer(False, at=NOON + 1)
    assert answers_of(point, desk.ledger)[FACT].answer is False
    assert open_question(point, answers_of(point, desk.ledger)) is None
    assert desk.considered(STATE).ruling.option == "A"


def test_an_answer_that_turns_twice_is_three_decisions(desk: Desk) -> None:
    for number, said in enumerate((True, False, True), start=1):
        desk.answer(said, at=NOON + number)
        assert desk.decide(STATE, now=NOON + number).number == number
        desk.answer(said, at=NOON + number + 0.5)
        assert desk.decide(STATE, now=NOON + number).how == "kept"
    assert [head.superseded_by for head in desk.folder.heads().heads] == [2, 3, None]


def test_the_file_answers_first(desk: Desk) -> None:
    point = desk.point(STATE)
    rule = point.rule.model_copy(
        update={"cases": (point.rule.cases[0].model_copy(update={"answer": False, "source": "the board"}),)}
    )
    desk.answer(True)
    said = point.model_copy(update={"rule": rule})
    assert answers_of(said, desk.ledger)[FACT].source == "the board"
    assert checked_answer(said, FACT, False, "", NOON) is None
    with pytest.raises(UsageError, match="the file answers real-time-collaboration with no"):
        checked_answer(said, FACT, True, "Ana", NOON)


def test_answers_that_mean_nothing_are_refused(desk: Desk) -> None:
    with pytest.raises(UsageError, match="it asks real-time-collaboration"):
        checked_answer(desk.point(STATE), "other", True, "Ana", NOON)
    with pytest.raises(UsageError, match="its rule asks nothing"):
        checked_answer(desk.point(DATA), FACT, True, "Ana", NOON)
    with pytest.raises(UsageError, match="an answer needs its source"):
        checked_answer(desk.point(STATE), FACT, True, "  ", NOON)


def test_a_reopened_decision_is_taken_anew_when_its_answer_is_confirmed(desk: Desk) -> None:
    desk.answer(True)
    assert desk.decide(STATE).number == 1
    for hours in (30, 31):
        desk.ledger.add_note(STATE, "inconsistent-data", "x", source="", at=NOON + hours * HOUR, made_at=NOON)
    later = NOON + 3 * DAY
    (reason,) = desk.standing(later, STATE).reopened
    assert reason == "inconsistent-data fires since 16 Jan 2027; the decision is of 15 Jan 2027"
    desk.answer(True, at=later)
    assert desk.decide(STATE, now=later).how == "kept"
    desk.answer(True, at=later, confirm=True)
    desk.answer(True, at=later + 60, confirm=True)
    assert desk.decide(STATE, now=later).number == 2
    assert desk.standing(later + DAY, STATE).reopened == ()


def test_an_answer_that_turned_reopens(desk: Desk) -> None:
    desk.answer(True)
    desk.decide(STATE)
    assert desk.standing(NOON + DAY, STATE).reopened == ()
    desk.answer(False, at=NOON + DAY)
    assert desk.standing(NOON + DAY, STATE).reopened == (
        "real-time-collaboration was answered yes when this was decided, and is no now",
    )


def test_notes_that_fired_then_reopen_only_after_a_pause(desk: Desk) -> None:
    for days in (-20, -10):
        desk.ledger.add_note(STATE, "inconsistent-data", "x", source="", at=NOON + days * DAY, made_at=NOON)
    desk.answer(True)
    desk.decide(STATE)
    for days in (30, 75, 95):  # two of all lie within 90 days all the time
        desk.ledger.add_note(STATE, "inconsistent-data", "x", source="", at=NOON + days * DAY, made_at=NOON)
    assert desk.standing(NOON + 121 * DAY, STATE).reopened == ()
    for days in (200, 201):
        desk.ledger.add_note(STATE, "inconsistent-data", "x", source="", at=NOON + days * DAY, made_at=NOON)
    assert len(desk.standing(NOON + 202 * DAY, STATE).reopened) == 1


@pytest.mark.parametrize("quiet_days", [0, 2])
def test_a_trigger_that_fires_for_months_reopens_only_after_a_pause(desk: Desk, quiet_days: int) -> None:
    desk.measure(1.2, 1.6)
    days, end = 100, NOON + 60 * DAY
    values = np.full(days * 24, 7.0)
    values[: 20 * 24] = 1.0
    start = days * 24 - 50 * 24  # ten days after the decision
    values[start : start + quiet_days * 24] = 1.0
    desk.sample(values, end)
    desk.decide(now=NOON)
    (head,) = desk.folder.heads().heads
    assert head.firing_then == ("slow-search",)
    standing = desk.standing(end)
    assert bool(standing.reopened) == bool(quiet_days)
    if quiet_days:
        assert standing.reopened == ("slow-search fires since 27 Jan 2027; the decision is of 15 Jan 2027",)


def test_a_trigger_that_begins_to_fire_reopens(desk: Desk) -> None:
    desk.measure(6, 8)
    desk.sample(np.full(72, 1.0), NOON)
    desk.decide(now=NOON)
    desk.sample(np.full(72, 7.0), NOON + 5 * DAY)
    assert desk.standing(NOON + 5 * DAY).reopened == (
        "slow-search fires since 17 Jan 2027; the decision is of 15 Jan 2027",
    )
    desk.sample(np.full(72, 1.0), NOON + 9 * DAY)
    assert desk.standing(NOON + 9 * DAY).reopened == ()


def test_a_decision_of_a_later_day_is_not_there_yet(desk: Desk) -> None:
    desk.measure(6, 8)
    desk.decide(now=NOON)
    heads = desk.folder.heads().heads
    assert standings(desk.declaration, heads, (), desk.ledger, NOON - DAY) == {}
    assert standings(desk.declaration, heads, (), desk.ledger, NOON)[DATA].head.number == 1


def head(name: str, option: str, status: Status, superseded_by: int | None = None) -> DecisionHead:
    return DecisionHead(3, "0003-x.md", "x", name, "migrate", option, "2027-01-01", status, "d", (), superseded_by)


def test_what_earlier_decisions_closed(desk: Desk) -> None:
    state, data = desk.point(STATE), desk.point(DATA)
    assert closed_options(desk.declaration, state, [head(STATE, "B", "accepted")]) == ((), ())
    (elsewhere, here) = closed_options(desk.declaration, state, [head(STATE, "B", "done")])
    assert elsewhere == ()
    assert here == (("A", "decision 0003 chose State service for state-management, which closes it"),)
    assert closed_options(desk.declaration, state, [head(STATE, "B", "done", superseded_by=4)]) == ((), ())
    assert closed_options(desk.declaration, state, [head("gone", "B", "done")]) == ((), ())
    closing = data.model_copy(
        update={"options": (data.options[0].model_copy(update={"closes": ("state-management/B",)}), *data.options[1:])}
    )
    declaration = desk.declaration.model_copy(update={"points": (closing, state)})
    (elsewhere, here) = closed_options(declaration, state, [head(DATA, "A", "accepted")])
    assert [option for option, _ in elsewhere] == ["B"]
    assert closed_options(declaration, state, [head(DATA, "A", "proposed")]) == ((), ())
    assert closed_options(declaration, state, [head(DATA, "B", "accepted")]) == ((), ())


def test_a_closed_option_is_never_chosen(desk: Desk) -> None:
    desk.answer(False)
    considered = desk.considered(STATE)
    assert considered.ruling.option == "A"
    done = consider(
        desk.declaration, considered.point, considered.outlook, NOON, (), considered.answers, [head(STATE, "B", "done")]
    )
    assert done.ruling.verdict == "inconclusive"
    assert done.ruling.option is None


def test_evidence_that_was_changed_is_left_out_and_named(desk: Desk) -> None:
    desk.measure(6, 14)
    desk.measure(7, 15, NOON - 2 * DAY)
    first, second = desk.ledger.records("evidence", DATA)
    edited = {**first.body, "reported": [{"option": "A", "ratio": {"low": 1, "mid": 1, "high": 1, "confidence": 0.95}}]}
    unsealed = {key: value for key, value in second.body.items() if key != "seal"}
    found, said = evidence_in([replace(first, body=edited), replace(second, body=unsealed), replace(first, body={})])
    assert [one.digest for one in found] == [second.digest]
    assert said[0].startswith(f"record {first.id} of the ledger, evidence on {DATA} of ")
    assert "was changed after it was kept" in said[0]
    assert "outgrow prove" in said[0]
    assert "kept before evidence was sealed" in said[1]
    assert "cannot be read and is left out" in said[2]
