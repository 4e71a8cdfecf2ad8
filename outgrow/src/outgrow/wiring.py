"""The composition root: the only place where a declaration meets its adapters.

In: where the declared file is. Out: a ``Workspace`` with ledger, sources and notifiers opened. Built-in and third-party
plugins come through the same door: the entry points ``outgrow.sources`` and ``outgrow.notifiers``.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from outgrow.clock import ScaledClock, SystemClock
from outgrow.errors import DeclarationError, Finding, OutgrowError, UsageError
from outgrow.ledger import default_location, open_ledger
from outgrow.ledger.location import is_url
from outgrow.lookout import Lookout
from outgrow.points.declaration import (
    Comparison,
    Declaration,
    DeclaredMove,
    DeclaredValidation,
    Plugin,
    Point,
    Signal,
)
from outgrow.points.reading import locate, read_declaration, refusals, well_formed_plugins
from outgrow.ports import Clock, Experiment, History, Ledger, Notifier, Observation, Source
from outgrow.quantities import DAY, HOUR
from outgrow.recording import RecordReport, observe_all, record_once
from outgrow.signals.series import Origin

if TYPE_CHECKING:  # only outgrow migrate needs it
    from outgrow.migrating.opened import OpenMove

RECORDER = "recorder"
BACKFILL = "backfill"
BACKFILL_SECONDS = 400 * DAY
"""A year and a bit, so that a yearly season shows; one value an hour."""
FRESH_SECONDS = 120.0
"""A recorder that wrote within two minutes is trusted; otherwise the sources are asked again."""


@dataclass(frozen=True, slots=True)
class _Down:
    """In place of a source that did not answer: its signals are unknown for that reason."""

    name: str
    reason: str

    def observe(self, signals: Mapping[str, Signal], at: float) -> Observation:
        del at
        return Observation(unknown=dict.fromkeys(signals, self.reason))

    def reachable(self) -> str | None:
        return self.reason

    def history(self, signals: Mapping[str, Signal], start: float, end: float, step_seconds: float) -> History:
        del start, end, step_seconds
        return History(unknown=dict.fromkeys(signals, self.reason))


@dataclass(slots=True)
class Workspace:
    """A declared file with everything it needs, opened."""

    path: Path
    declaration: Declaration
    clock: Clock
    ledger: Ledger
    location: str
    _sources: tuple[Source, ...] | None = field(default=None)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The declared sources, opened on first use. Raises ``DeclarationError`` where their settings are wrong."""
        if self._sources is None:
            self._sources = open_sources(self.path, self.declaration, self.clock, self.ledger)
        return self._sources

    def lookout(
        self,
        *,
        unknown: Mapping[str, str] | None = None,
        now: float | None = None,
        keep: bool = True,
        pictures: bool = False,
    ) -> Lookout:
        """What is known at ``now`` (the present unless told); new forecasts are kept in the ledger, unless told."""
        return Lookout(
            declaration=self.declaration,
            ledger=self.ledger,
            now=self.clock.now() if now is None else now,
            unknown=unknown or {},
            keep=keep,
            pictures=pictures,
            time_scale=self.clock.scale,
        )

    def notifiers(self) -> tuple[Notifier, ...]:
        """The declared notifiers. Raises ``DeclarationError`` with all that is wrong in them and in the sources."""
        if self._sources is None:
            self._sources, notifiers = open_adapters(self.path, self.declaration, self.clock, self.ledger)
            return notifiers
        return _open_all("outgrow.notifiers", self.path, "notify", enumerate(self.declaration.notify), self.clock)

    def try_out(self, down: Mapping[str, str]) -> dict[str, str]:
        """Signal → why it has no value now. Sources that are ``down`` (name → why) are not asked; nothing is kept."""
        sources = [_Down(one.name, down[one.name]) if one.name in down else one for one in self.sources]
        return dict(observe_all(sources, self.declaration.observed, self.clock.now()).unknown)

    def observe(self) -> RecordReport:
        """Ask every source now; what they said is kept in the ledger."""
        at = self.clock.now()
        report = record_once(self.sources, self.ledger, self.declaration.observed, at, origin=self.origin)
        self.remember_recording(at, report.unknown)
        return report

    @property
    def origin(self) -> Origin:
        """Samples taken on a faster clock are rehearsals: simulated."""
        return "simulated" if self.clock.scale else "measured"

    def backfill(self, say: Callable[[str], None]) -> dict[str, int]:
        """Read the past of signals that have less than a day of it, from sources that keep one; once a source.

        Returns the number of samples by signal. What cannot be read is said and tried again in a day.
        """
        now = self.clock.now()
        past = {each.signal for each in self.ledger.signals() if each.first < now - DAY}
        missing = {name: one for name, one in self.declaration.observed.items() if name not in past}
        read: dict[str, int] = {}
        for source in self.sources:
            asked = {name: one for name, one in missing.items() if one.source in (None, source.name)}
            names = ",".join(sorted(asked))
            if not asked or self._has_tried(source.name, names, now):
                continue
            if not getattr(source, "keeps_history", True) or source.reachable() is not None:
                continue
            say(f"reading up to {BACKFILL_SECONDS / DAY:.0f} days of history from {source.name}, once ...")
            history = source.history(asked, now - BACKFILL_SECONDS, now, HOUR)
            with self.ledger.transaction():
                for (name, member), series in history.series.items():
                    self.ledger.add_samples(name, series.times, series.values, origin=self.origin, source=source.name,
                                            member=member)  # fmt: skip
                    read[name] = read.get(name, 0) + len(series)
                    missing.pop(name, None)
            self.ledger.put_memory(BACKFILL, source.name, json.dumps({"names": names, "at": now}).encode())
            say(f"read {sum(read.values()):,} values of {len(read)} signals")
        return read

    def recorded(self) -> tuple[float, dict[str, str]] | None:
        """When the recorder last wrote, and which signals had no value then and why; None before its first time."""
        last = _remembered(self.ledger.memory(RECORDER, "last"))
        at, unknown = _number(last.get("at")), last.get("unknown")
        if at is None or not isinstance(unknown, dict):
            return None
        return at, {str(name): str(reason) for name, reason in unknown.items()}

    def _has_tried(self, source: str, names: str, now: float) -> bool:
        tried = _remembered(self.ledger.memory(BACKFILL, source))
        at = _number(tried.get("at"))
        return tried.get("names") == names and at is not None and now - at < DAY

    def remember_recording(self, at: float, unknown: Mapping[str, str]) -> None:
        """Keep what ``recorded`` returns."""
        self.ledger.put_memory(RECORDER, "last", json.dumps({"at": at, "unknown": dict(unknown)}).encode())


