"""Ways of copying that are tried first: one key, an update, a delete, a backfill, in every order.

``copying`` has whole moves by the rules that hold; here is only what keeps a copy like its source.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

GONE = 0
BEFORE = 1
WRITES = (2, GONE)


@dataclass(frozen=True, slots=True)
class Way:
    """How writes reach the copy, and what the backfill may overwrite.

    Attributes:
        writes: ``twice`` by the client into both; ``log``: with the source in one transaction, applied from there.
        backfill: overwrites what is there, or inserts only what is not.
        version: none; taken before the source is written; or with it, at once. Where there is one, older puts are
            refused, and what is deleted leaves a mark.
    """

    writes: Literal["twice", "log"] = "twice"
    backfill: Literal["upsert", "insert"] = "upsert"
    version: Literal["none", "before", "atomic"] = "none"


WAYS = {
    "write to both, upsert backfill": Way(),
    "write to both, backfill inserts only": Way(backfill="insert"),
    "version taken before the write, gate, tombstones": Way(version="before"),
    "version taken with the write, gate, tombstones": Way(version="atomic"),
    "outbox, version gate, tombstones": Way(writes="log", version="atomic"),
}


class Writer(NamedTuple):
    at: int = 0
    version: int = 0


class Both(NamedTuple):
    """``copy``: None where nothing was ever put; else value and version. ``log``: (value, version), still to apply."""

    writers: tuple[Writer, ...] = (Writer(), Writer())
    source: tuple[int, int] = (BEFORE, 1)
    copy: tuple[int, int] | None = None
    log: tuple[tuple[int, int], ...] = ()
    applying: int = 0
    page: tuple[int, int] | None = None
    backfill: int = 0
    version: int = 1
    deaths: int = 0
    kills: int = 0


DONE, DEAD, SENT, LAST = 10, 11, 12, 2


def explore(way: Way, deaths: int = 0, kills: int = 0, late: bool = False) -> tuple[int, int]:
    """→ end states in which source and copy differ, and all end states."""
    first = Both(deaths=deaths, kills=kills)
    seen, waiting, bad, ends = {first}, deque([first]), 0, 0
    while waiting:
        state = waiting.popleft()
        for following in _steps(way, late, state):
            if following not in seen:
                seen.add(following)
                waiting.append(following)
        if state.backfill == LAST and not state.log and all(one.at in (DONE, DEAD) for one in state.writers):
            ends += 1
            bad += state.source[0] != (state.copy[0] if state.copy else GONE)
    return bad, ends


def _steps(way: Way, late: bool, state: Both) -> Iterator[Both]:
    for number in range(len(WRITES)):
        yield from _written(way, late, state, number)
    if state.log:
        value, version = state.log[0]
        if state.applying:
            yield _put(way, state, value, version)._replace(log=state.log[1:], applying=0)
        else:
            yield state._replace(applying=1)
    if state.backfill == 0:
        page = state.source if state.source[0] != GONE else None
        yield state._replace(page=page, backfill=1)
    elif state.backfill == 1:
        after = state._replace(page=None, backfill=LAST)
        if state.page is not None:
            inserts = way.backfill == "insert" and state.copy is not None and state.copy[0] != GONE
            after = after if inserts else _put(way, after, *state.page)
        yield after
    if state.kills and state.backfill == 1:
        yield state._replace(kills=state.kills - 1, backfill=0, page=None)
    if state.kills and state.applying:
        yield state._replace(kills=state.kills - 1, applying=0)


def _written(way: Way, late: bool, state: Both, number: int) -> Iterator[Both]:
    writer, value = state.writers[number], WRITES[number]
    if writer.at in (DONE, DEAD):
        return
    if writer.at == SENT:
        yield _at(_put(way, state, value, writer.version), number, DEAD)
        yield _at(state, number, DEAD)
        return
    newest = state.version + 1
    if writer.at == 0 and way.version == "before":
        yield _at(state._replace(version=newest), number, 1, newest)
    elif writer.at in (0, 1):
        version = writer.version if way.version == "before" else newest
        written = state._replace(source=(value, version), version=max(newest, state.version))
        if way.writes == "log":
            yield _at(written._replace(log=(*state.log, (value, version))), number, DONE)
        else:
            yield _at(written, number, 2, version)
    else:
        yield _at(_put(way, state, value, writer.version), number, DONE)
    if state.deaths and way.writes == "twice":
        dead = state._replace(deaths=state.deaths - 1)
        yield _at(dead, number, DEAD)
        if late and writer.at == 2:
            yield _at(dead, number, SENT, writer.version)
    elif state.deaths:
        yield _at(state._replace(deaths=state.deaths - 1), number, DEAD)


def _put(way: Way, state: Both, value: int, version: int) -> Both:
    if way.version != "none" and state.copy is not None and version < state.copy[1]:
        return state
    return state._replace(copy=(value, version))


def _at(state: Both, number: int, at: int, version: int = 0) -> Both:
    writers = list(state.writers)
    writers[number] = Writer(at, version)
    return state._replace(writers=tuple(writers))
