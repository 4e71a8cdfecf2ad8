"""All rooms' commands and facts by name, so that a stored event becomes the fact it was."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from ventures.errors import VenturesError
from ventures.log.records import Apply, Command, Decide, Event, Fact, React, Room, Upcast


class UnknownEvent(VenturesError):
    """The log holds an event of a type or schema version that this version of the platform does not know."""


class Registry:
    """What the rooms together know. Refuses two rooms that claim the same command or fact."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self.decide: dict[type[Command], Decide] = {}
        self.apply: dict[str, Apply] = {}
        self.react: dict[str, list[React]] = {}
        self.facts: dict[str, type[Fact]] = {}
        self._upcast: dict[tuple[str, int], Upcast] = {}
        for room in rooms:
            for command, decide in room.decide.items():
                if command in self.decide:
                    raise ValueError(f"two rooms decide {command.__name__}")
                self.decide[command] = decide
            for fact, apply in room.apply.items():
                if fact.type in self.facts:
                    raise ValueError(f"two rooms apply {fact.type}")
                self.facts[fact.type] = fact
                self.apply[fact.type] = apply
            self._upcast.update(room.upcast)
        for room in rooms:
            for fact, react in room.react.items():
                self.react.setdefault(self.facts[fact.type].type, []).append(react)

    def event(self, *row: Any) -> Event:
        """A row of `sql.EVENTS` as an event. Raises: UnknownEvent."""
        (venture, seq, epoch, kind, entity, actor, at, batch, cause, idem, schema_version, data, digest) = row
        return Event(
            venture=venture,
            seq=seq,
            epoch=epoch,
            type=kind,
            entity=entity,
            actor=actor,
            at=at,
            batch=batch,
            cause=cause,
            idem=idem,
            schema_version=schema_version,
            data=self.fact(venture, seq, kind, schema_version, data),
            hash=digest,
        )

    def fact(self, venture: UUID, seq: int, kind: str, schema_version: int, data: str) -> Fact:
        """The data of an event, brought to today's form."""
        known = self.facts.get(kind)
        if known is None or schema_version > known.schema_version:
            raise UnknownEvent(
                f"event {seq} of venture {venture} is {kind} version {schema_version}, which this version of ventures "
                "does not know: start the version that wrote it, or a later one"
            )
        if schema_version == known.schema_version:
            return msgspec.json.decode(data, type=known)
        older: dict[str, Any] = msgspec.json.decode(data)
        for version in range(schema_version, known.schema_version):
            older = self._upcast[kind, version](older)
        return msgspec.convert(older, known)
