"""``outgrow validate``: whether a finished move did what it was made for, and whether the team can run it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, emit_line, err, hint, out
from outgrow.cli.validate_progress import telling
from outgrow.errors import OutgrowError, UsageError
from outgrow.points.declaration import Declaration, Point
from outgrow.proving import machine
from outgrow.quantities import iso_date
from outgrow.reports.handbook import handbook_place, is_url, written_for
from outgrow.validating import Given, Validated, sign
from outgrow.validating import validate as make_checks
from outgrow.validation.readiness import MoveSeen, Page
from outgrow.validation.records import CHECKS, Check, CheckId, check_body, exit_code
from outgrow.wiring import Workspace, chosen_point, move_of, open_workspace, workload_of

INTERRUPTED = 130
SHOWN_DIFFERENCES = 20
PAGE_SECONDS = 10.0
NOT_THERE = (404, 410)
_SHOWN_LETTERS = 60


class Only(StrEnum):
    """One of the checks."""

    LOAD = "load"
    PARITY = "parity"
    IMPROVEMENT = "improvement"
    READINESS = "readiness"


_WORDS: Mapping[bool | None, tuple[str, str]] = {
    True: ("ok", "green"),
    False: ("not ok", "bold red"),
    None: ("cannot tell", "bold magenta"),
}


def validate(
    point: Annotated[str, typer.Argument(help="The rewrite point: its id, or its number.", show_default=False)],
    only: Annotated[list[Only] | None, typer.Option(help="This check; may be given again. All when left out.")] = None,
    sign_: Annotated[
        str | None, typer.Option("--sign", metavar="NAME", help="Say, in this name of the team, that you can run it.")
    ] = None,
    note: Annotated[str, typer.Option(help="--sign: what is to be remembered beside the name.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Hold a finished move against what it was made for: twice the load, the same answers, faster, and run by all.

    Each check is ok, not ok, or cannot be told, with its evidence, and is kept in the ledger. Ctrl-C keeps what is
    finished. Ends with 0 where all are ok, with 1 where one is not, with 3 where one cannot be told.
    """
    if note and sign_ is None:
        raise UsageError(
            "--note stands beside a signature", next_step=f"outgrow validate {point} --sign NAME --note ..."
        )
    told = "" if config == DEFAULT_CONFIG else f" --config {config}"
    with open_workspace(config) as workspace:
        chosen: Point = chosen_point(workspace.declaration, point)
        if sign_ is not None:
            _sign(workspace, chosen, sign_, note, as_json)
            hint(f"outgrow validate {chosen.id} --only readiness{told}")
            return
        found = _checked(workspace, chosen, config, _chosen(only or ()))
    step = _next_step(chosen, found, _chosen(only or ()))
    if as_json:
        emit_json(_fields(chosen, found, step))
    else:
        _show(chosen, found.checks, plain)
    if found.interrupted:
        err().print(
            f"stopped; {'the checks that were finished are kept' if found.checks else 'no check was finished'}; "
            "complete rounds of improvement are kept, and gone on from",
            style="yellow",
        )
    hint(f"{step}{told}" if step.startswith("outgrow ") else step)
    raise typer.Exit(INTERRUPTED if found.interrupted else exit_code(found.checks))


def _chosen(only: Sequence[Only]) -> tuple[CheckId, ...]:
    wanted = {each.value for each in only} or set(CHECKS)
    return tuple(each for each in CHECKS if each in wanted)


def move_seen(workspace: Workspace, point: Point) -> MoveSeen:
    """What is known of the point's move, by its own database."""
    if point.migration is None:
        return MoveSeen(why_not=f"{point.id} declares no migration")
    try:
        with move_of(workspace, point) as move:
            migration, now = move.ledger.migration(point.id), move.ledger.now()
    except OutgrowError as failed:
        return MoveSeen(why_not=failed.message)
    return MoveSeen(now=now) if migration is None else MoveSeen(migration.id, migration.rehearsed_at, now)


def page_seen(declaration: Declaration, point: Point, folder: Path) -> Page:
    """Whether the handbook page is where it is declared to be: a file beside the declared one, or a web address."""
    place = handbook_place(declaration, point.id)
    if is_url(place):
        return _page_at(place)
    try:
        text = (folder / Path(place).expanduser()).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Page(place, False)
    except (OSError, ValueError) as error:
        return Page(place, None, (error.strerror if isinstance(error, OSError) else "") or "it is not UTF-8 text")
    if not text.strip():
        return Page(place, False, "the file is empty")
    owner = written_for(text)
    return Page(place, True) if owner in (None, point.id) else Page(place, False, f"that one is of {owner}")


