"""The engine: looks at each tenant, asks what is next, has it carried out, and writes down where the tenant is then."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from outgrow.errors import LedgerError, OutgrowError
from outgrow.migrating.befores import Befores
from outgrow.migrating.carrying import Carrier, name_of
from outgrow.migrating.opening import LEFT_OUT, left_out_of, new_tenants
from outgrow.migrating.reporting import Report, Telling, counted, said, told_of
from outgrow.migration.advancing import advanced
from outgrow.migration.commands import Carry, Command, Enter, Flip, Freeze, Outcome, Rest, Thaw, Verify, Wait
from outgrow.migration.records import Goal, Migration, TenantMove
from outgrow.migration.transitions import is_over, next_command, truth_of
from outgrow.migration.waves import is_met, may_go_on
from outgrow.ports import MoveLedger, StoreFailed, Superseded

STEPS_A_TURN = 16
"""Commands that one tenant gets before the next one's turn; a switch under way is brought to its end."""
LOOK_AGAIN_SECONDS = 5.0
"""How often tenants at rest are looked at, and what is the same for all (new tenants, pace)."""
SHORTEST_WAIT, LONGEST_WAIT = 0.02, 1.0
ROUND_SECONDS = 2.0
"""After so long the rows are read anew, so that what people want is heeded soon."""
SAY_SECONDS = 1.0
LEDGER_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between tries to take a move on again whose ledger did not answer."""

Ended = Literal["reached", "people", "deadline"]
"""Why a run ended: the goals are reached; people have to do something first; its time was over."""


class Stopped(OutgrowError):
    """The move was stopped by people, between any two steps, and is safe."""

    exit_code = 4


@dataclass(slots=True)
class Engine:
    """Moves tenants towards what people want of them. One thread uses it; any number of processes may try to.

    Attributes:
        migration: as it was taken on.
        throttled: why nothing may be copied now, "" for no reason.
        tell: is given what there is to say; it must not raise.
        befores: takes a before of each wave ahead of its first switch; None: nobody does. Nothing is carried meanwhile.
        pause, monotonic: real seconds.
    """

    migration: Migration
    ledger: MoveLedger
    carrier: Carrier
    who: str
    throttled: Callable[[Migration, Mapping[str, float]], str] = lambda *_: ""
    tell: Callable[[Telling], None] = lambda _: None
    publish: Callable[[Report], None] = lambda _: None
    befores: Befores | None = None
    pause: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    _look_at: dict[str, float] = field(default_factory=dict)
    _waits: dict[str, Wait] = field(default_factory=dict)
    _allowed: frozenset[str] = frozenset()
    _rows: dict[str, TenantMove] = field(default_factory=dict)
    _turn_of: str = ""
    _said: float = -math.inf
    _frozen: set[str] = field(default_factory=set)
    _lags: dict[str, float] = field(default_factory=dict)
    _report: Report = field(default_factory=Report)
    _end: float = math.inf
    _left_out: str | None = None

    def run(
        self, tenants: Sequence[str] | None, goal: Goal, *, seconds: float | None = None, add_new: bool = False
    ) -> Ended:
        """Works until these tenants (None: all) are where ``goal`` wants them, or none of them can go on.

        Args:
            tenants: whose goal is waited for; the others are moved on as well.
            seconds: after which no further tenant is switched, and the run ends.
            add_new: also take in tenants that came up since, with this goal.

        Raises:
            Superseded: another process took the move on.
            LedgerError: the ledger did not answer for minutes.
        """
        self._end = math.inf if seconds is None else self.monotonic() + seconds
        chosen = None if tenants is None else frozenset(tenants)
        self._report = Report(began=self.monotonic())
        looked = -math.inf
        while True:
            try:
                if self.monotonic() - looked >= LOOK_AGAIN_SECONDS:
                    self._refresh(goal if add_new else None)
                    looked = self.monotonic()
                rows = self.ledger.tenants(self.migration)
                unmet = any(
                    row.goal == goal and not is_met(row) for row in rows if chosen is None or row.tenant in chosen
                )
                if not unmet or self.monotonic() > self._end:
                    return self._ended(rows, "deadline" if unmet else "reached")
                if not self._round(rows) and not self._rest(rows):
                    return self._ended(rows, "people")
            except LedgerError as lost:
                self._take_again(lost)

    def _ended(self, rows: Sequence[TenantMove], how: Ended) -> Ended:
        self.ledger.clear(self.migration, ())  # a process that was superseded says nothing of what it did not do
        if rows and all(is_over(row) for row in rows):
            self.migration = self.ledger.end(self.migration)
        self._rows = {row.tenant: row for row in rows}
        self._say(at_once=True)
        return how

    def let_go(self) -> None:
        """Has writers go on that wait for a switch which does not come about now, and gives the move back."""
        try:
            for tenant in list(self._frozen):
                self.ledger.thaw(self.migration, tenant)
            self.ledger.release(self.migration)
        except OutgrowError:  # both end by themselves: a freeze after its seconds, a lock with its process
            pass

    def _refresh(self, goal: Goal | None) -> None:
        known = self.ledger.migration(self.migration.point)
        if known is None or known.id != self.migration.id:
            raise Superseded(f"migration {self.migration.id} is not the one of {self.migration.point} any more")
        self.migration = replace(known, epoch=self.migration.epoch)
        if goal is not None:
            rows = self.ledger.tenants(self.migration)
            try:
                found = new_tenants(self.ledger, self.migration, self.carrier, rows)
            except StoreFailed as failed:  # those that are known go on, and wait by themselves where they need it
                self.tell(Telling("error", f"whether tenants came up since is not known: {said(failed)}"))
                return
            if found.rows:
                self.ledger.add_tenants(self.migration, [replace(row, goal=goal) for row in found.rows])
                told = f"{counted(len(found.rows), 'tenant')} came up since and joined the last wave"
                self.tell(Telling("note", told))
            self._say_left_out(found.said(self.migration))

    def _say_left_out(self, said: str) -> None:
        """Writes down whom the move leaves out, and why, where that is news."""
        if self._left_out is None:
            self._left_out = left_out_of(self.ledger, self.migration)
        if said == self._left_out:
            return
        self.ledger.write_down(self.migration, "", LEFT_OUT, {"said": said})
        self._left_out = said
        self.tell(Telling("error", said) if said else Telling("note", "nobody is left out of the move any more"))

    def _round(self, rows: Sequence[TenantMove]) -> bool:
        """One turn for each tenant that may go on, for ``ROUND_SECONDS`` at most; whether anything was done."""
        self._rows = {row.tenant: row for row in rows}
        self._allowed, self._report.stop = may_go_on(rows)
        order = [row for row in rows if row.tenant in self._allowed]
        begin = next((number for number, row in enumerate(order) if row.tenant == self._turn_of), 0)
        began, worked = self.monotonic(), False
        for row in order[begin:] + order[:begin]:
            if self._look_at.get(row.tenant, 0.0) > self.monotonic():
                continue
            if self.monotonic() - began > ROUND_SECONDS:
                self._turn_of = row.tenant
                return True
            self._report.throttled = self.throttled(self.migration, self._lags)
            worked |= self._turn(row, self._report.throttled)
            self._say()
        return worked

    def _turn(self, row: TenantMove, throttled: str) -> bool:
        """Brings one tenant on, until it waits, rests, or the next one's turn has come."""
        steps, began = 0, self.monotonic()
        while (steps < STEPS_A_TURN and self.monotonic() - began < ROUND_SECONDS) or self._is_frozen(row):
            try:
                seen = replace(self.carrier.observe(self.migration, row), throttled=throttled)
                command = next_command(self.migration, row, seen)
            except StoreFailed as failed:
                self._keep(row, Enter(row.state), Outcome(self.ledger.now(), failed=said(failed)))
                return True
            if slow := self._report.observe(row.tenant, seen.outrun):
                self.tell(Telling("error", slow, row.tenant))
            self._lags[row.tenant] = 0.0 if self._is_not_carried(row) else seen.lag_seconds or 0.0
            if isinstance(command, Enter) and command.state == "switching":
                command = self._without_before(row) or command
            if isinstance(command, Rest):
                self._waits.pop(row.tenant, None)
                self._look_at[row.tenant] = self.monotonic() + LOOK_AGAIN_SECONDS
                return steps > 0
            if isinstance(command, Wait):
                if self._is_frozen(row) and command.kind != "people":
                    self.pause(min(max(command.seconds, SHORTEST_WAIT), 0.1))
                    steps += 1
                    continue
                self._waits[row.tenant] = command
                self._look_at[row.tenant] = self.monotonic() + min(max(command.seconds, SHORTEST_WAIT), 5.0)
                return steps > 0
            steps += 1
            self._waits.pop(row.tenant, None)
            after = self._step(row, command)
            if after is None:
                return True
            row = after
        return True

    def _without_before(self, row: TenantMove) -> Wait | None:
        """Sees to the before of the tenant's wave; why it may not be switched. The time it takes is nobody's."""
        if self.befores is None:
            return None
        began = self.monotonic()
        found = self.befores.against(self.migration, row.wave, self._rows.values())
        self._end += self.monotonic() - began
        return found

    def _is_not_carried(self, row: TenantMove) -> bool:
        """Its changes wait until its copy is there: to hold the copy up because of them would hold it up for ever."""
        return row.state in ("preparing", "copying", "verifying") and self.migration.kind == "copying"

    def _is_frozen(self, row: TenantMove) -> bool:
        """Writers of the tenant wait: it has every turn until they go on."""
        return row.state in ("switching", "reversing") and row.step != "" and self.migration.kind == "copying"

    def _step(self, row: TenantMove, command: Command) -> TenantMove | None:
        """Carries one command out and writes down what came of it; None where the row is to be read anew."""
        begins = isinstance(command, Enter) and command.state in ("switching", "reversing")
        if begins and not self.carrier.is_compared(row.tenant):
            command = Verify(truth_of(row))  # before anybody waits, so that the last comparison is short
        try:
            if isinstance(command, Flip):
                return self._flip(row, command)
            if isinstance(command, Freeze):
                self._frozen.add(row.tenant)
            outcome = self.carrier.carry_out(self.migration, row, command)
            if isinstance(command, Thaw):
                self._frozen.discard(row.tenant)
        except StoreFailed as failed:
            outcome = Outcome(self.ledger.now(), failed=said(failed))
        return self._keep(row, command, outcome)

    def _keep(self, row: TenantMove, command: Command, outcome: Outcome) -> TenantMove:
        after = advanced(self.migration, row, command, outcome)
        what, facts = told_of(row, after, command, outcome)
        if isinstance(command, Carry) and after == row and not what:
            return row  # nothing to write down: what was carried is off the list
        kept = self._rows[row.tenant] = self.ledger.keep(self.migration, after, what, facts)
        self._report.count(outcome)
        if what:
            self.tell(Telling("error" if outcome.failed or after.error else "step", what, row.tenant))
        return kept

    def _flip(self, row: TenantMove, command: Flip) -> TenantMove | None:
        at = self.ledger.now()
        after = advanced(self.migration, row, command, Outcome(at))
        store = name_of(self.migration, command.to)
        what = f"switched to {store}" if command.to == "target" else f"switched back to {store}"
        flipped = self.ledger.flip(self.migration, row, store, after, what)
        if flipped.why_not:
            return self._keep(row, command, Outcome(at, refused=flipped.why_not))
        self._frozen.discard(row.tenant)
        self._rows[row.tenant] = after
        self.tell(Telling("step", what, row.tenant))
        return None

    def _rest(self, rows: Sequence[TenantMove]) -> bool:
        """Waits until somebody's turn comes; False where only people can bring any tenant on."""
        moving = [row for row in rows if not is_met(row)]
        hopeful = [row.tenant for row in moving if row.tenant in self._allowed and not self._needs_people(row.tenant)]
        if not hopeful:
            return False
        self._say()
        now = self.monotonic()
        due = min(self._look_at.get(tenant, now) - now for tenant in hopeful)
        self.pause(min(max(due, SHORTEST_WAIT), LONGEST_WAIT))
        return True

    def _needs_people(self, tenant: str) -> bool:
        wait = self._waits.get(tenant)
        return wait is not None and wait.kind == "people"

    def _say(self, at_once: bool = False) -> None:
        now = self.monotonic()
        if at_once or now - self._said >= SAY_SECONDS:
            self._said = now
            self._report.look(list(self._rows.values()), self._lags, self._waits, now)
            self.publish(self._report)

    def _take_again(self, lost: LedgerError) -> None:
        """The ledger did not answer: tries to take the move on again, with growing pauses. Raises what it last said."""
        for seconds in LEDGER_PAUSES:
            self.tell(
                Telling("error", f"the ledger of the move did not answer ({lost.message}); again in {seconds:g} s")
            )
            self.pause(seconds)
            try:
                found = self.ledger.migration(self.migration.point)
                if found is not None and found.id == self.migration.id and found.epoch != self.migration.epoch:
                    raise Superseded(f"{found.holder or 'another process'} has taken the move on since")
                self.migration = self.ledger.take(self.migration, self.who)
            except LedgerError as again:
                lost = again
            else:
                return
        raise lost
