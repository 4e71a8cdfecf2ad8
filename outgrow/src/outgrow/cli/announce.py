"""``outgrow announce``: the note to users about a rewrite, and the notes that follow it."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from outgrow.cli.handbook import last_announcement, last_plan, write_whole
from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, emit_line, err, hint
from outgrow.decision_folder import decision_folder, read_heads
from outgrow.decisions.records import DecisionHead
from outgrow.decisions.reopening import in_force
from outgrow.errors import OutgrowError
from outgrow.points.declaration import Declaration, Point
from outgrow.quantities import at_date
from outgrow.reports.announcement import (
    Announcement,
    PlanSeen,
    Subject,
    Told,
    announcement_body,
    announcement_digest,
    close,
    day_words,
    window_words,
)
from outgrow.reports.announcement import announce as written
from outgrow.wiring import Workspace, chosen_point, open_workspace


def announce(
    point: Annotated[str, typer.Argument(help="The rewrite point: its id, or its number in the file.")],
    output: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of stdout.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Write the note to users: what changes, when, what they may notice; once dates move, the note that says so.

    What was told is kept, so that the next call says what has moved since. Ends with 3 where nothing is decided or
    planned yet.
    """
    with open_workspace(config) as workspace:
        chosen: Point = chosen_point(workspace.declaration, point)
        last, digest = last_announcement(workspace, chosen.id)
        note = _note(workspace, config, chosen, last)
        kept = note or last
        assert kept is not None  # nothing moved since the last one, so there is one
        if output is not None:
            write_whole(output, kept.text)
        if as_json:
            emit_json(_fields(chosen.id, note, last, output))
        elif output is None:
            _say(note, kept)
        if note is not None:
            workspace.ledger.add_record(
                "announcement",
                chosen.id,
                workspace.clock.now(),
                announcement_digest(note, digest),
                announcement_body(note),
            )
    if note is None:
        err().print(f"nothing has moved since the note of {day_words(kept.on)}", markup=False)
    if output is not None:
        err().print(f"wrote {output}", markup=False, soft_wrap=True)
    if not chosen.felt_by_users.strip():
        err().print(f"felt_by_users is not declared for {chosen.id}: the note says that it is not known", markup=False)
    hint(f"outgrow handbook {chosen.id}")


def _note(workspace: Workspace, config: Path, point: Point, last: Announcement | None) -> Announcement | None:
    """The note to tell now, None where nothing has moved. Raises ``OutgrowError`` where there is nothing to tell."""
    today = at_date(workspace.clock.now())
    head = _decided(workspace.declaration, config, point, last)
    subject = Subject(workspace.declaration.name, point.title, point.felt_by_users, head.number)
    if head.status == "done":
        return close(subject, last, today)
    plan = last_plan(workspace, point.id)
    if plan is None:
        raise OutgrowError(f"no plan is kept yet, so {point.id} has no dates to tell", next_step="outgrow plan")
    _planned(plan, head, point, today)
    return written(subject, plan, last, today)


def _decided(declaration: Declaration, config: Path, point: Point, last: Announcement | None) -> DecisionHead:
    folder = decision_folder(config, declaration.decisions)
    found = read_heads(folder)
    for warning in found.warnings:
        err().print(warning, style="yellow", markup=False, soft_wrap=True)
    head = in_force([one for one in found.heads if one.status != "proposed"], point.id)
    if head is not None and head.option is not None:
        return head
    head = in_force(found.heads, point.id)
    told = f"; users were told dates on {day_words(last.on)}" if last is not None and last.stage != "done" else ""
    if head is not None and head.status == "proposed":
        raise OutgrowError(
            f"{head.file} is proposed, not accepted, so there is nothing to tell users{told}",
            next_step=f"write status: accepted in {folder / head.file}, then outgrow announce {point.id}",
        )
    raise OutgrowError(
        f"nothing is decided for {point.id}, so there is nothing to tell users{told}",
        next_step=f"outgrow decide {point.id}",
    )


def _planned(plan: PlanSeen, head: DecisionHead, point: Point, today: date) -> None:
    """Raises ``OutgrowError`` where the plan has no date that could be told."""
    made, move = day_words(plan.made_on), plan.move
    if move is None:
        why = f": {plan.why_not}" if plan.why_not else ""
        raise OutgrowError(f"the plan of {made} has no place for {point.id}{why}", next_step="outgrow plan")
    if move.option != head.option:
        raise OutgrowError(
            f"the plan of {made} is made with option {move.option} of {point.id}, but {head.file} decides for "
            f"{head.option}",
            next_step="outgrow plan",
        )
    _, _, ends = move.finish
    if ends is not None and ends < today:
        raise OutgrowError(
            f"by the plan of {made} {point.id} is over since {day_words(ends)}, but {head.file} is not done: plan "
            "anew, or set its status to done",
            next_step="outgrow plan",
        )


def _say(note: Announcement | None, kept: Announcement) -> None:
    if note is not None:
        sys.stdout.write(note.text)
    elif kept.stage == "done":
        emit_line(f"On {day_words(kept.on)} users were told that it is done. There is nothing to add.")
    else:
        dates = f": {window_words(kept.told)}" if kept.told else ""
        emit_line(f"Nothing has moved since {day_words(kept.on)}{dates}.")


def _fields(point: str, note: Announcement | None, last: Announcement | None, output: Path | None) -> dict[str, Any]:
    kept = note or last
    assert kept is not None
    return {
        "point": point,
        "stage": note.stage if note else "unchanged",
        "on": kept.on.isoformat(),
        "told": _dates(kept.told),
        "told_before": _dates(last.told) if note is not None and last is not None else None,
        "why": kept.why or None if note else None,
        "output": None if output is None else str(output),
        "text": kept.text if output is None else None,
    }


def _dates(told: Told | None) -> dict[str, str | None] | None:
    if told is None:
        return None
    days = {"begins": told.begins, "likely": told.likely, "ends": told.ends}
    return {name: day.isoformat() if day else None for name, day in days.items()}
