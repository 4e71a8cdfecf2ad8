"""``outgrow handbook``: the page that lets the other person run a rewrite point."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, err, hint
from outgrow.decision_folder import decision_folder, read_heads
from outgrow.decisions.reopening import decided_day
from outgrow.errors import UsageError
from outgrow.outlook.status import PointStatus
from outgrow.points.declaration import Declaration
from outgrow.quantities import iso_date
from outgrow.reports.announcement import Announcement, PlanSeen, announcement_of, plan_seen
from outgrow.reports.handbook import (
    DecisionSeen,
    HandbookRecords,
    handbook_page,
    handbook_place,
    is_url,
    missing_parts,
    own_notes_of,
    written_for,
)
from outgrow.standing import standings
from outgrow.wiring import FRESH_SECONDS, Workspace, chosen_point, open_workspace

if TYPE_CHECKING:
    from outgrow.lookout import Lookout


def handbook(
    point: Annotated[str, typer.Argument(help="The rewrite point: its id, or its number in the file.")],
    output: Annotated[
        str | None,
        typer.Option("--out", "-o", help="Write to this file instead of the declared one; - is stdout."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Write the page that lets the other person run a rewrite point: what is there, what to do first, the way back.

    Made from the records alone; no source is asked. The same records give the same page.
    """
    with open_workspace(config) as workspace:
        declaration = workspace.declaration
        chosen = chosen_point(declaration, point).id
        target = _target(config, declaration, chosen, output)
        before = None if target is None else _before(target, chosen, declared=output is None)
        records = _records(workspace, config, chosen, (target or config.resolve()).parent)
    page = handbook_page(records, own_notes_of(before or ""))
    if target is not None and page != before:
        write_whole(target, page)
    missing = missing_parts(records)
    if as_json:
        emit_json(
            {
                "point": chosen,
                "output": None if target is None else str(target),
                "changed": target is None or page != before,
                "as_of": None if records.as_of is None else iso_date(records.as_of),
                "state": records.status.state if records.status else "unknown",
                "decision": records.decision.head.file if records.decision else None,
                "reopened": list(records.decision.reopened) if records.decision else [],
                "planned_on": records.plan.made_on.isoformat() if records.plan else None,
                "missing": [{"what": what, "next": step} for what, step in missing],
                "page": page if target is None else None,
            }
        )
    elif target is None:
        sys.stdout.write(page)
    else:
        err().print(f"{'wrote' if page != before else 'nothing new for'} {target}", markup=False, soft_wrap=True)
    for what, step in missing if not as_json else ():
        err().print(f"missing: {what}; {step}", markup=False, soft_wrap=True)
    hint(next((step for _, step in missing if step.startswith("outgrow ")), "outgrow status"))


def last_plan(workspace: Workspace, point: str) -> PlanSeen | None:
    """What the latest plan that can be read says of a point."""
    kept = reversed(workspace.ledger.records("plan"))
    return next((seen for record in kept if (seen := plan_seen(record.body, point)) is not None), None)


def last_announcement(workspace: Workspace, point: str) -> tuple[Announcement | None, str]:
    """What users were told last about a point, and the digest of that record, ``""`` where nothing was told."""
    for record in reversed(workspace.ledger.records("announcement", point)):
        note = announcement_of(record.body)
        if note is not None:
            return note, record.digest
    return None, ""


