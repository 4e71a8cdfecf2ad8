"""``outgrow decide``: apply the rule to evidence and answers, weigh the rest, write the record."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from outgrow.cli.looking import look_from
from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, emit_line, err, hint, out
from outgrow.deciding import Considered, Written, consider, draft, evidence_in, keep_answer, next_number, write_down
from outgrow.decision_folder import DecisionFolder, decision_folder, shown_path
from outgrow.decisions.answers import checked_answer, open_question
from outgrow.decisions.decision_record import DecisionRecord
from outgrow.decisions.option_text import weighing_scores, weighing_sentences
from outgrow.decisions.record_text import file_name, ratio_sentence, tune_lines
from outgrow.decisions.records import Answered, Ruling
from outgrow.errors import UsageError
from outgrow.evidence.records import MeasuredRatio
from outgrow.points.declaration import Case, Point
from outgrow.quantities import iso_date
from outgrow.standing import Standing, answers_of, standings
from outgrow.wiring import Workspace, chosen_point, open_workspace

VERDICT_STYLES = {"stay": "green", "migrate": "bold yellow", "between": "yellow", "inconclusive": "bold magenta"}


class NewStatus(StrEnum):
    """What a record is written with."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"


@dataclass(slots=True)
class _Case:
    """A point to be decided, with its folder, what it stands on, and the answers there are."""

    workspace: Workspace
    point: Point
    folder: DecisionFolder
    standing: Standing | None
    answers: dict[str, Answered]
    considered: Considered
    keep: bool

    def answer(self, given: Answered) -> None:
        """Take an answer, keep it unless this is a rehearsal, and consider again."""
        if self.keep:
            confirm = self.standing is not None and bool(self.standing.reopened)
            given = keep_answer(self.workspace.ledger, self.point, given, confirm=confirm)
        self.answers[given.fact] = given
        self.considered = consider(
            self.workspace.declaration,
            self.point,
            self.considered.outlook,
            self.considered.known_at,
            self.considered.evidence,
            self.answers,
            self.folder.heads().heads,
        )


