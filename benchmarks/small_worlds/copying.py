"""A small world in which one key is moved, to be tried in every order: writers, two stores, the tool, and its doubles.

What the tool does is decided by the real ``next_command`` and ``advanced``; stores, tables and clients are modelled as
``outgrow.ports`` and ``outgrow.routing`` describe them. Each step is what happens at once, and any process may take the
next one. Time does not exist: a freeze may end, and a deadline may have passed, at any moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from outgrow.migration.commands import (
    Carry,
    Command,
    CompareLast,
    CopyPage,
    Drop,
    Enter,
    Flip,
    Freeze,
    Observed,
    Outcome,
    Place,
    ProveWayBack,
    Rest,
    Thaw,
    Verify,
    Wait,
)
from outgrow.migration.records import Goal, Migration, Pace, TenantMove
from outgrow.migration.transitions import advanced, is_over, next_command, truth_of

SOURCE, TARGET = 0, 1
NONE, OPEN, CLOSED = 0, 1, 2
BEFORE = 1
"""The value under the key at the beginning; 0 is none."""
WRITING = 4
"""The step of a block that has looked, and is still to be written."""
SLOTS = 2
"""Registrations of one client: a second one where it has to write anew."""

MIGRATION = Migration("m", "p", "copying", "source", "target", 0.0, Pace(batch=500, freeze_seconds=5.0))
LATE = 1000.0
"""A time beyond every deadline."""


@dataclass(frozen=True, slots=True)
class Design:
    """Rules of a move; each that is broken is a way in which one could be built.

    Attributes:
        transactional: writers' data is in the same database as the routes; else it is in a store of its own.
        registers: when a write is registered: before the route is read, or after.
        locks: a transactional writer holds the route row until it has committed.
        settles: copying begins after writers that saw no route row are over.
        generation: taken before the state is read, or after.
        tombstones: what is absent is put as a mark; else it is deleted without one.
        gated: puts of an older generation are refused.
        carries_open: items whose writes are under way are carried, too; else only what is over, or abandoned.
        clears_open: registered writes that were under way when their item was read are taken off, too.
        checks_flip: a flip finds no registered write.
        tells: the end of a write says whether the tenant was switched meanwhile.
        patient: an unfinished write is taken for abandoned only when nothing of it can arrive any more.
        fenced: a superseded process cannot write to the database, nor take a generation there.
        fenced_generations: of these, the latter.
        way_back: proved by a mark under a key that is nowhere, or by writing an existing item once more.
        keeps_generation: a write of the application leaves the generation under the key as it is.
        settled_late: generations are forgotten only when no superseded process is left.
        registers_repairs: what is to be copied again is registered as changed, and carried; else it is put at once.
        blocks: a page is put whole where nothing is held, with a gate for its range; else, and where something is held,
            item by item.
        block_looks: what is held is items and gates; else items alone.
        block_alone: from its look to its end no item is put; else one may be, in between.
    """

    transactional: bool = False
    registers: Literal["before", "after"] = "before"
    locks: bool = True
    settles: bool = True
    generation: Literal["before", "after"] = "before"
    tombstones: bool = True
    gated: bool = True
    carries_open: bool = False
    clears_open: bool = False
    checks_flip: bool = True
    tells: bool = True
    patient: bool = True
    fenced: bool = True
    fenced_generations: bool = True
    way_back: Literal["mark", "item"] = "mark"
    keeps_generation: bool = True
    settled_late: bool = True
    registers_repairs: bool = True
    blocks: bool = True
    block_looks: bool = True
    block_alone: bool = True


@dataclass(frozen=True, slots=True)
class Trouble:
    """What may go wrong, at any moment: so many clients die, so often the tool is superseded (the old process goes on,
    or not), requests of the dead arrive late, so many deadlines pass, and so often people have the key copied anew."""

    deaths: int = 0
    takeovers: int = 0
    late: bool = False
    deadlines: int = 0
    repairs: int = 0


class Client(NamedTuple):
    """``at``: idle, registered, writing, closing, sent (dead, its request is under way), dead, done."""

    at: str = "idle"
    slot: int = 0
    store: int = SOURCE
    flips: int = 0
    counted: bool = False


class Process(NamedTuple):
    """The tool: idle, or within a command. ``by_item``: a page that was no block is on its way."""

    command: int = -1
    step: int = 0
    held: tuple[Any, ...] = ()
    carried: int = 0
    by_item: bool = False


class World(NamedTuple):
    """All there is. ``truth``: what the last write to the routed store left; ``lost``: a write was acknowledged that
    never was in a routed store. ``stores``: value and generation of each. ``ranged``: the generation of the range that
    the key is in, in the target; 0 for none. ``intents``: SLOTS of each client."""

    clients: tuple[Client, ...]
    intents: tuple[int, ...]
    stores: tuple[tuple[int, int], ...]
    row: int
    goals: int
    placed: bool = False
    route: int = SOURCE
    flips: int = 0
    frozen: bool = False
    tool: Process = Process()
    old: Process | None = None
    deaths: int = 0
    takeovers: int = 0
    deadlines: int = 0
    repairs: int = 0
    truth: int = BEFORE
    lost: bool = False
    ranged: int = 0


@dataclass(slots=True)
class Found:
    """What came of trying all. bad: end states in which a write is lost, stale or back from the dead; ends: all end
    states; stuck: states from which nothing leads to an end; states: all there are."""

    bad: int
    ends: int
    stuck: int
    states: int
    example: tuple[World, ...] = ()


class Model:
    """One design under one kind of trouble, with these writes and these wishes. ``writes``: the value that each client
    puts, 0 deletes. ``goals``: what people want, one after the other, each at any time after the one before."""

    def __init__(
        self,
        design: Design,
        trouble: Trouble,
        writes: tuple[int, ...] = (2, 0),
        goals: tuple[Goal, ...] = ("switched", "completed"),
    ) -> None:
        self.design, self.trouble, self.writes, self.goals = design, trouble, writes, goals
        self.rows: list[TenantMove] = []
        self.row_of: dict[TenantMove, int] = {}
        self.commands: list[Command] = []
        self.command_of: dict[Command, int] = {}
        self.next_of: dict[tuple[Any, ...], int] = {}
        self.after_of: dict[tuple[Any, ...], int] = {}

    def begin(self) -> World:
        """Nothing moved yet, everyone idle."""
        return World(
            tuple(Client() for _ in self.writes),
            (NONE,) * (SLOTS * len(self.writes) + (self.trouble.repairs > 0)),
            ((BEFORE, 0), (0, 0)),
            self._row(TenantMove("t", 1, goal=self.goals[0])),
            0,
            deaths=self.trouble.deaths,
            takeovers=self.trouble.takeovers,
            deadlines=self.trouble.deadlines,
            repairs=self.trouble.repairs,
        )

    def explore(self, trace: bool = False) -> Found:
        """Every state that any order of steps leads to. ``trace``: the example is the whole way there."""
        first = self.begin()
        number = {first: 0}
        into: list[list[int]] = [[]]
        ends: list[int] = []
        bad: list[World] = []
        waiting = deque([first])
        while waiting:
            world = waiting.popleft()
            here = number[world]
            for following in self._steps(world):
                there = number.get(following)
                if there is None:
                    there = number[following] = len(into)
                    into.append([])
                    waiting.append(following)
                into[there].append(here)
            if self._is_end(world):
                ends.append(here)
                if self._is_bad(world):
                    bad.append(world)
        reached = bytearray(len(into))
        back = list(ends)
        for one in back:
            reached[one] = 1
        while back:
            for before in into[back.pop()]:
                if not reached[before]:
                    reached[before] = 1
                    back.append(before)
        way: list[World] = []
        if bad and trace:
            states = list(number)
            at = number[bad[0]]
            while at:
                way.append(states[at])
                at = into[at][0]
        return Found(len(bad), len(ends), len(into) - sum(reached), len(into), tuple(reversed(way)))

    def _is_end(self, world: World) -> bool:
        """All writes are over, the tool rests, and people want nothing more."""
        return (
            world.old is None
            and world.goals == len(self.goals) - 1
            and world.tool.command < 0
            and all(client.at in ("done", "dead") for client in world.clients)
            and isinstance(self.commands[self._next(world, 0.0)], Rest)
        )

    def _is_bad(self, world: World) -> bool:
        if world.lost or world.stores[world.route][0] != world.truth:
            return True
        both = self.rows[world.row].state in ("ready", "switched")
        return both and OPEN not in world.intents and world.stores[1 - world.route][0] != world.truth

    def _steps(self, world: World) -> Iterator[World]:
        for number, client in enumerate(world.clients):
            if self.design.transactional:
                yield from self._transactional(world, number, client)
            else:
                yield from self._registered(world, number, client)
        if world.frozen:
            yield world._replace(frozen=False)
        yield from self._wanted(world)
        yield from self._tool(world, world.tool, False)
        if world.old is not None:
            yield world._replace(old=None)
            yield from self._tool(world, world.old, True)
        if world.takeovers:
            yield world._replace(takeovers=world.takeovers - 1, old=self._going_on(world.tool), tool=Process())

    def _going_on(self, process: Process) -> Process | None:
        """What a superseded process can still do; none where its next step is one that the database refuses."""
        stopped = self.design.fenced and self.design.fenced_generations and process.step == 0
        return None if stopped else process

    def _wanted(self, world: World) -> Iterator[World]:
        """People want the next thing; where they cancelled too late, they have it reversed and cancel then."""
        row, goals = self.rows[world.row], world.goals
        if row.state == "switched" and row.goal == "cancelled":
            yield world._replace(goals=goals - 1, row=self._row(replace(row, goal=self.goals[goals - 1])))
        elif goals + 1 < len(self.goals) and self._may_want(world):
            yield world._replace(goals=goals + 1, row=self._row(replace(row, goal=self.goals[goals + 1])))

    def _may_want(self, world: World) -> bool:
        row, wanted = self.rows[world.row], self.goals[world.goals + 1]
        return not is_over(row) and (wanted != "completed" or row.state == "switched")

    # Writers -----------------------------------------------------------------------------------------------------

    def _registered(self, world: World, number: int, client: Client) -> Iterator[World]:
        """A writer to a store that is not the database of the routes."""
        slot = SLOTS * number + client.slot
        if client.at in ("done", "dead"):
            return
        if client.at == "sent":
            yield self._client(self._landed(world, number, client), number, client._replace(at="dead"))
            yield self._client(world, number, client._replace(at="dead"))
            return
        before = self.design.registers == "before"
        if client.at == "idle":
            if before:
                yield self._client(_marked(world, slot, OPEN), number, client._replace(at="registered"))
            elif not world.frozen:
                seen = client._replace(at="registered", store=world.route, flips=world.flips)
                yield self._client(world, number, seen)
        elif client.at == "registered" and not before:
            yield self._client(_marked(world, slot, OPEN), number, client._replace(at="writing"))
        elif client.at == "registered" and world.frozen:
            yield self._client(_marked(world, slot, NONE), number, client._replace(at="idle"))
        elif client.at == "registered":
            seen = client._replace(at="writing", store=world.route, flips=world.flips)
            yield self._client(world, number, seen)
        elif client.at == "writing":
            landed = self._landed(world, number, client)
            counted = client.counted or client.store == world.route
            yield self._client(landed, number, client._replace(at="closing", counted=counted))
        else:
            yield self._closed(_marked(world, slot, CLOSED), number, client)
        if world.deaths:
            dead = world._replace(deaths=world.deaths - 1)
            yield self._client(dead, number, client._replace(at="dead"))
            if self.trouble.late and client.at == "writing":
                yield self._client(dead, number, client._replace(at="sent"))

    def _closed(self, world: World, number: int, client: Client) -> World:
        """The write ends: acknowledged, or to be written anew."""
        if not self.design.tells or (client.store, client.flips) == (world.route, world.flips):
            lost = world.lost or not client.counted
            return self._client(world._replace(lost=lost), number, client._replace(at="done"))
        again = client.slot + 1 < SLOTS
        slot = client.slot + 1 if again else client.slot
        return self._client(world, number, Client("idle" if again else "dead", slot))

    def _transactional(self, world: World, number: int, client: Client) -> Iterator[World]:
        """A writer whose data is in the database of the routes: one transaction, from its look at the route on."""
        slot = SLOTS * number
        if client.at in ("done", "dead"):
            return
        if client.at == "idle":
            if not world.placed:
                yield self._client(world, number, client._replace(at="unseen"))
            elif not world.frozen:
                seen = client._replace(at="writing", store=world.route, flips=world.flips)
                yield self._client(world, number, seen)
        else:
            noted = world if client.at == "unseen" else _marked(world, slot, CLOSED)
            landed = self._landed(noted, number, client)
            lost = world.lost or client.store != world.route
            yield self._client(landed._replace(lost=lost), number, client._replace(at="done"))
        if world.deaths:
            yield self._client(world._replace(deaths=world.deaths - 1), number, client._replace(at="dead"))

    def _landed(self, world: World, number: int, client: Client) -> World:
        value = self.writes[number]
        generation = world.stores[client.store][1] if self.design.keeps_generation else 0
        written = _stored(world, client.store, value, generation)
        return written._replace(truth=value) if client.store == world.route else written

    def _client(self, world: World, number: int, client: Client) -> World:
        if client.at in ("done", "dead"):
            client = Client(client.at)
        clients = world.clients
        return world._replace(clients=(*clients[:number], client, *clients[number + 1 :]))

    # The tool ----------------------------------------------------------------------------------------------------

    def _tool(self, world: World, process: Process, old: bool) -> Iterator[World]:
        if process.command < 0:
            yield from self._chosen(world, process, old)
            return
        command = self.commands[process.command]
        match command:
            case CopyPage() | Carry():
                yield from self._copied(world, process, old, command)
            case Verify(repair=True) if not self.design.registers_repairs:
                yield from self._copied(world, process, old, command)
            case Verify(repair=True):
                marked = world if old and self.design.fenced else _marked(world, len(world.intents) - 1, CLOSED)
                yield self._kept(marked, process, old, Outcome(0.0))
            case ProveWayBack() if self.design.way_back == "item":
                yield from self._copied(world, process, old, command)
            case Drop() if process.step == 0:
                yield from self._dropped(world, process, old, command)
            case Flip():
                yield self._flipped(world, process, old)
            case _:
                yield self._kept(self._done(world, command, old), process, old, Outcome(0.0))

    def _chosen(self, world: World, process: Process, old: bool) -> Iterator[World]:
        row = self.rows[world.row]
        if world.repairs and not old and row.state in ("ready", "switched"):
            repair = self._command(Verify(truth_of(row), repair=True))
            yield self._process(world._replace(repairs=world.repairs - 1), process._replace(command=repair), old)
        seen = [0.0]
        if world.deadlines and not old and self.rows[world.row].state in ("switching", "reversing"):
            seen.append(LATE)
        for now in seen:
            chosen = self._next(world, now)
            if isinstance(self.commands[chosen], Wait | Rest):
                continue
            if self._touches_only_the_row(self.commands[chosen]):
                if not (old and self.design.fenced):
                    yield self._kept(world, process._replace(command=chosen), old, Outcome(0.0))
            else:
                after = world if now == 0.0 else world._replace(deadlines=world.deadlines - 1)
                yield self._process(after, process._replace(command=chosen), old)

    def _touches_only_the_row(self, command: Command) -> bool:
        """To choose it and to keep what came of it are one step: nobody else sees anything in between. What compares
        finds all the same: that nothing is lost must not rest on its being found."""
        proof = isinstance(command, ProveWayBack) and self.design.way_back == "mark"
        return proof or isinstance(command, Enter | Verify | CompareLast)

    def _done(self, world: World, command: Command, old: bool) -> World:
        """What a command changes at once in the database; a superseded process changes nothing there."""
        if old and self.design.fenced:
            return world
        match command:
            case Place():
                return world._replace(placed=True)
            case Freeze():
                if (
                    self.design.locks
                    and any(one.at == "writing" for one in world.clients)
                    and self.design.transactional
                ):
                    return world
                return world._replace(frozen=True, tool=world.tool._replace(carried=0))
            case Thaw():
                return world._replace(frozen=False)
            case _:
                return world

    def _copied(self, world: World, process: Process, old: bool, command: Command) -> Iterator[World]:
        """Looks at what is registered, takes a generation, reads, puts, and takes off what was carried."""
        to_other = TARGET if isinstance(command, CopyPage) else 1 - _side(getattr(command, "truth", "source"))
        if isinstance(command, ProveWayBack):
            to_other = _side(command.store)
            read_from = to_other
        else:
            read_from = 1 - to_other
        early = self.design.generation == "before"
        if process.step == 0:
            closed = _mask(world.intents, OPEN, CLOSED) if self.design.clears_open else _mask(world.intents, CLOSED)
            given_up = sum(1 << n for n, one in enumerate(world.intents) if one == OPEN and self._abandoned(world, n))
            anything = closed | given_up or (self.design.carries_open and any(world.intents))
            if isinstance(command, Carry) and not anything:
                yield self._kept(world, process, old, Outcome(0.0, left=sum(one != NONE for one in world.intents)))
                return
            held = (closed, given_up, self._highest(world) + 1 if early else 0)
            yield self._process(world, process._replace(step=1, held=held), old)
        elif process.step == 1:
            held = (*process.held, world.stores[read_from][0])
            yield self._process(world, process._replace(step=2, held=held), old)
        elif process.step in (2, WRITING):
            closed, given_up, generation, value = process.held
            generation = generation if early else self._highest(world) + 1
            if isinstance(command, CopyPage) and self.design.blocks and not process.by_item:
                yield from self._block(world, process, old, value, generation)
                return
            nothing = value == 0 and isinstance(command, CopyPage | ProveWayBack)  # a page has no absent items
            put, refused = (world, False) if nothing else self._put(world, to_other, value, generation)
            step = process._replace(step=3, held=(0 if refused else closed, given_up))
            yield self._process(put, step, old)
        else:
            closed, given_up = process.held
            if isinstance(command, Verify):
                yield self._kept(world, process, old, Outcome(0.0))
            elif not isinstance(command, Carry):
                yield self._kept(world, process, old, Outcome(0.0, last_key="k", copied=1, ended=True))
            elif old and self.design.fenced:
                yield world._replace(old=None)
            else:
                left = tuple(NONE if closed >> n & 1 else one for n, one in enumerate(world.intents))
                cleared = world._replace(intents=left)
                after = process._replace(carried=process.carried | given_up)
                yield self._kept(cleared, after, old, Outcome(0.0, left=sum(one != NONE for one in left)))

    def _block(self, world: World, process: Process, old: bool, value: int, generation: int) -> Iterator[World]:
        """The page as a block; where the key is absent, it may be in its range, or behind it."""
        there, gate = world.stores[TARGET]
        done = process._replace(step=3, held=process.held[:2])
        if value == 0:
            yield self._process(world, done, old)
        looks = process.step == 2
        if there or world.ranged or (looks and gate and self.design.block_looks):
            stopped = old and self.design.fenced and self.design.fenced_generations
            again = process._replace(step=0, held=(), by_item=True)
            yield world._replace(old=None) if stopped else self._process(world, again, old)
        elif looks and not self.design.block_alone:
            yield self._process(world, process._replace(step=WRITING), old)
        else:
            put = _stored(world, TARGET, value, gate)._replace(ranged=generation if self.design.gated else 0)
            yield self._process(put, done, old)

    def _put(self, world: World, store: int, value: int, generation: int) -> tuple[World, bool]:
        held = world.stores[store][1] or (world.ranged if store == TARGET else 0)
        if self.design.gated and generation < held:
            return world, True
        kept = generation if value or self.design.tombstones else 0
        return _stored(world, store, value, kept if self.design.gated else 0), False

    def _dropped(self, world: World, process: Process, old: bool, command: Drop) -> Iterator[World]:
        """One copy is deleted, the generations of the other are forgotten."""
        if self.design.settled_late and (world.old is not None):
            return
        side = _side(command.store)
        gone = _stored(world, side, 0, 0)
        settled = _stored(gone, 1 - side, gone.stores[1 - side][0], 0)._replace(ranged=0)
        yield self._process(settled, process._replace(step=1), old)

    def _flipped(self, world: World, process: Process, old: bool) -> World:
        if old and self.design.fenced:
            return world._replace(old=None)
        row = self.rows[world.row]
        to = TARGET if truth_of(row) == "source" else SOURCE
        locked = self.design.transactional and self.design.locks and any(one.at == "writing" for one in world.clients)
        against = [
            number
            for number, one in enumerate(world.intents)
            if one == CLOSED or (one == OPEN and not (process.carried >> number & 1 and self._abandoned(world, number)))
        ]
        if locked:
            return world  # it waits for the row
        if against and self.design.checks_flip:
            return self._kept(world, process, old, Outcome(0.0, refused="registered writes"))
        moved = world._replace(route=to, flips=world.flips + 1, frozen=False)
        return self._kept(moved, process._replace(carried=0), old, Outcome(0.0))

    def _kept(self, world: World, process: Process, old: bool, outcome: Outcome) -> World:
        """The row as it stands after the command; the wish is the last one."""
        if old and self.design.fenced:
            return world._replace(old=None)
        key = (world.row, process.command, outcome)
        after = self.after_of.get(key)
        if after is None:
            row = advanced(MIGRATION, self.rows[world.row], self.commands[process.command], outcome)
            after = self.after_of[key] = self._row(row)
        idle = process._replace(command=-1, step=0, held=(), by_item=False)
        return self._process(world._replace(row=after), idle, old)

    def _process(self, world: World, process: Process, old: bool) -> World:
        changed = world._replace(old=process) if old else world._replace(tool=process)
        return _ranked(changed) if process.step else changed

    def _highest(self, world: World) -> int:
        return max(_generations(world))

    def _abandoned(self, world: World, intent: int) -> bool:
        at = world.clients[intent // SLOTS].at
        return at == "dead" or (not self.design.patient and at in ("sent", "writing"))

    def _next(self, world: World, now: float) -> int:
        opened = [number for number, one in enumerate(world.intents) if one == OPEN]
        abandoned = sum(self._abandoned(world, number) for number in opened)
        waiting = sum(one != NONE for one in world.intents)
        unsettled = self.design.settles and any(one.at == "unseen" for one in world.clients)
        route = None if not world.placed else ("source", "target")[world.route]
        key = (world.row, len(opened), abandoned, waiting, unsettled, route, now)
        found = self.next_of.get(key)
        if found is None:
            seen = Observed(now, not unsettled, waiting, len(opened), abandoned, 0.0, route=route)
            command = next_command(MIGRATION, self.rows[world.row], seen)
            found = self.next_of[key] = self._command(command)
        return found

    def _command(self, command: Command) -> int:
        if isinstance(command, Wait):
            command = Wait("", 1.0, "people")
        elif isinstance(command, Thaw):
            command = Thaw()
        if command not in self.command_of:
            self.command_of[command] = len(self.commands)
            self.commands.append(command)
        return self.command_of[command]

    def _row(self, row: TenantMove) -> int:
        """Without what time and repetition leave in it, so that there are few."""
        plain = replace(row, since=0.0, verified_at=None, tries=0, retry_at=None, error="", fallbacks=0, version=0)
        plain = replace(plain, switched_at=None, reversed_at=None, copied=0, placed="m" if row.placed else "")
        plain = replace(plain, goal=row.goal if row.goal in self.goals else self.goals[0])
        if plain not in self.row_of:
            self.row_of[plain] = len(self.rows)
            self.rows.append(plain)
        return self.row_of[plain]


def _side(name: str) -> int:
    return SOURCE if name == "source" else TARGET


def _stored(world: World, store: int, value: int, generation: int) -> World:
    source, target = world.stores
    pair = (value, generation)
    return world._replace(stores=(pair, target) if store == SOURCE else (source, pair))


def _marked(world: World, intent: int, status: int) -> World:
    intents = (*world.intents[:intent], status, *world.intents[intent + 1 :])
    if status != NONE:
        return world._replace(intents=intents)
    tool = world.tool._replace(carried=world.tool.carried & ~(1 << intent))
    return world._replace(intents=intents, tool=tool)


def _mask(intents: tuple[int, ...], *wanted: int) -> int:
    return sum(1 << number for number, one in enumerate(intents) if one in wanted)


def _held_generation(process: Process | None) -> int:
    """Of a process that took one and has not put yet."""
    return process.held[2] if process is not None and process.step in (1, 2, WRITING) and process.held else 0


def _generations(world: World) -> tuple[int, ...]:
    processes = (_held_generation(world.tool), _held_generation(world.old))
    return (world.stores[0][1], world.stores[1][1], world.ranged, *processes)


def _ranked(world: World) -> World:
    """Generations as ranks: only their order matters, and so there are finitely many states."""
    found = _generations(world)
    rank = {generation: number for number, generation in enumerate(sorted({0, *found}))}
    if all(rank[one] == one for one in found):
        return world
    (first, one), (second, other) = world.stores
    return world._replace(
        stores=((first, rank[one]), (second, rank[other])),
        tool=_ranked_process(world.tool, rank),
        old=None if world.old is None else _ranked_process(world.old, rank),
        ranged=rank[world.ranged],
    )


def _ranked_process(process: Process, rank: dict[int, int]) -> Process:
    if not _held_generation(process):
        return process
    return process._replace(held=(*process.held[:2], rank[process.held[2]], *process.held[3:]))