def write_whole(target: Path, text: str) -> None:
    """The old file or the new one is there, never half of one. Raises ``UsageError``."""
    try:
        place = target.resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place.parent, prefix=".outgrow-", suffix=".tmp")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                os.fchmod(file.fileno(), place.stat().st_mode & 0o777 if place.exists() else 0o644)
            os.replace(temporary, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except (OSError, ValueError) as error:
        raise _unwritable(target, error) from None


def _target(config: Path, declaration: Declaration, point: str, output: str | None) -> Path | None:
    if output == "-":
        return None
    if output is not None:
        return Path(output)
    place = handbook_place(declaration, point)
    if is_url(place):
        raise UsageError(
            f"the handbook stands at {place}, where no file can be written; write one and publish it there",
            next_step=f"outgrow handbook {point} --out {point}.md",
        )
    return config.resolve().parent / Path(place).expanduser()


def _before(target: Path, point: str, *, declared: bool) -> str | None:
    """What stands there now, None for nothing. A page that is not ours is never replaced unless ``--out`` names it."""
    try:
        text = target.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    except (OSError, ValueError) as error:
        raise _unwritable(target, error) from None
    owner = written_for(text)
    if not declared or owner == point:
        return text
    if owner is None:
        raise UsageError(
            f"{target} was not written by outgrow handbook, so it is left as it is; move it away, or name another file",
            next_step=f"outgrow handbook {point} --out FILE",
        )
    raise UsageError(
        f"{target} is the page of {owner}, so it is left as it is; write {{point}} into handbook: of the declared file",
        next_step=f"outgrow handbook {point} --out FILE",
    )


def _unwritable(target: Path, error: OSError | ValueError) -> UsageError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UsageError(f"{target} cannot be written: {why}; nothing was written")


def _records(workspace: Workspace, config: Path, point: str, beside: Path) -> HandbookRecords:
    chosen = chosen_point(workspace.declaration, point)
    lookout = _as_recorded(workspace)
    status = lookout.statuses([chosen])[0] if lookout else None
    return HandbookRecords(
        declaration=workspace.declaration,
        point=chosen,
        as_of=lookout.now if lookout else None,
        status=status,
        notes=workspace.ledger.notes(point),
        decision=_decision(workspace, config, point, status, (lookout.noted_until or 0.0) if lookout else 0.0, beside),
        plan=last_plan(workspace, point),
        told=last_announcement(workspace, point)[0],
        time_scale=workspace.clock.scale,
    )


def _as_recorded(workspace: Workspace) -> Lookout | None:
    """A lookout from the end of the records, so that the same records say the same; None where there are none."""
    now, recorded = workspace.clock.now(), workspace.recorded()
    times = [min(each.last, now) for each in workspace.ledger.signals()]
    times += [recorded[0]] if recorded is not None and recorded[0] <= now else []
    noted = [min(note.made_at, now) for note in workspace.ledger.notes()]
    if not times and not noted:
        return None
    end = max(times or noted)
    fresh = recorded is not None and 0 <= end - recorded[0] <= FRESH_SECONDS
    lookout = workspace.lookout(now=end, unknown=recorded[1] if recorded is not None and fresh else {}, keep=False)
    ramps = [min(ramp.made_at, now) for ramp in workspace.ledger.ramps()]
    lookout.noted_until = max([end, *noted, *ramps])
    return lookout


def _decision(
    workspace: Workspace, config: Path, point: str, status: PointStatus | None, until: float, beside: Path
) -> DecisionSeen | None:
    folder = decision_folder(config, workspace.declaration.decisions)
    found = read_heads(folder)
    for warning in found.warnings:
        err().print(warning, style="yellow", markup=False, soft_wrap=True)
    decided = [day[1] for head in found.heads if (day := decided_day(head)) is not None]
    end = max([until, *decided])  # no later than the records, and yet after the day of every decision
    statuses = [status] if status else []
    standing = standings(workspace.declaration, found.heads, statuses, workspace.ledger, end).get(point)
    if standing is None:
        return None
    head = standing.head
    kept = next((one for one in reversed(workspace.ledger.records("decision", point))
                 if one.body.get("digest") == head.digest), None)  # fmt: skip
    reasons = kept.body.get("reasons") if kept else None
    return DecisionSeen(
        head=head,
        link=Path(os.path.relpath(folder / head.file, beside.resolve())).as_posix(),
        reasons=tuple(map(str, reasons)) if isinstance(reasons, list) else (),
        reopened=standing.reopened,
    )