def _remembered(content: bytes | None) -> dict[str, Any]:
    """What was remembered as JSON; empty where there is nothing, or nothing that can be read."""
    try:
        document = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _number(value: Any) -> float | None:
    """A finite number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


@contextmanager
def open_workspace(config: Path) -> Iterator[Workspace]:
    """The workspace of a declared file; the ledger is closed afterwards.

    Raises:
        UsageError: no such file.
        DeclarationError: the file is wrong.
        LedgerError: the ledger cannot be used.
    """
    declaration = read_whole(config)
    location = default_location(config, os.environ, declaration.ledger)
    ledger = open_ledger(location)
    try:
        yield Workspace(config, declaration, open_clock(declaration, ledger), ledger, location)
    finally:
        ledger.close()


def open_clock(declaration: Declaration, ledger: Ledger) -> Clock:
    """The real clock, or the declared faster one; all processes of one ledger share where it began."""
    if not declaration.time_scale:
        return SystemClock()
    key = f"began {declaration.time_scale}"
    began = _number(ledger.memory("clock", key))
    if began is None:
        began = SystemClock().now()
        ledger.put_memory("clock", key, repr(began).encode())
    return ScaledClock(began, declaration.time_scale, since=began)


def open_sources(path: Path, declaration: Declaration, clock: Clock, ledger: Ledger | None) -> tuple[Source, ...]:
    """The declared sources in declared order; all wrong settings are found at once.

    A setting whose name ends in ``_file`` is a path relative to the declared file.
    """
    return _open_all("outgrow.sources", path, "sources", enumerate(declaration.sources), clock, ledger)


def open_adapters(
    path: Path, declaration: Declaration, clock: Clock, ledger: Ledger | None
) -> tuple[tuple[Source, ...], tuple[Notifier, ...]]:
    """The declared sources and notifiers; all wrong settings of both are found at once."""
    found: list[Finding] = []
    sources: tuple[Source, ...] = ()
    notifiers: tuple[Notifier, ...] = ()
    try:
        sources = open_sources(path, declaration, clock, ledger)
    except DeclarationError as error:
        found += error.findings
    try:
        notifiers = _open_all("outgrow.notifiers", path, "notify", enumerate(declaration.notify), clock)
    except DeclarationError as error:
        found += error.findings
    if found:
        raise DeclarationError(tuple(found))
    return sources, notifiers


def experiment_of(workspace: Workspace, point: Point) -> Experiment:
    """The experiment that is declared for a point, opened; whoever asks closes it.

    Raises:
        UsageError: none is declared.
        DeclarationError: its settings are wrong.
    """
    declared = point.experiment
    if declared is None:
        raise UsageError(
            f"{point.id} declares no experiment, so there is nothing to measure",
            next_step=f"write under {point.id}, for example, experiment: {{kind: command, arms: [...]}}; "
            "docs/reference/outgrow-yaml.md says how",
        )
    return _experiment(workspace, point, declared, ("experiment",))


def workload_of(workspace: Workspace, point: Point) -> tuple[DeclaredValidation, Experiment]:
    """The declared validation of a point, and its workload opened; whoever asks closes it.

    Raises:
        UsageError: none is declared.
        DeclarationError: the workload's settings are wrong.
    """
    validation = point.validation
    if validation is None:
        raise UsageError(
            f"{point.id} declares no validation, so there is nothing to hold a move against",
            next_step=f"write under {point.id}: validation: {{workload: {{kind: http, ...}}, before: ..., after: ...}};"
            " docs/howto/validate-a-move.md says how",
        )
    return validation, _experiment(workspace, point, validation.workload, ("validation", "workload"))


def _experiment(workspace: Workspace, point: Point, declared: Comparison, under: tuple[str, ...]) -> Experiment:
    plugin = Plugin.model_validate({"kind": declared.kind, **declared.settings})
    place: tuple[str | int, ...] = ("points", workspace.declaration.points.index(point), *under)
    opened: Experiment = _open("outgrow.experiments", workspace.path, place, plugin, workspace.clock)
    return opened


def move_of(workspace: Workspace, point: Point) -> OpenMove:
    """The move that is declared for a point, its truth opened, its mover once it is asked for; whoever asks closes it.

    Raises:
        UsageError: none is declared.
        LedgerError: the truth cannot be used.
    """
    declared = point.migration
    if declared is None:
        raise UsageError(
            f"{point.id} declares no migration, so there is nothing to move",
            next_step=f"write under {point.id}: migration: {{mover: {{kind: ...}}, source: ..., target: ...}}; "
            "docs/howto/move-tenants.md says how",
        )
    from outgrow.ledger.moves_opening import open_move_ledger  # no other command opens one
    from outgrow.migrating.opened import OpenMove

    beside = workspace.location if is_url(workspace.location) else str(Path(workspace.location).parent / "moves.sqlite")
    plugin = _mover_of(declared)
    place = ("points", workspace.declaration.points.index(point), "migration", "mover")
    return OpenMove(
        open_move_ledger(declared.truth or beside),
        lambda: _open("outgrow.movers", workspace.path, place, plugin, workspace.clock),
        workspace.ledger,
        workspace.clock,
    )


def check_movers(path: Path, declaration: Declaration) -> None:
    """Has the settings of declared movers looked at, as far as that goes without asking a server.

    A mover offers it as ``check_settings(settings)`` beside its factory, of the same settings; it raises what the
    factory raises for wrong ones.

    Raises:
        DeclarationError: with all that is wrong.
    """
    findings: list[Finding] = []
    factories = {entry.name: entry for entry in entry_points(group="outgrow.movers")}
    for index, point in enumerate(declaration.points):
        declared = point.migration
        if declared is None or declared.mover.kind not in factories:
            continue
        place = ("points", index, "migration", "mover")
        try:
            factory = factories[declared.mover.kind].load()
            check = getattr(import_module(factory.__module__), "check_settings", None)
            if check is not None:
                check(_settings(path, _mover_of(declared)))
        except ValidationError as error:
            findings += [_located(path, (*place, *where), message) for where, message in refusals(error)]
        except (ValueError, OSError, OutgrowError) as error:
            findings.append(_located(path, place, str(error)))
    if findings:
        raise DeclarationError(tuple(findings))


def _mover_of(declared: DeclaredMove) -> Plugin:
    """A move's mover, with the names of its stores."""
    own = {"kind": declared.mover.kind, "name": declared.mover.name, "source": declared.source}
    return Plugin.model_validate({**declared.mover.settings, **own, "target": declared.target})


