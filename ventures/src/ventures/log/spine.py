"""`append`: a command changes the state and appends its events in one transaction; `append_all`: many commands do."""

from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec

from ventures.database.pool import Database
from ventures.database.scope import Scope
from ventures.errors import NO_SUCH_VENTURE, Conflict, Invalid, NotFound, Refused
from ventures.identifiers import NewId
from ventures.log import sql
from ventures.log.bell import Bell
from ventures.log.chain import link, origin
from ventures.log.records import Actor, Appended, Authority, Command, Event, Fact, Head, Instruction, Script, Unit
from ventures.log.registry import Registry

MOST_EVENTS = 10_000
"""Events of one command with its reactions; more is a loop between rooms."""


class Spine:
    """The one door by which a venture changes."""

    def __init__(
        self,
        database: Database,
        registry: Registry,
        authority: Authority,
        *,
        bell: Bell | None,
        now: Callable[[], datetime],
        new_id: NewId,
    ) -> None:
        self.database = database
        self.registry = registry
        self.authority = authority
        self._bell = bell
        self.now = now
        self.new_id = new_id

    async def append_all(self, venture: UUID, script: Script, *, redoable: bool = False) -> int:
        """Carries out what the script asks for, one command after the other as `append` would, in one transaction;
        all of it or nothing. → how many events were appended.

        Others who write to the venture wait for the end. redoable: as of `Database.venture`, for a script that is run
        again where it is not known to be done.

        Raises: what `append` raises, of the first command that is refused.
        """
        appended, head = 0, None
        async with self.database.venture(venture, redoable=redoable) as scope:
            instruction = next(script, None)
            while instruction is not None:
                if head is None:
                    head = await self._locked(scope, founds=instruction.command.founds)
                done = await self._followed(scope, head, instruction)
                if done.events and not done.replayed:
                    last = done.events[-1]
                    head, appended = Head(last.epoch, last.seq, last.hash, last.at), appended + len(done.events)
                try:
                    instruction = script.send(done)
                except StopIteration:
                    instruction = None
            if appended and head is not None:
                await scope.run(sql.MOVE_HEAD, seq=head.seq, hash=head.hash, at=head.moved_at)
        if self._bell is not None and appended:
            self._bell.ring(venture)
        return appended

    async def _locked(self, scope: Scope, *, founds: bool) -> Head:
        if founds:
            await scope.run(sql.FOUND_HEAD, hash=origin(scope.venture), at=self.now())
        head = await scope.one(sql.LOCK_HEAD, Head)
        if head is None:
            raise NotFound(NO_SUCH_VENTURE)
        return head

    async def _followed(self, scope: Scope, head: Head, instruction: Instruction) -> Appended:
        """One command of a script. The question about rights travels with what the decision reads; a refusal of
        rights comes before whatever the decision refuses, and both before anything is written.
        """
        command, actor, idem = instruction.command, instruction.actor, instruction.idem
        request = None if idem is None else _digest(actor, command)
        asked = await self.authority.ask(scope, actor.account)
        earlier = None if idem is None else await scope.queued(sql.BATCH_OF_KEY, idem=idem)
        if earlier is not None:
            if not command.founds:
                await asked.allow(actor, command.feature, command.action)
            if (done := await earlier.one()) is not None:
                return await self._earlier(scope, done[0], done[1], request)
        if command.founds is (head.seq > 0):
            raise _founded(command)
        unit = Unit(scope, actor, max(self.now(), head.moved_at), self.new_id)
        facts: Sequence[Fact] = ()
        refused: Refused | None = None
        try:
            facts = await self.registry.decide[type(command)](unit, command)
        except Refused as error:
            refused = error
        if earlier is None and not command.founds:
            await asked.allow(actor, command.feature, command.action)
        if refused is not None:
            raise refused
        return Appended(tuple(await self._carried_out(unit, head, facts, idem, request, moves_head=False)))

    async def append(self, venture: UUID, command: Command, *, actor: Actor, idem: str | None = None) -> Appended:
        """Carries the command out and returns its events; all of it or nothing.

        idem: idempotency key, 1–200 characters, unique in the venture. A second append with the same key, actor and
        command does nothing and returns the first one's events.

        Raises: Refused, of the kind that fits; Unavailable when the database did not answer. After Unavailable it
        is not known whether the command was carried out: ask again with the same key.
        """
        request = None if idem is None else _digest(actor, command)
        async with self.database.venture(venture) as scope:
            if command.founds:
                await scope.run(sql.FOUND_HEAD, hash=origin(venture), at=self.now())
            locking = await scope.queued(sql.LOCK_HEAD)
            asked = await self.authority.ask(scope, actor.account)
            earlier = await scope.queued(sql.BATCH_OF_KEY, idem=idem) if idem is not None else None
            row = await locking.one()
            if row is None:
                raise NotFound(NO_SUCH_VENTURE)
            head = Head(*row)
            if not command.founds:
                await asked.allow(actor, command.feature, command.action)
            if earlier is not None and (done := await earlier.one()) is not None:
                return await self._earlier(scope, done[0], done[1], request)
            if command.founds is (head.seq > 0):
                raise _founded(command)
            unit = Unit(scope, actor, max(self.now(), head.moved_at), self.new_id)
            facts = await self.registry.decide[type(command)](unit, command)
            events = await self._carried_out(unit, head, facts, idem, request)
        if self._bell is not None and events:
            self._bell.ring(venture)
        return Appended(tuple(events))

    async def _earlier(self, scope: Scope, batch: int, request_then: bytes | None, request: bytes | None) -> Appended:
        if request_then != request:
            raise Invalid("This idempotency key was used for another request: use a new key for a new request.")
        return Appended(tuple(await scope.all(sql.EVENTS_OF_BATCH, self.registry.event, batch=batch)), replayed=True)

    async def _carried_out(
        self,
        unit: Unit,
        head: Head,
        facts: Sequence[Fact],
        idem: str | None,
        request: bytes | None,
        *,
        moves_head: bool = True,
    ) -> list[Event]:
        """Applies facts and what follows from them, breadth first, and appends them as events."""
        events: list[Event] = []
        unsent: dict[str, Any] | None = None
        waiting: list[tuple[Fact, int | None]] = [(fact, None) for fact in facts]
        seq, digest, actor = head.seq, head.hash, str(unit.actor)
        while waiting:
            fact, cause = waiting.pop(0)
            seq += 1
            if seq - head.seq > MOST_EVENTS:
                raise RuntimeError(
                    f"more than {MOST_EVENTS} events of one command: rooms react to each other without end"
                )
            first = not events
            row = {
                "seq": seq,
                "epoch": head.epoch,
                "type": fact.type,
                "entity": fact.entity,
                "actor": actor,
                "at": unit.at,
                "batch": head.seq + 1,
                "cause": cause,
                "idem": idem if first else None,
                "schema_version": fact.schema_version,
            }
            data = msgspec.json.encode(fact).decode()
            kept = request if first else None
            digest = link(digest, venture=unit.scope.venture, request=kept, data=data, **row)  # type: ignore[arg-type]
            event = Event(venture=unit.scope.venture, data=fact, hash=digest, **row)  # type: ignore[arg-type]
            if unsent is not None:
                await unit.scope.run(sql.APPEND, **unsent)
            unsent = {**row, "request": kept, "data": data, "hash": digest}
            await self.registry.apply[fact.type](unit.scope, event)
            events.append(event)
            for react in self.registry.react.get(fact.type, ()):
                waiting.extend((caused, seq) for caused in await react(unit, event))
        if unsent is not None:
            await unit.scope.run(sql.APPEND_AND_MOVE_HEAD if moves_head else sql.APPEND, **unsent)
        return events


def _founded(command: Command) -> Conflict:
    """Why a command that founds, or does not, is refused."""
    return Conflict("This venture exists already." if command.founds else "This venture has not been founded.")


def _digest(actor: Actor, command: Command) -> bytes:
    return sha256(f"{actor}\n{type(command).__name__}\n".encode() + msgspec.json.encode(command)).digest()
