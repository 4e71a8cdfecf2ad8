"""``outgrow import``: history, ramps, evidence and lead time for change, from files and repositories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from outgrow.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, NoInputOption, PlainOption
from outgrow.cli.output import emit_json, err, hint, out
from outgrow.errors import ImportRefused, UsageError
from outgrow.evidence.records import EVIDENCE_SCHEMA, Evidence
from outgrow.imports import files
from outgrow.imports.evidence import evidence_body, read_evidence
from outgrow.imports.files import first_bytes
from outgrow.imports.history import read_history
from outgrow.imports.lead_time import read_lead_time
from outgrow.imports.ramp_records import Loop, RampRequest, ReadRamp
from outgrow.imports.ramps import RAMP_KINDS, detect, read_ramps
from outgrow.points.declaration import Declaration, Signal
from outgrow.quantities import DAY, format_duration, format_quantity, iso_date, parse_time
from outgrow.signals.series import Origin, Ramp
from outgrow.wiring import Workspace, chosen_point, open_workspace

LEAD_TIME = "lead_time"
"""The signal a repository goes to unless told otherwise."""

FAR_OFF = 50.0
"""A ramp whose first level is this many times off production was written in another unit."""

_SHOW_PROGRESS_FROM = 5_000_000
_HEAD_BYTES = 65_536


class Kind(StrEnum):
    """What a path is taken for."""

    AUTO = "auto"
    HISTORY = "history"
    RAMP = "ramp"
    EVIDENCE = "evidence"
    GIT = "git"


@dataclass(frozen=True, slots=True)
class _Done:
    """One import: a sentence for people, fields for programs, and what should be known about it."""

    sentence: str
    fields: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files, or the folder of a git repository.")],
    kind: Annotated[Kind, typer.Option("--as", help="What they are; auto sees it from their content.")] = Kind.AUTO,
    signal: Annotated[
        str | None, typer.Option(help="The declared signal a ramp measured, or lead time goes to.")
    ] = None,
    open_loop: Annotated[
        bool | None,
        typer.Option(
            "--open-loop/--closed-loop",
            help="Did a ramp's requests leave on schedule, or did clients wait for their answers?",
        ),
    ] = None,
    quantile: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Which quantile the signal is, where it is not declared.")
    ] = None,
    metric: Annotated[str, typer.Option(help="The k6 trend that holds the durations.")] = "http_req_duration",
    made: Annotated[
        str | None, typer.Option(help="When a ramp was run, e.g. 2026-03-01; else what its file says.")
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The data are made up; they are labelled so wherever they show.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
    plain: PlainOption = False,
    no_input: NoInputOption = False,
) -> None:
    """Import history (CSV, Parquet), ramps (CSV, k6, Locust), evidence (JSON) and lead time for change (git).

    Also as: outgrow import evidence FILE. A file is taken as a whole or not at all. Importing it again changes nothing.
    """
    origin: Origin = "simulated" if simulated else "imported"
    loop: Loop | None = None if open_loop is None else ("open" if open_loop else "closed")
    with open_workspace(config) as workspace:
        declaration = workspace.declaration
        sorted_out = _sorted_out(paths, kind)
        done: list[_Done] = []
        if ramps := sorted_out[Kind.RAMP]:
            name = signal or _ramp_signal(declaration, ramps[0])
            request = RampRequest(name, quantile or _declared(declaration, name).quantile, loop, origin, metric)
            done += _import_ramps(workspace, ramps, request, _time(made))
        done += [_import_history(workspace, path, origin) for path in sorted_out[Kind.HISTORY]]
        evidence = [_known_evidence(workspace, path, simulated) for path in sorted_out[Kind.EVIDENCE]]
        done += [_keep_evidence(workspace, path, each) for path, each in evidence]
        done += [_import_lead_time(workspace, path, signal or LEAD_TIME) for path in sorted_out[Kind.GIT]]
    if as_json:
        emit_json({"imported": [each.fields for each in done]})
    for each in done:
        if not as_json:
            out(plain).print(each.sentence, markup=False)
        for remark in each.remarks:
            err().print(f"  {remark}", markup=False, soft_wrap=True)
    told = "" if config == DEFAULT_CONFIG else f" --config {config}"
    decide = f"decide {evidence[-1][1].point}" if evidence else ""
    hint(f"outgrow {decide or ('forecast' if sorted_out[Kind.RAMP] else 'status')}{told}")


def _sorted_out(paths: list[Path], told: Kind) -> dict[Kind, list[Path]]:
    """Paths by what they are; every one is looked at before the first is imported."""
    found: dict[Kind, list[Path]] = {kind: [] for kind in Kind}
    if paths[0] == Path(Kind.EVIDENCE) and len(paths) > 1 and not paths[0].exists():
        told, paths = Kind.EVIDENCE, paths[1:]
    for path in paths:
        seen = told
        if told is Kind.AUTO and path.is_file() and EVIDENCE_SCHEMA.encode() in first_bytes(path, _HEAD_BYTES):
            seen = Kind.EVIDENCE
        elif told is Kind.AUTO:
            content = detect(path)
            seen = Kind.GIT if content == "repository" else Kind.RAMP if content in RAMP_KINDS else Kind.HISTORY
        found[seen].append(path)
    return found


def _import_history(workspace: Workspace, path: Path, origin: Origin) -> _Done:
    declared = workspace.declaration.signals
    with _progress(path) as progress, read_history(path, declared, progress) as history:
        for name, member in history.counts:
            if member and declared[name].by is None:
                raise ImportRefused(
                    str(path),
                    1,
                    f"{name} has the member {member!r} here, but is declared without by:",
                    next_step=f"say by: under signals, {name}, or leave the column member out",
                )
        with workspace.ledger.transaction():
            for piece in history.pieces():
                workspace.ledger.add_samples(
                    piece.signal,
                    piece.times,
                    piece.values,
                    origin=origin,
                    source=f"import of {path.name}",
                    member=piece.member,
                )
    names = sorted({name for name, _ in history.counts})
    gaps = f"; {_counted(history.gaps, 'row')} without a value left out" if history.gaps else ""
    label = ", simulated" if origin == "simulated" else ""
    return _Done(
        f"{path}: {history.rows:,} samples of {_listed(names)}, {iso_date(history.first)} to "
        f"{iso_date(history.last)}{label}{gaps}",
        {
            "file": str(path),
            "kind": "history",
            "format": history.format,
            "signals": names,
            "samples": history.rows,
            "gaps": history.gaps,
            "first": iso_date(history.first),
            "last": iso_date(history.last),
            "origin": origin,
        },
    )


def _known_evidence(workspace: Workspace, path: Path, simulated: bool) -> tuple[Path, Evidence]:
    """The evidence in a file, about options that are declared."""
    evidence = read_evidence(path)
    if evidence.made_at > workspace.clock.now() + DAY:
        raise ImportRefused(str(path), 1, f"{iso_date(evidence.made_at)} is yet to come; evidence was measured before")
    point = chosen_point(workspace.declaration, evidence.point)
    named = {arm.option or "" for arm in evidence.arms} | {each.option for each in evidence.reported}
    unknown = sorted(named - {option.id for option in point.options} - {""})
    if unknown:
        declared = ", ".join(option.id for option in point.options)
        raise ImportRefused(str(path), 1, f"{point.id} has no option {unknown[0]!r}; it has {declared}")
    triggers = sorted({each.trigger for each in evidence.measures} - {trigger.id for trigger in point.triggers})
    if triggers:
        raise ImportRefused(str(path), 1, f"{point.id} has no trigger {triggers[0]!r}")
    return path, replace(evidence, point=point.id, simulated=evidence.simulated or simulated)


def _keep_evidence(workspace: Workspace, path: Path, evidence: Evidence) -> _Done:
    body = evidence_body(evidence)
    stored = workspace.ledger.add_record("evidence", evidence.point, evidence.made_at, evidence.digest, body)
    rounds = len({each.round for each in evidence.rounds})
    measured = f"{_counted(rounds, 'round')} of {_listed([arm.id for arm in evidence.arms])}" if rounds else ""
    reported = f"{_counted(len(evidence.reported), 'reported ratio')}" if evidence.reported else ""
    what = ", ".join(each for each in (measured, reported) if each) or "measures of triggers"
    label = ", simulated" if evidence.simulated else ""
    return _Done(
        f"{path}: evidence on {evidence.point} of {iso_date(evidence.made_at)}: {what}{label}",
        {
            "file": str(path),
            "kind": "evidence",
            "format": EVIDENCE_SCHEMA,
            "point": evidence.point,
            "id": stored.id,
            "rounds": rounds,
            "arms": [arm.id for arm in evidence.arms],
            "baseline": evidence.baseline,
            "baseline_tuned": evidence.baseline_tuned,
            "made": iso_date(evidence.made_at),
            "origin": "simulated" if evidence.simulated else "imported",
        },
        () if evidence.baseline_tuned else ("its baseline is not the tuned one: it is shown, and never ruled on",),
    )


def _import_ramps(workspace: Workspace, paths: list[Path], request: RampRequest, made_at: float | None) -> list[_Done]:
    signal = _declared(workspace.declaration, request.signal)
    with _progress(*paths) as progress:
        reads = read_ramps(paths, request, progress)
    if made_at is not None:
        reads = tuple(replace(read, ramp=replace(read.ramp, made_at=made_at)) for read in reads)
    for read in reads:
        if read.kind != "ramp table" and signal.unit != "seconds":
            raise UsageError(
                f"{read.kind} measures response times, but {request.signal} is in {signal.unit or 'no unit'}",
                next_step="choose a signal in seconds with --signal",
            )
        _refuse_other_units(workspace, read.ramp, signal.unit)
    with workspace.ledger.transaction():
        for read in reads:
            workspace.ledger.add_ramp(read.ramp)
    return [_ramp_done(read, signal.unit) for read in reads]


def _time(text: str | None) -> float | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise UsageError(f"--made: {error}") from None


def _refuse_other_units(workspace: Workspace, ramp: Ramp, unit: str) -> None:
    """Milliseconds read as seconds would move every date; at its lowest level a ramp resembles production."""
    seen = workspace.ledger.hourly(ramp.signal, unit, "median")
    if not len(seen) or ramp.values[0] <= 0:
        return
    usual = float(np.median(seen.values))
    if usual > 0 and not 1 / FAR_OFF < ramp.values[0] / usual < FAR_OFF:
        raise ImportRefused(
            ramp.name,
            1,
            f"{ramp.signal} begins at {format_quantity(float(ramp.values[0]), unit)} here, and in production it is "
            f"usually {format_quantity(usual, unit)}: one of them is in another unit",
            next_step="say the unit in the column's name, p95_ms or p95_seconds",
        )


def _ramp_done(read: ReadRamp, unit: str) -> _Done:
    ramp = read.ramp
    levels = f"{ramp.levels.size} levels of {_AXIS_WORDS[ramp.axis]}, {ramp.levels[0]:g} to {ramp.levels[-1]:g}"
    values = f"{format_quantity(float(ramp.values[0]), unit)} to {format_quantity(float(ramp.values[-1]), unit)}"
    label = ", simulated" if ramp.origin == "simulated" else ""
    remarks = read.remarks
    if ramp.loop == "closed":
        remarks += (
            "closed loop: kept apart from production data, as clients that wait hide the wall; "
            "if requests left on schedule: --open-loop",
        )
    return _Done(
        f"{ramp.name} ({read.kind}): {ramp.signal} at {levels}, {ramp.loop} loop: {values}{label}",
        _ramp_fields(ramp, read),
        remarks,
    )


_AXIS_WORDS = {"load": "requests a second", "users": "users", "concurrency": "concurrency"}


def _ramp_fields(ramp: Ramp, read: ReadRamp) -> dict[str, Any]:
    return {
        "file": ramp.name,
        "kind": "ramp",
        "format": read.kind,
        "signal": ramp.signal,
        "axis": ramp.axis,
        "loop": ramp.loop,
        "levels": ramp.levels.tolist(),
        "values": ramp.values.tolist(),
        "made": iso_date(ramp.made_at),
        "origin": ramp.origin,
        "remarks": list(read.remarks),
    }


def _import_lead_time(workspace: Workspace, path: Path, name: str) -> _Done:
    signal = workspace.declaration.signals.get(name)
    if signal is None:
        raise UsageError(
            f"{path} is a folder, taken for a git repository whose lead time for change is imported; no signal "
            f"{name!r} is declared for it",
            next_step=f"declare {name}: {{unit: seconds, imported: true}} under signals, then: outgrow import {path}",
        )
    if signal.unit != "seconds":
        raise UsageError(f"lead time for change is in seconds, but {name} is in {signal.unit or 'no unit'}")
    found = read_lead_time(path, name, workspace.clock.now())
    series = found.series
    if not len(series):
        raise UsageError(
            f"git shows no lead time for change in {path}: {found.commits:,} commits took longer than a minute to "
            f"arrive, no finished week had five; {found.direct:,} were made on the main line or squashed",
            next_step="import a clone of the main branch that keeps merge commits",
        )
    workspace.ledger.add_samples(name, series.times, series.values, origin="imported", source=f"git log of {path.name}")
    first, last = iso_date(float(series.times[0])), iso_date(float(series.times[-1]))
    latest = format_duration(round(float(series.values[-1]) / 3600) * 3600.0)
    remarks = []
    if found.direct:
        remarks.append(f"without a lead time, as made on the main line or squashed: {_counted(found.direct, 'commit')}")
    if found.thin_weeks:
        remarks.append(f"left out for fewer than five commits: {_counted(found.thin_weeks, 'week')}")
    return _Done(
        f"{path}: lead time for change of {found.commits:,} commits in {_counted(len(series), 'week')}, {first} to "
        f"{last}; last {latest}",
        {
            "file": str(path),
            "kind": "lead time",
            "format": "git",
            "signal": name,
            "samples": len(series),
            "commits": found.commits,
            "first": first,
            "last": last,
            "origin": "imported",
        },
        tuple(remarks),
    )


def _declared(declaration: Declaration, name: str) -> Signal:
    found = declaration.signals.get(name)
    if found is None:
        raise UsageError(f"there is no signal {name!r}; declared are {', '.join(sorted(declaration.signals))}")
    return found


def _ramp_signal(declaration: Declaration, path: Path) -> str:
    """The only response time that is declared; raises ``UsageError`` where there are several."""
    times = [name for name, signal in declaration.signals.items() if signal.quantile and signal.unit == "seconds"]
    if len(times) == 1:
        return times[0]
    which = f"several are declared: {', '.join(times)}" if times else "no response time is declared"
    raise UsageError(
        f"which signal did the ramp measure? {which}",
        next_step=f"outgrow import {path} --signal {times[0] if times else 'NAME'}",
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} signals"


@contextmanager
def _progress(*paths: Path) -> Iterator[files.Progress]:
    """A bar on the terminal for large files; nothing elsewhere."""
    size = sum(path.stat().st_size for path in paths if path.is_file())
    console = err()
    if size < _SHOW_PROGRESS_FROM or not console.is_terminal:
        yield files.no_progress
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"reading {paths[0].name}", total=1.0)
        yield lambda done, total: bar.update(task, completed=done / max(total, 1))
