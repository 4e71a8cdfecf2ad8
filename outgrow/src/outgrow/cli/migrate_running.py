"""Has a migration carried out, and says how it goes: by this process, or by the one that is at it already."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from outgrow.cli.migrate_status import next_of, status_fields, summary_of
from outgrow.cli.output import emit_json, err, hint
from outgrow.migrating.befores import Befores
from outgrow.migrating.conditions import Conditions
from outgrow.migrating.engine import Engine, Stopped
from outgrow.migrating.opened import OpenMove
from outgrow.migrating.opening import carrier_of
from outgrow.migrating.reporting import Report, Telling, counted
from outgrow.migration.records import Goal, Migration, TenantMove
from outgrow.migration.waves import is_met
from outgrow.points.declaration import Point
from outgrow.ports import Busy, Superseded
from outgrow.quantities import format_duration
from outgrow.recording import observe_all
from outgrow.wiring import Workspace

LINE_SECONDS, SAME_LINE_SECONDS = 4.0, 60.0
"""How often a line is written where there is no terminal, and one that says the same as the last."""
LOOK_SECONDS = 1.0
"""How often is looked at what another process does."""
SAID_SWITCHES = 20
"""Steps of so many tenants are told one by one; of more, only what fails and how the whole goes."""


def who_am_i() -> str:
    """``ana@host, process 4711``."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name}@{socket.gethostname()}, process {os.getpid()}"


def carry_out(
    workspace: Workspace,
    point: Point,
    move: OpenMove,
    migration: Migration,
    rows: Sequence[TenantMove],
    goal: Goal,
    verb: str,
    as_json: bool,
    deadline: float | None,
    *,
    add_new: bool = False,
    selection: str = "",
    baseline: bool = True,
) -> int:
    """Wants ``goal`` of these tenants and works until they are there; → the exit code.

    ``selection`` is what chose them on the command line, to be said again; ``baseline``: whether the service is
    measured before each wave, where its point declares how.

    0: they are. 1: keys differ, or a switch fell back for good: people have to look. 4: stopped, and safe.
    """
    tenants = [row.tenant for row in rows]
    who = who_am_i()
    again = f"outgrow migrate {migration.point} {verb}{selection}"
    again += " --yes" if verb in ("switch", "complete", "cancel") else ""
    again += " --no-baseline" if verb == "switch" and not baseline else ""
    move.ledger.want(migration, tenants, goal, who)
    with _stopping(again), _Screen(migration, rows) as screen:
        try:
            taken: Migration | None
            try:
                taken = move.ledger.take(migration, who)
            except Busy as busy:
                screen.tell(Telling("note", f"{busy.message}; it takes up what you want, and this shows how it goes"))
                taken = _watch(move, migration, tenants, goal, who, screen)
            if taken is not None:
                befores = _befores(workspace, point, move, migration, screen) if baseline else None
                how = _run(workspace, move, taken, tenants, goal, screen, deadline, add_new, befores)
                if how == "deadline":
                    _leave_rest(move, taken, tenants, goal, who)
        except KeyboardInterrupt:
            raise _stopped(migration, again) from None
        except Superseded as superseded:
            raise Superseded(
                f"{superseded.message}. This process has stopped, and nothing is lost",
                next_step=f"outgrow migrate {migration.point} status",
            ) from None
    return _said_at_the_end(workspace, move, migration, tenants, goal, verb, as_json)


def _run(
    workspace: Workspace,
    move: OpenMove,
    migration: Migration,
    tenants: list[str],
    goal: Goal,
    screen: _Screen,
    deadline: float | None,
    add_new: bool,
    befores: Befores | None,
) -> str:
    def p95(name: str) -> tuple[float | None, str, bool]:
        declared = workspace.declaration.observed.get(name)
        if declared is None:
            return None, "no such signal is declared", False
        seen = observe_all(workspace.sources, {name: declared}, workspace.clock.now())
        value = next((one.value for some in seen.samples.values() for one in some if not one.member), None)
        return value, seen.unknown.get(name, ""), name in seen.idle

    def publish(report: Report) -> None:
        screen.show(report)
        move.publish(report.body(migration, time.time()))

    engine = Engine(
        migration,
        move.ledger,
        carrier_of(move.mover(), move.ledger),
        who_am_i(),
        throttled=Conditions(workspace.path.resolve().parent, p95).why_not,
        tell=screen.tell,
        publish=publish,
        befores=befores,
    )
    try:
        return engine.run(None if add_new else tenants, goal, seconds=deadline, add_new=add_new)
    finally:
        with _undisturbed():
            engine.let_go()


def declares_before(point: Point, migration: Migration) -> bool:
    """Whether the service is to be measured before each wave."""
    wanted = migration.pace.baseline
    return wanted == "require" or (wanted == "try" and point.validation is not None)


def _befores(
    workspace: Workspace, point: Point, move: OpenMove, migration: Migration, screen: _Screen
) -> Befores | None:
    """What takes a before of each wave; None where none is declared, or wanted."""
    if not declares_before(point, migration):
        return None
    from outgrow.cli.migrate_before import befores_of  # what measures is needed here alone

    return befores_of(workspace, point, move, screen.tell, screen.aside)