def decide(
    point: Annotated[str, typer.Argument(help="The rewrite point: its id, or its number.", show_default=False)],
    answer: Annotated[
        list[str] | None, typer.Option("--answer", metavar="FACT=yes|no", help="Answer a question of the rule.")
    ] = None,
    source: Annotated[str, typer.Option(help="Who or what says so: a person, a ticket, a contract.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be decided; write and keep nothing.")
    ] = False,
    status: Annotated[NewStatus, typer.Option(help="How a new record is marked.")] = NewStatus.ACCEPTED,
    decision_maker: Annotated[
        list[str] | None, typer.Option("--decision-maker", metavar="NAME", help="Who decides; may be given again.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Apply the declared rule to the evidence and write the decision record, with what reopens it."""
    with open_workspace(config) as workspace:
        case = _opened(workspace, config, point, keep=not dry_run)
        for given in _given(case.point, answer or [], source, workspace.clock.now()):
            case.answer(given)
        if not no_input and not as_json and sys.stdin.isatty() and sys.stderr.isatty():
            _ask(case, source)
        ruling = case.considered.ruling
        record = _draft(case, status, tuple(decision_maker or ()))
        written = None
        if ruling.option is not None and not dry_run:
            written = write_down(
                case.considered,
                workspace.ledger,
                case.folder,
                status=status.value,
                decision_makers=record.decision_makers,
                now=workspace.clock.now(),
                time_scale=workspace.clock.scale,
            )
    if as_json:
        emit_json(_fields(case, record, written, dry_run))
    else:
        _show(record, plain)
        _say(case, record, written, dry_run)
        hint(_next(ruling, written))
    raise typer.Exit(exit_code(ruling))


def exit_code(ruling: Ruling) -> int:
    """0 where an option is chosen, 3 where the evidence does not settle it, 1 where it does but names no option."""
    if ruling.verdict == "inconclusive":
        return 3
    return 0 if ruling.option is not None else 1


def _opened(workspace: Workspace, config: Path, name: str, *, keep: bool) -> _Case:
    point: Point = chosen_point(workspace.declaration, name)
    ledger, declaration = workspace.ledger, workspace.declaration
    folder = DecisionFolder(decision_folder(config, declaration.decisions))
    lookout = look_from(workspace, as_of=None, offline=True)
    lookout.keep = keep
    statuses = lookout.statuses((point,))
    contents = folder.heads()
    for warning in contents.warnings:
        err().print(warning, style="yellow", markup=False, soft_wrap=True)
    standing = standings(declaration, contents.heads, statuses, ledger, workspace.clock.now()).get(point.id)
    evidence, said = evidence_in(ledger.records("evidence", point.id))
    for sentence in said:
        err().print(sentence, style="yellow", markup=False, soft_wrap=True)
    answers = answers_of(point, ledger)
    considered = consider(declaration, point, statuses[0], lookout.now, evidence, answers, contents.heads)
    return _Case(workspace, point, folder, standing, answers, considered, keep)


def _given(point: Point, answers: list[str], source: str, now: float) -> list[Answered]:
    """The answers of the command line, checked before any is kept."""
    given: dict[str, Answered] = {}
    for text in answers:
        fact, equals, said = text.partition("=")
        if not equals or said.strip().lower() not in _SAID:
            raise UsageError(f"{text!r} is no answer; write FACT=yes or FACT=no")
        checked = checked_answer(point, fact.strip(), _SAID[said.strip().lower()], source, now)
        if checked is not None:
            if given.get(checked.fact, checked) != checked:
                raise UsageError(f"{checked.fact} is answered with yes and with no")
            given[checked.fact] = checked
    return list(given.values())


_SAID = {"yes": True, "no": False}


def _ask(case: _Case, source: str) -> None:
    """Ask what the rule still has to know, one question after the other; an empty line leaves it unknown."""
    asked: set[str] = set()
    while case.considered.ruling.verdict == "inconclusive":
        question = open_question(case.point, case.answers)
        if question is None or question.fact in asked:
            return
        asked.add(question.fact)
        given = _asked(case, question, source)
        if given is None:
            return
        case.answer(given)


def _asked(case: _Case, question: Case, source: str) -> Answered | None:
    said = ""
    while said not in ("yes", "no", "y", "n"):
        said = _read(f"{question.ask} [yes/no; empty: not known] ").lower()
        if not said:
            return None
    who = source or _read("Who or what says so? ")
    return checked_answer(case.point, question.fact, said.startswith("y"), who, case.workspace.clock.now())


def _read(prompt: str) -> str:
    err().print(prompt, markup=False, end="")
    return sys.stdin.readline().strip()


def _draft(case: _Case, status: NewStatus, decision_makers: tuple[str, ...]) -> DecisionRecord:
    heads = [one for one in case.folder.heads().heads if one.point == case.point.id and one.superseded_by is None]
    return draft(
        case.considered,
        next_number(case.workspace.ledger, case.folder) if case.considered.ruling.option is not None else 0,
        heads,
        status=status.value,
        decision_makers=decision_makers,
        now=case.workspace.clock.now(),
        time_scale=case.workspace.clock.scale,
    )


def _lines(record: DecisionRecord) -> list[tuple[str, str]]:
    """What a ruling rests on, as (kind, sentence)."""
    ruling = record.ruling
    lines = [("reason", reason) for reason in ruling.reasons]
    lines += [("missing", missing) for missing in ruling.missing]
    lines += [("tune", said) for said in tune_lines(ruling)]
    if ruling.ratio is not None:
        lines.append(("ratio", ratio_sentence(record, ruling.ratio)))
    lines += [("shown, never ruled on", ratio_sentence(record, one)) for one in ruling.shown]
    lines += [("answer", f"{one.fact}: {'yes' if one.answer else 'no'} ({one.source})") for one in ruling.answers]
    if ruling.weighing is not None:
        lines.append(("weighing", weighing_scores(record, ruling.weighing)))
        lines += [("weighing", said) for said in weighing_sentences(record, ruling.weighing)]
    return lines + [("closed", f"{record.label(option)}: {why}") for option, why in ruling.closed]


def _show(record: DecisionRecord, plain: bool) -> None:
    ruling, title = record.ruling, record.point.title or record.point.id
    if plain:
        emit_line(f"{ruling.verdict}\t{record.point.id}\t{ruling.option or ''}")
        for kind, text in _lines(record):
            emit_line(f"{kind}\t{text}")
        return
    console = out()
    if record.time_scale:
        console.print(Text(f"time scale {record.time_scale}: this is a rehearsal", style="reverse"))
    chosen = f": {record.label(ruling.option)}" if ruling.option else ""
    console.print(Text(f"● {ruling.verdict}", style=VERDICT_STYLES[ruling.verdict]) + Text(f"  {title}{chosen}"))
    before = ""
    for kind, text in _lines(record):
        if kind != before and kind != "reason":
            console.print(Text(f"  {kind}", style="dim"))
        indent = 2 if kind == "reason" else 4
        for line in Text(text).wrap(console, console.width - indent):
            console.print(Text(" " * indent) + line)
        before = kind


def _say(case: _Case, record: DecisionRecord, written: Written | None, dry_run: bool) -> None:
    """What became of it, on stderr."""
    console = err()
    if written is None:
        if record.ruling.option is not None and dry_run:
            console.print(f"would write {shown_path(case.folder.path / file_name(record))}, unless it is there already",
                          markup=False, soft_wrap=True)  # fmt: skip
        elif record.ruling.option is None and record.ruling.verdict != "inconclusive":
            console.print("no option is chosen, so no record is written", markup=False, soft_wrap=True)
        return
    path = shown_path(case.folder.path / written.file)
    said = {
        "written": f"wrote {path} ({written.status})",
        "kept": f"{path} ({written.status}) rests on the same and was left as it is",
        "restored": f"wrote {path} again as it was",
    }
    console.print(said[written.how], markup=False, soft_wrap=True)
    for file in written.superseded:
        console.print(f"{file} is marked superseded by it", markup=False, soft_wrap=True)
    for warning in written.warnings:
        console.print(warning, style="yellow", markup=False, soft_wrap=True)
    if written.how == "kept" and case.standing is not None and case.standing.reopened:
        console.print(f"it is reopened: {'; '.join(case.standing.reopened)}. Measure again; or, where it stands after "
                      "all, set its date to the day you thought it over",
                      style="yellow", markup=False, soft_wrap=True)  # fmt: skip


def _next(ruling: Ruling, written: Written | None) -> str:
    return "outgrow plan" if written is not None else ruling.next_step


def _fields(case: _Case, record: DecisionRecord, written: Written | None, dry_run: bool) -> dict[str, Any]:
    """The JSON, as documented in the reference."""
    ruling = record.ruling
    return {
        "point": ruling.point,
        "verdict": ruling.verdict,
        "option": ruling.option,
        "reasons": list(ruling.reasons),
        "missing": list(ruling.missing),
        "next": _next(ruling, written) or None,
        "record": shown_path(case.folder.path / written.file) if written else None,
        "number": written.number if written else None,
        "status": written.status if written else None,
        "how": written.how if written else None,
        "dry_run": dry_run,
        "tune": [asdict(one) for one in ruling.tune],
        "ratio": _ratio(ruling.ratio) if ruling.ratio else None,
        "shown": [_ratio(one) for one in ruling.shown],
        "answers": [{**asdict(one), "at": iso_date(one.at) if one.at is not None else None} for one in ruling.answers],
        "weighing": _weighing(ruling),
        "closed": [{"option": option, "why": why} for option, why in ruling.closed],
        "superseded": list(written.superseded) if written else [],
        "reopened": list(case.standing.reopened) if case.standing else [],
        "warnings": list(written.warnings) if written else [],
        "time_scale": record.time_scale or None,
    }


def _ratio(measured: MeasuredRatio) -> dict[str, Any]:
    bounds: Mapping[str, float | None] = (
        asdict(measured.ratio) if measured.ratio else dict.fromkeys(("low", "mid", "high", "confidence"))
    )
    return {
        "option": measured.option,
        "against": measured.against,
        "tuned": measured.tuned,
        **bounds,
        "rounds": measured.rounds,
        "source": measured.source,
        "made_at": iso_date(measured.made_at),
        "why_not": measured.why_not or None,
    }


def _weighing(ruling: Ruling) -> dict[str, Any] | None:
    weighing = ruling.weighing
    if weighing is None:
        return None
    return {
        "best": weighing.best,
        "eligible": list(weighing.eligible),
        "scores": [{"option": option, "score": score} for option, score in weighing.scores],
        "flips": [asdict(one) for one in weighing.flips],
        "missing": list(weighing.missing),
        "holds_in_ratio": weighing.holds_in_ratio,
    }
