"""What can be done next for one tenant, what was seen of it before, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from outgrow.migration.records import State

Side = Literal["source", "target"]


@dataclass(frozen=True, slots=True)
class Place:
    """Lay the tenant's route row at the source where there is none; the outcome has the mark."""


@dataclass(frozen=True, slots=True)
class Fill:
    """Have the target hold the tenant from now on (a move by filling; the row's state alone says so)."""


@dataclass(frozen=True, slots=True)
class CopyPage:
    """Copy the items behind ``after``, at most ``limit``."""

    after: str
    limit: int


@dataclass(frozen=True, slots=True)
class Carry:
    """Read the items of at most ``limit`` registered writes from ``truth`` and put them into the other store.

    Of writes that are over, and of open ones only where they are abandoned: one that is under way may still be
    withdrawn, and then nobody would overwrite what a superseded process puts of it later.

    ``abandoned``: open writes that may stay behind without holding up a switch.
    """

    truth: Side
    limit: int
    abandoned: int = 0


@dataclass(frozen=True, slots=True)
class Verify:
    """Compare all keys of both stores; with ``repair`` copy what differs from ``truth``, and compare that again."""

    truth: Side
    repair: bool = False


@dataclass(frozen=True, slots=True)
class Freeze:
    """Have the tenant's writers wait, at most so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CompareLast:
    """Frozen and drained: compare counts, and every key that was carried since all were compared."""

    truth: Side


@dataclass(frozen=True, slots=True)
class ProveWayBack:
    """Prove that the store that is about to lose the truth would take what the way back puts, changing nothing there
    (``Store.prove_writable``). Never by putting an item that is there once more: a freeze may end at any moment, and a
    write that comes between reading the item and putting it would be overwritten.
    """

    store: Side


@dataclass(frozen=True, slots=True)
class Flip:
    """The point of no return, to this store."""

    to: Side


@dataclass(frozen=True, slots=True)
class Thaw:
    """Have the tenant's writers go on: the switch did not come about. ``reason``: why, for people."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """Delete the tenant's copy in this store, and settle the other. Only for ``completed`` and ``cancelled``."""

    store: Side


@dataclass(frozen=True, slots=True)
class Enter:
    """Nothing to be done outside: the row goes on to this state. ``shadowed``, ``shadow_differing``: reads that were
    compared when it left ``shadowing``; None: not looked at."""

    state: State
    shadowed: int | None = None
    shadow_differing: int | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done now. ``reason``: why, for people; ``next_step``: what they can do, "" where it is only to
    wait; ``seconds``: when to look again. ``kind``: who is waited for."""

    reason: str
    seconds: float
    kind: Literal["throttled", "paused", "writers", "lag", "shadow", "retry", "people", "deadline"]
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Rest:
    """The tenant is where people want it. While both copies are held, changes are still carried from time to time."""


Command = (
    Place
    | Fill
    | CopyPage
    | Carry
    | Verify
    | Freeze
    | CompareLast
    | ProveWayBack
    | Flip
    | Thaw
    | Drop
    | Enter
    | Wait
    | Rest
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of a tenant just before. Times are the database's clock, seconds since the epoch.

    Attributes:
        now: the present.
        settled: no transaction is left that may not have seen the route row.
        waiting: registered writes that were not carried over yet; ``open``: of them, those still under way;
            ``abandoned``: of these, those so old that whoever made them is gone.
        lag_seconds: for how long the store without the truth has been behind; 0 where it is not, None: not known.
        behind: a store that fills itself lacks this many positions; 0 for a copied one.
        fault: why the store that fills itself does not go on.
        route: the store that the route names; None: no row.
        frozen: writers wait now.
        matched, differed, failed: reads that were asked of both stores, over all of ``shadowing``.
        throttled: why nothing may be copied now, "" for no reason. Switching goes on nevertheless.
        overtaken_seconds: how long ago the move was taken from a process that had not given it back, and may still put
            something; None: never, or not looked at.
        batch: how many registered writes are carried at once, as it grew while it was behind; 0: as declared.
        outrun: says that they come faster than they are carried; "" where they do not, or that is not known.
    """

    now: float
    settled: bool = True
    waiting: int = 0
    open: int = 0
    abandoned: int = 0
    lag_seconds: float | None = 0.0
    behind: int = 0
    fault: str = ""
    route: str | None = None
    frozen: bool = False
    matched: int = 0
    differed: int = 0
    failed: int = 0
    throttled: str = ""
    overtaken_seconds: float | None = None
    batch: int = 0
    outrun: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command that was carried out.

    Attributes:
        at: when, by the database's clock.
        mark: of ``Place``. items: how many the tenant has, where it was seen.
        last_key, copied, ended: of ``CopyPage``: how far, how many, and whether it was the last page.
        carried, left: of ``Carry``: registered writes that were carried over, and those that are left.
        differing: of ``Verify`` and ``CompareLast``: keys that differ (after repair).
        refused: why a ``Flip`` or ``ProveWayBack`` did not come about; "" where it did.
        failed: the store or the network did not do it: the sentence; the row keeps its place and tries again.
    """

    at: float
    mark: str = ""
    items: int | None = None
    last_key: str = ""
    copied: int = 0
    ended: bool = False
    carried: int = 0
    left: int = 0
    differing: int = 0
    refused: str = ""
    failed: str = ""