def _watch(
    move: OpenMove, migration: Migration, tenants: list[str], goal: Goal, who: str, screen: _Screen
) -> Migration | None:
    """Looks at what the other process does until it is done (None), or until it is gone and this one takes over."""
    wanted = set(tenants)
    while True:
        rows = [row for row in move.ledger.tenants(migration) if row.tenant in wanted]
        if not any(row.goal == goal and not is_met(row) for row in rows):
            return None
        try:
            return move.ledger.take(migration, who)
        except Busy:
            screen.line(summary_of(move, migration, move.ledger.tenants(migration)))
        time.sleep(LOOK_SECONDS)


def _leave_rest(move: OpenMove, migration: Migration, tenants: list[str], goal: Goal, who: str) -> None:
    """The time is over: who is not switched stays ready, and who is not back stays switched."""
    left = [
        row for row in move.ledger.tenants(migration) if row.tenant in tenants and row.goal == goal and not is_met(row)
    ]
    if goal == "switched":
        move.ledger.want(migration, [row.tenant for row in left], "ready", who)


def _said_at_the_end(
    workspace: Workspace, move: OpenMove, migration: Migration, tenants: list[str], goal: Goal, verb: str, as_json: bool
) -> int:
    ledger = move.ledger
    migration = ledger.migration(migration.point) or migration
    rows = ledger.tenants(migration)
    wanted = [row for row in rows if row.tenant in set(tenants)]
    there = [row for row in wanted if row.goal == goal and is_met(row)]
    fields = status_fields(move, migration, rows)
    move.remember(migration, verb, {"tenants": len(there), "of": len(wanted), "states": fields["tenants"]})
    if as_json:
        emit_json({**fields, "done": len(there), "of": len(wanted)})
    else:
        err().print(f"{goal}: {len(there):,} of {counted(len(wanted), 'tenant')}", markup=False)
        waits = {one["tenant"]: one["reason"] for one in fields["waiting"]}
        told = [(row.tenant, row.error or waits.get(row.tenant, "")) for row in wanted if row not in there]
        told += [(row.tenant, row.error) for row in there if row.error]
        for tenant, why in [one for one in told if one[1]][:20]:
            err().print(Text(f"  {tenant}: {why.removeprefix(tenant + ': ')}", style="red"), soft_wrap=True)
        if fields["left_out"]:
            err().print(Text(fields["left_out"], style="yellow"), soft_wrap=True)
    hint(next_of(migration, rows))
    del workspace
    if len(there) == len(wanted):
        return 0
    return 1 if any(row.differing for row in wanted) else Stopped.exit_code


def _stopped(migration: Migration, again: str) -> Stopped:
    return Stopped(
        f"stopped: {migration.id} is safe. Every tenant is where its route says, and nothing is half done",
        next_step=again,
    )


@contextmanager
def _stopping(again: str) -> Iterator[None]:
    """SIGTERM ends it as Ctrl-C does."""
    del again

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """While writers are let go on, a further signal changes nothing."""
    kept = [(one, signal.signal(one, signal.SIG_IGN)) for one in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for one, handler in kept:
            signal.signal(one, handler)


class _Screen:
    """Says how it goes on stderr: one living line in a terminal, else a line every few seconds."""

    def __init__(self, migration: Migration, rows: Sequence[TenantMove]) -> None:
        self._console: Console = err()
        self._migration = migration
        self._tells_steps = len(rows) <= SAID_SWITCHES
        self._live = Live("", console=self._console, auto_refresh=False, transient=True)
        self._last = 0.0
        self._text = ""
        self._throttled = ""

    def __enter__(self) -> _Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The living line is away, so that somebody else may write."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    def tell(self, telling: Telling) -> None:
        """A line that stays."""
        if telling.kind == "step" and not (self._tells_steps and telling.text.startswith(("switched", "dropped"))):
            return
        who = f"{telling.tenant}: " if telling.tenant and not telling.text.startswith(telling.tenant) else ""
        style = "yellow" if telling.kind == "error" else ""
        self._console.print(Text(f"{who}{telling.text}", style=style), soft_wrap=True)

    def show(self, report: Report) -> None:
        """How the whole stands."""
        states = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in report.progress.tenants.items())
        parts = [states]
        if report.progress.wave is not None:
            parts.append(f"wave {report.progress.wave}")
        if report.progress.per_second is not None and report.progress.wave is not None:
            parts.append(f"{report.progress.per_second.mid:,.0f} items/s")
        left = report.progress.left_seconds
        if left is not None and left.mid >= 1 and left.high < 1e7:
            parts.append(f"{format_duration(round(left.low))} to {format_duration(round(left.high))} left")
        if report.lag_seconds >= 0.5:
            parts.append(f"{report.lag_seconds:.1f} s behind")
        why = report.throttled or report.stop
        if not why and report.waiting:
            tenant, reason, step = report.waiting[0]
            why = reason if reason.startswith(tenant) else f"{tenant}: {reason}"
            why += f" ({step})" if step else ""
        if why:
            parts.append(f"waits: {why}")
        self.line(" · ".join(parts), at_once=report.throttled != self._throttled)
        self._throttled = report.throttled

    def line(self, text: str, *, at_once: bool = False) -> None:
        """The living line; without a terminal a line now and then."""
        if self._console.is_terminal:
            self._live.update(Text(text), refresh=True)
        elif at_once or time.monotonic() - self._last >= (SAME_LINE_SECONDS if text == self._text else LINE_SECONDS):
            self._last, self._text = time.monotonic(), text
            self._console.print(Text(text), soft_wrap=True)