def _settings(path: Path, plugin: Plugin) -> dict[str, Any]:
    """What a factory is given: the plugin's own keys; one that ends in ``_file`` is a path beside the declared file."""
    folder = path.resolve().parent
    settings = {
        key: str(folder / Path(value).expanduser()) if key.endswith("_file") and isinstance(value, str) else value
        for key, value in plugin.settings.items()
    }
    return {**settings, "name": plugin.name} if plugin.name else settings


def read_whole(path: Path) -> Declaration:
    """The declared file; where it is wrong, wrong settings of its sources and notifiers are found as well.

    Raises:
        UsageError: no such file.
        DeclarationError: the file is wrong.
    """
    try:
        return read_declaration(path)
    except DeclarationError as error:
        found = list(error.findings)
    entries = well_formed_plugins(path)
    for group, key, more in (("outgrow.sources", "sources", (None,)), ("outgrow.notifiers", "notify", ())):
        try:
            _open_all(group, path, key, entries[key], SystemClock(), *more)
        except DeclarationError as error:
            found += error.findings
    raise DeclarationError(tuple(sorted(set(found), key=lambda one: (one.line, one.column, one.path, one.message))))


def _open_all(
    group: str, path: Path, key: str, plugins: Iterable[tuple[int, Plugin]], clock: Clock, *more: Any
) -> tuple[Any, ...]:
    findings: list[Finding] = []
    opened: list[Any] = []
    for index, plugin in plugins:
        try:
            opened.append(_open(group, path, (key, index), plugin, clock, *more))
        except DeclarationError as error:
            findings += error.findings
    if findings:
        raise DeclarationError(tuple(findings))
    return tuple(opened)


