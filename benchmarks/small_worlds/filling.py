"""A small world in which a tenant is moved between two stores that fill themselves, to be tried in every order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from outgrow.migration.commands import Command, Flip, Observed, Outcome, Place, Rest, Wait
from outgrow.migration.records import Goal, Migration, TenantMove
from outgrow.migration.transitions import advanced, is_over, next_command, truth_of

MIGRATION = Migration("m", "p", "filling", "source", "target", 0.0)
STORES = ("source", "target")
EMPTY = -1
WRITES = 2


@dataclass(frozen=True, slots=True)
class FillingDesign:
    """Rules of a move by filling; each that is broken is a way in which one could be built.

    Attributes:
        asks: a flip needs the target's position at the head as of the check.
        gated: what a worker read at an older position than what is there changes nothing.
    """

    asks: bool = True
    gated: bool = True


class Filled(NamedTuple):
    """``cursor``: how far it follows the log, EMPTY where it is not filled; ``shows``: of which position its item is;
    ``read``: a worker has read the truth at this position, and not put it yet."""

    cursor: int = EMPTY
    shows: int = EMPTY
    read: int = EMPTY


class Tenant(NamedTuple):
    row: TenantMove
    stores: tuple[Filled, Filled]
    head: int = 0
    goals: int = 0
    placed: bool = False
    route: int = 0
    command: Command | None = None
    seen: int = 0
    kills: int = 1
    doubles: int = 1
    blind: bool = False


def explore(
    design: FillingDesign = FillingDesign(), goals: tuple[Goal, ...] = ("switched", "ready", "cancelled")
) -> tuple[int, int, int]:
    """→ end states in which readers see less than was committed, or once saw less than before a flip; all end states;
    all states."""
    first = Tenant(TenantMove("t", 1, goal=goals[0]), (Filled(0, 0), Filled()))
    seen, waiting, bad, ends = {first}, deque([first]), 0, 0
    while waiting:
        state = waiting.popleft()
        for following in _steps(design, goals, state):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
        if _is_end(goals, state):
            ends += 1
            bad += state.blind or state.stores[state.route].shows != state.head
    return bad, ends, len(seen)


def _held(state: Tenant, store: int) -> bool:
    both = state.row.state not in ("pending", "completed", "cancelled")
    return both or store == state.route


def _is_end(goals: tuple[Goal, ...], state: Tenant) -> bool:
    filled = all(
        one.read == EMPTY and one.cursor == (state.head if _held(state, number) else EMPTY)
        for number, one in enumerate(state.stores)
    )
    resting = state.command is None and isinstance(_next(FillingDesign(), state), Rest)
    return filled and resting and state.head == WRITES and state.goals == len(goals) - 1


def _next(design: FillingDesign, state: Tenant) -> Command:
    other = 1 if truth_of(state.row) == "source" else 0
    behind = state.head - max(0, state.stores[other].cursor) + (state.stores[other].cursor == EMPTY)
    route = STORES[state.route] if state.placed else None
    seen = Observed(0.0, behind=behind if design.asks else 0, lag_seconds=None, route=route)
    return next_command(MIGRATION, state.row, seen)


def _steps(design: FillingDesign, goals: tuple[Goal, ...], state: Tenant) -> Iterator[Tenant]:
    if state.head < WRITES:
        yield state._replace(head=state.head + 1)
    for number, store in enumerate(state.stores):
        yield from _filled(design, state, number, store)
    row = state.row
    if row.state == "switched" and row.goal == "cancelled":
        wanted = goals[state.goals - 1]
        yield state._replace(goals=state.goals - 1, row=replace(row, goal=wanted))
    elif state.goals + 1 < len(goals) and not is_over(row):
        wanted = goals[state.goals + 1]
        if wanted != "completed" or row.state == "switched":
            yield state._replace(goals=state.goals + 1, row=replace(row, goal=wanted))
    if state.command is None:
        command = _next(design, state)
        if not isinstance(command, Rest | Wait):
            yield state._replace(command=command, seen=state.head)
        return
    if state.kills:
        yield state._replace(command=None, kills=state.kills - 1, seen=0)
    after = _plain(advanced(MIGRATION, row, state.command, Outcome(0.0)))
    done = state._replace(row=after, command=None, seen=0)
    if isinstance(state.command, Place):
        done = done._replace(placed=True)
    elif isinstance(state.command, Flip):
        to = STORES.index(state.command.to)
        done = done._replace(route=to, blind=state.blind or state.stores[to].shows < state.seen)
    yield done


def _filled(design: FillingDesign, state: Tenant, number: int, store: Filled) -> Iterator[Tenant]:
    """The application's workers: fill what is to be held, follow the log, let go of what is not held any more."""
    if store.read != EMPTY:
        if not design.gated or store.read >= store.shows:
            yield _put(state, number, Filled(max(store.cursor, store.read), store.read))
        else:
            yield _put(state, number, store._replace(read=EMPTY))
    if _held(state, number):
        if store.cursor == EMPTY and store.read == EMPTY:
            yield _put(state, number, store._replace(read=state.head))
        elif state.doubles and store.read == EMPTY:
            yield _put(state._replace(doubles=state.doubles - 1), number, store._replace(read=state.head))
        if EMPTY < store.cursor < state.head:
            yield _put(state, number, Filled(store.cursor + 1, max(store.shows, store.cursor + 1), store.read))
    elif store.cursor != EMPTY or store.read != EMPTY:
        yield _put(state, number, Filled())


def _put(state: Tenant, number: int, store: Filled) -> Tenant:
    source, target = state.stores
    return state._replace(stores=(store, target) if number == 0 else (source, store))


def _plain(row: TenantMove) -> TenantMove:
    row = replace(row, since=0.0, verified_at=None, tries=0, retry_at=None, error="", fallbacks=0, deadline=None)
    return replace(row, switched_at=None, reversed_at=None)
