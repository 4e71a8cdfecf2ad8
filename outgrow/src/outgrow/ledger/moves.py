"""The truth of a move in a database, whichever it is: one ``outgrow.ports.MoveLedger`` over sessions of both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, get_args

from outgrow.errors import LedgerError, UsageError
from outgrow.ledger.moves_rows import MOVER, as_json, as_object, columns_of, migration_of, move_of, rest_of
from outgrow.ledger.moves_session import Locked, MoveSession
from outgrow.migration.records import LAYOUT_VERSION, Goal, JournalLine, Migration, TenantMove
from outgrow.ports.moves import Busy, Change, Flipped, InUse, ShadowCount, Superseded, TenantLook
from outgrow.quantities import format_duration
from outgrow.routing import ABANDONED_SECONDS, Route

_OVER = ("completed", "cancelled")
LOCK_SECONDS = 1.0
"""How long a flip waits for a transaction of the application that holds the tenant's route: so long its writers wait
behind the flip, too."""


class SqlMoveLedger:
    """A ``outgrow.ports.MoveLedger`` over a session.

    Fields of a tenant's row that a newer tool of the same layout wrote are kept as they are. A migration of a newer
    layout can be looked at, but neither taken on nor changed.
    """

    def __init__(self, session: MoveSession) -> None:
        self._session = session
        self._goals: dict[tuple[str, str], str] = {}
        self._carried: dict[tuple[str, str], set[int]] = {}
        self._frozen_at: dict[tuple[str, str], float] = {}

    def close(self) -> None:
        self._session.close()

    def now(self) -> float:
        return float(self._session.rows("now")[0][0])

    def create(self, migration: Migration, tenants: Sequence[TenantMove], who: str) -> Migration:
        self._refuse_second(migration.point)
        try:
            with self._session.transaction():
                self._session.run(
                    "add_migration",
                    id=migration.id,
                    point=migration.point,
                    kind=migration.kind,
                    source=migration.source,
                    target=migration.target,
                    layout_version=migration.layout_version,
                    made_at=migration.made_at,
                    paused=migration.paused,
                    shadow_share=migration.pace.shadow_share,
                    pace=as_json({**asdict(migration.pace), MOVER: dict(migration.mover)}),
                )
                self._add(migration, tenants)
                self._line(migration.id, "", "created", who, {"tenants": len(tenants)})
                return self._migration(migration.id)
        except LedgerError:
            self._refuse_second(migration.point)  # somebody was faster: of two at once, the tables refuse one
            raise

    def _refuse_second(self, point: str) -> None:
        known = self.migration(point)
        if known is not None and known.ended_at is None:
            raise UsageError(
                f"{point} has a migration that has not ended: {known.id}, from {known.source} to {known.target}",
                next_step=f"outgrow migrate {point} status",
            )

    def migration(self, point: str) -> Migration | None:
        rows = self._session.rows("migrations_of_point", point=point)
        return migration_of(rows[0]) if rows else None

    def take(self, migration: Migration, who: str) -> Migration:
        self._refuse_newer(migration)
        if not self._session.lock(migration.id):
            holder = self._migration(migration.id).holder or "another process"
            since = self._session.rows("taken_at", id=migration.id)[0][0]
            ago = "" if since is None else f", for {format_duration(max(0.0, round(self.now() - since)))}"
            raise Busy(
                f"{holder} is at this move now{ago}",
                next_step=f"wait for it, or stop it; outgrow migrate {migration.point} status shows how far it is",
            )
        try:
            with self._session.transaction():
                overtaken = self._migration(migration.id).holder
                self._session.run("take", id=migration.id, who=who)
                taken = self._migration(migration.id)
                facts: dict[str, object] = {"epoch": taken.epoch}
                self._line(migration.id, "", "taken", who, {**facts, "overtook": overtaken} if overtaken else facts)
        except BaseException:
            self._session.unlock(migration.id)
            raise
        return taken

    def release(self, migration: Migration) -> None:
        self._session.run("release", id=migration.id, epoch=migration.epoch)
        self._session.unlock(migration.id)

    def add_tenants(self, migration: Migration, tenants: Sequence[TenantMove]) -> None:
        with self._held(migration):
            self._add(migration, tenants)

    def tenants(self, migration: Migration) -> Sequence[TenantMove]:
        moves = [move_of(row) for row in self._session.rows("tenants", id=migration.id)]
        self._goals.update({(migration.id, move.tenant): move.goal for move in moves})
        return sorted(moves, key=lambda move: (move.wave, move.tenant))

    def keep(
        self, migration: Migration, move: TenantMove, what: str = "", facts: Mapping[str, object] | None = None
    ) -> TenantMove:
        with self._held(migration):
            kept = self._write(migration, move)
            if what:
                self._line(migration.id, move.tenant, what, migration.holder, facts or {})
            if move.state in _OVER:
                self._session.run("clear_all", point=migration.point, tenant=move.tenant)
        self._goals[migration.id, move.tenant] = kept.goal
        return kept

    def want(self, migration: Migration, tenants: Iterable[str] | None, goal: Goal, who: str) -> int:
        if goal not in get_args(Goal):
            raise UsageError(f"{goal!r} is no goal of a move", next_step=f"one of {', '.join(get_args(Goal))}")
        self._refuse_newer(migration)
        count = 0
        with self._session.transaction():
            if tenants is None:
                count = self._session.run("want_of_all", id=migration.id, goal=goal)
                self._line(migration.id, "", "wanted", who, {"goal": goal, "tenants": count})
                return count
            for tenant in sorted(set(tenants)):
                if self._session.run("want", id=migration.id, tenant=tenant, goal=goal):
                    count += 1
                    self._line(migration.id, tenant, "wanted", who, {"goal": goal})
        return count

    def set_paused(self, migration: Migration, why: str, who: str) -> Migration:
        return self._set(migration, "set_paused", who, "paused" if why else "resumed", why=why)

    def set_shadow_share(self, migration: Migration, share: float, who: str) -> Migration:
        if not (math.isfinite(share) and 0 <= share <= 1):
            raise UsageError(
                f"a share lies between 0 and 1, not at {share}", next_step="--percent 10 is a share of 0.1"
            )
        return self._set(migration, "set_shadow_share", who, "shadow share set", share=share)

    def set_mover(self, migration: Migration, mover: Mapping[str, str], who: str) -> Migration:
        self._refuse_newer(migration)
        with self._session.transaction():
            had = as_object(self._session.rows("migration", id=migration.id)[0][6])
            self._session.run("set_pace", id=migration.id, pace=as_json({**had, MOVER: dict(mover)}))
            self._line(migration.id, "", "mover accepted", who, dict(mover))
            return self._migration(migration.id)

    def _set(self, migration: Migration, name: str, who: str, what: str, **value: Any) -> Migration:
        self._refuse_newer(migration)
        with self._session.transaction():
            self._session.run(name, id=migration.id, **value)
            self._line(migration.id, "", what, who, value)
            return self._migration(migration.id)

    def end(self, migration: Migration) -> Migration:
        with self._held(migration):
            unfinished = self._session.rows("unfinished", id=migration.id)[0][0]
            if unfinished:
                raise UsageError(
                    f"{unfinished} tenants of {migration.id} are neither completed nor cancelled",
                    next_step=f"outgrow migrate {migration.point} status",
                )
            self._session.run("end", id=migration.id)
            self._line(migration.id, "", "ended", migration.holder, {})
            return self._migration(migration.id)

    def place(self, migration: Migration, tenant: str) -> str:
        with self._held(migration):
            self._session.run("place", point=migration.point, tenant=tenant, store=migration.source)
        return self._session.mark()

    def settled(self, mark: str) -> bool:
        return self._session.settled(mark)

    def generation(self, migration: Migration) -> int:
        with self._held(migration):
            return int(self._session.rows("generation")[0][0])

    def changes(self, migration: Migration, tenant: str, limit: int) -> Sequence[Change]:
        rows = self._session.rows("changes", point=migration.point, tenant=tenant, limit=limit)
        return [Change(int(row[0]), row[1], row[2], bool(row[3]), float(row[4])) for row in rows]

    def mark_changed(self, migration: Migration, tenant: str, keys: Sequence[str]) -> None:
        with self._held(migration):
            self._session.many(
                "mark_changed", [{"point": migration.point, "tenant": tenant, "key": key} for key in keys]
            )

    def overtaken(self, migration: Migration) -> tuple[float, str] | None:
        lines = [(float(at), as_object(facts)) for at, facts in self._session.rows("takings", id=migration.id)]
        return next(((at, str(facts["overtook"])) for at, facts in lines if "overtook" in facts), None)

    def clear(self, migration: Migration, changes: Sequence[Change]) -> None:
        with self._held(migration):
            self._session.run("clear", ids=[change.id for change in changes if not change.open])
        for change in changes:
            if change.open:
                self._carried.setdefault((migration.point, change.tenant), set()).add(change.id)

    def freeze(self, migration: Migration, tenant: str, seconds: float) -> None:
        with _waited_for(tenant), self._held(migration, LOCK_SECONDS):
            began = self.now()
            self._session.run("freeze", point=migration.point, tenant=tenant, seconds=float(seconds))
        self._carried.pop((migration.point, tenant), None)
        self._frozen_at[migration.point, tenant] = began

    def thaw(self, migration: Migration, tenant: str) -> None:
        with _waited_for(tenant), self._held(migration, LOCK_SECONDS):
            self._session.run("thaw", point=migration.point, tenant=tenant)

    def flip(self, migration: Migration, move: TenantMove, store: str, after: TenantMove, what: str) -> Flipped:
        try:
            with self._held(migration, LOCK_SECONDS):
                flipped = self._flip(migration, move, store, after, what)
        except Locked as error:
            here = self.route(migration.point, move.tenant) or Route(migration.source)
            return Flipped(here, f"{error.message}; the tenant stays where it is")
        if not flipped.why_not:
            self._carried.pop((migration.point, move.tenant), None)
        return flipped

    def _flip(self, migration: Migration, move: TenantMove, store: str, after: TenantMove, what: str) -> Flipped:
        place = {"point": migration.point, "tenant": move.tenant}
        rows = self._session.rows("route_to_change", **place)
        if not rows:
            return Flipped(Route(migration.source), f"{move.tenant} has no route row")
        route = Route(*rows[0])
        other = migration.source if store == migration.target else migration.target
        if route.store != other:
            return Flipped(route, f"the route of {move.tenant} leads to {route.store}, not to {other}")
        # A statement of its own, after the lock: it sees every write that was registered before the lock was given.
        carried = sorted(self._carried.get((migration.point, move.tenant), ()))
        at = self.now()
        frozen = max(0.0, at - self._frozen_at.get((migration.point, move.tenant), at))
        against, still_open = self._session.rows(
            "against", **place, carried=carried, abandoned_seconds=ABANDONED_SECONDS + frozen
        )[0]
        if against:
            return Flipped(route, why_not(move.tenant, against, still_open))
        self._write(migration, replace(after, tenant=move.tenant, version=move.version))
        self._session.run("lead", **place, store=store)
        if store == migration.source:
            self._session.run("rehearsed", id=migration.id)
        now = Route(store, route.generation + 1)
        facts = {"from": route.store, "to": store, "generation": now.generation}
        self._line(migration.id, move.tenant, what, migration.holder, facts)
        return Flipped(now)

    def route(self, point: str, tenant: str) -> Route | None:
        rows = self._session.rows("route", point=point, tenant=tenant)
        return Route(*rows[0]) if rows else None

    def routes(self, point: str) -> Mapping[str, Route]:
        return {row[0]: Route(*row[1:]) for row in self._session.rows("routes", point=point)}

    def look(self, point: str, tenant: str, most: int = 100_000) -> TenantLook:
        now, store, generation, waiting, under_way, abandoned, behind = self._session.rows(
            "look", point=point, tenant=tenant, most=most, abandoned_seconds=ABANDONED_SECONDS
        )[0]
        route = None if store is None else Route(store, generation)
        return TenantLook(float(now), route, waiting, under_way, abandoned, float(behind or 0.0))

    def shadow(self, migration: Migration, tenant: str) -> ShadowCount:
        rows = self._session.rows("shadow", id=migration.id, tenant=tenant)
        return ShadowCount(*rows[0]) if rows else ShadowCount()

    def write_down(self, migration: Migration, tenant: str, what: str, facts: Mapping[str, object]) -> None:
        with self._held(migration):
            self._line(migration.id, tenant, what, migration.holder, facts)

    def journal(self, migration: Migration, tenant: str | None = None, after: int = 0) -> Sequence[JournalLine]:
        rows = (
            self._session.rows("lines", id=migration.id, after=after)
            if tenant is None
            else self._session.rows("lines_of_tenant", id=migration.id, tenant=tenant, after=after)
        )
        return [JournalLine(int(row[0]), float(row[1]), row[2], row[3], row[4], as_object(row[5])) for row in rows]

    @contextmanager
    def _held(self, migration: Migration, lock_seconds: float | None = None) -> Iterator[None]:
        """A transaction in which nobody else can take the move on. Raises ``Superseded`` where somebody did."""
        with self._session.transaction(lock_seconds):
            rows = self._session.rows("epoch", id=migration.id)
            if not rows or rows[0][0] != migration.epoch:
                raise Superseded(
                    f"another process has taken the migration {migration.id} on; this one stops, and nothing of its "
                    "last step was written",
                    next_step=f"outgrow migrate {migration.point} status says which",
                )
            yield

    def _refuse_newer(self, migration: Migration) -> None:
        rows = self._session.rows("layout", id=migration.id)
        if not rows:
            raise LedgerError(f"there is no migration {migration.id} in {self._session.name}")
        if rows[0][0] > LAYOUT_VERSION:
            raise LedgerError(
                f"the migration {migration.id} in {self._session.name} was made by a newer outgrow (layout "
                f"{rows[0][0]}, this one knows {LAYOUT_VERSION}); it was left as it is",
                next_step="upgrade outgrow, and go on with that",
            )

    def _migration(self, id_: str) -> Migration:
        return migration_of(self._session.rows("migration", id=id_)[0])

    def _add(self, migration: Migration, tenants: Sequence[TenantMove]) -> None:
        common = {
            "id": migration.id,
            "point": migration.point,
            "source": migration.source,
            "target": migration.target,
        }
        self._session.many(
            "add_tenant", [{**common, **columns_of(move), "rest": rest_of(move, {})} for move in tenants]
        )

    def _write(self, migration: Migration, move: TenantMove) -> TenantMove:
        """Writes a row that was read at ``move.version``. People's goal stands, where they set it since it was read."""
        rows = self._session.rows("tenant", id=migration.id, tenant=move.tenant)
        if not rows or rows[0][4] != move.version:
            raise Superseded(
                f"the row of {move.tenant} was written in between; this process stops, and nothing of its last step "
                "was written",
                next_step=f"outgrow migrate {migration.point} status shows how far it is",
            )
        _, _, state, goal, _, rest = rows[0]
        seen = self._goals.get((migration.id, move.tenant), move.goal)
        kept = replace(move, goal=move.goal if goal == seen else goal)
        self._session.run(
            "write_tenant",
            id=migration.id,
            rest=rest_of(kept, as_object(rest)),
            **columns_of(kept, without_version=True),
        )
        if kept.state == "shadowing" and state != "shadowing":
            self._session.run("forget_shadow", id=migration.id, tenant=move.tenant)
        return replace(kept, version=move.version + 1)

    def _line(self, id_: str, tenant: str, what: str, who: str, facts: Mapping[str, object]) -> None:
        self._session.run("add_line", id=id_, tenant=tenant, what=what, who=who, facts=as_json(facts))


@contextmanager
def _waited_for(tenant: str) -> Iterator[None]:
    try:
        yield
    except Locked as error:
        raise InUse(
            f"a transaction of the application has held the route of {tenant} for more than {LOCK_SECONDS:g} s, and "
            "its end is waited for",
            next_step=error.next_step,
        ) from error


def why_not(tenant: str, against: int, still_open: int) -> str:
    """The sentence that says which registered writes stand against a flip."""
    writes = "registered write" if against == 1 else "registered writes"
    under_way = f", {still_open} of them still under way" if still_open else ""
    return f"{against} {writes} of {tenant} not carried over yet{under_way}"