def _page_at(url: str) -> Page:
    import httpx2  # a tenth of a second, only for pages that are published

    try:
        status = httpx2.get(url, timeout=PAGE_SECONDS, follow_redirects=True).status_code
    except httpx2.HTTPError as error:
        return Page(url, None, str(error) or type(error).__name__)
    if status in NOT_THERE:
        return Page(url, False, f"it answers {status}")
    return Page(url, True) if status < 300 else Page(url, None, f"it answers {status}")


def _checked(workspace: Workspace, point: Point, config: Path, only: Sequence[CheckId]) -> Validated:
    folder = config.resolve().parent
    validation, experiment = workload_of(workspace, point)
    with closing(experiment):
        given = Given(
            declaration=workspace.declaration,
            point=point,
            validation=validation,
            experiment=experiment,
            ledger=workspace.ledger,
            now=workspace.clock.now,
            tell=telling(),
            machine=machine(),
            page=lambda: page_seen(workspace.declaration, point, folder),
            move=lambda: move_seen(workspace, point),
            folder=folder,
            simulated=bool(workspace.clock.scale),
        )
        return make_checks(given, only)


def _sign(workspace: Workspace, point: Point, name: str, note: str, as_json: bool) -> None:
    move = move_seen(workspace, point)
    signed = sign(workspace.declaration, point, workspace.ledger, move, name, note, workspace.clock.now())
    if as_json:
        signature = {"name": signed.name, "at": iso_date(signed.at), "note": signed.note, "migration": signed.move}
        emit_json({"point": point.id, "signature": signature})
    else:
        beside = f" ({signed.note})" if signed.note else ""
        said = f"{signed.name} can run {point.id} after {signed.move}: signed on {iso_date(signed.at)}{beside}"
        err().print(said, markup=False, soft_wrap=True)


def _next_step(point: Point, found: Validated, asked: Sequence[CheckId]) -> str:
    if found.interrupted:
        made = {each.id for each in found.checks}
        left = [f"--only {each}" for each in asked if each not in made] if made or len(asked) < len(CHECKS) else []
        return " ".join(("outgrow validate", point.id, *left))
    for ok in (False, None):
        step = next((each.next_step for each in found.checks if each.ok is ok and each.next_step), "")
        if step:
            return step
    if len(found.checks) < len(CHECKS):
        return f"outgrow validate {point.id}"
    return f"outgrow migrate {point.id} complete" if point.migration else "outgrow status"


def _fields(point: Point, found: Validated, step: str) -> dict[str, Any]:
    """The JSON, as documented in the reference."""
    assert point.validation is not None, "workload_of refuses a point without one"
    return {
        "point": point.id,
        "ok": {0: True, 1: False, 3: None}[exit_code(found.checks)] if not found.interrupted else None,
        "before": point.validation.before,
        "after": point.validation.after,
        "checks": [check_body(each) for each in found.checks],
        "interrupted": found.interrupted,
        "next": step or None,
    }


def _show(point: Point, checks: Sequence[Check], plain: bool) -> None:
    if plain:
        for check in checks:
            emit_line(f"{_WORDS[check.ok][0]}\t{check.id}\t{check.sentence}")
            for line in _lines(check):
                emit_line(f"note\t{check.id}\t{line}")
        return
    console = out()
    console.print(Text(point.title or point.id, style="bold"))
    for check in checks:
        word, style = _WORDS[check.ok]
        console.print(Text("● ", style=style) + Text(f"{check.id}: {word}", style=style))
        for line in (check.sentence, *_lines(check)):
            for part in Text(line).wrap(console, max(20, console.width - 2)):
                console.print(Text("  ") + part)


def _lines(check: Check) -> Iterator[str]:
    """What is said beside the sentence."""
    yield from check.remarks
    if check.id == "readiness":
        yield from (f"{each['sentence']}" for each in check.evidence["items"] if each["ok"] and not check.ok)
    if check.id == "parity" and check.evidence:
        yield from _differences((check.evidence["answers"] or {}).get("differences", ()))
        yield from _suite_lines(check.evidence["suite"])


def _differences(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in found[:SHOWN_DIFFERENCES]:
        old, new = (", ".join(each[side])[:_SHOWN_LETTERS] or "nothing" for side in ("before", "after"))
        yield f"{each['text']}: {each['how']}: {old} → {new}"
    if len(found) > SHOWN_DIFFERENCES:
        yield f"and {len(found) - SHOWN_DIFFERENCES:,} more; --json lists all"


def _suite_lines(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for run in runs:
        how = run["why_not"] or f"ended with {run['code']}"
        yield f"suite against {run['arm']}: {how}"
        if run["code"] != 0:
            yield from (f"  {line}" for line in run["last_lines"])
