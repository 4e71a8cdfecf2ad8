"""A store that does not keep the order of keys is found out before anything is switched."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from outgrow.migrating.comparing import differing
from outgrow.ports import Item, StoreFailed
from outgrow.testing.memory_store import MemoryStore


class Collated(MemoryStore):
    """Orders as a language does, a before B."""

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        items = super().page(tenant, after, 1000)
        return sorted(items, key=lambda item: item.key.lower())[:limit]


class Stuck(MemoryStore):
    """Begins anew with each page."""

    def page(self, tenant: str, after: str, limit: int) -> Sequence[Item]:
        return super().page(tenant, "", limit)


@pytest.mark.parametrize("kind", [Collated, Stuck])
def test_keys_out_of_order_are_said(kind: type[MemoryStore]) -> None:
    liar, other = kind("old"), MemoryStore("new")
    for key in ("a1", "B1", "a2", "B2"):
        liar.write("ana", key, b"x")
        other.write("ana", key, b"x")
    with pytest.raises(StoreFailed, match="their UTF-8 bytes"):
        list(differing("ana", liar, other, set))
