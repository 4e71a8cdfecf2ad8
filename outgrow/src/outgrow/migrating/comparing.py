"""What differs between two stores of one tenant, found while the tenant is being written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from outgrow.migration.records import Difference, Differing
from outgrow.ports import Copied, Item, Store, StoreFailed

PAGE = 1000
"""Digests that are read at once, of each store."""
LOOKED_AT = 200
"""Candidates whose bodies are read at once."""

Keyed = TypeVar("Keyed", Item, Copied)
Pending = Callable[[], Collection[str]]
"""The keys of registered writes that were not carried over yet."""


def differing(
    tenant: str,
    truth: Store,
    other: Store,
    pending: Pending,
    again: Callable[[], None] = lambda: None,
    looks: int = 3,
    seen: Callable[[str], None] = lambda _: None,
) -> Iterator[Differing]:
    """Every key in which ``other`` differs from ``truth``, in the order of keys, in bounded memory.

    Two streams of digests are merged; a key that differs there is read again, ``looks`` times at most. A key of which a
    registered write is waiting afterwards is none that differs: its write is on its way, and it is compared when it has
    come. ``pending`` is asked after both stores were read, since a write is registered before it is done. ``again`` is
    called before each further look, ``seen`` with every key of ``truth``.
    """
    candidates = _candidates(_stream(truth, tenant), _stream(other, tenant), seen)
    while some := list(islice(candidates, LOOKED_AT)):
        yield from still_differing(tenant, truth, other, some, pending, again, looks)


def still_differing(
    tenant: str,
    truth: Store,
    other: Store,
    keys: Sequence[str],
    pending: Pending,
    again: Callable[[], None] = lambda: None,
    looks: int = 3,
) -> Iterator[Differing]:
    """Those of ``keys`` that differ, as ``differing`` has it."""
    left = list(keys)
    found: dict[str, Difference] = {}
    for look in range(looks):
        if look:
            again()
        right, copied = truth.items(tenant, left), other.items(tenant, left)
        unequal = [key for key in left if right.get(key) != copied.get(key)]
        waiting = set(pending()) if unequal else set()
        found = {key: _how(right.get(key), copied.get(key)) for key in unequal if key not in waiting}
        left = list(found)
        if not left:
            return
    for key, how in found.items():
        yield Differing(tenant, key, how)


def _how(right: bytes | None, copied: bytes | None) -> Difference:
    if copied is None:
        return "missing"
    return "extra" if right is None else "stale"


def _stream(store: Store, tenant: str) -> Iterator[Copied]:
    after = ""
    while page := store.digests(tenant, after, PAGE):
        yield from in_order(store, tenant, after, page)
        after = page[-1].key


def in_order(store: Store, tenant: str, after: str, page: Sequence[Keyed]) -> Iterator[Keyed]:
    """The page, behind ``after``. Raises ``StoreFailed`` where keys come in another order than by their bytes, or
    twice: items would be missed, or never come to an end."""
    for one in page:
        if one.key.encode() <= after.encode():
            raise StoreFailed(
                f"{store.name} gave the key {one.key!r} of {tenant} behind {after!r}: keys come once each, by "
                "their UTF-8 bytes, or items are missed",
                next_step="mend the mover of this store; nothing was switched or deleted",
            )
        after = one.key
        yield one


def _candidates(truth: Iterator[Copied], other: Iterator[Copied], seen: Callable[[str], None]) -> Iterator[str]:
    """Keys that are in one stream alone, or with another digest; both are in the order of their keys' UTF-8 bytes."""
    left, right = next(truth, None), next(other, None)
    while left is not None or right is not None:
        order = _order(left, right)
        if order != 0 or (left is not None and right is not None and left.digest != right.digest):
            ahead = left if order <= 0 else right
            assert ahead is not None
            yield ahead.key
        if order <= 0 and left is not None:
            seen(left.key)
            left = next(truth, None)
        if order >= 0:
            right = next(other, None)


def _order(left: Copied | None, right: Copied | None) -> int:
    if left is None or right is None:
        return 1 if left is None else -1
    a, b = left.key.encode(), right.key.encode()
    return (a > b) - (a < b)