def _open(group: str, path: Path, place: tuple[str | int, ...], plugin: Plugin, clock: Clock, *more: Any) -> Any:
    found = {entry.name: entry for entry in entry_points(group=group)}
    if plugin.kind not in found:
        known = ", ".join(sorted(found)) or "none installed"
        raise _finding(path, (*place, "kind"), f"there is no plugin {plugin.kind!r}; there is {known}")
    settings = _settings(path, plugin)
    factory = found[plugin.kind].load()
    try:
        return factory(settings, clock, *more[: max(0, len(signature(factory).parameters) - 2)])
    except ValidationError as error:
        raise DeclarationError(
            tuple(_located(path, (*place, *where), message) for where, message in refusals(error))
        ) from None
    except (ValueError, OSError, UsageError) as error:
        raise _finding(path, place, str(error)) from None


def _finding(path: Path, place: tuple[str | int, ...], message: str) -> DeclarationError:
    return DeclarationError((_located(path, place, message),))


def _located(path: Path, place: tuple[str | int, ...], message: str) -> Finding:
    return locate(path.read_text(encoding="utf-8-sig"), str(path), place, message)


def chosen_point(declaration: Declaration, name: str) -> Any:
    """The point of that id, or by its number counted from 1; raises ``UsageError`` with those there are."""
    found = declaration.point(name)
    if found is None and name.isdigit() and 1 <= int(name) <= len(declaration.points):
        found = declaration.points[int(name) - 1]
    if found is None:
        raise UsageError(f"there is no point {name!r}; declared: {', '.join(p.id for p in declaration.points)}")
    return found
