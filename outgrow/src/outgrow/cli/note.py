"""``outgrow note``: a fact no metric knows, with source and date."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, err, hint, out
from outgrow.errors import UsageError
from outgrow.points.declaration import Declaration
from outgrow.ports import Note
from outgrow.quantities import DAY, iso_date, parse_time
from outgrow.wiring import Workspace, chosen_point, open_workspace


def note(
    point: Annotated[str | None, typer.Argument(help="The rewrite point.", show_default=False)] = None,
    trigger: Annotated[str | None, typer.Argument(help="Its trigger of kind fact.", show_default=False)] = None,
    text: Annotated[str | None, typer.Argument(help="What happened, in a sentence.", show_default=False)] = None,
    source: Annotated[str, typer.Option(help="Who says so: a person, a ticket, a contract.")] = "",
    date: Annotated[str | None, typer.Option(help="When it became true, e.g. 2026-03-01; now, when left out.")] = None,
    withdraw: Annotated[int | None, typer.Option(metavar="ID", help="A note that no longer holds.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Write down a fact no metric knows (a compliance demand, a complaint); without arguments, list what was noted."""
    with open_workspace(config) as workspace:
        if withdraw is not None:
            if text is not None:
                raise UsageError(
                    "--withdraw takes a note back and adds none", next_step=f"outgrow note --withdraw {withdraw}"
                )
            _show("withdrawn", _withdrawn(workspace, withdraw), as_json)
        elif text is None:
            _list(workspace, point, trigger, as_json, plain)
            return
        else:
            _show("noted", _added(workspace, point or "", trigger or "", text, source, date), as_json)
    hint("outgrow status")


def _added(workspace: Workspace, point: str, trigger: str, text: str, source: str, date: str | None) -> Note:
    chosen, fact = _fact(workspace.declaration, point, trigger)
    if not text.strip():
        raise UsageError("a note needs a sentence that says what happened")
    now = workspace.clock.now()
    at = _time(date, now)
    return workspace.ledger.add_note(chosen, fact, text.strip(), source=source.strip(), at=at, made_at=now)


def _withdrawn(workspace: Workspace, note_id: int) -> Note:
    found = workspace.ledger.withdraw_note(note_id, workspace.clock.now())
    if found is None:
        raise UsageError(f"there is no note {note_id}", next_step="outgrow note")
    return found


def _fact(declaration: Declaration, point: str, trigger: str) -> tuple[str, str]:
    """Ids of the point and of its trigger; raises ``UsageError`` with those that can be noted."""
    chosen = chosen_point(declaration, point)
    facts = [one.id for one in chosen.triggers if one.kind == "fact"]
    if trigger in facts:
        return chosen.id, trigger
    there = f"there is {', '.join(facts)}" if facts else "it has none"
    if any(one.id == trigger for one in chosen.triggers):
        raise UsageError(f"{trigger} of {chosen.id} is measured, not noted; of kind fact {there}")
    raise UsageError(f"{chosen.id} has no trigger {trigger!r}; of kind fact {there}")


def _time(date: str | None, now: float) -> float:
    if date is None:
        return now
    try:
        at = parse_time(date)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if at > now + DAY:
        raise UsageError(f"{date} is yet to come; note a fact once it is one")
    return at


def _show(what: str, noted: Note, as_json: bool) -> None:
    if as_json:
        emit_json({"note": _fields(noted)})
    else:
        err().print(f"{what} as number {noted.id}: {_sentence(noted)}", markup=False, soft_wrap=True)


def _list(workspace: Workspace, point: str | None, trigger: str | None, as_json: bool, plain: bool) -> None:
    chosen = None if point is None else chosen_point(workspace.declaration, point).id
    notes = workspace.ledger.notes(chosen, trigger)
    if as_json:
        emit_json({"notes": [_fields(each) for each in notes]})
        return
    for each in notes:
        out(plain).print(f"{each.id}  {_sentence(each)}", markup=False)
    if not notes:
        facts = [
            (one.id, fact.id) for one in workspace.declaration.points for fact in one.triggers if fact.kind == "fact"
        ]
        err().print("nothing is noted yet" + ("" if facts else "; no trigger of kind fact is declared"))
        if facts:
            hint(f'outgrow note {facts[0][0]} {facts[0][1]} "what happened" --source "who says so"')


def _sentence(noted: Note) -> str:
    source = f" ({noted.source})" if noted.source else ""
    gone = f", withdrawn {iso_date(noted.withdrawn_at)}" if noted.withdrawn_at is not None else ""
    return f"{iso_date(noted.at)} {noted.point}/{noted.trigger}: {noted.text}{source}{gone}"


def _fields(noted: Note) -> dict[str, Any]:
    times = {key: iso_date(value) if value is not None else None for key, value in
             (("at", noted.at), ("made_at", noted.made_at), ("withdrawn_at", noted.withdrawn_at))}  # fmt: skip
    return {**asdict(noted), **times}
